//! One listener as the server knows it: who, where, since when, how much.

use crate::MountName;
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
    /// Milliseconds of the stream that its socket has no room for, looked at each second at least; 0 while it keeps up.
    pub lag: AtomicU32,
    /// The name of its server, if it is a relay; empty where that says none.
    pub relay: Option<Box<str>>,
}

impl Session {
    /// Counts bytes that the socket took.
    pub fn count(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// How long it has been here at `now`.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}

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
