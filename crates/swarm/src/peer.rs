//! A peer on a wire of the reference implementations: joins a team, plays, and passes on.

mod join;

use crate::{
    Chunk, ChunkBuffer, ChunkNumber, Wire,
    buffer::{Pace, Played},
    dbs::{self, Dbs, Say},
    wire::{Datagram, Welcome},
};
use bytes::Bytes;
use join::{Join, Step};
use levada_link::{Chance, Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use serde::Serialize;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What a peer needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The wire of the team.
    pub wire: Wire,
    /// Where its splitter is.
    pub splitter: SocketAddr,
    /// Where this peer is, as far as it knows itself; wire A's splitter says how it sees it.
    pub here: SocketAddr,
    /// Whether it joins as a monitor, where the wire tells (B).
    pub monitor: bool,
    /// MAX_CHUNK_DEBT: debts below it never count.
    pub max_chunk_debt: u32,
    /// When chunks are played.
    pub pace: Pace,
    /// Whether a lost chunk makes it send `[request]`, as the rules say. Off, since that ends a monitor of 2018.
    pub requests: bool,
    /// Whether goodbyes go to the other peers too. Off on wire A, since that ends a peer of 2018; the others notice the
    /// silence.
    pub farewells: bool,
}

/// What a peer tells the program around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is in the team.
    Joined {
        /// How many were there before.
        peers: usize,
    },
    /// It could not join, and tries again.
    Refused,
    /// What comes before the first chunk: the source's answer to HTTP and the head of the container, as far as the
    /// splitter gives them.
    Head(Bytes),
    /// The next chunk to be played.
    Play(ChunkNumber, Bytes),
    /// One that did not come.
    Lost(ChunkNumber),
    /// It has left, or was let go.
    Left,
}

/// A peer.
pub struct Peer {
    config: Config,
    phase: Phase,
    team: Option<Team>,
    chance: Chance,
    /// The stream that stays open while it is in a team of wire B.
    held: Option<StreamId>,
    streams: u32,
    out: VecDeque<Output<Event>>,
    tick: Instant,
    /// When the splitter is shown next that this peer lives.
    shows: Instant,
    stats: Stats,
}

enum Phase {
    /// Joining begins at this time.
    Waiting(Instant),
    Joining(Box<Join>),
    Member,
    /// Says goodbye to the splitter until that answers; how often it still will.
    Leaving(u32),
    Left,
}

/// The team it is in, from the moment that chunks may come.
struct Team {
    dbs: Dbs,
    chunk_size: usize,
    /// The number relative to which short ones are read.
    near: Option<ChunkNumber>,
    /// When a chunk last came from the splitter, and from anybody.
    heard: Instant,
    flows: Instant,
}

/// What a peer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Chunks played.
    pub played: u64,
    /// Chunks that did not come in time.
    pub lost: u64,
    /// How often it joined.
    pub joins: u64,
    /// By the rules.
    #[serde(flatten)]
    pub dbs: dbs::Stats,
    /// The team's members that it knows.
    pub neighbors: usize,
    /// Datagrams that were no message.
    pub unreadable: u64,
}

impl Config {
    /// A peer of the team of `splitter`, reached at `here`.
    pub fn new(wire: Wire, splitter: SocketAddr, here: SocketAddr) -> Config {
        let max_chunk_debt = if wire == Wire::A { 8 } else { 128 };
        let farewells = wire == Wire::B;
        Config {
            wire,
            splitter,
            here,
            monitor: false,
            max_chunk_debt,
            pace: Pace::Eager,
            requests: false,
            farewells,
        }
    }
}

impl Peer {
    /// A peer that joins when it is first woken.
    pub fn new(now: Instant, config: Config, seed: u64) -> Peer {
        Peer {
            config,
            phase: Phase::Waiting(now),
            team: None,
            chance: Chance::new(seed, 1),
            held: None,
            streams: 0,
            out: VecDeque::new(),
            tick: now,
            shows: now,
            stats: Stats::default(),
        }
    }

