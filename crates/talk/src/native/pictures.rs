//! The pictures of a call: sent between its sound, put together again, and timed by it.

mod piece;
mod receiving;
mod sending;

pub use piece::{Coded, Form, Piece};
pub use receiving::{Counts as Received, Receiving};
pub use sending::Counts as Sent;

use bytes::Bytes;
use piece::{LOST, MISSING, PIECE, WATCHES, read_missing, write_missing};
use sending::Sending;

/// Pictures both ways. Times are seconds by the call's clock (see [`NativeCall::clock`](super::NativeCall::clock)).
///
/// What is sent of them is what sound leaves of the rate. They are coded elsewhere, since that takes longer than a block: by what
/// [`ask`](Pictures::ask) says, as late as possible, so that nothing has to be dropped that was coded.
#[derive(Debug)]
pub struct Pictures {
    /// Bits a second that ours may take; none where there are none.
    most: Option<u32>,
    watches: bool,
    /// Whether the other end looks at ours.
    watched: bool,
    sending: Sending,
    receiving: Receiving,
    /// Bits a second that sound takes, and that are left.
    sound: f64,
    left: f64,
    at: f64,
    rtt: f64,
    /// Frames of our sound so far; when there were none, at this end; and frames a second.
    frames: i64,
    origin: Option<f64>,
    rate: f64,
    /// When a block of the other end's sound was played out, up to which frame of it, and frames a second.
    heard: Option<(f64, i64, f64)>,
}

/// How pictures are to be coded now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ask {
    /// Whether anybody looks at them: else none need be made.
    pub watched: bool,
    /// Bits a second.
    pub bits: f64,
    /// The next one is to stand alone.
    pub refresh: bool,
    /// Seconds that those given before still need to leave. The next one is better captured later where that is much.
    pub waiting: f64,
}

impl Pictures {
    /// Bits a second that ours may take; none where there are none.
    pub fn new(most: Option<u32>) -> Pictures {
        Pictures {
            most,
            watches: false,
            watched: false,
            sending: Sending::new(),
            receiving: Receiving::default(),
            sound: 0.0,
            left: 0.0,
            at: 0.0,
            rtt: 0.0,
            frames: 0,
            origin: None,
            rate: 1.0,
            heard: None,
        }
    }

    /// Whether this end looks at the other's: it sends none to whoever does not.
    pub fn watch(&mut self, watches: bool) {
        self.watches = watches;
    }

    /// What became of ours.
    pub fn sent(&self) -> Sent {
        self.sending.counts()
    }

    /// What became of theirs.
    pub fn received(&self) -> Received {
        self.receiving.counts()
    }

    /// How the next picture is to be coded.
    pub fn ask(&self) -> Ask {
        let waiting = self.sending.bytes() as f64 * 8.0 / self.left.max(1_000.0);
        Ask {
            watched: self.watched && self.most.is_some(),
            bits: self.left,
            refresh: self.sending.refresh(),
            waiting,
        }
    }

    /// Sends a picture that was captured then; its time is set. False where it is not sent, and the next is to stand alone.
    pub fn send(&mut self, captured: f64, mut coded: Coded) -> bool {
        let Some(origin) = self.origin.filter(|_| self.watched && self.most.is_some()) else { return false };
        coded.time = ((captured - origin) * self.rate).round() as i64 as u32;
        self.sending.push(self.at, &coded)
    }

    /// The next picture of the other end's, if it is whole.
    pub fn take(&mut self) -> Option<Coded> {
        self.receiving.take(self.at, PATIENCE + 2.5 * self.rtt)
    }

    /// Seconds from `now` on until the sound is heard that belongs to a picture of that time; none while there is no sound.
    pub fn until(&self, now: f64, time: u32) -> Option<f64> {
        let (at, frame, rate) = self.heard?;
        Some(f64::from(time.wrapping_sub(frame as u32) as i32) / rate - (now - at))
    }

    /// Seconds of sound that were captured, and as many that were played, so far.
    pub fn position(&self) -> f64 {
        self.frames as f64 / self.rate
    }

    /// A picture could not be drawn.
    pub fn lost(&mut self) {
        self.receiving.give_up();
    }

    /// Whether ours take part of the rate.
    pub(super) fn share(&self) -> bool {
        self.watched && self.most.is_some()
    }

    /// Flags of sound's datagrams.
    pub(super) fn flags(&self) -> u8 {
        match self.watches {
            true => WATCHES | if self.receiving.is_lost() { LOST } else { 0 },
            false => 0,
        }
    }

    /// A datagram of sound came with these flags.
    pub(super) fn flagged(&mut self, now: f64, flags: u8) {
        let watched = flags & WATCHES != 0;
        if watched && !self.watched {
            self.sending.restart();
        }
        self.watched = watched;
        if flags & LOST != 0 {
            self.sending.lost(now, self.rtt);
        }
    }

    /// Whether a kind of datagram is one of ours.
    pub(super) fn is_kind(kind: u8) -> bool {
        kind == PIECE || kind == MISSING
    }

    /// Takes such a datagram's body.
    pub(super) fn read(&mut self, now: f64, kind: u8, time: u32, body: &[u8]) -> Option<()> {
        if kind == MISSING {
            self.sending.missing(read_missing(body)?);
            return Some(());
        }
        let piece = Piece::read(body)?;
        if self.watches {
            self.receiving.put(now, time, piece);
        }
        Some(())
    }

    /// There is a session with another program, which knows nothing of this one.
    pub(super) fn restart(&mut self) {
        (self.watched, self.heard) = (false, None);
        self.sending.restart();
        self.receiving.restart();
    }

    /// A block of ours was sent with so many bytes, up to frame `time`, where so many bits a second may be.
    pub(super) fn cycle(
        &mut self,
        now: f64,
        time: u32,
        frames_a_second: u32,
        bytes: usize,
        (rate, rtt): (f64, f64),
    ) {
        let elapsed = (now - self.at).clamp(0.0, 0.1);
        (self.at, self.rtt, self.rate) = (now, rtt, f64::from(frames_a_second));
        // blocks are never early: the earliest of the last minutes tells
        self.frames += i64::from(time.wrapping_sub(self.frames as u32) as i32);
        let origin = now - self.frames as f64 / self.rate;
        let known =
            self.origin.map(|known| known + 5e-4 * elapsed).filter(|known| (origin - known).abs() < 0.4);
        self.origin = Some(known.map_or(origin, |known| known.min(origin)));
        self.sound += (bytes as f64 * 8.0 / elapsed.max(1e-3) - self.sound) * (2.0 * elapsed).min(1.0);
        self.left = (rate - self.sound).clamp(0.0, self.most.map_or(0.0, f64::from));
        self.sending.allow(now, self.left / 8.0 * elapsed);
    }

    /// A block of theirs was played out by now, up to this frame.
    pub(super) fn heard(&mut self, now: f64, frame: Option<i64>, frames_a_second: u32) {
        self.heard = frame.map(|frame| (now, frame, f64::from(frames_a_second)));
    }

    /// What is to be sent next: its kind, its time and its body.
    pub(super) fn transmit(&mut self, now: f64) -> Option<(u8, u32, Bytes)> {
        if self.watches {
            let missing = self.receiving.missing(now, 0.015 + 1.25 * self.rtt);
            if !missing.is_empty() {
                return Some((MISSING, 0, write_missing(&missing)));
            }
        }
        let (time, body) = self.sending.next(now)?;
        Some((PIECE, time, body))
    }
}

/// Seconds that a picture is waited for beside the time there and back.
const PATIENCE: f64 = 0.25;
