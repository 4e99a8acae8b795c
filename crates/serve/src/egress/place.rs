//! Where one listener is in its stream, and how it moves: along a reel, over what it missed, to another reel.

use super::{
    CatchUp, Config,
    carry::{Carry, Goal, Then},
    cursor::Cursor,
    framing::{Framing, Layout},
    reel::{Entry, Reel},
};
use crate::End;
use bytes::Bytes;
use std::io::IoSlice;

/// A listener without its socket. However it moves, what it is sent are whole pages, each header set before what needs
/// it, and its framing's inserts where they are due.
#[derive(Debug)]
pub(super) struct Place {
    cursor: Cursor,
    carry: Option<Box<Carry>>,
    /// Waits for the first entry from its offset on: it is not on the reel yet.
    hungry: bool,
    /// The header set that its offset needs was taken from it before it was begun.
    bare: bool,
    /// It is to be live from its first entry on.
    press: Option<CatchUp>,
    slack: Slack,
    counts: Counts,
}

/// Pages that a listener was given or that were left out, since that was asked last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) given: u64,
    pub(super) missed: u64,
    /// Pages of its reel before where it was when it was looked at last; `None` without a place.
    here: Option<u64>,
}

/// How far a listener may fall behind before it is moved.
#[derive(Clone, Copy, Debug, Default)]
struct Slack {
    millis: u32,
    bytes: u32,
}

/// Bytes laid out to be written.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) slices: usize,
    pub(super) bytes: usize,
    /// There is nothing beyond it.
    pub(super) all: bool,
    ahead: Cursor,
}

impl Place {
    /// At nothing yet but the answer's head and what is played before the stream.
    pub(super) fn new(framing: Framing, head: Bytes, intro: Bytes) -> Place {
        let mut carry = Box::<Carry>::default();
        carry.head(head);
        carry.body(intro);
        let cursor = Cursor { part: 0, within: 0, offset: 0, layout: Layout::from(framing) };
        let slack = Slack::default();
        let counts = Counts::default();
        Place { cursor, carry: Some(carry), hungry: true, bare: false, press: None, slack, counts }
    }

    /// Has it begin with what has passed pressed together.
    pub(super) fn catching_up(self, press: Option<CatchUp>) -> Place {
        Place { press, ..self }
    }

