//! Vorbis headers and what a packet's first bits say (Vorbis I specification).

use super::array;

/// The identification header (§4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    /// Channels, at least one.
    pub channels: u8,
    /// Samples per second, at least one.
    pub rate: u32,
    /// Samples of a short and of a long block, powers of two from 64 to 8192.
    pub blocks: [u16; 2],
}

impl Ident {
    /// Reads the first packet of a Vorbis stream; `None` where it is not one.
    pub fn parse(packet: &[u8]) -> Option<Ident> {
        let fields = packet.strip_prefix(IDENT)?;
        let version = u32::from_le_bytes(array(fields, 0)?);
        let [channels, sizes] = [*fields.get(4)?, *fields.get(21)?];
        let rate = u32::from_le_bytes(array(fields, 5)?);
        let exponents = [sizes & 0x0f, sizes >> 4];
        let legal = exponents.iter().all(|e| (6..=13).contains(e)) && exponents[0] <= exponents[1];
        (version == 0 && channels > 0 && rate > 0 && legal).then(|| Ident {
            channels,
            rate,
            blocks: exponents.map(|e| 1 << e),
        })
    }
}

/// Which modes of a setup header use long blocks (§4.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    long: u64,
    bits: u32,
}

impl Modes {
    /// Finds the modes of a setup header, `None` where it does not end as one.
    ///
    /// They stand at its very end, so it is read backwards and the codebooks before them need no decoding: a
    /// mode is 41 bits of which 32 are zero, and before the first of them stand six bits with their number
    /// less one. The longest run that agrees with such a number wins.
    pub fn parse(setup: &[u8]) -> Option<Modes> {
        setup.strip_prefix(SETUP)?;
        let framing = (0..setup.len() * 8).rev().find(|&at| bits(setup, at, 1) == 1)?;
        let mut found = None;
        for count in 1..=64usize {
            let Some(start) = framing.checked_sub(MODE_BITS * count).filter(|start| *start >= 6 + 7 * 8)
            else {
                break;
            };
            let mapping = bits(setup, start + 33, 8);
            if bits(setup, start + 1, 32) != 0 || mapping > 63 {
                break;
            }
            if bits(setup, start - 6, 6) + 1 == count as u64 {
                found = Some((start, count));
            }
        }
        let (start, count) = found?;
        let long = (0..count).fold(0, |long, mode| long | bits(setup, start + mode * MODE_BITS, 1) << mode);
        Some(Modes { long, bits: usize::BITS - (count - 1).leading_zeros() })
    }

    /// Samples of the block that an audio packet holds; `None` for an empty packet or a header.
    pub fn block(&self, ident: &Ident, packet: &[u8]) -> Option<u16> {
        let first = *packet.first()?;
        if is_header(packet) {
            return None;
        }
        let mode = u64::from(first >> 1) & ((1 << self.bits) - 1);
        Some(ident.blocks[usize::from(self.long >> mode & 1 == 1)])
    }
}

/// Whether `packet` is a header; an audio packet begins with a zero bit (§4.3.1).
pub fn is_header(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| byte & 1 == 1)
}

/// The comment block inside a comment header.
pub fn comments(packet: &[u8]) -> Option<&[u8]> {
    packet.strip_prefix(COMMENT)
}

/// A comment header around `block`.
pub fn comment_header(block: &[u8]) -> Vec<u8> {
    [COMMENT, block, &[1]].concat()
}

/// `count` bits from bit `at` of `bytes`, the least significant first (§2.1.4); past the end there are zeros.
fn bits(bytes: &[u8], at: usize, count: usize) -> u64 {
    (0..count).fold(0, |value, i| {
        let byte = bytes.get((at + i) / 8).copied().unwrap_or(0);
        value | u64::from(byte >> ((at + i) % 8) & 1) << i
    })
}

const IDENT: &[u8] = b"\x01vorbis";
const COMMENT: &[u8] = b"\x03vorbis";
const SETUP: &[u8] = b"\x05vorbis";
/// Block flag 1, window type 16, transform type 16, mapping 8.
const MODE_BITS: usize = 41;

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(modes: &[bool], codebook: u8) -> Vec<u8> {
        let mut written: Vec<bool> = Vec::new();
        let mut put = |value: u64, count: usize| written.extend((0..count).map(|i| value >> i & 1 == 1));
        SETUP.iter().chain([codebook; 40].iter()).for_each(|&byte| put(byte.into(), 8));
        put(modes.len() as u64 - 1, 6);
        for (mapping, &long) in modes.iter().enumerate() {
            put(long.into(), 1);
            put(0, 32);
            put(mapping as u64, 8);
        }
        put(1, 1);
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |b, (i, &bit)| b | u8::from(bit) << i);
        written.chunks(8).map(byte).collect()
    }

    #[test]
    fn modes_are_found_behind_any_codebooks() {
        let ident = Ident { channels: 2, rate: 44_100, blocks: [256, 2048] };
        for codebook in [0x00, 0x55, 0xff] {
            let modes = Modes::parse(&setup(&[false, true, true], codebook)).unwrap();
            let sizes = [0b000, 0b010, 0b100].map(|first| modes.block(&ident, &[first, 0]).unwrap());
            assert_eq!(sizes, [256, 2048, 2048]);
            let one = Modes::parse(&setup(&[true], codebook)).unwrap();
            assert_eq!(one.block(&ident, &[0b1110]), Some(2048));
        }
    }

    #[test]
    fn nonsense_is_no_setup_and_never_panics() {
        assert_eq!(Modes::parse(b"\x05vorbis"), None);
        assert_eq!(Modes::parse(&[b"\x05vorbis".as_slice(), &[0xff; 90]].concat()), None);
        assert_eq!(Modes::parse(&[b"\x05vorbis".as_slice(), &[0; 90]].concat()), None);
        assert_eq!(Ident::parse(b"\x01vorbis\0\0\0\0\x02"), None);
    }
}
