//! Two participants: their handshake through the server, and what they tell each other under it.
//!
//! ```text
//! 1, 2, 3   session 4 | message of the handshake
//! 4         session 4 | number 4 | sealed: 1 key: generation, key 32, rendition; 2 have: generation; 3 heard: said 2, came 2, queue 2
//! 5         session 4 | why
//! ```
//!
//! The lower number begins. Whatever may be lost is said again until the other's next word comes.

use super::noise::{self, Agreed, Handshake, Psk, TAG};
use super::report::Report;
use super::seal::SenderKey;
use crate::secure::{Identity, PublicKey, Window, Words};
use aes_gcm::Aes256Gcm;
use levada_link::room::{DisplayName, RoomName};
use std::time::{Duration, Instant};

/// What a participant brings to all its handshakes.
#[derive(Clone, Debug)]
pub struct Own {
    pub room: RoomName,
    pub name: DisplayName,
    pub identity: Identity,
    pub psk: Psk,
    /// The keys that are let in, if not everybody's.
    pub known: Option<Vec<PublicKey>>,
}

/// One's side of a pair, from its beginning to its end. Says what it has to say by [`wake`](Pair::wake), and at once where it answers.
pub struct Pair {
    state: State,
    session: u32,
    /// When something is said again, and how long after the last time.
    again: Option<Instant>,
    pause: Duration,
    /// Our key that it is to have, while it does not say that it has it.
    offer: Option<SenderKey>,
    has: Option<u8>,
}

enum State {
    /// Nothing has come yet from one who is to begin.
    Waiting,
    /// We began.
    Asking {
        handshake: Box<Handshake>,
        first: Vec<u8>,
    },
    /// It began, and we answered; so we answer when it asks again.
    Answered {
        handshake: Box<Handshake>,
        first: Vec<u8>,
        second: Vec<u8>,
    },
    Agreed(Box<Channel>),
    Refused,
}

struct Channel {
    sealing: Aes256Gcm,
    opening: Aes256Gcm,
    number: u32,
    window: Window,
    /// The third message, until something opens.
    third: Option<Vec<u8>>,
    /// What is told once something opens.
    told: Option<Happened>,
}

/// What comes of a word of the other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Both know each other.
    Met {
        /// Its key.
        key: PublicKey,
        /// How it is called, as it says itself.
        name: DisplayName,
        /// To be compared with what it shows.
        words: Words,
    },
    /// They will not.
    Refused(Reason),
}

/// Why two participants do not hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They do not know the same passphrase.
    Secret,
    /// Its key is none of those that are let in.
    Unknown,
    /// Ours is none of those that it lets in.
    Stranger,
}

/// What a body brought.
#[derive(Default)]
pub struct Brought {
    pub happened: Option<Happened>,
    pub key: Option<SenderKey>,
    pub report: Option<Report>,
}

impl Pair {
    /// The side that begins does so when it is woken.
    pub fn new(now: Instant, begins: bool, own: &Own, chance: [u8; 32]) -> Pair {
        let session = u32::from_be_bytes([chance[0], chance[1], chance[2], chance[3]]);
        let mut pair =
            Pair { state: State::Waiting, session, again: None, pause: FIRST, offer: None, has: None };
        if begins {
            pair.ask(now, own, chance);
        }
        pair
    }

    fn ask(&mut self, now: Instant, own: &Own, chance: [u8; 32]) -> Option<()> {
        // the session's number is seen by all, so the handshake's chance is another
        let chance = blake3::derive_key("levada room 2026-11 a handshake's chance", &chance);
        let mut handshake = Handshake::initiator(&own.identity, &own.psk, &own.room, chance)?;
        let mut first = head(1, self.session);
        handshake.write("", &mut first)?;
        (self.again, self.pause) = (Some(now), FIRST);
        self.state = State::Asking { handshake: handshake.into(), first };
        Some(())
    }

    /// Whether both know each other, as far as we know.
    pub fn is_met(&self) -> bool {
        matches!(&self.state, State::Agreed(channel) if channel.told.is_none())
    }

