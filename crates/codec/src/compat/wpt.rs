//! The wavelet packet transform: every band is split, and the leaves are sorted by frequency.

use super::dwt::Dwt;

/// A [`Dwt`] that splits details as well.
#[derive(Clone, Debug)]
pub struct Wpt {
    dwt: Dwt,
    levels: u32,
    here: Vec<f64>,
    there: Vec<f64>,
}

impl Wpt {
    /// All 2^levels bands of `dwt`'s wavelet and levels.
    pub fn new(dwt: Dwt) -> Wpt {
        let levels = dwt.levels();
        Wpt { dwt, levels, here: Vec::new(), there: Vec::new() }
    }

    /// Transforms `signal` into `bands`, of equal length, from the lowest frequency to the highest.
    pub fn analyze(&mut self, signal: &[f64], bands: &mut [f64]) {
        let length = signal.len();
        self.here.clear();
        self.here.extend_from_slice(signal);
        self.there.resize(length, 0.0);
        for level in 0..self.levels {
            let node = length >> level;
            for (from, to) in self.here.chunks_exact(node).zip(self.there.chunks_exact_mut(node)) {
                let (low, high) = to.split_at_mut(node / 2);
                self.dwt.one_down(from, low, high);
            }
            std::mem::swap(&mut self.here, &mut self.there);
        }
        let leaf = length >> self.levels;
        for (band, to) in bands.chunks_exact_mut(leaf).enumerate() {
            let from = leaf * gray(band);
            to.copy_from_slice(&self.here[from..from + leaf]);
        }
    }

    /// The inverse of [`analyze`](Wpt::analyze).
    pub fn synthesize(&mut self, bands: &[f64], signal: &mut [f64]) {
        let length = bands.len();
        let leaf = length >> self.levels;
        self.here.resize(length, 0.0);
        self.there.resize(length, 0.0);
        for (band, from) in bands.chunks_exact(leaf).enumerate() {
            let to = leaf * gray(band);
            self.here[to..to + leaf].copy_from_slice(from);
        }
        for level in (0..self.levels).rev() {
            let node = length >> level;
            for (from, to) in self.here.chunks_exact(node).zip(self.there.chunks_exact_mut(node)) {
                let (low, high) = from.split_at(node / 2);
                self.dwt.one_up(low, high, to);
            }
            std::mem::swap(&mut self.here, &mut self.there);
        }
        signal.copy_from_slice(&self.here);
    }
}

/// The leaf, counted by its path from the root, that is the `band`th in frequency: a detail's halves are swapped.
fn gray(band: usize) -> usize {
    band ^ (band >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::filters::Wavelet;

    #[test]
    fn packets_are_inverted_and_sorted_by_frequency() {
        let mut wpt = Wpt::new(Dwt::new(Wavelet::DB5, 3));
        let tone = |cycles: f64| -> Vec<f64> {
            (0..256).map(|n| (std::f64::consts::TAU * cycles * f64::from(n) / 256.0).sin()).collect()
        };
        let (mut bands, mut back) = (vec![0.0; 256], vec![0.0; 256]);
        for band in 0..8 {
            let signal = tone(16.0 * f64::from(band) + 8.0);
            wpt.analyze(&signal, &mut bands);
            wpt.synthesize(&bands, &mut back);
            assert!(signal.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-9));
            let energy = |band: usize| bands[32 * band..][..32].iter().map(|x| x * x).sum::<f64>();
            let most = (0..8).max_by(|a, b| energy(*a).total_cmp(&energy(*b)));
            assert_eq!(most, Some(band as usize));
        }
    }
}
