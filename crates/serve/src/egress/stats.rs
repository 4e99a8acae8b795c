//! What egress counts.

use crate::RenditionId;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What is served now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The renditions that have or had listeners.
    pub renditions: BTreeMap<RenditionId, RenditionStats>,
    /// The reactors, by number.
    pub reactors: Vec<ReactorStats>,
}

/// What one rendition's listeners get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenditionStats {
    /// Listeners now.
    pub listeners: u64,
    /// Bytes that their sockets took, ever.
    pub bytes: u64,
}

/// What one reactor does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReactorStats {
    /// Listeners now.
    pub listeners: u64,
    /// Writes that sockets took at least a byte of.
    pub writes: u64,
    /// Bytes that sockets took.
    pub bytes: u64,
    /// How often it woke up.
    pub wakeups: u64,
    /// How often a socket was full.
    pub blocked: u64,
    /// Moves of listeners that were too slow.
    pub skips: u64,
    /// Pages that a channel let go of before this reactor took them; it was too busy, or the source too fast.
    pub missed: u64,
    /// How often it failed and began anew; its listeners were ended. Anything but 0 is a bug.
    pub failures: u64,
}

/// Where the reactors count; shared by all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// For each rendition, one tally per reactor that has served it: reactors do not share a cache line.
    renditions: Mutex<BTreeMap<RenditionId, BTreeMap<usize, Arc<RenditionTally>>>>,
    reactors: Mutex<Vec<Arc<ReactorTally>>>,
}

#[derive(Debug, Default)]
pub(super) struct RenditionTally {
    pub(super) listeners: AtomicU64,
    pub(super) bytes: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct ReactorTally {
    pub(super) listeners: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) wakeups: AtomicU64,
    pub(super) blocked: AtomicU64,
    pub(super) skips: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) failures: AtomicU64,
}

impl Tally {
    /// A place to count for one more reactor.
    pub(super) fn reactor(&self) -> Arc<ReactorTally> {
        let tally = Arc::<ReactorTally>::default();
        self.reactors.lock().unwrap_or_else(PoisonError::into_inner).push(tally.clone());
        tally
    }

    /// Where a reactor is to count for a rendition.
    pub(super) fn rendition(&self, id: RenditionId, reactor: usize) -> Arc<RenditionTally> {
        self.renditions().entry(id).or_default().entry(reactor).or_default().clone()
    }

    /// Forgets a rendition that is no more.
    pub(super) fn forget(&self, id: RenditionId) {
        self.renditions().remove(&id);
    }

    fn renditions(&self) -> MutexGuard<'_, BTreeMap<RenditionId, BTreeMap<usize, Arc<RenditionTally>>>> {
        self.renditions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn snapshot(&self) -> Stats {
        let renditions = self.renditions();
        let reactors = self.reactors.lock().unwrap_or_else(PoisonError::into_inner);
        Stats {
            renditions: renditions.iter().map(|(id, tallies)| (*id, sum(tallies.values()))).collect(),
            reactors: reactors.iter().map(|tally| tally.snapshot()).collect(),
        }
    }
}

fn sum<'a>(tallies: impl Iterator<Item = &'a Arc<RenditionTally>>) -> RenditionStats {
    tallies.fold(RenditionStats::default(), |sum, tally| RenditionStats {
        listeners: sum.listeners + tally.listeners.load(Relaxed),
        bytes: sum.bytes + tally.bytes.load(Relaxed),
    })
}

impl ReactorTally {
    fn snapshot(&self) -> ReactorStats {
        ReactorStats {
            listeners: self.listeners.load(Relaxed),
            writes: self.writes.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            wakeups: self.wakeups.load(Relaxed),
            blocked: self.blocked.load(Relaxed),
            skips: self.skips.load(Relaxed),
            missed: self.missed.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }
}
