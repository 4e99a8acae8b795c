//! The chunks dealt last, and to whom: for complaints.

use crate::ChunkNumber;
use bytes::Bytes;
use std::net::SocketAddr;

/// As many chunks as a buffer holds, by number.
#[derive(Debug)]
pub(super) struct Store(Vec<Option<Sent>>);

#[derive(Clone, Debug)]
pub(super) struct Sent {
    number: ChunkNumber,
    pub(super) origin: SocketAddr,
    /// Which of its origin's turns it was.
    pub(super) dealt: u64,
    pub(super) data: Bytes,
    complained: bool,
}

impl Store {
    pub(super) fn new(size: usize) -> Store {
        Store(vec![None; size.max(2)])
    }

    pub(super) fn put(&mut self, number: ChunkNumber, origin: SocketAddr, dealt: u64, data: Bytes) {
        let at = self.at(number);
        self.0[at] = Some(Sent { number, origin, dealt, data, complained: false });
    }

    /// A chunk that a monitor missed, the first time that one does.
    pub(super) fn complain(&mut self, number: ChunkNumber) -> Option<Sent> {
        let at = self.at(number);
        let sent = self.0[at].as_mut().filter(|sent| sent.number == number && !sent.complained)?;
        sent.complained = true;
        Some(sent.clone())
    }

    fn at(&self, number: ChunkNumber) -> usize {
        (number.0 % self.0.len() as u64) as usize
    }
}