    /// Whether they will not.
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused)
    }

    /// The generation of ours that it said it has.
    pub fn has(&self) -> Option<u8> {
        self.has
    }

    /// Our key from now on, to be told.
    pub fn offer(&mut self, now: Instant, key: SenderKey) {
        self.offer = Some(key);
        if self.is_met() {
            (self.again, self.pause) = (Some(now), FIRST);
        }
    }

    /// What is to be said of the other's sound.
    pub fn report(&mut self, report: Report) -> Option<Vec<u8>> {
        let session = self.session;
        match &mut self.state {
            State::Agreed(channel) if channel.third.is_none() => {
                let mut said = vec![3];
                report.write(&mut said);
                channel.seal(session, &said)
            }
            _ => None,
        }
    }

    /// What is to be said by now.
    pub fn wake(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.again.is_none_or(|again| now < again) {
            return None;
        }
        self.again = Some(now + self.pause);
        self.pause = (self.pause * 2).min(SLOWEST);
        let (session, offer) = (self.session, self.offer);
        match &mut self.state {
            State::Asking { first, .. } => Some(first.clone()),
            State::Agreed(channel) => match (&channel.third, offer) {
                (Some(third), _) => Some(third.clone()),
                (None, Some(key)) => {
                    let mut said = vec![1];
                    key.write(&mut said);
                    channel.seal(session, &said)
                }
                (None, None) => {
                    self.again = None;
                    None
                }
            },
            State::Waiting | State::Answered { .. } | State::Refused => {
                self.again = None;
                None
            }
        }
    }

    /// When it is to be woken.
    #[cfg(test)]
    fn due(&self) -> Option<Instant> {
        self.again
    }

    /// A body came from the other; what is to be answered goes into `answers`.
    pub fn arrive(
        &mut self,
        now: Instant,
        body: &[u8],
        own: &Own,
        chance: [u8; 32],
        answers: &mut Vec<Vec<u8>>,
    ) -> Option<Brought> {
        let (head, rest) = body.split_first_chunk::<5>()?;
        let session = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        match head[0] {
            1 => self.first(session, rest, own, chance, answers).map(|()| Brought::default()),
            2 if session == self.session => self.second(now, rest, own, chance, answers),
            3 if session == self.session => self.third(now, rest, own, answers),
            4 if session == self.session => self.sealed(now, rest, answers),
            5 if session == self.session => self.refused(rest),
            _ => None,
        }
    }

    /// It begins, or begins again.
    fn first(
        &mut self,
        session: u32,
        message: &[u8],
        own: &Own,
        chance: [u8; 32],
        answers: &mut Vec<Vec<u8>>,
    ) -> Option<()> {
        match &self.state {
            State::Answered { first, second, .. } if session == self.session && first == message => {
                answers.push(second.clone());
                return Some(());
            }
            State::Waiting | State::Answered { .. } => {}
            // we began ourselves, have met, or will not
            State::Asking { .. } | State::Agreed(_) | State::Refused => return None,
        }
        let mut handshake = Handshake::responder(&own.identity, &own.psk, &own.room, chance)?;
        handshake.read(message)?;
        let mut second = head(2, session);
        handshake.write(own.name.as_str(), &mut second)?;
        answers.push(second.clone());
        self.session = session;
        self.state = State::Answered { handshake: handshake.into(), first: message.to_vec(), second };
        Some(())
    }

    /// It answers what we began.
    fn second(
        &mut self,
        now: Instant,
        message: &[u8],
        own: &Own,
        chance: [u8; 32],
        answers: &mut Vec<Vec<u8>>,
    ) -> Option<Brought> {
        let State::Asking { .. } = self.state else { return None };
        let State::Asking { mut handshake, .. } = std::mem::replace(&mut self.state, State::Waiting) else {
            return None;
        };
        let Some(name) = handshake.read(message) else {
            // somebody in between meddled: begun anew, in a session of its own
            self.session = u32::from_be_bytes([chance[0], chance[1], chance[2], chance[3]]);
            self.ask(now + SLOWEST, own, chance)?;
            return None;
        };
        let mut third = head(3, self.session);
        handshake.write(own.name.as_str(), &mut third)?;
        let agreed = handshake.finish()?;
        if !own.lets_in(agreed.key) {
            answers.push([head(5, self.session), vec![3]].concat());
            self.state = State::Refused;
            return Some(Brought::refused(Reason::Unknown));
        }
        answers.push(third.clone());
        (self.again, self.pause) = (Some(now + FIRST), FIRST);
        let mut channel = Channel::new(agreed, name);
        channel.third = Some(third);
        self.state = State::Agreed(channel.into());
        Some(Brought::default())
    }

    /// Who began proves that it knows what we know.
    fn third(
        &mut self,
        now: Instant,
        message: &[u8],
        own: &Own,
        answers: &mut Vec<Vec<u8>>,
    ) -> Option<Brought> {
        let State::Answered { .. } = self.state else { return None };
        let State::Answered { mut handshake, .. } = std::mem::replace(&mut self.state, State::Refused) else {
            return None;
        };
        let refuse = |code: u8| [head(5, self.session), vec![code]].concat();
        let Some((name, agreed)) = handshake.read(message).and_then(|name| Some((name, handshake.finish()?)))
        else {
            answers.push(refuse(1));
            return Some(Brought::refused(Reason::Secret));
        };
        if !own.lets_in(agreed.key) {
            answers.push(refuse(3));
            return Some(Brought::refused(Reason::Unknown));
        }
        let mut channel = Channel::new(agreed, name);
        let happened = channel.told.take();
        self.state = State::Agreed(channel.into());
        // by our key it sees that we agree
        (self.again, self.pause) = (Some(now), FIRST);
        Some(Brought { happened, ..Brought::default() })
    }

    fn sealed(&mut self, now: Instant, rest: &[u8], answers: &mut Vec<Vec<u8>>) -> Option<Brought> {
        let session = self.session;
        let State::Agreed(channel) = &mut self.state else { return None };
        let said = channel.open(rest)?;
        if channel.third.take().is_some() {
            (self.again, self.pause) = (Some(now), FIRST);
        }
        let mut brought = Brought { happened: channel.told.take(), ..Brought::default() };
        match said.split_first() {
            Some((1, key)) => {
                if let Some(key) = SenderKey::read(key) {
                    answers.extend(channel.seal(session, &[2, key.generation]));
                    brought.key = Some(key);
                }
            }
            Some((2, [generation])) => {
                self.has = Some(*generation);
                if self.offer.is_some_and(|offer| offer.generation == *generation) {
                    self.offer = None;
                }
            }
            Some((3, report)) => brought.report = Report::read(report),
            _ => {} // what others may have to say one day
        }
        Some(brought)
    }

    fn refused(&mut self, rest: &[u8]) -> Option<Brought> {
        // only while it is not settled: what says so is not sealed
        let unsettled = match &self.state {
            State::Asking { .. } | State::Answered { .. } => true,
            State::Agreed(channel) => channel.third.is_some(),
            State::Waiting | State::Refused => false,
        };
        if !unsettled {
            return None;
        }
        self.state = State::Refused;
        self.again = None;
        let reason = if rest == [3] { Reason::Stranger } else { Reason::Secret };
        Some(Brought::refused(reason))
    }
}

