//! The two headers at the front of a chunk.

/// The basic header: how much of the message header follows, and on which chunk stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basic {
    pub format: u8,
    pub csid: u32,
    pub size: usize,
}

impl Basic {
    /// Reads one, two or three bytes; `None` until they are there.
    pub fn read(input: &[u8]) -> Option<Basic> {
        let first = *input.first()?;
        let (csid, size) = match first & 63 {
            0 => (64 + u32::from(*input.get(1)?), 2),
            1 => (64 + u32::from(*input.get(1)?) + 256 * u32::from(*input.get(2)?), 3),
            small => (u32::from(small), 1),
        };
        Some(Basic { format: first >> 6, csid, size })
    }

    /// The shortest header for `csid`, which is between 2 and 65,599.
    pub fn write(format: u8, csid: u32) -> ([u8; 3], usize) {
        let format = format << 6;
        let rest = csid.saturating_sub(64).min(0xffff);
        let [.., high, low] = rest.to_be_bytes();
        match csid {
            0..64 => ([format | csid.max(2) as u8, 0, 0], 1),
            64..320 => ([format, low, 0], 2),
            _ => ([format | 1, low, high], 3),
        }
    }
}

/// The message header as far as a chunk gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Formats 0 to 2: 24 bits of time, absolute in format 0.
    pub time: u32,
    /// Formats 0 and 1.
    pub length: usize,
    /// Formats 0 and 1.
    pub kind: u8,
    /// Format 0.
    pub stream: u32,
}

impl Fields {
    /// How many bytes a header of `format` has.
    pub fn size(format: u8) -> usize {
        [11, 7, 3, 0][usize::from(format & 3)]
    }

    /// Reads [`Fields::size`] bytes; what `format` does not give stays zero. `None` until they are there.
    pub fn read(format: u8, input: &[u8]) -> Option<Fields> {
        let bytes = input.get(..Fields::size(format))?;
        let u24 = |at: usize| bytes.get(at..at + 3).map_or(0, |b| u32::from_be_bytes([0, b[0], b[1], b[2]]));
        let stream = bytes.get(7..11).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let kind = bytes.get(6).copied().unwrap_or_default();
        Some(Fields { time: u24(0), length: u24(3) as usize, kind, stream })
    }

    /// The eleven bytes of format 0.
    pub fn write(&self) -> [u8; 11] {
        let [_, t0, t1, t2] = self.time.to_be_bytes();
        let [.., l0, l1, l2] = self.length.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_le_bytes();
        [t0, t1, t2, l0, l1, l2, self.kind, s0, s1, s2, s3]
    }
}
