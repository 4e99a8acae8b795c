//! The bytes that came and are not cut yet, and the count of those thrown away.

use bytes::{Buf, Bytes, BytesMut};

/// Grows at its end by [`Window::push`], shrinks at its front by [`Window::take`] and [`Window::skip`].
#[derive(Default)]
pub(crate) struct Window {
    bytes: BytesMut,
    /// Bytes still to come that are to be thrown away.
    unwanted: u64,
    skipped: u64,
    ended: bool,
    /// The last unit was whole, so the next one begins right at the front; whoever reads keeps it.
    pub(crate) sync: bool,
}

impl Window {
    /// Takes the next bytes, without those that are to be thrown away.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let dropped = usize::try_from(self.unwanted).unwrap_or(usize::MAX).min(bytes.len());
        self.unwanted -= dropped as u64;
        self.skipped += dropped as u64;
        self.bytes.extend_from_slice(&bytes[dropped..]);
    }

    /// What is there.
    pub(crate) fn front(&self) -> &[u8] {
        &self.bytes
    }

    /// Cuts off the first `size` bytes, or what is there if it is less.
    pub(crate) fn take(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size.min(self.bytes.len())).freeze()
    }

    /// Throws away the first `size` bytes, including those that have not come yet.
    pub(crate) fn skip(&mut self, size: u64) {
        let here = usize::try_from(size).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.advance(here);
        self.skipped += here as u64;
        self.unwanted += size - here as u64;
    }

    /// The input ended.
    pub(crate) fn finish(&mut self) {
        self.ended = true;
    }

    /// Whether nothing will follow.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Throws away what is there and forgets what was still to be thrown away: what follows is a new beginning.
    pub(crate) fn restart(&mut self) {
        let skipped = self.skipped + self.bytes.len() as u64;
        self.bytes.clear();
        *self = Window { bytes: std::mem::take(&mut self.bytes), skipped, ..Window::default() };
    }

    /// How many bytes were thrown away.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }
}
