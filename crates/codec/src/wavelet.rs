//! The seminar's transform (overlapped octave bands of sum and difference, cut to the same integers) under the entropy coder of
//! [`crate::spectrum`].
//!
//! A packet: the quantization step (two bytes), where the coefficients of sum and difference end (a byte each, in 64ths), then
//! what the range coder said. Its coefficients belong to the block before; with those of its neighbours they are heard one
//! block later still.

use crate::compat::{Dwt, Rebuild, Stereo, Transform, TransformKind, Wavelet, quantize, rebuild};
use crate::entropy::{Coder, Cost, Decoder as Unsaid, Encoder as Said};
use crate::spectrum::Spectrum;

/// What an encoder is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// This quantization step.
    Step(u16),
    /// At most so many bytes, 4 at least.
    Bytes(usize),
}

/// How often blocks of so many frames are halved, if the overlap that this takes fits into one.
pub fn levels(frames: usize) -> Option<u32> {
    let fits = |levels: &u32| frames.is_multiple_of(1 << levels) && REACH << levels <= frames;
    (3..=6).rev().find(fits).filter(|_| frames <= 4_096)
}

/// Encodes stereo blocks.
#[derive(Debug)]
pub struct Encoder {
    frames: usize,
    transforms: [Transform; 2],
    signal: Vec<f64>,
    bands: [Vec<f64>; 2],
    quantized: [Vec<i32>; 2],
    spectrum: Spectrum,
    last_step: i32,
}

/// Decodes what an [`Encoder`] of the same size made.
#[derive(Debug)]
pub struct Decoder {
    frames: usize,
    transforms: [Transform; 2],
    signals: [Vec<f64>; 2],
    bands: [Vec<f64>; 2],
    quantized: [Vec<i32>; 2],
    spectrum: Spectrum,
}

/// These bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no packet of this codec")]
pub struct Refused;

fn transforms(frames: usize) -> Option<[Transform; 2]> {
    let levels = levels(frames)?;
    let one = || {
        let kind = TransformKind::Dwt(Dwt::new(Wavelet::DB5, levels));
        Transform::new(kind, frames, levels, REACH << levels)
    };
    Some([one(), one()])
}

impl Encoder {
    /// For blocks of `frames` frames: those that [`levels`] knows.
    pub fn new(frames: usize) -> Option<Encoder> {
        Some(Encoder {
            frames,
            transforms: transforms(frames)?,
            signal: vec![0.0; frames],
            bands: [vec![0.0; frames], vec![0.0; frames]],
            quantized: [vec![0; frames], vec![0; frames]],
            spectrum: Spectrum::new(),
            last_step: 56,
        })
    }

    /// Appends the packet of the block before an interleaved stereo block to `out`.
    pub fn encode(&mut self, block: &[i16], goal: Goal, out: &mut Vec<u8>) {
        for (channel, transform) in self.transforms.iter_mut().enumerate() {
            self.signal.fill(0.0);
            for (x, frame) in self.signal.iter_mut().zip(block.as_chunks::<2>().0) {
                *x = f64::from(Stereo::Whole.analyze(frame.map(i32::from))[channel]);
            }
            transform.analyze(&self.signal, &mut self.bands[channel]);
        }
        match goal {
            Goal::Step(step) => self.write(step.max(1), out),
            Goal::Bytes(bytes) => self.fit(bytes, out),
        }
    }

    /// The finest step that fits, found by what packets would cost: by ever wider strides from the last one, then by halves.
    fn fit(&mut self, bytes: usize, out: &mut Vec<u8>) {
        let (mut fine, mut coarse) = (-1, STEPS); // too fine; coarse enough
        let (mut trial, mut stride) = (self.last_step, 1);
        while coarse - fine > 1 {
            if self.cost(step_of(trial)) <= bytes {
                coarse = trial
            } else {
                fine = trial
            }
            trial = match (fine, coarse) {
                (-1, _) => (coarse - stride).max(0),
                (_, STEPS) => (fine + stride).min(STEPS - 1),
                _ => (fine + coarse) / 2,
            };
            stride *= 3;
        }
        if coarse == STEPS {
            return out.extend_from_slice(&[0, 1, 0, 0]);
        }
        self.last_step = coarse;
        self.write(step_of(coarse), out);
    }

