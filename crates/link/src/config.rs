//! What a link is: every parameter, each with its default.

use crate::chance::Odds;
use crate::loss::Loss;
use crate::outage::Outages;
use crate::queue::{Discipline, Room};
use crate::serial::Overhead;
use crate::slots::{Pause, Slots};
use crate::units::nanos;
use crate::{Bitrate, Bucket, Distribution, Percent, Replay};
use std::time::Duration;

/// An emulated one-way path: duplication, loss and corruption; then a queue before a rate, a bucket or a trace; then
/// delay, jitter and reordering; then slots. The default is a perfect wire.
///
/// It is written `rate=10mbit delay=10ms±2ms loss=1%` or in tc's words, `netem delay 10ms 2ms loss 1%`; both read
/// with [`str::parse`] and as a string in any serde format, and its `Display` is the former. A table with the same
/// keys (`{ rate = "10mbit", delay = "10ms" }`) reads as well.
///
/// ```
/// use levada_link::{Bitrate, LinkConfig};
/// let link: LinkConfig = "rate=10mbit delay=10ms±2ms loss=1%~25%".parse()?;
/// assert_eq!(link.rate, Some(Bitrate::mbps(10)));
/// assert_eq!(link.to_string(), "rate=10mbit delay=10ms±2ms loss=1%~25%");
/// let seminar: LinkConfig = "netem delay 100ms 100ms 25% distribution normal".parse()?;
/// assert_eq!(seminar.to_string(), "delay=100ms±100ms~25% distribution=normal");
/// # Ok::<(), levada_link::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkConfig {
    /// How fast the link sends; `None` for at once.
    pub rate: Option<Bitrate>,
    /// What the wire adds to each packet's length.
    pub overhead: Overhead,
    /// A token bucket beside, or instead of, the rate.
    pub bucket: Option<Bucket>,
    /// A recorded link beside, or instead of, the rate.
    pub trace: Option<Replay>,
    /// How many packets wait for all those; a thousand.
    pub queue: Room,
    /// Who leaves the queue.
    pub discipline: Discipline,
    /// How long the way is.
    pub delay: Duration,
    /// How far delays scatter; uniform: up to as much on either side, otherwise the standard deviation.
    pub jitter: Duration,
    /// How much a delay resembles the one before: the lag-1 autocorrelation.
    pub correlation: Percent,
    /// How delays are distributed.
    pub distribution: Distribution,
    /// Whether jitter may reorder packets; `None`: where there is no rate, as netem.
    pub order: Option<Order>,
    /// Which packets are lost.
    pub loss: Loss,
    /// Marks congestion on packets instead of losing them.
    pub ecn: bool,
    /// Which packets come twice.
    pub duplicate: Odds,
    /// In which packets one bit is flipped.
    pub corrupt: Odds,
    /// Which packets skip the delay.
    pub reorder: Option<Reorder>,
    /// Release in bunches.
    pub slots: Option<Slots>,
    /// When the link is down.
    pub outages: Outages,
    /// Whether the words mean what they say, or what the kernel does.
    pub compat: Compat,
    /// The seed of this link's chance, in place of the one it is given.
    pub seed: Option<u64>,
}

/// Whether packets may overtake each other by jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A packet waits for those before it.
    Keep,
    /// Each for itself.
    Free,
}

/// Which packets skip the delay and so overtake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorder {
    /// The share of those that may.
    pub odds: Odds,
    /// Only every `gap`th packet may; one for any.
    pub gap: u32,
}

/// Whose arithmetic a link follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// What the words mean: correlations correlate, distributions have their deviation, the queue is the bottleneck's.
    #[default]
    Physical,
    /// What Linux's netem does, bit for bit of its integer arithmetic: correlation makes rare events vanish and leaves
    /// delays untied, tables are clipped, `queue` counts packets in the delay line too. Only netem's own parameters
    /// are allowed, and the queue is in packets.
    Netem,
}

