//! Title blocks as SHOUTcast and Icecast put them into the stream.

use super::reel::{Reel, Title};
use levada_media::Tags;

/// How far one listener's body has come between two title blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interleave {
    metaint: u32,
    /// Bytes of the stream before the next block.
    left: u32,
    /// Number of the title last told; 0 is none.
    told: u32,
    /// Bytes of the block that is due, 0 between blocks, and how many of them were written.
    size: u16,
    written: u16,
}

impl Interleave {
    pub(super) fn new(metaint: usize) -> Interleave {
        let metaint = u32::try_from(metaint).unwrap_or(u32::MAX).max(1);
        Interleave { metaint, left: metaint, told: 0, size: 0, written: 0 }
    }

    pub(super) fn room(&self) -> usize {
        self.left as usize
    }

    /// What is left of the block that is due.
    pub(super) fn insert<'a>(&self, reel: &'a Reel) -> &'a [u8] {
        let whole = match self.size {
            0 => &[],
            1 => UNCHANGED,
            _ => reel.title(self.told).map_or(&NOTHING[..usize::from(self.size)], |title| &*title.block),
        };
        whole.get(usize::from(self.written)..).unwrap_or_default()
    }

    /// `bytes` of the stream were written; when a block is due after them, it tells `title` if that is news.
    pub(super) fn pass_body<'a>(&mut self, bytes: usize, title: impl FnOnce() -> Option<&'a Title>) {
        self.left = self.left.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.left > 0 {
            return;
        }
        (self.size, self.written) = (1, 0);
        if let Some(title) = title().filter(|title| title.number != self.told) {
            self.told = title.number;
            self.size = title.block.len() as u16; // at most 4,081
        }
    }

    /// `bytes` of the block were written.
    pub(super) fn pass_insert(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(u16::try_from(bytes).unwrap_or(u16::MAX));
        if self.written >= self.size {
            (self.left, self.size, self.written) = (self.metaint, 0, 0);
        }
    }

    /// What was told is forgotten, so that the next block tells the title anew.
    pub(super) fn forget(&mut self) {
        self.told = 0;
    }
}

/// The block that tells `tags`: a length byte in units of 16, then `StreamTitle='…';` (and `StreamUrl='…';` where there
/// is one) padded with zeroes. At most 4,081 bytes in all; what does not fit is cut at a character's end.
///
/// Players look for `';` as the end of a value and nothing is escaped, so that pair is broken by a space inside one.
pub fn block(tags: &Tags) -> Vec<u8> {
    let url = match tags.url.len() {
        0 => String::new(),
        _ => format!("StreamUrl='{}';", clean(&tags.url, LARGEST / 2)),
    };
    let room = LARGEST - url.len() - TITLE.len() - 2;
    let text = format!("{TITLE}{}';{url}", clean(&tags.line(), room));
    let units = text.len().div_ceil(UNIT);
    let mut block = Vec::with_capacity(1 + units * UNIT);
    block.push(units as u8); // LARGEST is 255 units
    block.extend_from_slice(text.as_bytes());
    block.resize(1 + units * UNIT, 0);
    block
}

/// The block that says that nothing has changed.
const UNCHANGED: &[u8] = &[0];
/// Stands for the rest of a block whose title is no longer held, so that the bytes still count.
const NOTHING: [u8; LARGEST + 1] = [0; LARGEST + 1];

/// `text` without control characters and without `';`, at most `room` bytes of it.
fn clean(text: &str, room: usize) -> String {
    let mut clean = String::new();
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        let split = c == ';' && clean.ends_with('\'');
        if clean.len() + c.len_utf8() + usize::from(split) > room {
            break;
        }
        clean.extend(split.then_some(' '));
        clean.push(c);
    }
    clean
}

const TITLE: &str = "StreamTitle='";
const UNIT: usize = 16;
const LARGEST: usize = 255 * UNIT;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(block: &[u8]) -> &str {
        std::str::from_utf8(&block[1..]).unwrap().trim_end_matches('\0')
    }

    #[test]
    fn a_captured_block_comes_out_byte_for_byte() {
        assert_eq!(block(&Tags::titled("Artíst - It's T")), b"\x02StreamTitle='Art\xc3\xadst - It's T';\0");
    }

    #[test]
    fn the_address_follows_the_title() {
        let tags = Tags { title: "a".into(), url: "http://b/".into(), ..Tags::default() };
        assert_eq!(text(&block(&tags)), "StreamTitle='a';StreamUrl='http://b/';");
    }

    #[test]
    fn the_largest_block_has_255_units_and_whole_characters() {
        for letter in ["x", "í", "語", "🎵"] {
            let tags = Tags { title: letter.repeat(5_000), url: letter.repeat(5_000), ..Tags::default() };
            let block = block(&tags);
            assert!(block.len() <= 4_081 && block.len() > 4_000, "{letter}: {}", block.len());
            assert_eq!(block.len(), 1 + 16 * usize::from(block[0]));
            assert!(text(&block).ends_with("';"));
        }
    }

    #[test]
    fn no_title_can_end_itself_or_smuggle_control_characters() {
        let text = block(&Tags::titled("a';StreamUrl='b\r\n\0"));
        assert_eq!(self::text(&text), "StreamTitle='a' ;StreamUrl='b   ';");
    }

    #[test]
    fn an_empty_title_is_said_to_be_empty() {
        assert_eq!(block(&Tags::default()), b"\x01StreamTitle='';\0");
    }
}
