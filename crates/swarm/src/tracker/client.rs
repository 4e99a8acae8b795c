//! The other side of a tracker: what splitters and peers say to it.

use super::wire::{Message, Place, Team};
use crate::native::{Pass, pass::NO_PROOF};
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
    pass: Option<Pass>,
    chance: Chance,
    /// Of the last two announcements.
    nonces: [u64; 2],
    cookie: [u8; 16],
    next: Instant,
    refused: Option<Refused>,
}

/// Why a tracker does not take an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It wants another token, or one at all.
    Token,
    /// It speaks this version alone.
    Version(u8),
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
    /// Announces at once, to a private tracker with its pass.
    pub fn new(now: Instant, tracker: SocketAddr, pass: Option<Pass>, seed: u64) -> Announcer {
        let chance = Chance::new(seed, 5);
        Announcer { tracker, pass, chance, nonces: [0; 2], cookie: [0; 16], next: now, refused: None }
    }

    /// Why the tracker does not take it, where it does not.
    pub fn refused(&self) -> Option<Refused> {
        self.refused
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
        let (nonce, cookie) = (self.nonces[0], self.cookie);
        let proof = |pass: &Pass| pass.proof("announce", &[&nonce.to_be_bytes(), &cookie]);
        let proof = self.pass.as_ref().map_or(NO_PROOF, proof);
        let message = Message::Announce { nonce, cookie, proof, team: team() };
        Some(Transmit::Datagram { to: self.tracker, bytes: message.write() })
    }

    /// Takes a datagram. The outer `None` where it is not the tracker's.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) -> Option<Option<Order>> {
        if from != self.tracker {
            return None;
        }
        match Message::read(bytes)? {
            Message::Refused { nonce } if self.nonces.contains(&nonce) => {
                self.refused = Some(Refused::Token);
                Some(None)
            }
            Message::OtherVersion { version, nonce } if self.nonces.contains(&nonce) => {
                self.refused = Some(Refused::Version(version));
                Some(None)
            }
            Message::Noted { nonce, cookie } if nonce == self.nonces[0] => {
                self.refused = None;
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
    pass: Option<Pass>,
    channel: String,
}

/// What a tracker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A team.
    Place(Place),
    /// None has room, or there is none.
    Nowhere,
    /// It is private, and this is not its token.
    Refused,
    /// It speaks this version alone.
    OtherVersion(u8),
}

impl Finder {
    /// For a team of `channel`, with what a private tracker wants.
    pub fn new(channel: &str, pass: Option<Pass>, nonce: u64) -> Finder {
        Finder { nonce, pass, channel: channel.to_owned() }
    }

    /// The question.
    pub fn ask(&self) -> Bytes {
        let (nonce, channel) = (self.nonce, self.channel.clone());
        let proof = |pass: &Pass| pass.proof("find", &[&nonce.to_be_bytes(), channel.as_bytes()]);
        let proof = self.pass.as_ref().map_or(NO_PROOF, proof);
        Message::Find { nonce, proof, channel }.write()
    }

    /// The answer, where it is one to this question.
    pub fn hear(&self, bytes: &[u8]) -> Option<Answer> {
        match Message::read(bytes)? {
            Message::Found { nonce, place } if nonce == self.nonce => {
                Some(place.map_or(Answer::Nowhere, Answer::Place))
            }
            Message::Refused { nonce } if nonce == self.nonce => Some(Answer::Refused),
            Message::OtherVersion { version, nonce } if nonce == self.nonce => {
                Some(Answer::OtherVersion(version))
            }
            _ => None,
        }
    }
}

const EVERY: Duration = Duration::from_secs(1);
