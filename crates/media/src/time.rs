//! When a frame happens: ticks of a track's own timebase, never floating point.

use std::time::Duration;

/// How long one tick lasts: `num / den` seconds.
///
/// ```
/// use levada_media::{Timebase, Timestamp};
/// let opus = Timebase::hz(48_000);
/// assert_eq!(opus.duration(Timestamp(24_000)).as_millis(), 500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timebase {
    /// Numerator of a tick in seconds; never zero.
    pub num: u32,
    /// Denominator of a tick in seconds; never zero.
    pub den: u32,
}

impl Timebase {
    /// Milliseconds: FLV, RTMP and WebM with its default scale.
    pub const MILLIS: Timebase = Timebase { num: 1, den: 1_000 };
    /// 90 kHz: MPEG-TS and RTP video.
    pub const MPEG: Timebase = Timebase { num: 1, den: 90_000 };

    /// One tick per sample at `rate` Hz. A rate of zero is taken as 1 Hz.
    pub const fn hz(rate: u32) -> Timebase {
        Timebase { num: 1, den: if rate == 0 { 1 } else { rate } }
    }

    /// `at` as time since the track's zero; times before zero give zero, times too large saturate.
    pub fn duration(self, at: Timestamp) -> Duration {
        let ticks = u128::try_from(at.0).unwrap_or(0);
        let nanos = ticks * u128::from(self.num) * 1_000_000_000 / u128::from(self.den.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// `time` in ticks of this timebase, rounded down.
    pub fn ticks(self, time: Duration) -> Timestamp {
        let ticks = time.as_nanos() * u128::from(self.den) / (u128::from(self.num.max(1)) * 1_000_000_000);
        Timestamp(i64::try_from(ticks).unwrap_or(i64::MAX))
    }
}

/// A moment on a track, in ticks of its [`Timebase`], unwrapped: it never jumps back by a counter's width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// How long a frame lasts, in ticks of its track's [`Timebase`]; zero where the container does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl std::ops::Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_durations_agree() {
        for ms in [0u64, 1, 999, 86_400_000] {
            let time = Duration::from_millis(ms);
            assert_eq!(Timebase::MPEG.duration(Timebase::MPEG.ticks(time)), time);
        }
    }

    #[test]
    fn extremes_saturate_instead_of_panicking() {
        assert_eq!(Timebase::hz(0).duration(Timestamp(-5)), Duration::ZERO);
        assert!(Timebase::hz(1).duration(Timestamp(i64::MAX)) > Duration::from_secs(1 << 30));
    }
}
