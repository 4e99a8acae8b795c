//! The last seconds of a rendition as one reactor holds them: bytes side by side, and an index into them.

mod blocks;
mod headers;
mod pressed;
mod titles;

use super::CatchUp;
use blocks::Blocks;
use bytes::Bytes;
use headers::Headers;
use levada_channel::{MediaClock, Start};
use levada_media::{Page, Role};
use pressed::Pressed;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
pub(super) use titles::Title;
use titles::Titles;

/// A log of pages addressed by bytes. Offsets grow for as long as the reel lives; the oldest
/// go. It grows by [`Reel::push`] and shrinks only by [`Reel::evict`], so that whoever owns it can first move those
/// who still stand on what goes.
#[derive(Debug)]
pub(super) struct Reel {
    keep: Keep,
    blocks: Blocks,
    start: u64,
    /// Pages that have gone.
    gone: u64,
    marks: VecDeque<Mark>,
    entries: VecDeque<Entry>,
    headers: Headers,
    titles: Titles,
    pressed: Pressed,
    clock: MediaClock,
    /// Where pages have no time, theirs is when they came.
    began: Instant,
    /// Time at the end.
    now: Duration,
}

/// How much a reel holds: both bounds hold, except that the newest entry stays whatever its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

/// Where a page begins, and the time before it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    offset: u64,
    time: Duration,
}

/// A page at which one may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) offset: u64,
    time: Duration,
    /// The header set to send first.
    set: u64,
}

impl Reel {
    pub(super) fn new(keep: Keep, now: Instant) -> Reel {
        Reel {
            keep,
            blocks: Blocks::default(),
            start: 0,
            gone: 0,
            marks: VecDeque::new(),
            entries: VecDeque::new(),
            headers: Headers::default(),
            titles: Titles::default(),
            pressed: Pressed::default(),
            clock: MediaClock::default(),
            began: now,
            now: Duration::ZERO,
        }
    }

    /// Appends a page that came at `now`.
    pub(super) fn push(&mut self, page: &Page, now: Instant) {
        if let Some(tags) = &page.tags {
            self.titles.push(self.end(), tags);
        }
        if page.bytes.is_empty() {
            return;
        }
        let mark = Mark { offset: self.end(), time: self.now };
        self.headers.see(page, mark.offset);
        if page.role == Role::Entry {
            self.entries.push_back(Entry {
                offset: mark.offset,
                time: mark.time,
                set: self.headers.newest(),
            });
        }
        self.marks.push_back(mark);
        self.blocks.append(&page.bytes);
        self.now = match page.at {
            Some(at) => self.now.max(self.clock.tell(at)),
            None if self.clock.is_running() => self.now,
            None => self.now.max(now.saturating_duration_since(self.began)),
        };
    }

    /// Another channel begins here: its headers are a new set even if the last channel broke off among its own.
    pub(super) fn restart(&mut self) {
        self.headers.close();
        self.clock.restart();
    }

    /// The first offset that is still held.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The offset that the next page will have.
    pub(super) fn end(&self) -> u64 {
        self.blocks.end()
    }

    /// As much from `offset` as lies side by side, up to `limit`; empty where nothing is held.
    pub(super) fn slice(&self, offset: u64, limit: u64) -> &[u8] {
        self.blocks.slice(offset, limit)
    }

    /// The bytes from `offset` to `end`, for one listener alone.
    pub(super) fn copy(&self, offset: u64, end: u64) -> Bytes {
        let mut copy = Vec::new();
        loop {
            let slice = self.slice(offset + copy.len() as u64, end);
            if slice.is_empty() {
                return copy.into();
            }
            copy.extend_from_slice(slice);
        }
    }

    /// Where a newcomer begins; `None` when it must wait for an entry.
    pub(super) fn join(&self, from: Start) -> Option<Entry> {
        match from {
            Start::Live => None,
            Start::Entry => self.newest(),
            Start::Burst { time, bytes } => {
                let newest = self.entries.len().checked_sub(1)?;
                let old = self.entries.partition_point(|entry| self.now - entry.time >= time);
                let far = self.entries.partition_point(|entry| self.end() - entry.offset > bytes as u64);
                self.entries.get(old.saturating_sub(1).max(far).min(newest)).copied()
            }
        }
    }

