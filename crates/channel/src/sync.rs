//! The one lock of a channel; loom's under test with `--cfg levada_loom`.

#[cfg(levada_loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(levada_loom))]
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex that a panic elsewhere does not poison: what it protects is whole between any two lines.
#[derive(Debug)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Lock<T> {
        Lock(Mutex::new(value))
    }

    #[cfg(not(levada_loom))]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(levada_loom)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("loom ends at the first panic")
    }
}
