//! The native codec's packets to sound, in 64-bit floats and by the definition of the lapped transform.

use super::coder::{Chance, Finder};
use super::spectrum::{Run, Spectrum, around};
use std::f64::consts::PI;

const EDGES: [f64; 22] = [
    0.0, 100.0, 200.0, 300.0, 400.0, 510.0, 630.0, 770.0, 920.0, 1_080.0, 1_270.0, 1_480.0, 1_850.0, 2_320.0,
    3_000.0, 3_850.0, 4_900.0, 6_400.0, 8_500.0, 11_000.0, 15_500.0, 22_050.0,
];

/// What is remembered from packet to packet.
pub struct Decoder {
    frames: usize,
    /// Of each channel what the last packet began.
    begun: [Vec<f64>; 2],
    noise: u32,
    /// The integers of the last packet.
    pub integers: [Vec<i64>; 2],
}

/// What is told before coefficients.
struct Head {
    code: i64,
    short: [bool; 2],
    split: bool,
    quieter: Vec<i64>,
    angles: [i64; 4],
    shaped: bool,
    filling: usize,
    louds: [Vec<i64>; 2],
}

impl Decoder {
    pub fn new(frames: usize) -> Decoder {
        let zeros = || [vec![0.0; 2 * frames], vec![0.0; 2 * frames]];
        Decoder { frames, begun: zeros(), noise: 1, integers: [Vec::new(), Vec::new()] }
    }

    fn edges(&self) -> Vec<usize> {
        let every = if self.frames < 480 { 3 } else { 1 };
        let edge = |hertz: &f64| (hertz / 22_050.0 * self.frames as f64).round() as usize;
        let mut edges: Vec<usize> = EDGES.iter().step_by(every).map(edge).chain([self.frames]).collect();
        edges.dedup();
        edges
    }

    /// The block before the packet's, as it comes out of the arithmetic.
    pub fn decode(&mut self, packet: &[u8]) -> [Vec<f64>; 2] {
        let (n, edges) = (self.frames, self.edges());
        let mut finder = Finder::new(packet);
        let head = Head::find(&mut finder, edges.len() - 1, n % 16 == 0);
        self.integers = coefficients(&mut finder, &head, &edges, n);
        let mut bins = [0, 1].map(|channel| self.amplitudes(channel, &head, &edges));
        for edge in edges.windows(2) {
            let hertz = (edge[0] as f64 + 0.5) * 22_050.0 / n as f64;
            let range = [630.0, 1_850.0, 4_900.0].iter().filter(|end| hertz >= **end).count();
            let (sin, cos) = (head.angles[range] as f64 * PI / 64.0).sin_cos();
            for k in edge[0]..edge[1] {
                let (a, b) = (bins[0][k], bins[1][k]);
                (bins[0][k], bins[1][k]) = (cos * a - sin * b, sin * a + cos * b);
            }
        }
        [0, 1].map(|channel| self.sound(channel, &bins[channel], &head))
    }

    /// Coefficients of a channel, with noise where nothing was told.
    fn amplitudes(&mut self, channel: usize, head: &Head, edges: &[usize]) -> Vec<f64> {
        let mut bins = Vec::new();
        for (band, edge) in edges.windows(2).enumerate() {
            let loud = if head.shaped { head.louds[channel][band] } else { 0 };
            let step = head.step(loud);
            let told = &self.integers[channel][edge[0]..edge[1]];
            let told_bins = told.iter().map(|k| k.signum() as f64 * (k.abs() as f64 + 0.03) * step);
            let there: f64 = told_bins.clone().map(|x| x * x).sum();
            let nothing = told.iter().filter(|k| **k == 0).count();
            let power = 2_f64.powi(loud as i32 - 1) * told.len() as f64;
            let level = ((power - there).max(0.0) / nothing.max(1) as f64).sqrt().min(0.45 * step)
                * 1.732
                * [1.0, 0.6, 0.3, 0.0][head.filling];
            for x in told_bins {
                let fill = x == 0.0 && loud > 0;
                if fill {
                    self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                }
                let noise = f64::from(self.noise >> 8) / f64::from(1 << 23) - 1.0;
                bins.push(if fill { level * noise } else { x });
            }
        }
        bins
    }

