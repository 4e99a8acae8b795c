//! Vorbis comments, the titles of all Xiph codecs (Vorbis I §5, RFC 7845 §5.2, FLAC's VORBIS_COMMENT).

use super::array;
use crate::Tags;

/// Reads title, artist, album and address out of a comment block, which begins with the vendor's length.
///
/// Never fails: what is cut off, oversized or not `KEY=value` is left out; bytes that are not UTF-8 become
/// U+FFFD and control characters spaces; each field is cut at 1 KiB.
pub fn tags(block: &[u8]) -> Tags {
    let mut tags = Tags::default();
    for entry in entries(block).take(MOST_ENTRIES) {
        let Some(equals) = entry.iter().position(|&byte| byte == b'=') else { continue };
        let (key, value) = entry.split_at(equals);
        let field = match key.to_ascii_uppercase().as_slice() {
            b"TITLE" => &mut tags.title,
            b"ARTIST" => &mut tags.artist,
            b"ALBUM" => &mut tags.album,
            b"URL" => &mut tags.url,
            _ => continue,
        };
        add(field, value.get(1..).unwrap_or_default());
    }
    tags
}

/// Who encoded, the first field of a comment block; empty where it is cut off.
pub fn vendor(block: &[u8]) -> &[u8] {
    field(block).map(|(vendor, _)| vendor).unwrap_or_default()
}

/// A comment block of `vendor` that says `tags`, without Vorbis's closing framing bit.
pub fn write(vendor: &[u8], tags: &Tags) -> Vec<u8> {
    let said: Vec<String> =
        [("TITLE", &tags.title), ("ARTIST", &tags.artist), ("ALBUM", &tags.album), ("URL", &tags.url)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={}", cut(value)))
            .collect();
    let mut block = Vec::new();
    put(&mut block, vendor.get(..vendor.len().min(FIELD)).unwrap_or_default());
    block.extend_from_slice(&(said.len() as u32).to_le_bytes());
    said.iter().for_each(|entry| put(&mut block, entry.as_bytes()));
    block
}

/// Appends `value` to what a key said before: several `ARTIST` entries are several artists.
fn add(field: &mut String, value: &[u8]) {
    let value = value.get(..value.len().min(FIELD)).unwrap_or_default();
    let text: String =
        String::from_utf8_lossy(value).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    if text.is_empty() || field.len() >= FIELD {
        return;
    }
    if !field.is_empty() {
        field.push_str(", ");
    }
    field.push_str(text);
    field.truncate(cut(field).len());
}

/// At most [`FIELD`] bytes of `text`, whole characters.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(FIELD)).unwrap_or(text)
}

/// The entries after the vendor, as far as they are whole.
fn entries(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = field(block).and_then(|(_, rest)| rest.get(4..)).unwrap_or_default();
    let count = field(block).and_then(|(_, rest)| array(rest, 0)).map_or(0, u32::from_le_bytes);
    let mut rest = rest;
    (0..count).map_while(move |_| {
        let (entry, after) = field(rest)?;
        rest = after;
        Some(entry)
    })
}

/// A field with its length before it, and what follows.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_le_bytes(array(bytes, 0)?) as usize;
    bytes.get(4..)?.split_at_checked(length)
}

fn put(block: &mut Vec<u8>, field: &[u8]) {
    block.extend_from_slice(&(field.len() as u32).to_le_bytes());
    block.extend_from_slice(field);
}

/// Longest field that is kept, in bytes: four times what ICY could carry would be pointless.
const FIELD: usize = 1024;
/// Entries looked at; a real file has some dozens.
const MOST_ENTRIES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let tags =
            Tags { title: "Là".into(), artist: "A=B".into(), album: "C".into(), url: "http://d".into() };
        let block = write(b"levada", &tags);
        assert_eq!(super::tags(&block), tags);
        assert_eq!(vendor(&block), b"levada");
    }

    #[test]
    fn a_block_cut_anywhere_gives_what_is_whole() {
        let block = write(b"v", &Tags { title: "first".into(), album: "second".into(), ..Tags::default() });
        for end in 0..block.len() {
            let tags = tags(&block[..end]);
            assert!(tags.title.is_empty() || tags.title == "first");
            assert!(tags.album.is_empty());
        }
    }

    #[test]
    fn keys_ignore_case_and_repeated_artists_are_joined() {
        let mut block = Vec::new();
        put(&mut block, b"");
        block.extend_from_slice(&4u32.to_le_bytes());
        for entry in ["artist=One", "Artist=Two", "nothing", "tiTle=a\nb\u{fffd}"] {
            put(&mut block, entry.as_bytes());
        }
        let tags = tags(&block);
        assert_eq!((tags.artist.as_str(), tags.title.as_str()), ("One, Two", "a b\u{fffd}"));
    }

    #[test]
    fn an_endless_title_is_cut_at_a_character() {
        let long = Tags::titled("é".repeat(5000));
        let tags = tags(&write(b"", &long));
        assert_eq!(tags.title.len(), FIELD);
    }
}