/// Why a link's description was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A quantity does not read.
    #[error("{key}: {why}")]
    Unit {
        /// The key it stands at.
        key: String,
        /// What is wrong with it.
        #[source]
        why: crate::UnitError,
    },
    /// A key that is not ours.
    #[error("unknown key {key:?}{}", .nearest.map_or(String::new(), |n| format!("; did you mean {n:?}?")))]
    Key {
        /// What was written.
        key: String,
        /// The key it resembles.
        nearest: Option<&'static str>,
    },
    /// A value that is not one of the words its key takes.
    #[error("{key}: {value:?} is not {expected}")]
    Value {
        /// The key it stands at.
        key: String,
        /// What was written.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// A key twice.
    #[error("{0} is given twice")]
    Twice(String),
    /// A distribution or trace by a name that stands for nothing here.
    #[error("there is no {what} {name:?} here")]
    Missing {
        /// `distribution` or `trace`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Impossible(&'static str),
    /// tc's words were refused as tc refuses them.
    #[error("{}", .0.message())]
    Tc(#[from] crate::tc::Refusal),
}

impl LinkConfig {
    /// A wire with this rate and delay.
    pub fn wire(rate: Bitrate, delay: Duration) -> LinkConfig {
        LinkConfig { rate: Some(rate), delay, ..LinkConfig::default() }
    }

    /// Whether packets pass unchanged and at once.
    pub fn is_perfect(&self) -> bool {
        self.is_unlimited()
            && (self.delay, self.jitter) == (Duration::ZERO, Duration::ZERO)
            && !matches!(self.distribution, Distribution::Measured(_))
            && self.loss == Loss::None
            && (self.duplicate.percent, self.corrupt.percent) == (Percent::ZERO, Percent::ZERO)
            && self.slots.is_none()
    }

    /// Refuses values that do not go together, each with the reason.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bucket = self.bucket.as_ref();
        let slots_backwards = matches!(&self.slots, Some(Slots { pause: Pause::Between(a, b), .. }) if a > b);
        let beyond_netem = self.compat == Compat::Netem && !self.is_netem();
        let problems = [
            (self.rate == Some(Bitrate(0)), "a rate of nothing never sends; use outages to take a link down"),
            (bucket.is_some_and(|b| b.rate.0 == 0), "a bucket needs a rate"),
            (bucket.is_some_and(|b| b.burst.0 == 0), "a bucket needs a burst of at least one packet"),
            (
                bucket.is_some_and(|b| b.peak.is_some_and(|p| p.rate < b.rate)),
                "a bucket's peak rate cannot be below its rate",
            ),
            (
                bucket.is_some_and(|b| b.peak.is_some_and(|p| p.mtu.0 == 0)),
                "a bucket's peak rate needs the mtu, at least one packet",
            ),
            (self.reorder.is_some_and(|r| r.gap == 0), "a gap counts packets from one"),
            (
                self.reorder.is_some() && self.delay.is_zero(),
                "reordering lets packets skip the delay, so there must be one",
            ),
            (slots_backwards, "the longest pause between slots is shorter than the shortest"),
            (self.longest_wait() > MOST, "a delay cannot exceed a year"),
            (
                beyond_netem,
                "netem has no bucket, trace, outage, loss list or queue management, and counts packets",
            ),
        ];
        match problems.iter().find(|(wrong, _)| *wrong) {
            Some((_, why)) => Err(ConfigError::Impossible(why)),
            None => Ok(()),
        }
    }

    /// The longest of the times that packets are made to wait on purpose.
    fn longest_wait(&self) -> u64 {
        let pause = match self.slots.as_ref().map(|slots| &slots.pause) {
            None => Duration::ZERO,
            Some(Pause::Between(_, most)) => *most,
            Some(Pause::Scattered { delay, jitter, .. }) => *delay.max(jitter),
        };
        [self.delay, self.jitter, pause].into_iter().map(nanos).max().unwrap_or_default()
    }

    /// Whether netem has words for all of it.
    pub(crate) fn is_netem(&self) -> bool {
        self.bucket.is_none()
            && self.trace.is_none()
            && self.outages == Outages::default()
            && self.discipline == Discipline::DropTail
            && matches!(self.queue, Room::Packets(_))
            && !matches!(self.loss, Loss::List(_))
    }

    /// Whether packets may overtake each other by jitter.
    pub(crate) fn keeps_order(&self) -> bool {
        match self.order {
            Some(order) => order == Order::Keep,
            None => !self.is_unlimited(),
        }
    }

    fn is_unlimited(&self) -> bool {
        self.rate.is_none()
            && self.bucket.is_none()
            && self.trace.is_none()
            && self.outages == Outages::default()
    }

    /// The lowest of the rates, for a queue in time.
    pub(crate) fn slowest(&self) -> Option<Bitrate> {
        let rates = [self.rate, self.bucket.map(|bucket| bucket.rate), self.trace.as_ref().map(Replay::rate)];
        rates.into_iter().flatten().min()
    }
}

/// A year, in nanoseconds: sums of it and a jitter of it never reach the largest time.
const MOST: u64 = 366 * 86_400 * 1_000_000_000;
