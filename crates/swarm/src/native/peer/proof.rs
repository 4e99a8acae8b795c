//! Checks that chunks are the splitter's: one signature a group, a few hashes a chunk.

use crate::native::{
    parity,
    seal::{self, Hash, Key},
    wire::{Parity, Sealed},
};
use std::collections::VecDeque;

/// The keys of the channel and of the splitter, and the roots of groups whose signature was checked; at most [`KEPT`], the
/// oldest leave first.
#[derive(Clone, Debug)]
pub(super) struct Proofs {
    /// What chunks are checked with.
    channel: Option<Key>,
    /// The splitter's own: the same, unless it is a bridge.
    splitter: Option<Key>,
    roots: VecDeque<(u64, u8, Hash)>,
    /// Signatures checked, which is what costs.
    pub(super) checked: u64,
}

impl Proofs {
    /// With the channel's key, where it is known before.
    pub(super) fn new(channel: Option<Key>) -> Proofs {
        Proofs { channel, splitter: None, roots: VecDeque::new(), checked: 0 }
    }

    /// A splitter says its key, and the channel's where that is another; false where the latter is not the one known.
    pub(super) fn learn(&mut self, own: Key, channel: Option<Key>) -> bool {
        let said = channel.unwrap_or(own);
        if *self.channel.get_or_insert(said) != said {
            return false;
        }
        self.splitter = Some(own);
        true
    }

    /// The splitter's own, once it is known.
    pub(super) fn key(&self) -> Option<Key> {
        self.splitter
    }

    /// What chunks are checked with, once it is known.
    pub(super) fn channel(&self) -> Option<Key> {
        self.channel
    }

    /// Whether the splitter only passes on what the channel's own has dealt.
    pub(super) fn of_bridge(&self) -> bool {
        self.splitter != self.channel && self.splitter.is_some()
    }

    /// Whether the splitter has signed a text.
    pub(super) fn verify(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        self.splitter.is_some_and(|key| key.verify(text, signature))
    }

    pub(super) fn check(&mut self, sealed: &Sealed) -> bool {
        let Some(key) = self.channel else { return false };
        let leaf = key.leaf(sealed.number, sealed.flags, &sealed.data);
        let first = sealed.number - u64::from(sealed.place.0);
        self.prove(leaf, first, sealed.place, &sealed.siblings, &sealed.signature).is_some()
    }

    /// The root of a block that is the splitter's, by one of its parity.
    pub(super) fn prove_parity(&mut self, parity: &Parity) -> Option<Hash> {
        let Parity { first, chunks, place, .. } = *parity;
        let leaf = parity::leaf(self.channel?, first, place.0, chunks, &parity.shard);
        self.prove(leaf, first, place, &parity.siblings, &parity.signature)
    }

    /// The root of the group that a leaf is of, where that is the splitter's.
    fn prove(
        &mut self,
        leaf: Hash,
        first: u64,
        (at, count): (u8, u8),
        siblings: &[Hash],
        signature: &[u8; 64],
    ) -> Option<Hash> {
        let root = seal::root(leaf, at.into(), count.into(), siblings)?;
        // A group of one is not met again, unless as a copy of it.
        if count > 1 && self.roots.contains(&(first, count, root)) {
            return Some(root);
        }
        self.checked += 1;
        if !self.channel?.verify(&seal::statement(first, count, &root), signature) {
            return None;
        }
        if count == 1 {
            return Some(root);
        }
        if self.roots.len() == KEPT {
            self.roots.pop_front();
        }
        self.roots.push_back((first, count, root));
        Some(root)
    }
}

const KEPT: usize = 32;
