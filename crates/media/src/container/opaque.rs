//! Bytes that we do not understand: passed on as they came.

use super::{Cut, Page, Role};
use bytes::{Bytes, BytesMut};

/// Cuts into pieces of at most 16 KiB, each of which one may begin with.
#[derive(Default)]
pub struct Cutter {
    buffer: BytesMut,
}

impl Cutter {
    /// A cutter that has seen nothing.
    pub fn new() -> Cutter {
        Cutter::default()
    }
}

impl Cut for Cutter {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        let size = self.buffer.len().min(PIECE);
        let bytes: Bytes = self.buffer.split_to(size).freeze();
        (size > 0).then(|| Page::new(bytes, Role::Entry))
    }
}

/// A write to a socket costs per call up to this size (facts: bare broadcaster, 16 KiB).
const PIECE: usize = 16 * 1024;
