//! A bridge: a peer of one team of a channel that is the splitter of another.
//!
//! What its peer got and checked goes on as it came, with the same numbers and proofs; so the channel's splitter feeds one
//! team's worth however many teams there are, and whoever moves between them misses nothing. A bridge does not have the
//! channel's key. It signs its members' tickets with a key of its own, and cannot make a chunk or a head that they take.
//! As long as it is in no team itself it answers nobody at its door. When it dies its members knock at the splitter's of
//! the team that it was in.

use super::{
    peer::{self, Peer},
    splitter::{self, Splitter, TeamMember},
    wire::Refusal,
};
use bytes::Bytes;
use levada_link::{Door, Guarded, Input, Machine, Output, guarded::PublicKey};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A bridge.
pub struct Bridge {
    /// A member of the team that it gets the stream from.
    peer: Peer,
    /// The other team's.
    splitter: Splitter,
    /// Whether it is in a team itself.
    inside: bool,
    /// When the stream began to come: a moment later newcomers are let in.
    flows: Option<Instant>,
    /// Whether they are.
    open: bool,
}

/// What it tells the program around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something about its own team.
    Team(splitter::Event),
    /// It is in the team that it gets the stream from.
    Joined,
    /// The splitter there is dead, and this one goes on.
    TakenOver(SocketAddr),
    /// It is not let in there.
    Refused(Refusal),
}

impl Bridge {
    /// From `now` on a member as `peer` says, and the splitter that `splitter` says. Stripes, transport, and what a private
    /// team's chunks are hidden under are the other team's; so should the token be.
    pub fn new(now: Instant, peer: peer::Config, splitter: splitter::Config, seed: u64) -> Bridge {
        let splitter = Splitter::new(now, splitter);
        Bridge { peer: Peer::of_bridge(now, peer, seed), splitter, inside: false, flows: None, open: false }
    }

    /// The splitter of its own team.
    pub fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    /// The same, to tell it something.
    pub fn splitter_mut(&mut self) -> &mut Splitter {
        &mut self.splitter
    }

    /// Where it gets the stream.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What it counts: of its own team, but for bytes sent, which are those of both.
    pub fn stats(&self) -> splitter::Stats {
        let stats = self.splitter.stats();
        splitter::Stats { sent_bytes: stats.sent_bytes + self.peer.stats().sent_bytes, ..stats }
    }

    /// Its own team.
    pub fn members(&self) -> Vec<TeamMember> {
        self.splitter.members()
    }

    /// Whether newcomers are let in.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Hands over what came.
    fn carry(&mut self, now: Instant) {
        let upstream = self.peer.upstream();
        self.inside = upstream.is_some();
        if self.flows.is_none() && self.peer.stats().played > 0 {
            self.flows = Some(now);
        }
        let flows = self.flows.is_some_and(|since| now.saturating_duration_since(since) >= SETTLES);
        self.open = self.inside && flows;
        if let Some(upstream) = &upstream {
            self.splitter.carry_from(upstream);
        }
        while let Some(chunk) = self.peer.carried() {
            self.splitter.carry(now, chunk);
        }
        while let Some(parity) = self.peer.carried_parity() {
            self.splitter.carry_parity(now, &parity);
        }
    }

    fn heard(&mut self, event: peer::Event) -> Option<Event> {
        match event {
            peer::Event::Joined => Some(Event::Joined),
            peer::Event::Head(head) => {
                self.splitter.carry_head(head, self.peer.head_word());
                None
            }
            peer::Event::TakenOver(by) => Some(Event::TakenOver(by)),
            peer::Event::Refused(why) => Some(Event::Refused(why)),
            peer::Event::Play(..)
            | peer::Event::Lost(_)
            | peer::Event::OtherTransport
            | peer::Event::Left => None,
        }
    }

    /// For which of the two a datagram is, by its kind; those of which both know something are for both.
    fn is_for(datagram: &Bytes) -> (bool, bool) {
        match datagram.first() {
            // Hello, join, alive, goodbye, head wanted, elsewhere, report; prove, lost.
            Some(0 | 2 | 9 | 10 | 11 | 20 | 41 | 52 | 53) => (false, true),
            // Cookie, welcome, parent, subscriptions, chunk, part of the head, keep, introductions, move; standby, refused,
            // what the head is, parity.
            Some(1 | 3..=7 | 12 | 14..=16 | 40 | 50 | 51 | 55 | 60) => (true, false),
            _ => (true, true),
        }
    }
}

impl Guarded for Bridge {
    fn encrypts(&self) -> bool {
        self.peer.encrypts()
    }

    fn is_open(&self, datagram: &Bytes) -> bool {
        self.splitter.is_open(datagram)
    }

    fn door(&self, from: SocketAddr) -> Door {
        match self.peer.door(from) {
            Door::Open => Door::Open,
            _ if self.inside => self.splitter.door(from),
            door => door,
        }
    }

    fn admits(&mut self, address: SocketAddr, key: &PublicKey) -> bool {
        let is_neighbor = self.peer.admits(address, key);
        if address == self.peer.splitter() { is_neighbor } else { self.splitter.admits(address, key) }
    }

    fn parted(&mut self, address: SocketAddr) {
        self.peer.parted(address);
        self.splitter.parted(address);
    }
}

impl Machine for Bridge {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        let (peers, splitters) = match &input {
            Input::Datagram { bytes, .. } => Bridge::is_for(bytes),
            Input::Stream { .. } => (false, false),
            Input::Wake => (true, true),
        };
        let refused = match &input {
            Input::Datagram { bytes, .. } if bytes.first() == Some(&0) => !self.inside,
            Input::Datagram { bytes, .. } if bytes.first() == Some(&2) => !self.open,
            _ => false,
        };
        if peers {
            self.peer.handle(now, input.clone());
        }
        if splitters && !refused {
            self.splitter.handle(now, input);
        }
        self.carry(now);
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        let peers = loop {
            match self.peer.poll(now) {
                Output::Send(transmit) => return Output::Send(transmit),
                Output::Event(event) => {
                    if let Some(event) = self.heard(event) {
                        return Output::Event(event);
                    }
                }
                Output::Wait(until) => break until,
            }
        };
        match self.splitter.poll(now) {
            Output::Send(transmit) => Output::Send(transmit),
            Output::Event(event) => Output::Event(Event::Team(event)),
            Output::Wait(until) => Output::Wait([peers, until].into_iter().flatten().min()),
        }
    }
}

/// So long after the stream began to come what came before it is here.
const SETTLES: Duration = Duration::from_millis(300);