    /// Leaves the team: says goodbye until the splitter answers, and tells [`Event::Left`].
    pub fn leave(&mut self, now: Instant) {
        match self.phase {
            Phase::Leaving(_) | Phase::Left => {}
            Phase::Member => {
                self.phase = Phase::Leaving(GOODBYES);
                self.tick = now;
            }
            Phase::Waiting(_) | Phase::Joining(_) => self.left(),
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        let dbs = self.team.as_ref().map_or(self.stats.dbs, |team| team.dbs.stats());
        let neighbors = self.team.as_ref().map_or(0, |team| team.dbs.team().count());
        Stats { dbs, neighbors, ..self.stats }
    }

    /// The rules' state, once it is in a team.
    pub fn dbs(&self) -> Option<&Dbs> {
        self.team.as_ref().map(|team| &team.dbs)
    }

    /// Tells the splitter that a chunk is missing; for [`Monitor`](crate::Monitor).
    pub(crate) fn complain(&mut self, number: ChunkNumber) {
        let bytes = self.config.wire.lost(number);
        self.send(self.config.splitter, bytes);
    }

    /// JOIN_TEAM: asks the splitter.
    fn join_team(&mut self, now: Instant) {
        self.release();
        let ids = [StreamId::ours(self.streams), StreamId::ours(self.streams + 1)];
        self.streams = (self.streams + 2) & 0x7fff_ffff;
        let join = Join::new(&self.config, ids, now);
        self.phase = Phase::Joining(Box::new(join));
        self.steps();
    }

    /// Does what joining wants next.
    fn steps(&mut self) {
        while let Phase::Joining(join) = &mut self.phase
            && let Some(step) = join.poll()
        {
            match step {
                Step::Stream(id, what) => self.out.push_back(Output::Send(Transmit::Stream { id, what })),
                Step::Welcome(welcome, now) => self.team = Some(self.meet(now, welcome)),
                Step::Done(head) => self.joined(head),
                Step::Failed(now) => self.let_go(now),
            }
        }
    }

    /// Knows the team from now on, and greets it.
    fn meet(&mut self, now: Instant, welcome: Welcome) -> Team {
        let me = welcome.you.unwrap_or(self.config.here);
        let buffer = ChunkBuffer::new(welcome.buffer_size, self.config.pace);
        let mut dbs = Dbs::new(me, self.config.splitter, buffer, self.config.max_chunk_debt);
        // Its UDP endpoint becomes known to the splitter, and is opened in a NAT, by this. The C++ splitter takes it for a
        // goodbye, as it does everything that is no loss.
        if self.config.wire == Wire::A {
            self.send(self.config.splitter, self.config.wire.hello());
        }
        welcome.peers.iter().for_each(|peer| dbs.join_team(now, *peer, true));
        Team { dbs, chunk_size: welcome.chunk_size.into(), near: None, heard: now, flows: now }
    }

    /// Closes the stream by which it joined, where that is open.
    fn release(&mut self) {
        if let Some(id) = self.held.take() {
            self.out.push_back(Output::Send(Transmit::Stream { id, what: StreamOutput::Close }));
        }
    }

    fn joined(&mut self, head: Bytes) {
        if let (Phase::Joining(join), Wire::B) = (&self.phase, self.config.wire) {
            self.held = Some(join.stream());
        }
        self.phase = Phase::Member;
        self.stats.joins += 1;
        let peers = self.team.as_ref().map_or(0, |team| team.dbs.team().count());
        self.out.push_back(Output::Event(Event::Joined { peers }));
        if !head.is_empty() {
            self.out.push_back(Output::Event(Event::Head(head)));
        }
        self.play();
    }

    fn left(&mut self) {
        self.release();
        self.phase = Phase::Left;
        self.stats = Stats { neighbors: 0, ..self.stats() };
        self.team = None;
        self.out.push_back(Output::Event(Event::Left));
    }

    /// A datagram came.
    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) {
        let from_splitter = from == self.config.splitter;
        let Some(team) = &mut self.team else { return };
        let Some(datagram) = self.config.wire.read(bytes, team.chunk_size) else {
            self.stats.unreadable += 1;
            return;
        };
        match datagram {
            Datagram::Chunk { number, data, origin } => {
                let me = team.dbs.me();
                let origin = if from_splitter { me } else { origin.unwrap_or(from) };
                team.flows = now;
                if from_splitter {
                    team.heard = now;
                }
                let number = team.number(number, from_splitter);
                team.dbs.receive_chunk_and_flood(now, from, Chunk { number, data, origin });
            }
            Datagram::Goodbye if from_splitter => return self.let_go(now),
            other => self.control(now, from, other),
        }
        self.speak();
        self.play();
    }

