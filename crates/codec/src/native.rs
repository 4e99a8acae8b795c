//! The codec of native calls: lapped transforms, stereo turned to where most of it is, and the entropy coder of
//! [`crate::spectrum`]. Every packet is read by itself; the step is in it.
//!
//! A packet is all of it what the range coder said: the step (eight bits, eighths of an octave), how the block is divided, how loud
//! its parts are if it is, the angles of the stereo image (six bits each: one, or one each for four ranges), whether the bands'
//! loudness follows, the loudness, and for each band of each channel whether anything is in it, and what. With loudness, steps
//! follow it, so that noise hides under what is heard (in the power domain), and what was quantized to nothing is filled with
//! noise of the right loudness. What a decoder decides by is integers, so that every machine reads the same.

mod bands;
mod image;

use crate::entropy::{Cell, Coder, Decoder as Unsaid, Encoder as Said};
use crate::lapped::{Lapped, Layout, Onset};
use crate::spectrum::{Kind, Spectrum};
use bands::{BANDS, code_loudness, edges, loudness, rms_of, shaped_step};
use image::Image;

/// What an encoder is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// This quantization step everywhere: a signal-to-noise ratio.
    Step(f32),
    /// At most so many bytes (4 at least), sounding as well as they allow.
    Bytes(usize),
}

/// Frames of the blocks that are meant.
pub const SIZES: [usize; 5] = [1_024, 960, 480, 240, 120];

/// Encodes stereo blocks.
#[derive(Clone, Debug)]
pub struct Encoder {
    frames: usize,
    lapped: Lapped,
    onset: Onset,
    /// The block before and this one.
    stretches: [Vec<f32>; 2],
    bins: [Vec<f32>; 2],
    body: Body,
    said: Head,
    /// Where something began in the block before, in sixteenths.
    began: Option<usize>,
    packet: Vec<u8>,
    best: Vec<u8>,
    /// Bits that packets had for each bit that they were thought to need.
    measure: f32,
    /// Bits that a coefficient is thought to need by how loud its band is above its step.
    thought: Box<[f32; THOUGHTS]>,
}

/// Decodes what an [`Encoder`] of the same size made.
#[derive(Clone, Debug)]
pub struct Decoder {
    lapped: Lapped,
    stretches: [Vec<f32>; 2],
    bins: [Vec<f32>; 2],
    out: Vec<f32>,
    body: Body,
    noise: u32,
}

/// These bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no packet of this codec")]
pub struct Refused;

/// What is told before coefficients.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    code: u8,
    layout: Layout,
    /// How much quieter than the loudest part each one is, in steps of 3 dB.
    quieter: [u8; 8],
    image: Image,
    shaped: bool,
    /// How much of what is missing is made up as noise, the place in [`FILLINGS`].
    filling: u8,
    louds: [[u8; BANDS]; 2],
}

/// What both sides keep for coefficients.
#[derive(Clone, Debug)]
struct Body {
    edges: Vec<usize>,
    spectrum: Spectrum,
    quantized: [Vec<i32>; 2],
}

impl Encoder {
    /// For blocks of `frames` frames ([`SIZES`] are meant), if there is a transform of that size.
    pub fn new(frames: usize) -> Option<Encoder> {
        Some(Encoder {
            frames,
            lapped: Lapped::new(frames)?,
            onset: Onset::default(),
            stretches: [vec![0.0; 2 * frames], vec![0.0; 2 * frames]],
            bins: [vec![0.0; frames], vec![0.0; frames]],
            body: Body::new(frames),
            said: Head::default(),
            began: None,
            packet: Vec::with_capacity(16 * frames + 64),
            best: Vec::with_capacity(16 * frames + 64),
            measure: 1.0,
            thought: Box::new(std::array::from_fn(thought)),
        })
    }

    /// Appends the packet of an interleaved stereo block (what is missing of it is silence) to `out`; it is heard one block later.
    pub fn encode(&mut self, block: &[i16], goal: Goal, out: &mut Vec<u8>) {
        self.take(block);
        match goal {
            Goal::Step(step) => {
                self.said.shaped = false;
                self.write(code_of(step));
                out.extend_from_slice(&self.packet);
            }
            Goal::Bytes(bytes) => {
                self.fit(bytes);
                out.extend_from_slice(&self.best);
            }
        }
    }

