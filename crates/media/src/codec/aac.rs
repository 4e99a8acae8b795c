//! AAC's two headers: the one of an ADTS frame and the AudioSpecificConfig (ISO 14496-3 1.A.2, 1.6.2).

use super::bits::Bits;
use bytes::Bytes;

/// What the header of an ADTS frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Adts {
    /// Which AAC it is.
    pub config: Config,
    /// Bytes of the header: 7, or 9 with a check.
    pub header: usize,
    /// Bytes of the whole frame with its header.
    pub size: usize,
    /// How many blocks of 1024 samples are in it, 1 to 4.
    pub blocks: u8,
}

impl Adts {
    /// How many bytes [`Adts::parse`] looks at.
    pub const LEN: usize = 7;

    /// Reads the header that `bytes` begin with; `None` where it is none or its values are reserved.
    pub fn parse(bytes: &[u8]) -> Option<Adts> {
        let &[0xff, b, c, d, e, f, g, ..] = bytes else { return None };
        if b & 0xf6 != 0xf0 {
            return None;
        }
        let config = Config {
            object: (c >> 6) + 1,
            rate: *RATES.get(usize::from(c >> 2 & 15))?,
            channels: (c & 1) << 2 | d >> 6,
        };
        let header = if b & 1 == 0 { 9 } else { Self::LEN };
        let size = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
        (size > header).then_some(Adts { config, header, size, blocks: (g & 3) + 1 })
    }

    /// The header for a frame of `size` bytes of this AAC; `None` where ADTS cannot say it: another rate or object
    /// type than it has numbers for, or a frame longer than 8 kB. SBR and PS go unsaid, as the core that ADTS names.
    pub fn header(config: Config, size: usize) -> Option<[u8; 7]> {
        let rate = RATES.iter().position(|&rate| rate == config.rate)? as u8;
        let object = match config.object {
            SBR | PS => LC,
            object => object,
        };
        let size = u16::try_from(size + Self::LEN).ok().filter(|size| *size < 1 << 13)?;
        let fits = (1..=4).contains(&object) && config.channels < 8;
        fits.then_some([
            0xff,
            0xf1,
            (object - 1) << 6 | rate << 2 | config.channels >> 2,
            config.channels << 6 | (size >> 11) as u8,
            (size >> 3) as u8,
            (size << 5) as u8 | 0x1f,
            0xfc,
        ])
    }

    /// Samples per channel that the frame decodes to, before any doubling by SBR.
    pub fn samples(&self) -> u32 {
        u32::from(self.blocks) * FRAME
    }
}

/// Which AAC it is: what ADTS repeats in each frame and other containers say once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The audio object type: 2 is AAC-LC.
    pub object: u8,
    /// Samples per second, before any doubling by SBR.
    pub rate: u32,
    /// The channel configuration, 0 to 7: 0 means that the stream itself says it, 7 means 7.1.
    pub channels: u8,
}

impl Config {
    /// Reads an AudioSpecificConfig; `None` where it is too short or its values are reserved.
    pub fn parse(bytes: &[u8]) -> Option<Config> {
        let mut bits = Bits::new(bytes);
        let object = match bits.read(5)? {
            31 => 32 + bits.read(6)?,
            object => object,
        };
        let rate = match bits.read(4)? {
            15 => bits.read(24)?,
            index => *RATES.get(index as usize)?,
        };
        let channels = bits.read(4)?;
        (object > 0 && rate > 0).then_some(Config { object: object as u8, rate, channels: channels as u8 })
    }

    /// The AudioSpecificConfig that says the same.
    pub fn to_bytes(self) -> Bytes {
        let index = RATES.iter().position(|&rate| rate == self.rate);
        let head = u64::from(self.object & 31) << 4 | index.unwrap_or(15) as u64;
        let (bits, len) = match index {
            Some(_) => (head, 9),
            None => (head << 24 | u64::from(self.rate & 0xff_ffff), 33),
        };
        let bits = (bits << 4 | u64::from(self.channels & 15)) << (64 - len - 4);
        Bytes::copy_from_slice(&bits.to_be_bytes()[..(len + 4usize).div_ceil(8)])
    }
}

/// Samples of one block.
pub const FRAME: u32 = 1024;

/// Object types (ISO 14496-3 table 1.17).
const LC: u8 = 2;
const SBR: u8 = 5;
const PS: u8 = 29;
/// Sampling frequencies by their index (ISO 14496-3 table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_survives_its_bytes() {
        for rate in [44_100, 48_000, 7_350, 12_345] {
            let config = Config { object: 2, rate, channels: 2 };
            assert_eq!(Config::parse(&config.to_bytes()), Some(config));
        }
        assert_eq!(&Config { object: 2, rate: 44_100, channels: 2 }.to_bytes()[..], [0x12, 0x10]);
    }

    #[test]
    fn an_adts_header_is_read() {
        let adts = Adts::parse(&[0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc]).unwrap();
        assert_eq!(adts.config, Config { object: 2, rate: 44_100, channels: 2 });
        assert_eq!((adts.size, adts.header, adts.samples()), (371, 7, 1024));
    }

    #[test]
    fn an_adts_header_survives_being_written() {
        for config in
            [Config { object: 2, rate: 44_100, channels: 2 }, Config { object: 1, rate: 8_000, channels: 7 }]
        {
            let adts = Adts::parse(&Adts::header(config, 1_000).unwrap()).unwrap();
            assert_eq!((adts.config, adts.size, adts.blocks), (config, 1_007, 1));
        }
        assert_eq!(Adts::header(Config { object: 2, rate: 12_345, channels: 2 }, 9), None);
        assert_eq!(Adts::header(Config { object: 2, rate: 48_000, channels: 2 }, 8_185), None);
    }

    #[test]
    fn a_frame_shorter_than_its_header_is_none() {
        assert_eq!(Adts::parse(&[0xff, 0xf1, 0x50, 0x80, 0x00, 0xff, 0xfc]), None);
    }
}
