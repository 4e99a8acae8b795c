//! The discrete wavelet transform of a periodic signal, and its inverse.

use super::filters::Wavelet;

/// One wavelet's filters, and room to work in.
#[derive(Clone, Debug)]
pub struct Dwt {
    wavelet: Wavelet,
    /// Analysis low-pass, in the order in which it meets ascending samples.
    low: Vec<f64>,
    /// Analysis high-pass, likewise.
    high: Vec<f64>,
    levels: u32,
    /// The signal of the level at work, with its wrapped edges.
    wrapped: Vec<f64>,
    /// The approximation that the next level splits or the last one made.
    approximation: Vec<f64>,
}

impl Dwt {
    /// The transform of `levels` levels; lengths given to it are multiples of 2^`levels`.
    pub fn new(wavelet: Wavelet, levels: u32) -> Dwt {
        // cA[k] = Σj dec_lo[j]·x[2k + F/2 - j] with dec_lo[j] = rec_lo[F-1-j]: ascending in x, that is rec_lo itself,
        // from x[2k + F/2 - F + 1] on; the high-pass likewise with dec_hi[j] = (-1)^(j+1)·rec_lo[j].
        let low = wavelet.taps().to_vec();
        let sign = |i: usize| if i % 2 == 1 { 1.0 } else { -1.0 };
        let high = (0..low.len()).rev().map(|j| sign(j) * low[j]).collect();
        Dwt { wavelet, low, high, levels, wrapped: Vec::new(), approximation: Vec::new() }
    }

    /// How many taps its filters have.
    pub fn taps(&self) -> usize {
        self.low.len()
    }

    /// Whose filters it has.
    pub fn wavelet(&self) -> Wavelet {
        self.wavelet
    }

    /// How many levels it has.
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// Transforms `signal` into `bands`, of equal length: the approximation, then details from the coarsest to the finest.
    pub fn analyze(&mut self, signal: &[f64], bands: &mut [f64]) {
        let mut approximation = std::mem::take(&mut self.approximation);
        approximation.clear();
        approximation.extend_from_slice(signal);
        let mut length = signal.len();
        for _ in 0..self.levels {
            let half = length / 2;
            let (_, detail) = bands[..length].split_at_mut(half);
            self.wrap(&approximation[..length]);
            self.split(&mut approximation[..half], detail);
            length = half;
        }
        bands[..length].copy_from_slice(&approximation[..length]);
        self.approximation = approximation;
    }

    /// The inverse of [`analyze`](Dwt::analyze).
    pub fn synthesize(&mut self, bands: &[f64], signal: &mut [f64]) {
        let mut approximation = std::mem::take(&mut self.approximation);
        let mut length = bands.len() >> self.levels;
        approximation.clear();
        approximation.extend_from_slice(&bands[..length]);
        approximation.resize(bands.len(), 0.0);
        for _ in 0..self.levels {
            let detail = &bands[length..2 * length];
            self.merge(&approximation[..length], detail, &mut signal[..2 * length]);
            length *= 2;
            approximation[..length].copy_from_slice(&signal[..length]);
        }
        signal.copy_from_slice(&approximation[..length]);
        self.approximation = approximation;
    }

    /// One level: `signal` into its halves.
    pub(super) fn one_down(&mut self, signal: &[f64], low: &mut [f64], high: &mut [f64]) {
        self.wrap(signal);
        self.split(low, high);
    }

    /// One level up: halves into the signal.
    pub(super) fn one_up(&mut self, low: &[f64], high: &[f64], signal: &mut [f64]) {
        self.merge(low, high, signal);
    }

    /// Lays `signal` out with F/2 - 1 samples of its end before it and F/2 of its beginning behind.
    fn wrap(&mut self, signal: &[f64]) {
        let (before, after) = (self.taps() / 2 - 1, self.taps() / 2);
        let length = signal.len();
        let wrapped = (0..before).map(|i| signal[(length - before % length + i) % length]);
        self.wrapped.clear();
        self.wrapped.extend(wrapped);
        self.wrapped.extend_from_slice(signal);
        self.wrapped.extend((0..after).map(|i| signal[i % length]));
    }

    /// Filters what was wrapped.
    fn split(&self, low: &mut [f64], high: &mut [f64]) {
        let windows = self.wrapped.windows(self.taps()).step_by(2);
        for ((window, low), high) in windows.zip(low).zip(high) {
            let (mut sum_low, mut sum_high) = (0.0, 0.0);
            for ((x, l), h) in window.iter().zip(&self.low).zip(&self.high) {
                sum_low += x * l;
                sum_high += x * h;
            }
            (*low, *high) = (sum_low, sum_high);
        }
    }

    /// The transpose of the split: each coefficient adds its filters where it was taken from.
    fn merge(&mut self, low: &[f64], high: &[f64], signal: &mut [f64]) {
        let (taps, length) = (self.taps(), signal.len());
        let before = taps / 2 - 1;
        self.wrapped.clear();
        self.wrapped.resize(length + taps - 1, 0.0);
        for (k, (a, d)) in low.iter().zip(high).enumerate() {
            let window = &mut self.wrapped[2 * k..2 * k + taps];
            for ((x, l), h) in window.iter_mut().zip(&self.low).zip(&self.high) {
                *x += a * l + d * h;
            }
        }
        signal.copy_from_slice(&self.wrapped[before..before + length]);
        for i in 0..before {
            signal[(length - before % length + i) % length] += self.wrapped[i];
        }
        for i in 0..taps / 2 {
            signal[i % length] += self.wrapped[before + length + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wavelet_is_inverted_even_where_filters_are_longer_than_signals() {
        for (moments, levels, length) in [(1, 3, 64), (5, 6, 1024), (10, 6, 64), (7, 5, 32), (3, 0, 8)] {
            let mut dwt = Dwt::new(Wavelet::db(moments).unwrap(), levels);
            let signal: Vec<f64> = (0..length).map(|n| f64::from((n * n * 79) % 1000)).collect();
            let (mut bands, mut back) = (vec![0.0; signal.len()], vec![0.0; signal.len()]);
            dwt.analyze(&signal, &mut bands);
            dwt.synthesize(&bands, &mut back);
            let worst = signal.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-6, "db{moments}: {worst}");
        }
    }
}
