//! The items that a channel still holds, and where one may begin among them.

use crate::{
    Flow, MediaClock, Role,
    headers::{Headers, SetCount},
    seats::Seats,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// How much a channel holds; the oldest leave first. The newest item is always held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes, 16 MiB by default.
    pub bytes: usize,
    /// Media time, 30 s by default; counts only for items that have one.
    pub time: Duration,
    /// Items, 65,536 by default.
    pub items: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { bytes: 16 << 20, time: Duration::from_secs(30), items: 1 << 16 }
    }
}

/// Where a subscriber begins, always after the header set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the next entry that is published.
    Live,
    /// At the newest entry; at the next one if there is none yet.
    Entry,
    /// At the newest entry that is at least `time` old, but no further back than `bytes` (the newest entry is taken
    /// whatever it takes). If none is that old, or time is not known: at the oldest within `bytes`.
    Burst {
        /// Media time to send at once.
        time: Duration,
        /// Bytes not to exceed.
        bytes: usize,
    },
}

#[derive(Debug)]
pub(crate) struct Ring<T> {
    bounds: Bounds,
    slots: VecDeque<Slot<T>>,
    /// Number of the first slot; the first item ever sent has number 0.
    first: u64,
    entries: VecDeque<Entry<T>>,
    headers: Headers<T>,
    note: Option<T>,
    clock: MediaClock,
    /// Bytes ever sent.
    bytes: u64,
    pub(crate) ended: bool,
    pub(crate) seats: Seats,
    pub(crate) overtaken: u64,
}

#[derive(Debug)]
struct Slot<T> {
    item: T,
    /// Bytes and media time before this item.
    bytes: u64,
    time: Duration,
}

/// An item at which one may begin, and what one must be told first.
#[derive(Debug)]
struct Entry<T> {
    number: u64,
    bytes: u64,
    time: Duration,
    prelude: Prelude<T>,
}

/// What a newcomer gets before its first item: a header set and the note in force.
#[derive(Clone, Debug)]
pub(crate) struct Prelude<T> {
    pub(crate) count: SetCount,
    pub(crate) headers: Arc<Vec<T>>,
    pub(crate) note: Option<T>,
}

impl<T: Flow> Ring<T> {
    pub(crate) fn new(bounds: Bounds) -> Ring<T> {
        Ring {
            bounds,
            slots: VecDeque::new(),
            first: 0,
            entries: VecDeque::new(),
            headers: Headers::new(),
            note: None,
            clock: MediaClock::default(),
            bytes: 0,
            ended: false,
            seats: Seats::default(),
            overtaken: 0,
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.headers.see(&item);
        let (number, bytes, time) = (self.end(), self.bytes, self.clock.passed());
        if item.role() == Role::Entry {
            self.entries.push_back(Entry { number, bytes, time, prelude: self.prelude() });
        }
        if let Some(note) = item.note() {
            self.note = Some(note);
        }
        if let Some(at) = item.at() {
            self.clock.tell(at);
        }
        self.bytes = self.bytes.saturating_add(item.weight() as u64);
        self.slots.push_back(Slot { item, bytes, time });
        self.trim();
    }

    fn trim(&mut self) {
        while self.slots.len() > 1 && self.is_over() {
            self.slots.pop_front();
            self.first += 1;
        }
        while self.entries.front().is_some_and(|entry| entry.number < self.first) {
            self.entries.pop_front();
        }
    }

    fn is_over(&self) -> bool {
        let held = self.slots.front().map_or(Duration::ZERO, |slot| self.clock.passed() - slot.time);
        self.held_bytes() > self.bounds.bytes
            || self.slots.len() > self.bounds.items
            || held > self.bounds.time
    }

    /// The number that the next item will have.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.slots.front().map_or(0, |slot| (self.bytes - slot.bytes) as usize)
    }

    /// The item with this number, if it is still or already here.
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get(index).map(|slot| &slot.item)
    }

    /// What is in force now.
    pub(crate) fn prelude(&self) -> Prelude<T> {
        Prelude { count: self.headers.count, headers: self.headers.set(), note: self.note.clone() }
    }

    /// Where `from` begins and what comes before it; `None`: at the next entry to come.
    pub(crate) fn start(&self, from: Start) -> Option<(u64, Prelude<T>)> {
        let entry = match from {
            Start::Live => None,
            Start::Entry => self.entries.back(),
            Start::Burst { time, bytes } => self.burst(time, bytes),
        }?;
        Some((entry.number, entry.prelude.clone()))
    }

    fn burst(&self, time: Duration, bytes: usize) -> Option<&Entry<T>> {
        let newest = self.entries.len().checked_sub(1)?;
        let now = self.clock.passed();
        let old = self.entries.partition_point(|entry| now - entry.time >= time);
        let far = self.entries.partition_point(|entry| self.bytes - entry.bytes > bytes as u64);
        self.entries.get(old.saturating_sub(1).max(far).min(newest))
    }
}
