//! Programs that behave as the reference implementations do, written from what is known of their wires: they share no
//! line with the library under test, and die of what the originals die of.

use bytes::Bytes;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

/// One of the four programs.
pub struct Old {
    wire: Wire,
    role: Role,
    out: VecDeque<Output<()>>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Wire {
    /// `peer_video`, `splitter_video` of 2018.
    A,
    /// The C++ programs.
    B,
}

enum Role {
    Peer(Peer),
    Splitter(Splitter),
}

#[derive(Default)]
struct Peer {
    splitter: Option<SocketAddr>,
    me: Option<SocketAddr>,
    heard: Vec<u8>,
    begun: bool,
    joined: bool,
    over: bool,
    /// A: `forward[origin]`, in order; B: only the peer's own list.
    forward: BTreeMap<SocketAddr, Vec<SocketAddr>>,
    pending: VecDeque<(SocketAddr, Vec<u16>)>,
    cells: BTreeMap<u16, (u16, Vec<u8>, SocketAddr)>,
    /// B: the last chunk of the splitter, and to how many of the list it went.
    last: Option<(Bytes, usize)>,
    pub got: BTreeSet<u16>,
    pub duplicates: u64,
    crashed: Option<String>,
}

#[derive(Default)]
struct Splitter {
    team: Vec<SocketAddr>,
    leaving: BTreeSet<SocketAddr>,
    joining: BTreeMap<StreamId, SocketAddr>,
    next: usize,
    number: u16,
    losses: BTreeMap<SocketAddr, u32>,
    destinations: BTreeMap<u16, SocketAddr>,
}

const CHUNK: usize = super::CHUNK as usize;
const BUFFER: u16 = 128;

impl Old {
    pub fn peer(wire: Wire, splitter: SocketAddr) -> Old {
        let peer = Peer { splitter: Some(splitter), ..Peer::default() };
        Old { wire, role: Role::Peer(peer), out: VecDeque::new() }
    }

    pub fn splitter(wire: Wire) -> Old {
        Old { wire, role: Role::Splitter(Splitter::default()), out: VecDeque::new() }
    }

    /// The numbers that a peer got, how many twice, and what it died of.
    pub fn got(&self) -> (&BTreeSet<u16>, u64, Option<&str>) {
        match &self.role {
            Role::Peer(peer) => (&peer.got, peer.duplicates, peer.crashed.as_deref()),
            Role::Splitter(_) => panic!("no peer"),
        }
    }

    pub fn team(&self) -> usize {
        match &self.role {
            Role::Splitter(splitter) => splitter.team.len(),
            Role::Peer(_) => panic!("no splitter"),
        }
    }

    /// A chunk of the source: to one peer, in turn.
    pub fn feed(&mut self, data: &[u8]) {
        let wire = self.wire;
        let Role::Splitter(splitter) = &mut self.role else { panic!("no splitter") };
        if splitter.next == 0 {
            for gone in std::mem::take(&mut splitter.leaving) {
                splitter.team.retain(|peer| *peer != gone);
                let bytes = match wire {
                    Wire::A => Bytes::copy_from_slice(&(-2i32).to_be_bytes()),
                    Wire::B => Bytes::from_static(b"G"),
                };
                self.out.push_back(datagram(gone, bytes));
            }
        }
        let number = splitter.number;
        splitter.number = number.wrapping_add(1);
        let Some(to) = splitter.team.get(splitter.next).copied() else { return };
        splitter.next = (splitter.next + 1) % splitter.team.len();
        splitter.destinations.insert(number % BUFFER, to);
        self.out.push_back(datagram(to, chunk(wire, number, data, to)));
    }
}

fn chunk(wire: Wire, number: u16, data: &[u8], origin: SocketAddr) -> Bytes {
    match wire {
        Wire::A => {
            let mut bytes = i32::from(number).to_be_bytes().to_vec();
            bytes.extend_from_slice(data);
            bytes.extend_from_slice(&endpoint_a(origin));
            bytes.into()
        }
        Wire::B => [&number.to_be_bytes()[..], data].concat().into(),
    }
}

fn endpoint_a(address: SocketAddr) -> Vec<u8> {
    [&ip(address)[..], &i32::from(address.port()).to_be_bytes()].concat()
}

fn endpoint_b(address: SocketAddr) -> Vec<u8> {
    [&ip(address)[..], &address.port().to_be_bytes()].concat()
}

fn ip(address: SocketAddr) -> [u8; 4] {
    match address {
        SocketAddr::V4(address) => address.ip().octets(),
        SocketAddr::V6(_) => panic!("they know IPv4 only"),
    }
}

fn datagram(to: SocketAddr, bytes: Bytes) -> Output<()> {
    Output::Send(Transmit::Datagram { to, bytes })
}

fn stream(id: StreamId, what: StreamOutput) -> Output<()> {
    Output::Send(Transmit::Stream { id, what })
}

impl Machine for Old {
    type Event = ();

    fn handle(&mut self, _: Instant, input: Input) {
        let Old { wire, role, out } = self;
        match role {
            Role::Peer(peer) => peer.handle(*wire, out, input),
            Role::Splitter(splitter) => splitter.handle(*wire, out, input),
        }
    }

