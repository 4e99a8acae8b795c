//! A recorded link replayed: moments at which it could send (mahimahi's trace format).

use crate::Bitrate;
use std::sync::Arc;

/// The opportunities of a recorded link, which repeat when they end.
///
/// The format is mahimahi's: one whole number of milliseconds a line, never falling, the last above zero; each line is
/// an opportunity to send 1504 bytes (a packet of 1500 and a header), which several small packets share and a packet
/// too long for one continues in the next. What an opportunity finds no packet for is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    name: Arc<str>,
    at: Arc<[u32]>,
}

/// Why a trace was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A line is not a number of milliseconds.
    #[error("line {line}: {text:?} is not a whole number of milliseconds")]
    Number {
        /// The line, counted from one.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Time goes back.
    #[error("line {0}: time goes back")]
    Backwards(usize),
    /// A trace with no length cannot repeat.
    #[error("the trace must end later than at 0 ms")]
    NoLength,
}

impl Replay {
    /// Reads a trace; blank lines are skipped.
    pub fn parse(name: &str, text: &str) -> Result<Replay, ReplayError> {
        let mut at: Vec<u32> = Vec::new();
        for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = line + 1;
            let ms = text.trim().parse().map_err(|_| ReplayError::Number { line, text: text.into() })?;
            if at.last().is_some_and(|last| *last > ms) {
                return Err(ReplayError::Backwards(line));
            }
            at.push(ms);
        }
        if at.last().is_none_or(|last| *last == 0) {
            return Err(ReplayError::NoLength);
        }
        Ok(Replay { name: name.into(), at: at.into() })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The mean rate over the whole trace.
    pub fn rate(&self) -> Bitrate {
        Bitrate(self.at.len() as u64 * u64::from(PER_OPPORTUNITY) * 8_000 / self.period_ms())
    }

    fn period_ms(&self) -> u64 {
        self.at.last().map_or(1, |last| u64::from(*last).max(1))
    }
}

/// A [`Replay`] at work.
#[derive(Clone, Debug)]
pub(crate) struct Opportunities {
    replay: Replay,
    now: Place,
    before: Place,
}

/// An opportunity, and how much of it is left.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    turn: u64,
    index: usize,
    left: u32,
}

impl Opportunities {
    pub(crate) fn new(replay: &Replay) -> Opportunities {
        let now = Place { left: PER_OPPORTUNITY, ..Place::default() };
        Opportunities { replay: replay.clone(), now, before: now }
    }

    /// Whether this replays `replay`.
    pub(crate) fn plays(&self, replay: &Replay) -> bool {
        self.replay == *replay
    }

    /// Uses the opportunities from `now` on for `bytes`, and says at which the last byte leaves.
    pub(crate) fn take(&mut self, now: u64, bytes: u32) -> u64 {
        self.before = self.now;
        self.skip_to(now);
        let mut missing = bytes;
        while missing > self.now.left {
            missing -= self.now.left;
            self.advance();
        }
        self.now.left -= missing;
        self.time(self.now)
    }

    /// Puts back what the last packet used.
    pub(crate) fn give_back(&mut self) {
        self.now = self.before;
    }

    /// Drops the opportunities before `now`.
    fn skip_to(&mut self, now: u64) {
        if self.time(self.now) >= now {
            return;
        }
        let period = self.replay.period_ms() * MILLISECOND;
        // The end of one turn is the start of the next: what may be sent at that moment is first the end's.
        let (turn, within) = match (now / period, now % period) {
            (turn, 0) if turn > 0 => (turn - 1, period),
            whole => whole,
        };
        let index = self.replay.at.partition_point(|ms| u64::from(*ms) * MILLISECOND < within);
        self.now = Place { turn, index, left: PER_OPPORTUNITY };
    }

    fn advance(&mut self) {
        let index = self.now.index + 1;
        let wraps = index >= self.replay.at.len();
        self.now = Place {
            turn: self.now.turn + u64::from(wraps),
            index: if wraps { 0 } else { index },
            left: PER_OPPORTUNITY,
        };
    }

    fn time(&self, place: Place) -> u64 {
        let within = self.replay.at.get(place.index).map_or(0, |ms| u64::from(*ms));
        place.turn.saturating_mul(self.replay.period_ms()).saturating_add(within).saturating_mul(MILLISECOND)
    }
}

/// What mahimahi's shells send at one opportunity.
const PER_OPPORTUNITY: u32 = 1_504;
const MILLISECOND: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = MILLISECOND;

    fn opportunities(text: &str) -> Opportunities {
        Opportunities::new(&Replay::parse("t", text).unwrap())
    }

    #[test]
    fn one_opportunity_a_millisecond_is_12_megabits() {
        let mut each = opportunities("1");
        let times: Vec<u64> = (0..5).map(|_| each.take(0, 1_500)).collect();
        assert_eq!(times, [MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS]);
        assert_eq!(Replay::parse("t", "1").unwrap().rate(), Bitrate(12_032_000));
    }

    #[test]
    fn an_opportunity_drains_small_packets_and_a_long_one_takes_several() {
        let mut some = opportunities("5\n5\n20");
        assert_eq!((some.take(0, 700), some.take(0, 700), some.take(0, 700)), (5 * MS, 5 * MS, 5 * MS));
        assert_eq!((some.take(0, 908), some.take(0, 1), some.take(0, 1_504)), (5 * MS, 20 * MS, 25 * MS));
    }

    #[test]
    fn what_finds_no_packet_is_gone_and_the_trace_repeats() {
        let mut some = opportunities("0\n3\n10");
        assert_eq!(some.take(4 * MS, 100), 10 * MS);
        // At the seam: the end's opportunity, the start's, then the one at 13 ms.
        let at_seam: Vec<u64> = (0..3).map(|_| some.take(10 * MS, 1_404)).collect();
        assert_eq!(at_seam, [10 * MS, 10 * MS, 13 * MS]);
        assert_eq!(some.take(1_000_001 * MS, 1), 1_000_003 * MS);
        some.give_back();
        assert_eq!(some.take(14 * MS, 1_404), 20 * MS);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let wrong = |text| Replay::parse("t", text).unwrap_err();
        assert_eq!(wrong("1\n\nx"), ReplayError::Number { line: 3, text: "x".into() });
        assert_eq!(wrong("5\n4"), ReplayError::Backwards(2));
        assert_eq!((wrong("0\n0"), wrong("")), (ReplayError::NoLength, ReplayError::NoLength));
        assert!(matches!(wrong("-1"), ReplayError::Number { .. }));
    }
}
