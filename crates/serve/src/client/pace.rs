//! When to send the pages of a file, so that it arrives as if it were live.

use std::time::Duration;
use tokio::time::Instant;

/// Turns media time into sending time: real time, a little ahead of it, without drift. Whoever is late catches up; after
/// a long pause (a sleeping machine) or a jump of the media time it goes on from there instead.
#[derive(Clone, Debug)]
pub struct Pacer {
    lead: Duration,
    anchor: Option<Anchor>,
    /// Another stream begins with the next page that has a time.
    anew: bool,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// When the media time `from` is due without the lead.
    real: Instant,
    from: Duration,
    /// The media time seen last.
    last: Duration,
}

impl Pacer {
    /// The first `lead` of the media is sent at once, and all the rest as much earlier than real time.
    pub fn new(lead: Duration) -> Pacer {
        Pacer { lead, anchor: None, anew: false }
    }

    /// Another stream follows, whose time begins anew. Without this it is noticed by a jump of the time.
    pub fn restart(&mut self) {
        self.anew = true;
    }

    /// When a page that ends at the media time `at` is to be sent. A page without time is due with the one before it.
    pub fn due(&mut self, now: Instant, at: Option<Duration>) -> Instant {
        let Some(at) = at else {
            return self.anchor.map_or(now, |anchor| self.early(anchor.at(anchor.last), now));
        };
        let anew = std::mem::take(&mut self.anew);
        let anchor = match self.anchor {
            None => Anchor { real: now, from: at, last: at },
            Some(anchor) if anew => anchor.jump(at),
            Some(anchor) if at + BACK < anchor.last || at > anchor.last + LEAP => anchor.jump(at),
            Some(anchor) => Anchor { last: anchor.last.max(at), ..anchor },
        };
        let late = now.saturating_duration_since(anchor.at(at));
        let anchor = if late > PAUSE { Anchor { real: now, from: at, last: at } } else { anchor };
        self.anchor = Some(anchor);
        self.early(anchor.at(at), now)
    }

    fn early(&self, real: Instant, now: Instant) -> Instant {
        real.checked_sub(self.lead).map_or(now, |due| due.max(now))
    }
}

impl Anchor {
    fn at(&self, at: Duration) -> Instant {
        self.real + at.saturating_sub(self.from)
    }

    /// Another stream begins where the last page ended. Its time counts from zero where that can be, so that its first
    /// page lasts as long as it says.
    fn jump(&self, at: Duration) -> Anchor {
        let from = if at <= FIRST_PAGE { Duration::ZERO } else { at };
        Anchor { real: self.at(self.last), from, last: at }
    }
}

/// Multiplexed tracks step back by less than this.
const BACK: Duration = Duration::from_secs(2);
/// No two neighbouring pages are as far apart.
const LEAP: Duration = Duration::from_secs(10);
/// No first page lasts longer.
const FIRST_PAGE: Duration = Duration::from_secs(5);
/// Later than this nobody wants to catch up: listeners' queues hold no more.
const PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn pages_go_out_in_real_time_after_the_lead() {
        let (start, mut pacer) = (Instant::now(), Pacer::new(ms(300)));
        let due: Vec<_> =
            (1..=10).map(|n| pacer.due(start, Some(ms(n * 100))).duration_since(start).as_millis()).collect();
        assert_eq!(due, [0, 0, 0, 0, 100, 200, 300, 400, 500, 600]);
    }

    #[test]
    fn the_late_catch_up_and_do_not_drift() {
        let (start, mut pacer) = (Instant::now(), Pacer::new(ms(0)));
        pacer.due(start, Some(ms(0)));
        assert_eq!(pacer.due(start + ms(5_000), Some(ms(1_000))), start + ms(5_000), "at once");
        assert_eq!(pacer.due(start + ms(5_000), Some(ms(6_000))), start + ms(6_000), "on time again");
    }

    #[test]
    fn after_a_long_pause_it_goes_on_from_there() {
        let (start, mut pacer) = (Instant::now(), Pacer::new(ms(0)));
        pacer.due(start, Some(ms(0)));
        let woken = start + ms(3_600_000);
        pacer.due(woken, Some(ms(100)));
        assert_eq!(pacer.due(woken, Some(ms(300))), woken + ms(200));
    }

    #[test]
    fn a_second_file_begins_where_the_first_ended() {
        let (start, mut pacer) = (Instant::now(), Pacer::new(ms(0)));
        pacer.due(start, Some(ms(0)));
        pacer.due(start, Some(ms(8_000)));
        assert_eq!(pacer.due(start, Some(ms(1_000))), start + ms(9_000));
        assert_eq!(pacer.due(start, Some(ms(2_000))), start + ms(10_000));
    }

    #[test]
    fn a_short_file_that_is_followed_by_another_is_not_sent_at_once() {
        let (start, mut pacer) = (Instant::now(), Pacer::new(ms(0)));
        let mut due = Vec::new();
        for _ in 0..3 {
            pacer.restart();
            due.extend(
                (1..=2).map(|n| pacer.due(start, Some(ms(n * 1_000))).duration_since(start).as_secs()),
            );
        }
        assert_eq!(due, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_page_without_time_goes_with_the_one_before() {
        let (start, mut pacer) = (Instant::now(), Pacer::new(ms(0)));
        assert_eq!(pacer.due(start, None), start);
        pacer.due(start, Some(ms(0)));
        pacer.due(start, Some(ms(500)));
        assert_eq!(pacer.due(start, None), start + ms(500));
    }
}
