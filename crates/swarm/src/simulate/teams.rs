//! Several teams of one channel in a scenario: what their splitters say to the tracker, and who asks it for one of them.

use super::scenario::Scenario;
use crate::{
    native::{Key, Peer, peer},
    tracker::{
        Announcer, Answer, Finder, Order,
        wire::{Place, Team},
    },
};
use bytes::Bytes;
use levada_link::{Chance, Output, Transmit};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What a splitter says to the tracker.
pub(super) struct Announces {
    announcer: Announcer,
    most: u32,
}

impl Announces {
    pub(super) fn new(start: Instant, tracker: SocketAddr, most: u32, seed: u64) -> Announces {
        Announces { announcer: Announcer::new(start, tracker, None, seed), most }
    }

    /// Takes a datagram; the outer `None` where it is not the tracker's.
    pub(super) fn hear(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) -> Option<Option<Order>> {
        self.announcer.receive(now, from, bytes)
    }

    /// What is to be said of a team with this channel's key and so many peers.
    pub(super) fn say(&mut self, now: Instant, key: Key, peers: usize) -> Option<Transmit> {
        let (channel, most) = (CHANNEL.to_owned(), self.most);
        let team = || Team { channel, wire: b'n', key: key.to_bytes(), peers: peers as u32, most };
        self.announcer.say(now, team)
    }

    pub(super) fn due(&self) -> Instant {
        self.announcer.due()
    }
}

/// A peer that has no team yet: asks the tracker for one.
pub(super) struct Seeker {
    tracker: SocketAddr,
    finder: Finder,
    config: peer::Config,
    seed: u64,
    again: Instant,
}

impl Seeker {
    /// One that becomes a peer as `config` says, but for its splitter and the channel's key.
    pub(super) fn new(now: Instant, tracker: SocketAddr, config: peer::Config, seed: u64) -> Seeker {
        let finder = Finder::new(CHANNEL, None, Chance::new(seed, 8).bits());
        Seeker { tracker, finder, config, seed, again: now }
    }

    pub(super) fn poll<E>(&mut self, now: Instant) -> Output<E> {
        if self.again > now {
            return Output::Wait(Some(self.again));
        }
        self.again = now + AGAIN;
        Output::Send(Transmit::Datagram { to: self.tracker, bytes: self.finder.ask() })
    }

    /// What it becomes, once the tracker knows a team.
    pub(super) fn hear(&mut self, now: Instant, bytes: &Bytes) -> Option<Peer> {
        let Some(Answer::Place(Place { splitter, key, .. })) = self.finder.hear(bytes) else { return None };
        let config = peer::Config { splitter, key: Key::from_bytes(&key), ..self.config.clone() };
        Some(Peer::new(now, config, self.seed))
    }
}

/// What came of several teams.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Teams {
    /// Those that have peers.
    pub(super) count: usize,
    /// By how much the largest had more peers in the end than the smallest, as a part of their mean.
    pub(super) uneven: f64,
    /// Peers that the tracker sent from one to another.
    pub(super) moves: u64,
    /// What the bridge that uploaded most did, as a multiple of the stream.
    pub(super) upload: f64,
}

impl Teams {
    /// Of how many peers are at each splitter.
    pub(super) fn of(sizes: &BTreeMap<SocketAddr, usize>, moves: u64, upload: f64) -> Teams {
        let (least, most) = (sizes.values().min(), sizes.values().max());
        let mean = sizes.values().sum::<usize>() as f64 / sizes.len().max(1) as f64;
        let spread = most.zip(least).map_or(0, |(most, least)| most - least);
        let uneven = if mean > 0.0 { spread as f64 / mean } else { 0.0 };
        Teams { count: sizes.len(), uneven, moves, upload }
    }
}

/// How many bridges a scenario has, and when each comes.
pub(super) fn bridges(scenario: &Scenario) -> Vec<(usize, Duration)> {
    let mut bridges = Vec::new();
    for (group, kind) in scenario.bridge.iter().enumerate() {
        let after = |at| kind.join.from + kind.join.over * at / kind.count.max(1);
        bridges.extend((0..kind.count).map(|at| (group, after(at))));
    }
    bridges
}

const CHANNEL: &str = "channel";
/// How soon a tracker that has no team is asked again.
const AGAIN: Duration = Duration::from_millis(500);