    fn poll(&mut self, _: Instant) -> Output<()> {
        self.out.pop_front().unwrap_or(Output::Wait(None))
    }
}

impl Splitter {
    fn handle(&mut self, wire: Wire, out: &mut VecDeque<Output<()>>, input: Input) {
        match input {
            Input::Stream { id, what: StreamInput::Opened { peer } } => {
                let mut bytes = Vec::new();
                match wire {
                    Wire::A => {
                        bytes.extend_from_slice(&(CHUNK as u16).to_be_bytes());
                        bytes.extend_from_slice(&endpoint_a(peer));
                        bytes.extend_from_slice(&BUFFER.to_be_bytes());
                        bytes.extend_from_slice(&[0, 0, 0, 0]); // no head for the first, no monitors ever
                    }
                    Wire::B => {
                        bytes.extend_from_slice(&[0; 6]); // the source
                        bytes.extend_from_slice(&[0, 3, b'b', b'b', b'b', 0, 0]);
                        bytes.extend_from_slice(&(CHUNK as u16).to_be_bytes());
                        bytes.extend_from_slice(&BUFFER.to_be_bytes());
                        bytes.extend_from_slice(&[0, 1]);
                    }
                }
                bytes.extend_from_slice(&(self.team.len() as u16).to_be_bytes());
                for known in &self.team {
                    match wire {
                        Wire::A => bytes.extend_from_slice(&endpoint_a(*known)),
                        Wire::B => bytes.extend_from_slice(&endpoint_b(*known)),
                    }
                }
                out.push_back(stream(id, StreamOutput::Bytes(bytes.into())));
                match wire {
                    Wire::A => {
                        out.push_back(stream(id, StreamOutput::Close));
                        self.team.push(peer);
                    }
                    // The letter of the type is what it takes for the word that the peer is ready.
                    Wire::B => drop(self.joining.insert(id, peer)),
                }
            }
            Input::Stream { id, what: StreamInput::Bytes(_) } => {
                self.team.extend(self.joining.remove(&id));
            }
            Input::Datagram { from, bytes } => match (wire, bytes.len()) {
                (Wire::A, 12) => drop(self.leaving.insert(from)),
                (Wire::A, 8) => self.lost(u16::from_be_bytes([bytes[6], bytes[7]]), 8),
                (Wire::A, _) => {}
                (Wire::B, 2) => self.lost(u16::from_be_bytes([bytes[0], bytes[1]]), 32),
                (Wire::B, _) if self.team.contains(&from) => drop(self.leaving.insert(from)),
                (Wire::B, _) => {}
            },
            _ => {}
        }
    }

    fn lost(&mut self, number: u16, limit: u32) {
        let Some(to) = self.destinations.get(&(number % BUFFER)).copied() else { return };
        let losses = self.losses.entry(to).or_default();
        *losses += 1;
        if *losses > limit {
            self.team.retain(|peer| *peer != to);
            self.next = 0;
        }
    }
}

impl Peer {
    fn handle(&mut self, wire: Wire, out: &mut VecDeque<Output<()>>, input: Input) {
        let splitter = self.splitter.expect("set from the beginning");
        if self.over {
            return;
        }
        match input {
            Input::Wake if !std::mem::replace(&mut self.begun, true) => {
                out.push_back(stream(StreamId::ours(0), StreamOutput::Open { to: splitter }));
                if wire == Wire::B {
                    let letter = Bytes::from_static(b"P");
                    out.push_back(stream(StreamId::ours(0), StreamOutput::Bytes(letter)));
                }
            }
            Input::Stream { what: StreamInput::Bytes(bytes), .. } => {
                self.heard.extend_from_slice(&bytes);
                self.welcome(wire, out);
            }
            Input::Datagram { from, bytes } if self.joined => match wire {
                Wire::A => self.receive_a(out, splitter, from, &bytes),
                Wire::B => self.receive_b(out, splitter, from, &bytes),
            },
            _ => {}
        }
    }

    fn welcome(&mut self, wire: Wire, out: &mut VecDeque<Output<()>>) {
        let heard = self.heard.clone();
        let u16_at =
            |at: usize| Some(usize::from(u16::from_be_bytes([*heard.get(at)?, *heard.get(at + 1)?])));
        let read = || {
            let (list, size, each) = match wire {
                Wire::A => {
                    let head = u16_at(12)?;
                    (18 + head, u16_at(16 + head)?, 8)
                }
                Wire::B => {
                    let channel = u16_at(6)?;
                    (18 + channel, u16_at(16 + channel)?, 6)
                }
            };
            let mut peers = Vec::new();
            for n in 0..size {
                let bytes = heard.get(list + n * each..list + (n + 1) * each)?;
                let port = u16::from_be_bytes([bytes[each - 2], bytes[each - 1]]);
                peers.push(SocketAddr::from(([bytes[0], bytes[1], bytes[2], bytes[3]], port)));
            }
            Some(peers)
        };
        let Some(peers) = read().filter(|_| !self.joined) else { return };
        self.joined = true;
        let me = match wire {
            Wire::A => SocketAddr::from((
                [heard[2], heard[3], heard[4], heard[5]],
                u16::from_be_bytes([heard[8], heard[9]]),
            )),
            Wire::B => ([0, 0, 0, 0], 0).into(),
        };
        self.me = Some(me);
        let hello = match wire {
            Wire::A => Bytes::copy_from_slice(&(-1i32).to_be_bytes()),
            Wire::B => Bytes::from_static(b"H"),
        };
        if wire == Wire::A {
            out.push_back(datagram(self.splitter.expect("set"), hello.clone()));
        } else {
            out.push_back(stream(StreamId::ours(0), StreamOutput::Bytes(Bytes::from_static(b"R"))));
        }
        out.push_back(stream(StreamId::ours(0), StreamOutput::Close));
        peers.iter().for_each(|peer| out.push_back(datagram(*peer, hello.clone())));
        self.forward.insert(me, peers);
    }

