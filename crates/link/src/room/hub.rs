//! Who is in which room of a server, and what is passed on to whom.

mod datagrams;

use super::cookies::Cookies;
use super::member::{Allowance, Member, Seats};
use super::name::{DisplayName, RoomName};
use super::wire::{self, Heard, Mode, PARTICIPANTS, Refusal, Roster, Said};
use crate::machine::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How much a hub takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Participants of a room at most: 16, and no more.
    pub participants: usize,
    /// Rooms at once, 256. A room is there while somebody is in it.
    pub rooms: usize,
    /// Participants that come from one address at most, over all rooms; 64.
    pub each: usize,
    /// The rooms that there may be, each a name or, with `*` at its end, what names begin with. Default `*`.
    pub names: Vec<String>,
    /// A participant that says nothing for so long has left; 5 s.
    pub silence: Duration,
    /// Messages a second that are taken of a participant, 1,000; what is more is dropped and counted.
    pub messages: u32,
    /// Bytes a second likewise, 500,000.
    pub bytes: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            participants: PARTICIPANTS,
            rooms: 256,
            each: 64,
            names: vec!["*".into()],
            silence: Duration::from_secs(5),
            messages: 1_000,
            bytes: 500_000,
        }
    }
}

/// What a member has to show; nobody else knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pass(pub u64);

/// How somebody comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrant {
    /// By datagrams from this address. Silence is noticed.
    Datagrams(SocketAddr),
    /// By something of the program around, which says when it is over.
    Handle(u64),
}

/// What somebody got who was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    /// To speak with.
    pub pass: Pass,
    /// Its number in the room.
    pub number: u8,
}

/// A message for whoever has come by this handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// Whose.
    pub handle: u64,
    /// A message of the server's, as [`wire`] says.
    pub message: Bytes,
}

/// What a hub tells the program around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// To be passed on.
    Deliver(Deliver),
    /// Somebody came.
    Joined(RoomName, u8, DisplayName),
    /// Somebody left.
    Left(RoomName, u8, DisplayName, Why),
    /// Somebody was not let in.
    Refused(SocketAddr, Option<RoomName>, Refusal),
}

/// Why somebody is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It said so.
    Left,
    /// Nothing was heard of it.
    Silent,
}

/// What passed, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages of members.
    pub received: u64,
    /// Messages passed on, one for each receiver.
    pub passed: u64,
    /// Datagrams of nobody who is in a room.
    pub strangers: u64,
    /// Joins that were refused.
    pub refused: u64,
    /// Messages that were too many, or waited too long to be taken.
    pub dropped: u64,
}

/// The rooms of a server.
///
/// Whoever comes by datagrams is in only when it brings the cookie that was sent to its address; until then nothing is kept of it, and no
/// answer is longer than what is answered. At most 4,096 messages and 1,024 events wait to be taken; the oldest leave first and are counted.
pub struct Hub {
    config: Config,
    chance: blake3::OutputReader,
    cookies: Cookies,
    members: HashMap<Pass, Member>,
    addresses: HashMap<SocketAddr, Pass>,
    rooms: HashMap<RoomName, Seats>,
    /// How many come from where.
    crowds: HashMap<IpAddr, usize>,
    /// Answers to strangers, and those let in.
    answers: Allowance,
    entries: Allowance,
    /// When it is looked at who is silent, and who does not know the roster.
    look: Option<Instant>,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    unwanted: Vec<StreamId>,
    events: VecDeque<Event>,
    stats: Stats,
}

