//! The token bucket of tc's `tbf`: a mean rate with bursts.

use crate::serial::Overhead;
use crate::{Bitrate, Size};

/// A rate over time that lets an idle link send `burst` bytes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// How fast tokens come; a bucket with no rate lets one burst through and then nothing.
    pub rate: Bitrate,
    /// How many bytes of tokens are kept; a longer packet never passes.
    pub burst: Size,
    /// A second bucket that bounds the speed of bursts.
    pub peak: Option<Peak>,
    /// What a packet costs beside its length.
    pub overhead: Overhead,
    /// What a packet costs at least, in bytes.
    pub mpu: u32,
}

impl Bucket {
    /// A bucket without a peak or overheads.
    pub const fn new(rate: Bitrate, burst: Size) -> Bucket {
        Bucket { rate, burst, peak: None, overhead: Overhead { packet: 0, cell: 0, per_cell: 0 }, mpu: 0 }
    }
}

/// The bound on the speed of a bucket's bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// The fastest it may be.
    pub rate: Bitrate,
    /// Its burst, at least the longest packet (tc's `mtu` or `minburst`).
    pub mtu: Size,
}

/// A [`Bucket`] at work; it begins full.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    mean: Level,
    peak: Option<Level>,
    overhead: Overhead,
    mpu: u32,
    /// As it was before the last packet, should that be taken back.
    before: Option<Box<(Level, Option<Level>)>>,
}

/// Tokens in billionths of a bit, so that a nanosecond at one bit per second is one and nothing is ever rounded.
#[derive(Clone, Copy, Debug)]
struct Level {
    rate: u64,
    most: u128,
    have: u128,
    at: u64,
}

impl Tokens {
    pub(crate) fn new(bucket: &Bucket, now: u64) -> Tokens {
        let peak = bucket.peak.map(|peak| Level::full(peak.rate, peak.mtu, now));
        let mean = Level::full(bucket.rate, bucket.burst, now);
        Tokens { mean, peak, overhead: bucket.overhead, mpu: bucket.mpu, before: None }
    }

    /// Goes on at another rate with the tokens there are.
    pub(crate) fn change(&mut self, bucket: &Bucket, now: u64) {
        let fresh = Tokens::new(bucket, now);
        self.mean = self.mean.poured_into(fresh.mean, now);
        self.peak = match (self.peak, fresh.peak) {
            (Some(old), Some(new)) => Some(old.poured_into(new, now)),
            (_, new) => new,
        };
        (self.overhead, self.mpu) = (bucket.overhead, bucket.mpu);
        self.before = None;
    }

    /// Whether a packet of `length` can ever pass.
    pub(crate) fn passes(&self, length: u32) -> bool {
        let cost = u128::from(length) * PER_BYTE;
        cost <= self.mean.most && self.peak.is_none_or(|peak| cost <= peak.most)
    }

    /// Takes the tokens for a packet of `length` and says from when on, not before `now`, there are enough;
    /// `u64::MAX` for never.
    pub(crate) fn take(&mut self, now: u64, length: u32) -> u64 {
        self.before = Some(Box::new((self.mean, self.peak)));
        let now = now.max(self.mean.at);
        let cost = u128::from(self.overhead.wire(length).max(self.mpu.into())) * PER_BYTE;
        let peak = self.peak.map_or(now, |peak| peak.enough(now, cost));
        let when = self.mean.enough(now, cost).max(peak);
        self.mean.spend(when, cost);
        if let Some(peak) = &mut self.peak {
            peak.spend(when, cost);
        }
        when
    }

    /// Puts back what the last packet took.
    pub(crate) fn give_back(&mut self) {
        if let Some(before) = self.before.take() {
            (self.mean, self.peak) = *before;
        }
    }
}

impl Level {
    fn full(rate: Bitrate, most: Size, at: u64) -> Level {
        let most = u128::from(most.0) * PER_BYTE;
        Level { rate: rate.0, most, have: most, at }
    }

