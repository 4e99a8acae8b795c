//! Tags that files carry around bare frames: ID3v2 before them, ID3v1 and APE behind (id3.org, APEv2).

use crate::Tags;

/// What the front of the bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// No tag.
    No,
    /// It may become one: more bytes are needed.
    Short,
    /// A tag of so many bytes that says what is playing.
    Id3(usize),
    /// A tag of so many bytes that is not worth reading.
    Other(usize),
}

/// Looks whether `front` begins with a tag.
pub(crate) fn look(front: &[u8]) -> Look {
    let begins = |magic: &[u8]| front.iter().zip(magic).all(|(a, b)| a == b);
    if begins(b"ID3") {
        return header(front, ID3_HEADER, id3_size)
            .map_or(Look::No, |size| size.map_or(Look::Short, Look::Id3));
    }
    if begins(b"APETAGEX") {
        return header(front, APE_HEADER, ape_size)
            .map_or(Look::No, |size| size.map_or(Look::Short, Look::Other));
    }
    match (begins(b"TAG"), front.len()) {
        (true, 3..) => Look::Other(128),
        (true, _) => Look::Short,
        (false, _) => Look::No,
    }
}

/// Title, artist and album of an ID3v2 tag of which at least the beginning is there.
pub(crate) fn tags(tag: &[u8]) -> Tags {
    let mut tags = Tags::default();
    let (Some(&version), Some(&flags), Some(body)) = (tag.get(3), tag.get(5), tag.get(ID3_HEADER..)) else {
        return tags;
    };
    let plain = if flags & UNSYNCHRONISED != 0 && version < 4 { synchronised(body) } else { body.to_vec() };
    let mut rest = plain.as_slice();
    if flags & EXTENDED != 0 && version > 2 {
        rest = rest.get(extended_size(rest, version)..).unwrap_or_default();
    }
    while let Some((id, text, next)) = frame(rest, version) {
        match id {
            b"TIT2" | b"TT2" => tags.title = text_of(text),
            b"TPE1" | b"TP1" => tags.artist = text_of(text),
            b"TALB" | b"TAL" => tags.album = text_of(text),
            _ => {}
        }
        rest = next;
    }
    tags
}

/// `Some(None)` while the header is not whole.
fn header(front: &[u8], len: usize, size: fn(&[u8]) -> Option<usize>) -> Option<Option<usize>> {
    match front.get(..len) {
        None => Some(None),
        Some(head) => size(head).map(Some),
    }
}

fn id3_size(head: &[u8]) -> Option<usize> {
    let believable = head[3] < 0xff && head[4] < 0xff && head[6..10].iter().all(|byte| byte & 0x80 == 0);
    let footer = if head[5] & FOOTER != 0 && head[3] >= 4 { ID3_HEADER } else { 0 };
    let size = ID3_HEADER + syncsafe(&head[6..10]) + footer;
    (believable && size <= LARGEST).then_some(size)
}

fn ape_size(head: &[u8]) -> Option<usize> {
    let flags = u32::from_le_bytes([head[20], head[21], head[22], head[23]]);
    let items = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
    // The size counts the items and the footer, not the header; a lone footer tells of what has passed already.
    let size = APE_HEADER + if flags & APE_IS_HEADER != 0 { items } else { 0 };
    (size <= LARGEST).then_some(size)
}

fn syncsafe(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f))
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |size, byte| size << 8 | usize::from(*byte))
}

fn extended_size(rest: &[u8], version: u8) -> usize {
    let size = rest.get(..4).unwrap_or_default();
    if version >= 4 { syncsafe(size).max(6) } else { number(size).saturating_add(4) }
}

type Frame<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn frame(rest: &[u8], version: u8) -> Option<Frame<'_>> {
    let (id, size, head): (_, _, usize) = match version {
        2 => (rest.get(..3)?, number(rest.get(3..6)?), 6),
        3 => (rest.get(..4)?, number(rest.get(4..8)?), 10),
        _ => (rest.get(..4)?, syncsafe(rest.get(4..8)?), 10),
    };
    let text = rest.get(head..head.checked_add(size)?)?;
    (id[0] != 0).then_some((id, text, &rest[head + size..]))
}

fn text_of(field: &[u8]) -> String {
    let Some((encoding, text)) = field.split_first() else { return String::new() };
    let text = match (encoding, text) {
        (0, text) => text.iter().map(|&byte| char::from(byte)).collect(),
        (1, [0xff, 0xfe, rest @ ..]) => utf16(rest, u16::from_le_bytes),
        (1, [0xfe, 0xff, rest @ ..]) | (2, rest) => utf16(rest, u16::from_be_bytes),
        (_, text) => String::from_utf8_lossy(text).into_owned(),
    };
    let first = text.split('\0').next().unwrap_or_default();
    first.trim().to_owned()
}

fn utf16(text: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// Takes the zero out of each FF 00 (ID3v2.3 section 5).
fn synchronised(body: &[u8]) -> Vec<u8> {
    let mut before = 0;
    let keep = |&byte: &u8| {
        let stuffed = before == 0xff && byte == 0;
        before = byte;
        !stuffed
    };
    body.iter().copied().filter(keep).collect()
}

/// How much of a tag is worth waiting for; the texts come first, pictures after.
pub(crate) const WORTH_READING: usize = 64 * 1024;

/// Longer than any cover picture seen; what claims more is garbage that looks like a tag.
const LARGEST: usize = 16 * 1024 * 1024;

const ID3_HEADER: usize = 10;
const APE_HEADER: usize = 32;
const UNSYNCHRONISED: u8 = 0x80;
const EXTENDED: u8 = 0x40;
const FOOTER: u8 = 0x10;
const APE_IS_HEADER: u32 = 1 << 29;

#[cfg(test)]
mod tests {
    use super::*;

    fn id3(version: u8, frames: &[u8]) -> Vec<u8> {
        let mut tag = vec![b'I', b'D', b'3', version, 0, 0, 0, 0, 0, frames.len() as u8];
        tag.extend_from_slice(frames);
        tag
    }

    #[test]
    fn texts_are_read_in_every_version_and_encoding() {
        let v2 = id3(2, b"TT2\0\0\x03\0abTP1\0\0\x02\0c");
        assert_eq!(tags(&v2), Tags { artist: "c".into(), ..Tags::titled("ab") });
        let v3 = id3(3, b"TIT2\0\0\0\x07\0\0\x01\xff\xfea\0b\0");
        assert_eq!(tags(&v3), Tags::titled("ab"));
        let v4 = id3(4, b"TIT2\0\0\0\x04\0\0\x03\xc3\xa9!TALB\0\0\0\x02\0\0\x03x");
        assert_eq!(tags(&v4), Tags { album: "x".into(), ..Tags::titled("é!") });
    }

    #[test]
    fn a_tag_is_seen_only_when_its_header_is_whole() {
        let tag = id3(4, b"TIT2\0\0\0\x02\0\0\x03x");
        assert!((1..10).all(|end| look(&tag[..end]) == Look::Short));
        assert_eq!(look(&tag[..10]), Look::Id3(22));
        assert_eq!(look(b"TAG"), Look::Other(128));
        assert_eq!(look(b"TAX"), Look::No);
        assert_eq!(look(b"ID3\x04\0\0\xff\0\0\0"), Look::No);
    }
}
