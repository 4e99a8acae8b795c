//! Passes datagrams between the members of rooms without knowing what they say.

use crate::machine::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A room, by the number that the program around gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Room(pub u64);

/// How much a forwarder takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Members in a room at most, 32: what one of them sends is sent so many times.
    pub members: usize,
    /// Members in all rooms together, 10,000.
    pub total: usize,
    /// Invitations that nobody has used, 10,000.
    pub invitations: usize,
    /// A member that is silent for so long has left; 30 s.
    pub silence: Duration,
    /// Datagrams that wait to be passed on, 4,096; the oldest leave first and are counted.
    pub backlog: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            members: 32,
            total: 10_000,
            invitations: 10_000,
            silence: Duration::from_secs(30),
            backlog: 4_096,
        }
    }
}

/// Passes each datagram of a member to the others in its room.
///
/// Who is a member is decided elsewhere, by an invitation: bytes that only the invited know. The first datagram that
/// *is* an invitation makes its sender a member and is sent back to it as the answer; sent again it is answered again, and
/// from another address it moves the member there. Datagrams of anybody else are counted and dropped, so nobody can be
/// made to flood a third. It has no streams: one that is opened to it is closed.
#[derive(Debug)]
pub struct Forwarder {
    config: Config,
    invitations: HashMap<Bytes, Invitation>,
    members: HashMap<SocketAddr, Member>,
    rooms: HashMap<Room, Vec<SocketAddr>>,
    /// Who is to be looked at when, for silence.
    silent: BTreeSet<(Instant, SocketAddr)>,
    waiting: VecDeque<Passing>,
    /// Streams to be closed.
    unwanted: Vec<StreamId>,
    events: VecDeque<Event>,
    stats: Stats,
}

/// Where an invitation leads, and who came with it.
#[derive(Clone, Copy, Debug)]
struct Invitation {
    room: Room,
    used_by: Option<SocketAddr>,
}

#[derive(Debug)]
struct Member {
    room: Room,
    key: Bytes,
    heard: Instant,
    looked_at: Instant,
}

/// A datagram being passed on: to the member at this place of the room, or back to its sender.
#[derive(Debug)]
struct Passing {
    bytes: Bytes,
    from: SocketAddr,
    to: Target,
}

#[derive(Debug)]
enum Target {
    Room(Room, usize),
    Sender,
}

/// What a forwarder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member came.
    Joined(Room, SocketAddr),
    /// A member left: it was silent, removed, or its room closed.
    Left(Room, SocketAddr),
}

/// What passed, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams that members sent.
    pub received: u64,
    /// Datagrams sent on, one for each receiver.
    pub passed: u64,
    /// Datagrams of strangers.
    pub strangers: u64,
    /// Invitations that found their room, or everything, full.
    pub refused: u64,
    /// Datagrams that left the backlog unsent.
    pub dropped: u64,
}

impl Forwarder {
    /// One without rooms.
    pub fn new(mut config: Config) -> Forwarder {
        config.silence = config.silence.min(A_YEAR);
        Forwarder {
            config,
            invitations: HashMap::new(),
            members: HashMap::new(),
            rooms: HashMap::new(),
            silent: BTreeSet::new(),
            waiting: VecDeque::new(),
            unwanted: Vec::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Lets one address in that sends exactly `key`, which should be long and random; false where there are too many
    /// invitations, or this one is out already.
    pub fn invite(&mut self, room: Room, key: Bytes) -> bool {
        let fits = self.invitations.len() < self.config.invitations.saturating_add(self.members.len());
        let fresh = !key.is_empty() && !self.invitations.contains_key(&key);
        if fits && fresh {
            self.invitations.insert(key, Invitation { room, used_by: None });
        }
        fits && fresh
    }

    /// Takes an invitation back; who came with it leaves.
    pub fn withdraw(&mut self, key: &[u8]) {
        let Some(invitation) = self.invitations.remove(key) else { return };
        if let Some(member) = invitation.used_by {
            self.leave(member);
        }
    }

    /// Closes a room: all leave, and no invitation to it is good any longer.
    pub fn close(&mut self, room: Room) {
        self.invitations.retain(|_, invitation| invitation.room != room || invitation.used_by.is_some());
        for member in self.rooms.remove(&room).unwrap_or_default() {
            self.leave(member);
        }
    }

    /// Who is in a room, in the order in which they came.
    pub fn members(&self, room: Room) -> &[SocketAddr] {
        self.rooms.get(&room).map_or(&[], Vec::as_slice)
    }

    /// What passed so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn heard(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        if let Some(member) = self.members.get_mut(&from) {
            member.heard = now;
            self.stats.received += 1;
            let to = if bytes == member.key { Target::Sender } else { Target::Room(member.room, 0) };
            return self.pass(Passing { bytes, from, to });
        }
        match self.invitations.get(&bytes).copied() {
            Some(Invitation { room, used_by }) => {
                if let Some(before) = used_by {
                    self.leave(before);
                    self.invitations.insert(bytes.clone(), Invitation { room, used_by: None });
                }
                self.join(now, room, from, bytes);
            }
            None => self.stats.strangers += 1,
        }
    }

