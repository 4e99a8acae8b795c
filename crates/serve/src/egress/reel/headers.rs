//! The header sets that the entries on a reel need.

use bytes::{Bytes, BytesMut};
use levada_media::{Page, Role};
use std::collections::VecDeque;

/// Header sets by number; number 0 is the empty set of a stream without headers.
#[derive(Debug, Default)]
pub(super) struct Headers {
    sets: VecDeque<Set>,
    /// Number of the newest set.
    newest: u64,
    /// The next header page belongs to the newest set.
    open: bool,
}

#[derive(Debug)]
struct Set {
    number: u64,
    /// Offset behind its last page.
    end: u64,
    gathered: BytesMut,
    bytes: Bytes,
}

impl Headers {
    /// Looks at a page with bytes that will lie at `offset`.
    pub(super) fn see(&mut self, page: &Page, offset: u64) {
        if page.role != Role::Header {
            self.close();
            return;
        }
        if !self.open {
            self.open = true;
            self.newest += 1;
            let set =
                Set { number: self.newest, end: offset, gathered: BytesMut::new(), bytes: Bytes::new() };
            self.sets.push_back(set);
        }
        if let Some(set) = self.sets.back_mut() {
            set.end = offset + page.bytes.len() as u64;
            if page.set.is_some() {
                set.gathered.clear();
            }
            let bytes = page.set.as_ref().unwrap_or(&page.bytes);
            if set.gathered.len() + bytes.len() <= LARGEST {
                set.gathered.extend_from_slice(bytes);
            }
        }
    }

    /// What comes next is not of the same set.
    pub(super) fn close(&mut self) {
        if std::mem::take(&mut self.open)
            && let Some(set) = self.sets.back_mut()
        {
            set.bytes = std::mem::take(&mut set.gathered).freeze();
        }
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) fn get(&self, number: u64) -> Bytes {
        self.sets
            .iter()
            .rev()
            .find(|set| set.number == number)
            .map(|set| set.bytes.clone())
            .unwrap_or_default()
    }

    /// The last set that ends at or before `offset`.
    pub(super) fn before(&self, offset: u64) -> Bytes {
        self.sets.iter().rev().find(|set| set.end <= offset).map(|set| set.bytes.clone()).unwrap_or_default()
    }

    /// Forgets the sets that no entry from number `first` on and no listener from `start` on needs.
    pub(super) fn evict(&mut self, first: u64, start: u64) {
        while self.sets.get(1).is_some_and(|next| next.number <= first && next.end <= start) {
            self.sets.pop_front();
        }
    }
}

/// As in a channel: what comes beyond is passed on but not remembered.
const LARGEST: usize = 4 << 20;
