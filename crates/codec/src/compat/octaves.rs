//! Octave bands of a signal that does not end, block by block.
//!
//! The coefficients are those that [`Dwt`](super::Dwt) finds between a block's neighbours' edges: as long as these reach as far as
//! the filters do, a transform of the endless signal has the same there. Nothing is computed twice: each level goes on
//! where it stopped, as far as what has come allows, and what is found early waits for its block.

use super::filters::Wavelet;

/// The coefficients of the block before the one that came last.
#[derive(Clone, Debug)]
pub struct Analysis {
    taps: Taps,
    frames: usize,
    levels: Vec<Level>,
    room: Room,
}

/// The samples of the block before the one whose coefficients came last.
#[derive(Clone, Debug)]
pub struct Synthesis {
    taps: Taps,
    frames: usize,
    /// The coarsest first.
    levels: Vec<Level>,
    room: Room,
    /// Samples that came early.
    early: Vec<f64>,
}

/// One level: what it remembers of the last block.
#[derive(Clone, Debug)]
struct Level {
    /// Coefficients of each of its bands in a block.
    width: usize,
    /// The end of its input: in analysis signal, in synthesis approximation.
    input: Vec<f64>,
    /// Details that wait: in analysis for their block, in synthesis for the approximation; there followed by those in use.
    details: Vec<f64>,
    /// In analysis of the coarsest level, approximations that wait likewise.
    approximations: Vec<f64>,
}

#[derive(Clone, Debug, Default)]
struct Room {
    even: Vec<f64>,
    odd: Vec<f64>,
    found: Vec<f64>,
    signal: Vec<f64>,
}

/// Filters in the order in which they meet ascending samples.
#[derive(Clone, Debug)]
struct Taps {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Taps {
    fn new(wavelet: Wavelet) -> Taps {
        let low = wavelet.taps().to_vec();
        let sign = |i: usize| if i % 2 == 1 { 1.0 } else { -1.0 };
        let high = (0..low.len()).rev().map(|j| sign(j) * low[j]).collect();
        Taps { low, high }
    }

    fn half(&self) -> usize {
        self.low.len() / 2
    }
}

impl Analysis {
    /// For blocks of `frames`, a multiple of 2^`levels` and no shorter than the filters at the coarsest level.
    pub fn new(wavelet: Wavelet, levels: u32, frames: usize) -> Analysis {
        let taps = Taps::new(wavelet);
        let mut late = 0;
        let mut level = |number: u32| {
            // the k-th coefficient of a level needs its input up to 2k + half
            let before = late;
            late = (late + taps.half()) / 2;
            let width = frames >> number;
            let history = 2 * late + taps.half() - 1 - before;
            let waits = if number == levels { width - late } else { 0 };
            Level {
                width,
                input: vec![0.0; history],
                details: vec![0.0; width - late],
                approximations: vec![0.0; waits],
            }
        };
        let levels = (1..=levels).map(&mut level).collect();
        Analysis { taps, frames, levels, room: Room::default() }
    }

