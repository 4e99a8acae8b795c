//! How strongly normal numbers must be tied so that what is made of them is tied as much as asked.
//!
//! A delay is a function of a normal number; for any but the normal distribution the function weakens the tie
//! between neighbours. In Hermite polynomials the function is `f = Σ cₖ hₖ`, and two normal numbers with correlation
//! `r` give values with correlation `Σ cₖ² rᵏ / Σ cₖ²` (k ≥ 1), which is solved for `r`.

/// The share of a distribution's variance in each Hermite degree from one on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spectrum(Vec<f64>);

impl Spectrum {
    /// Of the function `f` of a standard normal number.
    pub(super) fn of(f: impl Fn(f64) -> f64) -> Spectrum {
        let (mut sums, mut square, mut weights) = ([0.0; DEGREES], 0.0, 0.0);
        for step in 0..=STEPS {
            let x = (2.0 * step as f64 / STEPS as f64 - 1.0) * REACH;
            let weight = libm::exp(-0.5 * x * x);
            let value = f(x);
            weights += weight;
            square += weight * value * value;
            // Normalised Hermite polynomials: hₖ₊₁ = (x hₖ − √k hₖ₋₁) / √(k+1).
            let (mut before, mut now) = (0.0, 1.0);
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += weight * value * now;
                let k = k as f64;
                let next = (x * now - libm::sqrt(k) * before) / libm::sqrt(k + 1.0);
                (before, now) = (now, next);
            }
        }
        let mean = sums[0] / weights;
        let variance = square / weights - mean * mean;
        if variance <= 0.0 {
            return Spectrum(vec![1.0]);
        }
        Spectrum(sums[1..].iter().map(|sum| (sum / weights) * (sum / weights) / variance).collect())
    }

    /// The correlation of the normal numbers that gives the values the correlation `wanted` (0 … 1).
    pub(super) fn solve(&self, wanted: f64) -> f64 {
        if wanted >= 1.0 {
            return 1.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.tie(middle) < wanted { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    fn tie(&self, r: f64) -> f64 {
        self.0.iter().rev().fold(0.0, |sum, share| (sum + share) * r)
    }
}

const DEGREES: usize = 48;
const STEPS: usize = 8_000;
/// Beyond eight deviations lies 1e-15 of the weight.
const REACH: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::super::normal;
    use super::*;

    #[test]
    fn the_uniform_case_agrees_with_its_closed_form() {
        let uniform = Spectrum::of(normal::below);
        for wanted in [0.1, 0.25, 0.5, 0.9] {
            // Pearson: corr(Φ(x), Φ(y)) = 6/π · asin(r/2).
            let exact = 2.0 * (std::f64::consts::PI * wanted / 6.0).sin();
            assert!((uniform.solve(wanted) - exact).abs() < 1e-4, "{wanted}");
        }
    }

    #[test]
    fn a_constant_has_no_spectrum_and_no_panic() {
        assert!(Spectrum::of(|_| 3.0).solve(0.5).is_finite());
    }
}
