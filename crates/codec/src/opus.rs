//! Opus (RFC 6716) at 48 kHz: blocks of sound in, packets out, and back.
//!
//! ```
//! use levada_codec::opus::{Decoder, Encoder, Settings};
//!
//! let mut encoder = Encoder::new(Settings { channels: 1, ..Settings::music() })?;
//! let mut decoder = Decoder::new(1)?;
//! let block = [0.0; 960]; // 20 ms
//! let packet = encoder.encode(&block)?;
//! assert_eq!(decoder.decode(&packet)?.len(), 960);
//! assert_eq!(decoder.conceal(960)?.len(), 960, "a lost packet is made up");
//! # Ok::<(), levada_codec::opus::Error>(())
//! ```

use ropus::{Application, Bitrate, Channels, DecodeMode, InbandFec, Signal};

/// Samples a second and channel, always.
pub const RATE: u32 = 48_000;
/// Samples and channel of the longest packet, 120 ms.
pub const LONGEST: usize = 5_760;
/// Samples and channel of the usual packet, 20 ms.
pub const BLOCK: usize = 960;

/// How an [`Encoder`] encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// 1 or 2, interleaved.
    pub channels: u8,
    /// What is dear.
    pub purpose: Purpose,
    /// Bits a second, 6,000 to 510,000.
    pub bitrate: u32,
    /// 0 to 10: the CPU that a packet may cost. Above 8 little is gained.
    pub effort: u8,
    /// Packets in a hundred that are expected to be lost. Above 0, each packet of [`Purpose::Speech`] carries a rough
    /// copy of the one before ([`Decoder::recover`]), and all depend less on one another.
    pub expected_loss: u8,
    /// Whether every packet has the same size; otherwise they vary around the bit rate.
    pub constant: bool,
}

/// What an encoder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Words are to be understood; 6.5 ms of look-ahead.
    Speech,
    /// It is to sound like the original; 6.5 ms of look-ahead.
    Music,
    /// It is to be heard soon; 2.5 ms of look-ahead, and no copies for lost packets.
    Promptness,
}

/// Why nothing was encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No encoder has such settings, no decoder as many channels.
    #[error("Opus cannot be set up like this")]
    Settings,
    /// A block is 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms of all channels.
    #[error("{0} samples are no block of Opus")]
    Block(usize),
    /// These bytes are no packet.
    #[error("this is no packet of Opus")]
    Packet,
}

impl Settings {
    /// Stereo at 128 kbit/s, as a broadcast wants it.
    pub fn music() -> Settings {
        Settings {
            channels: 2,
            purpose: Purpose::Music,
            bitrate: 128_000,
            effort: 8,
            expected_loss: 0,
            constant: false,
        }
    }

    /// Mono at 32 kbit/s that bears losses.
    pub fn speech() -> Settings {
        Settings {
            channels: 1,
            purpose: Purpose::Speech,
            bitrate: 32_000,
            expected_loss: 10,
            ..Settings::music()
        }
    }
}

/// Makes packets of blocks.
pub struct Encoder {
    inner: ropus::Encoder,
    channels: usize,
    buffer: Box<[u8]>,
}

impl Encoder {
    /// An encoder that has heard nothing.
    ///
    /// # Errors
    /// When a setting is outside its range.
    pub fn new(settings: Settings) -> Result<Encoder, Error> {
        let application = match settings.purpose {
            Purpose::Speech => Application::Voip,
            Purpose::Music => Application::Audio,
            Purpose::Promptness => Application::RestrictedLowDelay,
        };
        let copies = if settings.expected_loss > 0 { InbandFec::Enabled } else { InbandFec::Disabled };
        let signal = if settings.purpose == Purpose::Music { Signal::Music } else { Signal::Auto };
        let in_range = RATES.contains(&settings.bitrate) && settings.effort <= 10;
        let channels = channels(settings.channels).filter(|_| in_range && settings.expected_loss <= 100);
        let inner = ropus::Encoder::builder(RATE, channels.ok_or(Error::Settings)?, application)
            .bitrate(Bitrate::Bits(settings.bitrate))
            .complexity(settings.effort)
            .signal(signal)
            .vbr(!settings.constant)
            .packet_loss_perc(settings.expected_loss)
            .inband_fec(copies)
            .build()
            .map_err(|_| Error::Settings)?;
        Ok(Encoder { inner, channels: settings.channels.into(), buffer: vec![0; LARGEST].into() })
    }