    /// The newest entry.
    pub(super) fn newest(&self) -> Option<Entry> {
        self.entries.back().copied()
    }

    /// The first entry at or after `offset`.
    pub(super) fn entry_from(&self, offset: u64) -> Option<Entry> {
        self.entries.get(self.entries.partition_point(|entry| entry.offset < offset)).copied()
    }

    /// The end of the page that `offset` lies in; `offset` itself where it lies between two.
    pub(super) fn page_end(&self, offset: u64) -> u64 {
        let next = self.marks.partition_point(|mark| mark.offset < offset);
        self.marks.get(next).map_or(self.end(), |mark| mark.offset)
    }

    /// How many pages began before `offset`, ever.
    pub(super) fn pages_before(&self, offset: u64) -> u64 {
        let held = match offset >= self.end() {
            true => self.marks.len(),
            false => self.marks.partition_point(|mark| mark.offset < offset),
        };
        self.gone + held as u64
    }

    /// The header set that goes before `entry`.
    pub(super) fn header_of(&self, entry: Entry) -> Bytes {
        self.headers.get(entry.set)
    }

    /// The last header set that lies wholly before `offset`: what a listener there was given.
    pub(super) fn header_before(&self, offset: u64) -> Bytes {
        self.headers.before(offset)
    }

    /// What a newcomer gets in place of the pages from `entry` on, if they can be pressed together.
    pub(super) fn pressed(&self, entry: Entry, press: CatchUp) -> Option<Bytes> {
        let range = entry.offset..self.end();
        self.pressed.get(range.clone(), press, || {
            [self.header_of(entry), self.copy(range.start, range.end)].concat().into()
        })
    }

    /// What is playing at `offset`.
    pub(super) fn title_at(&self, offset: u64) -> Option<&Title> {
        self.titles.at(offset)
    }

    /// The title with this number, if it is still held.
    pub(super) fn title(&self, number: u32) -> Option<&Title> {
        self.titles.get(number)
    }

    /// How much time lies between `offset` and the end.
    pub(super) fn lag(&self, offset: u64) -> Duration {
        let next = self.marks.partition_point(|mark| mark.offset <= offset);
        let here = next.checked_sub(1).and_then(|index| self.marks.get(index));
        match here {
            Some(mark) if offset < self.end() => self.now - mark.time,
            _ => Duration::ZERO,
        }
    }

    /// Bytes a second, once there is half a second to tell it from.
    pub(super) fn rate(&self) -> Option<f64> {
        let first = self.marks.front()?;
        let time = self.now - first.time;
        (time >= MEASURE).then(|| (self.end() - first.offset) as f64 / time.as_secs_f64())
    }

    /// How much it holds.
    pub(super) fn keep(&self) -> Keep {
        self.keep
    }

    /// Holds at least this much from now on.
    pub(super) fn widen(&mut self, keep: Keep) {
        self.keep.time = self.keep.time.max(keep.time);
        self.keep.bytes = self.keep.bytes.max(keep.bytes);
    }

    /// Where the reel should begin, if enough must go to be worth the trouble.
    pub(super) fn due(&self) -> Option<u64> {
        let far = self.end().saturating_sub(self.keep.bytes);
        let newest = self.newest().map_or(u64::MAX, |entry| entry.offset);
        let late = self.marks.partition_point(|mark| self.now - mark.time > self.keep.time);
        let old = self.marks.get(late).map_or(self.end(), |mark| mark.offset).min(newest);
        let due = self.page_end(old.max(far));
        (due >= self.start + blocks::SIZE as u64).then_some(due)
    }

    /// Lets go of everything before `start`, which is the beginning of a page.
    pub(super) fn evict(&mut self, start: u64) {
        self.start = start.min(self.end());
        self.gone += drop_while(&mut self.marks, |mark| mark.offset < start);
        drop_while(&mut self.entries, |entry| entry.offset < start);
        self.titles.evict(start);
        self.headers.evict(self.entries.front().map_or(u64::MAX, |entry| entry.set), start);
        self.blocks.evict(start);
    }
}

/// Gives how many that were.
fn drop_while<T>(queue: &mut VecDeque<T>, old: impl Fn(&T) -> bool) -> u64 {
    let count = queue.iter().take_while(|item| old(item)).count();
    queue.drain(..count);
    count as u64
}

/// A rate told from less is noise.
const MEASURE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
