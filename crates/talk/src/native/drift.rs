//! Follows another clock.

/// Turns what the delay is off by into how much faster sound is to be played: a proportional part, and an integral one that comes to know
/// how the two clocks differ. At most 500 parts in a million, a hundredth of a semitone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Servo {
    smooth: f64,
    skew: f64,
}

impl Servo {
    /// `error` seconds too much delay, once every `period` seconds; learnt from only where it is `usual`.
    pub fn follow(&mut self, error: f64, period: f64, usual: bool) {
        let share = (period / SMOOTHS).min(1.0);
        self.smooth += (error.clamp(-MOST_ERROR, MOST_ERROR) - self.smooth) * share;
        if usual {
            self.skew = (self.skew + PULL * PULL / 3.0 * self.smooth * period).clamp(-MOST, MOST);
        }
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
            servo.follow(delay + noise, 0.005, true);
            worst = if block > 60_000 { worst.max(delay.abs()) } else { worst };
        }
        (servo.skew() * 1e6, worst)
    }

    #[test]
    fn another_clock_is_known_after_minutes_and_an_hour_stays_within_a_millisecond() {
        for ppm in [200.0, -200.0, 0.0] {
            let (skew, worst) = hour(ppm);
            assert!((skew - ppm).abs() < 15.0 && worst < 0.001, "{ppm}: {skew:.1} ppm, {worst:.5} s");
        }
    }
}
