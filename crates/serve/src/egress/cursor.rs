//! Where one listener is: in what it must get first, then on the reel, and between its framing's inserts.

use super::{carry::Carry, framing::Layout, reel::Reel};
use std::io::IoSlice;

/// A listener's place in its own stream of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// How many parts of the carry are written, and how many bytes of the next.
    pub(super) part: u32,
    pub(super) within: u32,
    /// Where it is, or will be after the carry, on the reel.
    pub(super) offset: u64,
    pub(super) layout: Layout,
}

/// What comes next for a listener.
#[derive(Clone, Copy, Debug)]
enum Next<'a> {
    /// Part of the answer's head: outside the framing.
    Head(&'a [u8]),
    /// Stream bytes that it carries itself.
    Carried(&'a [u8]),
    /// Stream bytes from the reel.
    Reel(&'a [u8]),
    /// The framing's own.
    Insert(&'a [u8]),
}

impl Cursor {
    /// Lays the next bytes out in `slices`, up to `until` on the reel: how many slices, how many bytes, and the
    /// cursor behind them.
    pub(super) fn plan<'a>(
        mut self,
        carry: Option<&'a Carry>,
        reel: &'a Reel,
        until: u64,
        slices: &mut [IoSlice<'a>],
    ) -> (usize, usize, Cursor) {
        let (mut count, mut bytes) = (0, 0);
        for slice in slices {
            let Some(next) = self.next(carry, reel, until) else { break };
            *slice = IoSlice::new(next.bytes());
            count += 1;
            bytes += next.bytes().len();
            self.pass(next, next.bytes().len(), carry, reel);
        }
        (count, bytes, self)
    }

    /// Moves over `bytes` that were written, as they were planned.
    pub(super) fn advance(&mut self, mut bytes: usize, carry: Option<&Carry>, reel: &Reel, until: u64) {
        while bytes > 0 {
            let Some(next) = self.next(carry, reel, until) else { return };
            let some = next.bytes().len().min(bytes);
            self.pass(next, some, carry, reel);
            bytes -= some.max(1); // planned parts are never empty
        }
    }

    fn next<'a>(&self, carry: Option<&'a Carry>, reel: &'a Reel, until: u64) -> Option<Next<'a>> {
        let part = carry.and_then(|carry| carry.part(self.part));
        if let Some(part) = part.filter(|part| part.is_head()) {
            return Some(Next::Head(part.rest(self.within)));
        }
        let room = self.layout.room();
        if room == 0 {
            return Some(Next::Insert(self.layout.insert(reel)));
        }
        if let Some(part) = part {
            let rest = part.rest(self.within);
            return Some(Next::Carried(&rest[..rest.len().min(room)]));
        }
        let slice = reel.slice(self.offset, until.min(self.offset.saturating_add(room as u64)));
        (!slice.is_empty()).then_some(Next::Reel(slice))
    }

    fn pass(&mut self, what: Next<'_>, bytes: usize, carry: Option<&Carry>, reel: &Reel) {
        match what {
            Next::Head(_) => self.pass_part(bytes, carry),
            Next::Insert(_) => self.layout.pass_insert(bytes),
            Next::Carried(_) => {
                self.pass_part(bytes, carry);
                self.layout.pass_body(bytes, self.offset, reel);
            }
            Next::Reel(_) => {
                self.offset += bytes as u64;
                self.layout.pass_body(bytes, self.offset, reel);
            }
        }
    }

    fn pass_part(&mut self, bytes: usize, carry: Option<&Carry>) {
        self.within += bytes as u32; // a part is at most as long as a page or an intro
        if carry.and_then(|carry| carry.part(self.part)).is_none_or(|part| part.rest(self.within).is_empty())
        {
            (self.part, self.within) = (self.part + 1, 0);
        }
    }
}

impl<'a> Next<'a> {
    fn bytes(self) -> &'a [u8] {
        let (Next::Head(bytes) | Next::Carried(bytes) | Next::Reel(bytes) | Next::Insert(bytes)) = self;
        bytes
    }
}
