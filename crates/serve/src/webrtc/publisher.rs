//! A publisher: what its session brings, as the Flash video that everything else understands.

mod tape;

use super::peer::{Gone, Peer};
use crate::{Station, mounts::Claim};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use str0m::{
    Event,
    media::{KeyframeRequestKind, MediaKind, Mid},
};
use tape::Tape;
use tokio::time::{sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// One publisher.
pub(super) struct Publisher {
    peer: Peer,
    claim: Claim,
    sight: Option<Mid>,
    sound: Option<Mid>,
    tape: Tape,
    /// When it was last asked for a picture that one can begin with, and when it last made one.
    asked: Option<Instant>,
    key: Option<Instant>,
}

impl Publisher {
    /// A publisher that has had its answer; `None` where that came to nothing.
    pub(super) fn new(peer: Peer, claim: Claim) -> Option<Publisher> {
        let (mut sight, mut sound) = (None, None);
        for (kind, mid) in peer.streams().iter().copied() {
            let agreed = peer.rtc().media(mid).is_some_and(|media| !media.remote_pts().is_empty());
            match kind {
                MediaKind::Video if agreed => sight = sight.or(Some(mid)),
                MediaKind::Audio if agreed => sound = sound.or(Some(mid)),
                _ => {}
            }
        }
        let tape = Tape::new(sight.is_some(), sound.is_some());
        let some = sight.is_some() || sound.is_some();
        some.then_some(Publisher { peer, claim, sight, sound, tape, asked: None, key: None })
    }

    /// Carries what comes into the mount until one of them ends.
    pub(super) async fn run(mut self, kick: CancellationToken, station: Arc<Station>) {
        let mount = self.claim.mount().clone();
        let end = tokio::select! {
            why = self.carry(&station) => why,
            () = kick.cancelled() => "finished",
            () = station.stop.cancelled() => "server stops",
        };
        self.peer.close();
        tracing::info!(mount = %mount.name, end, "source left");
    }

    async fn carry(&mut self, station: &Station) -> &'static str {
        let mount = self.claim.mount().clone();
        let mut heard = Instant::now();
        loop {
            let interval = station.config().webrtc.key_interval;
            let due = self.due(interval);
            let event = tokio::select! {
                event = timeout_at((heard + mount.policy().source_timeout).into(), self.peer.next()) => event,
                () = self.claim.let_go() => return "let go",
                () = mount.refresh.asked() => {
                    if self.ask(Instant::now()).is_err() {
                        return "disconnected";
                    }
                    continue;
                }
                () = sleep_until(due.into()), if self.key.is_some() => {
                    if self.ask(Instant::now()).is_err() {
                        return "disconnected";
                    }
                    continue;
                }
            };
            match event {
                Ok(Ok(Event::Connected)) => tracing::info!(mount = %mount.name, "source is here"),
                Ok(Ok(Event::MediaData(data))) => {
                    heard = Instant::now();
                    let picture = Some(data.mid) == self.sight;
                    if !picture && Some(data.mid) != self.sound {
                        continue;
                    }
                    if picture && data.is_keyframe() {
                        self.key = Some(Instant::now());
                    }
                    let taken = self.tape.take(&data, picture, Instant::now());
                    if self.tape.write(&self.claim).is_err() {
                        return "let go";
                    }
                    if !taken && self.ask(Instant::now()).is_err() {
                        return "disconnected";
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(Gone::Left)) => return "finished",
                Ok(Err(_)) => return "disconnected",
                Err(_) => return "silent",
            }
        }
    }

    /// When the publisher is to be asked again.
    fn due(&self, interval: Duration) -> Instant {
        let last = self.key.max(self.asked);
        last.map_or_else(Instant::now, |last| last + interval.max(SOONEST))
    }

    /// Asks for a picture that one can begin with, unless that was done a moment ago.
    fn ask(&mut self, now: Instant) -> Result<(), Gone> {
        let soon = self.asked.is_some_and(|asked| now.duration_since(asked) < SOONEST);
        let Some(mid) = self.sight.filter(|_| !soon) else { return Ok(()) };
        self.asked = Some(now);
        self.peer.change(|rtc| {
            if let Some(mut writer) = rtc.writer(mid) {
                // before its first packet there is nobody to ask, and the first picture is one anyway
                let _nobody_yet = writer.request_keyframe(None, KeyframeRequestKind::Pli);
            }
        })
    }
}

/// A publisher is not asked more often.
const SOONEST: Duration = Duration::from_millis(300);
