//! Blocks of sound as coefficients and back: one long transform, or short ones where something begins suddenly.
//!
//! A block is transformed together with the one before it. Where transforms meet, they overlap: by a whole block in quiet times,
//! by an eighth of one where a beginning must not be smeared into what was before. Which of the two is decided a block ahead, from
//! what has come already, so that switching delays nothing.

use crate::mdct::Mdct;

/// How a block is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Whether it overlaps shortly with what is before.
    pub short_left: bool,
    /// Whether it overlaps shortly with what follows.
    pub short_right: bool,
    /// Whether it is divided where overlaps are short.
    pub split: bool,
}

impl Layout {
    /// Transforms of a block in eighths of it, the first one first.
    pub fn parts(self) -> &'static [usize] {
        match (self.split, self.short_left, self.short_right) {
            (true, true, true) => &[1; 8],
            (true, false, true) => &[5, 1, 1, 1],
            (true, true, false) => &[1, 1, 1, 5],
            _ => &[8],
        }
    }
}

/// The transforms of one block size; orthonormal, so that noise in a coefficient is as loud as in a sample.
#[derive(Clone, Debug)]
pub struct Lapped {
    frames: usize,
    long: Mdct,
    /// Five eighths and one, where blocks can be divided.
    parts: Option<(Mdct, Mdct)>,
    long_slope: Vec<f32>,
    short_slope: Vec<f32>,
    /// For each way to divide a block, where its coefficients lie when they are ordered by frequency.
    orders: [Vec<u16>; 3],
    work: Vec<f32>,
}

impl Lapped {
    /// For blocks of `frames` frames: even, and half of it of factors 2, 3 and 5.
    pub fn new(frames: usize) -> Option<Lapped> {
        let long = Mdct::new(frames)?;
        let parts =
            frames.is_multiple_of(16).then(|| Some((Mdct::new(frames / 8 * 5)?, Mdct::new(frames / 8)?)));
        let parts = parts.flatten();
        let slope = |overlap: usize| {
            let at = |i: usize| std::f64::consts::FRAC_PI_2 * (i as f64 + 0.5) / overlap as f64;
            (0..overlap).map(|i| at(i).sin() as f32).collect::<Vec<f32>>()
        };
        let order = |parts: &[usize]| {
            let eighth = frames / 8;
            let mut places: Vec<(usize, usize, u16)> = Vec::new();
            let mut begin = 0;
            for (part, eighths) in parts.iter().enumerate() {
                let size = eighths * eighth;
                // the middle of a coefficient's band, in units that all sizes have in common
                places.extend((0..size).map(|k| ((2 * k + 1) * 40 / eighths, part, (begin + k) as u16)));
                begin += size;
            }
            places.sort_unstable();
            places.into_iter().map(|(_, _, place)| place).collect::<Vec<u16>>()
        };
        let orders = if parts.is_some() {
            [order(&[1; 8]), order(&[5, 1, 1, 1]), order(&[1, 1, 1, 5])]
        } else {
            [Vec::new(), Vec::new(), Vec::new()]
        };
        Some(Lapped {
            frames,
            long,
            parts,
            long_slope: slope(frames),
            short_slope: slope((frames / 8).max(2)),
            orders,
            work: vec![0.0; frames],
        })
    }

    /// Whether blocks of this size can be divided.
    pub fn divides(&self) -> bool {
        self.parts.is_some()
    }

    fn order(&self, layout: Layout) -> Option<&[u16]> {
        match layout.parts() {
            [8] => None,
            [1, 1, 1, 5] => Some(&self.orders[2]),
            [5, ..] => Some(&self.orders[1]),
            _ => Some(&self.orders[0]),
        }
    }

    /// Which part of the block each coefficient comes from.
    pub fn part_of(&self, layout: Layout, coefficient: usize) -> usize {
        let Some(order) = self.order(layout) else { return 0 };
        let mut place = usize::from(order[coefficient]) * 8 / self.frames;
        for (part, eighths) in layout.parts().iter().enumerate() {
            if place < *eighths {
                return part;
            }
            place -= eighths;
        }
        0
    }

