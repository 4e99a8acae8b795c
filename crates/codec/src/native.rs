//! The codec of native calls: an MDCT, stereo turned to where most of it is, and the entropy coder of [`crate::spectrum`].
//! Every packet is read by itself; the step is in it.
//!
//! A packet: the step (one byte, eighths of an octave), the angle of the stereo image (one byte), where the coefficients of
//! the two channels end (a byte each, in 64ths), then what the range coder said. Its first coded decision tells whether the bands'
//! loudness follows: then steps follow the loudness, so that noise hides under what is heard (in the power domain, rms^0.62),
//! and what was quantized to nothing is filled with noise of the right loudness.

use crate::Mdct;
use crate::entropy::{Cell, Coder, Decoder as Unsaid, Encoder as Said};
use crate::spectrum::Spectrum;

/// What an encoder is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// This quantization step everywhere: a signal-to-noise ratio.
    Step(f32),
    /// At most so many bytes (4 at least), sounding as well as they allow.
    Bytes(usize),
}

/// Encodes stereo blocks.
#[derive(Clone, Debug)]
pub struct Encoder {
    mdct: Mdct,
    spectrum: Spectrum,
    before: [Vec<f32>; 2],
    now: [Vec<f32>; 2],
    bins: [Vec<f32>; 2],
    quantized: [Vec<i32>; 2],
    bands: Vec<usize>,
    packet: Vec<u8>,
    best: Vec<u8>,
    last_step: u8,
}

/// Decodes what an [`Encoder`] of the same size made.
#[derive(Clone, Debug)]
pub struct Decoder {
    mdct: Mdct,
    spectrum: Spectrum,
    tails: [Vec<f32>; 2],
    bins: [Vec<f32>; 2],
    quantized: [Vec<i32>; 2],
    out: Vec<f32>,
    bands: Vec<usize>,
    noise: u32,
}

/// Frames of the blocks that are meant.
pub const SIZES: [usize; 5] = [1_024, 960, 480, 240, 120];

/// These bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no packet of this codec")]
pub struct Refused;

impl Encoder {
    /// For blocks of `frames` frames (1024, 480, 240 and 120 are meant), if there is a transform of that size.
    pub fn new(frames: usize) -> Option<Encoder> {
        let zeros = || [vec![0.0; frames], vec![0.0; frames]];
        Some(Encoder {
            mdct: Mdct::new(frames)?,
            spectrum: Spectrum::new(),
            before: zeros(),
            now: zeros(),
            bins: zeros(),
            quantized: [vec![0; frames], vec![0; frames]],
            bands: bands(frames),
            packet: Vec::with_capacity(16 * frames),
            best: Vec::with_capacity(16 * frames),
            last_step: 80,
        })
    }

    /// Appends the packet of an interleaved stereo block to `out`; it is heard one block later.
    pub fn encode(&mut self, block: &[i16], goal: Goal, out: &mut Vec<u8>) {
        for (n, frame) in block.chunks_exact(2).enumerate().take(self.now[0].len()) {
            (self.now[0][n], self.now[1][n]) = (f32::from(frame[0]), f32::from(frame[1]));
        }
        for channel in 0..2 {
            self.mdct.forward(&self.before[channel], &self.now[channel], &mut self.bins[channel]);
            std::mem::swap(&mut self.before[channel], &mut self.now[channel]);
        }
        let angle = angle(&self.bins);
        turn(&mut self.bins, f32::from(angle) * TURN);
        match goal {
            Goal::Step(step) => {
                self.write(code_of(step), angle, false);
                out.extend_from_slice(&self.packet);
            }
            Goal::Bytes(bytes) => {
                self.fit(bytes, angle);
                out.extend_from_slice(&self.best);
            }
        }
    }

    /// The finest step whose packet fits: from the last one, by the slope that packets have, and once more.
    fn fit(&mut self, bytes: usize, angle: u8) {
        self.best.clear();
        let (mut low, mut high) = (0_u8, 191_u8); // too fine below, surely fits above
        let mut guess = self.last_step;
        for tries in 0..5 {
            self.write(guess, angle, true);
            let length = self.packet.len();
            if length <= bytes {
                std::mem::swap(&mut self.best, &mut self.packet);
                self.last_step = guess;
                high = guess;
                if length * 100 >= bytes * 93 || guess == 0 {
                    return;
                }
            } else {
                low = guess + 1;
            }
            if low >= high {
                break;
            }
            // a packet grows by about a fourteenth for each eighth of an octave
            let ratio = (length.max(8) as f32 / bytes.max(8) as f32).ln() / 0.075;
            let next = i32::from(guess)
                + (ratio.clamp(-60.0, 60.0) + if tries > 1 { 1.0 } else { 0.3 }).round() as i32;
            guess = next.clamp(i32::from(low), i32::from(high) - 1) as u8;
        }
        if !self.best.is_empty() {
            return;
        }
        // too little even for the bands' loudness: the loudest coefficients alone
        for code in (64..192).step_by(6) {
            self.write(code, angle, false);
            if self.packet.len() <= bytes {
                return std::mem::swap(&mut self.best, &mut self.packet);
            }
        }
        self.best.extend_from_slice(&[191, 0, 0, 0]);
    }

