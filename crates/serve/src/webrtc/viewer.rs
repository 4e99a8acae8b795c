//! A viewer: its lines, and one task that sends it what the mount's cast makes.

use super::{
    cast::{Burst, Cast, Lineup, State},
    packets::Packet,
    peer::{Gone, Peer},
};
use crate::{End, Mount, Session};
use levada_channel::{Subscriber, Taken};
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use str0m::{
    Event,
    format::{Codec, PayloadParams},
    media::{MediaKind, Mid, Pt},
    rtp::{RtpWrite, SeqNo},
};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// One viewer.
pub(super) struct Viewer {
    peer: Peer,
    cast: Arc<Cast>,
    mount: Arc<Mount>,
    lineup: Lineup,
    sight: Option<Lane>,
    sound: Option<Lane>,
    /// What is on its way: at most [`MOST_WAITING`] packets, beyond which nothing is read from the cast.
    waiting: VecDeque<Waiting>,
    /// Which moment of the cast was sent at which moment.
    anchor: Option<(Duration, Instant)>,
    /// Frames that the cast did not keep long enough for it.
    missed: u64,
}

/// One stream of RTP.
struct Lane {
    mid: Mid,
    pt: Pt,
    /// The next packet's number.
    next: SeqNo,
    /// The clock's reading at the cast's zero.
    offset: u32,
    /// Ticks a second.
    rate: u64,
}

struct Waiting {
    picture: bool,
    at: Duration,
    packets: Arc<[Packet]>,
    /// The next of them.
    next: usize,
}

/// What ends a viewer's session from our side.
pub(super) struct Until {
    /// Somebody does not want it here any more.
    pub(super) kick: CancellationToken,
    /// The server stops.
    pub(super) stop: CancellationToken,
    /// Its time is up.
    pub(super) expires: Option<Instant>,
}

impl Viewer {
    /// A viewer that has had its answer; `None` where the answer came to nothing of the lineup.
    pub(super) fn new(peer: Peer, cast: Arc<Cast>, mount: Arc<Mount>, lineup: Lineup) -> Option<Viewer> {
        let (mut sight, mut sound) = (None, None);
        for (kind, mid) in peer.streams().iter().copied() {
            let lane = || lane(&peer, mid, lineup);
            match kind {
                MediaKind::Video if lineup.video.is_some() && sight.is_none() => sight = lane(),
                MediaKind::Audio if sound.is_none() => sound = lane(),
                _ => {}
            }
        }
        let fits = lineup.video.is_none() || sight.is_some();
        let some = sight.is_some() || lineup.audio && sound.is_some();
        let waiting = VecDeque::new();
        let (anchor, missed) = (None, 0);
        (fits && some).then_some(Viewer { peer, cast, mount, lineup, sight, sound, waiting, anchor, missed })
    }

    /// Sends until one of them ends it, and says why that was.
    pub(super) async fn run(mut self, session: &Session, until: Until) -> End {
        let end = tokio::select! {
            end = self.show(session) => end,
            () = until.kick.cancelled() => End::Kicked,
            () = until.stop.cancelled() => End::Shutdown,
            () = expired(until.expires) => End::Expired,
        };
        session.sent.store(self.peer.sent(), Relaxed);
        self.peer.close();
        end
    }

    async fn show(&mut self, session: &Session) -> End {
        match self.watch(session).await {
            Ok(end) => end,
            Err(why) => {
                tracing::debug!(mount = %self.mount.name, %why, "viewer left");
                End::Left
            }
        }
    }

    async fn watch(&mut self, session: &Session) -> Result<End, Gone> {
        let mut state = self.cast.watch();
        while !matches!(self.peer.next().await?, Event::Connected) {}
        let mut bursts = self.cast.subscribe();
        self.catch_up(&mut bursts);
        loop {
            self.send(session)?;
            session.sent.store(self.peer.sent(), Relaxed);
            let pause = (!self.waiting.is_empty()).then(|| Instant::now() + TICK);
            let room = self.waiting.len() < MOST_WAITING;
            tokio::select! {
                event = self.peer.next() => {
                    if matches!(event?, Event::KeyframeRequest(_)) {
                        self.mount.refresh.ask();
                    }
                }
                burst = bursts.next(), if room => match burst {
                    Some(burst) => {
                        self.queue(&burst, burst.at);
                        let missed = bursts.skipped();
                        session.meter.pages(0, missed - self.missed);
                        self.missed = missed;
                    }
                    None => return Ok(End::StreamEnded),
                },
                () = expired(pause), if pause.is_some() => {}
                changed = state.changed() => {
                    let fits = |lineup: &Lineup| lineup.video == self.lineup.video;
                    match &*state.borrow_and_update() {
                        State::Ready(lineup) if fits(lineup) && changed.is_ok() => {}
                        State::Opening if changed.is_ok() => {}
                        _ => return Ok(End::StreamEnded),
                    }
                }
            }
        }
    }

