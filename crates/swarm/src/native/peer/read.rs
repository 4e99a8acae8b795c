//! What a peer needs for a chunk, or when it is woken, read before that: for worlds larger than the processor's cache.

use super::{Peer, Phase};
use crate::native::wire::Sealed;
use bytes::Bytes;

impl Peer {
    /// See [`Machine::read_ahead`](levada_link::Machine::read_ahead).
    pub(super) fn read(&self, step: u32, datagram: Option<&Bytes>) -> u64 {
        match (step, datagram) {
            (0, Some(bytes)) => self.read_fields() ^ ends(bytes),
            (0, None) => self.read_fields(),
            (1, Some(bytes)) => Sealed::number(bytes).map_or(0, |number| self.read_places(number)),
            (1, None) => self.read_stripes(),
            (_, Some(bytes)) => {
                // How often a chunk is shared is noted beside it.
                let is_alone = |bytes: &Bytes| u64::from(bytes.is_unique());
                is_alone(bytes) ^ self.recent.oldest().map_or(0, is_alone)
            }
            (_, None) => 0,
        }
    }

    fn read_fields(&self) -> u64 {
        let is_member = matches!(self.phase, Phase::Member { .. });
        let ports = u64::from(self.config.splitter.port()) ^ u64::from(is_member);
        let counts = self.stats.received_bytes ^ self.stats.played ^ u64::from(self.stats.hops);
        let lengths = self.stripes.len() ^ self.out.len() ^ self.head.got.len() ^ self.losses.len();
        let times = [self.flows, self.tick, self.kept].iter().filter(|time| **time == self.alive).count();
        let asks = u64::from(self.missing.soonest().is_some()) ^ u64::from(self.proofs.key().is_some());
        let places = self.playout.read(None) ^ self.recent.read_itself() ^ self.children.stripes();
        ports ^ counts ^ (lengths ^ times) as u64 ^ asks ^ places ^ self.highest
    }

    fn read_places(&self, number: u64) -> u64 {
        let stripe = number.checked_rem(self.stripes.len() as u64).unwrap_or_default();
        let known = self.stripes.get(stripe as usize).map_or(0, |stripe| stripe.read());
        let children = if self.children.stripes() >> stripe & 1 == 1 { self.children.read() } else { 0 };
        known ^ children ^ self.recent.read(number) ^ self.playout.read(Some(number))
    }

    fn read_stripes(&self) -> u64 {
        // All of them, as `look_around` does.
        self.stripes.iter().fold(self.children.read(), |read, stripe| read ^ stripe.read())
    }
}

/// The header of a chunk, and the beginning of what is in it.
fn ends(bytes: &Bytes) -> u64 {
    let at = |place: usize| u64::from(bytes.get(place).copied().unwrap_or_default());
    at(0) ^ at(64) ^ at(93)
}