    /// Transforms what came, and finds out all that does not depend on the step.
    fn take(&mut self, block: &[i16]) {
        let frames = self.frames;
        for (channel, stretch) in self.stretches.iter_mut().enumerate() {
            stretch.copy_within(frames.., 0);
            stretch[frames..].fill(0.0);
            let column = block.iter().skip(channel).step_by(2);
            stretch[frames..].iter_mut().zip(column).for_each(|(x, sample)| *x = f32::from(*sample));
        }
        let layout = self.divide();
        for (stretch, bins) in self.stretches.iter().zip(&mut self.bins) {
            self.lapped.forward(stretch, layout, bins);
        }
        self.said.layout = layout;
        self.said.quieter = [0; 8];
        if layout.split {
            self.level();
        }
        self.said.image = Image::of(&self.bins, &self.body.edges);
        self.said.image.turn(&mut self.bins, &self.body.edges, 1.0);
        self.said.louds =
            [loudness(&self.bins[0], &self.body.edges), loudness(&self.bins[1], &self.body.edges)];
    }

    /// Overlaps are short around a beginning, and the half of the block that has one is divided.
    fn divide(&mut self) -> Layout {
        let [left, right] = &self.stretches;
        let began = self.onset.find([&left[self.frames..], &right[self.frames..]]);
        let before = std::mem::replace(&mut self.began, began);
        if !self.lapped.divides() {
            return Layout::default();
        }
        let (short_left, short_right) = (before.is_some(), began.is_some());
        let split = before.is_some_and(|at| at >= 7) || began.is_some_and(|at| at < 9);
        Layout { short_left, short_right, split }
    }

    /// Makes the parts of a divided block about equally loud.
    fn level(&mut self) {
        let layout = self.said.layout;
        let mut powers = [0.0_f32; 8];
        for (k, (a, b)) in self.bins[0].iter().zip(&self.bins[1]).enumerate() {
            powers[self.lapped.part_of(layout, k)] += a * a + b * b;
        }
        let parts = layout.parts();
        let power = |part: usize| powers[part] / parts[part] as f32 + 1.0;
        let loudest = (0..parts.len()).map(power).fold(0.0, f32::max);
        for part in 0..parts.len() {
            self.said.quieter[part] =
                (loudest / power(part)).log2().mul_add(LEVEL, 0.0).clamp(0.0, 15.0) as u8;
        }
        self.said.level(&self.lapped, &mut self.bins, 0.5);
    }

    /// The finest step whose packet fits: from what packets of such loudness need, and again from what that one had.
    fn fit(&mut self, bytes: usize) {
        self.best.clear();
        self.said.shaped = true;
        self.said.filling = filling_for((8 * bytes) as f32 / self.frames as f32);
        let (mut low, mut high) = (0_u8, LAST + 1); // too fine below, surely fits above
        let mut wanted = (bytes * 8) as f32 * AIM;
        for tries in 0..5 {
            let guess = self.guess(wanted).clamp(low, high - 1);
            self.write(guess);
            let length = self.packet.len();
            let thought = self.need(guess).max(20.0);
            if tries == 0 {
                let measure = (length * 8) as f32 / thought;
                self.measure = (self.measure + 0.5 * (measure - self.measure)).clamp(0.2, 5.0);
            }
            if length <= bytes {
                std::mem::swap(&mut self.best, &mut self.packet);
                high = guess;
                if length * 100 >= bytes * 91 || guess == 0 {
                    return;
                }
            } else {
                low = guess + 1;
            }
            if low >= high {
                break;
            }
            // the same error is to be expected of the next
            wanted = (wanted + 0.8 * (bytes as f32 * AIM - length as f32) * 8.0).max(8.0);
        }
        if !self.best.is_empty() {
            return;
        }
        // too little even for the bands' loudness: the loudest coefficients alone
        self.said.shaped = false;
        for code in (64..=LAST).step_by(6) {
            self.write(code);
            if self.packet.len() <= bytes {
                return std::mem::swap(&mut self.best, &mut self.packet);
            }
        }
    }

    /// The finest step that is thought to need no more than so many bits.
    fn guess(&self, bits: f32) -> u8 {
        let (mut low, mut high) = (0, LAST);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.need(middle) * self.measure <= bits { high = middle } else { low = middle + 1 }
        }
        low
    }

    /// Bits that a packet of this step needs by its bands' loudness.
    fn need(&self, code: u8) -> f32 {
        let mut bits = 60.0;
        for louds in &self.said.louds {
            for (edge, loud) in self.body.edges.windows(2).zip(louds) {
                let place = (above(code, *loud) / 8 + THOUGHTS as i32 / 2).clamp(0, THOUGHTS as i32 - 1);
                bits += (edge[1] - edge[0]) as f32 * self.thought[place as usize] + 2.0;
            }
        }
        bits
    }

    /// Makes the packet of a step.
    fn write(&mut self, code: u8) {
        self.said.code = code;
        for channel in 0..2 {
            let quantized = &mut self.body.quantized[channel];
            for (band, edge) in self.body.edges.windows(2).enumerate() {
                let finer = 1.0 / self.said.step(channel, band);
                let (from, to) = (&self.bins[channel][edge[0]..edge[1]], &mut quantized[edge[0]..edge[1]]);
                for (x, k) in from.iter().zip(to) {
                    let size = (x.abs() * finer + ROUND).min(8e6) as i32;
                    *k = if *x < 0.0 { -size } else { size };
                }
            }
        }
        self.packet.clear();
        let mut coder = Said::new(&mut self.packet);
        self.said.code(&mut coder, self.body.edges.len() - 1, self.lapped.divides());
        self.body.code(&mut coder, &self.said);
        coder.finish();
    }
}

