//! One of those in the rooms of a hub, as the hub knows it.

use super::hub::{Entrant, Pass};
use super::name::{DisplayName, RoomName};
use super::wire::Participant;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Somebody in a room.
#[derive(Debug)]
pub struct Member {
    pub room: RoomName,
    pub number: u8,
    pub stay: u32,
    pub flags: u8,
    pub name: DisplayName,
    pub entrant: Entrant,
    /// When it said something last.
    pub heard: Instant,
    /// The version of the roster that it knows, and when it was told one last.
    pub knows: Option<u32>,
    pub told: Option<Instant>,
    /// What it may say.
    pub allowance: Allowance,
}

/// What one member may say: datagrams and bytes by the second, a second's worth at once.
#[derive(Debug)]
pub struct Allowance {
    messages: f64,
    bytes: f64,
    filled: Option<Instant>,
    most: [f64; 2],
}

impl Member {
    pub fn participant(&self) -> Participant {
        let Member { number, stay, flags, .. } = *self;
        Participant { number, stay, flags, name: self.name.clone() }
    }

    /// Where it is, if it comes by datagrams.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.entrant {
            Entrant::Datagrams(address) => Some(address),
            Entrant::Handle(_) => None,
        }
    }
}

impl Allowance {
    /// So many messages and bytes a second.
    pub fn new(messages: u32, bytes: u32) -> Allowance {
        let most = [f64::from(messages), f64::from(bytes)];
        Allowance { messages: most[0], bytes: most[1], filled: None, most }
    }

    /// Whether a message of so many bytes may be said now.
    pub fn take(&mut self, now: Instant, bytes: usize) -> bool {
        let filled = self.filled.replace(now).unwrap_or(now);
        let seconds = now.saturating_duration_since(filled).min(Duration::from_secs(1)).as_secs_f64();
        self.messages = (self.messages + seconds * self.most[0]).min(self.most[0]);
        self.bytes = (self.bytes + seconds * self.most[1]).min(self.most[1]);
        let enough = self.messages >= 1.0 && self.bytes >= bytes as f64;
        if enough {
            (self.messages, self.bytes) = (self.messages - 1.0, self.bytes - bytes as f64);
        }
        enough
    }
}

/// A room: who has which number.
#[derive(Debug, Default)]
pub struct Seats {
    pub numbers: [Option<Pass>; super::wire::PARTICIPANTS],
    /// Of the roster, which changes with whoever comes and goes.
    pub version: u32,
}

impl Seats {
    pub fn all(&self) -> impl Iterator<Item = Pass> + '_ {
        self.numbers.iter().flatten().copied()
    }

    /// The lowest number that is free, of so many.
    pub fn free(&self, participants: usize) -> Option<usize> {
        self.numbers.iter().take(participants).position(Option::is_none)
    }
}
