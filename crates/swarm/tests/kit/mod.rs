//! What tests of whole teams share: a splitter and its peers in a world of virtual time.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)] // each test uses its part; where time begins does not matter

pub mod old;

use bytes::Bytes;
use levada_link::{
    Input, Machine, Output, World,
    world::{Access, HostId},
};
use levada_swarm::{ChunkNumber, Monitor, Peer, Splitter, Wire, peer, splitter};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

pub enum Node {
    Splitter(Splitter),
    Peer(Peer),
    Monitor(Monitor),
    /// A program of the reference implementations.
    Old(old::Old),
    /// One that is plugged in and dead.
    Dead,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Splitter(splitter::Event),
    Peer(peer::Event),
}

impl Machine for Node {
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Node::Splitter(splitter) => splitter.handle(now, input),
            Node::Peer(peer) => peer.handle(now, input),
            Node::Monitor(monitor) => monitor.handle(now, input),
            Node::Old(old) => old.handle(now, input),
            Node::Dead => {}
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Told> {
        match self {
            Node::Splitter(splitter) => told(splitter.poll(now), Told::Splitter),
            Node::Peer(peer) => told(peer.poll(now), Told::Peer),
            Node::Monitor(monitor) => told(monitor.poll(now), Told::Peer),
            Node::Old(old) => match old.poll(now) {
                Output::Send(transmit) => Output::Send(transmit),
                Output::Event(()) | Output::Wait(_) => Output::Wait(None),
            },
            Node::Dead => Output::Wait(None),
        }
    }
}

fn told<E>(output: Output<E>, wrap: impl Fn(E) -> Told) -> Output<Told> {
    match output {
        Output::Send(transmit) => Output::Send(transmit),
        Output::Event(event) => Output::Event(wrap(event)),
        Output::Wait(until) => Output::Wait(until),
    }
}

/// What a peer has played.
#[derive(Default, Debug)]
pub struct Heard {
    pub head: Option<Bytes>,
    pub first: Option<ChunkNumber>,
    pub bytes: Vec<u8>,
    pub played: u64,
    pub lost: u64,
    pub joins: u64,
    pub left: bool,
}

/// A team of one wire. Host 0 is the splitter.
pub struct Team {
    pub world: World<Node>,
    pub wire: Wire,
    pub heard: BTreeMap<HostId, Heard>,
    pub events: Vec<splitter::Event>,
    pub fed: u64,
    access: Access,
}

pub const CHUNK: u16 = 64;

impl Team {
    /// A splitter whose stream is the numbers of its chunks, over links as `access` says.
    pub fn over(wire: Wire, access: &str, seed: u64) -> Team {
        Team::with(splitter::Config { chunk_size: CHUNK, ..splitter::Config::new(wire) }, access, seed)
    }

    pub fn with(config: splitter::Config, access: &str, seed: u64) -> Team {
        let start = Instant::now();
        let wire = config.wire;
        let mut world = World::new(start, seed);
        let access =
            if access.is_empty() { Access::default() } else { Access::both(&access.parse().unwrap()) };
        let mut splitter = Splitter::new(start, config);
        splitter.set_head(Bytes::from_static(b"HTTP/1.0 200 OK\r\n\r\nhead"));
        world.add(Node::Splitter(splitter), &access).unwrap();
        Team { world, wire, heard: BTreeMap::new(), events: Vec::new(), fed: 0, access }
    }

    pub fn config(&self) -> peer::Config {
        let next = HostId(self.world.hosts().map(|(host, _)| host.0).max().unwrap_or(0).max(self.last()) + 1);
        peer::Config::new(self.wire, HostId(0).address(), next.address())
    }

    fn last(&self) -> u32 {
        self.heard.keys().map(|host| host.0).max().unwrap_or(0)
    }

    pub fn add(&mut self, node: Node) -> HostId {
        let host = self.world.add(node, &self.access).unwrap();
        self.heard.insert(host, Heard::default());
        host
    }

    pub fn peer(&mut self) -> HostId {
        let peer = Peer::new(self.world.instant(), self.config(), self.fed);
        self.add(Node::Peer(peer))
    }

    pub fn monitor(&mut self) -> HostId {
        let monitor = Monitor::new(self.world.instant(), self.config(), self.fed);
        self.add(Node::Monitor(monitor))
    }

    /// Lets `time` go by while the source gives a chunk every `every`.
    pub fn play(&mut self, time: Duration, every: Duration) {
        let until = self.world.now() + time;
        while self.world.now() < until {
            let mut chunk = [0u8; CHUNK as usize];
            chunk[..8].copy_from_slice(&self.fed.to_be_bytes());
            self.fed += 1;
            let now = self.world.instant();
            match self.world.machine_mut(HostId(0)) {
                Some(Node::Splitter(splitter)) => splitter.feed(now, &chunk),
                Some(Node::Old(splitter)) => splitter.feed(&chunk),
                _ => {}
            }
            self.run(every);
        }
    }

    pub fn run(&mut self, time: Duration) {
        let Team { world, heard, events, .. } = self;
        world.run(world.now() + time, |_, host, told| match told {
            Told::Splitter(event) => events.push(event),
            Told::Peer(event) => note(heard.entry(host).or_default(), event),
        });
    }

    pub fn old(&self, host: HostId) -> &old::Old {
        match self.world.machine(host) {
            Some(Node::Old(old)) => old,
            _ => panic!("no old program at {host:?}"),
        }
    }

    pub fn splitter(&self) -> &Splitter {
        match self.world.machine(HostId(0)) {
            Some(Node::Splitter(splitter)) => splitter,
            _ => panic!("the splitter is gone"),
        }
    }

    pub fn peer_at(&mut self, host: HostId) -> &mut Peer {
        match self.world.machine_mut(host) {
            Some(Node::Peer(peer)) => peer,
            Some(Node::Monitor(monitor)) => monitor.peer_mut(),
            _ => panic!("no peer at {host:?}"),
        }
    }

    /// The numbers that a peer has played, which must be the stream in order.
    pub fn numbers(&self, host: HostId) -> Vec<u64> {
        let bytes = &self.heard[&host].bytes;
        bytes.chunks(CHUNK.into()).map(|chunk| u64::from_be_bytes(chunk[..8].try_into().unwrap())).collect()
    }
}

fn note(heard: &mut Heard, event: peer::Event) {
    match event {
        peer::Event::Joined { .. } => heard.joins += 1,
        peer::Event::Head(head) => heard.head = Some(head),
        peer::Event::Play(number, data) => {
            heard.first.get_or_insert(number);
            heard.played += 1;
            heard.bytes.extend_from_slice(&data);
        }
        peer::Event::Lost(_) => heard.lost += 1,
        peer::Event::Left => heard.left = true,
        peer::Event::Refused => {}
    }
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
