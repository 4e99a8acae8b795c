//! One listener: its socket, its place, and our patience with it.

use super::{
    Config, Farewell, Pace,
    carry::Then,
    place::Place,
    reel::Reel,
    transport::Wire,
    wheel::{Seat, Tick},
};
use crate::{End, Session};
use std::{
    io::{self, IoSlice},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// A listener in a reactor's slab.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) wire: Wire,
    pub(super) session: Arc<Session>,
    pub(super) place: Place,
    pub(super) pace: Pace,
    /// The crowd it is in, and its number there.
    pub(super) crowd: u32,
    pub(super) member: u32,
    /// Its number among those of its crowd that are served at each publish, if it is one of them.
    pub(super) prompt: Option<u32>,
    /// Where it sits on the reactor's wheel.
    pub(super) seat: Seat,
    /// The socket was full when last tried.
    pub(super) blocked: bool,
    /// When its socket last took something.
    pub(super) progress: Tick,
    pub(super) expires: Option<Tick>,
    pub(super) skips: Skips,
    pub(super) farewell: Option<Box<Farewell>>,
}

/// How often a listener was moved lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skips {
    count: u32,
    since: Tick,
}

/// What a flush came to.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    pub(super) writes: u64,
    pub(super) bytes: u64,
    pub(super) outcome: Outcome,
}

/// Where a listener is after a flush.
#[derive(Debug, Default)]
pub(super) enum Outcome {
    /// It has all there is for it.
    #[default]
    Even,
    /// Its socket is full.
    Full,
    /// Its connection is gone.
    Gone,
    /// It has come to its goal.
    Arrived(Then),
}

/// Whether a listener was moved forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// It stays where it is.
    Not,
    Moved,
    /// It was moved more often than we bear.
    TooOften,
}

impl Listener {
    /// Writes all there is for it, or as much as its socket takes.
    pub(super) fn flush(&mut self, reel: &Reel, tick: Tick) -> Flushed {
        let mut flushed = Flushed::default();
        flushed.outcome = loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let plan = self.place.plan(reel, &mut slices);
            let written = match plan.bytes {
                0 => self.wire.push().map(|()| 0),
                _ => self.wire.write(&slices[..plan.slices]),
            };
            match written {
                Ok(0) if plan.bytes > 0 => break Outcome::Gone,
                Ok(written) => {
                    self.place.wrote(written, &plan, reel);
                    self.count(written, tick, &mut flushed);
                    if plan.all && written == plan.bytes && !self.wire.holds() {
                        break self.place.rest().map_or(Outcome::Even, Outcome::Arrived);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break Outcome::Full;
                }
                Err(_) => break Outcome::Gone,
            }
        };
        if flushed.bytes > 0 {
            self.count_pages(reel);
        }
        flushed
    }

    fn count_pages(&mut self, reel: &Reel) {
        let counts = self.place.take_counts(reel);
        self.session.meter.pages(counts.given, counts.missed);
    }

    fn count(&mut self, written: usize, tick: Tick, flushed: &mut Flushed) {
        if written > 0 {
            self.progress = tick;
            self.session.count(written);
            flushed.writes += 1;
            flushed.bytes += written as u64;
        }
    }

    /// Moves on over what it is too slow for, or what the reel lets go of before `due`.
    pub(super) fn skip(&mut self, reel: &Reel, due: u64, tick: Tick, config: &Config) -> Skipped {
        if !self.place.skip(reel, due, config) {
            return Skipped::Not;
        }
        self.session.skips.fetch_add(1, Relaxed);
        self.count_pages(reel);
        match self.skips.count(tick) <= config.skips {
            true => Skipped::Moved,
            false => Skipped::TooOften,
        }
    }

    /// Says the last words, which nobody waits for.
    pub(super) fn bid_farewell(&mut self, end: End) {
        if let Some(words) = self.farewell.take() {
            let draining = words.draining.as_ref().filter(|_| end == End::Shutdown);
            let _in_vain = self.wire.write(&[IoSlice::new(draining.unwrap_or(&words.ended))]);
        }
    }

    /// Whether it is to be served at each publish.
    pub(super) fn is_prompt(&self) -> bool {
        self.place.is_hungry() || self.pace == Pace::Low
    }
}

impl Skips {
    /// Counts one more, and gives how many there were within the minute.
    fn count(&mut self, tick: Tick) -> u32 {
        if tick.since(self.since) > MINUTE {
            *self = Skips { count: 0, since: tick };
        }
        self.count += 1;
        self.count
    }
}

/// One write takes at most this many slices: a burst of 64 KiB with title blocks has 12.
const SLICES: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);
