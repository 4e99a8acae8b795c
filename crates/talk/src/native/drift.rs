//! Follows another clock.

/// Turns what the delay is off by into how much faster sound is to be played: a proportional part, and what is known of how the two clocks
/// differ. At most 500 parts in a million, a hundredth of a semitone.
///
/// The difference is what the delay moved by beyond what this end did to it. (An integral of the error would take the error that a jump of
/// this end's own makes for a clock's.)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Servo {
    smooth: f64,
    skew: f64,
    /// Seconds of learning, and the delay at the last look.
    learnt: f64,
    before: Option<f64>,
}

impl Servo {
    /// Once every `period` seconds: the delay that there is, `error` too much, of which `jump` was made by this end since the last time.
    pub fn follow(&mut self, delay: f64, error: f64, jump: f64, period: f64) {
        let ratio = self.ratio();
        let share = (period / SMOOTHS).min(1.0);
        self.smooth += (error.clamp(-MOST_ERROR, MOST_ERROR) - self.smooth) * share;
        let moved = self.before.replace(delay).map(|before| delay - before - jump);
        // more than that at once is no clock
        let Some(moved) = moved.filter(|moved| moved.abs() < 0.003) else { return };
        self.learnt = (self.learnt + period).min(2.0 * LEARNS);
        let share = period / (self.learnt * 0.5).max(LEARNS / 6.0);
        self.skew = (self.skew + (moved / period + ratio - self.skew) * share).clamp(-MOST, MOST);
    }

    /// How much faster than usual is to be played now.
    pub fn ratio(&self) -> f64 {
        (self.skew + PULL * self.smooth).clamp(-MOST, MOST)
    }

    /// How much faster the other clock is.
    pub fn skew(&self) -> f64 {
        self.skew
    }
}

const MOST: f64 = 500e-6;
const MOST_ERROR: f64 = 0.01;
/// Seconds over which clocks are compared in the end, and a sixth of it at first.
const LEARNS: f64 = 90.0;
/// Seconds over which errors are averaged.
const SMOOTHS: f64 = 0.7;
/// Of an error, so much is taken away in a second.
const PULL: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of a clock that is so much faster, in blocks of 5 ms with a millisecond of jitter in what is measured.
    fn hour(ppm: f64) -> (f64, f64) {
        let (mut servo, mut delay, mut worst, mut state) = (Servo::default(), 0.0_f64, 0.0_f64, 1_u32);
        for block in 0..720_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1 << 24) * 0.002 - 0.001;
            delay += 0.005 * (ppm * 1e-6 - servo.ratio());
            // now and then a period of sound is said twice
            let jump = if block % 8_000 == 7_999 { 0.002 } else { 0.0 };
            delay += jump;
            servo.follow(delay + noise, delay + noise, jump, 0.005);
            worst = if block > 60_000 { worst.max(delay.abs()) } else { worst };
        }
        (servo.skew() * 1e6, worst)
    }

    #[test]
    fn another_clock_is_known_after_minutes_and_an_hour_stays_within_a_millisecond() {
        for ppm in [200.0, -200.0, 0.0] {
            let (skew, worst) = hour(ppm);
            assert!((skew - ppm).abs() < 40.0 && worst < 0.002_5, "{ppm}: {skew:.1} ppm, {worst:.5} s");
        }
    }
}