impl Brought {
    fn refused(reason: Reason) -> Brought {
        Brought { happened: Some(Happened::Refused(reason)), ..Brought::default() }
    }
}

impl Own {
    fn lets_in(&self, key: PublicKey) -> bool {
        self.known.as_ref().is_none_or(|known| known.contains(&key))
    }
}

impl Channel {
    fn new(agreed: Agreed, name: DisplayName) -> Channel {
        let Agreed { sealing, opening, key, words } = agreed;
        let told = Some(Happened::Met { key, name, words });
        Channel { sealing, opening, number: 0, window: Window::new(), third: None, told }
    }

    fn seal(&mut self, session: u32, said: &[u8]) -> Option<Vec<u8>> {
        let number = self.number;
        self.number = number.checked_add(1)?;
        let mut body = head(4, session);
        body.extend_from_slice(&number.to_be_bytes());
        let at = body.len();
        body.extend_from_slice(said);
        let nonce = noise::nonce(number.into());
        let tag = noise::seal(&self.sealing, &nonce, &[], &mut body[at..])?;
        body.extend_from_slice(&tag);
        Some(body)
    }

    fn open(&mut self, rest: &[u8]) -> Option<Vec<u8>> {
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let number = u64::from(u32::from_be_bytes(*number));
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        if !self.window.is_new(number) {
            return None;
        }
        let mut said = sealed.to_vec();
        noise::open(&self.opening, &noise::nonce(number), &[], &mut said, tag)?;
        self.window.take(number);
        Some(said)
    }
}

fn head(kind: u8, session: u32) -> Vec<u8> {
    let mut head = vec![kind];
    head.extend_from_slice(&session.to_be_bytes());
    head
}

/// How soon something is said again at first, and at last.
const FIRST: Duration = Duration::from_millis(150);
const SLOWEST: Duration = Duration::from_millis(600);

#[cfg(test)]
mod tests;
