//! Blocks of chunks with parity (FEC): any as many of a block's datagrams as it has chunks give all of them.
//!
//! The code is systematic: chunks go as they are, and parity beside them. A chunk enters it as a [shard](shard), its flags and
//! length before its bytes, filled up to the longest. Chunks and parity of a block are the leaves of one Merkle tree under
//! one signature, so that parity is checked as chunks are, and a chunk that was rebuilt has a proof of its own.

use super::{
    seal::{self, Hash, Key},
    wire::{LONGEST, PARITY_LEAF},
};
use bytes::{BufMut, Bytes};

/// The leaf of a parity shard: unlike that of any chunk, since none has such a number.
pub(super) fn leaf(key: Key, first: u64, at: u8, chunks: u8, shard: &[u8]) -> Hash {
    key.leaf((first + u64::from(at)) | PARITY_LEAF, chunks, shard)
}

/// The stripe that a parity datagram travels down: over many blocks, each of them as often.
pub(super) fn stripe(first: u64, at: u8, stripes: usize) -> Option<usize> {
    // The golden ratio's multiples spread evenly (Knuth, vol. 3, 6.4).
    let spread = first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (spread.wrapping_add(at.into()) as usize).checked_rem(stripes)
}

/// How long the shards of a block are whose longest chunk has so many bytes: even, as the code wants it.
pub(super) fn length(longest: usize) -> usize {
    (HEADER + longest).next_multiple_of(2)
}

/// A chunk as it enters the code; `None` where it is longer than the block's shards say.
pub(super) fn shard(flags: u8, data: &[u8], length: usize) -> Option<Vec<u8>> {
    if HEADER + data.len() > length || data.len() > LONGEST {
        return None;
    }
    let mut shard = Vec::with_capacity(length);
    shard.put_u8(flags);
    shard.put_u16(data.len() as u16);
    shard.put_slice(data);
    shard.resize(length, 0);
    Some(shard)
}

/// The chunk of a shard.
fn chunk(shard: &[u8]) -> Option<(u8, Bytes)> {
    let [flags, high, low, ..] = *shard else { return None };
    let data = shard.get(HEADER..HEADER + usize::from(u16::from_be_bytes([high, low])))?;
    (1..=LONGEST).contains(&data.len()).then(|| (flags, Bytes::copy_from_slice(data)))
}

/// The parity of a block's chunks; `None` where there can be none.
pub(super) fn of(chunks: &[(u8, Bytes)], parities: usize) -> Option<Vec<Vec<u8>>> {
    let length = length(chunks.iter().map(|(_, data)| data.len()).max()?);
    let shards = chunks.iter().map(|(flags, data)| shard(*flags, data, length));
    let shards = shards.collect::<Option<Vec<_>>>()?;
    reed_solomon_simd::encode(chunks.len(), parities, shards).ok()
}

/// All chunks of a block, those that are here and the others; `None` where that cannot be.
pub(super) fn rebuild<'a>(
    here: &[Option<(u8, Bytes)>],
    parities: usize,
    parity: impl Iterator<Item = (usize, &'a [u8])>,
    length: usize,
) -> Option<Vec<(u8, Bytes)>> {
    let shards = here.iter().enumerate().filter_map(|(at, chunk)| Some((at, chunk.as_ref()?)));
    let shards = shards.map(|(at, (flags, data))| Some((at, shard(*flags, data, length)?)));
    let shards = shards.collect::<Option<Vec<_>>>()?;
    let mut gone = reed_solomon_simd::decode(here.len(), parities, shards, parity).ok()?;
    let all = here.iter().enumerate().map(|(at, chunk_here)| match chunk_here {
        Some(here) => Some(here.clone()),
        None => chunk(&gone.remove(&at)?),
    });
    all.collect()
}

/// The Merkle tree of a block.
pub(super) fn tree<'a>(
    key: Key,
    first: u64,
    chunks: &[(u8, Bytes)],
    parity: impl Iterator<Item = &'a [u8]>,
) -> Vec<Vec<Hash>> {
    let count = chunks.len() as u8;
    let leaves = (first..).zip(chunks).map(|(number, (flags, data))| key.leaf(number, *flags, data));
    let parity = (count..).zip(parity).map(|(at, shard)| leaf(key, first, at, count, shard));
    seal::tree(leaves.chain(parity).collect())
}

/// Flags, and the length in two bytes.
const HEADER: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_as_many_as_there_are_chunks_give_all_of_them(
            sizes in proptest::collection::vec(1usize..=LONGEST, 1..=20),
            parities in 1usize..=12,
            order in any::<u64>(),
        ) {
            let bytes = |at: usize, size| (0..size).map(|n| (n * 7 + at * 31) as u8).collect::<Vec<_>>();
            let numbered = sizes.iter().enumerate();
            let chunks: Vec<_> =
                numbered.map(|(at, size)| ((at % 2) as u8, Bytes::from(bytes(at, *size)))).collect();
            let parity = of(&chunks, parities).unwrap();
            let length = length(*sizes.iter().max().unwrap());
            prop_assert!(parity.len() == parities && parity.iter().all(|shard| shard.len() == length));
            // Of all datagrams any as many as there are chunks come.
            let mut chance = levada_link::Chance::new(order, 1);
            let mut all: Vec<usize> = (0..chunks.len() + parities).collect();
            for at in (1..all.len()).rev() {
                all.swap(at, chance.below(at as u32 + 1) as usize);
            }
            let came = &all[..chunks.len()];
            let here: Vec<_> =
                (0..chunks.len()).map(|at| came.contains(&at).then(|| chunks[at].clone())).collect();
            let shards = (0..parities).filter(|at| came.contains(&(chunks.len() + at)));
            let shards = shards.map(|at| (at, &parity[at][..]));
            prop_assert_eq!(rebuild(&here, parities, shards.clone(), length), Some(chunks.clone()));
            // One fewer gives nothing.
            if let Some(last) = here.iter().position(Option::is_some) {
                let mut fewer = here.clone();
                fewer[last] = None;
                prop_assert_eq!(rebuild(&fewer, parities, shards, length), None);
            }
        }
    }

    #[test]
    fn shards_that_are_none_give_no_chunk() {
        assert_eq!(chunk(&[0, 0, 1, 7]), Some((0, Bytes::from_static(&[7]))));
        for wrong in [&[0, 0, 2, 7][..], &[0, 0, 0, 7], &[0, 255, 255, 7], &[0, 0], &[]] {
            assert_eq!(chunk(wrong), None, "{wrong:?}");
        }
        assert_eq!(shard(0, &[1; 8], 10), None);
    }

    #[test]
    fn blocks_go_down_all_stripes_alike() {
        let mut times = [0; 8];
        for block in 0..1_000u64 {
            times[stripe(block * 20, 20, 8).unwrap()] += 1;
            times[stripe(block * 20, 21, 8).unwrap()] += 1;
        }
        assert!(times.iter().all(|times| (225..=275).contains(times)), "{times:?}");
        assert_eq!(stripe(5, 0, 0), None);
    }
}
