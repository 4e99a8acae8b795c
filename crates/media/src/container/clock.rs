//! Clocks of containers: samples counted, counters unwrapped.

use crate::{Timebase, Timestamp};
use std::time::Duration;

/// Adds up frames of samples without losing a fraction, whatever rate each has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SampleClock {
    /// Time before the samples that are counted at the present rate.
    base: Duration,
    samples: u64,
    rate: u32,
}

impl SampleClock {
    /// Counts `samples` at `rate` Hz; the time at their end.
    pub(crate) fn advance(&mut self, samples: u32, rate: u32) -> Duration {
        if rate != self.rate {
            *self = SampleClock { base: self.now(), samples: 0, rate };
        }
        self.samples = self.samples.saturating_add(u64::from(samples));
        self.now()
    }

    /// The time at the end of what was counted.
    pub(crate) fn now(&self) -> Duration {
        let rate = u64::from(self.rate.max(1));
        let fraction = self.samples % rate * 1_000_000_000 / rate;
        self.base.saturating_add(Duration::from_secs(self.samples / rate) + Duration::from_nanos(fraction))
    }
}

/// Unwraps 33-bit counters of 90 kHz: each value is taken as the one nearest to the last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unwrap33 {
    last: Option<Timestamp>,
}

impl Unwrap33 {
    /// `raw` as a moment near the last one.
    pub(crate) fn unwrap(&mut self, raw: u64) -> Timestamp {
        let first = Timestamp(i64::try_from(raw).unwrap_or(i64::MAX));
        let at = self.last.map_or(first, |last| self.near(last, raw));
        self.last = Some(at);
        at
    }

    /// `raw` as the moment nearest to `other`.
    pub(crate) fn near(&self, other: Timestamp, raw: u64) -> Timestamp {
        // the low 33 bits differ by less than half the circle in one of the two directions
        let apart = raw.wrapping_sub(other.0 as u64) << 31;
        Timestamp(other.0.saturating_add(apart as i64 >> 31))
    }
}

/// Keeps the time of a stream going on when its source begins again, in ticks of the caller's.
///
/// A step back by more than tracks can be apart is taken as a new beginning and placed right after the newest moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    /// Ticks by which the tracks of one stream may be apart.
    apart: i64,
    offset: i64,
    newest: Option<i64>,
}

impl Timeline {
    /// A timeline of ticks of `timebase`.
    pub(crate) fn new(timebase: Timebase) -> Timeline {
        Timeline { apart: timebase.ticks(APART).0, offset: 0, newest: None }
    }

    /// The moment that the source calls `at`.
    pub(crate) fn place(&mut self, at: Timestamp) -> Timestamp {
        let mut placed = at.0.saturating_add(self.offset);
        if let Some(newest) = self.newest.filter(|newest| placed < newest.saturating_sub(self.apart)) {
            let next = newest.saturating_add(1);
            self.offset = self.offset.saturating_add(next.saturating_sub(placed));
            placed = next;
        }
        self.newest = self.newest.max(Some(placed));
        Timestamp(placed)
    }
}

/// Muxers interleave within one to three seconds.
pub(crate) const APART: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_add_up_without_losing_fractions() {
        let mut clock = SampleClock::default();
        let last = (0..44_100).map(|_| clock.advance(1152, 44_100)).last();
        assert_eq!(last, Some(Duration::from_secs(1152)));
        assert_eq!(clock.advance(48_000, 48_000), Duration::from_secs(1153));
    }

    #[test]
    fn counters_of_33_bits_wrap_both_ways() {
        let mut clock = Unwrap33::default();
        let top = (1 << 33) - 1;
        assert_eq!([top, 5, top].map(|raw| clock.unwrap(raw).0), [top as i64, top as i64 + 6, top as i64]);
    }

    #[test]
    fn time_goes_on_when_a_source_begins_again() {
        let mut timeline = Timeline::new(Timebase::MILLIS);
        let placed = [0, 9_000, 8_000, 0, 40].map(|at| timeline.place(Timestamp(at)).0);
        assert_eq!(placed, [0, 9_000, 8_000, 9_001, 9_041]);
    }
}
