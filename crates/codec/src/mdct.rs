//! The modified discrete cosine transform of any even size whose half has no prime factors but 2, 3 and 5.

use std::f64::consts::PI;

/// A transform of blocks of `n` samples that overlap by one block, under a sine window; orthonormal, so that noise in a
/// coefficient is as loud as in a sample.
#[derive(Clone, Debug)]
pub struct Mdct {
    n: usize,
    window: Vec<f32>,
    /// e^(-iπ(8k+1)/8n) times the fourth root of 2/n: applied twice.
    twist: Vec<[f32; 2]>,
    fft: Fft,
    folded: Vec<f32>,
    points: Vec<[f32; 2]>,
}

impl Mdct {
    /// For blocks of `n` samples: even, and half of it of factors 2, 3 and 5; none otherwise.
    pub fn new(n: usize) -> Option<Mdct> {
        if n < 4 || !n.is_multiple_of(2) {
            return None;
        }
        let fft = Fft::new(n / 2)?;
        let window = (0..2 * n).map(|i| (PI * (i as f64 + 0.5) / (2 * n) as f64).sin() as f32).collect();
        let scale = (2.0 / n as f64).sqrt().sqrt();
        let twist = |k: usize| {
            let angle = -PI * (8 * k + 1) as f64 / (8 * n) as f64;
            [(scale * angle.cos()) as f32, (scale * angle.sin()) as f32]
        };
        let twist = (0..n / 2).map(twist).collect();
        Some(Mdct { n, window, twist, fft, folded: vec![0.0; n], points: vec![[0.0; 2]; n / 2] })
    }

    /// Samples of a block.
    pub fn size(&self) -> usize {
        self.n
    }

    /// Coefficients of a block and the one before it.
    pub fn forward(&mut self, before: &[f32], block: &[f32], out: &mut [f32]) {
        let (n, half) = (self.n, self.n / 2);
        let at = |i: usize| if i < n { before[i] * self.window[i] } else { block[i - n] * self.window[i] };
        for i in 0..half {
            self.folded[i] = -at(3 * half - 1 - i) - at(3 * half + i);
            self.folded[half + i] = at(i) - at(n - 1 - i);
        }
        self.fourth(out);
    }

    /// The block that coefficients and the tail of those before them make; `tail` becomes theirs.
    pub fn inverse(&mut self, coefficients: &[f32], tail: &mut [f32], out: &mut [f32]) {
        let (n, half) = (self.n, self.n / 2);
        let mut unfolded = std::mem::take(&mut self.folded);
        unfolded.copy_from_slice(coefficients);
        self.fourth_in_place(&mut unfolded);
        for i in 0..half {
            out[i] = tail[i] + unfolded[half + i] * self.window[i];
            out[half + i] = tail[half + i] - unfolded[n - 1 - i] * self.window[half + i];
            tail[i] = -unfolded[half - 1 - i] * self.window[n + i];
            tail[half + i] = -unfolded[i] * self.window[n + half + i];
        }
        self.folded = unfolded;
    }

    fn fourth(&mut self, out: &mut [f32]) {
        let mut folded = std::mem::take(&mut self.folded);
        self.fourth_in_place(&mut folded);
        out.copy_from_slice(&folded);
        self.folded = folded;
    }

    /// The discrete cosine transform of the fourth kind, which is its own inverse.
    fn fourth_in_place(&mut self, x: &mut [f32]) {
        let n = self.n;
        for (k, (point, twist)) in self.points.iter_mut().zip(&self.twist).enumerate() {
            *point = times([x[2 * k], x[n - 1 - 2 * k]], *twist);
        }
        let spectrum = self.fft.transform(&self.points);
        for (k, (point, twist)) in spectrum.iter().zip(&self.twist).enumerate() {
            let [re, im] = times(*point, *twist);
            x[2 * k] = re;
            x[n - 1 - 2 * k] = -im;
        }
    }
}

fn times([a, b]: [f32; 2], [c, d]: [f32; 2]) -> [f32; 2] {
    [a * c - b * d, a * d + b * c]
}

