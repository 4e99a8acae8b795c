//! Sound at another rate: a windowed sinc in as many phases as the two rates have.
//!
//! ```
//! use levada_codec::resample::Resampler;
//!
//! let mut resampler = Resampler::new(44_100, 48_000, 1).expect("these rates are fine");
//! let mut out = Vec::new();
//! resampler.push(&[0.0; 4_410], &mut out);
//! let frames = out.len();
//! assert!((4_700..=4_801).contains(&frames), "a tenth of a second, less what the filter needs ahead: {frames}");
//! ```

use std::f64::consts::PI;

/// Turns blocks at one rate into blocks at another, for ever: what does not come out of one call comes out of the next.
#[derive(Clone, Debug)]
pub struct Resampler {
    channels: usize,
    /// Steps of input time that one sample of input lasts, and one of output.
    phases: usize,
    step: usize,
    /// [`TAPS`] weights for each phase.
    weights: Vec<f32>,
    /// Samples of input that are still needed, interleaved.
    held: Vec<f32>,
    /// Where the next output sample lies behind the first of `held`, in steps.
    at: usize,
}

impl Resampler {
    /// From one rate to another, in hertz, with so many interleaved channels; `None` where a rate or the channels are
    /// zero, or the rates are so odd that no table holds their phases.
    pub fn new(from: u32, to: u32, channels: usize) -> Option<Resampler> {
        let common = gcd(from, to);
        let (phases, step) = (to.checked_div(common)? as usize, from.checked_div(common)? as usize);
        if from == 0 || to == 0 || channels == 0 || phases > MOST_PHASES || step > MOST_PHASES * 16 {
            return None;
        }
        // what the lower of the two rates cannot carry is taken out, and a little more for the slope
        let cutoff = (f64::from(to) / f64::from(from)).min(1.0) * PASS;
        let weights = (0..phases).flat_map(|phase| taps(phase as f64 / phases as f64, cutoff)).collect();
        Some(Resampler { channels, phases, step, weights, held: Vec::new(), at: 0 })
    }

    /// Takes samples of the first rate, channels interleaved, and appends what comes of them to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.phases == self.step {
            return out.extend_from_slice(samples);
        }
        self.held.extend_from_slice(samples);
        let frames = self.held.len() / self.channels;
        while self.at / self.phases + TAPS <= frames {
            let (first, phase) = (self.at / self.phases, self.at % self.phases);
            let weights = &self.weights[phase * TAPS..][..TAPS];
            for channel in 0..self.channels {
                let held = self.held[first * self.channels + channel..].iter().step_by(self.channels);
                out.push(held.zip(weights).map(|(sample, weight)| sample * weight).sum());
            }
            self.at += self.step;
        }
        let done = (self.at / self.phases).min(frames);
        self.held.drain(..done * self.channels);
        self.at -= done * self.phases;
    }

    /// How many samples of the second rate the first that comes out lies behind the first that went in: half the taps
    /// have nothing to the left there.
    pub fn lead(&self) -> usize {
        if self.phases == self.step { 0 } else { (TAPS / 2 - 1) * self.phases / self.step }
    }
}

/// A sinc around the middle of the taps, `shift` of a sample later, under a Blackman window; it sums to one.
fn taps(shift: f64, cutoff: f64) -> Vec<f32> {
    let weight = |tap: usize| {
        let x = tap as f64 - (TAPS / 2) as f64 + 1.0 - shift;
        let sinc = if x.abs() < 1e-9 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
        let t = (x + (TAPS / 2) as f64) / TAPS as f64;
        sinc * (0.42 - 0.5 * (2.0 * PI * t).cos() + 0.08 * (4.0 * PI * t).cos())
    };
    let weights: Vec<f64> = (0..TAPS).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Samples of input in a sample of output: 80 dB, and a slope from 19 to 22 kHz for CD to DAT.
const TAPS: usize = 48;
/// What is kept of the band.
const PASS: f64 = 0.95;
/// 11,025 Hz to 48 kHz has 640.
const MOST_PHASES: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (n as f64 / f64::from(rate) * hertz * 2.0 * PI).sin() as f32).collect()
    }

    #[test]
    fn a_tone_stays_the_same_tone() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (22_050, 48_000), (48_000, 16_000)] {
            let mut resampler = Resampler::new(from, to, 1).unwrap();
            let (mut out, input) = (Vec::new(), tone(1_000.0, from, from as usize / 2));
            input.chunks(1_024).for_each(|chunk| resampler.push(chunk, &mut out));
            let should = tone(1_000.0, to, out.len());
            // the first weights are of input that never was: the tone begins half a filter in
            let lead = (TAPS / 2 - 1) as f64 / f64::from(from) * f64::from(to);
            let noise: f64 = (1_000..out.len())
                .map(|n| {
                    let exact = ((n as f64 + lead) / f64::from(to) * 1_000.0 * 2.0 * PI).sin();
                    (f64::from(out[n]) - exact).powi(2)
                })
                .sum();
            let signal: f64 = should[1_000..].iter().map(|s| f64::from(*s).powi(2)).sum();
            assert!(10.0 * (signal / noise).log10() > 60.0, "{from} to {to}: {}", signal / noise);
        }
    }

    #[test]
    fn channels_stay_apart_and_pieces_do_not_matter() {
        let input: Vec<f32> = tone(440.0, 44_100, 8_000).iter().flat_map(|s| [*s, -s]).collect();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Resampler::new(44_100, 48_000, 2).unwrap().push(&input, &mut whole);
        let mut resampler = Resampler::new(44_100, 48_000, 2).unwrap();
        input.chunks(14).for_each(|piece| resampler.push(piece, &mut pieces));
        assert_eq!(whole, pieces);
        assert!(whole.chunks(2).all(|pair| pair[0] == -pair[1]));
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for (from, to, channels) in [(0, 48_000, 1), (48_000, 0, 1), (48_000, 48_000, 0), (1, 47_999, 1)] {
            assert!(Resampler::new(from, to, channels).is_none());
        }
        let mut out = Vec::new();
        Resampler::new(48_000, 48_000, 2).unwrap().push(&[1.0, 2.0], &mut out);
        assert_eq!(out, [1.0, 2.0]);
    }
}
