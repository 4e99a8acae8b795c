//! A tracker: knows the teams of each channel, gives newcomers one, and moves peers from full teams to others (TCS).
//!
//! Splitters announce themselves once a second ([`Announcer`]) from the very port at which peers join; what they say
//! counts once they brought a cookie back. Peers ask ([`Finder`]). Nothing larger than the question is answered.

mod client;
pub mod wire;

pub use client::{Announcer, Answer, Finder, Order, Refused};

use crate::native::Pass;
use bytes::Bytes;
use levada_link::{Input, Machine, Output, Transmit};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};
use wire::{Message, Place, Team};

/// What happens at a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A splitter brings a team.
    Came(SocketAddr, String),
    /// One was not heard of for too long.
    Gone(SocketAddr, String),
    /// So many peers shall go from one team of a channel to another.
    Moved {
        /// The channel.
        channel: String,
        /// How many.
        peers: u32,
        /// From where.
        from: SocketAddr,
        /// Where to.
        to: SocketAddr,
    },
}

/// A team as the tracker knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The channel.
    pub channel: String,
    /// Its splitter.
    pub splitter: SocketAddr,
    /// What it speaks.
    pub wire: char,
    /// Its peers.
    pub peers: u32,
    /// The most it takes.
    pub most: u32,
}

/// A tracker.
pub struct Tracker {
    secret: [u8; 32],
    /// What splitters and peers must have, where it is private.
    pass: Option<Pass>,
    start: Instant,
    /// At most [`MOST_TEAMS`]; further ones are not noted.
    teams: BTreeMap<SocketAddr, Entry>,
    out: VecDeque<Output<Event>>,
    tick: Instant,
    found: u64,
    refused: u64,
}

struct Entry {
    team: Team,
    nonce: u64,
    heard: Instant,
    /// Newcomers sent there since it last said how many it has.
    sent: u32,
    /// When it may be asked to give peers away again.
    rests: Instant,
}

impl Tracker {
    /// A tracker that knows nobody; `secret` is chance. With `pass` it hears those alone who have it.
    pub fn new(now: Instant, secret: [u8; 32], pass: Option<Pass>) -> Tracker {
        let (teams, out) = Default::default();
        Tracker { secret, pass, start: now, teams, out, tick: now + TICK, found: 0, refused: 0 }
    }

    /// The teams, by channel.
    pub fn teams(&self) -> Vec<Known> {
        let known = |(splitter, entry): (&SocketAddr, &Entry)| Known {
            channel: entry.team.channel.clone(),
            splitter: *splitter,
            wire: char::from(entry.team.wire),
            peers: entry.team.peers,
            most: entry.team.most,
        };
        let mut teams: Vec<_> = self.teams.iter().map(known).collect();
        teams.sort_by(|a, b| (&a.channel, a.splitter).cmp(&(&b.channel, b.splitter)));
        teams
    }

