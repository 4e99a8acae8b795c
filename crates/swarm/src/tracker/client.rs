//! The other side of a tracker: what splitters and peers say to it.

use super::wire::{Message, Place, Team};
use bytes::Bytes;
use levada_link::{Chance, Transmit};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Announces a splitter's team, once a second, from the splitter's own port.
#[derive(Clone, Debug)]
pub struct Announcer {
    tracker: SocketAddr,
    chance: Chance,
    /// Of the last two announcements.
    nonces: [u64; 2],
    cookie: [u8; 16],
    next: Instant,
}

/// What a tracker wants of a splitter: so many of its peers shall go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// How many.
    pub peers: u32,
    /// Where to.
    pub to: Place,
}

impl Announcer {
    /// Announces at once.
    pub fn new(now: Instant, tracker: SocketAddr, seed: u64) -> Announcer {
        let chance = Chance::new(seed, 5);
        Announcer { tracker, chance, nonces: [0; 2], cookie: [0; 16], next: now }
    }

    /// When there is something to say again.
    pub fn due(&self) -> Instant {
        self.next
    }

    /// What is to be said of the team now, if it is time.
    pub fn say(&mut self, now: Instant, team: impl FnOnce() -> Team) -> Option<Transmit> {
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        self.nonces = [self.chance.bits(), self.nonces[0]];
        let message = Message::Announce { nonce: self.nonces[0], cookie: self.cookie, team: team() };
        Some(Transmit::Datagram { to: self.tracker, bytes: message.write() })
    }

    /// Takes a datagram. The outer `None` where it is not the tracker's.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) -> Option<Option<Order>> {
        if from != self.tracker {
            return None;
        }
        match Message::read(bytes)? {
            Message::Noted { nonce, cookie } if nonce == self.nonces[0] => {
                if self.cookie == [0; 16] {
                    // With the cookie it is believed.
                    self.next = now;
                }
                self.cookie = cookie;
                Some(None)
            }
            Message::Shed { nonce, peers, to } if self.nonces.contains(&nonce) => {
                Some(Some(Order { peers, to }))
            }
            _ => Some(None),
        }
    }
}

/// Asks a tracker for a team.
#[derive(Clone, Debug)]
pub struct Finder {
    nonce: u64,
    channel: String,
}

impl Finder {
    /// For a team of `channel`.
    pub fn new(channel: &str, nonce: u64) -> Finder {
        Finder { nonce, channel: channel.to_owned() }
    }

    /// The question.
    pub fn ask(&self) -> Bytes {
        Message::Find { nonce: self.nonce, channel: self.channel.clone() }.write()
    }

    /// The answer: the outer `None` where it is none to this question, the inner one where there is no team with room.
    pub fn hear(&self, bytes: &[u8]) -> Option<Option<Place>> {
        match Message::read(bytes)? {
            Message::Found { nonce, place } if nonce == self.nonce => Some(place),
            _ => None,
        }
    }
}

const EVERY: Duration = Duration::from_secs(1);