    /// Bytes that the packet of a step has, at most.
    fn cost(&mut self, step: u16) -> usize {
        let ends = self.quantize(step);
        let mut cost = Cost::default();
        self.code(&mut cost, ends);
        4 + (cost.0 as usize).div_ceil(8 << 16) + 1
    }

    fn write(&mut self, step: u16, out: &mut Vec<u8>) {
        let ends = self.quantize(step);
        out.extend_from_slice(&step.to_be_bytes());
        out.extend_from_slice(&ends);
        let mut coder = Said::new(out);
        self.code(&mut coder, ends);
        coder.finish();
    }

    fn quantize(&mut self, step: u16) -> [u8; 2] {
        let frames = self.frames;
        std::array::from_fn(|channel| {
            let quantized = &mut self.quantized[channel];
            for (k, x) in quantized.iter_mut().zip(&self.bands[channel]) {
                *k = quantize(x.trunc(), f64::from(step));
            }
            let last = quantized.iter().rposition(|k| *k != 0).map_or(0, |last| last + 1);
            (last * 64).div_ceil(frames) as u8
        })
    }

    fn code(&mut self, coder: &mut impl Coder, ends: [u8; 2]) {
        let [sum, difference] = &mut self.quantized;
        self.spectrum.code_octaves(coder, sum, difference, ends, levels(self.frames).unwrap_or(0));
    }
}

impl Decoder {
    /// For blocks of `frames` frames: those that [`levels`] knows.
    pub fn new(frames: usize) -> Option<Decoder> {
        Some(Decoder {
            frames,
            transforms: transforms(frames)?,
            signals: [vec![0.0; frames], vec![0.0; frames]],
            bands: [vec![0.0; frames], vec![0.0; frames]],
            quantized: [vec![0; frames], vec![0; frames]],
            spectrum: Spectrum::new(),
        })
    }

    /// Decodes a packet into an interleaved stereo block: the one before the one before the encoder's.
    ///
    /// # Errors
    /// That it is too short or says what no packet says. The decoder then goes on as if nothing had come.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<(), Refused> {
        let (step, ends) = self.read(packet)?;
        self.sound(step, ends, out);
        Ok(())
    }

    /// A packet was lost: what its neighbours know of the block, and nothing of its own.
    pub fn lost(&mut self, out: &mut [i16]) {
        self.sound(1, [0, 0], out);
    }

    /// The integers that the last packet told, sum and difference.
    pub fn integers(&self) -> &[Vec<i32>; 2] {
        &self.quantized
    }

    fn read(&mut self, packet: &[u8]) -> Result<(u16, [u8; 2]), Refused> {
        let ([high, low, ends @ ..], coded) = packet.split_first_chunk::<4>().ok_or(Refused)?;
        let step = u16::from_be_bytes([*high, *low]);
        if step == 0 || ends.iter().any(|end| *end > 64) {
            return Err(Refused);
        }
        let [sum, difference] = &mut self.quantized;
        let levels = levels(self.frames).unwrap_or(0);
        self.spectrum.code_octaves(&mut Unsaid::new(coded), sum, difference, *ends, levels);
        Ok((step, *ends))
    }

    fn sound(&mut self, step: u16, ends: [u8; 2], out: &mut [i16]) {
        for (channel, end) in ends.into_iter().enumerate() {
            let told = usize::from(end) * self.frames / 64;
            self.quantized[channel][told..].fill(0);
            for (x, k) in self.bands[channel].iter_mut().zip(&self.quantized[channel]) {
                *x = rebuild(*k, f64::from(step), Rebuild::Centre);
            }
            self.transforms[channel].synthesize(&self.bands[channel], &mut self.signals[channel]);
        }
        let [sum, difference] = &self.signals;
        for ((frame, sum), difference) in out.as_chunks_mut::<2>().0.iter_mut().zip(sum).zip(difference) {
            *frame = Stereo::Whole.synthesize([*sum, *difference]).map(|x| x.round() as i16);
        }
    }
}

/// Steps that a budget chooses from: eighths of an octave.
const STEPS: i32 = 128;

fn step_of(code: i32) -> u16 {
    (f64::from(code) / 8.0).exp2().round() as u16
}

/// Taps of the filters.
const REACH: usize = 10;

#[cfg(test)]
mod tests;
