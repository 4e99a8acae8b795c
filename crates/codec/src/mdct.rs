//! A cosine transform of any even size whose half has no prime factors but 2, 3 and 5.

use std::f64::consts::PI;

/// The discrete cosine transform of the fourth kind, which is its own inverse, for `n` values: the heart of [`crate::lapped`].
#[derive(Clone, Debug)]
pub struct Mdct {
    n: usize,
    /// e^(-iπ(8k+1)/8n) times the fourth root of 2/n: applied twice.
    twist: Vec<[f32; 2]>,
    fft: Fft,
    points: Vec<[f32; 2]>,
}

impl Mdct {
    /// For `n` values: even, and half of it of factors 2, 3 and 5; none otherwise.
    pub fn new(n: usize) -> Option<Mdct> {
        if n < 4 || !n.is_multiple_of(2) {
            return None;
        }
        let fft = Fft::new(n / 2)?;
        let scale = (2.0 / n as f64).sqrt().sqrt();
        let twist = |k: usize| {
            let angle = -PI * (8 * k + 1) as f64 / (8 * n) as f64;
            [(scale * angle.cos()) as f32, (scale * angle.sin()) as f32]
        };
        let twist = (0..n / 2).map(twist).collect();
        Some(Mdct { n, twist, fft, points: vec![[0.0; 2]; n / 2] })
    }