    fn receive_a(
        &mut self,
        out: &mut VecDeque<Output<()>>,
        splitter: SocketAddr,
        from: SocketAddr,
        bytes: &Bytes,
    ) {
        let me = self.me.expect("told at the door");
        let number_at = |at: usize| u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]);
        match bytes.len() {
            length if length == CHUNK + 12 => {
                let number = number_at(0);
                let origin = SocketAddr::from((
                    [bytes[CHUNK + 4], bytes[CHUNK + 5], bytes[CHUNK + 6], bytes[CHUNK + 7]],
                    u16::from_be_bytes([bytes[CHUNK + 10], bytes[CHUNK + 11]]),
                ));
                let cell = number % BUFFER;
                if self.cells.get(&cell).is_some_and(|(held, ..)| *held == number) {
                    self.duplicates += 1;
                    let prune = [(-4i32).to_be_bytes(), i32::from(number).to_be_bytes()].concat();
                    return out.push_back(datagram(from, prune.into()));
                }
                self.got.insert(number);
                self.cells.insert(cell, (number, bytes[4..4 + CHUNK].to_vec(), origin));
                if from != splitter {
                    let mine = self.forward.entry(me).or_default();
                    if !mine.contains(&from) {
                        mine.push(from);
                    }
                }
                for to in self.forward.get(&origin).cloned().unwrap_or_default() {
                    match self.pending.iter_mut().find(|(peer, _)| *peer == to) {
                        Some((_, numbers)) => numbers.push(number),
                        None => self.pending.push_back((to, vec![number])),
                    }
                }
                // The next neighbour in turn gets all that waits for it.
                if let Some((to, numbers)) = self.pending.pop_front() {
                    for number in numbers {
                        if let Some((held, data, origin)) = self.cells.get(&(number % BUFFER))
                            && *held == number
                        {
                            out.push_back(datagram(to, chunk(Wire::A, number, data, *origin)));
                        }
                    }
                    self.pending.push_back((to, Vec::new()));
                }
            }
            12 => self.die("a goodbye of another peer: KeyError"),
            8 if bytes[3] == 0xfd => self.die("a request: AttributeError"),
            8 => {
                if let Some((_, _, origin)) = self.cells.get(&(number_at(4) % BUFFER))
                    && let Some(list) = self.forward.get_mut(origin)
                {
                    list.retain(|peer| *peer != from);
                }
            }
            4 if bytes[3] == 0xfe && from == splitter => self.over = true,
            4 if bytes[3] == 0xff => {
                let mine = self.forward.entry(me).or_default();
                if !mine.contains(&from) {
                    mine.push(from);
                }
            }
            length => self.die(&format!("a datagram of {length} bytes")),
        }
    }

    fn receive_b(
        &mut self,
        out: &mut VecDeque<Output<()>>,
        splitter: SocketAddr,
        from: SocketAddr,
        bytes: &Bytes,
    ) {
        let me = self.me.expect("told at the door");
        let list = self.forward.entry(me).or_default();
        if bytes.len() != CHUNK + 2 {
            match &bytes[..] {
                b"H" if !list.contains(&from) => list.push(from),
                b"H" => {}
                _ if from == splitter => self.over = true,
                _ => list.retain(|peer| *peer != from),
            }
            return;
        }
        let number = u16::from_be_bytes([bytes[0], bytes[1]]);
        self.duplicates += u64::from(!self.got.insert(number));
        if from == splitter {
            // What has not gone to everybody yet goes in a burst.
            if let Some((chunk, done)) = self.last.take() {
                list.iter().skip(done).for_each(|to| out.push_back(datagram(*to, chunk.clone())));
            }
            self.last = Some((bytes.clone(), 0));
        } else if !list.contains(&from) {
            list.push(from);
        }
        if let Some((chunk, done)) = &mut self.last
            && let Some(to) = list.get(*done)
        {
            out.push_back(datagram(*to, chunk.clone()));
            *done += 1;
        }
    }

    fn die(&mut self, of: &str) {
        self.crashed.get_or_insert_with(|| of.to_owned());
        self.over = true;
    }
}