impl Hub {
    /// One without rooms; draws passes from `seed`, which is to be used once.
    pub fn new(config: Config, seed: [u8; 32]) -> Hub {
        let mut chance = blake3::Hasher::new_keyed(&seed).finalize_xof();
        let mut secret = [0; 32];
        chance.fill(&mut secret);
        Hub {
            config,
            chance,
            cookies: Cookies::new(secret),
            members: HashMap::new(),
            addresses: HashMap::new(),
            rooms: HashMap::new(),
            crowds: HashMap::new(),
            answers: Allowance::new(ANSWERS, u32::MAX),
            entries: Allowance::new(ENTRIES, u32::MAX),
            look: None,
            waiting: VecDeque::new(),
            unwanted: Vec::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Takes on as much as this from now on. Nobody who is in is put out.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// What passed so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Whether a member is at this address.
    pub fn knows(&self, address: SocketAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    /// The rooms that there are, with how many are in each.
    pub fn rooms(&self) -> Vec<(RoomName, usize)> {
        self.rooms.iter().map(|(name, seats)| (name.clone(), seats.all().count())).collect()
    }

    /// Who is in a room; nobody where there is none. It is nobody's own: `you` is 0.
    pub fn roster(&self, room: &RoomName) -> Option<Roster> {
        let seats = self.rooms.get(room)?;
        let participants: Vec<_> =
            seats.all().filter_map(|pass| self.members.get(&pass)).map(Member::participant).collect();
        let mode = Mode {
            opus: participants.iter().any(wire::Participant::is_browser),
            open: participants.iter().any(wire::Participant::is_open),
        };
        Some(Roster { version: seats.version, mode, you: 0, participants })
    }

    /// Lets somebody into a room, which comes into being with its first participant.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn join(
        &mut self,
        now: Instant,
        room: &RoomName,
        name: DisplayName,
        flags: u8,
        entrant: Entrant,
    ) -> Result<Seated, Refusal> {
        self.admits(room, entrant).inspect_err(|_| self.stats.refused += 1)?;
        let (pass, stay) = (Pass(self.draw()), self.draw() as u32);
        let seats = self.rooms.entry(room.clone()).or_default();
        let Some(place) = seats.free(self.config.participants.min(PARTICIPANTS)) else {
            self.stats.refused += 1;
            return Err(Refusal::Full);
        };
        seats.numbers[place] = Some(pass);
        let number = place as u8 + 1;
        if let Entrant::Datagrams(address) = entrant {
            self.addresses.insert(address, pass);
            *self.crowds.entry(address.ip()).or_default() += 1;
        }
        self.tell(Event::Joined(room.clone(), number, name.clone()));
        let allowance = Allowance::new(self.config.messages, self.config.bytes);
        let (knows, told, room) = (None, None, room.clone());
        let (heard, entered) = (now, room.clone());
        self.members
            .insert(pass, Member { room, number, stay, flags, name, entrant, heard, knows, told, allowance });
        self.changed(now, &entered);
        Ok(Seated { pass, number })
    }

    /// Somebody goes.
    pub fn leave(&mut self, now: Instant, pass: Pass) {
        self.put_out(now, pass, Why::Left);
    }

    /// A member says something; false where it has no such pass, or says nothing that can be understood.
    pub fn said(&mut self, now: Instant, pass: Pass, said: &Said<'_>) -> bool {
        let Some(member) = self.members.get_mut(&pass) else { return false };
        member.heard = now;
        self.stats.received += 1;
        let bytes = match said {
            Said::Control { body, .. } => body.len(),
            Said::Frame(frame) => frame.len(),
            Said::Known(_) | Said::Leave => 0,
        };
        if !member.allowance.take(now, bytes) {
            self.stats.dropped += 1;
            return true;
        }
        let number = member.number;
        let Some(seats) = self.rooms.get(&member.room) else { return false };
        match said {
            Said::Frame(frame) => {
                // one allocation goes to all
                let message = Heard::Frame { from: number, frame }.write();
                let others: [Option<Pass>; PARTICIPANTS] = seats.numbers;
                for other in others.into_iter().flatten().filter(|other| *other != pass) {
                    self.pass(other, message.clone());
                }
            }
            Said::Control { to, body } => {
                let other = usize::from(*to).checked_sub(1).and_then(|at| *seats.numbers.get(at)?);
                let message = Heard::Control { from: number, body }.write();
                other
                    .filter(|other| *other != pass)
                    .into_iter()
                    .for_each(|other| self.pass(other, message.clone()));
            }
            Said::Known(version) => {
                let current = seats.version;
                member.knows = Some(*version);
                if let Some(to) = member.address() {
                    if *version == current {
                        self.send(to, Heard::Still(current).write());
                    } else if member.told.is_none_or(|told| now.duration_since(told) >= AGAIN) {
                        self.tell_roster(now, pass);
                    }
                }
            }
            Said::Leave => self.put_out(now, pass, Why::Left),
        }
        true
    }

    fn draw(&mut self) -> u64 {
        let mut drawn = [0; 8];
        self.chance.fill(&mut drawn);
        u64::from_be_bytes(drawn).max(1)
    }

    fn admits(&self, room: &RoomName, entrant: Entrant) -> Result<(), Refusal> {
        let fits = |name: &String| match name.strip_suffix('*') {
            Some(begin) => room.as_str().starts_with(begin),
            None => room.as_str() == name,
        };
        if !self.config.names.iter().any(fits) {
            return Err(Refusal::Unknown);
        }
        let crowd = match entrant {
            Entrant::Datagrams(address) => self.crowds.get(&address.ip()).copied().unwrap_or(0),
            Entrant::Handle(_) => 0,
        };
        if crowd >= self.config.each {
            return Err(Refusal::Crowd);
        }
        match self.rooms.get(room) {
            Some(seats) if seats.free(self.config.participants).is_none() => Err(Refusal::Full),
            None if self.rooms.len() >= self.config.rooms => Err(Refusal::NoRoom),
            _ => Ok(()),
        }
    }

    /// Somebody came to a room or left it.
    fn changed(&mut self, now: Instant, room: &RoomName) {
        let Some(seats) = self.rooms.get_mut(room) else { return };
        seats.version = seats.version.wrapping_add(1);
        for pass in seats.numbers.into_iter().flatten() {
            self.tell_roster(now, pass);
        }
    }

    fn tell_roster(&mut self, now: Instant, pass: Pass) {
        let Some(room) = self.members.get(&pass).map(|member| member.room.clone()) else { return };
        let (Some(roster), Some(member)) = (self.roster(&room), self.members.get_mut(&pass)) else { return };
        member.told = Some(now);
        let message = Heard::Roster(Roster { you: member.number, ..roster }).write();
        self.pass(pass, message);
    }

    fn put_out(&mut self, now: Instant, pass: Pass, why: Why) {
        let Some(member) = self.members.remove(&pass) else { return };
        if let Some(address) = member.address() {
            self.addresses.remove(&address);
            self.forget(address.ip());
        }
        if let Some(seats) = self.rooms.get_mut(&member.room) {
            seats.numbers[usize::from(member.number) - 1] = None;
            if seats.all().next().is_none() {
                self.rooms.remove(&member.room);
            }
        }
        let Member { room, number, name, .. } = member;
        self.changed(now, &room);
        self.tell(Event::Left(room, number, name, why));
    }

    fn forget(&mut self, ip: IpAddr) {
        if let Some(crowd) = self.crowds.get_mut(&ip) {
            *crowd = crowd.saturating_sub(1);
            if *crowd == 0 {
                self.crowds.remove(&ip);
            }
        }
    }

    fn pass(&mut self, to: Pass, message: Bytes) {
        let Some(entrant) = self.members.get(&to).map(|member| member.entrant) else { return };
        self.stats.passed += 1;
        match entrant {
            Entrant::Datagrams(address) => self.send(address, message),
            Entrant::Handle(handle) => self.tell(Event::Deliver(Deliver { handle, message })),
        }
    }

    fn send(&mut self, to: SocketAddr, message: Bytes) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
            self.stats.dropped += 1;
        }
        self.waiting.push_back((to, message));
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
            self.stats.dropped += 1;
        }
        self.events.push_back(event);
    }

    /// Puts out who is silent, and tells the roster to who does not know it.
    fn look(&mut self, now: Instant) {
        if self.look.is_some_and(|look| look > now) {
            return;
        }
        self.look = (!self.members.is_empty()).then(|| now + LOOK);
        let by_datagrams = self.members.iter().filter(|(_, member)| member.address().is_some());
        let is_silent = |member: &Member| now.duration_since(member.heard) > self.config.silence;
        let silent: Vec<Pass> =
            by_datagrams.clone().filter(|(_, member)| is_silent(member)).map(|(pass, _)| *pass).collect();
        let unaware: Vec<Pass> = by_datagrams
            .filter(|(_, member)| {
                let current = self.rooms.get(&member.room).map(|seats| seats.version);
                member.knows != current && member.told.is_none_or(|told| now.duration_since(told) >= AGAIN)
            })
            .map(|(pass, _)| *pass)
            .collect();
        silent.into_iter().for_each(|pass| self.put_out(now, pass, Why::Silent));
        unaware.into_iter().for_each(|pass| self.tell_roster(now, pass));
    }
}

