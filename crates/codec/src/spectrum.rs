//! Codes the quantized coefficients of a block: their sizes by what their neighbours are like, their signs as they are.

use crate::entropy::{Cell, Coder, Mixer, logistic};
use std::ops::Range;
use std::sync::LazyLock;

/// Six opinions about each decision.
const OPINIONS: usize = 6;
/// Contexts of one opinion.
const CONTEXTS: usize = 64;
/// Decisions of one size: whether it is more than 0, 1, 2 …
const NODES: usize = 18;

/// What is told, and so what is expected of it before anything of it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Coefficients of lapped transforms; whether hints tell how loud their bands are, or just which bands they are, and whether the
    /// blocks are short.
    Lapped {
        /// It is told how loud bands are.
        loudness: bool,
        /// Blocks of fewer than 480 frames.
        short: bool,
    },
    /// Octaves of wavelets.
    Octaves,
    /// Samples one after the other.
    Series,
}

/// A model of coefficients. It is begun anew for every block, so that each can be read alone.
#[derive(Clone, Debug)]
pub struct Spectrum {
    cells: Box<Cells>,
    mixers: [[Mixer<OPINIONS>; NODES]; 3],
    tail: [Cell; 32],
    low: [Cell; 32],
}

/// A row of decisions for each context of each opinion.
type Cells = [[[Cell; NODES]; CONTEXTS]; OPINIONS];

/// The sizes before a place.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    a: u32,
    b: u32,
    c: u32,
    /// A mean of many before, in sixteenths.
    around: u32,
}

impl Default for Run {
    fn default() -> Run {
        Run { a: 0, b: 0, c: 0, around: 8 }
    }
}

impl Run {
    /// A band of nothing was passed.
    pub fn quiet(&mut self) {
        *self = Run { around: (self.around / 4).max(2), ..Run::default() };
    }
}

impl Spectrum {
    /// A model that knows only what spectra are like.
    pub fn new() -> Spectrum {
        let (cells, cell) = (Box::new(*Kind::Series.fresh()), Cell::new(1 << 15));
        Spectrum { cells, mixers: [[Mixer::new(); NODES]; 3], tail: [cell; 32], low: [cell; 32] }
    }

    /// Forgets the last block.
    pub fn reset(&mut self, kind: Kind) {
        *self.cells = *kind.fresh();
        self.mixers = [[Mixer::new(); NODES]; 3];
        (self.tail, self.low) = ([Cell::new(1 << 15); 32], [Cell::new(1 << 15); 32]);
    }

    /// Codes `values`, beside those of another channel at the same places where there is one. A decoder writes them.
    pub fn code(&mut self, coder: &mut impl Coder, values: &mut [i32], other: Option<&[i32]>) {
        self.code_series(coder, values, 0, other);
    }

    /// Codes one band of a channel; `hint`, below 32, tells what is known of its loudness, `run` what was before.
    pub fn code_band(
        &mut self,
        coder: &mut impl Coder,
        values: &mut [i32],
        band: Range<usize>,
        other: Option<&[i32]>,
        hint: usize,
        run: &mut Run,
    ) {
        match other {
            Some(other) => self.run(coder, values, band, run, true, hint, |_, k| around(other, k)),
            None => self.run(coder, values, band, run, false, hint, |_, _| 0),
        }
    }

    /// Codes the octave bands of two channels, the coarsest first; of each up to `ends` in 64ths of it. A decoder writes them.
    pub fn code_octaves(
        &mut self,
        coder: &mut impl Coder,
        first: &mut [i32],
        second: &mut [i32],
        ends: [u8; 2],
        levels: u32,
    ) {
        self.reset(Kind::Octaves);
        let coarsest = first.len() >> levels;
        let end = |which: usize| usize::from(ends[which]) * first.len() / 64;
        let (first_end, second_end) = (end(0), end(1));
        // a coefficient is about as large as those at its time one octave below
        let parent = |before: &[i32], k: usize| if k < coarsest { 0 } else { around(before, k / 2) };
        let mut octaves =
            |values: &mut [i32], end: usize, beside: &dyn Fn(&[i32], usize) -> u32, other: bool| {
                let (mut run, mut begin) = (Run::default(), 0);
                for octave in 0..=levels as usize {
                    let stop = (coarsest << octave).min(end);
                    if begin < stop {
                        self.run(coder, values, begin..stop, &mut run, other, octave, beside);
                    }
                    begin = stop;
                }
            };
        octaves(first, first_end, &parent, false);
        let first = &first[..first_end];
        octaves(second, second_end, &|before, k| (around(first, k) + parent(before, k)) / 2, true);
    }

