//! The segments and parts of one stream that players may ask for now.

use bytes::{Bytes, BytesMut};
use levada_media::container::fmp4::{Output, Part};
use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// Playlists tell of the segments that make up so much, at least of one.
    pub(super) listed: Duration,
    /// Bytes of all segments that can be asked for.
    pub(super) bytes: usize,
    /// How long parts are meant to be.
    pub(super) part: Duration,
}

/// The newest segments: as many as [`Keep`] says and [`SPARE`] that playlists no longer tell of, the oldest leave first. Numbers only grow, also
/// over windows of the same mount, so that an address always means the same bytes.
#[derive(Debug)]
pub(super) struct Window {
    /// Finished segments, the oldest first; their numbers have no gap.
    pub(super) segments: VecDeque<Segment>,
    /// The one that grows.
    pub(super) open: Segment,
    /// Seconds that no segment is longer than, as playlists round.
    pub(super) target: u64,
    /// What no part is longer than.
    pub(super) part_target: Duration,
    /// What was said of what is playing, the newest last; at most [`MOST_TITLES`].
    pub(super) titles: VecDeque<Title>,
    /// Whether nothing follows.
    pub(super) over: bool,
    inits: VecDeque<(u64, Bytes)>,
    /// How many of `segments` playlists tell of, and the bytes of all.
    listed: usize,
    bytes: usize,
    keep: Keep,
}

/// A segment, or what there is of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The number of its initialization.
    pub(super) init: u64,
    /// Whether playlists tell of its parts; not of the very first, which waited for all tracks.
    pub(super) in_parts: bool,
    /// Whether it has nothing to do with the one before.
    pub(super) breaks: bool,
    /// How many of all segments up to here had nothing to do with the one before.
    pub(super) breaks_so_far: u64,
    /// When it began, by the server's clock.
    pub(super) begun: Option<SystemTime>,
    pub(super) duration: Duration,
    pub(super) parts: Vec<Part>,
    /// All parts in a row; empty while it grows.
    pub(super) bytes: Bytes,
}

/// What is playing, from when on.
#[derive(Clone, Debug)]
pub(super) struct Title {
    pub(super) at: SystemTime,
    pub(super) line: String,
}

impl Window {
    /// A window whose first segment is number `first`.
    pub(super) fn new(first: u64, keep: Keep) -> Window {
        Window {
            segments: VecDeque::new(),
            open: Segment { number: first, init: first, ..Segment::default() },
            target: 2,
            part_target: keep.part,
            titles: VecDeque::new(),
            over: false,
            inits: VecDeque::new(),
            listed: 0,
            bytes: 0,
            keep,
        }
    }

    /// Takes what the segmenter gives at `now`.
    pub(super) fn push(&mut self, output: Output, now: SystemTime) {
        match output {
            Output::Init(bytes) => {
                self.open.init = self.open.number;
                self.inits.push_back((self.open.number, bytes));
            }
            Output::Break => {
                self.open.breaks = true;
                self.open.breaks_so_far += 1;
            }
            Output::Part(part) => self.part(part, now),
            Output::End => self.end(),
        }
    }

    /// Notes what is playing from `now` on.
    pub(super) fn title(&mut self, line: String, now: SystemTime) {
        if self.titles.back().is_none_or(|last| last.line != line) {
            self.titles.push_back(Title { at: self.open.end().unwrap_or(now), line });
        }
        if self.titles.len() > MOST_TITLES {
            self.titles.pop_front();
        }
    }

    /// The initialization called `number`.
    pub(super) fn init(&self, number: u64) -> Option<Bytes> {
        self.inits.iter().find(|(known, _)| *known == number).map(|(_, bytes)| bytes.clone())
    }

    /// The finished segment called `number`.
    pub(super) fn segment(&self, number: u64) -> Option<&Segment> {
        let first = self.segments.front()?.number;
        self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Part `index` of segment `number`.
    pub(super) fn part_of(&self, number: u64, index: usize) -> Option<Bytes> {
        let segment = if number == self.open.number { &self.open } else { self.segment(number)? };
        segment.parts.get(index).map(|part| part.bytes.clone())
    }

    /// Whether part `index` of segment `number` is the one that comes next.
    pub(super) fn comes_next(&self, number: u64, index: usize) -> bool {
        !self.over && number == self.open.number && index == self.open.parts.len()
    }

    /// Whether a playlist of now tells of segment `number`, or of part `index` of it. A part behind its segment's last is
    /// the next segment's first (RFC 8216bis 6.2.5.2).
    pub(super) fn tells_of(&self, number: u64, index: Option<usize>) -> bool {
        let Some(index) = index else { return number < self.open.number };
        if number >= self.open.number {
            return number == self.open.number && index < self.open.parts.len();
        }
        let within = self.segment(number).is_none_or(|segment| index < segment.parts.len());
        within || number + 1 < self.open.number || !self.open.parts.is_empty()
    }

    /// The segments that playlists tell of.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().skip(self.segments.len().saturating_sub(self.listed))
    }

    fn part(&mut self, part: Part, now: SystemTime) {
        if self.open.begun.is_none() {
            let before = self.segments.back().filter(|_| !self.open.breaks).and_then(Segment::end);
            self.open.begun = before.or_else(|| now.checked_sub(part.duration));
        }
        if self.open.in_parts {
            self.part_target = self.part_target.max(part.duration);
        }
        self.open.duration += part.duration;
        self.open.parts.push(part);
    }

    fn end(&mut self) {
        let next = Segment {
            number: self.open.number + 1,
            init: self.open.init,
            in_parts: true,
            breaks_so_far: self.open.breaks_so_far,
            ..Segment::default()
        };
        let mut done = std::mem::replace(&mut self.open, next);
        done.join();
        self.target = self.target.max((done.duration + Duration::from_millis(500)).as_secs());
        self.bytes += done.bytes.len();
        self.segments.push_back(done);
        self.listed = self.enough();
        while self.segments.len() > self.listed + SPARE
            || (self.bytes > self.keep.bytes && self.segments.len() > 1)
        {
            self.bytes -= self.segments.pop_front().map_or(0, |segment| segment.bytes.len());
        }
        let oldest = self.segments.front().map_or(0, |segment| segment.init);
        self.inits.retain(|(number, _)| *number >= oldest);
    }

    /// How many of the newest segments make up what playlists tell of.
    fn enough(&self) -> usize {
        let mut sum = Duration::ZERO;
        let lacks = |segment: &&Segment| {
            let lacks = sum < self.keep.listed;
            sum += segment.duration;
            lacks
        };
        self.segments.iter().rev().take_while(lacks).count().max(1)
    }
}

impl Segment {
    /// When it ends, as far as it has come.
    fn end(&self) -> Option<SystemTime> {
        self.begun?.checked_add(self.duration)
    }

    /// Joins the parts; they share the segment's bytes from then on.
    fn join(&mut self) {
        let mut all = BytesMut::new();
        self.parts.iter().for_each(|part| all.extend_from_slice(&part.bytes));
        self.bytes = all.freeze();
        let mut at = 0;
        for part in &mut self.parts {
            let end = at + part.bytes.len();
            part.bytes = self.bytes.slice(at..end);
            at = end;
        }
    }
}

/// Segments that playlists no longer tell of: who has just read of them can still ask.
const SPARE: usize = 5;
const MOST_TITLES: usize = 32;
