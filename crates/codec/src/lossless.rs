//! Sound without loss, each packet by itself: prediction by a lattice filter that the packet tells, what is left of it by one that
//! learns, and the entropy coder of [`crate::spectrum`]. All that a decoder computes is integers.
//!
//! A packet, all of it coded: whether the block is silent; bits that were dropped (four); which pair of signals; then for each of
//! the two its order, its reflections, how large its residues are to begin with, whether the learner helps, and the residues.

mod lattice;
mod learner;

use crate::entropy::{Cell, Coder, Decoder as Unsaid, Encoder as Said};
use crate::spectrum::{Kind, Spectrum};
use lattice::{Lattice, MOST};
use learner::Learner;

/// Encodes stereo blocks.
#[derive(Debug)]
pub struct Encoder {
    frames: usize,
    /// Left, right, and what can stand for them.
    signals: [Vec<i32>; 4],
    residues: [Vec<i32>; 2],
    trial: Vec<i32>,
    work: lattice::Work,
    told: [Told; 4],
    core: Core,
    packet: Vec<u8>,
}

/// Decodes what an [`Encoder`] of the same size made.
#[derive(Debug)]
pub struct Decoder {
    signals: [Vec<i32>; 2],
    residues: [Vec<i32>; 2],
    core: Core,
}

/// These bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no packet of this codec")]
pub struct Refused;

/// What both sides keep.
#[derive(Debug)]
struct Core {
    spectrum: Spectrum,
    lattice: Lattice,
    learner: Learner,
}

/// What is told of one signal before its residues.
#[derive(Clone, Debug)]
struct Told {
    order: usize,
    reflections: [i8; MOST],
    /// The binary logarithm of the residues' size, twice.
    size: u8,
    learns: bool,
    /// Bits a sample, about.
    bits: f64,
}

impl Told {
    const NOTHING: Told = Told { order: 0, reflections: [0; MOST], size: 0, learns: false, bits: 0.0 };

    fn begin(&self) -> u32 {
        ((1_u64 << (self.size / 2)) * if self.size % 2 == 1 { 3 } else { 2 } / 2) as u32 - 1
    }
}

/// Which signals stand for left and right.
const PAIRS: [[usize; 2]; 4] = [[LEFT, RIGHT], [LEFT, SIDE], [SIDE, RIGHT], [MID, SIDE]];
const LEFT: usize = 0;
const RIGHT: usize = 1;
const MID: usize = 2;
const SIDE: usize = 3;

impl Encoder {
    /// For blocks of `frames` frames.
    pub fn new(frames: usize) -> Encoder {
        let zeros = || vec![0; frames];
        Encoder {
            frames,
            signals: [zeros(), zeros(), zeros(), zeros()],
            residues: [zeros(), zeros()],
            trial: zeros(),
            work: lattice::Work::new(frames),
            told: [Told::NOTHING; 4],
            core: Core::new(),
            packet: Vec::with_capacity(8 * frames + 64),
        }
    }

    /// Appends the packet of an interleaved stereo block to `out`. Where it would be longer than `budget` bytes, the lowest bits of
    /// all samples are dropped, as few as do.
    pub fn encode(&mut self, block: &[i16], budget: usize, out: &mut Vec<u8>) {
        let mut dropped = 0;
        loop {
            self.write(block, dropped);
            if self.packet.len() <= budget || dropped == 15 {
                break;
            }
            // each dropped bit saves one of each sample
            let over = (self.packet.len() - budget) * 8;
            dropped = (dropped + (over / (2 * self.frames)).max(1) as u32).min(15);
        }
        if self.packet.len() > budget {
            self.write(&[], 0); // silence
        }
        out.extend_from_slice(&self.packet);
    }

    fn write(&mut self, block: &[i16], dropped: u32) {
        self.packet.clear();
        let mut packet = std::mem::take(&mut self.packet);
        let mut coder = Said::new(&mut packet);
        let silent = self.split(block, dropped);
        coder.code(silent, 1 << 11);
        if !silent {
            coder.raw(dropped, 4);
            for which in 0..4 {
                self.told[which] = lattice::analyze(&self.signals[which], &mut self.work);
            }
            let bits = |pair: &[usize; 2]| self.told[pair[0]].bits + self.told[pair[1]].bits;
            let best = (0..4).min_by(|a, b| bits(&PAIRS[*a]).total_cmp(&bits(&PAIRS[*b]))).unwrap_or(0);
            coder.raw(best as u32, 2);
            self.core.spectrum.reset(Kind::Series);
            for (channel, which) in PAIRS[best].into_iter().enumerate() {
                self.channel(&mut coder, channel, which);
            }
        }
        coder.finish();
        self.packet = packet;
    }

    fn channel(&mut self, coder: &mut impl Coder, channel: usize, which: usize) {
        let mut told = self.told[which].clone();
        let (first, second) = self.residues.split_at_mut(1);
        let (mine, other) =
            if channel == 0 { (&mut first[0], None) } else { (&mut second[0], Some(&first[0][..])) };
        let signal = &self.signals[which];
        self.core.residues(&told, signal, other, &mut self.trial);
        told.learns = true;
        self.core.residues(&told, signal, other, mine);
        let size = |residues: &[i32]| residues.iter().map(|x| f64::from(x.unsigned_abs())).sum::<f64>();
        if size(&self.trial) <= size(mine) {
            told.learns = false;
            mine.copy_from_slice(&self.trial);
        }
        let mean = size(&mine[..mine.len().min(256)]) / mine.len().clamp(1, 256) as f64;
        told.size = (2.0 * (mean + 1.0).log2()).round().clamp(0.0, 40.0) as u8;
        told.code(coder);
        self.core.spectrum.code_series(coder, mine, told.begin(), other);
    }