    /// Peers that were told a team.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Questions and announcements by who has not its token, or another version.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn may(&self, said: &[u8; 16], purpose: &str, parts: &[&[u8]]) -> bool {
        self.pass.is_none_or(|pass| pass.is_proof(said, purpose, parts))
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        match Message::read(bytes) {
            Some(Message::Announce { nonce, cookie, proof, team }) => {
                if self.may(&proof, "announce", &[&nonce.to_be_bytes(), &cookie]) {
                    return self.announced(now, from, nonce, cookie, team);
                }
                self.refused += 1;
                self.say(from, &Message::Refused { nonce });
            }
            Some(Message::Find { nonce, proof, channel }) => {
                if !self.may(&proof, "find", &[&nonce.to_be_bytes(), channel.as_bytes()]) {
                    self.refused += 1;
                    return self.say(from, &Message::Refused { nonce });
                }
                let place = self.find(&channel);
                self.found += u64::from(place.is_some());
                self.say(from, &Message::Found { nonce, place });
            }
            Some(Message::Stranger { nonce, .. }) => {
                self.refused += 1;
                self.say(from, &Message::OtherVersion { version: wire::VERSION, nonce });
            }
            _ => {}
        }
    }

    fn announced(&mut self, now: Instant, from: SocketAddr, nonce: u64, said: [u8; 16], team: Team) {
        let proven = (0..2).any(|age| self.cookie(now, from, age) == said);
        let cookie = self.cookie(now, from, 0);
        self.say(from, &Message::Noted { nonce, cookie });
        let full = self.teams.len() >= MOST_TEAMS && !self.teams.contains_key(&from);
        if !proven || full {
            return;
        }
        let rests = match self.teams.get(&from) {
            Some(known) if known.team.channel == team.channel => known.rests,
            _ => {
                self.out.push_back(Output::Event(Event::Came(from, team.channel.clone())));
                now
            }
        };
        self.teams.insert(from, Entry { team, nonce, heard: now, sent: 0, rests });
    }

    /// The team of a channel with the fewest peers, if it has room.
    fn find(&mut self, channel: &str) -> Option<Place> {
        let of_it = self.teams.iter_mut().filter(|(_, entry)| entry.team.channel == channel);
        let (splitter, entry) =
            of_it.min_by_key(|(_, entry)| entry.load()).filter(|(_, entry)| entry.room() > 0)?;
        entry.sent += 1;
        Some(entry.place(*splitter))
    }

    /// Has peers moved where a team has more than it takes, or far more than another.
    fn balance(&mut self, now: Instant) {
        let channels: std::collections::BTreeSet<_> =
            self.teams.values().map(|entry| entry.team.channel.clone()).collect();
        for channel in channels {
            let of_it = || self.teams.iter().filter(|(_, entry)| entry.team.channel == channel);
            let rich = of_it().filter(|(_, entry)| entry.rests <= now).max_by_key(|(_, entry)| entry.load());
            let poor = of_it().min_by_key(|(_, entry)| entry.load());
            let (Some((from, rich)), Some((to, poor))) = (rich, poor) else { continue };
            let over = rich.load().saturating_sub(rich.team.most);
            let more = rich.load().saturating_sub(poor.load());
            // Peers only move between teams that speak the same.
            if from == to || rich.team.wire != poor.team.wire || over == 0 && more <= UNEVEN {
                continue;
            }
            let peers = over.max(more / 2).min(poor.room());
            if peers == 0 {
                continue;
            }
            let (from, nonce, to) = (*from, rich.nonce, poor.place(*to));
            self.say(from, &Message::Shed { nonce, peers, to });
            if let Some(rich) = self.teams.get_mut(&from) {
                rich.rests = now + RESTS;
            }
            if let Some(poor) = self.teams.get_mut(&to.splitter) {
                poor.rests = now + RESTS;
            }
            self.out.push_back(Output::Event(Event::Moved { channel, peers, from, to: to.splitter }));
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.tick > now {
            return;
        }
        self.tick = now + TICK;
        let is_gone = |entry: &Entry| now.saturating_duration_since(entry.heard) >= LEASE;
        let gone: Vec<_> =
            self.teams.iter().filter(|(_, entry)| is_gone(entry)).map(|(splitter, _)| *splitter).collect();
        for splitter in gone {
            if let Some(entry) = self.teams.remove(&splitter) {
                self.out.push_back(Output::Event(Event::Gone(splitter, entry.team.channel)));
            }
        }
        self.balance(now);
    }

    /// What only who is at `from` can know, for ten seconds and the ten before (`age`).
    fn cookie(&self, now: Instant, from: SocketAddr, age: u64) -> [u8; 16] {
        let epoch = (now.saturating_duration_since(self.start).as_secs() / 10).wrapping_sub(age);
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(from.to_string().as_bytes());
        hasher.update(&epoch.to_be_bytes());
        let mut cookie = [0; 16];
        cookie.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        cookie
    }

    fn say(&mut self, to: SocketAddr, message: &Message) {
        self.out.push_back(Output::Send(Transmit::Datagram { to, bytes: message.write() }));
    }
}

impl Entry {
    fn load(&self) -> u32 {
        self.team.peers.saturating_add(self.sent)
    }

    fn room(&self) -> u32 {
        self.team.most.saturating_sub(self.load())
    }

    fn place(&self, splitter: SocketAddr) -> Place {
        Place { splitter, wire: self.team.wire, key: self.team.key }
    }
}

impl Machine for Tracker {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => self.receive(now, from, &bytes),
            Input::Stream { .. } => {}
            Input::Wake => self.wake(now),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        self.out.pop_front().unwrap_or(Output::Wait(Some(self.tick.max(now))))
    }
}

/// Bytes that are a tracker's message, whoever sent them: splitters share their port with it.
pub fn is_tracker_message(bytes: &Bytes) -> bool {
    bytes.len() > 11 && Message::read(bytes).is_some()
}

const TICK: Duration = Duration::from_secs(1);
/// A splitter that is not heard of for so long is gone.
const LEASE: Duration = Duration::from_secs(4);
/// So long a team keeps its peers after it gave some away, or got some.
const RESTS: Duration = Duration::from_secs(5);
/// A team may have so many peers more than another.
const UNEVEN: u32 = 8;
const MOST_TEAMS: usize = 65_536;

#[cfg(test)]
mod tests;