    /// The packet of the next block: samples of -1 to 1, channels interleaved.
    ///
    /// # Errors
    /// When this is not a block's number of samples.
    pub fn encode(&mut self, block: &[f32]) -> Result<Vec<u8>, Error> {
        let written =
            self.inner.encode_float(block, &mut self.buffer).map_err(|_| Error::Block(block.len()))?;
        Ok(self.buffer.get(..written).unwrap_or_default().to_vec())
    }

    /// The same of 16-bit samples.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_i16(&mut self, block: &[i16]) -> Result<Vec<u8>, Error> {
        let written = self.inner.encode(block, &mut self.buffer).map_err(|_| Error::Block(block.len()))?;
        Ok(self.buffer.get(..written).unwrap_or_default().to_vec())
    }

    /// Encodes with so many bits a second from the next block on.
    ///
    /// # Errors
    /// When it is outside of 6,000 to 510,000.
    pub fn set_bitrate(&mut self, bitrate: u32) -> Result<(), Error> {
        let bitrate = Some(bitrate).filter(|bitrate| RATES.contains(bitrate)).ok_or(Error::Settings)?;
        self.inner.set_bitrate(Bitrate::Bits(bitrate)).map_err(|_| Error::Settings)
    }

    /// Expects so many lost packets in a hundred from the next block on.
    ///
    /// # Errors
    /// When it is more than 100.
    pub fn set_expected_loss(&mut self, loss: u8) -> Result<(), Error> {
        let copies = if loss > 0 { InbandFec::Enabled } else { InbandFec::Disabled };
        self.inner.set_inband_fec(copies).map_err(|_| Error::Settings)?;
        self.inner.set_packet_loss_perc(loss).map_err(|_| Error::Settings)
    }

    /// Samples of each channel by which what is decoded is late: a container's pre-skip (RFC 7845 §4.2).
    pub fn delay(&self) -> usize {
        self.inner.lookahead() as usize
    }

    /// Channels of a block.
    pub fn channels(&self) -> usize {
        self.channels
    }
}

/// Makes blocks of packets. A packet may come from anybody: it is refused or heard, never worse.
pub struct Decoder {
    inner: ropus::Decoder,
    channels: usize,
    buffer: Box<[f32]>,
}

impl Decoder {
    /// A decoder for so many channels, 1 or 2; packets of the other number are mixed to it.
    ///
    /// # Errors
    /// When it is another number.
    pub fn new(channels: u8) -> Result<Decoder, Error> {
        let layout = self::channels(channels).ok_or(Error::Settings)?;
        let inner = ropus::Decoder::new(RATE, layout).map_err(|_| Error::Settings)?;
        let channels = usize::from(channels);
        Ok(Decoder { inner, channels, buffer: vec![0.0; LONGEST * channels].into() })
    }

    /// The block of a packet: samples of about -1 to 1, channels interleaved.
    ///
    /// # Errors
    /// When the bytes are no packet.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], Error> {
        if packet.is_empty() {
            return Err(Error::Packet);
        }
        self.run(packet, LONGEST, DecodeMode::Normal)
    }

    /// What was in the lost packet before `next`, as far as `next` carries a copy of it; it lasted `samples` a channel.
    /// `next` itself is to be decoded afterwards.
    ///
    /// # Errors
    /// When the bytes are no packet, or no packet lasts that long.
    pub fn recover(&mut self, next: &[u8], samples: usize) -> Result<&[f32], Error> {
        if next.is_empty() || samples == 0 || samples > LONGEST || !samples.is_multiple_of(STEP) {
            return Err(Error::Packet);
        }
        self.run(next, samples, DecodeMode::Fec)
    }

    /// Makes up `samples` a channel of a packet that is lost, from what was before.
    ///
    /// # Errors
    /// When no packet lasts that long: it is a multiple of 2.5 ms up to 120.
    pub fn conceal(&mut self, samples: usize) -> Result<&[f32], Error> {
        if samples == 0 || samples > LONGEST || !samples.is_multiple_of(STEP) {
            return Err(Error::Block(samples));
        }
        self.run(&[], samples, DecodeMode::Normal)
    }

    /// Channels of a block.
    pub fn channels(&self) -> usize {
        self.channels
    }

    fn run(&mut self, packet: &[u8], room: usize, mode: DecodeMode) -> Result<&[f32], Error> {
        let room = self.buffer.get_mut(..room * self.channels).ok_or(Error::Packet)?;
        let samples = self.inner.decode_float(packet, room, mode).map_err(|_| Error::Packet)?;
        room.get(..samples * self.channels).ok_or(Error::Packet)
    }
}

