//! The last beginning that was pressed together, for all who join before the next page.

use super::CatchUp;
use bytes::Bytes;
use std::{cell::RefCell, ops::Range};

/// Remembers one result, so that a crowd that joins at once costs one. It is held until the next one who joins.
#[derive(Debug, Default)]
pub(super) struct Pressed(RefCell<Option<Last>>);

#[derive(Debug)]
struct Last {
    range: Range<u64>,
    press: CatchUp,
    made: Option<Bytes>,
}

impl Pressed {
    /// What `press` makes of `range`, whose bytes `pages` gives; `None` if it is too long, or cannot be pressed.
    pub(super) fn get(
        &self,
        range: Range<u64>,
        press: CatchUp,
        pages: impl FnOnce() -> Bytes,
    ) -> Option<Bytes> {
        if range.end - range.start > LARGEST {
            return None;
        }
        let mut last = self.0.borrow_mut();
        if let Some(last) = &*last
            && last.range == range
            && std::ptr::fn_addr_eq(last.press, press)
        {
            return last.made.clone();
        }
        let made = press(&pages());
        *last = Some(Last { range, press, made: made.clone() });
        made
    }
}

/// A listener that does not read holds this much of its own beside what it shares.
const LARGEST: u64 = 4 << 20;