    /// CONTROL: a message that is no chunk.
    fn control(&mut self, now: Instant, from: SocketAddr, datagram: Datagram) {
        let Some(team) = &mut self.team else { return };
        match datagram {
            Datagram::Hello => team.dbs.accept_neighbor(now, from),
            Datagram::Goodbye => team.dbs.goodbye(from),
            Datagram::Request(number) => team.dbs.request(from, team.number_of(number)),
            Datagram::Prune(number) => team.dbs.prune(from, team.number_of(number)),
            Datagram::Lost(_) | Datagram::Chunk { .. } => {}
        }
    }

    /// The splitter said goodbye: as answer to ours, or because others complained.
    fn let_go(&mut self, now: Instant) {
        match self.phase {
            Phase::Leaving(_) => return self.say_farewell(),
            Phase::Left => return,
            _ => {}
        }
        self.team = None;
        self.release();
        self.phase = Phase::Waiting(now + AGAIN);
        self.out.push_back(Output::Event(Event::Refused));
    }

    /// Sends what the rules want sent.
    fn speak(&mut self) {
        let wire = self.config.wire;
        let Some(team) = &mut self.team else { return };
        while let Some(say) = team.dbs.poll() {
            let message = match say {
                Say::Chunk(to, chunk) => Some((to, wire.chunk(chunk.number, &chunk.data, chunk.origin))),
                Say::Hello(to) => Some((to, wire.hello())),
                Say::Goodbye(to) => Some((to, wire.goodbye(self.stats.played, self.stats.lost))),
                Say::Request(to, number) => wire.request(number).map(|bytes| (to, bytes)),
                Say::Prune(to, number) => wire.prune(number).map(|bytes| (to, bytes)),
            };
            if let Some((to, bytes)) = message {
                self.out.push_back(Output::Send(Transmit::Datagram { to, bytes }));
            }
        }
    }

    /// Tells what can be played; nothing before the head of the stream is there.
    fn play(&mut self) {
        let (Some(team), Phase::Member) = (&mut self.team, &self.phase) else { return };
        while let Some(played) = team.dbs.buffer().play() {
            let event = match played {
                Played::Chunk(chunk) => {
                    self.stats.played += 1;
                    Event::Play(chunk.number, chunk.data)
                }
                Played::Lost(number) => {
                    self.stats.lost += 1;
                    if self.config.requests {
                        team.dbs.ask_for(number, self.chance.below(u32::MAX));
                    }
                    Event::Lost(number)
                }
            };
            self.out.push_back(Output::Event(event));
        }
    }