    /// Codes values that follow each other in time and begin with about the size of `begin`, beside those of another channel.
    pub fn code_series(
        &mut self,
        coder: &mut impl Coder,
        values: &mut [i32],
        begin: u32,
        other: Option<&[i32]>,
    ) {
        let mut run = Run { a: begin, b: begin, c: begin, around: (begin * 16).max(8) };
        let all = 0..values.len();
        match other {
            Some(other) => self.run(coder, values, all, &mut run, true, 31, |_, k| around(other, k)),
            None => self.run(coder, values, all, &mut run, false, 31, |_, _| 0),
        }
    }

    /// `beside` tells of what is known already four times about how large a value is.
    #[allow(clippy::too_many_arguments, reason = "all of it is one thing: what is known of the values")]
    fn run(
        &mut self,
        coder: &mut impl Coder,
        values: &mut [i32],
        range: Range<usize>,
        run: &mut Run,
        beside_other: bool,
        hint: usize,
        beside: impl Fn(&[i32], usize) -> u32,
    ) {
        let Run { mut a, mut b, mut c, mut around } = *run;
        for k in range {
            let beside = beside(&values[..k], k);
            // sizes far above one are halved until they are near it, and the lower bits follow
            let shift = (around / 16).checked_ilog2().map_or(0, |log| log.saturating_sub(1));
            let small = |x: u32| x >> shift;
            let contexts = [
                bucket(small(2 * a + b)),
                bucket((4 * a + 2 * b + c + around / 8 + if beside_other { beside } else { 0 }) >> shift),
                bucket(around >> (1 + shift)),
                if beside_other { bucket(small(beside)) } else { 40 + small(a + b + c).min(23) as usize },
                hint * 2 + usize::from(a + b > 0),
                (bucket(small(a + b + c)).min(15) * 4 + bucket(small(beside)).min(6) / 2).min(63),
            ];
            let set = if beside_other { 1 } else { 0 } + if shift > 0 { 1 } else { 0 };
            let size = self.size(coder, values[k].unsigned_abs(), shift, contexts, set);
            let negative = size > 0 && coder.raw(u32::from(values[k] < 0), 1) == 1;
            values[k] = if negative { -(size as i32) } else { size as i32 };
            around = (around * 7 + (size.min(1 << 20) * 16).max(around / 8).min(1 << 24)) / 8;
            (a, b, c) = (size.min(1 << 20), a, b);
        }
        *run = Run { a, b, c, around };
    }

    fn size(
        &mut self,
        coder: &mut impl Coder,
        size: u32,
        shift: u32,
        contexts: [usize; OPINIONS],
        set: usize,
    ) -> u32 {
        let high = size >> shift;
        let mut found = 0;
        let [one, two, three, four, five, six] = &mut *self.cells;
        let row = |context: usize| context % CONTEXTS;
        let mut rows = [
            &mut one[row(contexts[0])],
            &mut two[row(contexts[1])],
            &mut three[row(contexts[2])],
            &mut four[row(contexts[3])],
            &mut five[row(contexts[4])],
            &mut six[row(contexts[5])],
        ];
        for (node, mixer) in self.mixers[set % 3].iter_mut().enumerate() {
            if !mixer.code_rows(coder, &mut rows, node, high > found) {
                break;
            }
            found += 1;
        }
        if found == NODES as u32 {
            found += self.golomb(coder, high.saturating_sub(NODES as u32));
        }
        if shift == 0 {
            return found;
        }
        let top = self.low[shift.min(31) as usize].code(coder, size >> (shift - 1) & 1 == 1);
        let rest = coder.raw(size, shift - 1);
        found << shift | u32::from(top) << (shift - 1) | rest
    }

    /// What is beyond all decisions: how many bits it has, and then those.
    fn golomb(&mut self, coder: &mut impl Coder, value: u32) -> u32 {
        let value = value.min((1 << 24) - 2) + 1;
        let mut bits = 0;
        while bits < 24 && self.tail[bits as usize].code(coder, value.ilog2() > bits) {
            bits += 1;
        }
        (1 << bits | coder.raw(value, bits)) - 1
    }
}

impl Default for Spectrum {
    fn default() -> Spectrum {
        Spectrum::new()
    }
}

