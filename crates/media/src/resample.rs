//! Changes how many frames a second there are, by a ratio that may change on the way.

/// A windowed-sinc resampler of interleaved sound.
///
/// Holds what was pushed and not yet used up; whoever pushes without pulling decides how much that is.
///
/// ```
/// use levada_media::resample::Resampler;
/// let mut resampler = Resampler::new(1, 48_000, 44_100);
/// resampler.push(&[0.5; 4_800]);
/// let mut out = vec![0.0; 4_400];
/// let frames = resampler.pull(&mut out);
/// assert!((4_380..4_410).contains(&frames), "a tenth of a second, less what the filter needs ahead: {frames}");
/// ```
#[derive(Clone, Debug)]
pub struct Resampler {
    channels: usize,
    /// Input frames that an output frame is apart from the next.
    step: f64,
    /// Where in `input` the next output frame lies.
    at: f64,
    input: Vec<f32>,
    /// For each phase and one more, a filter's taps.
    filters: Vec<f32>,
    taps: usize,
}

impl Resampler {
    /// From so many frames a second to so many, both at least 1.
    pub fn new(channels: usize, from: u32, to: u32) -> Resampler {
        let (channels, from, to) = (channels.max(1), from.max(1), to.max(1));
        let step = f64::from(from) / f64::from(to);
        // the band below both Nyquist frequencies; longer filters where that is less than the input has
        let cutoff = (1.0 / step).min(1.0) * 0.96;
        let half = ((HALF as f64 / cutoff).ceil() as usize).min(16 * HALF);
        let taps = 2 * half;
        let mut filters = Vec::with_capacity((PHASES + 1) * taps);
        for phase in 0..=PHASES {
            let offset = phase as f64 / PHASES as f64;
            let tap = |i: usize| {
                let x = i as f64 - (half - 1) as f64 - offset;
                cutoff * sinc(cutoff * x) * kaiser(x / half as f64)
            };
            let filter: Vec<f64> = (0..taps).map(tap).collect();
            let sum: f64 = filter.iter().sum();
            filters.extend(filter.iter().map(|tap| (tap / sum) as f32));
        }
        let input = vec![0.0; (half - 1) * channels];
        Resampler { channels, step, at: (half - 1) as f64, input, filters, taps }
    }

    /// Lets output frames be so many input frames apart from now on: 1.0001 plays 100 ppm faster.
    pub fn set_step(&mut self, step: f64) {
        if step.is_finite() {
            self.step = step.clamp(1e-3, 1e3);
        }
    }

    /// Input frames that are there and not yet used up.
    pub fn waiting(&self) -> usize {
        (self.input.len() / self.channels).saturating_sub(self.at as usize)
    }

    /// Takes whole interleaved frames.
    pub fn push(&mut self, frames: &[f32]) {
        self.input.extend_from_slice(frames);
    }

    /// Fills whole frames of `out` as far as there is input, and says how many.
    pub fn pull(&mut self, out: &mut [f32]) -> usize {
        let half = self.taps / 2;
        let mut done = 0;
        for frame in out.chunks_exact_mut(self.channels) {
            let whole = self.at as usize;
            if (whole + half + 1) * self.channels > self.input.len() {
                break;
            }
            let fine = (self.at - whole as f64) * PHASES as f64;
            let (phase, between) = (fine as usize, fine.fract() as f32);
            let filters = &self.filters[phase * self.taps..(phase + 2) * self.taps];
            let (this, next) = filters.split_at(self.taps);
            let window = &self.input[(whole + 1 - half) * self.channels..];
            frame.fill(0.0);
            for ((tap, next), input) in this.iter().zip(next).zip(window.chunks_exact(self.channels)) {
                let tap = tap + (next - tap) * between;
                frame.iter_mut().zip(input).for_each(|(out, x)| *out += tap * x);
            }
            self.at += self.step;
            done += 1;
        }
        self.forget();
        done
    }

    /// Appends to `out` what comes of all the input that there is.
    pub fn append_to(&mut self, out: &mut Vec<f32>) {
        let before = out.len();
        let most = (self.waiting() as f64 / self.step) as usize + 1;
        out.resize(before + most * self.channels, 0.0);
        let frames = self.pull(&mut out[before..]);
        out.truncate(before + frames * self.channels);
    }

    /// Lets go of input that no output needs any longer.
    fn forget(&mut self) {
        let used = (self.at as usize + 1).saturating_sub(self.taps / 2);
        if used > 1_024 {
            let used = used.min(self.input.len() / self.channels);
            self.input.drain(..used * self.channels);
            self.at -= used as f64;
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
}

/// A Kaiser window of β = 9 (aliases below -90 dB), for x from -1 to 1.
fn kaiser(x: f64) -> f64 {
    let bessel = |x: f64| {
        let (mut sum, mut term) = (1.0, 1.0);
        for n in 1..40 {
            term *= (x / (2.0 * f64::from(n))).powi(2);
            sum += term;
        }
        sum
    };
    if x.abs() >= 1.0 { 0.0 } else { bessel(9.0 * (1.0 - x * x).sqrt()) / bessel(9.0) }
}

/// Filters between one input frame and the next; between two of these, taps are interpolated.
const PHASES: usize = 512;
/// Taps on either side, at full bandwidth.
const HALF: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: f64, frames: usize) -> Vec<f32> {
        (0..frames).map(|n| (std::f64::consts::TAU * hertz * n as f64 / rate).sin() as f32).collect()
    }

    #[test]
    fn a_tone_stays_the_same_tone_at_another_rate() {
        for (from, to) in [(48_000, 44_100), (44_100, 48_000), (8_000, 44_100), (96_000, 44_100)] {
            let mut resampler = Resampler::new(1, from, to);
            let mut out = vec![0.0; to as usize / 2];
            let mut done = 0;
            for piece in tone(1_000.0, f64::from(from), from as usize).chunks(441) {
                resampler.push(piece);
                done += resampler.pull(&mut out[done..]);
            }
            assert_eq!(done, out.len());
            let truth = tone(1_000.0, f64::from(to), out.len());
            let pairs = out.iter().zip(&truth).skip(1_000);
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 3e-4, "{from} to {to}: {worst}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let mut resampler = Resampler::new(1, 48_000, 16_000);
        resampler.push(&tone(11_000.0, 48_000.0, 48_000));
        let mut out = vec![0.0; 15_000];
        resampler.pull(&mut out);
        assert!(out[500..].iter().all(|x| x.abs() < 2e-3));
    }
}
