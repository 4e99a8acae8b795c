//! Finds elements in a run of bytes: the headers of Segment and Cluster, everything else whole.

use super::element::{Head, Id, Parsed, id, vint};
use crate::container::window::Window;
use bytes::Bytes;

/// An element as it travels. Segments and Clusters come without what they hold, which follows as units of its own, so
/// that it does not matter whether their size is known.
pub(super) struct Unit {
    pub(super) id: Id,
    pub(super) bytes: Bytes,
    /// Where its body begins.
    pub(super) body: usize,
}

impl Unit {
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(self.body..).unwrap_or_default()
    }
}

/// Skips what is no element up to the next Cluster or EBML header. Holds at most one element of [`LARGEST`] bytes.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) window: Window,
    /// The tracks that blocks can be of; empty while that is not known.
    tracks: Vec<u64>,
}

impl Reader {
    /// From here on blocks of other tracks are garbage.
    pub(super) fn expect(&mut self, tracks: Vec<u64>) {
        self.tracks = tracks;
    }

    /// The next element, `None` when more bytes are needed.
    pub(super) fn poll(&mut self) -> Option<Unit> {
        loop {
            if self.window.sync {
                match self.look(self.window.front()) {
                    Look::Unit { id, body, size } => {
                        return Some(Unit { id, body, bytes: self.window.take(size) });
                    }
                    Look::PassOver(size) => self.window.skip(size),
                    Look::Short if self.window.ended() => self.window.skip(self.window.front().len() as u64),
                    Look::Short => return None,
                    Look::No => self.window.sync = false,
                }
            }
            if !self.window.sync && !self.hunt() {
                return None;
            }
            if self.window.front().is_empty() {
                return None;
            }
        }
    }

    /// Skips to where a Cluster or an EBML header begins; whether one does.
    fn hunt(&mut self) -> bool {
        let front = self.window.front();
        for at in 0..front.len() {
            match begins(&front[at..]) {
                Some(true) => {
                    self.window.sync = true;
                    self.window.skip(at as u64);
                    return true;
                }
                None if !self.window.ended() => {
                    self.window.skip(at as u64);
                    return false;
                }
                _ => {}
            }
        }
        self.window.skip(front.len() as u64);
        false
    }

    fn look(&self, front: &[u8]) -> Look {
        let head = match Head::parse(front) {
            Parsed::Head(head) => head,
            Parsed::Short => return Look::Short,
            Parsed::No => return Look::No,
        };
        if matches!(head.id, id::SEGMENT | id::CLUSTER) {
            return Look::Unit { id: head.id, body: head.len, size: head.len };
        }
        let Some(size) = head.size else { return Look::No };
        let whole = size.saturating_add(head.len as u64);
        match limit(head.id) {
            Some(limit) if whole <= limit => self.leaf(front, head, whole as usize),
            Some(_) if is_bulk(head.id) && whole <= LARGEST_BULK => Look::PassOver(whole),
            None if whole <= LARGEST_UNKNOWN => self.unknown(front, head, whole as usize),
            _ => Look::No,
        }
    }

    fn leaf(&self, front: &[u8], head: Head, size: usize) -> Look {
        if matches!(head.id, id::SIMPLE_BLOCK | id::BLOCK_GROUP)
            && !self.is_block(&front[..size.min(front.len())], head)
        {
            return Look::No;
        }
        if front.len() < size {
            return Look::Short;
        }
        Look::Unit { id: head.id, body: head.len, size }
    }

    /// Whether the first bytes of a block are believable, as far as they are there; what is behind it says nothing.
    fn is_block(&self, block: &[u8], head: Head) -> bool {
        let body = block.get(head.len..).unwrap_or_default();
        if head.id == id::BLOCK_GROUP {
            return body.first().is_none_or(|first| GROUP_BEGINS.contains(first));
        }
        let Some((track, len)) = vint(body) else { return body.is_empty() || body[0] != 0 };
        let known = self.tracks.is_empty() || track.is_some_and(|track| self.tracks.contains(&track));
        known && body.get(len + 2).is_none_or(|flags| flags & RESERVED_FLAGS == 0)
    }

