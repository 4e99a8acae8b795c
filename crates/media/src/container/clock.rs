//! Clocks of containers: samples counted, counters unwrapped.

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
