//! Many measured times, and what one says of them.

use serde::Serialize;
use std::time::Duration;

/// Times of one kind; memory is bounded by thinning out evenly.
#[derive(Clone, Debug)]
pub struct Samples {
    millis: Vec<f32>,
    keep_each: u64,
    seen: u64,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Percentiles {
    pub p50_ms: f32,
    pub p99_ms: f32,
    pub max_ms: f32,
}

impl Default for Samples {
    fn default() -> Samples {
        Samples { millis: Vec::new(), keep_each: 1, seen: 0 }
    }
}

impl Samples {
    /// Takes one in.
    pub fn add(&mut self, time: Duration) {
        self.seen += 1;
        if self.seen.is_multiple_of(self.keep_each) {
            self.millis.push(time.as_secs_f32() * 1e3);
        }
        if self.millis.len() >= MOST {
            self.keep_each *= 2;
            let mut odd = false;
            self.millis.retain(|_| {
                odd = !odd;
                odd
            });
        }
    }

    /// Takes those in that are there.
    pub fn extend(&mut self, times: impl IntoIterator<Item = Duration>) {
        times.into_iter().for_each(|time| self.add(time));
    }

    /// What one says of them; zeros when there are none.
    pub fn percentiles(&mut self) -> Percentiles {
        self.millis.sort_by(f32::total_cmp);
        let at = |share: f64| {
            let last = self.millis.len().saturating_sub(1);
            self.millis.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
        };
        Percentiles { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

const MOST: usize = 1 << 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_what_they_say() {
        let mut samples = Samples::default();
        (1..=101).for_each(|ms| samples.add(Duration::from_millis(ms)));
        let said = samples.percentiles();
        assert_eq!((said.p50_ms.round(), said.p99_ms.round(), said.max_ms.round()), (51.0, 100.0, 101.0));
        assert_eq!(Samples::default().percentiles().p50_ms, 0.0);
    }
}
