//! The header set in force, gathered from the stream and bounded.

use crate::{Flow, Role};
use std::sync::Arc;

/// Gathers header items into the set that newcomers get first. A set holds at most [`BYTES`] and [`ITEMS`]; what
/// comes beyond flows on but is not remembered.
#[derive(Debug)]
pub(crate) struct Headers<T> {
    set: Arc<Vec<T>>,
    bytes: usize,
    pub(crate) count: SetCount,
}

/// Which header set a reader of the stream has seen last: the count grows with every new set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetCount {
    number: u64,
    /// The next header belongs to the same set.
    open: bool,
}

impl SetCount {
    /// Looks at the next item; whether it begins a new set.
    pub(crate) fn see(&mut self, item: &impl Flow) -> bool {
        if item.role() != Role::Header {
            self.open &= item.weight() == 0; // a title between two header pages does not end the set
            return false;
        }
        let begins = !self.open;
        self.open = true;
        self.number += u64::from(begins);
        begins
    }

    /// Whether who has seen this much has all of the set that is in force at `other`.
    pub(crate) fn covers(self, other: SetCount) -> bool {
        !self.open && self.number == other.number
    }
}

impl<T: Flow> Headers<T> {
    pub(crate) fn new() -> Headers<T> {
        Headers { set: Arc::default(), bytes: 0, count: SetCount::default() }
    }

    /// Looks at the next item of the stream.
    pub(crate) fn see(&mut self, item: &T) {
        if self.count.see(item) {
            (self.set, self.bytes) = (Arc::default(), 0);
        }
        if item.role() != Role::Header {
            return;
        }
        let whole = item.whole_set();
        if whole.is_some() {
            (self.set, self.bytes) = (Arc::default(), 0);
        }
        let item = whole.as_ref().unwrap_or(item);
        let bytes = self.bytes.saturating_add(item.weight());
        if bytes <= BYTES && self.set.len() < ITEMS {
            self.bytes = bytes;
            Arc::make_mut(&mut self.set).push(item.clone());
        }
    }

    pub(crate) fn set(&self) -> Arc<Vec<T>> {
        self.set.clone()
    }
}

/// The largest header set: Theora's and Vorbis's set-up headers are under 10 kB, a cover picture in a comment or
/// Matroska attachments reach megabytes.
pub(crate) const BYTES: usize = 4 << 20;
/// The most items in a header set; a page has at least 27 bytes in Ogg, and no stream has a thousand tracks.
pub(crate) const ITEMS: usize = 4096;
