//! One face for all codecs of a call: stereo blocks in, packets within a budget out, and back.
//!
//! ```
//! use levada_codec::packet::{Codec, Decoder, Encoder};
//!
//! let mut encoder = Encoder::new(Codec::Lossless, 240)?;
//! let mut decoder = Decoder::new(Codec::Lossless, 240)?;
//! let block: Vec<i16> = (0..480).map(|n| n as i16 * 7).collect();
//! let (mut packet, mut heard) = (Vec::new(), vec![0; 480]);
//! encoder.encode(&block, 1_100, &mut packet);
//! decoder.decode(&packet, &mut heard)?;
//! assert_eq!(heard, block);
//! decoder.lost(&mut heard); // a packet that did not come
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::{lossless, native, opus, wavelet};
use std::fmt;
use std::str::FromStr;

/// What packets are made by. Each packet is read by itself, except Opus's and, at its edges, a wavelet's and the native codec's,
/// whose blocks overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Levada's own, by what is heard. Any bit rate.
    #[default]
    Native,
    /// Nothing is lost while a block fits the budget; where it does not, the lowest bits are.
    Lossless,
    /// The seminar's transform under levada's entropy coder.
    Wavelet,
    /// Opus (RFC 6716). It is told that blocks last as long as at 48 kHz, whatever their rate is.
    Opus,
    /// Samples as they are; the budget is not looked at.
    Pcm,
}

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 5] = [Codec::Native, Codec::Lossless, Codec::Wavelet, Codec::Opus, Codec::Pcm];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Native => "native",
            Codec::Lossless => "lossless",
            Codec::Wavelet => "wavelet",
            Codec::Opus => "opus",
            Codec::Pcm => "pcm",
        }
    }

    /// Whether blocks of so many frames can be made: native knows 1024, 960, 480, 240 and 120; Opus these without 1024; the
    /// wavelet multiples of 8 from 80 on; the others 1 to 4096.
    pub fn has(self, frames: usize) -> bool {
        match self {
            Codec::Native => native::SIZES.contains(&frames),
            Codec::Opus => [120, 240, 480, 960].contains(&frames),
            Codec::Wavelet => wavelet::levels(frames).is_some(),
            Codec::Lossless | Codec::Pcm => (1..=4_096).contains(&frames),
        }
    }

    /// Frames by which what is heard is later than what was said, beside the block itself.
    pub fn delay(self, frames: usize) -> usize {
        match self {
            Codec::Native => frames,
            Codec::Wavelet => 2 * frames,
            Codec::Opus => 120,
            Codec::Lossless | Codec::Pcm => 0,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Codec {
    type Err = Unknown;

    fn from_str(typed: &str) -> Result<Codec, Unknown> {
        Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(typed)).ok_or(Unknown)
    }
}

/// No codec is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("codecs are native, lossless, wavelet, opus and pcm")]
pub struct Unknown;

/// A codec has no blocks of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{codec} has no blocks of {frames} frames")]
pub struct Unfit {
    /// This one.
    pub codec: Codec,
    /// So many.
    pub frames: usize,
}

/// These bytes are no packet of this codec; go on as if it had been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no packet of this codec")]
pub struct Refused;

/// Makes packets of interleaved stereo blocks.
pub struct Encoder {
    frames: usize,
    inner: Encodes,
}

enum Encodes {
    Native(Box<native::Encoder>),
    Lossless(Box<lossless::Encoder>),
    Wavelet(Box<wavelet::Encoder>),
    Opus(Box<opus::Encoder>),
    Pcm,
}

impl Encoder {
    /// For blocks of `frames` frames.
    ///
    /// # Errors
    /// When the codec has none of this size.
    pub fn new(codec: Codec, frames: usize) -> Result<Encoder, Unfit> {
        let unfit = Unfit { codec, frames };
        if !codec.has(frames) {
            return Err(unfit);
        }
        let inner = match codec {
            Codec::Native => Encodes::Native(native::Encoder::new(frames).ok_or(unfit)?.into()),
            Codec::Lossless => Encodes::Lossless(lossless::Encoder::new(frames).into()),
            Codec::Wavelet => Encodes::Wavelet(wavelet::Encoder::new(frames).ok_or(unfit)?.into()),
            Codec::Opus => Encodes::Opus(opus_for_calls().ok_or(unfit)?.into()),
            Codec::Pcm => Encodes::Pcm,
        };
        Ok(Encoder { frames, inner })
    }

    /// Appends the packet of an interleaved stereo block (what is missing of it is silence) to `out`, at most `budget` bytes
    /// long; 8 at least are always allowed, and PCM takes what it takes.
    pub fn encode(&mut self, block: &[i16], budget: usize, out: &mut Vec<u8>) {
        let block = block.get(..2 * self.frames).unwrap_or(block);
        let budget = budget.max(8);
        match &mut self.inner {
            Encodes::Native(encoder) => encoder.encode(block, native::Goal::Bytes(budget), out),
            Encodes::Lossless(encoder) => encoder.encode(block, budget, out),
            Encodes::Wavelet(encoder) => encoder.encode(block, wavelet::Goal::Bytes(budget), out),
            Encodes::Opus(encoder) => opus_packet(encoder, self.frames, block, budget, out),
            Encodes::Pcm => {
                out.extend(block.iter().flat_map(|x| x.to_le_bytes()));
                out.resize(out.len() + 4 * self.frames - 2 * block.len(), 0);
            }
        }
    }
}

/// Makes interleaved stereo blocks of packets, which may come from anybody.
pub struct Decoder {
    frames: usize,
    inner: Decodes,
}

enum Decodes {
    Native(Box<native::Decoder>),
    Lossless(Box<lossless::Decoder>),
    Wavelet(Box<wavelet::Decoder>),
    Opus(Box<opus::Decoder>),
    Pcm,
}

impl Decoder {
    /// For blocks of `frames` frames.
    ///
    /// # Errors
    /// When the codec has none of this size.
    pub fn new(codec: Codec, frames: usize) -> Result<Decoder, Unfit> {
        let unfit = Unfit { codec, frames };
        if !codec.has(frames) {
            return Err(unfit);
        }
        let inner = match codec {
            Codec::Native => Decodes::Native(native::Decoder::new(frames).ok_or(unfit)?.into()),
            Codec::Lossless => Decodes::Lossless(lossless::Decoder::new(frames).into()),
            Codec::Wavelet => Decodes::Wavelet(wavelet::Decoder::new(frames).ok_or(unfit)?.into()),
            Codec::Opus => Decodes::Opus(opus::Decoder::new(2).map_err(|_| unfit)?.into()),
            Codec::Pcm => Decodes::Pcm,
        };
        Ok(Decoder { frames, inner })
    }

    /// Decodes a packet into `out`, two samples a frame.
    ///
    /// # Errors
    /// That it is no packet of this codec; `out` is then what it was, and [`Decoder::lost`] goes on.
    ///
    /// # Panics
    /// When `out` is not a block.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<(), Refused> {
        assert_eq!(out.len(), 2 * self.frames, "a block");
        match &mut self.inner {
            Decodes::Native(decoder) => decoder.decode(packet, out).map_err(|_| Refused),
            Decodes::Lossless(decoder) => decoder.decode(packet, out).map_err(|_| Refused),
            Decodes::Wavelet(decoder) => decoder.decode(packet, out).map_err(|_| Refused),
            Decodes::Opus(decoder) => {
                let heard = decoder.decode(packet).map_err(|_| Refused)?;
                if heard.len() != out.len() {
                    return Err(Refused);
                }
                from_floats(heard, out);
                Ok(())
            }
            Decodes::Pcm => {
                if packet.len() != 2 * out.len() {
                    return Err(Refused);
                }
                let samples = packet.as_chunks::<2>().0;
                out.iter_mut().zip(samples).for_each(|(out, x)| *out = i16::from_le_bytes(*x));
                Ok(())
            }
        }
    }

    /// The block of a packet that did not come: Opus makes it up, overlapping codecs let the block before end, the others are
    /// silent. What conceals further is for the caller.
    pub fn lost(&mut self, out: &mut [i16]) {
        match &mut self.inner {
            Decodes::Native(decoder) => decoder.lost(out),
            Decodes::Wavelet(decoder) => decoder.lost(out),
            Decodes::Opus(decoder) => match decoder.conceal(self.frames) {
                Ok(heard) => from_floats(heard, out),
                Err(_) => out.fill(0),
            },
            Decodes::Lossless(_) | Decodes::Pcm => out.fill(0),
        }
    }
}