    fn wake(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Member) && self.is_forgotten(now) {
            return self.let_go(now);
        }
        match &mut self.phase {
            Phase::Waiting(when) if *when <= now => return self.join_team(now),
            Phase::Joining(join) => {
                join.wake(now);
                self.steps();
            }
            Phase::Leaving(left) if self.tick <= now => {
                if *left == 0 {
                    return self.say_farewell();
                }
                *left -= 1;
                let goodbye = self.config.wire.goodbye(self.stats.played, self.stats.lost);
                self.send(self.config.splitter, goodbye);
            }
            _ => {}
        }
        if let Some(team) = &mut self.team {
            team.dbs.wake(now);
            if matches!(self.phase, Phase::Member) {
                for number in team.dbs.give_up(now) {
                    self.stats.lost += 1;
                    self.out.push_back(Output::Event(Event::Lost(number)));
                }
            }
        }
        if self.tick <= now {
            self.tick = now + TICK;
        }
        // A splitter of wire B would take it for a goodbye.
        if self.shows <= now && matches!(self.phase, Phase::Member) && self.config.wire == Wire::A {
            self.shows = now + ALIVE;
            self.send(self.config.splitter, self.config.wire.hello());
        }
        self.speak();
        self.play();
    }

    /// Whether the splitter sent nothing for so long that it must have restarted, or forgotten this peer: sooner while
    /// others are being dealt chunks.
    fn is_forgotten(&self, now: Instant) -> bool {
        let Some(team) = &self.team else { return false };
        let silent = now.saturating_duration_since(team.heard);
        let others = now.saturating_duration_since(team.flows) < TICK * 10;
        silent >= if others { FORGOTTEN } else { DEAD }
    }

    /// Tells the team, where its peers bear that, and goes.
    fn say_farewell(&mut self) {
        let mut peers: Vec<_> = self.team.iter().flat_map(|team| team.dbs.team()).collect();
        if !self.config.farewells {
            peers.clear();
        }
        let goodbye = self.config.wire.goodbye(self.stats.played, self.stats.lost);
        peers.into_iter().for_each(|peer| self.send(peer, goodbye.clone()));
        self.left();
    }

    fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        self.out.push_back(Output::Send(Transmit::Datagram { to, bytes }));
    }

    fn due(&self) -> Option<Instant> {
        let rules = self.team.as_ref().and_then(|team| team.dbs.due());
        let phase = match &self.phase {
            Phase::Waiting(when) => Some(*when),
            Phase::Joining(join) => Some(join.due()),
            Phase::Left => return None,
            Phase::Member | Phase::Leaving(_) => Some(self.tick),
        };
        [rules, phase].into_iter().flatten().min()
    }
}

impl Team {
    /// The whole of a number that came with a chunk.
    fn number(&mut self, short: u16, sure: bool) -> ChunkNumber {
        let near = *self.near.get_or_insert(ChunkNumber::first(short));
        let number = near.near(short);
        if sure {
            self.near = Some(number);
        } else if let Some(highest) = self.dbs.buffer().highest() {
            self.near = Some(highest);
        }
        number
    }

    /// The whole of a number that a message names.
    fn number_of(&self, short: u16) -> ChunkNumber {
        self.near.unwrap_or(ChunkNumber::first(short)).near(short)
    }
}

impl Machine for Peer {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => self.receive(now, from, &bytes),
            Input::Stream { id, what } => match &mut self.phase {
                Phase::Joining(join) => {
                    join.handle(now, id, what);
                    self.steps();
                    self.speak();
                }
                _ if self.held == Some(id) => {
                    if matches!(what, StreamInput::Closed(_)) {
                        self.held = None;
                    }
                }
                // Nobody has reason to open a stream to a peer.
                _ if matches!(what, StreamInput::Opened { .. }) => {
                    let what = StreamOutput::Close;
                    self.out.push_back(Output::Send(Transmit::Stream { id, what }));
                }
                _ => {}
            },
            Input::Wake => self.wake(now),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        let Some(next) = self.out.pop_front() else {
            return Output::Wait(self.due().map(|due| due.max(now)));
        };
        if self.out.is_empty() && self.out.capacity() > ROOMY {
            self.out = VecDeque::new();
        }
        next
    }
}

/// How often a peer looks after its neighbours.
const TICK: Duration = Duration::from_millis(100);
/// How often a peer shows that it lives: a splitter of 2018 ignores that.
const ALIVE: Duration = Duration::from_millis(500);
/// A peer that was not let in, or was let go, tries again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// A splitter that sent this peer nothing for so long, but others something, does not know it any longer.
const FORGOTTEN: Duration = Duration::from_secs(5);
/// A splitter from which nothing came for so long by any way may have another team by now.
const DEAD: Duration = Duration::from_secs(15);
/// Goodbyes to a splitter that does not answer.
const GOODBYES: u32 = 10;
/// An empty queue of outputs larger than this is given back.
const ROOMY: usize = 1_024;
