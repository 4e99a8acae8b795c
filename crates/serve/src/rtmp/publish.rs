//! An encoder: its key, its mount, and its tags as the Flash video that everything else understands.

use super::talk::{STOPS, Talk};
use crate::{
    MountName, Origin, Refused, Source, Station,
    auth::{Asks, Who},
    mounts::Claim,
};
use levada_media::container::flv::{
    self,
    tag::{Kind, Lineup, Tag, View},
};
use levada_rtmp::{
    Address, Refusal,
    server::{Event, Publish},
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use tokio::time::timeout;

/// Gives the encoder its mount, or says why not.
pub(super) async fn admit(
    asked: &Publish,
    talk: &Talk,
    station: &Arc<Station>,
) -> Result<Claim, (Refusal, String)> {
    let (path, key) = path_and_key(&asked.address);
    let name = path.parse().ok().filter(|name: &MountName| !name.is_internal());
    let name = name.ok_or((Refusal::NotFound, format!("{path} is no mount name")))?;
    let config = station.config();
    let policy = config.policy(&name);
    let user = asked.address.param("user").or(policy.source_user.as_deref());
    let user = user.unwrap_or(&config.auth.source_user);
    let from = talk.peer.ip();
    let who = Who { from, user, password: key };
    if let Err(why) = station.auth.allows(&config, Asks::Source(&name), who).await {
        station.counters.denied.fetch_add(1, Relaxed);
        return Err((Refusal::Denied, why.to_string()));
    }
    let mut source = Source::new(Origin::Rtmp, CONTENT_TYPE, SystemTime::now());
    source.peer = Some(from);
    source.user = user.to_owned();
    source.agent = talk.session.client().map(|client| client.flash_version.clone()).unwrap_or_default();
    let claim = station.mounts.claim(&name, source, &config).map_err(|why| {
        station.counters.refused_sources.fetch_add(1, Relaxed);
        let refusal = if why == Refused::InUse { Refusal::Busy } else { Refusal::Unsuitable };
        (refusal, why.to_string())
    })?;
    station.counters.sources.fetch_add(1, Relaxed);
    Ok(claim)
}

/// Carries the encoder's tags into its mount until one of them ends.
pub(super) async fn carry(talk: &mut Talk, claim: Claim, station: &Arc<Station>) {
    talk.session.accept();
    talk.widen();
    let (mount, peer) = (claim.mount().clone(), talk.peer);
    tracing::info!(mount = %mount.name, %peer, "source came");
    let mut tape = Tape::new();
    let end = loop {
        let event = tokio::select! {
            event = timeout(mount.policy().source_timeout, talk.next()) => event,
            () = claim.let_go() => break "let go",
            () = station.stop.cancelled() => {
                if talk.session.reconnect(None, STOPS) {
                    let parting = timeout(PARTING, part(talk, &mut tape, &claim)).await;
                    tracing::info!(mount = %mount.name, in_time = parting.is_ok(), "source was asked to connect anew");
                }
                break "server stops";
            }
        };
        match event {
            Ok(Ok(Event::Tag(tag))) => {
                if tape.write(&tag, &claim).is_err() {
                    break "let go";
                }
            }
            Ok(Ok(Event::Unpublished)) => break "finished",
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break "disconnected",
            Err(_) => break "silent",
        }
    };
    if end != "finished" {
        talk.session.end(end);
    }
    tracing::info!(mount = %mount.name, end, "source left");
}

/// Carries on until the encoder has left to connect anew.
async fn part(talk: &mut Talk, tape: &mut Tape, claim: &Claim) {
    while let Ok(event) = talk.next().await {
        match event {
            Event::Tag(tag) if tape.write(&tag, claim).is_ok() => {}
            Event::Request(_) => {}
            _ => return,
        }
    }
}

/// Writes a publisher's tags as a Flash video: what describes it comes before any media.
pub(crate) struct Tape {
    lineup: Lineup,
    begun: bool,
}

impl Tape {
    pub(crate) fn new() -> Tape {
        Tape { lineup: Lineup::new(View::Multitrack), begun: false }
    }

    /// Writes what can be written when `tag` has come; one that cannot be read is left out.
    pub(crate) fn write(&mut self, tag: &Tag, claim: &Claim) -> Result<(), crate::LetGo> {
        let _unreadable = self.lineup.push(tag);
        let tags: Vec<Tag> = std::iter::from_fn(|| self.lineup.poll()).map(|placed| placed.tag).collect();
        if !self.begun && !tags.is_empty() {
            let has = |kind| tags.iter().any(|tag| tag.kind == kind);
            claim.push(&flv::file_header(has(Kind::Audio), has(Kind::Video)))?;
            self.begun = true;
        }
        tags.iter().filter_map(flv::wrap).try_for_each(|bytes| claim.push(&bytes))
    }
}

/// The mount that is meant, and the key: a parameter (`key` or `token`), or the last part of the path, where encoders
/// have their field for the "stream key".
fn path_and_key(address: &Address) -> (String, &str) {
    match address.key().or(address.token()) {
        Some(key) => (address.path(), key),
        None => address.last_part_as_key().unwrap_or_else(|| (address.path(), "")),
    }
}

/// How long an encoder may take to connect anew: one group of pictures, as most are.
const PARTING: Duration = Duration::from_secs(2);
const CONTENT_TYPE: &str = "video/x-flv";