impl Decoder {
    /// For blocks of `frames` frames, if there is a transform of that size.
    pub fn new(frames: usize) -> Option<Decoder> {
        Some(Decoder {
            lapped: Lapped::new(frames)?,
            stretches: [vec![0.0; 2 * frames], vec![0.0; 2 * frames]],
            bins: [vec![0.0; frames], vec![0.0; frames]],
            out: vec![0.0; frames],
            body: Body::new(frames),
            noise: 1,
        })
    }

    /// Decodes a packet into an interleaved stereo block: the one before the encoder's.
    ///
    /// # Errors
    /// That it says what no packet says. The decoder then goes on as if nothing had come.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<(), Refused> {
        let mut head = Head::default();
        let mut coder = Unsaid::new(packet);
        head.code(&mut coder, self.body.edges.len() - 1, self.lapped.divides());
        if head.code > LAST || packet.is_empty() {
            return Err(Refused);
        }
        self.body.code(&mut coder, &head);
        (0..2).for_each(|channel| self.rebuild(channel, &head));
        head.image.turn(&mut self.bins, &self.body.edges, -1.0);
        if head.layout.split {
            head.level(&self.lapped, &mut self.bins, -0.5);
        }
        self.sound(head.layout, out);
        Ok(())
    }

    /// A packet was lost: the second half of the block before it, and nothing new.
    pub fn lost(&mut self, out: &mut [i16]) {
        self.bins.iter_mut().for_each(|bins| bins.fill(0.0));
        self.sound(Layout::default(), out);
    }

    /// The integers that the last packet told.
    pub fn integers(&self) -> &[Vec<i32>; 2] {
        &self.body.quantized
    }

    fn rebuild(&mut self, channel: usize, head: &Head) {
        let (quantized, bins) = (&self.body.quantized[channel], &mut self.bins[channel]);
        let filling = FILLINGS[usize::from(head.filling & 3)];
        for (band, edge) in self.body.edges.windows(2).enumerate() {
            let (quantized, bins) = (&quantized[edge[0]..edge[1]], &mut bins[edge[0]..edge[1]]);
            let step = head.step(channel, band);
            let (mut there, mut nothing) = (0.0, 0);
            for (k, x) in quantized.iter().zip(bins.iter_mut()) {
                *x = (k.unsigned_abs() as f32 + INSIDE) * step * k.signum() as f32;
                there += *x * *x;
                nothing += u32::from(*k == 0);
            }
            let loud = head.louds[channel][band];
            if !head.shaped || loud == 0 {
                continue;
            }
            let missing = (rms_of(loud).powi(2) * bins.len() as f32 - there).max(0.0);
            let level = (missing / nothing.max(1) as f32).sqrt().min(0.45 * step) * 1.732 * filling;
            for (_, x) in quantized.iter().zip(bins).filter(|(k, _)| **k == 0) {
                self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *x = level * ((self.noise >> 8) as f32 / (1 << 23) as f32 - 1.0);
            }
        }
    }

    fn sound(&mut self, layout: Layout, out: &mut [i16]) {
        for channel in 0..2 {
            self.lapped.inverse(&self.bins[channel], layout, &mut self.stretches[channel], &mut self.out);
            let column = out.iter_mut().skip(channel).step_by(2);
            column.zip(&self.out).for_each(|(out, x)| *out = x.round() as i16);
        }
    }
}

impl Head {
    /// The step of a band.
    fn step(&self, channel: usize, band: usize) -> f32 {
        let step = step_of(self.code);
        if self.shaped { shaped_step(step, self.louds[channel][band]) } else { step }
    }

    /// Scales each part by how much quieter it is.
    fn level(&self, lapped: &Lapped, bins: &mut [Vec<f32>; 2], by: f32) {
        let gains = self.quieter.map(|quieter| (by * f32::from(quieter)).exp2());
        for k in 0..bins[0].len() {
            let gain = gains[lapped.part_of(self.layout, k)];
            bins.iter_mut().for_each(|bins| bins[k] *= gain);
        }
    }

