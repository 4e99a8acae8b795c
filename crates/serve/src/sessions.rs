//! The listeners that are here now.

use crate::{MountName, Session, SessionId};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
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

    /// Lets a session go; false when it was not here.
    pub fn remove(&self, id: SessionId) -> bool {
        self.map().remove(&id).is_some()
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