    /// Coefficients, ordered by frequency, of a stretch of twice a block: the one before and this one.
    pub fn forward(&mut self, stretch: &[f32], layout: Layout, out: &mut [f32]) {
        let n = self.frames;
        let mut work = std::mem::take(&mut self.work);
        let mut begin = 0; // from the first fold, in the middle of the block before
        let parts = layout.parts();
        for (which, eighths) in parts.iter().enumerate() {
            let size = if *eighths == 8 { n } else { eighths * n / 8 };
            let left = self.slope(which > 0 || layout.short_left);
            let right = self.slope(which + 1 < parts.len() || layout.short_right);
            let folded = &mut work[begin..begin + size];
            fold(stretch, n / 2 + begin, left, right, folded);
            self.transform(*eighths, &mut work[begin..begin + size]);
            begin += size;
        }
        match self.order(layout) {
            None => out.copy_from_slice(&work),
            Some(order) => {
                out.iter_mut().zip(order).for_each(|(out, place)| *out = work[usize::from(*place)])
            }
        }
        self.work = work;
    }

    /// The block before, from coefficients and the tail of those before them; `tail` becomes theirs.
    pub fn inverse(&mut self, coefficients: &[f32], layout: Layout, stretch: &mut [f32], out: &mut [f32]) {
        let n = self.frames;
        let mut work = std::mem::take(&mut self.work);
        match self.order(layout) {
            None => work.copy_from_slice(coefficients),
            Some(order) => {
                coefficients.iter().zip(order).for_each(|(x, place)| work[usize::from(*place)] = *x)
            }
        }
        let mut begin = 0;
        let parts = layout.parts();
        for (which, eighths) in parts.iter().enumerate() {
            let size = if *eighths == 8 { n } else { eighths * n / 8 };
            self.transform(*eighths, &mut work[begin..begin + size]);
            let left = self.slope(which > 0 || layout.short_left);
            let right = self.slope(which + 1 < parts.len() || layout.short_right);
            unfold(&work[begin..begin + size], n / 2 + begin, left, right, stretch);
            begin += size;
        }
        out.copy_from_slice(&stretch[..n]);
        stretch.copy_within(n.., 0);
        stretch[n..].fill(0.0);
        self.work = work;
    }

    fn slope(&self, short: bool) -> &[f32] {
        if short { &self.short_slope } else { &self.long_slope }
    }

    fn transform(&mut self, eighths: usize, x: &mut [f32]) {
        match (eighths, &mut self.parts) {
            (5, Some((five, _))) => five.fourth(x),
            (1, Some((_, one))) => one.fourth(x),
            _ => self.long.fourth(x),
        }
    }
}

/// Folds the neighbours' shares of the overlaps at `at` and at its end into a part, for a transform of the fourth kind.
fn fold(stretch: &[f32], at: usize, left: &[f32], right: &[f32], folded: &mut [f32]) {
    let (n, end) = (folded.len(), at + folded.len());
    // the transform wants it backwards and negative
    for (i, folded) in folded.iter_mut().enumerate() {
        *folded = -stretch[end - 1 - i];
    }
    let half = left.len() / 2;
    for d in 0..half {
        folded[n - 1 - d] = left[half - 1 - d] * stretch[at - 1 - d] - left[half + d] * stretch[at + d];
    }
    let half = right.len() / 2;
    for d in 0..half {
        folded[d] = -right[half + d] * stretch[end - 1 - d] - right[half - 1 - d] * stretch[end + d];
    }
}

/// Adds a part to the stretch that it and its neighbours make.
fn unfold(folded: &[f32], at: usize, left: &[f32], right: &[f32], stretch: &mut [f32]) {
    let (n, end) = (folded.len(), at + folded.len());
    let (before, after) = (left.len() / 2, right.len() / 2);
    for t in before..n - after {
        stretch[at + t] = -folded[n - 1 - t];
    }
    for d in 0..before {
        let x = -folded[n - 1 - d];
        stretch[at + d] += left[before + d] * x;
        stretch[at - 1 - d] -= left[before - 1 - d] * x;
    }
    for d in 0..after {
        let x = -folded[d];
        stretch[end - 1 - d] += right[after + d] * x;
        stretch[end + d] += right[after - 1 - d] * x;
    }
}

