//! The open bitstream units of an AV1 temporal unit, as far as to find key frames (AV1 5.3–5.9).

use super::bits::Bits;

/// Whether a decoder may begin with this temporal unit: its first frame is a key frame that is shown.
pub fn is_key(unit: &[u8]) -> bool {
    let mut rest = unit;
    while let Some((kind, payload, next)) = obu(rest) {
        match kind {
            FRAME_HEADER | FRAME => return frame_is_key(payload).unwrap_or(false),
            _ => rest = next,
        }
    }
    false
}

fn frame_is_key(payload: &[u8]) -> Option<bool> {
    let mut bits = Bits::new(payload);
    let shows_another = bits.bit()?;
    let key = bits.read(2)? == KEY;
    let shown = bits.bit()?;
    Some(!shows_another && key && shown)
}

/// Kind and payload of the first unit, and what is behind it.
fn obu(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let &first = bytes.first()?;
    let head = if first & EXTENDED != 0 { 2 } else { 1 };
    let rest = bytes.get(head..)?;
    let kind = first >> 3 & 15;
    if first & HAS_SIZE == 0 {
        return Some((kind, rest, &[]));
    }
    let (size, width) = leb128(rest)?;
    let end = width.checked_add(size)?;
    Some((kind, rest.get(width..end)?, rest.get(end..)?))
}

fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (n, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((value, n + 1));
        }
    }
    None
}

const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const KEY: u32 = 0;
const EXTENDED: u8 = 4;
const HAS_SIZE: u8 = 2;