    /// Takes the pictures since the newest one that one can begin with, and has them shown at once: their times lie a
    /// millisecond apart, so that the viewer's decoder runs through them and is at what is live.
    fn catch_up(&mut self, bursts: &mut Subscriber<Burst>) {
        let mut group = Vec::new();
        while let Taken::Item(burst) = bursts.try_next() {
            group.push(burst);
        }
        let Some(edge) = group.iter().map(|burst| burst.at).max() else {
            return self.mount.refresh.ask();
        };
        self.anchor = Some((edge, Instant::now()));
        group.retain(|burst| burst.picture);
        let weight: usize = group.iter().map(levada_channel::Flow::weight).sum();
        if group.len() > MOST_PICTURES || weight > MOST_BYTES {
            return self.mount.refresh.ask();
        }
        let count = group.len();
        for (number, burst) in group.iter().enumerate() {
            let behind = Duration::from_millis((count - number) as u64);
            self.queue(burst, edge.saturating_sub(behind));
        }
    }

    fn queue(&mut self, burst: &Burst, at: Duration) {
        let (picture, packets) = (burst.picture, burst.packets.clone());
        self.waiting.push_back(Waiting { picture, at, packets, next: 0 });
    }

    /// Sends what may be sent at once. A large picture takes some milliseconds, so that no buffer on the way overflows.
    fn send(&mut self, session: &Session) -> Result<(), Gone> {
        for _ in 0..BURST {
            let Some(waiting) = self.waiting.front_mut() else { return Ok(()) };
            let lane = if waiting.picture { &mut self.sight } else { &mut self.sound };
            let packet = waiting.packets.get(waiting.next);
            let (Some(lane), Some(packet)) = (lane, packet) else {
                if waiting.next > 0 {
                    session.meter.pages(1, 0);
                    session.meter.beat(session.began.elapsed());
                }
                self.waiting.pop_front();
                continue;
            };
            waiting.next += 1;
            let wall = moment(&mut self.anchor, waiting.at, Instant::now());
            let rtp =
                RtpWrite::new(lane.pt, lane.next.inc(), lane.clock(waiting.at), wall, packet.payload.clone());
            let rtp = rtp.marker(packet.marker).nackable(waiting.picture);
            let mid = lane.mid;
            self.peer.write(mid, rtp)?;
        }
        Ok(())
    }
}

impl Lane {
    fn clock(&self, at: Duration) -> u32 {
        let ticks = at.as_nanos() * u128::from(self.rate) / 1_000_000_000;
        self.offset.wrapping_add(ticks as u32)
    }
}

/// The stream that was agreed on for `mid`, if it can carry its part of the lineup.
fn lane(peer: &Peer, mid: Mid, lineup: Lineup) -> Option<Lane> {
    let media = peer.rtc().media(mid)?;
    let agreed = |params: &&PayloadParams| media.remote_pts().contains(&params.pt());
    let known = peer.rtc().codec_config().params().iter().filter(agreed);
    let video = media.kind() == MediaKind::Video;
    let params = match video {
        false => known.clone().find(|params| params.spec().codec == Codec::Opus),
        true => known.filter(|params| whole(params)).max_by_key(|params| fit(params, lineup)),
    };
    let mut random = [0; 6];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    Some(Lane {
        mid,
        pt: params?.pt(),
        // the first of a stream's numbers must not be near its end (RFC 3711 §3.3.1)
        next: SeqNo::from(u64::from(u16::from_be_bytes([random[0], random[1]]) >> 1)),
        offset: u32::from_be_bytes([random[2], random[3], random[4], random[5]]),
        rate: if video { 90_000 } else { 48_000 },
    })
}

/// Fragments are what large pictures come in (RFC 6184 §6.3).
fn whole(params: &PayloadParams) -> bool {
    let spec = params.spec();
    spec.codec != Codec::H264 || spec.format.packetization_mode == Some(1)
}

/// Decoders show more than the profiles they name; the right one is best all the same.
fn fit(params: &PayloadParams, lineup: Lineup) -> u8 {
    let named = params.spec().format.profile_level_id.map(|id| (id >> 16) as u8);
    u8::from(named.is_some() && named == lineup.profile)
}

/// The moment at which what lies at `at` was sent, or would have been, for both streams alike. A source that runs ahead
/// of its own clock takes it along: reports of what is yet to come would confuse players.
fn moment(anchor: &mut Option<(Duration, Instant)>, at: Duration, now: Instant) -> Instant {
    let (zero, then) = *anchor.get_or_insert((at, now));
    let wall = match at.checked_sub(zero) {
        Some(later) => then + later,
        None => then.checked_sub(zero - at).unwrap_or(then),
    };
    if wall > now {
        *anchor = Some((at, now));
    }
    wall.min(now)
}

async fn expired(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Packets at once, and the pause after them: 240 Mbit/s.
const BURST: usize = 24;
const TICK: Duration = Duration::from_millis(1);
/// Frames that wait for their turn.
const MOST_WAITING: usize = 512;
/// A viewer that would have to run through more begins at the next picture that one can begin with.
const MOST_PICTURES: usize = 400;
const MOST_BYTES: usize = 6 << 20;
