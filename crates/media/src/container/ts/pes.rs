//! The header of a PES packet: when the frames in it are decoded and shown (the standard's 2.4.3.6).

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pes {
    /// Bytes of the whole packet from its start code on; `None` where only the next packet ends it.
    pub(super) size: Option<usize>,
    /// Where the elementary stream begins.
    pub(super) payload: usize,
    /// Where the presentation time is, if there is one.
    pub(super) pts_at: Option<usize>,
    /// Where the decoding time is, if it is another.
    pub(super) dts_at: Option<usize>,
    /// Presentation time, 33 bits of 90 kHz.
    pub(super) pts: Option<u64>,
    /// Decoding time; the presentation time where nothing else is said.
    pub(super) dts: Option<u64>,
}

impl Pes {
    /// Reads the header that `bytes` begin with; `None` where they begin none, or not all of it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Pes> {
        let &[0, 0, 1, stream, high, low, marks, flags, more, ..] = bytes else { return None };
        if NO_HEADER.contains(&stream) || marks & 0xc0 != 0x80 {
            return None;
        }
        let size = usize::from(high) << 8 | usize::from(low);
        let payload = 9 + usize::from(more);
        let at = |bit: u8, at: usize| {
            (flags & bit != 0 && payload >= at + 5 && bytes.len() >= at + 5).then_some(at)
        };
        let (pts_at, dts_at) = (at(0x80, 9), at(0x40, 14).filter(|_| flags & 0x80 != 0));
        let pts = pts_at.map(|at| stamp(&bytes[at..]));
        Some(Pes {
            size: (size > 0).then_some(size + 6),
            payload,
            pts_at,
            dts_at,
            pts,
            dts: dts_at.map(|at| stamp(&bytes[at..])).or(pts),
        })
    }
}

/// The 33 bits of a timestamp in five bytes.
fn stamp(bytes: &[u8]) -> u64 {
    let byte = |n: usize| u64::from(bytes[n]);
    (byte(0) >> 1 & 7) << 30 | byte(1) << 22 | (byte(2) >> 1) << 15 | byte(3) << 7 | byte(4) >> 1
}

/// Writes 33 bits over those of a timestamp, and leaves the bits between.
pub(super) fn put_stamp(bytes: &mut [u8], value: u64) {
    let [a, b, c, d, e] = bytes else { return };
    *a = *a & 0xf1 | (value >> 29) as u8 & 0x0e;
    *b = (value >> 22) as u8;
    *c = (value >> 14) as u8 | 1;
    *d = (value >> 7) as u8;
    *e = (value << 1) as u8 | 1;
}

/// Streams whose packets have no such header: maps, padding, keys (the standard's 2.4.3.7).
const NO_HEADER: [u8; 8] = [0xbc, 0xbe, 0xbf, 0xf0, 0xf1, 0xf2, 0xf8, 0xff];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_survives_being_written() {
        for value in [0, 1, 0x1_2345_6789, (1 << 33) - 1] {
            let mut bytes = [0x31, 0, 1, 0, 1];
            put_stamp(&mut bytes, value);
            assert_eq!((stamp(&bytes), bytes[0] & 0xf1), (value, 0x31));
        }
    }

    #[test]
    fn a_header_tells_both_times() {
        let mut bytes = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0, 1, 0, 1, 0x11, 0, 1, 0, 1, 7];
        put_stamp(&mut bytes[9..14], 9000);
        put_stamp(&mut bytes[14..19], 3000);
        let pes = Pes::parse(&bytes).unwrap();
        assert_eq!((pes.pts, pes.dts, pes.payload, pes.size), (Some(9000), Some(3000), 19, None));
        assert_eq!(Pes::parse(&bytes[..8]), None);
    }
}