    /// Makes the packet of a step.
    fn write(&mut self, code: u8, angle: u8, shaped: bool) {
        let (frames, count) = (self.bins[0].len(), self.bands.len() - 1);
        let step = step_of(code);
        let mut louds = [[0_u8; BANDS]; 2];
        let mut ends = [0_u8; 2];
        for (channel, louds) in louds.iter_mut().enumerate() {
            if shaped {
                *louds = loudness(&self.bins[channel], &self.bands);
            }
            let (bins, quantized) = (&self.bins[channel], &mut self.quantized[channel]);
            for (band, edge) in self.bands.windows(2).enumerate() {
                let step = if shaped { shaped_step(step, louds[band]) } else { step };
                for (x, k) in bins[edge[0]..edge[1]].iter().zip(&mut quantized[edge[0]..edge[1]]) {
                    *k = (x.abs() / step + ROUND).min(8e6) as i32 * if *x < 0.0 { -1 } else { 1 };
                }
            }
            let last = quantized.iter().rposition(|k| *k != 0).map_or(0, |last| last + 1);
            ends[channel] = (last * 64).div_ceil(frames) as u8;
        }
        self.packet.clear();
        self.packet.extend_from_slice(&[code, angle, ends[0], ends[1]]);
        let mut coder = Said::new(&mut self.packet);
        self.spectrum.reset();
        coder.code(shaped, 1 << 15);
        if shaped {
            louds.iter_mut().for_each(|louds| code_loudness(&mut coder, &mut louds[..count]));
        }
        let [first, second] = &mut self.quantized;
        let end = |end: u8| usize::from(end) * frames / 64;
        self.spectrum.code(&mut coder, &mut first[..end(ends[0])], None);
        self.spectrum.code(&mut coder, &mut second[..end(ends[1])], Some(first));
        coder.finish();
    }
}

impl Decoder {
    /// For blocks of `frames` frames, if there is a transform of that size.
    pub fn new(frames: usize) -> Option<Decoder> {
        let zeros = || [vec![0.0; frames], vec![0.0; frames]];
        Some(Decoder {
            mdct: Mdct::new(frames)?,
            spectrum: Spectrum::new(),
            tails: zeros(),
            bins: zeros(),
            quantized: [vec![0; frames], vec![0; frames]],
            out: vec![0.0; frames],
            bands: bands(frames),
            noise: 1,
        })
    }

    /// Decodes a packet into an interleaved stereo block: the one before the encoder's.
    ///
    /// # Errors
    /// That it is too short or says what no packet says. The decoder then goes on as if nothing had come.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<(), Refused> {
        let ([code, angle, ends @ ..], coded) = packet.split_first_chunk::<4>().ok_or(Refused)?;
        if *code > 191 || *angle > 63 || ends.iter().any(|end| *end > 64) {
            return Err(Refused);
        }
        let (frames, count) = (self.out.len(), self.bands.len() - 1);
        let mut coder = Unsaid::new(coded);
        self.spectrum.reset();
        let shaped = coder.code(false, 1 << 15);
        let mut louds = [[0_u8; BANDS]; 2];
        if shaped {
            louds.iter_mut().for_each(|louds| code_loudness(&mut coder, &mut louds[..count]));
        }
        let [first, second] = &mut self.quantized;
        first.fill(0);
        second.fill(0);
        let end = |end: u8| usize::from(end) * frames / 64;
        self.spectrum.code(&mut coder, &mut first[..end(ends[0])], None);
        self.spectrum.code(&mut coder, &mut second[..end(ends[1])], Some(first));
        for (channel, louds) in louds.into_iter().enumerate() {
            self.rebuild(channel, step_of(*code), shaped.then_some(louds));
        }
        turn(&mut self.bins, -f32::from(*angle) * TURN);
        self.sound(out);
        Ok(())
    }

    /// A packet was lost: the second half of the block before it, and nothing new.
    pub fn lost(&mut self, out: &mut [i16]) {
        self.bins.iter_mut().for_each(|bins| bins.fill(0.0));
        self.sound(out);
    }

    fn rebuild(&mut self, channel: usize, step: f32, louds: Option<[u8; BANDS]>) {
        let (quantized, bins) = (&self.quantized[channel], &mut self.bins[channel]);
        for (band, edge) in self.bands.windows(2).enumerate() {
            let (quantized, bins) = (&quantized[edge[0]..edge[1]], &mut bins[edge[0]..edge[1]]);
            let step = louds.map_or(step, |louds| shaped_step(step, louds[band]));
            let mut there = 0.0;
            for (k, x) in quantized.iter().zip(bins.iter_mut()) {
                *x = (k.unsigned_abs() as f32 + INSIDE) * step * k.signum() as f32;
                there += *x * *x;
            }
            let Some(louds) = louds.filter(|louds| louds[band] > 0) else { continue };
            let nothing = quantized.iter().filter(|k| **k == 0).count();
            let missing = (rms_of(louds[band]).powi(2) * bins.len() as f32 - there).max(0.0);
            let level = (missing / nothing.max(1) as f32).sqrt().min(0.45 * step) * 1.732;
            for (_, x) in quantized.iter().zip(bins).filter(|(k, _)| **k == 0) {
                self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *x = level * ((self.noise >> 8) as f32 / (1 << 23) as f32 - 1.0);
            }
        }
    }

    fn sound(&mut self, out: &mut [i16]) {
        for channel in 0..2 {
            self.mdct.inverse(&self.bins[channel], &mut self.tails[channel], &mut self.out);
            let column = out.iter_mut().skip(channel).step_by(2);
            column.zip(&self.out).for_each(|(out, x)| *out = x.round() as i16);
        }
    }
}

