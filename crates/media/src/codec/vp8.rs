//! The first byte of a VP8 frame (RFC 6386 9.1).

/// Whether a decoder may begin with this frame.
pub fn is_key(frame: &[u8]) -> bool {
    let begins = frame.first().is_some_and(|first| first & 1 == 0);
    begins && frame.get(3..6) == Some(&START_CODE[..])
}

const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];