    /// Takes the next block; writes the bands of the one before it, the coarsest first.
    pub fn push(&mut self, block: &[f64], bands: &mut [f64]) {
        let room = &mut self.room;
        room.signal.clear();
        room.signal.extend_from_slice(block);
        let last = self.levels.len();
        for (number, level) in self.levels.iter_mut().enumerate() {
            let (width, history) = (level.width, level.input.len());
            level.input.extend_from_slice(&room.signal);
            room.even.clear();
            room.odd.clear();
            let (pairs, rest) = level.input.as_chunks::<2>();
            room.even.extend(pairs.iter().map(|pair| pair[0]));
            room.odd.extend(pairs.iter().map(|pair| pair[1]));
            room.even.extend(rest);
            room.signal.resize(width, 0.0);
            room.found.resize(width, 0.0);
            with_half(
                self.taps.half(),
                Split {
                    even: &room.even,
                    odd: &room.odd,
                    low: &self.taps.low,
                    high: &self.taps.high,
                    approximation: &mut room.signal,
                    detail: &mut room.found,
                },
            );
            let end = level.input.len();
            level.input.copy_within(end - history.., 0);
            level.input.truncate(history);
            queue(&mut level.details, &room.found, &mut bands[width..2 * width]);
            if number + 1 == last {
                queue(&mut level.approximations, &room.signal, &mut bands[..width]);
            }
        }
        if last == 0 {
            bands.copy_from_slice(&room.signal);
        }
        debug_assert_eq!(bands.len(), self.frames);
    }
}

impl Synthesis {
    /// For blocks of `frames`, as [`Analysis::new`] has them.
    pub fn new(wavelet: Wavelet, levels: u32, frames: usize) -> Synthesis {
        let taps = Taps::new(wavelet);
        let mut late = 0;
        let mut level = |number: u32| {
            let waits = late;
            late = 2 * late + taps.half() - 1;
            let before = taps.half() - 1;
            Level {
                width: frames >> number,
                input: vec![0.0; before],
                details: vec![0.0; before + waits],
                approximations: Vec::new(),
            }
        };
        let levels = (1..=levels).rev().map(&mut level).collect();
        Synthesis { taps, frames, levels, room: Room::default(), early: vec![0.0; frames - late] }
    }

    /// Takes the bands of the next block; writes the samples of the one before it.
    pub fn push(&mut self, bands: &[f64], block: &mut [f64]) {
        let room = &mut self.room;
        let coarsest = self.frames >> self.levels.len();
        room.signal.clear();
        room.signal.extend_from_slice(&bands[..coarsest]);
        for level in &mut self.levels {
            let (width, before) = (level.width, level.input.len());
            level.input.extend_from_slice(&room.signal);
            level.details.extend_from_slice(&bands[width..2 * width]);
            room.signal.resize(2 * width, 0.0);
            with_half(
                self.taps.half(),
                Merge {
                    approximation: &level.input,
                    detail: &level.details,
                    low: &self.taps.low,
                    high: &self.taps.high,
                    signal: &mut room.signal,
                },
            );
            level.input.copy_within(width.., 0);
            level.input.truncate(before);
            let kept = level.details.len() - width;
            level.details.copy_within(width.., 0);
            level.details.truncate(kept);
        }
        queue(&mut self.early, &room.signal, block);
    }
}

/// Appends what was found to what waits, and takes as much from its beginning.
fn queue(waits: &mut Vec<f64>, found: &[f64], out: &mut [f64]) {
    let kept = waits.len();
    let (first, second) = out.split_at_mut(kept);
    first.copy_from_slice(waits);
    let (now, later) = found.split_at(second.len());
    second.copy_from_slice(now);
    waits.clear();
    waits.extend_from_slice(later);
}

/// What is done for filters of twice `HALF` taps.
trait Filter {
    fn run<const HALF: usize>(self);
}

fn with_half(half: usize, filter: impl Filter) {
    match half {
        1 => filter.run::<1>(),
        2 => filter.run::<2>(),
        3 => filter.run::<3>(),
        4 => filter.run::<4>(),
        5 => filter.run::<5>(),
        6 => filter.run::<6>(),
        7 => filter.run::<7>(),
        8 => filter.run::<8>(),
        9 => filter.run::<9>(),
        _ => filter.run::<10>(),
    }
}

/// Coefficients at once, for the processor's wide registers.
const LANES: usize = 4;

struct Split<'a> {
    even: &'a [f64],
    odd: &'a [f64],
    low: &'a [f64],
    high: &'a [f64],
    approximation: &'a mut [f64],
    detail: &'a mut [f64],
}