impl Kind {
    /// Cells that have met nothing of a block.
    fn fresh(self) -> &'static Cells {
        static FRESH: LazyLock<[Box<Cells>; 6]> = LazyLock::new(|| {
            let trained = PRIORS.as_chunks::<{ OPINIONS * CONTEXTS * NODES }>().0;
            std::array::from_fn(|kind| trained.get(kind).map_or_else(series, beginning))
        });
        &FRESH[match self {
            Kind::Lapped { loudness, short } => 2 * usize::from(loudness) + usize::from(short),
            Kind::Octaves => 4,
            Kind::Series => 5,
        }]
    }
}

/// What each decision was in other sounds, for each kind but the last: the logarithm of its odds in sixteenths, from -128 on.
static PRIORS: &[u8; 5 * OPINIONS * CONTEXTS * NODES] = include_bytes!("spectrum/priors.bin");

fn beginning(priors: &[u8; OPINIONS * CONTEXTS * NODES]) -> Box<Cells> {
    let mut fresh = Box::new([[[Cell::new(1 << 15); NODES]; CONTEXTS]; OPINIONS]);
    let cells = fresh.as_flattened_mut().as_flattened_mut();
    for (cell, prior) in cells.iter_mut().zip(priors) {
        *cell = Cell::known(logistic(16 * (i32::from(*prior) - 128)), 10);
    }
    fresh
}

/// Of samples nothing was counted: neighbours are followed by sizes of a geometric distribution with about their mean.
fn series() -> Box<Cells> {
    let mut fresh = Box::new([[[Cell::new(1 << 15); NODES]; CONTEXTS]; OPINIONS]);
    for (opinion, contexts) in fresh.iter_mut().enumerate() {
        for (context, nodes) in contexts.iter_mut().enumerate() {
            let mean = match opinion {
                0 => unbucket(context as u32) / 3.0,
                1 => unbucket(context as u32) / 10.0,
                2 => unbucket(context as u32) / 8.0,
                3 => unbucket(context as u32) / 4.0,
                _ => 0.7,
            };
            let mean = mean * 0.9 + 0.06;
            for (node, cell) in nodes.iter_mut().enumerate() {
                let scale = if node < 3 { 1.0 } else { 1.15 };
                let more = mean * scale / (1.0 + mean * scale);
                *cell = Cell::known((more * 65_536.0).clamp(600.0, 63_000.0) as u16, 10);
            }
        }
    }
    fresh
}

/// Four times the mean size about a place.
fn around(values: &[i32], k: usize) -> u32 {
    let at = |k: usize| values.get(k).map_or(0, |x| x.unsigned_abs().min(1 << 20));
    at(k.wrapping_sub(1)) + 2 * at(k) + at(k + 1)
}

/// Sizes on a scale that grows coarser: four steps an octave from 8 on.
fn bucket(x: u32) -> usize {
    if x < 8 {
        return x as usize;
    }
    let octave = x.ilog2();
    let quarter = x >> (octave - 2) & 3;
    (8 + (octave - 3) * 4 + quarter).min(63) as usize
}

/// About what the sizes in a bucket are.
fn unbucket(bucket: u32) -> f64 {
    if bucket < 8 {
        return f64::from(bucket);
    }
    let (octave, quarter) = ((bucket - 8) / 4 + 3, (bucket - 8) % 4);
    f64::from(1 << octave.min(24)) * (1.0 + f64::from(quarter) / 4.0 + 0.125)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Decoder, Encoder};

    #[test]
    fn coefficients_of_any_size_come_back() {
        for scale in [0, 1, 30, 5_000, 3_000_000] {
            let mut state = 5_u32;
            let mut value = |k: usize| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as i32 % (scale + 1) - scale / 2) / (1 + k as i32 / 16)
            };
            let mid: Vec<i32> = (0..500).map(&mut value).collect();
            let side: Vec<i32> = (0..500).map(&mut value).collect();
            let (mut bytes, mut spectrum) = (Vec::new(), Spectrum::new());
            let mut encoder = Encoder::new(&mut bytes);
            spectrum.code(&mut encoder, &mut mid.clone(), None);
            spectrum.code(&mut encoder, &mut side.clone(), Some(&mid));
            encoder.finish();
            spectrum.reset(Kind::Series);
            let (mut first, mut second) = (vec![0; 500], vec![0; 500]);
            let mut decoder = Decoder::new(&bytes);
            spectrum.code(&mut decoder, &mut first, None);
            spectrum.code(&mut decoder, &mut second, Some(&first));
            assert!(first == mid && second == side, "{scale}");
            // garbage reads as something, and ends
            spectrum.code(&mut Decoder::new(&[0xff; 40]), &mut first, None);
        }
    }
}
