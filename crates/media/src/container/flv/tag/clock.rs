//! Makes the 32-bit milliseconds of tags a time that never wraps and never starts again.

use crate::Timestamp;

/// Unwraps 32-bit milliseconds: each value is taken as the one nearest to the last.
///
/// They wrap after 49.7 days; steps back, as between interleaved tracks, stay steps back.
///
/// ```
/// use levada_media::{Timestamp, container::flv::tag::Unwrap};
/// let mut clock = Unwrap::default();
/// assert_eq!(clock.unwrap(u32::MAX), Timestamp(4_294_967_295));
/// assert_eq!(clock.unwrap(20), Timestamp(4_294_967_316));
/// assert_eq!(clock.unwrap(u32::MAX - 3), Timestamp(4_294_967_292));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrap {
    last: Option<i64>,
}

impl Unwrap {
    /// `raw` as a moment that goes on where the last one was.
    pub fn unwrap(&mut self, raw: u32) -> Timestamp {
        let at = match self.last {
            None => i64::from(raw),
            // the low 32 bits differ by less than half the circle in one of the two directions
            Some(last) => last.saturating_add(i64::from(raw.wrapping_sub(last as u32) as i32)),
        };
        self.last = Some(at);
        Timestamp(at)
    }
}

/// Keeps the time of a stream going on when its source begins again at zero.
///
/// A step back by more than three seconds (more than any interleaving of tracks) is taken as a new beginning and
/// placed right after the newest moment; a new connection says so itself with [`Timeline::restart`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    clock: Unwrap,
    offset: i64,
    newest: Option<i64>,
    restarted: bool,
}

impl Timeline {
    /// The moment of a frame whose tag says `raw`.
    pub fn place(&mut self, raw: u32) -> Timestamp {
        let mut at = self.clock.unwrap(raw).0.saturating_add(self.offset);
        if let Some(newest) = self.newest
            && (self.restarted || at < newest.saturating_sub(INTERLEAVE))
        {
            let next = newest.saturating_add(1);
            self.offset = self.offset.saturating_add(next.saturating_sub(at));
            at = next;
        }
        self.restarted = false;
        self.newest = Some(self.newest.unwrap_or(at).max(at));
        Timestamp(at)
    }

    /// The next frame comes from a source that counts from anew.
    pub fn restart(&mut self) {
        self.clock = Unwrap::default();
        self.restarted = true;
    }

    /// The newest moment so far; zero before the first frame.
    pub fn newest(&self) -> Timestamp {
        Timestamp(self.newest.unwrap_or(0))
    }
}

/// Tracks of one stream are interleaved within one to three seconds.
const INTERLEAVE: i64 = 3_000;