fn opus_for_calls() -> Option<opus::Encoder> {
    let purpose = opus::Purpose::Promptness;
    opus::Encoder::new(opus::Settings { purpose, constant: true, ..opus::Settings::music() }).ok()
}

fn opus_packet(encoder: &mut opus::Encoder, frames: usize, block: &[i16], budget: usize, out: &mut Vec<u8>) {
    let bits = (budget.min(1_275) * 8 * opus::RATE as usize / frames) as u32;
    let set = encoder.set_bitrate(bits.clamp(6_000, 510_000));
    debug_assert!(set.is_ok(), "it is in range");
    let packet = if block.len() == 2 * frames {
        encoder.encode_i16(block)
    } else {
        let mut whole = block.to_vec();
        whole.resize(2 * frames, 0);
        encoder.encode_i16(&whole)
    };
    match packet {
        Ok(packet) if packet.len() <= budget => out.extend_from_slice(&packet),
        // a packet of no frame but its name: it is concealed (RFC 6716 §3.4)
        _ => out.push(0),
    }
}

fn from_floats(heard: &[f32], out: &mut [i16]) {
    for (out, x) in out.iter_mut().zip(heard) {
        *out = (x * 32_768.0).round() as i16; // saturates
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("frames", &self.frames).finish_non_exhaustive()
    }
}