/// Hears where something begins suddenly.
#[derive(Clone, Debug, Default)]
pub struct Onset {
    /// A mean of how loud high sounds were.
    level: f32,
    last: [f32; 2],
}

impl Onset {
    /// Looks at the next block, `[channel][frame]`: the sixteenth in which something begins, if it does.
    pub fn find(&mut self, block: [&[f32]; 2]) -> Option<usize> {
        let width = block[0].len() / 16;
        let mut found = None;
        for sixteenth in 0..16 {
            let mut power = 0.0;
            for (channel, last) in block.iter().zip(&mut self.last) {
                for x in &channel[sixteenth * width..(sixteenth + 1) * width] {
                    // high sounds tell beginnings from swelling basses
                    let high = x - 0.9 * *last;
                    *last = *x;
                    power += high * high;
                }
            }
            let power = power / (2 * width.max(1)) as f32;
            if power > 12.0 * self.level + 400.0 && found.is_none() {
                found = Some(sixteenth);
            }
            self.level += (power - self.level) * if power > self.level { 0.5 } else { 0.12 };
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 3_u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 32_768.0 - 1.0
        };
        (0..n).map(|_| draw()).collect()
    }

    #[test]
    fn blocks_come_back_however_they_are_divided() {
        for n in [1_024, 960, 480, 240, 120, 4] {
            let mut lapped = Lapped::new(n).unwrap();
            let signal = noise(13 * n);
            let (mut stretch, mut coefficients, mut out) = (vec![0.0; 2 * n], vec![0.0; n], vec![0.0; n]);
            let (mut short_left, mut powers) = (false, [0.0_f32; 2]);
            for block in 1..12 {
                let short_right = lapped.divides() && matches!(block, 2 | 3 | 4 | 6 | 9);
                let layout =
                    Layout { short_left, short_right, split: block != 9 && (short_left || short_right) };
                lapped.forward(&signal[(block - 1) * n..(block + 1) * n], layout, &mut coefficients);
                powers[0] += coefficients.iter().map(|x| x * x).sum::<f32>();
                lapped.inverse(&coefficients, layout, &mut stretch, &mut out);
                short_left = short_right;
                if block > 1 {
                    let truth = &signal[(block - 1) * n..block * n];
                    powers[1] += truth.iter().map(|x| x * x).sum::<f32>();
                    let worst = out.iter().zip(truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-5, "{n}, block {block}: {worst}");
                }
            }
            assert!((powers[0] / powers[1] / 1.1 - 1.0).abs() < 0.2, "{n}: {powers:?}");
        }
        assert!(!Lapped::new(120).unwrap().divides());
    }

    #[test]
    fn coefficients_of_a_divided_block_are_ordered_by_frequency() {
        let mut lapped = Lapped::new(480).unwrap();
        let tone: Vec<f32> = (0..960).map(|n| (n as f32 * std::f32::consts::PI * 0.25).cos()).collect();
        let layout = Layout { short_left: true, short_right: true, split: true };
        let mut out = vec![0.0; 480];
        lapped.forward(&tone, layout, &mut out);
        let near: f32 = out[100..140].iter().map(|x| x * x).sum();
        assert!(near > 0.95 * out.iter().map(|x| x * x).sum::<f32>());
        assert_eq!([0, 1, 7, 8].map(|k| lapped.part_of(layout, k)), [0, 1, 7, 0]);
        let layout = Layout { short_right: false, ..layout };
        assert_eq!((0..8).filter(|k| lapped.part_of(layout, *k) == 3).count(), 5);
    }

    #[test]
    fn beginnings_are_heard_where_they_are() {
        let mut onset = Onset::default();
        let mut block = vec![0.0; 1_024];
        (0..1_024).for_each(|n| block[n] = 3_000.0 * (n as f32 * 0.05).sin());
        let _ = onset.find([&block, &block]);
        assert_eq!(onset.find([&block, &block]), None);
        (640..700).for_each(|n| block[n] += if n % 2 == 0 { 9_000.0 } else { -9_000.0 });
        assert_eq!(onset.find([&block, &block]), Some(10));
    }
}
