//! Codes the quantized coefficients of a block: their sizes by what their neighbours are like, their signs as they are.

use crate::entropy::{Cell, Coder, Mixer};

/// Six opinions about each decision.
const OPINIONS: usize = 6;
/// Contexts of one opinion.
const CONTEXTS: usize = 64;
/// Decisions of one size: whether it is more than 0, 1, 2 …
const NODES: usize = 18;

/// A model of coefficients. It is begun anew for every block, so that each can be read alone.
#[derive(Clone, Debug)]
pub struct Spectrum {
    fresh: Vec<Cell>,
    cells: Vec<Cell>,
    mixers: [Mixer<OPINIONS>; 3 * NODES],
    tail: [Cell; 32],
    low: [Cell; 32],
}

impl Spectrum {
    /// A model that knows only what spectra are like.
    pub fn new() -> Spectrum {
        let mut fresh = Vec::with_capacity(OPINIONS * CONTEXTS * NODES);
        for opinion in 0..OPINIONS {
            for context in 0..CONTEXTS {
                // neighbours of this size are followed by coefficients of a geometric distribution with about that mean
                let mean = match opinion {
                    0 => unbucket(context as u32) / 3.0,
                    1 => f64::from((context / 8 + context % 8) as u32) / 2.0,
                    2 => unbucket(context as u32) / 8.0,
                    3 => unbucket(context as u32) / 4.0,
                    _ => 0.7,
                };
                let mean = mean * 0.9 + 0.06;
                for node in 0..NODES {
                    let scale = if node < 3 { 1.0 } else { 1.15 };
                    let more = mean * scale / (1.0 + mean * scale);
                    fresh.push(Cell::new((more * 65_536.0).clamp(600.0, 63_000.0) as u16));
                }
            }
        }
        let cells = fresh.clone();
        let cell = Cell::new(1 << 15);
        Spectrum { fresh, cells, mixers: [Mixer::new(); 3 * NODES], tail: [cell; 32], low: [cell; 32] }
    }

    /// Forgets the last block.
    pub fn reset(&mut self) {
        self.cells.copy_from_slice(&self.fresh);
        self.mixers = [Mixer::new(); 3 * NODES];
        (self.tail, self.low) = ([Cell::new(1 << 15); 32], [Cell::new(1 << 15); 32]);
    }

    /// Codes `values`, beside those of another channel at the same places where there is one. A decoder writes them.
    pub fn code(&mut self, coder: &mut impl Coder, values: &mut [i32], other: Option<&[i32]>) {
        match other {
            Some(other) => self.run(coder, values, 0, true, |_, k| around(other, k)),
            None => self.run(coder, values, 0, false, |_, _| 0),
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
        self.reset();
        let coarsest = first.len() >> levels;
        let end = |which: usize| usize::from(ends[which]) * first.len() / 64;
        let (first_end, second_end) = (end(0), end(1));
        // a coefficient is about as large as those at its time one octave below
        let parent = |before: &[i32], k: usize| if k < coarsest { 0 } else { around(before, k / 2) };
        self.run(coder, &mut first[..first_end], 0, false, |before, k| parent(before, k));
        let first = &first[..first_end];
        self.run(coder, &mut second[..second_end], 0, true, |before, k| {
            (around(first, k) + parent(before, k)) / 2
        });
    }

    /// Codes values that follow each other in time and begin with about the size of `begin`, beside those of another channel.
    pub fn code_series(
        &mut self,
        coder: &mut impl Coder,
        values: &mut [i32],
        begin: u32,
        other: Option<&[i32]>,
    ) {
        match other {
            Some(other) => self.run(coder, values, begin, true, |_, k| around(other, k)),
            None => self.run(coder, values, begin, false, |_, _| 0),
        }
    }

    /// `beside` tells of what is known already four times about how large a value is.
    fn run(
        &mut self,
        coder: &mut impl Coder,
        values: &mut [i32],
        begin: u32,
        beside_other: bool,
        beside: impl Fn(&[i32], usize) -> u32,
    ) {
        let (mut a, mut b, mut c) = (begin, begin, begin);
        let mut around = (begin * 16).max(8); // a mean of many before, in sixteenths
        for k in 0..values.len() {
            let beside = beside(&values[..k], k);
            // sizes far above one are halved until they are near it, and the lower bits follow
            let shift = (around / 16).checked_ilog2().map_or(0, |log| log.saturating_sub(1));
            let small = |x: u32| x >> shift;
            let place = bucket(k as u32 + 1);
            let contexts = [
                bucket(small(2 * a + b)),
                small(a).min(7) as usize * 8 + small(b).min(7) as usize,
                bucket(around >> (1 + shift)),
                if beside_other { bucket(small(beside)) } else { 40 + small(a + b + c).min(23) as usize },
                place.min(31) * 2 + usize::from(a + b > 0),
                (bucket(small(a + b + c)).min(15) * 4 + bucket(small(beside)).min(6) / 2).min(63),
            ];
            let set = if beside_other { 1 } else { 0 } + if shift > 0 { 1 } else { 0 };
            let size = self.size(coder, values[k].unsigned_abs(), shift, contexts, set);
            let negative = size > 0 && coder.raw(u32::from(values[k] < 0), 1) == 1;
            values[k] = if negative { -(size as i32) } else { size as i32 };
            around = (around * 7 + (size.min(1 << 20) * 16).max(around / 8).min(1 << 24)) / 8;
            (a, b, c) = (size.min(1 << 20), a, b);
        }
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
        while found < NODES as u32 {
            let node = found as usize;
            let mut places = [0; OPINIONS];
            for (opinion, (place, context)) in places.iter_mut().zip(contexts).enumerate() {
                *place = (opinion * CONTEXTS + context) * NODES + node;
            }
            if !self.mixers[set * NODES + node].code(coder, &mut self.cells, places, high > found) {
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
            spectrum.reset();
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
