//! What a peer misses, and when it asks for it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Missing chunks, at most [`MOST`]; further ones are not asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing {
    asks: BTreeMap<u64, Ask>,
    /// When to ask next; perhaps for nothing any longer.
    soonest: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Ask {
    next: Instant,
    tries: u32,
}

impl Missing {
    pub(super) fn note(&mut self, now: Instant, number: u64) {
        if self.asks.len() < MOST {
            let ask = self.asks.entry(number).or_insert(Ask { next: now + GRACE, tries: 0 });
            let next = ask.next;
            self.soonest = Some(self.soonest.map_or(next, |soonest| soonest.min(next)));
        }
    }

    /// There is somebody new to ask for these, who is told first who asks.
    pub(super) fn ask_again(&mut self, now: Instant, which: impl Fn(u64) -> bool) {
        let next = now + GRACE;
        for (_, ask) in self.asks.iter_mut().filter(|(number, _)| which(**number)) {
            *ask = Ask { next, tries: 0 };
            self.soonest = Some(self.soonest.map_or(next, |soonest| soonest.min(next)));
        }
    }

    pub(super) fn found(&mut self, number: u64) {
        // Mostly there is nothing, and a map that was emptied would look for it all the same.
        if !self.asks.is_empty() {
            self.asks.remove(&number);
        }
    }

    pub(super) fn forget(&mut self, is_here: impl Fn(u64) -> bool) {
        self.asks.retain(|number, _| !is_here(*number));
    }

    /// What is to be asked for now, each with how often it was: at most [`AT_ONCE`], the oldest first.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(u64, u32)> {
        let mut asks = Vec::new();
        let due = self.asks.iter_mut().filter(|(_, ask)| ask.next <= now && ask.tries < TRIES);
        for (number, ask) in due.take(AT_ONCE) {
            asks.push((*number, ask.tries));
            (ask.tries, ask.next) = (ask.tries + 1, now + AGAIN);
        }
        let open = self.asks.values().filter(|ask| ask.tries < TRIES);
        self.soonest = open.map(|ask| ask.next).min();
        asks
    }

    /// When somebody is to be asked next.
    pub(super) fn soonest(&self) -> Option<Instant> {
        self.soonest
    }
}

const MOST: usize = 512;
const AT_ONCE: usize = 64;
/// Datagrams overtake each other by so much.
const GRACE: Duration = Duration::from_millis(20);
const AGAIN: Duration = Duration::from_millis(140);
const TRIES: u32 = 10;