    fn at(&self, now: u64) -> u128 {
        let come = u128::from(now.saturating_sub(self.at)) * u128::from(self.rate);
        self.most.min(self.have + come)
    }

    fn enough(&self, now: u64, cost: u128) -> u64 {
        let missing = cost.saturating_sub(self.at(now));
        match u128::from(self.rate) {
            _ if missing == 0 => now,
            0 => u64::MAX,
            rate => now.saturating_add(u64::try_from(missing.div_ceil(rate)).unwrap_or(u64::MAX)),
        }
    }

    fn spend(&mut self, now: u64, cost: u128) {
        self.have = self.at(now).saturating_sub(cost);
        self.at = now;
    }

    fn poured_into(self, other: Level, now: u64) -> Level {
        Level { have: self.at(now).min(other.most), at: now, ..other }
    }
}

const PER_BYTE: u128 = 8_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn seminar() -> Bucket {
        // tbf rate 200kbit burst 1024kbit limit 1024kbit
        Bucket::new(Bitrate::kbps(200), Size(131_072))
    }

    #[test]
    fn a_full_bucket_passes_its_burst_at_once_and_then_its_rate() {
        let mut tokens = Tokens::new(&seminar(), 0);
        let times: Vec<u64> = (0..200).map(|_| tokens.take(0, 1_024)).collect();
        // 128 KiB unshaped: 5.2 s worth of traffic at 200 kbit/s.
        assert!(times[..128].iter().all(|t| *t == 0));
        for (i, time) in times[128..].iter().enumerate() {
            assert_eq!(*time, (i as u64 + 1) * 40_960_000);
        }
    }

    #[test]
    fn tokens_come_back_while_idle_and_no_more_than_fit() {
        let mut tokens = Tokens::new(&seminar(), 0);
        for _ in 0..128 {
            tokens.take(0, 1_024);
        }
        // One second brings 25,000 bytes: 24 packets at once, the next when its last 600 bytes have come.
        assert_eq!((0..24).map(|_| tokens.take(SECOND, 1_024)).max(), Some(SECOND));
        assert_eq!(tokens.take(SECOND, 1_024), SECOND + 600 * 40_000);
    }

    #[test]
    fn the_peak_bounds_the_burst() {
        let peak = Some(Peak { rate: Bitrate::mbps(1), mtu: Size(1_600) });
        let mut tokens = Tokens::new(&Bucket { peak, ..seminar() }, 0);
        let times: Vec<u64> = (0..150).map(|_| tokens.take(0, 1_600)).collect();
        // 12.8 ms a packet at the peak, in which 320 of its bytes come back: 1600 n ≤ 131072 + 320 (n − 1).
        assert!(times[..102].iter().enumerate().all(|(i, t)| *t == i as u64 * 12_800_000), "{times:?}");
        assert_eq!(times[149] - times[148], 64_000_000);
    }

    #[test]
    fn what_is_longer_than_the_burst_never_passes() {
        let tokens = Tokens::new(&Bucket { burst: Size(1_000), ..seminar() }, 0);
        assert!(tokens.passes(1_000) && !tokens.passes(1_001));
        let mut dry = Tokens::new(&Bucket { rate: Bitrate(0), ..seminar() }, 0);
        assert_eq!((dry.take(0, 131_072), dry.take(0, 1)), (0, u64::MAX));
    }

    #[test]
    fn a_change_of_rate_keeps_the_tokens() {
        let mut tokens = Tokens::new(&seminar(), 0);
        for _ in 0..128 {
            tokens.take(0, 1_024);
        }
        tokens.change(&Bucket { rate: Bitrate::mbps(2), ..seminar() }, SECOND / 25);
        // 40 ms at 200 kbit/s were 1000 bytes; 24 more come at 2 Mbit/s.
        assert_eq!(tokens.take(SECOND / 25, 1_024), SECOND / 25 + 24 * 4_000);
    }
}
