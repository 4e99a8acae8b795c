//! Packets of the lossless codec to samples.

use super::coder::{Chance, Finder};
use super::spectrum::{Run, Spectrum, around};

/// What is told of a signal before its residues.
struct Told {
    reflections: Vec<i64>,
    size: i64,
    learns: bool,
}

/// Left and right.
pub fn decode(packet: &[u8], frames: usize) -> [Vec<i64>; 2] {
    let mut finder = Finder::new(packet);
    if finder.decide(2_048) {
        return [vec![0; frames], vec![0; frames]];
    }
    let (dropped, pair) = (finder.number(4), finder.number(2));
    let mut spectrum = Spectrum::of_samples();
    let (mut residues, mut signals) = (vec![], vec![]);
    for channel in 0..2 {
        let told = Told::find(&mut finder);
        let begin = (1_i64 << (told.size / 2)) * if told.size % 2 == 1 { 3 } else { 2 } / 2 - 1;
        let mut run = Run { last: [begin; 3], around: (16 * begin).max(8) };
        let other: Option<Vec<i64>> = residues.first().cloned();
        let mine: Vec<i64> = (0..frames)
            .map(|k| {
                let beside = other.as_ref().map_or(0, |other| around(other, k));
                spectrum.value(&mut finder, &mut run, channel == 1, beside, 31)
            })
            .collect();
        signals.push(told.signal(&mine, other.as_deref()));
        residues.push(mine);
    }
    let middle = if dropped > 0 { 1 << (dropped - 1) } else { 0 };
    let whole = |x: i64| (x << dropped) + middle;
    let frames = signals[0].iter().zip(&signals[1]).map(|(a, b)| match pair {
        0 => (*a, *b),    // left and right
        1 => (*a, a - b), // left and left less right
        2 => (a + b, *b), // left less right, and right
        _ => {
            // half of the sum, cut, whose lost bit is the difference's
            let sum = 2 * a + b.rem_euclid(2);
            ((sum + b) / 2, (sum - b) / 2)
        }
    });
    let (left, right): (Vec<i64>, Vec<i64>) = frames.map(|(left, right)| (whole(left), whole(right))).unzip();
    [left, right]
}

impl Told {
    fn find(finder: &mut Finder<'_>) -> Told {
        let order = finder.number(6) as usize;
        let mut chances = vec![vec![Chance::new(32_768, 0); 40]; 4];
        let mut reflections = Vec::new();
        for place in 0..order {
            let chances = &mut chances[if place < 2 {
                place
            } else if place < 8 {
                2
            } else {
                3
            }];
            let mut size = 0;
            while size < 127 && chances[if size < 16 { size } else { 16 + (size - 16) / 8 }].decide(finder) {
                size += 1;
            }
            let negative = size > 0 && chances[39].decide(finder);
            reflections.push(if negative { -(size as i64) } else { size as i64 });
        }
        let size = finder.number(6).min(40);
        Told { reflections, size, learns: finder.decide(32_768) }
    }

    /// Predictors of all orders, 20 bits behind the point.
    fn predictors(&self) -> Vec<Vec<i64>> {
        let mut predictors: Vec<Vec<i64>> = vec![vec![]];
        for (place, code) in self.reflections.iter().enumerate() {
            let levels = if place < 2 {
                128
            } else if place < 8 {
                64
            } else {
                32
            };
            let short = levels - code.abs().min(levels - 1);
            let size = (1 << 20) - (short * short * (1 << 20)) / (levels * levels);
            let reflection = if *code < 0 { -size } else { size };
            let before = &predictors[place];
            let step = |i: usize| {
                let turned = (before[place - 1 - i] * reflection).div_euclid(1 << 20);
                (before[i] + turned).clamp(-(1 << 38), 1 << 38)
            };
            let mut next: Vec<i64> = (0..place).map(step).collect();
            next.push(reflection);
            predictors.push(next);
        }
        predictors
    }

    fn signal(&self, residues: &[i64], other: Option<&[i64]>) -> Vec<i64> {
        let predictors = self.predictors();
        let (mut weights, mut signal, mut lefts) = ([0_i64; 32], Vec::<i64>::new(), Vec::<i64>::new());
        for (n, residue) in residues.iter().enumerate() {
            let order = self.reflections.len().min(n);
            let sum: i64 = (0..order).map(|i| predictors[order][i] * signal[n - 1 - i]).sum();
            let guess = (-sum + (1 << 19)).div_euclid(1 << 20).clamp(-(1 << 18), 1 << 18);
            let mut left = *residue;
            if self.learns {
                // sixteen that were left before, and sixteen of the other channel about this place
                let input = |i: usize| match (i, other) {
                    (0..16, _) => n.checked_sub(i + 1).map_or(0, |at| lefts[at]),
                    (_, Some(other)) => {
                        let at = (n + i - 16).checked_sub(8).and_then(|at| other.get(at));
                        at.map_or(0, |x| (*x).clamp(-(1 << 18), 1 << 18))
                    }
                    _ => 0,
                };
                let inputs: [i64; 32] = std::array::from_fn(input);
                let sum: i64 = inputs.iter().zip(&weights).map(|(x, w)| x * w).sum();
                let more = (sum + (1 << 19)).div_euclid(1 << 20).clamp(-(1 << 18), 1 << 18);
                left += more;
                let truth = left.clamp(-(1 << 18), 1 << 18);
                let power: i64 = inputs.iter().map(|x| x * x).sum::<i64>() + 64;
                let gain = (truth - more) * (1 << 24) / power;
                for (weight, x) in weights.iter_mut().zip(inputs) {
                    *weight = (*weight + (gain * x).div_euclid(2_048)).clamp(-(8 << 20), 8 << 20);
                }
                lefts.push(truth);
            }
            signal.push((left + guess).clamp(-(1 << 18), 1 << 18));
        }
        signal
    }
}