/// Bands whose loudness is told; half as many of short blocks.
const BANDS: usize = 21;

/// Where bands begin, and the end: about as wide as those of hearing, were the rate 44,100 or 48,000.
fn bands(frames: usize) -> Vec<usize> {
    const EDGES: [f64; BANDS + 1] = [
        0.0, 100.0, 200.0, 300.0, 400.0, 510.0, 630.0, 770.0, 920.0, 1_080.0, 1_270.0, 1_480.0, 1_850.0,
        2_320.0, 3_000.0, 3_850.0, 4_900.0, 6_400.0, 8_500.0, 11_000.0, 15_500.0, 22_050.0,
    ];
    let edge = |hertz: &f64| (hertz / 22_050.0 * frames as f64).round() as usize;
    let mut edges: Vec<usize> = EDGES.iter().step_by(if frames < 480 { 3 } else { 1 }).map(edge).collect();
    edges.dedup();
    edges
}

/// The loudness of each band, in steps of 3 dB above silence.
fn loudness(bins: &[f32], bands: &[usize]) -> [u8; BANDS] {
    let mut louds = [0; BANDS];
    for (loud, edge) in louds.iter_mut().zip(bands.windows(2)) {
        let bins = &bins[edge[0]..edge[1]];
        let power = bins.iter().map(|x| x * x).sum::<f32>() / bins.len().max(1) as f32;
        *loud = ((power.max(1e-9).log2() + 1.5).round().clamp(0.0, 40.0)) as u8;
    }
    louds
}

fn rms_of(loud: u8) -> f32 {
    ((f32::from(loud) - 1.0) * 0.5).exp2()
}

/// The step under a band of this loudness: it grows by 0.62 of the loudness, so that noise stays below what hides it.
fn shaped_step(step: f32, loud: u8) -> f32 {
    (step * (f32::from(loud) * 0.5 * 0.62).exp2() * 0.05).max(0.5)
}

/// Each by its difference from the one before.
fn code_loudness(coder: &mut impl Coder, louds: &mut [u8]) {
    let mut cells = [Cell::new(1 << 15); 3 * 24];
    let mut before = 12_i32;
    for loud in louds {
        let difference = i32::from(*loud) - before;
        let moved = cells[0].code(coder, difference != 0);
        let mut found = 0;
        if moved {
            let up = cells[1].code(coder, difference > 0);
            found = 1;
            while found < 45
                && cells[1 + (found as usize).min(20) + 24 * usize::from(up)]
                    .code(coder, difference.abs() > found)
            {
                found += 1;
            }
            found = if up { found } else { -found };
        }
        before = (before + found).clamp(0, 40);
        *loud = before as u8;
    }
}

/// The turn of the stereo image that puts most of it into the first channel, in 64ths of half a turn.
fn angle(bins: &[Vec<f32>; 2]) -> u8 {
    let (mut left, mut right, mut both) = (1e-6_f64, 1e-6, 0.0);
    for (l, r) in bins[0].iter().zip(&bins[1]) {
        let (l, r) = (f64::from(*l), f64::from(*r));
        (left, right, both) = (left + l * l, right + r * r, both + l * r);
    }
    let turn = 0.5 * (2.0 * both).atan2(left - right); // -π/2 to π/2
    ((turn / f64::from(TURN)).round() as i32).rem_euclid(64) as u8
}

/// Turns left and right.
fn turn(bins: &mut [Vec<f32>; 2], by: f32) {
    let (sin, cos) = by.sin_cos();
    let [first, second] = bins;
    for (a, b) in first.iter_mut().zip(second) {
        (*a, *b) = (cos * *a + sin * *b, cos * *b - sin * *a);
    }
}

const TURN: f32 = std::f32::consts::PI / 64.0;
/// Where sizes are rounded up: late, since small sizes are cheap.
const ROUND: f32 = 0.36;
/// How far beyond its size a coefficient lies on average when it was rounded so.
const INSIDE: f32 = 0.03;

/// The step of a code: eighths of an octave from a quarter up.
fn step_of(code: u8) -> f32 {
    0.25 * (f32::from(code) / 8.0).exp2()
}

fn code_of(step: f32) -> u8 {
    ((step.max(0.25) * 4.0).log2() * 8.0).round().clamp(0.0, 191.0) as u8
}

#[cfg(test)]
mod tests;
