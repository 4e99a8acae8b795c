//! Figures of packets: gaps, percentiles, jitter, reordering, rates.

use serde::Serialize;
use std::time::Duration;

/// Where a set of durations lies; all in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many there are.
    pub count: usize,
    /// The shortest.
    pub min: i64,
    /// Of a hundred the first; and so on.
    pub p1: i64,
    #[allow(missing_docs)]
    pub p5: i64,
    #[allow(missing_docs)]
    pub p25: i64,
    #[allow(missing_docs)]
    pub p50: i64,
    #[allow(missing_docs)]
    pub p75: i64,
    #[allow(missing_docs)]
    pub p95: i64,
    #[allow(missing_docs)]
    pub p99: i64,
    #[allow(missing_docs)]
    pub p999: i64,
    /// The longest.
    pub max: i64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

impl Quantiles {
    /// Of values in any order, which it puts in order. Zero where there are none.
    pub fn of(values: &mut [i64]) -> Quantiles {
        values.sort_unstable();
        let (Some(min), Some(max)) = (values.first().copied(), values.last().copied()) else {
            return Quantiles::default();
        };
        let count = values.len();
        // nearest rank
        let at = |part: f64| values[((part * count as f64).ceil() as usize).clamp(1, count) - 1];
        let mean = values.iter().map(|value| *value as f64).sum::<f64>() / count as f64;
        let square = values.iter().map(|value| (*value as f64 - mean).powi(2)).sum::<f64>() / count as f64;
        Quantiles {
            count,
            min,
            p1: at(0.01),
            p5: at(0.05),
            p25: at(0.25),
            p50: at(0.5),
            p75: at(0.75),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max,
            mean,
            deviation: square.sqrt(),
        }
    }
}

/// What lies between neighbours, in nanoseconds; negative nowhere where times are in order.
pub fn gaps(times: impl IntoIterator<Item = Duration>) -> impl Iterator<Item = i64> {
    let mut times = times.into_iter();
    let mut before = times.next();
    times.map(move |at| {
        let gap = before.map_or(0, |before| nanos(at) - nanos(before));
        before = Some(at);
        gap
    })
}

/// The interarrival jitter of RFC 3550, 6.4.1 and A.8, in nanoseconds.
///
/// ```
/// use levada_capture::metrics::Jitter;
/// let mut jitter = Jitter::default();
/// jitter.push(1_000);
/// jitter.push(17_000); // 16 µs longer on the way than the one before: one sixteenth of that
/// assert_eq!(jitter.value(), 1_000.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jitter {
    last: Option<i64>,
    value: f64,
}

impl Jitter {
    /// The next packet was so many nanoseconds on its way, or arrived so much later than its timestamp by any clock.
    pub fn push(&mut self, transit: i64) -> f64 {
        if let Some(last) = self.last.replace(transit) {
            self.value += (transit.abs_diff(last) as f64 - self.value) / 16.0;
        }
        self.value
    }

    /// What it is now.
    pub fn value(self) -> f64 {
        self.value
    }
}

/// Reordering as RFC 4737 defines it: a packet is reordered that arrives after one that was sent later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reordering {
    /// How many were.
    pub reordered: usize,
    /// By how many places the latest of them was late (RFC 4737, 4.2.1).
    pub extent: usize,
    /// How many came.
    #[serde(skip)]
    arrived: usize,
    /// Those that were sent later than all before them: where they arrived, and their number.
    #[serde(skip)]
    leaders: Vec<(usize, usize)>,
}

impl Reordering {
    /// A packet arrives that was the `number`th to be sent: whether it is reordered.
    pub fn push(&mut self, number: usize) -> bool {
        let place = self.arrived;
        self.arrived += 1;
        let overtook = self.leaders.partition_point(|(_, leader)| *leader <= number);
        let Some((first, _)) = self.leaders.get(overtook) else {
            if self.leaders.last().is_none_or(|(_, leader)| *leader < number) {
                self.leaders.push((place, number));
            }
            return false;
        };
        self.reordered += 1;
        self.extent = self.extent.max(place - first);
        true
    }
}

/// Bytes per second over bins of one length, from `start` on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rate {
    /// How long a bin is.
    pub bin: Duration,
    /// Bit/s in each.
    pub bits: Vec<f64>,
}

impl Rate {
    /// Of packets with their times since `start` and their bytes; at most [`Rate::MOST`] bins, what is later is left out.
    pub fn of(packets: impl IntoIterator<Item = (Duration, u32)>, bin: Duration) -> Rate {
        let width = bin.as_nanos().max(1);
        let mut bits = Vec::new();
        for (at, bytes) in packets {
            let index = usize::try_from(at.as_nanos() / width).unwrap_or(usize::MAX);
            if index >= Rate::MOST {
                continue;
            }
            if bits.len() <= index {
                bits.resize(index + 1, 0.0);
            }
            bits[index] += f64::from(bytes) * 8e9 / width as f64;
        }
        Rate { bin, bits }
    }

    /// How many bins there may be.
    pub const MOST: usize = 100_000;

    /// A bin that makes about two hundred of `span`: 1, 2 or 5 times a power of ten.
    pub fn bin_for(span: Duration) -> Duration {
        let wanted = (span / 200).max(Duration::from_millis(1));
        let mut bin = Duration::from_millis(1);
        for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
            if bin >= wanted {
                break;
            }
            bin = bin.mul_f64(factor);
        }
        bin
    }
}

pub(crate) fn nanos(at: Duration) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut values: Vec<i64> = (1..=1000).rev().collect();
        let quantiles = Quantiles::of(&mut values);
        assert_eq!((quantiles.min, quantiles.p1, quantiles.p50, quantiles.p99), (1, 10, 500, 990));
        assert_eq!((quantiles.p999, quantiles.max, quantiles.mean), (999, 1000, 500.5));
        assert!((quantiles.deviation - 288.67).abs() < 0.01);
        assert_eq!(Quantiles::of(&mut []), Quantiles::default());
    }

    #[test]
    fn reordering_counts_what_comes_after_later_ones() {
        let mut reordering = Reordering::default();
        let late: Vec<usize> = [0, 1, 5, 2, 3, 6, 4].into_iter().filter(|n| reordering.push(*n)).collect();
        assert_eq!((late, reordering.reordered, reordering.extent), (vec![2, 3, 4], 3, 4));
    }

    #[test]
    fn rates_are_bits_in_their_bins() {
        let packets = [(0, 100), (40, 100), (100, 50), (350, 1000)];
        let rate =
            Rate::of(packets.map(|(ms, b)| (Duration::from_millis(ms), b)), Duration::from_millis(100));
        assert_eq!(rate.bits, [16_000.0, 4_000.0, 0.0, 80_000.0]);
        assert_eq!(Rate::bin_for(Duration::from_secs(30)), Duration::from_millis(200));
        assert_eq!(Rate::bin_for(Duration::ZERO), Duration::from_millis(1));
    }

    #[test]
    fn gaps_are_between_neighbours() {
        let times = [5, 7, 12].map(Duration::from_nanos);
        assert_eq!(gaps(times).collect::<Vec<_>>(), [2, 5]);
    }
}
