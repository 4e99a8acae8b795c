//! How long what is made waits for more of it: a write costs per player, not per byte.

use levada_media::Page;
use std::time::{Duration, Instant};

/// When the pages of a rendition are handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Merge {
    /// Sound rides with the next picture, for 50 ms at most; pictures never wait. The default.
    #[default]
    Pictures,
    /// All that was made in this time goes together.
    Within(Duration),
    /// Each page at once.
    Never,
}

/// Pages that wait. Holds [`MOST`] bytes and a little more; then they go whatever was said.
#[derive(Debug)]
pub(super) struct Held {
    merge: Merge,
    pages: Vec<Page>,
    bytes: usize,
    since: Option<Instant>,
}

impl Merge {
    /// The way that suits who would wait this long for a page; one of a few, since each is a rendition of its own.
    pub fn within(wish: Duration) -> Merge {
        let steps = STEPS.map(Duration::from_millis);
        match steps.into_iter().rev().find(|step| *step <= wish) {
            Some(step) => Merge::Within(step),
            None => Merge::Never,
        }
    }
}

impl Held {
    pub(super) fn new(merge: Merge) -> Held {
        Held { merge, pages: Vec::new(), bytes: 0, since: None }
    }

    /// Takes `pages` that were made at `now`; gives all that is to be handed out. `urgent` are those with a picture, or
    /// of a stream without any.
    pub(super) fn take(
        &mut self,
        pages: impl Iterator<Item = Page>,
        urgent: bool,
        now: Instant,
    ) -> Option<Vec<Page>> {
        self.pages.extend(pages.inspect(|page| self.bytes += page.bytes.len()));
        if self.pages.is_empty() {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let over = self.bytes >= MOST || self.wait().is_none_or(|wait| now >= since + wait);
        let goes = over || self.merge == Merge::Pictures && urgent;
        goes.then(|| self.all())
    }

    /// All that waits.
    pub(super) fn all(&mut self) -> Vec<Page> {
        (self.bytes, self.since) = (0, None);
        std::mem::take(&mut self.pages)
    }

    /// When what waits has waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        Some(self.since? + self.wait()?)
    }

    fn wait(&self) -> Option<Duration> {
        match self.merge {
            Merge::Pictures => Some(PATIENCE),
            Merge::Within(time) => Some(time),
            Merge::Never => None,
        }
    }
}

/// At 20 pictures a second and more no sound waits this long.
const PATIENCE: Duration = Duration::from_millis(50);
const STEPS: [u64; 5] = [50, 100, 250, 500, 1_000];
const MOST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use levada_media::Role;

    fn take(held: &mut Held, urgent: bool, now: Instant) -> usize {
        let page = Page::new(Bytes::from_static(b"page"), Role::Plain);
        held.take([page].into_iter(), urgent, now).map_or(0, |pages| pages.len())
    }

    #[test]
    fn sound_rides_with_the_next_picture_or_goes_when_none_comes() {
        let (mut held, now) = (Held::new(Merge::Pictures), Instant::now());
        assert_eq!([take(&mut held, false, now), take(&mut held, false, now)], [0, 0]);
        assert_eq!(take(&mut held, true, now), 3);
        assert_eq!((take(&mut held, false, now), held.due()), (0, Some(now + PATIENCE)));
        assert_eq!(take(&mut held, false, now + PATIENCE), 2);
        assert_eq!(held.due(), None);
    }

    #[test]
    fn other_ways_wait_for_a_time_or_not_at_all() {
        let now = Instant::now();
        let mut held = Held::new(Merge::within(Duration::from_millis(120)));
        assert_eq!(take(&mut held, true, now), 0);
        assert_eq!(take(&mut held, true, now + Duration::from_millis(100)), 2);
        let mut held = Held::new(Merge::within(Duration::from_millis(10)));
        assert_eq!(take(&mut held, false, now), 1);
    }
}
