//! Lets two ends of a call know each other, so that nobody else listens in or speaks for them.
//!
//! A handshake of three messages (Noise XX; what both know, if anything, goes into the third) makes a session; datagrams of a session are
//! sealed with ChaCha20-Poly1305, their first twelve bytes readable and authenticated. What each kind of datagram looks like:
//!
//! ```text
//! first   1 | version | caller's id 4 | cookie 16 | message 48 | zeros up to 160
//! second  2 | version | answerer's id 4 | caller's id 4 | message 100
//! third   3 | version | caller's id 4 | answerer's id 4 | message 68
//! bring   4 | version | caller's id 4 | cookie 16
//! refuse  5 | version | receiver's id 4 | why | version of the call
//! reset   6 | version | the number of what nobody here can open 4
//! sealed  128 and flags | of the caller's choice 1 | receiver's index | of the caller's choice 1 | number 4 | media time 4 | body | tag 16
//! ```
//!
//! No answer is longer than what it answers. Sealed datagrams are looked at in place: nothing is allocated for what does not open.

mod door;
mod greeting;
mod handshake;
mod identity;
mod keys;
mod session;
mod window;

pub use identity::{Identity, NoKey, PublicKey, Secret, Words};
pub use session::{Head, Opened};

pub(crate) use window::Window;

use bytes::Bytes;
use door::{COOKIE, Door, Knock};
pub(crate) use handshake::Given;
use handshake::{Agreed, HELLO, Handshake, MESSAGES};
use keys::TAG;
use session::Session;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a call is kept to its two ends.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who is called; nobody where one only waits to be called.
    pub peer: Option<SocketAddr>,
    /// What both know. Without it, and without known keys, callers from other addresses than the peer's are not let in.
    pub secret: Secret,
    /// Who one is. A key of one run is enough; one that stays lets others recognise it.
    pub identity: Identity,
    /// The keys that are let in, if not everybody's.
    pub known: Option<Vec<PublicKey>>,
    /// What the other end is told of this one: the version of the call, which has to be the same at both ends, and what tells
    /// programs apart.
    pub hello: [u8; 4],
}

/// What happened between the two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session began.
    Opened {
        /// Where the other end is.
        peer: SocketAddr,
        /// Its key.
        key: PublicKey,
        /// To be compared with what it shows.
        words: Words,
        /// What it says of itself.
        hello: [u8; 4],
        /// Whether its key is that of the session before.
        again: bool,
    },
    /// The other end does not want us.
    Refused(Reason),
    /// Somebody was not let in.
    TurnedAway(SocketAddr, Reason),
    /// The other end is at another address now.
    Moved(SocketAddr),
}

/// Why an end does not let another in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They do not know the same.
    Secret,
    /// There is a call already.
    Busy,
    /// Its key is none of those that are let in.
    Unknown,
    /// It speaks another version of this protocol.
    Version,
    /// It speaks another version of what is said in a session.
    Call(Versions),
}

/// What two ends of a call speak, when it is not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The other end's.
    pub theirs: u8,
    /// This one's.
    pub ours: u8,
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the other end speaks version {} of the call, we speak {}", self.theirs, self.ours)
    }
}

/// What came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sealed datagrams that opened.
    pub opened: u64,
    /// Datagrams that were nothing, or were there before.
    pub refused: u64,
    /// Handshakes that were begun for somebody else.
    pub knocks: u64,
}

/// The sessions of one end. Holds two sessions, the newest of which is spoken in, eight handshakes that others began (the oldest leaves
/// first), 64 datagrams to send and 32 events (likewise).
pub struct Secure {
    config: Config,
    door: Door,
    chance: blake3::OutputReader,
    asking: Option<Asking>,
    /// Not before this time is it asked again.
    ask_at: Option<Instant>,
    answering: VecDeque<Answering>,
    sessions: VecDeque<Session>,
    outgoing: VecDeque<(SocketAddr, Bytes)>,
    events: VecDeque<Event>,
    stats: Stats,
    resets: u32,
    entered: u64,
}

/// Our handshake.
struct Asking {
    state: Handshake,
    to: SocketAddr,
    id: u32,
    first: Vec<u8>,
    began: Instant,
    next: Instant,
    pause: Duration,
}

/// A handshake of another's.
struct Answering {
    state: Handshake,
    from: SocketAddr,
    id: u32,
    their_id: u32,
    began: Instant,
}

impl Secure {
    /// Draws what it needs from `seed`, which is to be used once.
    pub fn new(config: Config, seed: [u8; 32]) -> Secure {
        let mut chance = blake3::Hasher::new_keyed(&seed).finalize_xof();
        let mut secret = [0; 32];
        chance.fill(&mut secret);
        Secure {
            config,
            door: Door::new(secret),
            chance,
            asking: None,
            ask_at: None,
            answering: VecDeque::new(),
            sessions: VecDeque::new(),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
            resets: 0,
            entered: 0,
        }
    }

    /// What came so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Whether there is a session to speak in.
    pub fn is_open(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// When the other end was heard last in the newest session.
    pub fn heard(&self) -> Option<Instant> {
        self.sessions.front()?.heard
    }

    /// Where the other end is.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.sessions.front().map(|session| session.peer)
    }

    /// Whether a datagram is nothing at first sight; those need not be kept for [`arrive`](Secure::arrive).
    pub fn is_nothing(&self, datagram: &[u8]) -> bool {
        match datagram.first() {
            Some(kind) if kind & SEALED != 0 => {
                let index = datagram.get(2).copied();
                datagram.len() < SHORTEST
                    || datagram.len() > LONGEST
                    || self.is_open() && !self.sessions.iter().any(|session| Some(session.ours) == index)
            }
            Some(1..=6) => datagram.len() < 6 || datagram.len() > FIRST,
            _ => true,
        }
    }

