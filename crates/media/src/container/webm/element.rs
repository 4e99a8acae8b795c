//! EBML elements: identifiers, sizes, values, and walking through what a master element holds (RFC 8794 4–7).

/// Names an element; the length marker belongs to it.
pub(super) type Id = u32;

/// The first bytes of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: Id,
    /// Bytes of identifier and size.
    pub(super) len: usize,
    /// Bytes that follow; `None` where the element ends when something begins that cannot be in it.
    pub(super) size: Option<u64>,
}

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Head(Head),
    /// More bytes are needed.
    Short,
    /// These bytes begin no element.
    No,
}

impl Head {
    /// Reads identifier and size.
    pub(super) fn parse(bytes: &[u8]) -> Parsed {
        let Some(&first) = bytes.first() else { return Parsed::Short };
        let width = first.leading_zeros() as usize + 1;
        if width > 4 {
            return Parsed::No;
        }
        let Some(&second) = bytes.get(width) else { return Parsed::Short };
        let len = width + second.leading_zeros() as usize + 1;
        if second == 0 {
            return Parsed::No;
        }
        let Some((size, _)) = bytes.get(width..len).and_then(vint) else { return Parsed::Short };
        Parsed::Head(Head { id: uint(&bytes[..width]) as Id, len, size })
    }
}

/// A number with a length marker, and how many bytes it takes; all bits set means "unknown".
pub(super) fn vint(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    let bytes = bytes.get(..len).filter(|_| len <= 8)?;
    let mask = u64::MAX >> (64 - 7 * len as u32);
    let value = uint(bytes) & mask;
    Some(((value != mask).then_some(value), len))
}

/// Big-endian bytes as a number; of more than eight the last count.
pub(super) fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The elements that a master element's `body` holds, and where each one's own body begins in it; ends at the first
/// that is not whole.
pub(super) fn children(body: &[u8]) -> impl Iterator<Item = (Id, usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let Parsed::Head(Head { id, len, size: Some(size) }) = Head::parse(&body[at..]) else { return None };
        let begin = at + len;
        let end = begin.checked_add(usize::try_from(size).ok()?)?;
        let child = body.get(begin..end)?;
        at = end;
        Some((id, begin, child))
    })
}

/// The body of the first child called `id`.
pub(super) fn child(body: &[u8], id: Id) -> Option<&[u8]> {
    children(body).find(|child| child.0 == id).map(|child| child.2)
}

/// The identifiers that we look at (RFC 9559 5.1).
pub(super) mod id {
    use super::Id;

    pub(in super::super) const EBML: Id = 0x1a45_dfa3;
    pub(in super::super) const SEGMENT: Id = 0x1853_8067;
    pub(in super::super) const SEEK_HEAD: Id = 0x114d_9b74;
    pub(in super::super) const INFO: Id = 0x1549_a966;
    pub(in super::super) const TRACKS: Id = 0x1654_ae6b;
    pub(in super::super) const CUES: Id = 0x1c53_bb6b;
    pub(in super::super) const ATTACHMENTS: Id = 0x1941_a469;
    pub(in super::super) const CHAPTERS: Id = 0x1043_a770;
    pub(in super::super) const TAGS: Id = 0x1254_c367;
    pub(in super::super) const VOID: Id = 0xec;
    pub(in super::super) const CRC32: Id = 0xbf;

    pub(in super::super) const CLUSTER: Id = 0x1f43_b675;
    pub(in super::super) const TIMESTAMP: Id = 0xe7;
    pub(in super::super) const SILENT_TRACKS: Id = 0x5854;
    pub(in super::super) const POSITION: Id = 0xa7;
    pub(in super::super) const PREV_SIZE: Id = 0xab;
    pub(in super::super) const SIMPLE_BLOCK: Id = 0xa3;
    pub(in super::super) const BLOCK_GROUP: Id = 0xa0;
    pub(in super::super) const ENCRYPTED_BLOCK: Id = 0xaf;

    pub(in super::super) const BLOCK: Id = 0xa1;
    pub(in super::super) const BLOCK_DURATION: Id = 0x9b;
    pub(in super::super) const REFERENCE_BLOCK: Id = 0xfb;

    pub(in super::super) const TIMESTAMP_SCALE: Id = 0x2a_d7b1;
    pub(in super::super) const DURATION: Id = 0x4489;
    pub(in super::super) const TITLE: Id = 0x7ba9;

    pub(in super::super) const TRACK_ENTRY: Id = 0xae;
    pub(in super::super) const TRACK_NUMBER: Id = 0xd7;
    pub(in super::super) const TRACK_TYPE: Id = 0x83;
    pub(in super::super) const CODEC_ID: Id = 0x86;
    pub(in super::super) const CODEC_PRIVATE: Id = 0x63a2;
    pub(in super::super) const DEFAULT_DURATION: Id = 0x23_e383;
    pub(in super::super) const CONTENT_ENCODINGS: Id = 0x6d80;
    pub(in super::super) const CONTENT_ENCODING: Id = 0x6240;
    pub(in super::super) const CONTENT_COMPRESSION: Id = 0x5034;
    pub(in super::super) const CONTENT_COMP_ALGO: Id = 0x4254;
    pub(in super::super) const CONTENT_COMP_SETTINGS: Id = 0x4255;

    pub(in super::super) const TAG: Id = 0x7373;
    pub(in super::super) const TARGETS: Id = 0x63c0;
    pub(in super::super) const TAG_TRACK_UID: Id = 0x63c5;
    pub(in super::super) const SIMPLE_TAG: Id = 0x67c8;
    pub(in super::super) const TAG_NAME: Id = 0x45a3;
    pub(in super::super) const TAG_STRING: Id = 0x4487;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_with_known_and_unknown_sizes() {
        let known = Head { id: id::SIMPLE_BLOCK, len: 3, size: Some(0x123) };
        assert_eq!(Head::parse(&[0xa3, 0x41, 0x23, 0]), Parsed::Head(known));
        let unknown = Head { id: id::CLUSTER, len: 5, size: None };
        assert_eq!(Head::parse(&[0x1f, 0x43, 0xb6, 0x75, 0xff]), Parsed::Head(unknown));
        assert_eq!(Head::parse(&[0x1f, 0x43, 0xb6]), Parsed::Short);
        assert_eq!(Head::parse(&[0xa3, 0x01, 0, 0]), Parsed::Short);
        assert_eq!(Head::parse(&[0x08, 0x81]), Parsed::No);
        assert_eq!(Head::parse(&[0xa3, 0x00]), Parsed::No);
    }

    #[test]
    fn children_end_where_one_is_not_whole() {
        let body = [0xe7, 0x81, 5, 0xa3, 0x84, 1, 2];
        let found: Vec<_> = children(&body).collect();
        assert_eq!(found, [(id::TIMESTAMP, 2, &[5u8][..])]);
    }
}
