//! A splitter on a wire of the reference implementations: lets peers join, and deals them the stream.

mod door;
mod held;
mod store;
mod team;

use crate::{
    ChunkNumber, Wire,
    wire::{Datagram, Head, Welcome},
};
use bytes::{Bytes, BytesMut};
use door::Door;
use held::Held;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use serde::Serialize;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};
use store::Store;
pub use team::Member;
use team::Team;

/// What a splitter needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The wire of the team.
    pub wire: Wire,
    /// Bytes a chunk, at least 1.
    pub chunk_size: u16,
    /// Chunks that a peer's buffer holds.
    pub buffer_size: u16,
    /// How many of the peers that come first are monitors, whose complaints are believed.
    pub monitors: u16,
    /// Losses that a peer may be blamed for before it is let go; halved every second.
    pub max_chunk_loss: u32,
    /// Where peers fetch the head of the stream, its channel there, and its size (wire B).
    pub source: Option<(SocketAddr, String)>,
}

/// What a splitter tells the program around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A peer joined.
    Joined(SocketAddr),
    /// A peer said goodbye.
    Left(SocketAddr),
    /// A peer was let go because monitors missed what it had to pass on.
    Expelled(SocketAddr),
    /// A peer shows no sign of life any longer.
    Died(SocketAddr),
}

/// A splitter. It is fed with the bytes of the stream; an empty team is a normal state, in which they go nowhere.
pub struct Splitter {
    config: Config,
    head: Bytes,
    door: Door,
    held: Held,
    team: Team,
    /// What is to become the next chunk.
    tail: BytesMut,
    number: ChunkNumber,
    store: Store,
    out: VecDeque<Output<Event>>,
    tick: Instant,
    stats: Stats,
}

/// What a splitter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Chunks dealt.
    pub chunks: u64,
    /// Bytes of datagrams sent.
    pub sent_bytes: u64,
    /// Bytes of the stream taken in.
    pub fed_bytes: u64,
    /// Turns over the whole team.
    pub rounds: u64,
    /// Chunks that monitors missed, each counted once.
    pub lost: u64,
    /// Of these, chunks sent once more.
    pub repaired: u64,
    /// Complaints from who is no monitor.
    pub disbelieved: u64,
    /// Peers in the team.
    pub peers: usize,
    /// Peers that ever joined.
    pub joins: u64,
    /// Peers let go.
    pub expelled: u64,
}

impl Config {
    /// The wire's defaults: chunks of 1024 bytes, and what the reference has.
    pub fn new(wire: Wire) -> Config {
        let (buffer_size, max_chunk_loss) = match wire {
            Wire::A => (128, 8),
            Wire::B => (256, 32),
        };
        Config { wire, chunk_size: 1_024, buffer_size, monitors: 1, max_chunk_loss, source: None }
    }
}

impl Splitter {
    /// A splitter without a team.
    pub fn new(now: Instant, config: Config) -> Splitter {
        Splitter {
            store: Store::new(config.buffer_size.into()),
            team: Team::new(config.monitors.into(), config.max_chunk_loss),
            config: Config { chunk_size: config.chunk_size.max(1), ..config },
            head: Bytes::new(),
            door: Door::default(),
            held: Held::default(),
            tail: BytesMut::new(),
            number: ChunkNumber(0),
            out: VecDeque::new(),
            tick: now + TICK,
            stats: Stats::default(),
        }
    }

    /// What newcomers get before the first chunk from now on, at most 65,535 bytes. On wire A players of reference
    /// peers take its beginning for the answer to their request.
    pub fn set_head(&mut self, head: Bytes) {
        self.head = head.slice(..head.len().min(usize::from(u16::MAX)));
    }

    /// Takes the next bytes of the stream, and deals what chunks they make.
    pub fn feed(&mut self, now: Instant, bytes: &[u8]) {
        self.stats.fed_bytes += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let size = usize::from(self.config.chunk_size);
        while self.tail.len() >= size {
            let data = self.tail.split_to(size).freeze();
            self.deal(now, data);
        }
    }

