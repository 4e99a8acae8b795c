//! What one hears of another, told to it once a second; and how much one says, so that it comes through to all.

use std::time::{Duration, Instant};

/// What came of one's frames, six bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Frames that were said since the last report.
    pub said: u16,
    /// How many of them came.
    pub came: u16,
    /// How much later than at best even the earliest of the last ones came, in tenths of a millisecond: what a queue does.
    pub queue: u16,
}

/// Counts what comes of one of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// The highest counter, and the one at the last report.
    highest: Option<u32>,
    reported: u32,
    came: u16,
}

/// How much one says: less when frames do not come through, or wait in a queue; slowly more when they do.
#[derive(Debug)]
pub struct Pace {
    most: f64,
    rate: f64,
    /// Where it was too much before; forgotten slowly.
    ceiling: f64,
    /// When it was made less, and when something was wrong.
    lessened: Option<Instant>,
    wrong: Option<Instant>,
    grown: Option<Instant>,
    starved: bool,
}

impl Report {
    /// Bytes.
    pub const LENGTH: usize = 6;

    pub fn write(self, out: &mut Vec<u8>) {
        for half in [self.said, self.came, self.queue] {
            out.extend_from_slice(&half.to_be_bytes());
        }
    }

    pub fn read(bytes: &[u8]) -> Option<Report> {
        let bytes: &[u8; Report::LENGTH] = bytes.try_into().ok()?;
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Some(Report { said: half(0), came: half(2), queue: half(4) })
    }

    /// The share that came of all that these say.
    pub fn share(all: &[Report]) -> f64 {
        let sum = |count: fn(&Report) -> u16| all.iter().map(|report| f64::from(count(report))).sum::<f64>();
        sum(|report| report.came.min(report.said)) / sum(|report| report.said).max(1.0)
    }

    /// The same, as if no more than this share had come.
    pub fn at_most(self, share: f64) -> Report {
        let most = (f64::from(self.said) * share).ceil() as u16;
        Report { came: self.came.min(most), ..self }
    }

    /// The share that did not come.
    fn loss(self) -> f64 {
        1.0 - f64::from(self.came.min(self.said)) / f64::from(self.said.max(1))
    }
}

impl Tally {
    /// A frame came.
    pub fn note(&mut self, counter: u32) {
        self.came = self.came.saturating_add(1);
        match self.highest {
            None => (self.highest, self.reported) = (Some(counter), counter.wrapping_sub(1)),
            Some(highest) if (counter.wrapping_sub(highest) as i32) > 0 => self.highest = Some(counter),
            Some(_) => {}
        }
    }

    /// What came since the last report, of which the earliest waited so many seconds.
    pub fn report(&mut self, queue: f64) -> Option<Report> {
        let highest = self.highest?;
        let said = highest.wrapping_sub(self.reported).min(u32::from(u16::MAX)) as u16;
        let came = std::mem::take(&mut self.came);
        self.reported = highest;
        Some(Report { said, came, queue: (queue * 1e4) as u16 }) // saturates
    }
}

impl Pace {
    /// At most so many bits a second.
    pub fn new(most: u32) -> Pace {
        let most = f64::from(most);
        Pace {
            most,
            rate: most,
            ceiling: f64::INFINITY,
            lessened: None,
            wrong: None,
            grown: None,
            starved: false,
        }
    }

    /// Bits a second of sound.
    pub fn bits(&self) -> u32 {
        self.rate as u32
    }

    /// Whether so little comes through that what is around each frame counts: frames are to be longer.
    pub fn is_starved(&self) -> bool {
        self.starved
    }

    /// One of the others tells what came.
    pub fn report(&mut self, now: Instant, report: Report) {
        if report.said < FEW || report.loss() < MUCH && report.queue < LONG {
            return;
        }
        self.wrong = Some(now);
        if self.lessened.is_none_or(|at| now.duration_since(at) >= AGAIN) {
            self.ceiling = self.rate;
            self.rate = (LESS * self.rate).max(LEAST.min(self.most));
            self.lessened = Some(now);
            self.starved |= self.rate < STARVED;
        }
    }

    /// Time goes on.
    pub fn wake(&mut self, now: Instant) {
        let seconds = now.duration_since(*self.grown.get_or_insert(now)).as_secs_f64().min(1.0);
        if seconds < 0.1 {
            return;
        }
        self.grown = Some(now);
        if self.wrong.is_some_and(|at| now.duration_since(at) < CALM) {
            return;
        }
        let quickly = self.rate < 0.8 * self.ceiling;
        self.rate = (self.rate * (1.0 + seconds * if quickly { 0.06 } else { 0.01 })).min(self.most);
        self.ceiling *= 1.0 + 0.02 * seconds;
        self.starved &= self.rate < FED;
    }
}

/// Reports of fewer frames say nothing.
const FEW: u16 = 10;
/// So many lost are too many: what concealment hides is less.
const MUCH: f64 = 0.08;
/// So long a queue is too long, in tenths of a millisecond.
const LONG: u16 = 600;
const LESS: f64 = 0.75;
/// Bits a second that are always said.
const LEAST: f64 = 20_000.0;
/// What was made less is heard of so long after.
const AGAIN: Duration = Duration::from_millis(2_200);
/// So long all is to be well before more is said.
const CALM: Duration = Duration::from_secs(5);
/// Bits a second below which frames are longer, and above which they are as before.
const STARVED: f64 = 56_000.0;
const FED: f64 = 76_000.0;

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // where a test begins
mod tests {
    use super::*;

    #[test]
    fn what_came_is_counted_also_where_the_counter_wraps() {
        let mut tally = Tally::default();
        assert_eq!(tally.report(0.0), None);
        let begin = u32::MAX - 50;
        (0..100_u32).filter(|n| n % 10 != 3).for_each(|n| tally.note(begin.wrapping_add(n)));
        assert_eq!(tally.report(0.05), Some(Report { said: 100, came: 90, queue: 500 }));
        assert_eq!(tally.report(9.0), Some(Report { said: 0, came: 0, queue: u16::MAX }));
        let mut bytes = Vec::new();
        let report = Report { said: 1, came: 2, queue: 3 };
        report.write(&mut bytes);
        assert_eq!((Report::read(&bytes), Report::read(&bytes[1..])), (Some(report), None));
    }

    #[test]
    fn less_is_said_where_it_does_not_come_through_and_as_much_as_before_later() {
        let (mut pace, mut now) = (Pace::new(96_000), Instant::now());
        let mut second = |pace: &mut Pace, came| {
            now += Duration::from_secs(1);
            pace.report(now, Report { said: 100, came, queue: 0 });
            pace.wake(now);
        };
        (0..60).for_each(|_| second(&mut pace, 95));
        assert_eq!((pace.bits(), pace.is_starved()), (96_000, false), "a few are lost always");
        (0..30).for_each(|_| second(&mut pace, 50));
        assert!(pace.bits() == 20_000 && pace.is_starved(), "{pace:?}");
        (0..20).for_each(|_| second(&mut pace, 100));
        let soon = pace.bits();
        assert!(soon > 20_000 && soon < 40_000, "{soon}");
        (0..1_000).for_each(|_| second(&mut pace, 100));
        assert!(pace.bits() == 96_000 && !pace.is_starved());
    }
}
