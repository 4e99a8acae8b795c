//! Opus in a transport stream: each packet behind a control header (as ffmpeg and GStreamer have it).

use super::elementary::Unit;
use crate::{Timestamp, codec::opus};
use bytes::{BufMut, Bytes, BytesMut};

/// The identification header that the descriptors stand for; more than two channels are mapped as Vorbis has them.
pub(super) fn head(channels: u8) -> Bytes {
    let mut head = BytesMut::from(&b"OpusHead\x01"[..]);
    head.put_u8(channels);
    head.put_slice(&[0, 0, 0x80, 0xbb, 0, 0, 0, 0]);
    match channels {
        0..=2 => head.put_u8(0),
        // streams, coupled ones, and the channels in their order (RFC 7845 5.1.1.2)
        _ => {
            let coupled = [1, 2, 2, 2, 2, 3][usize::from(channels.min(8)) - 3];
            head.put_slice(&[1, channels - coupled, coupled]);
            head.put_slice(MAPPING[usize::from(channels.min(8)) - 3]);
        }
    }
    head.freeze()
}

/// Writes the control header of a packet of `size` bytes.
pub(super) fn put_control(out: &mut BytesMut, size: usize) {
    out.put_slice(&[0x7f, 0xe0]);
    (0..size / 255).for_each(|_| out.put_u8(255));
    out.put_u8((size % 255) as u8);
}

/// The packets of a PES packet: when each begins, how long it lasts, what is in it.
pub(super) fn open(unit: &Unit) -> Vec<(Timestamp, u64, Bytes)> {
    let mut at = unit.pts;
    let mut rest = unit.data.clone();
    let mut packets = Vec::new();
    while let Some((begin, size)) = control(&rest) {
        let packet = rest.slice(begin..begin + size);
        let span = opus::samples(&packet).map_or(0, |samples| u64::from(samples) * 90 / 48);
        rest = rest.slice(begin + size..);
        if size > 0 {
            packets.push((at, span, packet));
        }
        at = at + crate::Span(span);
    }
    packets
}

/// Where the packet behind a control header begins, and how long it is; `None` where it is not whole.
fn control(bytes: &[u8]) -> Option<(usize, usize)> {
    let &[0x7f, flags, ..] = bytes else { return None };
    if flags & 0xe0 != 0xe0 {
        return None;
    }
    let (mut at, mut size) = (2, 0);
    loop {
        let byte = *bytes.get(at)?;
        (at, size) = (at + 1, size + usize::from(byte));
        if byte != 255 {
            break;
        }
    }
    // trims at the beginning and the end, and an extension with its length
    at += 2 * usize::from(flags >> 4 & 1) + 2 * usize::from(flags >> 3 & 1);
    if flags & 0x04 != 0 {
        at += 1 + usize::from(*bytes.get(at)?);
    }
    (bytes.len() >= at + size).then_some((at, size))
}

const MAPPING: [&[u8]; 6] = [
    &[0, 2, 1],
    &[0, 1, 2, 3],
    &[0, 4, 1, 2, 3],
    &[0, 4, 1, 2, 3, 5],
    &[0, 4, 1, 2, 3, 5, 6],
    &[0, 6, 1, 2, 3, 4, 5, 7],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_lie_behind_control_headers() {
        let mut data = BytesMut::new();
        for size in [1, 255, 600] {
            put_control(&mut data, size);
            data.put_bytes(0xfc, size);
        }
        data.put_slice(&[0x7f, 0xe0, 9, 1]); // cut off
        let unit = Unit { pts: Timestamp(90), dts: Timestamp(90), key: true, data: data.freeze() };
        let found: Vec<_> =
            open(&unit).into_iter().map(|(at, span, data)| (at.0, span, data.len())).collect();
        assert_eq!(found, [(90, 1800, 1), (1890, 1800, 255), (3690, 1800, 600)]);
        let trimmed = [0x7f, 0xf8, 1, 0, 9, 0, 9, 0xfc];
        assert_eq!(control(&trimmed), Some((7, 1)));
    }

    #[test]
    fn heads_are_good_for_any_number_of_channels() {
        for channels in 0..=255 {
            assert!(head(channels.clamp(1, 8)).len() >= 19);
            assert_eq!(
                opus::Head::parse(&head(channels.clamp(1, 8))).unwrap().channels,
                channels.clamp(1, 8)
            );
        }
    }
}
