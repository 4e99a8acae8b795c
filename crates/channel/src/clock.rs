//! How much media time has passed, over a clock that jumps where streams restart.

use std::time::Duration;

/// Adds up media time. Streams restart, chain and interleave their tracks, so that time stamps repeat, jump and go
/// back a little; the sum here never goes back, and a jump adds nothing.
///
/// ```
/// use levada_channel::MediaClock;
/// use std::time::Duration;
/// let mut clock = MediaClock::default();
/// for ms in [500, 1_000, 980, 1_500, 20, 520] {
///     clock.tell(Duration::from_millis(ms));
/// }
/// assert_eq!(clock.passed(), Duration::from_millis(1_500), "one second, then half a second after the restart");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MediaClock {
    newest: Option<Duration>,
    passed: Duration,
    running: bool,
}

impl MediaClock {
    /// Takes the time stamp of the next item; gives the time that has passed.
    pub fn tell(&mut self, at: Duration) -> Duration {
        self.running = true;
        match self.newest {
            Some(newest) if at >= newest => {
                let step = at - newest;
                self.newest = Some(at);
                if step <= JUMP {
                    self.passed = self.passed.saturating_add(step);
                }
            }
            Some(newest) if newest - at <= INTERLEAVE => {}
            _ => self.newest = Some(at),
        }
        self.passed
    }

    /// What comes next is of another stream, whose time says nothing about this one's.
    pub fn restart(&mut self) {
        self.newest = None;
    }

    /// The time that has passed.
    pub fn passed(&self) -> Duration {
        self.passed
    }

    /// Whether any item had a time stamp.
    pub fn is_running(&self) -> bool {
        self.running
    }
}

/// A step further than this is another stream, not a long pause: no page of a live stream lasts longer.
const JUMP: Duration = Duration::from_secs(30);
/// Tracks of one stream are interleaved within about a second (the muxers' own limit: ffmpeg's is 10 s for sparse
/// tracks, but 1 s for sound and pictures).
const INTERLEAVE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn interleaved_tracks_do_not_count_twice() {
        let mut clock = MediaClock::default();
        for at in [0, 40, 20, 80, 60, 120, 100] {
            clock.tell(ms(at));
        }
        assert_eq!(clock.passed(), ms(120));
    }

    #[test]
    fn a_stream_that_begins_late_begins_at_zero() {
        let mut clock = MediaClock::default();
        assert!(!clock.is_running());
        clock.tell(ms(3_600_000));
        clock.tell(ms(3_600_100));
        assert_eq!(clock.passed(), ms(100));
    }

    #[test]
    fn jumps_in_either_direction_add_nothing() {
        let mut clock = MediaClock::default();
        for at in [0, 1_000, 900_000, 901_000, 5, 1_005] {
            clock.tell(ms(at));
        }
        assert_eq!(clock.passed(), ms(3_000));
        clock.tell(Duration::MAX);
        clock.tell(Duration::ZERO);
        assert_eq!(clock.passed(), ms(3_000));
    }
}