    /// Lays out the next bytes, as many as the slices hold.
    pub(super) fn plan<'a>(&'a self, reel: &'a Reel, slices: &mut [IoSlice<'a>]) -> Plan {
        let most = slices.len();
        let (slices, bytes, ahead) = self.cursor.plan(self.carry.as_deref(), reel, self.until(), slices);
        Plan { slices, bytes, all: slices < most, ahead }
    }

    /// Some of what was planned is written.
    pub(super) fn wrote(&mut self, bytes: usize, plan: &Plan, reel: &Reel) {
        let until = self.until();
        match bytes == plan.bytes {
            true => self.cursor = plan.ahead,
            false => self.cursor.advance(bytes, self.carry.as_deref(), reel, until),
        }
    }

    /// Nothing is left to be written: where it goes, if it has come to its goal.
    pub(super) fn rest(&mut self) -> Option<Then> {
        let carry = self.carry.as_mut()?;
        (self.cursor.part, self.cursor.within) = (0, 0);
        carry.clear();
        let arrived = carry.goal.take_if(|goal| self.hungry || self.cursor.offset >= goal.until);
        if carry.goal.is_none() {
            self.carry = None;
        }
        arrived.map(|goal| goal.then)
    }

    /// Where on the reel it may read to.
    fn until(&self) -> u64 {
        match (self.hungry, &self.carry) {
            (true, _) => 0,
            (false, Some(carry)) => carry.goal.as_ref().map_or(u64::MAX, |goal| goal.until),
            (false, None) => u64::MAX,
        }
    }

    /// The first offset on the reel that it still needs.
    pub(super) fn needs(&self) -> Option<u64> {
        (self.cursor.offset < self.until()).then_some(self.cursor.offset)
    }

    pub(super) fn is_hungry(&self) -> bool {
        self.hungry
    }

    /// Whether it is further behind than it may be.
    pub(super) fn is_late(&self, reel: &Reel) -> bool {
        self.needs().is_some_and(|offset| {
            let Slack { millis, bytes } = self.slack;
            reel.end() - offset > u64::from(bytes) || reel.lag(offset).as_millis() > u128::from(millis)
        })
    }

    /// Takes its place at `entry`, or waits for the next one; with the header set first unless it has `had` the same.
    pub(super) fn begin(&mut self, entry: Option<Entry>, reel: &Reel, had: Option<Bytes>, config: &Config) {
        match entry {
            Some(entry) => self.land(entry, reel, had, config),
            None => self.starve(reel),
        }
    }

    fn land(&mut self, entry: Entry, reel: &Reel, had: Option<Bytes>, config: &Config) {
        let first = reel.pages_before(entry.offset);
        self.counts.missed += self.counts.here.map_or(0, |here| first.saturating_sub(here));
        self.counts.here = Some(first);
        match self.press.take().and_then(|press| reel.pressed(entry, press)) {
            Some(pressed) => {
                self.carry.get_or_insert_default().body(pressed);
                self.cursor.offset = reel.end();
            }
            None => {
                let header = reel.header_of(entry);
                if had.as_ref() != Some(&header) {
                    self.carry.get_or_insert_default().header(header);
                }
                self.cursor.offset = entry.offset;
            }
        }
        (self.hungry, self.bare) = (false, false);
        let (time, bytes) = (config.lag.saturating_add(reel.lag(entry.offset)), reel.end() - entry.offset);
        self.slack = Slack {
            millis: u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
            bytes: u32::try_from(bytes.saturating_add(config.lag_bytes as u64)).unwrap_or(u32::MAX),
        };
    }

    /// What it was given and what it missed since this was asked last.
    pub(super) fn take_counts(&mut self, reel: &Reel) -> Counts {
        self.count(reel);
        let here = self.counts.here;
        std::mem::replace(&mut self.counts, Counts { here, ..Counts::default() })
    }

    fn count(&mut self, reel: &Reel) {
        if let (Some(last), false) = (self.counts.here, self.hungry) {
            let here = reel.pages_before(self.cursor.offset);
            self.counts.given += here.saturating_sub(last);
            self.counts.here = Some(here);
        }
    }

    fn starve(&mut self, reel: &Reel) {
        self.cursor.offset = reel.end();
        self.hungry = true;
    }

    /// Lands if the entry that it waits for has come.
    pub(super) fn feed(&mut self, reel: &Reel, config: &Config) {
        // who is to be live begins as late as it can
        let entry = if self.press.is_some() { reel.newest() } else { reel.entry_from(self.cursor.offset) };
        if let Some(entry) = entry.filter(|entry| self.hungry && entry.offset >= self.cursor.offset) {
            self.land(entry, reel, None, config);
        }
    }

    /// Moves to the newest entry behind the page it is in; `false` when there is none or it needs nothing, and it stays. If the reel is
    /// about to let go of what it needs before `due`, it leaves all the same and waits for the next entry. One that is
    /// on its way out leaves at the end of its page instead.
    pub(super) fn skip(&mut self, reel: &Reel, due: u64, config: &Config) -> bool {
        let Some(offset) = self.needs() else { return false };
        let newest = reel.newest().filter(|newest| newest.offset > offset);
        if newest.is_none() && self.goal().is_none() && offset >= due {
            return false;
        }
        let had = self.leave_page(reel);
        self.count(reel);
        let here = self.cursor.offset;
        match self.carry.as_mut().and_then(|carry| carry.goal.as_mut()) {
            Some(goal) => goal.until = goal.until.min(here),
            None => self.begin(newest.filter(|newest| newest.offset >= here.max(due)), reel, had, config),
        }
        true
    }

    /// Takes along the rest of the page and of the insert that it is in, so that it can leave; gives the header set
    /// that it has had, if that is sure.
    fn leave_page(&mut self, reel: &Reel) -> Option<Bytes> {
        let had = self.header(reel);
        let end = reel.page_end(self.cursor.offset);
        let carry = self.carry.get_or_insert_default();
        self.bare |= carry.shed(self.cursor.part, self.cursor.within);
        (self.cursor.part, self.cursor.within) = (0, 0);
        carry.first(self.cursor.layout.take_insert(reel));
        carry.body(reel.copy(self.cursor.offset, end));
        self.cursor.offset = end;
        had.filter(|_| !self.bare)
    }

    /// The header set that it was given last, if it has been on the reel.
    pub(super) fn header(&self, reel: &Reel) -> Option<Bytes> {
        (!self.hungry && !self.bare).then(|| reel.header_before(self.cursor.offset))
    }

    /// It was on its way out and stays after all: where it is, or from the next entry on if that is gone meanwhile.
    pub(super) fn stay(&mut self, reel: &Reel) {
        if self.cursor.offset < reel.start() {
            self.starve(reel);
        }
    }

    /// It has no place until it [begins](Place::begin) on another reel, whose titles it has not heard.
    pub(super) fn leave_reel(&mut self) {
        self.cursor.layout.move_on();
        self.hungry = true;
        self.counts.here = None;
    }

    /// Sets out for `then` at the end of what the reel has now, unless it is to end anyway.
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
    pub(super) fn close(&mut self, reel: &Reel, end: End) {
        let here = self.cursor.offset;
        let until = self.needs().map_or(here, |here| reel.page_end(here));
        self.carry.get_or_insert_default().goal = Some(Goal { until, then: Then::Close(end) });
    }

    /// Where it is going, if it is leaving.
    pub(super) fn goal(&self) -> Option<&Then> {
        self.carry.as_ref()?.goal.as_ref().map(|goal| &goal.then)
    }
}

#[cfg(test)]
mod tests;
