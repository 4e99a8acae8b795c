//! Puts verified chunks in order, begins where a player may, and decides when a missing one is lost.

use super::ring::Ring;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Chunks that wait for those before them, and those played of late for neighbours that miss them.
///
/// Holds at most [`HELD`] chunks after the next to be played; later ones are refused.
#[derive(Debug)]
pub(super) struct Playout {
    /// The next to be played; nothing until one is there at which a player may begin.
    next: Option<u64>,
    highest: u64,
    waiting: Ring<Held>,
    patience: Duration,
    /// Since when the next was missed, when that was looked for last: for a later time at most, while it is the same one.
    missed: Option<(u64, Instant)>,
}

#[derive(Debug)]
struct Held {
    entry: bool,
    data: Bytes,
    came: Instant,
}

/// What is played.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Chunk(u64, Bytes),
    Lost(u64),
}

impl Playout {
    pub(super) fn new(patience: Duration) -> Playout {
        Playout { next: None, highest: 0, waiting: Ring::new(HELD as usize), patience, missed: None }
    }

    /// Takes a chunk in; false where it is too late or too early for it.
    pub(super) fn put(&mut self, now: Instant, number: u64, entry: bool, data: Bytes) -> bool {
        if self.next.is_some_and(|next| number < next || number >= next + HELD) {
            return false;
        }
        self.highest = self.highest.max(number);
        self.waiting.put(number, Held { entry, data, came: now })
    }

    /// Begins where a player may, once one of the chunks says so.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Next> {
        if self.next.is_none() {
            self.next = self.waiting.iter().find(|(_, held)| held.entry).map(|(number, _)| number);
            self.waiting.forget_before(self.next?);
        }
        let next = self.next?;
        if let Some(held) = self.waiting.take(next) {
            self.next = Some(next + 1);
            return Some(Next::Chunk(next, held.data));
        }
        if next > self.highest {
            return None;
        }
        let is_early = |since: Instant| now.saturating_duration_since(since) < self.patience;
        if self.missed.is_some_and(|(missed, since)| missed == next && is_early(since)) {
            return None;
        }
        // A chunk is late from when the first came that is later, not from when its turn is: holes wait side by side.
        let since = self.waiting.iter().take(LOOKED_AT).map(|(_, held)| held.came).min();
        self.missed = since.map(|since| (next, since));
        if since.is_some_and(is_early) {
            return None;
        }
        self.next = Some(next + 1);
        Some(Next::Lost(next))
    }

    /// Nothing came for so long: what is missed by then is not late for that.
    pub(super) fn pause(&mut self, time: Duration) {
        if !time.is_zero() {
            self.waiting.iter_mut().for_each(|held| held.came += time);
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Reads a little of itself, and of where a number belongs.
    pub(super) fn read(&self, number: Option<u64>) -> u64 {
        let place = |number| self.waiting.read(number);
        self.highest ^ self.next.unwrap_or_default() ^ number.map_or(self.waiting.read_itself(), place)
    }

    /// What waits, from where, for who wants to know what is missing.
    pub(super) fn has(&self, number: u64) -> bool {
        self.next.is_some_and(|next| number < next) || self.waiting.get(number).is_some()
    }
}

/// Later chunks whose coming tells since when one is missed.
const LOOKED_AT: usize = 16;
/// Chunks ahead of what is played, at most.
pub(super) const HELD: u64 = 4_096;
