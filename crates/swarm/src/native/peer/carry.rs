//! A peer that is one half of a bridge: hands over what it has checked to the half that deals it to another team.

use super::*;
use crate::native::wire::{PARITY_SKILL, Parity, bridge::HeadWord};

/// What a bridge's splitter gets of its peer.
#[derive(Debug, Default)]
pub(super) struct Carry {
    /// What came and was not taken yet; it is taken whenever something came.
    chunks: VecDeque<Carried>,
    /// Likewise.
    parity: VecDeque<Parity>,
    /// What the stream is hidden with, beside its token.
    pub(super) salt: [u8; 16],
}

/// A chunk as it goes on.
#[derive(Clone, Debug)]
pub(in crate::native) struct Carried {
    pub(in crate::native) number: u64,
    pub(in crate::native) flags: u8,
    /// Whether it is the first of those that were signed together.
    pub(in crate::native) begins_group: bool,
    /// Its bytes of the stream.
    pub(in crate::native) length: usize,
    /// The datagram.
    pub(in crate::native) bytes: Bytes,
}

/// The team that a bridge is a member of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::native) struct Upstream {
    pub(in crate::native) splitter: SocketAddr,
    /// What its chunks are checked with.
    pub(in crate::native) channel: Key,
    pub(in crate::native) stripes: u8,
    pub(in crate::native) salt: [u8; 16],
    pub(in crate::native) encrypts: bool,
    /// Whether there is parity beside the chunks.
    pub(in crate::native) parity: bool,
}

impl Peer {
    /// A peer whose chunks are taken by [`carried`](Peer::carried) whenever something happened. It stays in its team.
    pub(in crate::native) fn of_bridge(now: Instant, config: Config, seed: u64) -> Peer {
        Peer { carry: Some(Carry::default()), ..Peer::new(now, config, seed) }
    }

    /// The next chunk that came.
    pub(in crate::native) fn carried(&mut self) -> Option<Carried> {
        self.carry.as_mut()?.chunks.pop_front()
    }

    /// The next parity of a block.
    pub(in crate::native) fn carried_parity(&mut self) -> Option<Parity> {
        self.carry.as_mut()?.parity.pop_front()
    }

    /// Its team, while it is in one and has what newcomers to the other team are to be told.
    pub(in crate::native) fn upstream(&self) -> Option<Upstream> {
        let Phase::Member { .. } = self.phase else { return None };
        let carry = self.carry.as_ref().filter(|_| self.has_head() || self.head.told)?;
        Some(Upstream {
            splitter: self.config.splitter,
            channel: self.proofs.channel()?,
            stripes: self.stripes.len() as u8,
            salt: carry.salt,
            encrypts: self.keys.encrypts,
            parity: self.splitter_skills & PARITY_SKILL != 0,
        })
    }

    /// The channel's word of what the head is.
    pub(in crate::native) fn head_word(&self) -> Option<HeadWord> {
        self.head.word
    }

    /// A bridge asks now and then what the head is: it may be another by now.
    pub(super) fn ask_for_head_word(&mut self) {
        if self.carry.is_some() {
            self.say(self.config.splitter, &Message::HeadWanted { from: u32::MAX });
        }
    }

    pub(super) fn hand_over_parity(&mut self, parity: &Parity) {
        let Some(carry) = &mut self.carry else { return };
        carry.parity.push_back(Parity { hops: parity.hops.saturating_add(1), ..parity.clone() });
    }

    pub(super) fn hand_over(&mut self, sealed: &Sealed, bytes: &Bytes) {
        let Some(carry) = &mut self.carry else { return };
        carry.chunks.push_back(Carried {
            number: sealed.number,
            flags: sealed.flags,
            begins_group: sealed.place.0 == 0,
            length: sealed.data.len(),
            bytes: Sealed::passed_on(bytes),
        });
    }
}
