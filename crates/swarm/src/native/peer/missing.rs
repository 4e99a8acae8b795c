//! What a peer misses, and when it asks for it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Missing chunks, at most [`MOST`]; further ones are not asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing(BTreeMap<u64, Ask>);

#[derive(Clone, Copy, Debug)]
struct Ask {
    next: Instant,
    tries: u32,
}

impl Missing {
    pub(super) fn note(&mut self, now: Instant, number: u64) {
        if self.0.len() < MOST {
            self.0.entry(number).or_insert(Ask { next: now + GRACE, tries: 0 });
        }
    }

    pub(super) fn found(&mut self, number: u64) {
        self.0.remove(&number);
    }

    pub(super) fn forget(&mut self, is_here: impl Fn(u64) -> bool) {
        self.0.retain(|number, _| !is_here(*number));
    }

    /// What is to be asked for now: by how often it was, so that each time somebody else is asked.
    pub(super) fn due(&mut self, now: Instant) -> BTreeMap<u32, Vec<u64>> {
        let mut asks = BTreeMap::<u32, Vec<u64>>::new();
        for (number, ask) in self.0.iter_mut().filter(|(_, ask)| ask.next <= now && ask.tries < TRIES) {
            let numbers = asks.entry(ask.tries).or_default();
            if numbers.len() < AT_ONCE {
                numbers.push(*number);
                (ask.tries, ask.next) = (ask.tries + 1, now + AGAIN);
            }
        }
        asks
    }
}

const MOST: usize = 512;
const AT_ONCE: usize = 16;
/// Datagrams overtake each other by so much.
const GRACE: Duration = Duration::from_millis(20);
const AGAIN: Duration = Duration::from_millis(140);
const TRIES: u32 = 10;