fn channels(number: u8) -> Option<Channels> {
    match number {
        1 => Some(Channels::Mono),
        2 => Some(Channels::Stereo),
        _ => None,
    }
}

/// RFC 6716 §2.1.1.
const RATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;
/// Bytes of the largest packet: six frames of 1,275 bytes and their lengths (RFC 6716 §3.4).
const LARGEST: usize = 6 * (1_275 + 2) + 2;
/// Samples of 2.5 ms.
const STEP: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    /// A chord of `seconds`, interleaved.
    fn chord(channels: usize, seconds: usize) -> Vec<f32> {
        let at = |n: usize| {
            let t = n as f32 / RATE as f32 * std::f32::consts::TAU;
            0.3 * (440.0 * t).sin() + 0.2 * (1_000.0 * t).sin()
        };
        (0..RATE as usize * seconds).flat_map(|n| vec![at(n); channels]).collect()
    }

    /// Signal to noise in dB, of `heard` that is `delay` late.
    fn ratio(sent: &[f32], heard: &[f32], delay: usize) -> f32 {
        let pairs = || sent.iter().zip(&heard[delay..]).skip(sent.len() / 4);
        let signal: f32 = pairs().map(|(s, _)| s * s).sum();
        let noise: f32 = pairs().map(|(s, h)| (s - h) * (s - h)).sum();
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn what_is_heard_is_what_was_said() {
        for channels in [1, 2] {
            let mut encoder = Encoder::new(Settings { channels, ..Settings::music() }).unwrap();
            let mut decoder = Decoder::new(channels).unwrap();
            let sent = chord(channels.into(), 1);
            let mut heard = Vec::new();
            for block in sent.chunks(BLOCK * usize::from(channels)) {
                heard.extend_from_slice(decoder.decode(&encoder.encode(block).unwrap()).unwrap());
            }
            let delay = encoder.delay() * usize::from(channels);
            assert!(ratio(&sent, &heard, delay) > 20.0, "{}", ratio(&sent, &heard, delay));
        }
    }

    #[test]
    fn the_bit_rate_is_kept() {
        let mut encoder =
            Encoder::new(Settings { constant: true, bitrate: 64_000, ..Settings::music() }).unwrap();
        let sizes = |encoder: &mut Encoder| -> usize {
            chord(2, 1).chunks(BLOCK * 2).map(|block| encoder.encode(block).unwrap().len()).sum()
        };
        assert_eq!(sizes(&mut encoder), 8_000);
        encoder.set_bitrate(32_000).unwrap();
        assert_eq!(sizes(&mut encoder), 4_000);
    }

    #[test]
    fn a_lost_packet_is_recovered_from_the_next_or_made_up() {
        let settings = Settings { bitrate: 24_000, expected_loss: 30, ..Settings::speech() };
        let mut encoder = Encoder::new(settings).unwrap();
        let packets: Vec<_> = chord(1, 1).chunks(BLOCK).map(|block| encoder.encode(block).unwrap()).collect();
        let mut decoder = Decoder::new(1).unwrap();
        packets[..20].iter().for_each(|packet| assert_eq!(decoder.decode(packet).unwrap().len(), BLOCK));
        let power = |block: &[f32]| block.iter().map(|s| s * s).sum::<f32>() / block.len() as f32;
        assert!(power(decoder.recover(&packets[21], BLOCK).unwrap()) > 0.01);
        assert!(power(decoder.decode(&packets[21]).unwrap()) > 0.01);
        assert!(power(decoder.conceal(BLOCK).unwrap()) > 0.01);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Encoder::new(Settings { channels: 3, ..Settings::music() }).is_err());
        assert!(Encoder::new(Settings { bitrate: 1, ..Settings::music() }).is_err());
        assert!(Decoder::new(0).is_err());
        let mut encoder = Encoder::new(Settings::music()).unwrap();
        assert_eq!(encoder.encode(&[0.0; 7]), Err(Error::Block(7)));
        let mut decoder = Decoder::new(2).unwrap();
        assert_eq!(decoder.decode(&[]).err(), Some(Error::Packet));
        assert!(decoder.conceal(7).is_err() && decoder.recover(&[0], 0).is_err());
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as u8
        };
        for _ in 0..300 {
            let packet: Vec<u8> = (0..random()).map(|_| random()).collect();
            if let Ok(block) = decoder.decode(&packet) {
                assert!(block.len() <= LONGEST * 2 && !block.is_empty());
            }
        }
    }
}