impl Split<'_> {
    fn some<const HALF: usize, const N: usize>(&mut self, from: usize) {
        let (low, high) = (&self.low[..2 * HALF], &self.high[..2 * HALF]);
        let (even, odd) = (&self.even[from..][..N + HALF - 1], &self.odd[from..][..N + HALF - 1]);
        let (mut lows, mut highs) = ([0.0; N], [0.0; N]);
        for i in 0..HALF {
            for lane in 0..N {
                lows[lane] += even[lane + i] * low[2 * i];
                highs[lane] += even[lane + i] * high[2 * i];
            }
            for lane in 0..N {
                lows[lane] += odd[lane + i] * low[2 * i + 1];
                highs[lane] += odd[lane + i] * high[2 * i + 1];
            }
        }
        self.approximation[from..from + N].copy_from_slice(&lows);
        self.detail[from..from + N].copy_from_slice(&highs);
    }
}

impl Filter for Split<'_> {
    fn run<const HALF: usize>(mut self) {
        let whole = self.detail.len() / LANES * LANES;
        (0..whole).step_by(LANES).for_each(|from| self.some::<HALF, LANES>(from));
        (whole..self.detail.len()).for_each(|from| self.some::<HALF, 1>(from));
    }
}

struct Merge<'a> {
    approximation: &'a [f64],
    detail: &'a [f64],
    low: &'a [f64],
    high: &'a [f64],
    signal: &'a mut [f64],
}

impl Merge<'_> {
    fn some<const HALF: usize, const N: usize>(&mut self, from: usize) {
        let (low, high) = (&self.low[..2 * HALF], &self.high[..2 * HALF]);
        let (a, d) = (&self.approximation[from..][..N + HALF - 1], &self.detail[from..][..N + HALF - 1]);
        let (mut firsts, mut seconds) = ([0.0; N], [0.0; N]);
        for i in 0..HALF {
            let tap = 2 * (HALF - 1 - i);
            for lane in 0..N {
                firsts[lane] += a[lane + i] * low[tap] + d[lane + i] * high[tap];
                seconds[lane] += a[lane + i] * low[tap + 1] + d[lane + i] * high[tap + 1];
            }
        }
        let out = self.signal[2 * from..2 * (from + N)].as_chunks_mut::<2>().0;
        for ((out, first), second) in out.iter_mut().zip(firsts).zip(seconds) {
            *out = [first, second];
        }
    }
}

impl Filter for Merge<'_> {
    fn run<const HALF: usize>(mut self) {
        let width = self.signal.len() / 2;
        let whole = width / LANES * LANES;
        (0..whole).step_by(LANES).for_each(|from| self.some::<HALF, LANES>(from));
        (whole..width).for_each(|from| self.some::<HALF, 1>(from));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dwt, Transform, TransformKind};
    use super::*;

    /// Beside the transform of each block between its neighbours' edges, in both directions.
    #[test]
    fn the_endless_transform_finds_what_one_between_edges_finds() {
        for (moments, levels, frames) in [(5, 6, 1_024), (1, 3, 8 << 3), (10, 2, 80), (7, 4, 240), (2, 1, 12)]
        {
            let wavelet = Wavelet::db(moments).unwrap();
            let transform = || {
                let overlap = wavelet.taps().len() << levels;
                Transform::edged(TransformKind::Dwt(Dwt::new(wavelet, levels)), frames, levels, overlap)
            };
            let (mut there, mut back) = (transform(), transform());
            let mut analysis = Analysis::new(wavelet, levels, frames);
            let mut synthesis = Synthesis::new(wavelet, levels, frames);
            let (mut bands, mut ours) = (vec![0.0; frames], vec![0.0; frames]);
            let (mut heard, mut ours_heard) = (vec![0.0; frames], vec![0.0; frames]);
            for block in 0..6_usize {
                let signal: Vec<f64> = (0..frames)
                    .map(|n| (((n + block * frames).pow(2) * 79) % 1_000) as f64 - 500.0)
                    .collect();
                there.analyze(&signal, &mut bands);
                analysis.push(&signal, &mut ours);
                let far =
                    |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far(&bands, &ours) < 1e-8, "db{moments}, block {block}: {}", far(&bands, &ours));
                back.synthesize(&bands, &mut heard);
                synthesis.push(&bands, &mut ours_heard);
                assert!(far(&heard, &ours_heard) < 1e-8, "db{moments}, block {block}");
            }
        }
    }
}
