//! What a listener must get before it goes on along its reel, and where it leaves that.

use crate::{End, Rendition};
use bytes::{Buf, Bytes};
use std::sync::Arc;

/// Bytes of one listener's own, and its goal. Most listeners carry nothing most of the time.
#[derive(Debug, Default)]
pub(super) struct Carry {
    parts: Vec<Part>,
    pub(super) goal: Option<Goal>,
}

/// A run of bytes to be written before the reel's.
#[derive(Debug)]
pub(super) struct Part {
    bytes: Bytes,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The answer's head, and what else is outside the framing.
    Head,
    /// Stream bytes that were begun or promised.
    Body,
    /// A header set, which another may replace before it is begun.
    Header,
}

/// Where a listener leaves its reel.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    /// The end of a page.
    pub(super) until: u64,
    pub(super) then: Then,
}

/// What becomes of a listener that has reached its goal.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// It goes on with another rendition.
    Hop(Arc<Rendition>),
    /// It ends.
    Close(End),
}

impl Carry {
    pub(super) fn head(&mut self, bytes: Bytes) {
        self.add(bytes, Kind::Head);
    }

    pub(super) fn body(&mut self, bytes: Bytes) {
        self.add(bytes, Kind::Body);
    }

    pub(super) fn header(&mut self, bytes: Bytes) {
        self.add(bytes, Kind::Header);
    }

    fn add(&mut self, bytes: Bytes, kind: Kind) {
        if !bytes.is_empty() {
            self.parts.push(Part { bytes, kind });
        }
    }

    /// Drops all parts.
    pub(super) fn clear(&mut self) {
        self.parts.clear();
    }

    pub(super) fn part(&self, number: u32) -> Option<&Part> {
        self.parts.get(number as usize)
    }

    /// Drops what is written and the header sets that are not begun, and tells whether there were such. What is left
    /// begins at part 0.
    pub(super) fn shed(&mut self, part: u32, within: u32) -> bool {
        self.parts.drain(..self.parts.len().min(part as usize));
        if let Some(begun) = self.parts.first_mut().filter(|_| within > 0) {
            begun.bytes.advance(begun.bytes.len().min(within as usize));
            begun.kind = if begun.kind == Kind::Header { Kind::Body } else { begun.kind };
        }
        let count = self.parts.len();
        self.parts.retain(|part| part.kind != Kind::Header);
        self.parts.len() < count
    }

    /// Puts bytes outside the framing before all others.
    pub(super) fn first(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.parts.insert(0, Part { bytes, kind: Kind::Head });
        }
    }
}

impl Part {
    pub(super) fn is_head(&self) -> bool {
        self.kind == Kind::Head
    }

    pub(super) fn rest(&self, within: u32) -> &[u8] {
        self.bytes.get(within as usize..).unwrap_or_default()
    }
}
