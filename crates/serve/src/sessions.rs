//! The listeners that are here now.

use crate::{Meter, MountName, Session, SessionId, Tempo};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Every session by its name.
#[derive(Default)]
pub struct Sessions {
    here: Mutex<HashMap<SessionId, Arc<Session>>>,
    next: AtomicU64,
}

impl Sessions {
    /// A name for the next session; never the same twice.
    pub fn next_id(&self) -> SessionId {
        SessionId(self.next.fetch_add(1, Relaxed) + 1)
    }

    /// Takes a session in.
    pub fn add(&self, session: Arc<Session>) {
        self.map().insert(session.id, session);
    }

    /// Lets a session go, and adds what it counted to what its mount keeps of those who left; false when it was not
    /// here. Whoever asks for [`Sessions::tempos`] finds it in exactly one of the two.
    pub fn remove(&self, id: SessionId, left: Option<&Meter>) -> bool {
        let mut here = self.map();
        let Some(session) = here.remove(&id) else { return false };
        left.inspect(|left| left.absorb(&session.meter.tempo()));
        true
    }

    /// What listeners of each of `mounts` were sent: those who left, as their meter says, and those who are here.
    pub fn tempos<'a>(&self, mounts: impl Iterator<Item = (&'a MountName, &'a Meter)>) -> Vec<Tempo> {
        let here = self.map();
        let mut sums = HashMap::<&MountName, Tempo>::new();
        here.values().for_each(|session| *sums.entry(&session.home).or_default() += session.meter.tempo());
        let sum = |(name, left): (&MountName, &Meter)| {
            let mut sum = left.tempo();
            sum += sums.get(name).copied().unwrap_or_default();
            sum
        };
        mounts.map(sum).collect()
    }

    /// Has everybody's rate told anew; `last` is when that was done before.
    pub fn measure(&self, last: Instant, now: Instant) {
        self.map().values().for_each(|session| session.measure(last, now));
    }

    /// The session called `id`, if it is here.
    pub fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        self.map().get(&id).cloned()
    }

    /// How many are here.
    pub fn count(&self) -> usize {
        self.map().len()
    }

    /// The sessions whose home is `mount`, oldest first.
    pub fn of(&self, mount: &MountName) -> Vec<Arc<Session>> {
        let mut found: Vec<_> =
            self.map().values().filter(|session| session.home == *mount).cloned().collect();
        found.sort_by_key(|session| session.id);
        found
    }

    /// Milliseconds that the slowest of those whose home is `mount` is behind.
    pub fn lag(&self, mount: &MountName) -> u32 {
        let here = self.map();
        here.values().filter(|s| s.home == *mount).map(|s| s.lag.load(Relaxed)).max().unwrap_or(0)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