/// A complex Fourier transform by radices 2, 3, 4 and 5. (rustfft is faster and a dependency tree; ours takes some microseconds
/// for 512 points, which is little beside the entropy coder.)
#[derive(Clone, Debug)]
struct Fft {
    radices: Vec<usize>,
    turns: Vec<[f32; 2]>,
    here: Vec<[f32; 2]>,
    there: Vec<[f32; 2]>,
}

impl Fft {
    fn new(n: usize) -> Option<Fft> {
        let (mut rest, mut radices) = (n, Vec::new());
        for radix in [4, 2, 3, 5] {
            while rest.is_multiple_of(radix) && rest > 1 {
                radices.push(radix);
                rest /= radix;
            }
        }
        let turn = |k: usize| {
            let angle = -2.0 * PI * k as f64 / n as f64;
            [angle.cos() as f32, angle.sin() as f32]
        };
        let turns = (0..n).map(turn).collect();
        let zeros = vec![[0.0; 2]; n];
        (rest == 1).then_some(Fft { radices, turns, here: zeros.clone(), there: zeros })
    }

    /// Stockham's way: each pass reads one buffer in order and writes the other sorted.
    fn transform(&mut self, points: &[[f32; 2]]) -> &[[f32; 2]] {
        let n = points.len();
        self.here.copy_from_slice(points);
        let mut stride = 1; // transforms side by side
        let mut length = n; // points of each
        for &radix in &self.radices {
            let part = length / radix;
            for p in 0..part {
                for s in 0..stride {
                    let mut inputs = [[0.0_f32; 2]; 5];
                    for (r, input) in inputs.iter_mut().enumerate().take(radix) {
                        *input = self.here[s + stride * (p + part * r)];
                    }
                    for q in 0..radix {
                        let mut sum = [0.0_f32; 2];
                        for (r, input) in inputs.iter().enumerate().take(radix) {
                            let turned = times(*input, self.turns[(q * r * (n / radix)) % n]);
                            sum = [sum[0] + turned[0], sum[1] + turned[1]];
                        }
                        let turn = self.turns[(p * q * stride) % n];
                        self.there[s + stride * (radix * p + q)] = times(sum, turn);
                    }
                }
            }
            std::mem::swap(&mut self.here, &mut self.there);
            stride *= radix;
            length = part;
        }
        &self.here
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
    fn coefficients_are_those_of_the_definition() {
        let (n, signal) = (24, noise(48));
        let mut mdct = Mdct::new(n).unwrap();
        let mut ours = vec![0.0; n];
        mdct.forward(&signal[..n], &signal[n..], &mut ours);
        for (k, ours) in ours.iter().enumerate() {
            let term = |i: usize| {
                let window = (PI * (i as f64 + 0.5) / 48.0).sin();
                let angle = PI / 24.0 * (i as f64 + 0.5 + 12.0) * (k as f64 + 0.5);
                f64::from(signal[i]) * window * angle.cos()
            };
            let truth = (2.0_f64 / 24.0).sqrt() * (0..48).map(term).sum::<f64>();
            assert!((f64::from(*ours) - truth).abs() < 1e-5, "{k}: {ours} {truth}");
        }
    }

    #[test]
    fn blocks_come_back_from_their_coefficients() {
        for n in [1024, 480, 240, 120, 4] {
            let mut mdct = Mdct::new(n).unwrap();
            let signal = noise(4 * n);
            let (mut tail, mut coefficients, mut out) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
            for block in 1..4 {
                mdct.forward(
                    &signal[(block - 1) * n..block * n],
                    &signal[block * n..(block + 1) * n],
                    &mut coefficients,
                );
                mdct.inverse(&coefficients, &mut tail, &mut out);
                if block > 1 {
                    let truth = &signal[(block - 1) * n..block * n];
                    let worst = out.iter().zip(truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-5, "{n}: {worst}");
                }
            }
        }
        assert!(Mdct::new(14).is_none() && Mdct::new(7).is_none());
    }
}
