//! Parity of a block of chunks, with its proof.

use super::LONGEST;
use crate::{native::seal::Hash, wire::Reader};
use bytes::{BufMut, Bytes, BytesMut};

/// One of the parity datagrams of a block. Where a [`Sealed`](super::Sealed) chunk has hops and levels it has them too, so
/// that it is passed on likewise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parity {
    /// The number of the block's first chunk.
    pub first: u64,
    /// How many chunks are in it.
    pub chunks: u8,
    /// How many have passed it on.
    pub hops: u8,
    /// Which leaf of the block it is, chunks before it, and how many there are, at most [`LEAVES`].
    pub place: (u8, u8),
    /// The way to the block's root.
    pub siblings: Vec<Hash>,
    /// The splitter's of the block.
    pub signature: [u8; 64],
    /// Of the code, filled up.
    pub shard: Bytes,
}

/// The bit of a join or a welcome by which somebody says that it knows parity.
pub const SKILL: u16 = 2;
/// The most chunks and parity of a block, and chunks of a group.
pub const LEAVES: usize = 32;
/// In the number of a leaf, that it is parity.
pub const PARITY_LEAF: u64 = 1 << 63;
/// Its first byte.
pub(super) const KIND: u8 = 60;
const LONGEST_SHARD: usize = LONGEST + 4;

impl Parity {
    /// The datagram.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(80 + 16 * self.siblings.len() + self.shard.len());
        let (at, count) = self.place;
        out.put_slice(&[KIND, self.chunks, self.hops, at, count, self.siblings.len() as u8]);
        out.put_u64(self.first);
        self.siblings.iter().for_each(|sibling| out.put_slice(sibling));
        out.put_slice(&self.signature);
        out.put_slice(&self.shard);
        out.freeze()
    }

    /// Reads what comes after the first byte of `bytes`.
    pub(super) fn read(bytes: &Bytes, reader: &mut Reader<'_>) -> Option<Parity> {
        let [chunks, hops, at, count, levels] = reader.array()?;
        let first = reader.u64()?;
        let sound = (1..=at).contains(&chunks)
            && at < count
            && usize::from(count) <= LEAVES
            && levels <= 8
            && first < PARITY_LEAF - LEAVES as u64;
        if !sound {
            return None;
        }
        let siblings = (0..levels).map(|_| reader.array()).collect::<Option<_>>()?;
        let signature = reader.array()?;
        let shard = bytes.slice_ref(reader.rest());
        let fits = (4..=LONGEST_SHARD).contains(&shard.len()) && shard.len().is_multiple_of(2);
        fits.then_some(Parity { first, chunks, hops, place: (at, count), siblings, signature, shard })
    }
}