    /// A datagram came; what was sealed in it by the other end is copied into `body`, which is emptied first.
    pub fn arrive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        body: &mut Vec<u8>,
    ) -> Option<Opened> {
        body.clear();
        if self.is_nothing(datagram) {
            self.stats.refused += 1;
            return None;
        }
        if datagram[0] & SEALED != 0 {
            let opened = self.open(now, from, datagram, body);
            *(if opened.is_some() { &mut self.stats.opened } else { &mut self.stats.refused }) += 1;
            return opened;
        }
        let was_good = match datagram[0] {
            1 => self.first(now, from, datagram),
            2 => self.second(now, from, datagram),
            3 => self.third(now, from, datagram),
            4 => self.bring(now, from, datagram),
            5 => self.refused(now, from, datagram),
            _ => self.reset(now, from, datagram),
        };
        self.stats.refused += u64::from(was_good.is_none());
        None
    }

    /// Seals a datagram for the other end, to be sent; its number, if there is a session.
    pub fn seal(&mut self, head: Head, body: &[u8]) -> Option<u64> {
        let session = self.sessions.front_mut()?;
        let (number, datagram) = session.seal(head, body);
        let to = session.peer;
        self.send(to, datagram.into());
        Some(number)
    }

    /// What is to be done by now; to be called every few milliseconds.
    pub fn wake(&mut self, now: Instant) {
        self.answering.retain(|answering| now.duration_since(answering.began) < PATIENCE);
        self.sessions.retain(|session| !session.is_over(now));
        let mut repeated = Vec::new();
        for session in &mut self.sessions {
            repeated.extend(session.repeat(now));
        }
        repeated.into_iter().for_each(|(to, third)| self.send(to, third));
        self.ask(now);
    }

    /// What is to be sent, until there is nothing more.
    pub fn transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.outgoing.pop_front()
    }

    /// What happened, until there is nothing more.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn open(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        body: &mut Vec<u8>,
    ) -> Option<Opened> {
        let Some(session) = self.sessions.iter_mut().find(|session| session.ours == datagram[2]) else {
            // somebody who believes to be in a session with us; a few are told
            self.resets = self.resets.wrapping_add(1);
            if self.resets.is_multiple_of(4) || self.resets < 4 {
                let reset = [&[6, VERSION], &datagram[4..8]].concat();
                self.send(from, reset.into());
            }
            return None;
        };
        let opened = session.open(now, datagram, body)?;
        let begins = session.opened.take();
        if opened.is_newest && session.peer != from {
            session.peer = from;
            self.push(Event::Moved(from));
        }
        begins.into_iter().for_each(|event| self.push(event));
        Some(opened)
    }

    fn enter(&mut self, mut session: Session) {
        let again = self.sessions.iter().any(|old| old.key == session.key);
        let Session { peer, key, words, hello, .. } = session;
        let opened = Event::Opened { peer, key, words, hello, again };
        if session.repeats() {
            session.opened = Some(opened); // once the other end has let us in
        } else {
            self.push(opened);
        }
        (self.asking, self.ask_at) = (None, None);
        self.entered += 1;
        session.serial = self.entered;
        self.sessions.push_front(session);
        self.sessions.truncate(SESSIONS);
        self.resets = 0;
    }

    fn send(&mut self, to: SocketAddr, datagram: Bytes) {
        if self.outgoing.len() == OUTGOING {
            self.outgoing.pop_front();
        }
        self.outgoing.push_back((to, datagram));
    }

    fn push(&mut self, event: Event) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn draw(&mut self) -> [u8; 32] {
        let mut drawn = [0; 32];
        self.chance.fill(&mut drawn);
        drawn
    }

    /// An id whose lowest byte, by which datagrams say their session, is not in use.
    fn new_id(&mut self) -> u32 {
        loop {
            let drawn = self.draw();
            let id = u32::from_be_bytes([drawn[0], drawn[1], drawn[2], drawn[3]]);
            if !self.sessions.iter().any(|session| session.ours == id as u8) {
                return id;
            }
        }
    }
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secure").field("sessions", &self.sessions.len()).field("stats", &self.stats).finish()
    }
}

fn word(datagram: &[u8], at: usize) -> Option<u32> {
    datagram.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

const VERSION: u8 = 1;
const SEALED: u8 = 128;
/// Bytes of the first message: more than any answer to it.
const FIRST: usize = 160;
/// Bytes of a sealed datagram.
const SHORTEST: usize = Head::LENGTH + TAG;
const LONGEST: usize = 1_500;
const SESSIONS: usize = 2;
const ANSWERING: usize = 8;
const OUTGOING: usize = 64;
const EVENTS: usize = 32;
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon, and how seldom at last, it is asked again.
const FASTEST: Duration = Duration::from_millis(80);
const SLOWEST: Duration = Duration::from_secs(1);
/// After so much silence a caller asks anew.
const SILENT: Duration = Duration::from_millis(400);
/// After so much, one who says it has forgotten us is believed.
const FORGETFUL: Duration = Duration::from_millis(30);
/// A call in which somebody spoke so lately is not given up for another.
const ALIVE: Duration = Duration::from_secs(2);

const _: () = assert!(10 + MESSAGES[1] <= FIRST && HELLO == 4);

#[cfg(test)]
mod tests;
