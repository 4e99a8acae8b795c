//! FEC: beside the chunks of a block the splitter deals parity, to those who know what to do with it.

use super::Splitter;
use crate::native::{
    parity,
    seal::{self, Hash},
    wire::{LEAVES, PARITY_SKILL, Parity},
};
use bytes::Bytes;
use levada_link::Percent;
use std::time::{Duration, Instant};

/// The block that is being dealt: at most [`BLOCK`] chunks of consecutive numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    first: u64,
    began: Option<Instant>,
    chunks: Vec<(u8, Bytes)>,
    /// Parity that its share asks for and blocks before could not give, in datagrams: less than two.
    owed: f64,
}

impl Splitter {
    /// A chunk was dealt: once its block is complete, or old, parity of it is dealt too.
    pub(super) fn note_for_parity(&mut self, now: Instant, number: u64, flags: u8, data: Bytes) {
        let share = self.config.fec.share();
        if share <= 0.0 {
            return;
        }
        let block = &mut self.block;
        if block.first + block.chunks.len() as u64 != number {
            block.chunks.clear();
        }
        if block.chunks.is_empty() {
            (block.first, block.began) = (number, Some(now));
        }
        block.chunks.push((flags, data));
        let age = block.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
        if block.chunks.len() < BLOCK && age < OLD {
            return;
        }
        let chunks = std::mem::take(&mut block.chunks);
        block.owed = (block.owed + share * chunks.len() as f64).min((LEAVES - BLOCK) as f64 + 0.9);
        let (first, parities) = (block.first, block.owed as usize);
        if parities > 0 && chunks.len() > 1 {
            block.owed -= parities as f64;
            self.deal_parity(now, first, &chunks, parities);
        }
    }

    fn deal_parity(&mut self, now: Instant, first: u64, chunks: &[(u8, Bytes)], parities: usize) {
        let Some(shards) = parity::of(chunks, parities) else { return };
        let levels =
            parity::tree(self.config.seal.key(), first, chunks, shards.iter().map(|shard| &shard[..]));
        let Some(root) = levels.last().and_then(|top| top.first()).copied() else { return };
        let (chunks, count) = (chunks.len() as u8, (chunks.len() + parities) as u8);
        let signature = self.config.seal.sign(&seal::statement(first, count, &root));
        for (at, shard) in (chunks..count).zip(shards) {
            let siblings: Vec<Hash> = seal::path(&levels, at.into());
            let shard = Bytes::from(shard);
            let parity = Parity { first, chunks, hops: 0, place: (at, count), siblings, signature, shard };
            self.stats.parity += 1;
            self.send_parity(now, &parity);
        }
    }

    /// What newcomers are told of it.
    pub(super) fn parity_skill(&self) -> u16 {
        if self.config.fec == Percent::ZERO && !self.carries_parity() { 0 } else { PARITY_SKILL }
    }

    pub(super) fn send_parity(&mut self, now: Instant, parity: &Parity) {
        let stripes = usize::from(self.config.stripes);
        let Some(stripe) = parity::stripe(parity.first, parity.place.0, stripes) else { return };
        let wants = |root: &std::net::SocketAddr| {
            let known = self.members.get(root);
            known.is_some_and(|member| member.muted >> stripe & 1 == 0 && member.skills & PARITY_SKILL != 0)
        };
        let roots: Vec<_> = self.trees.roots(stripe).filter(wants).collect();
        let bytes = parity.write();
        self.pace.note(now, bytes.len());
        roots.into_iter().for_each(|root| self.send(root, bytes.clone()));
    }
}

/// With so many, two parity datagrams are ten in a hundred.
pub(super) const BLOCK: usize = 20;
/// A slow stream's blocks are shorter: what is rebuilt later than this comes too late to be of use.
const OLD: Duration = Duration::from_millis(400);
