//! Chance that is an argument: a small, fast generator whose numbers never change between versions.

use crate::Percent;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A stream of chance: xoshiro256++ seeded through SplitMix64, both pinned by name.
#[derive(Clone, Debug)]
pub struct Chance(Xoshiro256PlusPlus);

impl Chance {
    /// The stream that belongs to `purpose` under `seed`; different purposes give unrelated streams, so that adding
    /// loss to a link does not change its delays.
    pub fn new(seed: u64, purpose: u64) -> Chance {
        Chance(Xoshiro256PlusPlus::seed_from_u64(mix(seed, purpose)))
    }

    /// 64 bits of chance.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in 0 ‥ 1, never exactly either.
    pub fn unit(&mut self) -> f64 {
        // 53 bits and a half step: exact in an f64, and symmetric about one half.
        ((self.bits() >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
    }

    /// True with probability `share`.
    pub fn happens(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A whole number below `end`; zero where `end` is zero.
    pub fn below(&mut self, end: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(end)) >> 32) as u32
    }
}

/// How often something happens to a packet, and how much what happens to one tells about the next.
///
/// With a correlation it comes in runs: the two-state chain whose long-run share is `percent` and whose lag-1
/// autocorrelation is `correlation`. (The kernel's generator instead makes rare events vanish; see
/// [`Compat`](crate::Compat).)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    /// The share of packets it happens to.
    pub percent: Percent,
    /// The lag-1 autocorrelation of it happening.
    pub correlation: Percent,
}

impl Odds {
    /// Each packet for itself.
    pub const fn independent(percent: Percent) -> Odds {
        Odds { percent, correlation: Percent::ZERO }
    }

    /// In runs of `mean` packets on average (at least one), with gaps such that the share is `percent`.
    pub fn bursts(percent: Percent, mean: f64) -> Odds {
        // A run ends with probability 1/mean = (1 − share)(1 − correlation).
        let free = (1.0 - percent.share()).max(f64::MIN_POSITIVE);
        Odds { percent, correlation: Percent::ratio(1.0 - 1.0 / (mean.max(1.0) * free)) }
    }
}

/// [`Odds`] being drawn.
#[derive(Clone, Debug)]
pub(crate) struct Coin {
    chance: Chance,
    /// Probability after it did not happen, and after it did.
    after: [f64; 2],
    happened: bool,
}

impl Coin {
    /// Begins in the long run: the first draw has the probability of any other.
    pub(crate) fn new(odds: Odds, mut chance: Chance) -> Coin {
        let mut coin = Coin { happened: chance.happens(odds.percent.share()), chance, after: [0.0; 2] };
        coin.change(odds);
        coin
    }

    /// Draws by other odds from now on, without forgetting the last draw.
    pub(crate) fn change(&mut self, odds: Odds) {
        let (share, tie) = (odds.percent.share(), odds.correlation.share());
        self.after = [share * (1.0 - tie), share + tie * (1.0 - share)];
    }

    pub(crate) fn draw(&mut self) -> bool {
        self.happened = self.chance.happens(self.after[usize::from(self.happened)]);
        self.happened
    }

    /// The stream itself, for a choice that goes with the event.
    pub(crate) fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }
}

/// Two numbers made into one in which every bit depends on every bit of both (SplitMix64's finish, twice).
pub(crate) fn mix(seed: u64, purpose: u64) -> u64 {
    finish(finish(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ purpose)
}

fn finish(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart, from the published description of xoshiro256++ and SplitMix64.
    const PINNED: [u64; 3] = [15_575_224_149_540_505_585, 1_114_286_940_846_751_416, 571_563_255_445_826_928];

    #[test]
    fn the_numbers_are_pinned() {
        let mut chance = Chance::new(42, 7);
        let drawn: Vec<u64> = (0..3).map(|_| chance.bits()).collect();
        assert_eq!(drawn, PINNED);
    }

    #[test]
    fn purposes_do_not_share_a_stream() {
        assert_ne!(Chance::new(1, 0).bits(), Chance::new(1, 1).bits());
        assert_ne!(Chance::new(1, 0).bits(), Chance::new(2, 0).bits());
    }

    #[test]
    fn bursts_have_the_share_and_length_asked_for() {
        let mut coin = Coin::new(Odds::bursts(Percent::of(1.0), 3.0), Chance::new(5, 0));
        let drawn: Vec<bool> = (0..2_000_000).map(|_| coin.draw()).collect();
        let hits = drawn.iter().filter(|hit| **hit).count() as f64;
        let runs = drawn.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        assert!((hits / runs - 3.0).abs() < 0.06, "mean run {}", hits / runs);
        assert!((hits / 20_000.0 - 1.0).abs() < 0.03, "share {} %", hits / 20_000.0);
    }
}