    fn join(&mut self, now: Instant, room: Room, from: SocketAddr, key: Bytes) {
        let members = self.rooms.entry(room).or_default();
        if members.len() >= self.config.members || self.members.len() >= self.config.total {
            self.stats.refused += 1;
            return;
        }
        members.push(from);
        if let Some(invitation) = self.invitations.get_mut(&key) {
            invitation.used_by = Some(from);
        }
        let looked_at = now + self.config.silence;
        self.silent.insert((looked_at, from));
        self.members.insert(from, Member { room, key: key.clone(), heard: now, looked_at });
        self.events.push_back(Event::Joined(room, from));
        self.pass(Passing { bytes: key, from, to: Target::Sender });
    }

    fn leave(&mut self, address: SocketAddr) {
        let Some(member) = self.members.remove(&address) else { return };
        self.silent.remove(&(member.looked_at, address));
        self.invitations.remove(&member.key);
        if let Some(members) = self.rooms.get_mut(&member.room) {
            members.retain(|other| *other != address);
            if members.is_empty() {
                self.rooms.remove(&member.room);
            }
        }
        self.events.push_back(Event::Left(member.room, address));
    }

    fn pass(&mut self, passing: Passing) {
        if self.waiting.len() >= self.config.backlog {
            self.waiting.pop_front();
            self.stats.dropped += 1;
        }
        self.waiting.push_back(passing);
    }

    /// Lets those leave who have been silent, and looks at the others again when they would be.
    fn look(&mut self, now: Instant) {
        while let Some((due, address)) = self.silent.first().copied().filter(|(due, _)| *due <= now) {
            self.silent.remove(&(due, address));
            let Some(member) = self.members.get_mut(&address) else { continue };
            let until = member.heard + self.config.silence;
            if until <= now {
                self.leave(address);
                continue;
            }
            member.looked_at = until;
            self.silent.insert((until, address));
        }
    }

    /// The next datagram to send.
    fn next(&mut self) -> Option<Transmit> {
        loop {
            let passing = self.waiting.front_mut()?;
            let to = match &mut passing.to {
                Target::Sender => {
                    let Passing { bytes, from, .. } = self.waiting.pop_front()?;
                    return Some(Transmit::Datagram { to: from, bytes });
                }
                Target::Room(room, place) => {
                    let to = self.rooms.get(room).and_then(|members| members.get(*place)).copied();
                    *place += 1;
                    to
                }
            };
            match to {
                None => drop(self.waiting.pop_front()),
                Some(to) if to == passing.from => {}
                Some(to) => {
                    self.stats.passed += 1;
                    return Some(Transmit::Datagram { to, bytes: passing.bytes.clone() });
                }
            }
        }
    }
}

impl Machine for Forwarder {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => self.heard(now, from, bytes),
            Input::Wake => self.look(now),
            Input::Stream { id, what: StreamInput::Opened { .. } } => self.unwanted.push(id),
            Input::Stream { .. } => {}
        }
    }

    fn poll(&mut self, _: Instant) -> Output<Event> {
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some(id) = self.unwanted.pop() {
            return Output::Send(Transmit::Stream { id, what: StreamOutput::Close });
        }
        match self.next() {
            Some(transmit) => Output::Send(transmit),
            None => Output::Wait(self.silent.first().map(|(due, _)| *due)),
        }
    }
}

const A_YEAR: Duration = Duration::from_secs(366 * 86_400);

#[cfg(test)]
mod tests;
