//! Theora's identification header, its granules and its key frames (Theora specification §6, A.2).

use super::array;
use crate::Timebase;

/// The identification header (§6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// How long a picture lasts.
    pub timebase: Timebase,
    /// Bits of a granule that count pictures since the key frame.
    pub shift: u32,
    /// Whether granules count pictures from one; streams before version 3.2.1 count from zero.
    pub counts_from_one: bool,
}

impl Ident {
    /// Reads the first packet of a Theora stream; `None` where it is not one.
    pub fn parse(packet: &[u8]) -> Option<Ident> {
        let fields = packet.strip_prefix(b"\x80theora")?;
        let version: [u8; 3] = array(fields, 0)?;
        let big = |at| array(fields, at).map(|[a, b, c]: [u8; 3]| u32::from_be_bytes([0, a, b, c]));
        let [den, num] = [u32::from_be_bytes(array(fields, 15)?), u32::from_be_bytes(array(fields, 19)?)];
        let [high, low]: [u8; 2] = array(fields, 33)?;
        let shift = u32::from(high & 0x03) << 3 | u32::from(low >> 5);
        (version[0] == 3 && den > 0 && num > 0).then_some(Ident {
            width: big(7)?,
            height: big(10)?,
            timebase: Timebase { num, den },
            shift,
            counts_from_one: version >= [3, 2, 1],
        })
    }

    /// How many pictures have been shown at the end of the one that `granule` marks.
    pub fn pictures(&self, granule: i64) -> i64 {
        let since_key = granule & ((1 << self.shift) - 1);
        let shown = (granule >> self.shift).saturating_add(since_key);
        shown.saturating_add(i64::from(!self.counts_from_one))
    }

    /// The granule of the picture that ends after `pictures`, when the last key frame ended after `key`.
    pub fn granule(&self, key: i64, pictures: i64) -> i64 {
        let from = i64::from(!self.counts_from_one);
        let mask = (1i64 << self.shift) - 1;
        let base = key.saturating_sub(from).clamp(0, i64::MAX >> self.shift);
        base << self.shift | pictures.saturating_sub(key).clamp(0, mask)
    }

    /// How many pictures had been shown at the end of the key frame that `granule` refers to.
    pub fn key(&self, granule: i64) -> i64 {
        (granule >> self.shift).saturating_add(i64::from(!self.counts_from_one))
    }
}

/// Whether `packet` is a header; a picture begins with a zero bit (§7.1).
pub fn is_header(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Whether `packet`, or its beginning, is a picture that needs no other one. An empty packet repeats the last.
pub fn is_key(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| byte & 0xc0 == 0)
}

/// The comment block inside a comment header.
pub fn comments(packet: &[u8]) -> Option<&[u8]> {
    packet.strip_prefix(b"\x81theora")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(counts_from_one: bool) -> Ident {
        let timebase = Timebase { num: 1, den: 25 };
        Ident { width: 1, height: 1, timebase, shift: 6, counts_from_one }
    }

    #[test]
    fn granules_count_pictures_both_ways() {
        for ident in [ident(true), ident(false)] {
            for (key, shown) in [(1, 1), (1, 17), (74, 74), (74, 130)] {
                let granule = ident.granule(key, shown);
                assert_eq!((ident.pictures(granule), ident.key(granule)), (shown, key));
            }
        }
        assert_eq!(ident(true).granule(73, 73), 4672, "as captured from a late joiner");
    }

    #[test]
    fn hostile_granules_saturate() {
        let mut ident = ident(false);
        for shift in [0, 6, 31] {
            ident.shift = shift;
            for granule in [i64::MAX, i64::MIN, -1] {
                ident.pictures(granule);
                ident.key(granule);
                ident.granule(granule, i64::MIN);
            }
        }
    }
}
