//! A tag as it lies in a file, and back.

use super::{
    file::{AFTER, BEFORE, LARGEST},
    tag::{self, Kind, Tag},
};
use bytes::{BufMut, Bytes, BytesMut};

/// What a file begins with: the header and the first back pointer (FLV 10.1, E.2).
pub fn file_header(audio: bool, video: bool) -> Bytes {
    let flags = u8::from(audio) << 2 | u8::from(video);
    Bytes::copy_from_slice(&[b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0])
}

/// The bytes of `tag` in a file, `None` if it is larger than any reader takes (4 MiB).
pub fn wrap(tag: &Tag) -> Option<Bytes> {
    let length = Some(tag.payload.len()).filter(|length| *length <= LARGEST)? as u32;
    let [t3, t2, t1, t0] = tag.timestamp.to_be_bytes();
    let mut bytes = BytesMut::with_capacity(BEFORE + tag.payload.len() + AFTER);
    bytes.put_u8(tag.kind as u8);
    bytes.put_slice(&length.to_be_bytes()[1..]);
    bytes.put_slice(&[t2, t1, t0, t3, 0, 0, 0]);
    bytes.put_slice(&tag.payload);
    bytes.put_u32(length + BEFORE as u32);
    Some(bytes.freeze())
}

/// The tag whose bytes in a file are `bytes`, payload shared; `None` if they are no whole tag.
pub fn unwrap(bytes: &Bytes) -> Option<Tag> {
    let &[kind, a, b, c, t2, t1, t0, t3, ..] = &bytes[..] else { return None };
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    let kind = Kind::from_wire(kind).filter(|_| bytes.len() == BEFORE + length + AFTER)?;
    let payload = bytes.slice(BEFORE..BEFORE + length);
    Some(Tag { kind, timestamp: u32::from_be_bytes([t3, t2, t1, t0]), payload })
}

/// `tags` as they lie in a file one after the other, pressed together by [`tag::catch_up`].
pub fn catch_up(tags: &Bytes) -> Option<Bytes> {
    let tags: Option<Vec<Tag>> = split(tags).iter().map(unwrap).collect();
    let pressed: Option<Vec<Bytes>> = tag::catch_up(&tags?)?.iter().map(wrap).collect();
    Some(pressed?.concat().into())
}

/// The bytes of each of several tags that lie one after the other, up to the last whole one.
pub fn split(tags: &Bytes) -> Vec<Bytes> {
    let mut rest = tags.clone();
    let next = || {
        let &[_, a, b, c] = rest.first_chunk()?;
        let size = BEFORE + u32::from_be_bytes([0, a, b, c]) as usize + AFTER;
        (rest.len() >= size).then(|| rest.split_to(size))
    };
    std::iter::from_fn(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut as _, container::flv::Cutter};

    #[test]
    fn what_is_wrapped_is_a_page_of_a_file_and_unwraps_to_the_same() {
        let tag =
            Tag { kind: Kind::Audio, timestamp: 0x0102_0304, payload: Bytes::from_static(b"\xaf\x01x") };
        let bytes = wrap(&tag).unwrap();
        assert_eq!(unwrap(&bytes), Some(tag));
        assert_eq!(unwrap(&bytes.slice(1..)), None);
        let mut cutter = Cutter::new();
        cutter.push(&[&file_header(true, false)[..], &bytes].concat());
        let pages: Vec<_> = std::iter::from_fn(|| cutter.poll()).map(|page| page.bytes).collect();
        assert_eq!((pages, cutter.skipped()), (vec![file_header(true, false), bytes], 0));
    }
}
