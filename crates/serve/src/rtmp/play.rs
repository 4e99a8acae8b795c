//! A player: whether it may, what it can show, and the way into egress.

use super::talk::Talk;
use crate::{
    Mount, MountName, Session, SessionId, Station,
    admission::{self, Admission},
    auth::{Entry, Knock},
    config::StartAt,
    demand,
    egress::{Framing, Joining, Pace},
    http::{First, Head, HeadReader},
    renditions::{Merge, Output},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use levada_rtmp::{Address, Refusal, server::Play};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};
use url::form_urlencoded;

/// A player that may in.
pub(super) struct Admitted {
    id: SessionId,
    head: Head,
    entry: Entry,
    mount: Arc<Mount>,
    followed: Arc<Mount>,
    output: Output,
    start: StartAt,
    merge: Merge,
}

/// Whether a player may in, by the same rules as every listener.
pub(super) async fn admit(
    asked: &Play,
    talk: &Talk,
    station: &Arc<Station>,
) -> Result<Admitted, (Refusal, String)> {
    let missing = || (Refusal::NotFound, "there is no such stream".to_owned());
    let name = asked.address.path().parse().ok().filter(|name: &MountName| !name.is_internal());
    let name = name.ok_or_else(missing)?;
    let mount = station.audible(&name).ok_or_else(missing)?;
    let head = head(&name, &asked.address, talk).ok_or_else(missing)?;
    let id = station.sessions.next_id();
    let knock = Knock { id, from: talk.peer.ip(), head: &head, mount: &name, policy: &mount.policy() };
    let entry = station.auth.admits(&station.config(), knock).await.map_err(|why| {
        station.counters.denied.fetch_add(1, Relaxed);
        (Refusal::Denied, why.to_string())
    })?;
    let _waiting = demand::wake(&mount, None, station).await;
    let (playing, source) = match admission::admit(&head, &mount, station) {
        Admission::Here { playing, source, .. } => (playing, source),
        Admission::Nothing => return Err(missing()),
        Admission::Full | Admission::Elsewhere(_) => {
            station.counters.full.fetch_add(1, Relaxed);
            return Err((Refusal::Unsuitable, "this mount has all the listeners it takes".into()));
        }
    };
    let view = talk.session.client().map(|client| client.capabilities.view()).unwrap_or_default();
    let output = Output::Rtmp(view);
    if !output.carries(source.format, &playing.tracks()) {
        return Err((Refusal::Unsuitable, "this player cannot show this stream".into()));
    }
    let (start, merge) = (admission::start(&head, &mount), admission::merge(&head, &mount));
    let followed = admission::followed(&mount, playing, station);
    Ok(Admitted { id, head, entry, mount, followed, output, start, merge })
}

/// From here on the player is egress's.
pub(super) async fn enter(talk: Talk, admitted: Admitted, station: &Arc<Station>) {
    let Admitted { id, head, entry, mount, followed, output, start, merge } = admitted;
    let peer = talk.peer;
    let Ok((transport, greeting, farewell)) = talk.hand_over("the stream has ended") else { return };
    let said = |name: &str| -> Box<str> { head.field(name).unwrap_or_default().into() };
    let session = Arc::new(Session {
        id,
        home: mount.name.clone(),
        peer: peer.ip(),
        agent: said("user-agent"),
        referer: said("referer"),
        request: format!("PLAY {} RTMP/1.0", mount.name).into(),
        user: entry.user,
        since: SystemTime::now(),
        began: Instant::now(),
        sent: 0.into(),
        skips: 0.into(),
        lag: 0.into(),
        relay: None,
    });
    let stay = [mount.policy().max_listener_duration, entry.stay].into_iter().flatten().min();
    let joining = Joining {
        transport,
        head: greeting,
        framing: Framing::Raw,
        pace: Pace::Low,
        burst: start.burst(),
        catch_up: start.catch_up(output),
        rendition: station.renditions.open(&followed, output, merge, station),
        intro: None,
        farewell: Some(farewell),
        expires: stay.map(|stay| session.began + stay),
        session,
    };
    if let Some(known) = entry.guest {
        station.auth.arrived(known);
    }
    admission::enter(joining, &mount, None, station);
}

/// What the player asks for as the head of a request, so that everything that admits listeners admits players.
fn head(name: &MountName, address: &Address, talk: &Talk) -> Option<Head> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&address.params).finish();
    let mut text = format!("GET {name}?{query} HTTP/1.1\r\n");
    if let Some(client) = talk.session.client() {
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>();
        text += &format!("User-Agent: {}\r\n", plain(&client.flash_version));
        text += &format!("Referer: {}\r\n", plain(&client.page_url));
    }
    if let (Some(user), Some(password)) = (address.param("user"), address.param("password")) {
        text += &format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")));
    }
    match HeadReader::default().read((text + "\r\n").as_bytes()) {
        Ok(Some(First::Request(head, _))) => Some(head),
        _ => None,
    }
}

/// Characters of what a client calls itself.
const LONGEST: usize = 200;
