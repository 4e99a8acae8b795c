//! The beginning of a VP9 frame (VP9 bitstream specification 6.2).

use super::bits::Bits;

/// Whether a decoder may begin with this frame, or with the first of this superframe.
pub fn is_key(frame: &[u8]) -> bool {
    frame_is_key(frame).unwrap_or(false)
}

fn frame_is_key(frame: &[u8]) -> Option<bool> {
    let mut bits = Bits::new(frame);
    let marker = bits.read(2)?;
    let profile = u32::from(bits.bit()?) | u32::from(bits.bit()?) << 1;
    if marker != 2 || (profile == 3 && bits.bit()?) {
        return Some(false);
    }
    let shows_another = bits.bit()?;
    let inter = bits.bit()?;
    bits.skip(2)?; // shown, error resilient
    Some(!shows_another && !inter && bits.read(24)? == SYNC_CODE)
}

const SYNC_CODE: u32 = 0x49_8342;
