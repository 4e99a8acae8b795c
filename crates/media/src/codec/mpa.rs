//! The header of an MPEG audio frame, layers I to III (ISO 11172-3 2.4.1, 13818-3, and Fraunhofer's MPEG 2.5).

/// Which of the three standards a frame follows; it decides rates and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 32, 44.1 and 48 kHz.
    Mpeg1,
    /// Half of these rates.
    Mpeg2,
    /// A quarter of these rates; nobody's standard, everybody's practice.
    Mpeg25,
}

/// What the first four bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The standard that it follows.
    pub version: Version,
    /// 1, 2 or 3.
    pub layer: u8,
    /// Bits per second; `None` in free format, where only the next header tells the size.
    pub bitrate: Option<u32>,
    /// Samples per second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u8,
    /// Whether a 16-bit check follows the header.
    pub protected: bool,
    /// Whether the frame is one slot longer than the bit rate alone would make it.
    pub padded: bool,
}

impl Header {
    /// How many bytes [`Header::parse`] looks at.
    pub const LEN: usize = 4;

    /// Reads the header that `bytes` begin with; `None` where it is none or its values are reserved.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let &[0xff, b, c, d, ..] = bytes else { return None };
        if b & 0xe0 != 0xe0 || d & 3 == RESERVED_EMPHASIS {
            return None;
        }
        let version = match b >> 3 & 3 {
            0 => Version::Mpeg25,
            2 => Version::Mpeg2,
            3 => Version::Mpeg1,
            _ => return None,
        };
        let layer = 4 - (b >> 1 & 3);
        let kbps = *bitrates(version, layer)?.get(usize::from(c >> 4))?;
        let rate = *RATES.get(usize::from(c >> 2 & 3))?;
        let rate = match version {
            Version::Mpeg1 => rate,
            Version::Mpeg2 => rate / 2,
            Version::Mpeg25 => rate / 4,
        };
        Some(Header {
            version,
            layer,
            bitrate: (kbps > 0).then_some(u32::from(kbps) * 1000),
            rate,
            channels: if d >> 6 == MONO { 1 } else { 2 },
            protected: b & 1 == 0,
            padded: c & 2 != 0,
        })
    }

    /// Bytes of the whole frame with its header; `None` in free format.
    pub fn size(&self) -> Option<usize> {
        let bitrate = self.bitrate?;
        let slots = self.samples() / 8 / self.slot() * bitrate / self.rate;
        Some(((slots + u32::from(self.padded)) * self.slot()) as usize)
    }

    /// Bytes that padding adds.
    pub fn padding(&self) -> usize {
        if self.padded { self.slot() as usize } else { 0 }
    }

    /// Samples per channel that the frame decodes to.
    pub fn samples(&self) -> u32 {
        match (self.layer, self.version) {
            (1, _) => 384,
            (2, _) | (_, Version::Mpeg1) => 1152,
            _ => 576,
        }
    }

    /// Whether both can be frames of one stream: only the bit rate, padding and stereo mode may change.
    pub fn same(&self, other: &Header) -> bool {
        (self.version, self.layer, self.rate) == (other.version, other.layer, other.rate)
            && self.bitrate.is_some() == other.bitrate.is_some()
    }

    /// How many bytes before this layer III frame its sound begins (the bit reservoir); zero for the other layers.
    pub fn reservoir(&self, frame: &[u8]) -> usize {
        let at = self.side_info();
        match (self.layer, self.version, frame.get(at), frame.get(at + 1)) {
            (3, Version::Mpeg1, Some(&a), Some(&b)) => usize::from(a) << 1 | usize::from(b >> 7),
            (3, _, Some(&a), _) => usize::from(a),
            _ => 0,
        }
    }

    /// Whether this frame holds an encoder's table (Xing, Info, VBRI) instead of sound.
    pub fn is_table(&self, frame: &[u8]) -> bool {
        let side = match (self.version, self.channels) {
            (Version::Mpeg1, 2) => 32,
            (Version::Mpeg1, _) | (_, 2) => 17,
            _ => 9,
        };
        let name = |at: usize| frame.get(at..at + 4).unwrap_or_default();
        // Xing puts it behind the side information, where the check would be counted too; VBRI always at 36.
        self.layer == 3
            && (matches!(name(Self::LEN + side), b"Xing" | b"Info")
                || matches!(name(self.side_info() + side), b"Xing" | b"Info")
                || name(Self::LEN + 32) == b"VBRI")
    }

    fn side_info(&self) -> usize {
        Self::LEN + if self.protected { 2 } else { 0 }
    }

    fn slot(&self) -> u32 {
        if self.layer == 1 { 4 } else { 1 }
    }
}

fn bitrates(version: Version, layer: u8) -> Option<&'static [u16; 15]> {
    Some(match (version, layer) {
        (Version::Mpeg1, 1) => &[0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        (Version::Mpeg1, 2) => &[0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        (Version::Mpeg1, 3) => &[0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        (_, 1) => &[0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        (_, 2 | 3) => &[0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        _ => return None,
    })
}

const RATES: [u32; 3] = [44_100, 48_000, 32_000];
const MONO: u8 = 3;
const RESERVED_EMPHASIS: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_standard() {
        let size = |bytes: [u8; 4]| Header::parse(&bytes).and_then(|h| h.size());
        assert_eq!(size([0xff, 0xfb, 0x90, 0x00]), Some(417)); // MPEG 1 layer III, 128 kbit/s, 44.1 kHz
        assert_eq!(size([0xff, 0xfb, 0x92, 0x00]), Some(418)); // padded
        assert_eq!(size([0xff, 0xf3, 0x84, 0x00]), Some(192)); // MPEG 2 layer III, 64 kbit/s, 24 kHz
        assert_eq!(size([0xff, 0xe3, 0x88, 0x00]), Some(576)); // MPEG 2.5 layer III, 64 kbit/s, 8 kHz
        assert_eq!(size([0xff, 0xfd, 0xa4, 0x00]), Some(576)); // MPEG 1 layer II, 192 kbit/s, 48 kHz
        assert_eq!(size([0xff, 0xff, 0xc2, 0x00]), Some(420)); // MPEG 1 layer I, 384 kbit/s, padded by a slot
    }

    #[test]
    fn reserved_values_are_no_header() {
        for bytes in
            [[0xff, 0xeb, 0x90, 0], [0xff, 0xf9, 0x90, 0], [0xff, 0xfb, 0xf0, 0], [0xff, 0xfb, 0x9c, 0]]
        {
            assert_eq!(Header::parse(&bytes), None, "{bytes:x?}");
        }
        assert_eq!(Header::parse(&[0xff, 0xfb, 0x90]), None);
    }

    #[test]
    fn free_format_has_no_size() {
        let header = Header::parse(&[0xff, 0xfb, 0x00, 0x00]).unwrap();
        assert_eq!((header.bitrate, header.size()), (None, None));
    }
}