    /// An element of a later standard: believed if a known one is behind it.
    fn unknown(&self, front: &[u8], head: Head, size: usize) -> Look {
        let Some(next) = front.get(size..) else { return Look::Short };
        match Head::parse(next) {
            Parsed::Short if !self.window.ended() => Look::Short,
            Parsed::Head(next)
                if limit(next.id).is_none() && !matches!(next.id, id::SEGMENT | id::CLUSTER) =>
            {
                Look::No
            }
            Parsed::No => Look::No,
            _ => Look::Unit { id: head.id, body: head.len, size },
        }
    }
}

enum Look {
    Unit { id: Id, body: usize, size: usize },
    PassOver(u64),
    Short,
    No,
}

/// Whether `front` begins with an EBML header or a Cluster; `None` when more bytes are needed.
fn begins(front: &[u8]) -> Option<bool> {
    if !matches!(front[0], 0x1a | 0x1f) {
        return Some(false);
    }
    let head = match Head::parse(front) {
        Parsed::Head(head) => head,
        Parsed::Short if is_prefix(front) => return None,
        Parsed::Short => return Some(false),
        Parsed::No => return Some(false),
    };
    let next = front.get(head.len);
    match head.id {
        id::EBML if head.size.is_some_and(|size| size + head.len as u64 <= LARGEST_HEADER) => {
            next.map(|&next| next == 0x42)
        }
        id::CLUSTER => next.map(|next| CLUSTER_BEGINS.contains(next)),
        _ => Some(false),
    }
}

fn is_prefix(front: &[u8]) -> bool {
    [id::EBML, id::CLUSTER].iter().any(|id| id.to_be_bytes().iter().zip(front).all(|(a, b)| a == b))
}

/// The most bytes that an element of this name may have with its header; `None` for names that we do not know.
fn limit(id: Id) -> Option<u64> {
    Some(match id {
        id::SIMPLE_BLOCK | id::BLOCK_GROUP | id::ENCRYPTED_BLOCK => LARGEST,
        id::EBML => LARGEST_HEADER,
        id::INFO | id::TRACKS | id::TAGS | id::SEEK_HEAD | id::CUES | id::CHAPTERS | id::ATTACHMENTS => {
            LARGEST_MASTER
        }
        id::VOID => LARGEST_UNKNOWN,
        id::TIMESTAMP | id::POSITION | id::PREV_SIZE => 16,
        id::CRC32 => 12,
        id::SILENT_TRACKS => 1024,
        _ => return None,
    })
}

/// Whether one can do without it where it is too large to be held.
fn is_bulk(id: Id) -> bool {
    matches!(id, id::VOID | id::CUES | id::CHAPTERS | id::ATTACHMENTS | id::TAGS | id::SEEK_HEAD)
}

/// What the first child of a Cluster can be: a timestamp, or what may stand before it.
const CLUSTER_BEGINS: [u8; 6] = [0xe7, 0xbf, 0xec, 0xa7, 0xab, 0x58];
/// The children of a BlockGroup: the block, its duration and references, padding, additions, a check.
const GROUP_BEGINS: [u8; 9] = [0xa1, 0x9b, 0xfb, 0x75, 0xa4, 0xfa, 0xfd, 0xbf, 0xec];
/// A SimpleBlock's flags that mean nothing (RFC 9559 10.2).
const RESERVED_FLAGS: u8 = 0x70;
/// Larger than a key frame of any encoder seen; what claims more is garbage.
const LARGEST: u64 = 8 << 20;
const LARGEST_MASTER: u64 = 1 << 20;
const LARGEST_UNKNOWN: u64 = 64 << 10;
const LARGEST_HEADER: u64 = 4 << 10;
/// Attachments and padding up to this size are skipped as they come; more is garbage.
const LARGEST_BULK: u64 = 64 << 20;
