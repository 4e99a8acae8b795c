//! How late the engine was with each packet: counts in bins of a sixteenth, so that a percentile is right within 6 %.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Durations counted by size.
///
/// Below 16 ns exactly, above in sixteen bins for each doubling; fixed size, nothing is ever left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lateness {
    bins: Vec<u64>,
    count: u64,
    most: Duration,
}

/// The percentiles that reports show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many packets.
    pub packets: u64,
    /// Half of them were at most this late, in nanoseconds.
    pub p50_ns: u64,
    /// 99 of a hundred.
    pub p99_ns: u64,
    /// 999 of a thousand.
    pub p999_ns: u64,
    /// All.
    pub max_ns: u64,
}

impl Default for Lateness {
    fn default() -> Lateness {
        Lateness { bins: vec![0; BINS], count: 0, most: Duration::ZERO }
    }
}

impl Lateness {
    /// Counts one.
    pub fn add(&mut self, late: Duration) {
        self.bins[bin(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX))] += 1;
        self.count += 1;
        self.most = self.most.max(late);
    }

    /// The least lateness that a share of `share` (0 … 1) does not exceed; zero where nothing was counted.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let mut sum = 0;
        for (number, count) in self.bins.iter().enumerate() {
            sum += count;
            if sum >= rank.max(1) {
                return Duration::from_nanos(upper(number)).min(self.most);
            }
        }
        self.most
    }

    /// What reports show.
    pub fn summary(&self) -> Summary {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Summary {
            packets: self.count,
            p50_ns: nanos(self.quantile(0.5)),
            p99_ns: nanos(self.quantile(0.99)),
            p999_ns: nanos(self.quantile(0.999)),
            max_ns: nanos(self.most),
        }
    }
}

fn bin(nanos: u64) -> usize {
    if nanos < 16 {
        return nanos as usize;
    }
    let doubling = nanos.ilog2() as usize;
    let sixteenth = (nanos >> (doubling - 4)) as usize & 15;
    (doubling - 3) * 16 + sixteenth
}

/// The largest value in a bin.
fn upper(number: usize) -> u64 {
    let (doubling, sixteenth) = (number / 16, number as u64 % 16);
    if doubling == 0 {
        return sixteenth;
    }
    let next = u128::from(sixteenth + 17) << (doubling - 1);
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

const BINS: usize = 61 * 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_within_a_sixteenth() {
        let mut late = Lateness::default();
        for n in 1..=1_000_u64 {
            late.add(Duration::from_nanos(n * 1_000));
        }
        for (share, right) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.999, 999_000.0)] {
            let said = late.quantile(share).as_nanos() as f64;
            assert!(said >= right && said <= right * 1.0625 + 1.0, "{share}: {said}");
        }
        assert_eq!(late.summary().max_ns, 1_000_000);
        assert_eq!(Lateness::default().summary(), Summary::default());
    }

    #[test]
    fn every_duration_has_its_bin() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let number = bin(value);
                assert!(number < BINS && upper(number) >= value, "{value}");
                assert!(number == 0 || upper(number - 1) < value, "{value}");
            }
        }
    }
}
