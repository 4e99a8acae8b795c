//! What is playing, inside the fragments: ID3 in an event message (ISO 23009-1 5.10.3.3, "Carriage of ID3 Timed Metadata
//! in CMAF").

use super::{boxes::put_full, read::Fields};
use crate::{Tags, container::id3 as reader};
use bytes::{BufMut, Bytes, BytesMut};

/// A title that players are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Repeated in every segment under the same number, so that it is one event to those who were there.
    number: u32,
    id3: Bytes,
}

impl Event {
    /// Event `number`: these tags are what is playing from now on.
    pub(super) fn new(number: u32, tags: &Tags) -> Event {
        Event { number, id3: id3(tags) }
    }

    /// Writes the event as one at `at`, in so many ticks a second.
    pub(super) fn put(&self, out: &mut BytesMut, at: u64, timescale: u32) {
        put_full(out, b"emsg", 1, 0, |out| {
            out.put_u32(timescale);
            out.put_u64(at);
            out.put_u32(u32::MAX); // until the next
            out.put_u32(self.number);
            out.put_slice(SCHEME);
            out.put_u8(0);
            out.put_slice(b"\0");
            out.put_slice(&self.id3);
        });
    }
}

/// Number and tags of what is inside an event message, if those are ID3.
pub(super) fn read(inside: &[u8]) -> Option<(u32, Tags)> {
    let mut fields = Fields(inside);
    let (version, _) = fields.full()?;
    let (number, scheme) = if version == 0 {
        let scheme = fields.text()?;
        fields.text()?;
        fields.take(12)?;
        (fields.u32()?, scheme)
    } else {
        fields.take(16)?;
        let number = fields.u32()?;
        let scheme = fields.text()?;
        fields.text()?;
        (number, scheme)
    };
    let id3 = fields.0;
    let whole = matches!(reader::look(id3), reader::Look::Id3(size) if size <= id3.len());
    (scheme == SCHEME && whole).then(|| (number, reader::tags(id3)))
}

/// An ID3v2.4 tag (id3.org: "ID3 tag version 2.4.0") with what `tags` say.
fn id3(tags: &Tags) -> Bytes {
    let mut frames = BytesMut::new();
    for (name, text) in [(b"TIT2", &tags.title), (b"TPE1", &tags.artist), (b"TALB", &tags.album)] {
        let text = short(text);
        if !text.is_empty() {
            frames.put_slice(name);
            frames.put_slice(&safe(text.len() + 1));
            frames.put_slice(&[0, 0, UTF8]);
            frames.put_slice(text.as_bytes());
        }
    }
    let mut out = BytesMut::from(&b"ID3\x04\0\0"[..]);
    out.put_slice(&safe(frames.len()));
    out.put_slice(&frames);
    out.freeze()
}

/// So much of a text as a tag has room for.
fn short(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A size of 28 bits in four bytes whose highest bit is zero.
fn safe(size: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8)
}

const SCHEME: &[u8] = b"https://aomedia.org/emsg/ID3";
const UTF8: u8 = 3;
/// Bytes of a text.
const LONGEST: usize = 4096;

/// How long an `emsg` box of `out` is; for tests that look behind it.
#[cfg(test)]
pub(super) fn length(out: &[u8]) -> usize {
    match out {
        [a, b, c, d, b'e', b'm', b's', b'g', ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn titles_are_what_our_own_reader_finds() {
        let tags = Tags { title: "Löwe".repeat(40), artist: "B".into(), ..Tags::default() };
        let written = id3(&tags);
        assert_eq!(reader::look(&written), reader::Look::Id3(written.len()));
        assert_eq!(reader::tags(&written), tags);
    }

    #[test]
    fn a_title_as_long_as_a_book_is_shortened() {
        let tags = Tags::titled("ö".repeat(1 << 20));
        assert_eq!(reader::tags(&id3(&tags)).title, "ö".repeat(LONGEST / 2));
    }

    #[test]
    fn an_event_is_one_box() {
        let mut out = BytesMut::new();
        Event::new(1, &Tags::titled("x")).put(&mut out, 5, 48_000);
        assert_eq!(length(&out), out.len());
        assert_eq!(read(&out[8..]), Some((1, Tags::titled("x"))));
        assert_eq!(read(&out[8..out.len() - 1]), None);
    }
}
