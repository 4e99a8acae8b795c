//! A splitter on whatever wire, and what a tracker hears of it.

use super::{heads::Piece, member::random, wire::Wire};
use anyhow::Result;
use levada_link::{Input, Machine, Output};
use levada_swarm::{
    native, splitter,
    tracker::{Announcer, wire::Team},
};
use serde::Serialize;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

/// A splitter on any wire.
pub struct Dealer {
    kind: Kind,
    /// What came before the head of the stream was known: at most [`MOST_EARLY`], the rest is asked again.
    early: Option<Vec<Input>>,
    announced: Option<Announced>,
}

/// What it announces where.
pub struct Announced {
    /// What talks to the tracker.
    pub announcer: Announcer,
    /// The channel.
    pub channel: String,
    /// The most peers.
    pub most: u32,
}

enum Kind {
    /// On one of the old ones.
    Old(levada_swarm::Wire, Box<levada_swarm::Splitter>),
    /// On the native one.
    Native(Box<native::Splitter>),
}

/// What it counts.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Stats {
    /// On the old wires.
    Old {
        /// The splitter's.
        #[serde(flatten)]
        splitter: splitter::Stats,
        /// The team.
        members: Vec<splitter::Member>,
    },
    /// On the native one.
    Native {
        /// The splitter's.
        #[serde(flatten)]
        splitter: native::splitter::Stats,
        /// The team.
        members: Vec<native::splitter::TeamMember>,
    },
}

impl Dealer {
    /// A splitter on one of the old wires.
    pub fn old(config: splitter::Config, announced: Option<Announced>) -> Dealer {
        let kind = Kind::Old(config.wire, Box::new(levada_swarm::Splitter::new(Instant::now(), config)));
        Dealer { kind, early: Some(Vec::new()), announced }
    }

    /// A native splitter, with a key and a secret of its own.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn native(announced: Option<Announced>) -> Result<Dealer> {
        let seal = native::Seal::ed25519(&random()?);
        let config = native::splitter::Config::new(NOWHERE, seal, random()?);
        let kind = Kind::Native(Box::new(native::Splitter::new(Instant::now(), config)));
        Ok(Dealer { kind, early: Some(Vec::new()), announced })
    }

    /// Takes a piece of the stream, or its head.
    pub fn take(&mut self, now: Instant, piece: Piece) {
        let is_head = matches!(piece, Piece::Head(_));
        match (&mut self.kind, piece) {
            (Kind::Old(_, splitter), Piece::Head(head)) => splitter.set_head(head.into()),
            (Kind::Old(_, splitter), Piece::Bytes { bytes, .. }) => splitter.feed(now, &bytes),
            (Kind::Native(splitter), Piece::Head(head)) => splitter.set_head(head.into()),
            (Kind::Native(splitter), Piece::Bytes { bytes, entry }) => splitter.feed(now, entry, &bytes),
        }
        if is_head {
            // Now newcomers can be told all of it.
            let early = self.early.take().unwrap_or_default();
            early.into_iter().for_each(|input| self.handle(now, input));
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        match &self.kind {
            Kind::Old(_, splitter) => {
                Stats::Old { splitter: splitter.stats(), members: splitter.members().to_vec() }
            }
            Kind::Native(splitter) => {
                Stats::Native { splitter: splitter.stats(), members: splitter.members() }
            }
        }
    }

    /// What a tracker is told.
    fn team(kind: &Kind, announced: &Announced) -> Team {
        let (wire, key, peers) = match kind {
            Kind::Old(wire, splitter) => (Wire::Old(*wire), [0; 32], splitter.members().len()),
            Kind::Native(splitter) => (Wire::Native, splitter.key().to_bytes(), splitter.stats().peers),
        };
        let (channel, most) = (announced.channel.clone(), announced.most);
        Team { channel, wire: wire.letter(), key, peers: peers as u32, most }
    }

    /// A datagram from the tracker, or for the splitter.
    fn is_the_trackers(&mut self, now: Instant, input: &Input) -> bool {
        let (Some(announced), Input::Datagram { from, bytes }) = (&mut self.announced, input) else {
            return false;
        };
        let Some(order) = announced.announcer.receive(now, *from, bytes) else { return false };
        if let (Some(order), Kind::Native(splitter)) = (order, &mut self.kind)
            && let Some(key) = native::Key::from_bytes(&order.to.key)
        {
            splitter.shed(now, order.peers as usize, order.to.splitter, key);
        }
        true
    }
}

impl Stats {
    /// Peers, chunks, bytes sent, chunks missed and sent again.
    pub fn line(&self) -> String {
        let (peers, chunks, sent, lost, again) = match self {
            Stats::Old { splitter, .. } => {
                (splitter.peers, splitter.chunks, splitter.sent_bytes, splitter.lost, splitter.repaired)
            }
            Stats::Native { splitter, .. } => {
                let lost = splitter.repaired + splitter.unrepaired;
                (splitter.peers, splitter.chunks, splitter.sent_bytes, lost, splitter.repaired)
            }
        };
        let sent = crate::output::bytes(sent);
        format!("{peers} peers, {chunks} chunks, {sent} sent, {lost} missed, {again} sent again")
    }
}

impl Machine for Dealer {
    type Event = splitter::Event;

    fn handle(&mut self, now: Instant, input: Input) {
        if self.is_the_trackers(now, &input) {
            return;
        }
        // That a native splitter is here can be told already.
        let is_hello = matches!(&input, Input::Datagram { bytes, .. } if bytes.first() == Some(&0));
        if let Some(early) = self.early.as_mut().filter(|_| input != Input::Wake && !is_hello) {
            early.truncate(MOST_EARLY - 1);
            return early.push(input);
        }
        match &mut self.kind {
            Kind::Old(_, splitter) => splitter.handle(now, input),
            Kind::Native(splitter) => splitter.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<splitter::Event> {
        if let Some(announced) = &mut self.announced {
            let mut announcer = announced.announcer.clone();
            let said = announcer.say(now, || Dealer::team(&self.kind, announced));
            announced.announcer = announcer;
            if let Some(transmit) = said {
                return Output::Send(transmit);
            }
        }
        let output = match &mut self.kind {
            Kind::Old(_, splitter) => splitter.poll(now),
            Kind::Native(splitter) => match splitter.poll(now) {
                Output::Send(transmit) => Output::Send(transmit),
                Output::Event(event) => Output::Event(told(event)),
                Output::Wait(until) => Output::Wait(until),
            },
        };
        match (output, &self.announced) {
            (Output::Wait(until), Some(announced)) => {
                let due = announced.announcer.due();
                Output::Wait(Some(until.map_or(due, |until| until.min(due))))
            }
            (output, _) => output,
        }
    }
}

fn told(event: native::splitter::Event) -> splitter::Event {
    match event {
        native::splitter::Event::Joined(peer) => splitter::Event::Joined(peer),
        native::splitter::Event::Left(peer) => splitter::Event::Left(peer),
        native::splitter::Event::Died(peer) => splitter::Event::Died(peer),
    }
}

const MOST_EARLY: usize = 256;
/// A splitter that is reached by many addresses does not know what its peers call it.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
