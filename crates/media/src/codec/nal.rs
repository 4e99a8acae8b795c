//! Network abstraction layer units of H.264 and H.265, between start codes or behind lengths.

use bytes::{BufMut, Bytes, BytesMut};

/// The units of a byte stream with start codes (H.264 annex B), without these; zeros behind a unit are not its own.
pub fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let here = rest?;
        let end = start_code(here).unwrap_or(here.len());
        rest = after_start_code(&here[end..]);
        let last = here[..end].iter().rposition(|&byte| byte != 0)?;
        Some(&here[..=last])
    })
}

/// `units`, each behind its length in four bytes, as avcC and hvcC with a length size of four want it.
pub fn with_lengths<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut out = BytesMut::new();
    for unit in units {
        out.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
        out.put_slice(unit);
    }
    out.freeze()
}

/// The units behind lengths of `size` bytes each; what is cut off at the end is left out.
pub fn by_lengths(data: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let head = rest.get(..size)?;
        let len = head.iter().fold(0usize, |len, &byte| len << 8 | usize::from(byte));
        let unit = rest.get(size..size.checked_add(len)?).filter(|_| size > 0)?;
        rest = &rest[size + len..];
        Some(unit)
    })
}

/// A unit without the bytes that keep start codes out of it (H.264 7.4.1).
pub fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let keep = |&byte: &u8| {
        let escape = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        !escape
    };
    unit.iter().copied().filter(keep).collect()
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code(bytes).map(|at| &bytes[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_lie_between_start_codes() {
        let stream = [9, 0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 0, 0, 1, 0x65, 2, 0, 0];
        let found: Vec<_> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1][..], &[0x68], &[0x65, 2]]);
        assert_eq!(&with_lengths(found)[..8], [0, 0, 0, 2, 0x67, 1, 0, 0]);
        assert_eq!(units(&[0, 0, 1]).count(), 0);
    }

    #[test]
    fn units_lie_behind_lengths() {
        let data = [0, 2, 0x65, 1, 0, 1, 0x41, 0, 9, 1];
        assert_eq!(by_lengths(&data, 2).collect::<Vec<_>>(), [&[0x65, 1][..], &[0x41]]);
        assert_eq!((by_lengths(&data, 0).count(), by_lengths(&[0xff; 9], 4).count()), (0, 0));
    }

    #[test]
    fn escapes_are_taken_out() {
        assert_eq!(unescaped(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [1, 0, 0, 1, 0, 0, 0, 0]);
    }
}
