//! One listener: its socket, its place, and its patience.

use super::{
    Config, Pace,
    carry::{Carry, Goal, Then},
    cursor::Cursor,
    reel::{Entry, Reel},
    transport::Wire,
    wheel::{Seat, Tick},
};
use crate::{End, Session};
use bytes::Bytes;
use std::{
    io::{self, IoSlice},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// A listener in a reactor's slab; what most of them need most of the time fits three cache lines.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) wire: Wire,
    pub(super) session: Arc<Session>,
    pub(super) cursor: Cursor,
    pub(super) carry: Option<Box<Carry>>,
    pub(super) pace: Pace,
    /// The crowd it is in, and its number there.
    pub(super) crowd: u32,
    pub(super) member: u32,
    /// Its number among those of its crowd that are served at once, where it is one.
    pub(super) prompt: Option<u32>,
    /// Where it sits on the reactor's wheel.
    pub(super) seat: Seat,
    /// Waits for the first entry: it has no place on the reel yet.
    pub(super) hungry: bool,
    /// The socket was full when last tried.
    pub(super) blocked: bool,
    /// When its socket last took something.
    pub(super) progress: Tick,
    pub(super) expires: Option<Tick>,
    /// How far it may fall behind.
    pub(super) slack: Slack,
    pub(super) skips: Skips,
}

/// How often a listener was moved lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skips {
    count: u32,
    since: Tick,
}

/// How far a listener may fall behind before it is moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slack {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

impl Listener {
    /// Writes all there is for it, or as much as its socket takes.
    pub(super) fn flush(&mut self, reel: &Reel, tick: Tick) -> Flushed {
        let mut flushed = Flushed::default();
        loop {
            let until = self.until();
            let carry = self.carry.as_deref();
            let mut slices = [IoSlice::new(&[]); SLICES];
            let (count, bytes, ahead) = self.cursor.plan(carry, reel, until, &mut slices);
            if bytes == 0 {
                flushed.outcome = self.rest();
                return flushed;
            }
            match self.wire.write(&slices[..count]) {
                Ok(0) => flushed.outcome = Outcome::Gone,
                Ok(written) => {
                    match written == bytes {
                        true => self.cursor = ahead,
                        false => self.cursor.advance(written, carry, reel, until),
                    }
                    self.progress = tick;
                    self.session.count(written);
                    flushed.writes += 1;
                    flushed.bytes += written as u64;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    flushed.outcome = Outcome::Full;
                }
                Err(_) => flushed.outcome = Outcome::Gone,
            }
            return flushed;
        }
    }

    /// Everything is written: either it has come to its goal, or it carries nothing any more.
    fn rest(&mut self) -> Outcome {
        let Some(carry) = &mut self.carry else { return Outcome::Even };
        (self.cursor.part, self.cursor.within) = (0, 0);
        let arrived = carry.goal.take_if(|goal| self.hungry || self.cursor.offset >= goal.until);
        match (arrived, carry.goal.is_some()) {
            (Some(goal), _) => {
                self.carry = None;
                Outcome::Arrived(goal.then)
            }
            (None, true) => {
                carry.clear();
                Outcome::Even
            }
            (None, false) => {
                self.carry = None;
                Outcome::Even
            }
        }
    }

    /// Whether it is to be served at each publish.
    pub(super) fn is_prompt(&self) -> bool {
        self.hungry || self.pace == Pace::Low
    }

    /// Where on the reel it may read to.
    fn until(&self) -> u64 {
        match (&self.carry, self.hungry) {
            (_, true) => 0,
            (Some(carry), false) => carry.goal.as_ref().map_or(u64::MAX, |goal| goal.until),
            (None, false) => u64::MAX,
        }
    }

    /// The first offset on the reel that it still needs.
    pub(super) fn needs(&self) -> Option<u64> {
        (self.cursor.offset < self.until()).then_some(self.cursor.offset)
    }

    /// Whether it is further behind than it may be.
    pub(super) fn is_late(&self, reel: &Reel) -> bool {
        self.needs().is_some_and(|offset| {
            reel.end() - offset > self.slack.bytes || reel.lag(offset) > self.slack.time
        })
    }