    /// Says or finds all of it.
    fn code(&mut self, coder: &mut impl Coder, bands: usize, divides: bool) {
        self.code = coder.raw(self.code.into(), 8) as u8;
        if divides && coder.code(self.layout != Layout::default(), 3_000) {
            self.layout.short_left = coder.code(self.layout.short_left, 1 << 15);
            self.layout.short_right = coder.code(self.layout.short_right, 1 << 15);
            self.layout.split = coder.code(self.layout.split, 1 << 15);
        }
        if self.layout.split {
            let parts = self.layout.parts().len();
            self.quieter[..parts].iter_mut().for_each(|x| *x = coder.raw((*x).into(), 4) as u8);
        }
        self.image.code(coder);
        self.shaped = coder.code(self.shaped, 40_000);
        if self.shaped {
            self.filling = coder.raw(self.filling.into(), 2) as u8 & 3;
            code_loudness(coder, &mut self.louds, bands);
        }
    }
}

impl Body {
    fn new(frames: usize) -> Body {
        Body {
            edges: edges(frames),
            spectrum: Spectrum::new(),
            quantized: [vec![0; frames], vec![0; frames]],
        }
    }

    /// Says or finds the coefficients, band by band.
    fn code(&mut self, coder: &mut impl Coder, head: &Head) {
        let short = self.quantized[0].len() < 480;
        self.spectrum.reset(Kind::Lapped { loudness: head.shaped, short });
        let mut any = [Cell::new(1 << 15); 2 * 24];
        let [first, second] = &mut self.quantized;
        for channel in 0..2 {
            let (mine, other) =
                if channel == 0 { (&mut *first, None) } else { (&mut *second, Some(&first[..])) };
            let mut run = crate::spectrum::Run::default();
            let mut before = true;
            for (band, edge) in self.edges.windows(2).enumerate() {
                let values = &mut mine[edge[0]..edge[1]];
                // what is loud above its step has something in it; without loudness, what lies low
                let hint =
                    if head.shaped { hint(head.code, head.louds[channel][band]) } else { band.min(31) };
                let context = if head.shaped { hint.min(10) } else { 11 };
                let cell = &mut any[2 * context + usize::from(before)];
                before = cell.code(coder, values.iter().any(|k| *k != 0));
                if before {
                    self.spectrum.code_band(coder, mine, edge[0]..edge[1], other, hint, &mut run);
                } else {
                    mine[edge[0]..edge[1]].fill(0);
                    run.quiet();
                }
            }
        }
    }
}

/// How loud a band is above its step, in steps of 1.5 dB from far below on: by integers alone.
fn hint(code: u8, loud: u8) -> usize {
    (above(code, loud) / 16 + 12).clamp(0, 30) as usize
}

/// The logarithm of (rms / shaped step) in 64ths of an octave: half a step of loudness each 32, a code each 8.
fn above(code: u8, loud: u8) -> i32 {
    32 * (i32::from(loud) - 1) - 24 * i32::from(loud) - 8 * i32::from(code) + 404
}

/// Bits of a coefficient at the middle of a place, in eighths of an octave.
fn thought(place: usize) -> f32 {
    let ratio = ((place as f32 + 0.5 - THOUGHTS as f32 / 2.0) / 8.0).exp2();
    (1.0 + 1.6 * ratio + ratio * ratio * 2.0).log2()
}

const THOUGHTS: usize = 512;
/// Where in a budget a packet is aimed at: between too long and so short that another try is worth its time.
const AIM: f32 = 0.955;

/// How much noise is made up of what is missing where coefficients became nothing.
const FILLINGS: [f32; 4] = [1.0, 0.6, 0.3, 0.0];

/// Which of [`FILLINGS`] is heard as best at so many bits a frame: where few coefficients are told, all that is missing is filled; where most
/// are, noise only adds to what they are wrong by. (None at all was never the best, up to 128 kbit/s.)
fn filling_for(bits: f32) -> u8 {
    FULL_UNTIL.iter().filter(|until| bits >= **until).count() as u8
}

/// Bits a frame from which on lesser fillings are better: about 40 and 80 kbit/s at 44,100 frames a second.
const FULL_UNTIL: [f32; 2] = [0.9, 1.8];

/// Steps of 3 dB an octave of power, less than all of it: a quiet part is told more coarsely beside a loud one.
const LEVEL: f32 = 0.7;
/// Where sizes are rounded up: late, since small sizes are cheap.
const ROUND: f32 = 0.36;
/// How far beyond its size a coefficient lies on average when it was rounded so.
const INSIDE: f32 = 0.03;

/// The step of a code: eighths of an octave from a quarter up.
fn step_of(code: u8) -> f32 {
    0.25 * (f32::from(code) / 8.0).exp2()
}

fn code_of(step: f32) -> u8 {
    ((step.max(0.25) * 4.0).log2() * 8.0).round().clamp(0.0, f32::from(LAST)) as u8
}

/// The coarsest step's code.
const LAST: u8 = 191;

#[cfg(test)]
mod tests;
