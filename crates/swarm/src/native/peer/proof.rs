//! Checks that chunks are the splitter's: one signature a group, a few hashes a chunk.

use crate::native::{
    parity,
    seal::{self, Hash, Key},
    wire::{Parity, Sealed},
};
use std::collections::VecDeque;

/// The splitter's key, and the roots of groups whose signature was checked; at most [`KEPT`], the oldest leave first.
#[derive(Clone, Debug)]
pub(super) struct Proofs {
    key: Option<Key>,
    roots: VecDeque<(u64, u8, Hash)>,
    /// Signatures checked, which is what costs.
    pub(super) checked: u64,
}

impl Proofs {
    pub(super) fn new(key: Option<Key>) -> Proofs {
        Proofs { key, roots: VecDeque::new(), checked: 0 }
    }

    /// The splitter says its key; false where that is not the one known.
    pub(super) fn learn(&mut self, bytes: &[u8; 32]) -> bool {
        let Some(said) = Key::from_bytes(bytes) else { return false };
        *self.key.get_or_insert(said) == said
    }

    /// The splitter's, once it is known.
    pub(super) fn key(&self) -> Option<Key> {
        self.key
    }

    pub(super) fn verify(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        self.key.is_some_and(|key| key.verify(text, signature))
    }

    pub(super) fn check(&mut self, sealed: &Sealed) -> bool {
        let Some(key) = self.key else { return false };
        let leaf = key.leaf(sealed.number, sealed.flags, &sealed.data);
        let first = sealed.number - u64::from(sealed.place.0);
        self.prove(leaf, first, sealed.place, &sealed.siblings, &sealed.signature).is_some()
    }

    /// The root of a block that is the splitter's, by one of its parity.
    pub(super) fn prove_parity(&mut self, parity: &Parity) -> Option<Hash> {
        let Parity { first, chunks, place, .. } = *parity;
        let leaf = parity::leaf(self.key?, first, place.0, chunks, &parity.shard);
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
        if !self.verify(&seal::statement(first, count, &root), signature) {
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
