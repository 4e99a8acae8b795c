//! A session: what a handshake has led to.

use super::Event;
use super::handshake::Agreed;
use super::identity::{PublicKey, Words};
use super::keys::{Opening, Sealing, TAG};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The first twelve bytes of a sealed datagram, but for its number and the session's index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Seven bits.
    pub flags: u8,
    /// What the body is.
    pub kind: u8,
    /// How much is in it.
    pub counts: u8,
    /// When.
    pub time: u32,
}

/// A sealed datagram of the other end, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its head.
    pub head: Head,
    /// Its number in the session, from 0 on.
    pub number: u64,
    /// Whether no higher number came before.
    pub is_newest: bool,
    /// Which session it belongs to: a later one has a greater number.
    pub session: u64,
    /// What the other end said of itself when it began.
    pub hello: [u8; 4],
}

impl Head {
    /// Bytes.
    pub const LENGTH: usize = 12;
}

pub struct Session {
    pub id: u32,
    pub serial: u64,
    pub ours: u8,
    theirs: u8,
    pub peer: SocketAddr,
    pub key: PublicKey,
    pub words: Words,
    pub hello: [u8; 4],
    pub heard: Option<Instant>,
    /// What is told when the first datagram opens.
    pub opened: Option<Event>,
    began: Instant,
    sealing: Sealing,
    opening: Opening,
    /// The third message, which is repeated until something is heard, and when it was sent.
    third: Option<(Bytes, Instant)>,
}

impl Session {
    pub fn new(
        now: Instant,
        peer: SocketAddr,
        (id, theirs): (u32, u32),
        agreed: Agreed,
        hello: [u8; 4],
        third: Option<Bytes>,
    ) -> Session {
        let Agreed { sealing, opening, key, words } = agreed;
        let third = third.map(|third| (third, now));
        let (ours, theirs) = (id as u8, theirs as u8);
        Session {
            id,
            serial: 0,
            ours,
            theirs,
            peer,
            key,
            words,
            hello,
            heard: None,
            opened: None,
            began: now,
            sealing,
            opening,
            third,
        }
    }

    /// The number of the next datagram that is sealed.
    pub fn next(&self) -> u64 {
        self.sealing.next()
    }

    pub fn seal(&mut self, head: Head, body: &[u8]) -> (u64, Vec<u8>) {
        let number = self.sealing.next();
        let mut datagram = Vec::with_capacity(Head::LENGTH + body.len() + TAG);
        datagram.extend_from_slice(&[super::SEALED | head.flags, head.kind, self.theirs, head.counts]);
        datagram.extend_from_slice(&(number as u32).to_be_bytes());
        datagram.extend_from_slice(&head.time.to_be_bytes());
        let mut bound = [0; Head::LENGTH];
        bound.copy_from_slice(&datagram);
        datagram.extend_from_slice(body);
        self.sealing.seal(&bound, Head::LENGTH, &mut datagram);
        (number, datagram)
    }

    pub fn open(&mut self, now: Instant, datagram: &[u8], body: &mut Vec<u8>) -> Option<Opened> {
        let (head, rest) = datagram.split_first_chunk::<{ Head::LENGTH }>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        body.extend_from_slice(sealed);
        let Some((number, is_newest)) = self.opening.open(word(4), head, body, tag) else {
            body.clear();
            return None;
        };
        (self.heard, self.third) = (Some(now), None);
        let head = Head { flags: head[0] & 127, kind: head[1], counts: head[3], time: word(8) };
        Some(Opened { head, number, is_newest, session: self.serial, hello: self.hello })
    }

    /// The third message, when it is time to send it again.
    pub fn repeat(&mut self, now: Instant) -> Option<(SocketAddr, Bytes)> {
        let (third, sent) = self.third.as_mut()?;
        if now.duration_since(*sent) < AGAIN {
            return None;
        }
        *sent = now;
        Some((self.peer, third.clone()))
    }

    /// Whether the third message is still to be repeated.
    pub fn repeats(&self) -> bool {
        self.third.is_some()
    }

    pub fn is_unheard(&self) -> bool {
        self.heard.is_none()
    }

    /// How long nothing was heard.
    pub fn silence(&self, now: Instant) -> Duration {
        now.duration_since(self.heard.unwrap_or(self.began))
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.silence(now) > if self.is_unheard() { super::PATIENCE } else { FORGOTTEN }
    }
}

/// How soon the third message is sent again.
const AGAIN: Duration = Duration::from_millis(40);
/// A session in which nothing was heard so long is over.
const FORGOTTEN: Duration = Duration::from_secs(180);
