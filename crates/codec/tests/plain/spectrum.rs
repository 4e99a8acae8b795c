//! Coefficients from decisions, as their description has it.

use super::coder::{Chance, Finder, Mixer, squash};

/// Part of the description.
const PRIORS: &[u8] = include_bytes!("../../src/spectrum/priors.bin");

const NODES: usize = 18;

/// What was learned in a packet.
pub struct Spectrum {
    /// [opinion][context][node]
    chances: Vec<Vec<Vec<Chance>>>,
    /// [set][node]
    mixers: Vec<Vec<Mixer>>,
    tail: Vec<Chance>,
    low: Vec<Chance>,
}

/// The last three sizes and a mean of many in sixteenths.
#[derive(Clone, Copy)]
pub struct Run {
    pub last: [i64; 3],
    pub around: i64,
}

impl Run {
    pub fn new() -> Run {
        Run { last: [0; 3], around: 8 }
    }

    pub fn quiet(&mut self) {
        *self = Run { last: [0; 3], around: (self.around / 4).max(2) };
    }
}

fn log2(x: i64) -> i64 {
    x.ilog2().into()
}

/// Where a size is on the scale of contexts: exact below eight, then four steps an octave.
fn bucket(x: i64) -> usize {
    let place = if x < 8 { x } else { 8 + (log2(x) - 3) * 4 + (x >> (log2(x) - 2)) % 4 };
    place.min(63) as usize
}

fn unbucket(bucket: usize) -> f64 {
    if bucket < 8 {
        return bucket as f64;
    }
    let (octave, quarter) = ((bucket - 8) / 4 + 3, (bucket - 8) % 4);
    2_f64.powi(octave.min(24) as i32) * (1.125 + quarter as f64 / 4.0)
}

/// Four times the mean size at a place and beside it.
pub fn around(values: &[i64], k: usize) -> i64 {
    let at = |k: Option<usize>| k.and_then(|k| values.get(k)).map_or(0, |x| x.abs().min(1 << 20));
    at(k.checked_sub(1)) + 2 * at(Some(k)) + at(Some(k + 1))
}

impl Spectrum {
    /// What is known of samples before anything of them is.
    pub fn of_samples() -> Spectrum {
        Spectrum::from(|opinion: usize, context: usize, node: usize| {
            let mean = match opinion {
                0 => unbucket(context) / 3.0,
                1 => unbucket(context) / 10.0,
                2 => unbucket(context) / 8.0,
                3 => unbucket(context) / 4.0,
                _ => 0.7,
            };
            let mean = (mean * 0.9 + 0.06) * if node < 3 { 1.0 } else { 1.15 };
            Chance::new((mean / (1.0 + mean) * 65_536.0).clamp(600.0, 63_000.0) as i64, 10)
        })
    }

    /// What the kept table knows of coefficients of a kind.
    pub fn trained(kind: usize) -> Spectrum {
        Spectrum::from(|opinion: usize, context: usize, node: usize| {
            let odds = PRIORS[((kind * 6 + opinion) * 64 + context) * NODES + node];
            Chance::new(squash((i64::from(odds) - 128) * 16), 10)
        })
    }

    fn from(chance: impl Fn(usize, usize, usize) -> Chance) -> Spectrum {
        let context = |o: usize, c: usize| (0..NODES).map(|n| chance(o, c, n)).collect();
        Spectrum {
            chances: (0..6).map(|o| (0..64).map(|c| context(o, c)).collect()).collect(),
            mixers: vec![vec![Mixer::new(6); NODES]; 3],
            tail: vec![Chance::new(32_768, 0); 32],
            low: vec![Chance::new(32_768, 0); 32],
        }
    }

    /// The next value: `beside` is what is known of another at its place, or none.
    pub fn value(
        &mut self,
        finder: &mut Finder<'_>,
        run: &mut Run,
        other: bool,
        beside: i64,
        hint: usize,
    ) -> i64 {
        let [a, b, c] = run.last;
        let wide = run.around / 16;
        let shift = if wide > 1 { (log2(wide) - 1).max(0) } else { 0 };
        let near = 4 * a + 2 * b + c + run.around / 8 + if other { beside } else { 0 };
        let contexts = [
            bucket((2 * a + b) >> shift),
            bucket(near >> shift),
            bucket(run.around >> (1 + shift)),
            if other { bucket(beside >> shift) } else { 40 + ((a + b + c) >> shift).min(23) as usize },
            hint * 2 + usize::from(a + b > 0),
            bucket((a + b + c) >> shift).min(15) * 4 + bucket(beside >> shift).min(6) / 2,
        ];
        let set = usize::from(other) + usize::from(shift > 0);
        let mut size = 0;
        while size < NODES as i64 {
            let node = size as usize;
            let rows = self.chances.iter_mut().zip(contexts);
            let mut chances: Vec<&mut Chance> = rows.map(|(row, context)| &mut row[context][node]).collect();
            if !self.mixers[set][node].decide(finder, &mut chances) {
                break;
            }
            size += 1;
        }
        if size == NODES as i64 {
            let mut bits = 0;
            while bits < 24 && self.tail[bits].decide(finder) {
                bits += 1;
            }
            size += (1 << bits) + finder.number(bits as u32) - 1;
        }
        if shift > 0 {
            let top = i64::from(self.low[shift.min(31) as usize].decide(finder));
            let rest = finder.number(shift as u32 - 1);
            size = (size << shift) + (top << (shift - 1)) + rest;
        }
        let negative = size > 0 && finder.decide(32_768);
        let seen = size.min(1 << 20);
        run.around = (run.around * 7 + (seen * 16).max(run.around / 8).min(1 << 24)) / 8;
        run.last = [seen, a, b];
        if negative { -size } else { size }
    }
}
