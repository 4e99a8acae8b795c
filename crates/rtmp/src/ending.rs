//! How a session ends: once, and after all that was to be written.

/// Whether a session goes on, and if not why.
#[derive(Debug)]
pub(crate) enum Ending<R> {
    /// It goes on.
    Open,
    /// It is over; its owner has not been told.
    Closing(R),
    /// Its owner knows.
    Closed,
}

impl<R> Ending<R> {
    pub fn is_open(&self) -> bool {
        matches!(self, Ending::Open)
    }

    /// The first reason counts.
    pub fn close(&mut self, reason: R) {
        if self.is_open() {
            *self = Ending::Closing(reason);
        }
    }

    /// The reason, once.
    pub fn take(&mut self) -> Option<R> {
        if self.is_open() {
            return None;
        }
        match std::mem::replace(self, Ending::Closed) {
            Ending::Closing(reason) => Some(reason),
            Ending::Open | Ending::Closed => None,
        }
    }
}