    /// The parts of a block, each by the sum that defines it, under windows that overlap by a block or an eighth.
    fn sound(&mut self, channel: usize, bins: &[f64], head: &Head) -> Vec<f64> {
        let n = self.frames;
        let parts: &[usize] = match (head.split, head.short) {
            (true, [true, true]) => &[1; 8],
            (true, [false, true]) => &[5, 1, 1, 1],
            (true, [true, false]) => &[1, 1, 1, 5],
            _ => &[8],
        };
        // coefficients come by the middle of their bands, and at the same one by time
        let mut order = Vec::new();
        for (part, eighths) in parts.iter().enumerate() {
            let size = eighths * n / 8;
            order.extend((0..size).map(|k| ((2 * k + 1) * 40 / eighths, part, k)));
        }
        order.sort();
        let mut of_parts: Vec<Vec<f64>> = parts.iter().map(|eighths| vec![0.0; eighths * n / 8]).collect();
        for (x, (_, part, k)) in bins.iter().zip(order) {
            let quieter = if head.split { head.quieter[part] as f64 } else { 0.0 };
            of_parts[part][k] = x * (-0.5 * quieter).exp2();
        }
        let mut at = n / 2;
        let stretch = &mut self.begun[channel];
        for (part, coefficients) in of_parts.iter().enumerate() {
            let size = coefficients.len();
            let overlap = |short: bool| if short { (n / 8).max(2) } else { n };
            let before = overlap(part > 0 || head.short[0]);
            let after = overlap(part + 1 < parts.len() || head.short[1]);
            for t in at - before / 2..at + size + after / 2 {
                let rise = (t + before / 2 - at) as f64 + 0.5;
                let fall = (at + size + after / 2 - t) as f64 - 0.5;
                let slope = |x: f64, overlap: usize| (PI / 2.0 * (x / overlap as f64).min(1.0)).sin();
                let phase = PI / size as f64 * (t as f64 - at as f64 + size as f64 + 0.5);
                let sum: f64 =
                    coefficients.iter().enumerate().map(|(k, x)| x * (phase * (k as f64 + 0.5)).cos()).sum();
                stretch[t] += slope(rise, before) * slope(fall, after) * (2.0 / size as f64).sqrt() * sum;
            }
            at += size;
        }
        let out = stretch[..n].to_vec();
        stretch.copy_within(n.., 0);
        stretch[n..].fill(0.0);
        out
    }
}

/// The integers of both channels.
fn coefficients(finder: &mut Finder<'_>, head: &Head, edges: &[usize], frames: usize) -> [Vec<i64>; 2] {
    let mut spectrum = Spectrum::trained(2 * usize::from(head.shaped) + usize::from(frames < 480));
    let mut any = vec![Chance::new(32_768, 0); 48];
    let mut found: [Vec<i64>; 2] = [Vec::new(), Vec::new()];
    for channel in 0..2 {
        let (mut run, mut before) = (Run::new(), true);
        for (band, edge) in edges.windows(2).enumerate() {
            let hint = if head.shaped { head.hint(head.louds[channel][band]) } else { band.min(31) };
            let context = if head.shaped { hint.min(10) } else { 11 };
            before = any[2 * context + usize::from(before)].decide(finder);
            for k in edge[0]..edge[1] {
                let beside = if channel == 1 { around(&found[0], k) } else { 0 };
                let value =
                    if before { spectrum.value(finder, &mut run, channel == 1, beside, hint) } else { 0 };
                found[channel].push(value);
            }
            if !before {
                run.quiet();
            }
        }
    }
    assert!(found.iter().all(|found| found.len() == frames));
    found
}

impl Head {
    fn find(finder: &mut Finder<'_>, bands: usize, divides: bool) -> Head {
        let code = finder.number(8);
        let told = divides && finder.decide(3_000);
        let mut flag = |told: bool| told && finder.decide(32_768);
        let (short, split) = ([flag(told), flag(told)], flag(told));
        let parts = match (split, short) {
            (true, [true, true]) => 8,
            (true, [false, false]) | (false, _) => usize::from(split),
            _ => 4,
        };
        let quieter = (0..parts).map(|_| finder.number(4)).collect();
        let mut angles = [finder.number(6); 4];
        if finder.decide(20_000) {
            (1..4).for_each(|range| angles[range] = finder.number(6));
        }
        let shaped = finder.decide(40_000);
        let filling = if shaped { finder.number(2) as usize } else { 0 };
        let mut louds = [vec![], vec![]];
        if shaped {
            let mut chances = vec![vec![Chance::new(32_768, 0); 18]; 3];
            let (mut below, mut apart) = (12, 4);
            for _ in 0..bands {
                let told = difference(finder, &mut chances[0]);
                let first = (below + told).clamp(0, 40);
                let likely = first - apart;
                let told = difference(finder, &mut chances[1 + usize::from(told != 0)]);
                let second = (likely + told).clamp(0, 40);
                (below, apart) = (first, first - second);
                louds[0].push(first);
                louds[1].push(second);
            }
        }
        Head { code, short, split, quieter, angles, shaped, filling, louds }
    }

    fn step(&self, loud: i64) -> f64 {
        let step = 0.25 * (self.code as f64 / 8.0).exp2();
        if self.shaped { (0.05 * step * (0.375 * loud as f64).exp2()).max(0.5) } else { step }
    }

    fn hint(&self, loud: i64) -> usize {
        let above = 32 * (loud - 1) - 24 * loud - 8 * self.code + 404;
        // divisions cut towards zero
        (above / 16 + 12).clamp(0, 30) as usize
    }
}

/// A number near zero, in unary.
fn difference(finder: &mut Finder<'_>, chances: &mut [Chance]) -> i64 {
    if !chances[0].decide(finder) {
        return 0;
    }
    let up = chances[1].decide(finder);
    let mut size = 1;
    while size < 45 && chances[1 + size.min(8) + if up { 8 } else { 0 }].decide(finder) {
        size += 1;
    }
    if up { size as i64 } else { -(size as i64) }
}
