//! FEC: rebuilds chunks that did not come from the others of their block and its parity.
//!
//! Parity is checked as chunks are, passed on to the children of its stripe, and kept with its block until the block is
//! whole. What is rebuilt is a chunk like any other: it is proven by its block's root, played, passed on, and kept for who
//! misses it. As long as the parity of a chunk's block is still to come the chunk is not asked for.

use super::{MOST_HOPS, Peer};
use crate::native::{
    parity,
    seal::{self, Hash},
    wire::{Message, PARITY_SKILL, Parity, Sealed},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// Blocks of which parity came lately: at most [`BLOCKS`], the oldest leave first.
#[derive(Clone, Debug, Default)]
pub(super) struct Rebuild {
    blocks: VecDeque<Block>,
    /// The newest block, and when its first parity came.
    newest: Option<Newest>,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    end: u64,
    chunks: u64,
    came: Instant,
    /// How long a block takes.
    lasts: Duration,
}

#[derive(Clone, Debug)]
struct Block {
    first: u64,
    chunks: u8,
    count: u8,
    root: Hash,
    signature: [u8; 64],
    hops: u8,
    /// Those that came: a bit for each.
    seen: u32,
    /// Nothing once all its chunks are here.
    parity: BTreeMap<u8, Bytes>,
    done: bool,
}

impl Rebuild {
    fn find(&mut self, parity: &Parity, root: &Hash) -> Option<&mut Block> {
        let is_its = |block: &&mut Block| block.first == parity.first && block.root == *root;
        self.blocks.iter_mut().find(is_its)
    }

    fn is_known(&self, parity: &Parity) -> bool {
        let at = parity.place.0;
        let mut blocks = self.blocks.iter();
        blocks.any(|block| {
            block.first == parity.first && block.count == parity.place.1 && block.seen >> at & 1 == 1
        })
    }

    /// The first parity of a block came.
    fn note_block(&mut self, now: Instant, first: u64, chunks: u8) {
        let (chunks, end) = (u64::from(chunks), first + u64::from(chunks));
        let before = self.newest.filter(|newest| newest.end < end);
        if before.is_none() && self.newest.is_some_and(|newest| end + FAR > newest.end) {
            return;
        }
        let lasts = before.map_or(LONGEST_WAIT, |before| {
            let blocks = (end - before.end).div_ceil(chunks.max(1)) as u32;
            now.saturating_duration_since(before.came) / blocks.max(1)
        });
        self.newest = Some(Newest { end, chunks, came: now, lasts: lasts.min(LONGEST_WAIT) });
    }

    /// Until when the parity of a chunk's block may still come; now where it is not worth waiting for.
    fn awaits(&self, now: Instant, number: u64) -> Instant {
        let Some(newest) = self.newest else { return now };
        let since = now.saturating_duration_since(newest.came);
        if since > GONE {
            return now;
        }
        if number < newest.end {
            // Others of its block's may be on longer ways.
            return now + SLACK.saturating_sub(since);
        }
        let blocks = (number + 1 - newest.end).div_ceil(newest.chunks.max(1)).min(8) as u32;
        let until = newest.came + newest.lasts * blocks + SLACK;
        until.clamp(now, now + LONGEST_WAIT)
    }
}

impl Peer {
    /// Parity of a block came.
    pub(super) fn take_parity(&mut self, now: Instant, from: SocketAddr, parity: Parity, bytes: &Bytes) {
        let stripe = parity::stripe(parity.first, parity.place.0, self.stripes.len());
        let Some(stripe) = stripe.filter(|_| self.config.rebuilds) else { return };
        if self.rebuild.is_known(&parity) {
            self.stats.duplicates += 1;
            return;
        }
        let root = self.proofs.prove_parity(&parity).filter(|_| parity.hops < MOST_HOPS);
        let Some(root) = root else {
            self.stats.forged += 1;
            self.stripes.iter_mut().for_each(|stripe| stripe.accuse(from));
            return;
        };
        self.stats.parity += 1;
        self.flood(now, stripe as u8, from, bytes);
        self.cast(stripe as u8, bytes);
        self.hand_over_parity(&parity);
        let Parity { first, chunks, hops, place: (at, count), signature, shard, .. } = parity;
        let at_first =
            Parity { first, chunks, hops, place: (at, count), signature, siblings: Vec::new(), shard };
        if self.rebuild.find(&at_first, &root).is_none() {
            self.rebuild.note_block(now, first, chunks);
            if self.rebuild.blocks.len() == BLOCKS {
                self.rebuild.blocks.pop_front();
            }
            let (seen, parity, done) = (0, BTreeMap::new(), false);
            let block = Block { first, chunks, count, root, signature, hops, seen, parity, done };
            self.rebuild.blocks.push_back(block);
        }
        let Some(block) = self.rebuild.find(&at_first, &root) else { return };
        block.seen |= 1 << at;
        if !block.done {
            block.parity.insert(at, at_first.shard);
            self.try_to_rebuild(now, first);
        }
    }

    /// A chunk is here: what it was missing to may be complete.
    pub(super) fn rebuild_with(&mut self, now: Instant, number: u64) {
        let open = |block: &&Block| {
            !block.done && (block.first..block.first + u64::from(block.chunks)).contains(&number)
        };
        if let Some(first) = self.rebuild.blocks.iter().find(open).map(|block| block.first) {
            self.try_to_rebuild(now, first);
        }
    }

    /// When to ask for a chunk that did not come.
    pub(super) fn asks_at(&self, now: Instant, number: u64) -> Instant {
        let knows = self.config.rebuilds && self.splitter_skills & PARITY_SKILL != 0;
        if knows { self.rebuild.awaits(now, number) } else { now }
    }

    fn try_to_rebuild(&mut self, now: Instant, first: u64) {
        let found = self.rebuild.blocks.iter_mut().find(|block| block.first == first && !block.done);
        let Some(block) = found else { return };
        let numbers = first..first + u64::from(block.chunks);
        let missing = numbers.clone().filter(|number| self.recent.get(*number).is_none()).count();
        if missing > block.parity.len() {
            return;
        }
        block.done = true;
        let parity = std::mem::take(&mut block.parity);
        if missing == 0 {
            return;
        }
        let block = block.clone();
        let here: Vec<_> = numbers.clone().map(|number| self.recent.get(number).and_then(content)).collect();
        let Some((chunks, levels)) = self.solve(&block, &here, &parity) else { return };
        for ((number, is_here), (flags, data)) in numbers.zip(here).zip(chunks) {
            if is_here.is_some() {
                continue;
            }
            let at = (number - first) as u8;
            let siblings = seal::path(&levels, at.into());
            let (hops, place, signature) = (block.hops, (at, block.count), block.signature);
            let sealed = Sealed { number, flags, hops, place, siblings, signature, data };
            let bytes = sealed.write(hops);
            self.stats.rebuilt += 1;
            if self.playout.has(number) {
                // Too late to be played, but others may miss it.
                self.recent.put(number, bytes);
                continue;
            }
            self.receive_chunk_and_flood(now, NOBODY, sealed, &bytes);
        }
    }

    /// All chunks of a block and its tree, where that is the one that the splitter has signed.
    #[allow(clippy::type_complexity)]
    fn solve(
        &self,
        block: &Block,
        here: &[Option<(u8, Bytes)>],
        parity: &BTreeMap<u8, Bytes>,
    ) -> Option<(Vec<(u8, Bytes)>, Vec<Vec<Hash>>)> {
        let length = parity.values().next()?.len();
        let parities = usize::from(block.count - block.chunks);
        let shards = parity.iter().map(|(at, shard)| (usize::from(at - block.chunks), &shard[..]));
        let chunks = parity::rebuild(here, parities, shards, length)?;
        let shards = parity::of(&chunks, parities)?;
        let key = self.proofs.channel()?;
        let levels = parity::tree(key, block.first, &chunks, shards.iter().map(|shard| &shard[..]));
        let is_it = levels.last()?.first() == Some(&block.root);
        is_it.then_some((chunks, levels))
    }
}

/// The flags and the bytes of a chunk's datagram.
fn content(datagram: &Bytes) -> Option<(u8, Bytes)> {
    match Message::read(datagram)? {
        Message::Chunk(Sealed { flags, data, .. }) => Some((flags, data)),
        _ => None,
    }
}

/// From whom a rebuilt chunk comes.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const BLOCKS: usize = 8;
/// Parity of a block travels on ways of different lengths.
const SLACK: Duration = Duration::from_millis(150);
/// So long a missing chunk is not asked for, at most.
const LONGEST_WAIT: Duration = Duration::from_millis(550);
/// Where none came for so long, none is to be expected.
const GONE: Duration = Duration::from_secs(1);
/// Numbers so far back are of another count.
const FAR: u64 = 10_000;
