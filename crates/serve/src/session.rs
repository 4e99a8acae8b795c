//! One listener as the server knows it: who, where, since when, how much.

use crate::{Meter, MountName, http::Head};
use std::{
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

/// Names a session for as long as the server runs; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A listener's record. The gateway that accepted it makes it, egress counts into it, administration reads it.
#[derive(Debug)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// The mount that was asked for; a fallback may be playing meanwhile.
    pub home: MountName,
    /// Where it comes from (behind a trusted proxy: what the proxy says).
    pub peer: IpAddr,
    /// What it calls itself; empty where it does not say.
    pub agent: Box<str>,
    /// The page that sent it here, for the access log.
    pub referer: Box<str>,
    /// The request line, for the access log.
    pub request: Box<str>,
    /// The user it authenticated as, if any.
    pub user: Option<Box<str>>,
    /// When it came, by the wall clock.
    pub since: SystemTime,
    /// When it came, for durations.
    pub began: Instant,
    /// Bytes handed to its socket.
    pub sent: AtomicU64,
    /// How often it was moved forward because it read too slowly.
    pub skips: AtomicU64,
    /// Pages that were written to its socket, or left out because it had no room, and the time between writes.
    pub meter: Meter,
    /// kbit/s over the last seconds, and the bytes up to when that was told.
    pub rate: (AtomicU32, AtomicU64),
    /// Milliseconds of the stream that its socket has no room for, looked at each second at least; 0 while it keeps up.
    pub lag: AtomicU32,
    /// The name of its server, if it is a relay; empty where that says none.
    pub relay: Option<Box<str>>,
}

impl Session {
    /// A listener that comes now and asked for `home` by `head`.
    pub fn new(
        id: SessionId,
        home: &MountName,
        peer: IpAddr,
        head: &Head,
        user: Option<Box<str>>,
    ) -> Session {
        let said = |name: &str| -> Box<str> { head.field(name).unwrap_or_default().into() };
        Session {
            id,
            home: home.clone(),
            peer,
            agent: said("user-agent"),
            referer: said("referer"),
            request: head.line().into(),
            user,
            since: SystemTime::now(),
            began: Instant::now(),
            sent: 0.into(),
            skips: 0.into(),
            meter: Meter::default(),
            rate: Default::default(),
            lag: 0.into(),
            relay: None,
        }
    }

    /// Counts bytes that the socket took at once.
    pub fn count(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
        self.meter.beat(self.began.elapsed());
    }

    /// kbit/s since `last` was the time of the call before, for [`Session::kbits`].
    pub fn measure(&self, last: Instant, now: Instant) {
        let sent = self.sent.load(Relaxed);
        let fresh = sent.saturating_sub(self.rate.1.swap(sent, Relaxed));
        let time = now.saturating_duration_since(last.max(self.began));
        self.rate.0.store(kbits(fresh, time), Relaxed);
    }

    /// kbit/s over the last seconds; since it came if that is not long.
    pub fn kbits(&self, now: Instant) -> u32 {
        match self.age(now) {
            age if age < FRESH => kbits(self.sent.load(Relaxed), age),
            _ => self.rate.0.load(Relaxed),
        }
    }

    /// How long it has been here at `now`.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}

fn kbits(bytes: u64, time: Duration) -> u32 {
    let kbits = bytes as f64 * 8.0 / 1000.0 / time.as_secs_f64().max(0.001);
    kbits.round() as u32
}

/// Two looks of the history.
const FRESH: Duration = Duration::from_secs(10);

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The listener closed its connection.
    Left,
    /// It read too slowly for too long.
    Slow,
    /// Its time was up (`max-listener-duration`).
    Expired,
    /// An administrator ended it.
    Kicked,
    /// The stream ended and nothing took its place.
    StreamEnded,
    /// The server stops.
    Shutdown,
}