    /// Takes its place at `entry`, with the header set first unless it has `had` the same.
    pub(super) fn land(&mut self, entry: Entry, reel: &Reel, had: Option<Bytes>, config: &Config) {
        let header = reel.header_of(entry);
        if had.as_ref() != Some(&header) {
            self.carry.get_or_insert_default().header(header);
        }
        self.cursor.offset = entry.offset;
        self.hungry = false;
        self.slack = Slack::new(config, reel, entry);
    }

    /// Waits for the first entry from the reel's end on.
    pub(super) fn starve(&mut self, reel: &Reel) {
        self.cursor.offset = reel.end();
        self.hungry = true;
    }

    /// Lands if the entry that it waited for has come.
    pub(super) fn feed(&mut self, reel: &Reel, config: &Config) {
        if let Some(entry) = reel.entry_from(self.cursor.offset).filter(|_| self.hungry) {
            self.land(entry, reel, None, config);
        }
    }

    /// Takes the rest of the page it is in along, so that it can leave its place; gives the header set that it has
    /// had, if it is sure.
    pub(super) fn leave_page(&mut self, reel: &Reel) -> Option<Bytes> {
        if self.hungry {
            return None;
        }
        let had = reel.header_before(self.cursor.offset);
        let end = reel.page_end(self.cursor.offset);
        let carry = self.carry.get_or_insert_default();
        let shed = carry.shed(self.cursor.part, self.cursor.within);
        self.cursor.part = 0;
        carry.body(reel.copy(self.cursor.offset, end));
        self.cursor.offset = end;
        (!shed).then_some(had)
    }

    /// Moves to the newest entry behind the page it is in, or waits for the next one if it `must` leave. `false` when
    /// that happened too often.
    pub(super) fn skip(&mut self, reel: &Reel, must: bool, tick: Tick, config: &Config) -> bool {
        let newest = reel.newest().filter(|newest| newest.offset > self.cursor.offset);
        let leaving = self.carry.as_ref().is_some_and(|carry| carry.goal.is_some());
        if newest.is_none() && !leaving && !must {
            return true;
        }
        self.session.skips.fetch_add(1, Relaxed);
        let patient = self.skips.count(tick) <= config.skips;
        let had = self.leave_page(reel);
        let here = self.cursor.offset;
        match (self.carry.as_mut().and_then(|carry| carry.goal.as_mut()), newest) {
            (Some(goal), _) => goal.until = goal.until.min(here),
            (None, Some(newest)) if newest.offset >= here => self.land(newest, reel, had, config),
            (None, _) => self.starve(reel),
        }
        patient
    }

    /// Sets out for `then` at the end of what the reel has now, unless it is already on its way out.
    pub(super) fn aim(&mut self, then: Then, reel: &Reel) {
        let until = if self.hungry { self.cursor.offset } else { reel.end() };
        let carry = self.carry.get_or_insert_default();
        match &mut carry.goal {
            Some(Goal { then: Then::Close(_), .. }) => {}
            Some(goal) => goal.then = then,
            none => *none = Some(Goal { until, then }),
        }
    }

    /// Ends at the end of the page it is in.
    pub(super) fn expire(&mut self, reel: &Reel) {
        let here = self.cursor.offset;
        let until = if self.hungry { here } else { reel.page_end(here) };
        self.carry.get_or_insert_default().goal = Some(Goal { until, then: Then::Close(End::Expired) });
    }

    /// Where it is going, if it is leaving.
    pub(super) fn goal(&self) -> Option<&Then> {
        self.carry.as_ref()?.goal.as_ref().map(|goal| &goal.then)
    }
}

impl Slack {
    /// What is allowed to one who begins at `entry`: the configured lag beyond its burst.
    pub(super) fn new(config: &Config, reel: &Reel, entry: Entry) -> Slack {
        Slack {
            time: config.lag + reel.lag(entry.offset),
            bytes: config.lag_bytes as u64 + (reel.end() - entry.offset),
        }
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

/// One write takes at most this many slices: a burst of 64 KiB with title blocks has 12.
const SLICES: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);
