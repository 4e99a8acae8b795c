//! Tells a format by its first bytes.

use super::{
    Format,
    id3::{self, Look},
};
use crate::codec::{aac::Adts, mpa};

/// The format that `bytes` begin with, see [`Format::probe`].
pub(super) fn probe(mut bytes: &[u8]) -> Option<Format> {
    // what is behind a tag that is longer than what we see is nearly always MPEG audio
    while let Look::Id3(size) | Look::Other(size) = id3::look(bytes) {
        match bytes.get(size..).filter(|rest| !rest.is_empty()) {
            Some(rest) => bytes = rest,
            None => return Some(Format::Mp3),
        }
    }
    match bytes {
        [b'O', b'g', b'g', b'S', ..] => Some(Format::Ogg),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Format::WebM),
        [b'F', b'L', b'V', 1, ..] => Some(Format::Flv),
        _ if is_transport(bytes) => Some(Format::MpegTs),
        _ => (0..bytes.len().min(FAR)).find_map(|at| frames(&bytes[at..])),
    }
}

/// Whether packets of a transport stream begin in the first of them; three in a row if there are as many.
fn is_transport(bytes: &[u8]) -> bool {
    let begins = |at: usize| {
        let three = (0..3).map(|n| bytes.get(at + n * PACKET));
        three.flatten().all(|&byte| byte == SYNC) && bytes.len() > at + PACKET
    };
    (0..PACKET.min(bytes.len())).any(|at| bytes[at] == SYNC && begins(at))
}

/// Whether `bytes` begin with two frames of the same kind, or with one that is the last.
fn frames(bytes: &[u8]) -> Option<Format> {
    if let Some(first) = Adts::parse(bytes) {
        let next = Adts::parse(bytes.get(first.size..)?)?;
        return (next.config == first.config).then_some(Format::Adts);
    }
    let first = mpa::Header::parse(bytes)?;
    let next = mpa::Header::parse(bytes.get(first.size()?..)?)?;
    next.same(&first).then_some(Format::Mp3)
}

/// The largest frames fit in it twice.
const FAR: usize = 4096;
const PACKET: usize = 188;
const SYNC: u8 = 0x47;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_frames_are_told_from_their_middle_on() {
        let frame = |head: &[u8], size: usize| [head, &vec![0x55; size - head.len()]].concat();
        let mp3 = frame(&[0xff, 0xfb, 0x90, 0], 417);
        assert_eq!(probe(&[&mp3[100..], &mp3, &mp3].concat()), Some(Format::Mp3));
        let aac = frame(&[0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc], 371);
        assert_eq!(probe(&[&aac[10..], &aac, &aac].concat()), Some(Format::Adts));
        assert_eq!(probe(&mp3), None);
    }

    #[test]
    fn a_tag_longer_than_what_we_see_is_one_of_mp3() {
        assert_eq!(probe(b"ID3\x04\0\0\0\0\x10\0...."), Some(Format::Mp3));
        assert_eq!(probe(&b"ID3\x04\0\0\0\0\0\0".repeat(100_000)), Some(Format::Mp3));
    }

    #[test]
    fn what_we_do_not_know_is_nothing() {
        for bytes in [&b""[..], b"\0\0\0\x20ftypisom", b"RIFF....WAVE", &[0xff; 64], &[0; 600], b"G", b"ID"] {
            assert_eq!(probe(bytes), None, "{bytes:x?}");
        }
    }
}