    /// The peers of the team, in the order in which chunks go to them.
    pub fn members(&self) -> &[Member] {
        self.team.members()
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        Stats { peers: self.team.members().len(), ..self.stats }
    }

    /// Sends one chunk to the peer whose turn it is, its origin.
    fn deal(&mut self, now: Instant, data: Bytes) {
        let number = self.number;
        self.number = number.next();
        if now >= self.tick {
            // The stream itself keeps time, also where nothing else does.
            self.wake(now);
        }
        if self.team.begins_round() {
            self.end_round(now);
        }
        let Some((origin, dealt)) = self.team.next_peer() else { return };
        self.stats.chunks += 1;
        self.send(origin, self.config.wire.chunk(number, &data, origin));
        self.store.put(number, origin, dealt, data);
    }

    /// A turn over the team is done: who said goodbye is let go.
    fn end_round(&mut self, _now: Instant) {
        self.stats.rounds += 1;
        for gone in self.team.take_leaving() {
            self.send(gone, self.config.wire.dismissal());
            self.release(gone);
            self.out.push_back(Output::Event(Event::Left(gone)));
        }
    }

    /// SERVE_JOINING_PEERS: tells a newcomer all it needs, and closes (wire A) or waits for its word (wire B).
    fn serve_joining_peer(&mut self, now: Instant, id: StreamId, peer: SocketAddr) {
        let head = match (&self.config.source, self.config.wire) {
            (Some((source, channel)), Wire::B) => {
                let size = self.head.len() as u16;
                Head::At { source: *source, channel: channel.clone(), size }
            }
            _ => Head::Told(self.head.clone()),
        };
        let monitors = if self.config.wire == Wire::A { 0 } else { self.config.monitors };
        // Those who were told already but are not ready yet belong to it: else two who join at once never meet.
        let all = self.team.endpoints().chain(self.door.told_peers());
        let mut peers = Vec::new();
        for known in all {
            if known != peer && !peers.contains(&known) {
                peers.push(known);
            }
        }
        let welcome = Welcome {
            chunk_size: self.config.chunk_size,
            buffer_size: self.config.buffer_size,
            you: Some(peer),
            head,
            monitors,
            peers,
        };
        let bytes = Bytes::from(self.config.wire.write_welcome(&welcome));
        self.stream(id, StreamOutput::Bytes(bytes));
        if self.config.wire == Wire::A {
            self.stream(id, StreamOutput::Close);
        }
        self.door.told(now, id);
    }

    /// The newcomer is ready: it is dealt chunks from now on.
    fn admit(&mut self, peer: SocketAddr) {
        self.stats.joins += 1;
        self.team.add(peer);
        self.out.push_back(Output::Event(Event::Joined(peer)));
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) {
        let Some(datagram) = self.config.wire.read(bytes, self.config.chunk_size.into()) else { return };
        match datagram {
            Datagram::Hello => {
                if let Some(id) = self.door.is_ready(from) {
                    self.finish_joining(now, id);
                } else if !self.team.lives(now, from) && self.config.wire == Wire::A {
                    // It takes itself for a member: of this splitter before it was started again, perhaps.
                    self.send(from, self.config.wire.dismissal());
                }
            }
            Datagram::Goodbye => {
                // Who is not in the team any longer did not hear the answer.
                if !self.team.leaves(now, from) && self.team.remembers(from) {
                    self.send(from, self.config.wire.dismissal());
                }
            }
            Datagram::Lost(number) => self.complaint(from, self.number.near(number)),
            Datagram::Chunk { .. } | Datagram::Request(_) | Datagram::Prune(_) => {}
        }
    }

