//! P: which chunks wait for which neighbour, and whose turn it is.

use crate::ChunkNumber;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The pending chunks of each neighbour, in the order of their addresses.
///
/// A neighbour holds at most as many as a buffer; the oldest leave first, since it could not play them any longer.
/// The turn moves on by one with each chunk received, whether or not something waits for whom it comes to.
#[derive(Clone, Debug)]
pub struct PendingTable {
    rows: Vec<(SocketAddr, VecDeque<ChunkNumber>)>,
    turn: usize,
    most: usize,
    waiting: usize,
    /// The time of the last chunk received, and since when something waits.
    now: Option<Instant>,
    since: Option<Instant>,
}

impl PendingTable {
    /// An empty table whose rows hold `most` numbers.
    pub fn new(most: usize) -> PendingTable {
        PendingTable { rows: Vec::new(), turn: 0, most, waiting: 0, now: None, since: None }
    }

    /// Notes a chunk for a neighbour; how many older ones had to leave.
    pub fn add(&mut self, to: SocketAddr, number: ChunkNumber) -> u64 {
        let at = match self.rows.binary_search_by_key(&to, |(peer, _)| *peer) {
            Ok(at) => at,
            Err(at) => {
                self.rows.insert(at, (to, VecDeque::new()));
                at
            }
        };
        let row = &mut self.rows[at].1;
        if row.contains(&number) {
            return 0;
        }
        row.push_back(number);
        self.waiting += 1;
        self.since = self.since.or(self.now);
        if row.len() <= self.most {
            return 0;
        }
        row.pop_front();
        self.waiting -= 1;
        1
    }

    /// Forgets a neighbour.
    pub fn forget(&mut self, peer: SocketAddr) {
        if let Ok(at) = self.rows.binary_search_by_key(&peer, |(known, _)| *known) {
            self.waiting -= self.rows.remove(at).1.len();
            if at < self.turn {
                self.turn -= 1;
            }
        }
    }

    /// The neighbour whose turn it is, with all that waits for it, perhaps nothing; `None` while there are no
    /// neighbours. Those that `may_wait` are passed over while somebody else has something.
    pub fn next(&mut self, may_wait: impl Fn(SocketAddr) -> bool) -> Option<(SocketAddr, Vec<ChunkNumber>)> {
        let rows = self.rows.len();
        if rows == 0 {
            return None;
        }
        let mut at = (self.turn + 1) % rows;
        if may_wait(self.rows[at].0) {
            let better = |at: &usize| !self.rows[*at].1.is_empty() && !may_wait(self.rows[*at].0);
            at = (1..rows).map(|step| (at + step) % rows).find(better).unwrap_or(at);
        }
        self.turn = at;
        let (peer, row) = &mut self.rows[at];
        let numbers: Vec<_> = row.drain(..).collect();
        self.waiting -= numbers.len();
        self.since = if self.waiting == 0 { None } else { self.now };
        Some((*peer, numbers))
    }

    /// Tells it the time, with every chunk received.
    pub fn tick(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// When somebody has waited too long for the next reception.
    pub fn due(&self) -> Option<Instant> {
        self.since.filter(|_| self.waiting > 0).and_then(|since| since.checked_add(PATIENCE))
    }

    /// Whether somebody has. What waits any longer must not wait for reception again.
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.waiting > 0 && self.due().is_some_and(|due| due <= now)
    }

    /// What waits for a neighbour.
    pub fn of(&self, peer: SocketAddr) -> impl Iterator<Item = ChunkNumber> + '_ {
        let at = self.rows.binary_search_by_key(&peer, |(known, _)| *known).ok();
        at.into_iter().flat_map(|at| self.rows[at].1.iter().copied())
    }

    /// How many chunks wait in all.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }
}

/// Chunks wait for reception to serve them so long at most.
const PATIENCE: Duration = Duration::from_millis(20);