/// It has no streams: one that is opened to it is closed.
impl Machine for Hub {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => self.datagram(now, from, &bytes),
            Input::Stream { id, what: StreamInput::Opened { .. } } => {
                self.unwanted.truncate(EVENTS);
                self.unwanted.push(id);
            }
            Input::Stream { .. } | Input::Wake => {}
        }
        self.look(now);
    }

    fn poll(&mut self, _: Instant) -> Output<Event> {
        if let Some((to, bytes)) = self.waiting.pop_front() {
            return Output::Send(Transmit::Datagram { to, bytes });
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some(id) = self.unwanted.pop() {
            return Output::Send(Transmit::Stream { id, what: StreamOutput::Close });
        }
        Output::Wait(self.look)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rooms, members) = (self.rooms.len(), self.members.len());
        f.debug_struct("Hub")
            .field("rooms", &rooms)
            .field("members", &members)
            .field("stats", &self.stats)
            .finish()
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

/// Messages that wait to be sent.
const WAITING: usize = 4_096;
const EVENTS: usize = 1_024;
/// Answers to strangers a second.
const ANSWERS: u32 = 1_000;
/// Who is let in a second, or told why not: coming and going is work for all who are there.
const ENTRIES: u32 = 500;
/// How often it is looked who is silent.
const LOOK: Duration = Duration::from_millis(100);
/// How soon a roster is told again to one who does not say that it knows it.
const AGAIN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