    /// Transforms `n` values in place.
    pub fn fourth(&mut self, x: &mut [f32]) {
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

/// A complex Fourier transform by radices 4, 2, 3 and 5, each written out. (rustfft is faster and a dependency tree; ours takes
/// little beside the entropy coder.)
#[derive(Clone, Debug)]
pub struct Fft {
    passes: Vec<Pass>,
    here: Vec<[f32; 2]>,
    there: Vec<[f32; 2]>,
}

/// One pass: so many transforms side by side, each of `part` butterflies.
#[derive(Clone, Debug)]
struct Pass {
    radix: usize,
    stride: usize,
    part: usize,
    /// For each butterfly the turns of its results but the first.
    turns: Vec<[f32; 2]>,
}

impl Fft {
    /// Of so many points; none where that has other factors than 2, 3 and 5.
    pub fn new(n: usize) -> Option<Fft> {
        let (mut length, mut stride, mut passes) = (n, 1, Vec::new());
        for radix in [4, 2, 3, 5] {
            while length.is_multiple_of(radix) && length > 1 {
                let part = length / radix;
                let turn = |k: usize| {
                    let angle = -2.0 * PI * k as f64 / length as f64;
                    [angle.cos() as f32, angle.sin() as f32]
                };
                let turns = (0..part).flat_map(|p| (1..radix).map(move |q| turn(p * q))).collect();
                passes.push(Pass { radix, stride, part, turns });
                stride *= radix;
                length = part;
            }
        }
        let zeros = vec![[0.0; 2]; n];
        (length == 1).then_some(Fft { passes, here: zeros.clone(), there: zeros })
    }

    /// The spectrum of as many points as it was made for, each a real and an imaginary part, not scaled. Stockham's way: each pass reads one
    /// buffer in order and writes the other sorted.
    pub fn transform(&mut self, points: &[[f32; 2]]) -> &[[f32; 2]] {
        self.here.copy_from_slice(points);
        for pass in &self.passes {
            match pass.radix {
                4 => pass.run(&self.here, &mut self.there, four),
                2 => pass.run(&self.here, &mut self.there, |[a, b]| [add(a, b), sub(a, b)]),
                3 => pass.run(&self.here, &mut self.there, three),
                _ => pass.run(&self.here, &mut self.there, five),
            }
            std::mem::swap(&mut self.here, &mut self.there);
        }
        &self.here
    }
}

impl Pass {
    fn run<const R: usize>(
        &self,
        from: &[[f32; 2]],
        to: &mut [[f32; 2]],
        butterfly: impl Fn([[f32; 2]; R]) -> [[f32; 2]; R],
    ) {
        let (stride, part) = (self.stride, self.part);
        for (p, (turns, to)) in
            self.turns.chunks_exact(R - 1).zip(to.chunks_exact_mut(R * stride)).enumerate()
        {
            let rows: [&[[f32; 2]]; R] = std::array::from_fn(|r| &from[stride * (p + part * r)..][..stride]);
            for s in 0..stride {
                let results = butterfly(std::array::from_fn(|r| rows[r][s]));
                to[s] = results[0];
                for q in 1..R {
                    to[q * stride + s] = times(results[q], turns[q - 1]);
                }
            }
        }
    }
}

fn add([a, b]: [f32; 2], [c, d]: [f32; 2]) -> [f32; 2] {
    [a + c, b + d]
}

fn sub([a, b]: [f32; 2], [c, d]: [f32; 2]) -> [f32; 2] {
    [a - c, b - d]
}

fn four([a, b, c, d]: [[f32; 2]; 4]) -> [[f32; 2]; 4] {
    let (even, odd) = ([add(a, c), sub(a, c)], [add(b, d), sub(b, d)]);
    let turned = [odd[1][1], -odd[1][0]]; // times -i
    [add(even[0], odd[0]), add(even[1], turned), sub(even[0], odd[0]), sub(even[1], turned)]
}

fn three([a, b, c]: [[f32; 2]; 3]) -> [[f32; 2]; 3] {
    const SIN: f32 = 0.866_025_4;
    let (sum, difference) = (add(b, c), sub(b, c));
    let middle = [a[0] - 0.5 * sum[0], a[1] - 0.5 * sum[1]];
    let turned = [SIN * difference[1], -SIN * difference[0]];
    [add(a, sum), add(middle, turned), sub(middle, turned)]
}

fn five([a, b, c, d, e]: [[f32; 2]; 5]) -> [[f32; 2]; 5] {
    // cosines and sines of a fifth of a turn and of two
    const C: [f32; 2] = [0.309_017, -0.809_017];
    const S: [f32; 2] = [0.951_056_5, 0.587_785_25];
    let (near, far) = ([add(b, e), sub(b, e)], [add(c, d), sub(c, d)]);
    let even =
        |x: f32, y: f32| [a[0] + x * near[0][0] + y * far[0][0], a[1] + x * near[0][1] + y * far[0][1]];
    let odd = |x: f32, y: f32| {
        let [re, im] = [x * near[1][0] + y * far[1][0], x * near[1][1] + y * far[1][1]];
        [im, -re]
    };
    let (first, second) = (even(C[0], C[1]), even(C[1], C[0]));
    let (turned, other) = (odd(S[0], S[1]), odd(S[1], -S[0]));
    [
        add(a, add(near[0], far[0])),
        add(first, turned),
        add(second, other),
        sub(second, other),
        sub(first, turned),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_those_of_the_definition() {
        for n in [4, 6, 10, 24, 60, 128, 150, 300] {
            let mut state = 3_u32;
            let mut draw = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as f32 / 32_768.0 - 1.0
            };
            let signal: Vec<f32> = (0..n).map(|_| draw()).collect();
            let mut ours = signal.clone();
            Mdct::new(n).unwrap().fourth(&mut ours);
            for (k, ours) in ours.iter().enumerate() {
                let term = |i: usize| {
                    let angle = PI / n as f64 * (i as f64 + 0.5) * (k as f64 + 0.5);
                    f64::from(signal[i]) * angle.cos()
                };
                let truth = (2.0 / n as f64).sqrt() * (0..n).map(term).sum::<f64>();
                assert!((f64::from(*ours) - truth).abs() < 1e-5, "{n}, {k}: {ours} {truth}");
            }
        }
        assert!(Mdct::new(14).is_none() && Mdct::new(7).is_none());
    }
}
