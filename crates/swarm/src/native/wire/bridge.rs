//! What a bridge passes on that is not a chunk: what the head of the stream is, by the channel's own word.

use crate::wire::Reader;
use bytes::{BufMut, Bytes, BytesMut};

/// The bit of a join by which somebody says that it is a bridge: it carries another team of the channel.
pub const SKILL: u16 = 1 << 8;

/// What the head of the stream is: the key that chunks are checked with says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadWord {
    /// Its length in bytes.
    pub total: u32,
    /// Its BLAKE3 hash.
    pub hash: [u8; 32],
    /// Of [`head_statement`].
    pub signature: [u8; 64],
}

impl HeadWord {
    /// Whether it is of this head.
    pub fn is_of(&self, head: &[u8]) -> bool {
        head.len() == self.total as usize && *blake3::hash(head).as_bytes() == self.hash
    }

    /// What is signed.
    pub fn statement(&self) -> Bytes {
        head_statement(self.total, &self.hash)
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.total);
        out.put_slice(&self.hash);
        out.put_slice(&self.signature);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<HeadWord> {
        Some(HeadWord { total: reader.u32()?, hash: reader.array()?, signature: reader.array()? })
    }
}

/// What a splitter signs of the head of its stream.
pub fn head_statement(total: u32, hash: &[u8; 32]) -> Bytes {
    let mut out = BytesMut::from(&b"levada swarm head 1"[..]);
    out.put_u32(total);
    out.put_slice(hash);
    out.freeze()
}
