//! D: what each neighbour owes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Chunks given to each neighbour less chunks got from it, halved every ten seconds.
///
/// A debt above the limit makes a neighbour wait while others have something coming; only one several times as large
/// ends the giving. The limit is never below four seconds of what the splitter sends this peer to be passed on, so that
/// a source that delivers in bursts of a second expels nobody.
#[derive(Clone, Debug)]
pub struct DebtLedger {
    debts: BTreeMap<SocketAddr, i64>,
    max_chunk_debt: i64,
    /// Chunks from the splitter in this second, and the most in one so far of late.
    turns: [i64; 2],
    counted: Option<Instant>,
    seconds: u32,
}

impl DebtLedger {
    /// An empty ledger with MAX_CHUNK_DEBT.
    pub fn new(max_chunk_debt: u32) -> DebtLedger {
        DebtLedger {
            debts: BTreeMap::new(),
            max_chunk_debt: i64::from(max_chunk_debt),
            turns: [0; 2],
            counted: None,
            seconds: 0,
        }
    }

    /// A neighbour begins with no debt; one that is known keeps its own.
    pub fn open(&mut self, peer: SocketAddr) {
        self.debts.entry(peer).or_default();
    }

    /// It was given a chunk.
    pub fn owe(&mut self, peer: SocketAddr) {
        *self.debts.entry(peer).or_default() += 1;
    }

    /// It gave a chunk.
    pub fn pay(&mut self, peer: SocketAddr) {
        *self.debts.entry(peer).or_default() -= 1;
    }

    /// The splitter sent a chunk to be passed on.
    pub fn turn(&mut self) {
        self.turns[0] += 1;
    }

    /// It left.
    pub fn forget(&mut self, peer: SocketAddr) {
        self.debts.remove(&peer);
    }

    /// What it owes; less than nothing where it gave more.
    pub fn of(&self, peer: SocketAddr) -> i64 {
        self.debts.get(&peer).copied().unwrap_or_default()
    }

    /// The limit as of now, in chunks.
    pub fn limit(&self) -> i64 {
        self.max_chunk_debt.max(4 * self.turns[1].max(self.turns[0]))
    }

    /// Whether it owes more than the limit: others are served first.
    pub fn may_wait(&self, peer: SocketAddr) -> bool {
        self.of(peer) > self.limit()
    }

    /// Whether it owes so much that it is not served any longer.
    pub fn is_hopeless(&self, peer: SocketAddr) -> bool {
        self.of(peer) > HOPELESS * self.limit()
    }

    /// Halves all debts every ten seconds.
    pub fn decay(&mut self, now: Instant) {
        let counted = *self.counted.get_or_insert(now);
        if now.saturating_duration_since(counted) < SECOND {
            return;
        }
        self.counted = Some(now);
        self.turns = [0, self.turns[0].max(self.turns[1] * 7 / 8)];
        self.seconds = (self.seconds + 1) % HALVED;
        if self.seconds == 0 {
            self.debts.values_mut().for_each(|debt| *debt /= 2);
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// Seconds after which debts are halved.
const HALVED: u32 = 10;
/// So many times the limit.
const HOPELESS: i64 = 4;