    /// A monitor missed a chunk: its origin is blamed, and the chunk is sent once more, to the monitor, which floods it.
    fn complaint(&mut self, from: SocketAddr, number: ChunkNumber) {
        if !self.team.is_monitor(from) {
            self.stats.disbelieved += 1;
            return;
        }
        let Some(sent) = self.store.complain(number) else { return };
        self.stats.lost += 1;
        if let Some(expelled) = self.team.blame(sent.origin, sent.dealt, from) {
            self.stats.expelled += 1;
            self.send(expelled, self.config.wire.dismissal());
            self.release(expelled);
            self.out.push_back(Output::Event(Event::Expelled(expelled)));
        }
        if self.stats.repaired * REPAIR_SHARE <= self.stats.chunks + REPAIR_BURST {
            self.stats.repaired += 1;
            self.send(from, self.config.wire.chunk(number, &sent.data, from));
        }
    }

    fn finish_joining(&mut self, now: Instant, id: StreamId) {
        let Some(peer) = self.door.finish(id) else { return };
        self.release(peer);
        match self.config.wire {
            Wire::A => self.stream(id, StreamOutput::Close),
            Wire::B => self.held.hold(now, id, peer),
        }
        self.admit(peer);
    }

    /// Closes what a member that is none any longer has left open.
    fn release(&mut self, peer: SocketAddr) {
        for id in self.held.release(peer) {
            self.stream(id, StreamOutput::Close);
        }
    }

    fn at_the_door(&mut self, now: Instant, id: StreamId, what: StreamInput) {
        match what {
            StreamInput::Opened { peer } => {
                if !self.door.open(now, id, peer) {
                    return self.stream(id, StreamOutput::Close);
                }
                if self.config.wire == Wire::A {
                    self.serve_joining_peer(now, id, peer);
                }
            }
            StreamInput::Bytes(bytes) => match self.door.heard(id, &bytes) {
                door::Said::Letter(peer) => self.serve_joining_peer(now, id, peer),
                door::Said::Ready => self.finish_joining(now, id),
                door::Said::Nothing => {}
            },
            // On wire A a reference peer closes when it has read all, and may do so before its hello is here.
            StreamInput::Closed(_) if self.door.was_told(id) => {
                self.finish_joining(now, id);
                let _it_is_closed = self.held.ended(now, id);
            }
            StreamInput::Closed(_) => {
                self.door.forget(id);
                if let Some(dead) = self.held.ended(now, id)
                    && self.team.take_out(dead)
                {
                    self.out.push_back(Output::Event(Event::Died(dead)));
                }
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        for id in self.door.overdue(now) {
            match self.door.was_told(id) {
                true => self.finish_joining(now, id),
                false => {
                    self.door.forget(id);
                    self.stream(id, StreamOutput::Close);
                }
            }
        }
        for dead in self.team.take_dead(now) {
            self.out.push_back(Output::Event(Event::Died(dead)));
        }
        if self.tick > now {
            return;
        }
        self.tick = now + TICK;
        self.team.forgive();
        // A source that is silent makes no rounds.
        if self.team.leaving_since().is_some_and(|since| now.saturating_duration_since(since) >= TICK) {
            self.end_round(now);
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        self.stats.sent_bytes += bytes.len() as u64;
        self.out.push_back(Output::Send(Transmit::Datagram { to, bytes }));
    }

    fn stream(&mut self, id: StreamId, what: StreamOutput) {
        self.out.push_back(Output::Send(Transmit::Stream { id, what }));
    }
}

impl Machine for Splitter {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => self.receive(now, from, &bytes),
            Input::Stream { id, what } => self.at_the_door(now, id, what),
            Input::Wake => self.wake(now),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        self.out.pop_front().unwrap_or_else(|| {
            let due = [Some(self.tick), self.door.due()].into_iter().flatten().min();
            Output::Wait(due.map(|due| due.max(now)))
        })
    }
}

/// Once a second losses are halved.
const TICK: Duration = Duration::from_secs(1);
/// One chunk in so many may be a repair, and so many more at once.
const REPAIR_SHARE: u64 = 20;
const REPAIR_BURST: u64 = 1_280;