    /// Left, right, mid and side; whether all of them are nothing.
    fn split(&mut self, block: &[i16], dropped: u32) -> bool {
        self.signals.iter_mut().for_each(|signal| signal.fill(0));
        let mut any = 0;
        for (n, frame) in block.as_chunks::<2>().0.iter().enumerate().take(self.frames) {
            let [left, right] = frame.map(|x| i32::from(x) >> dropped);
            any |= left | right;
            self.signals[LEFT][n] = left;
            self.signals[RIGHT][n] = right;
            self.signals[MID][n] = (left + right) >> 1;
            self.signals[SIDE][n] = left - right;
        }
        any == 0
    }
}

impl Decoder {
    /// For blocks of `frames` frames.
    pub fn new(frames: usize) -> Decoder {
        let zeros = || [vec![0; frames], vec![0; frames]];
        Decoder { signals: zeros(), residues: zeros(), core: Core::new() }
    }

    /// Decodes a packet into an interleaved stereo block.
    ///
    /// # Errors
    /// That it says what no packet says.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<(), Refused> {
        let mut coder = Unsaid::new(packet);
        if coder.code(false, 1 << 11) {
            out.fill(0);
            return Ok(());
        }
        let dropped = coder.raw(0, 4);
        let pair = PAIRS[coder.raw(0, 2) as usize];
        self.core.spectrum.reset(Kind::Series);
        for channel in 0..2 {
            let mut told = Told::NOTHING;
            told.code(&mut coder);
            if told.order > MOST {
                return Err(Refused);
            }
            let (first, second) = self.residues.split_at_mut(1);
            let (mine, other) =
                if channel == 0 { (&mut first[0], None) } else { (&mut second[0], Some(&first[0][..])) };
            self.core.spectrum.code_series(&mut coder, mine, told.begin(), other);
            self.core.signal(&told, mine, other, &mut self.signals[channel]);
        }
        // half of what was dropped is nearer than nothing of it
        let middle = if dropped > 0 { 1 << (dropped - 1) } else { 0 };
        let [first, second] = &self.signals;
        for ((frame, a), b) in out.as_chunks_mut::<2>().0.iter_mut().zip(first).zip(second) {
            *frame = together(pair, *a, *b).map(|x| (x << dropped | middle) as i16);
        }
        Ok(())
    }
}

/// Left and right of a pair.
fn together(pair: [usize; 2], a: i32, b: i32) -> [i32; 2] {
    match pair {
        [MID, SIDE] => {
            let left = a.wrapping_add(b.wrapping_add(b & 1) >> 1);
            [left, left.wrapping_sub(b)]
        }
        [LEFT, SIDE] => [a, a.wrapping_sub(b)],
        [SIDE, RIGHT] => [a.wrapping_add(b), b],
        _ => [a, b],
    }
}

impl Core {
    fn new() -> Core {
        Core { spectrum: Spectrum::new(), lattice: Lattice::new(), learner: Learner::new() }
    }

    fn residues(&mut self, told: &Told, signal: &[i32], other: Option<&[i32]>, residues: &mut [i32]) {
        self.lattice.set(told);
        self.learner.reset();
        for n in 0..signal.len() {
            let guess = self.lattice.guess(&signal[..n]);
            let left = signal[n].wrapping_sub(guess);
            residues[n] = if told.learns {
                let more = self.learner.guess(other, n);
                self.learner.learn(left);
                left.wrapping_sub(more)
            } else {
                left
            };
        }
    }

    fn signal(&mut self, told: &Told, residues: &[i32], other: Option<&[i32]>, signal: &mut [i32]) {
        self.lattice.set(told);
        self.learner.reset();
        for n in 0..residues.len() {
            let guess = self.lattice.guess(&signal[..n]);
            let left = if told.learns {
                let left = residues[n].wrapping_add(self.learner.guess(other, n));
                self.learner.learn(left);
                left
            } else {
                residues[n]
            };
            signal[n] = left.wrapping_add(guess).clamp(-LOUDEST, LOUDEST);
        }
    }
}

/// Beyond any sum or difference of 16 bits; garbage stays within.
const LOUDEST: i32 = 1 << 18;

impl Told {
    /// Says or finds all of it.
    fn code(&mut self, coder: &mut impl Coder) {
        self.order = coder.raw(self.order as u32, 6) as usize;
        let mut cells = [[Cell::new(1 << 15); 40]; 4];
        for (m, reflection) in self.reflections.iter_mut().enumerate().take(self.order) {
            let cells = &mut cells[match m {
                0..2 => m,
                2..8 => 2,
                _ => 3,
            }];
            *reflection = code_small(coder, cells, *reflection);
        }
        self.size = coder.raw(u32::from(self.size), 6).min(40) as u8;
        self.learns = coder.code(self.learns, 1 << 15);
    }
}

/// A number of -127 to 127, which is rather small.
fn code_small(coder: &mut impl Coder, cells: &mut [Cell; 40], value: i8) -> i8 {
    let size = value.unsigned_abs().min(127);
    let mut found = 0_u8;
    while found < 127 {
        // one cell each for the first, then one for a few
        let cell = usize::from(if found < 16 { found } else { 16 + (found - 16) / 8 });
        if !cells[cell].code(coder, size > found) {
            break;
        }
        found += 1;
    }
    if found == 0 {
        return 0;
    }
    let negative = cells[39].code(coder, value < 0);
    if negative { -(found as i8) } else { found as i8 }
}

#[cfg(test)]
mod tests;
