//! What Info, Tracks and the running cluster say: whose block this is, and when.

use super::{
    block::Block,
    element::{child, children, id, uint},
    reader::Unit,
    tags::{tags, text},
    track::Track,
};
use crate::{Kind, Tags, Timebase, Timestamp, TrackInfo};

/// Gathers it from elements as they pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) tracks: Vec<Track>,
    /// Nanoseconds of a tick.
    scale: u64,
    cluster: u64,
    title: String,
}

impl Default for Segment {
    fn default() -> Self {
        Segment { tracks: Vec::new(), scale: MILLISECOND, cluster: 0, title: String::new() }
    }
}

impl Segment {
    /// Looks at the next element; what it says is playing.
    pub(super) fn see(&mut self, unit: &Unit) -> Option<Tags> {
        let body = unit.body();
        match unit.id {
            id::EBML => *self = Segment::default(),
            id::INFO => self.info(body),
            id::TRACKS => self.tracks(body),
            id::TIMESTAMP => self.cluster = uint(body),
            id::TAGS => return self.tags(body),
            _ => {}
        }
        (unit.id == id::INFO && !self.title.is_empty()).then(|| Tags::titled(&self.title))
    }

    /// The block in `unit`, if it is one of a track that we know.
    pub(super) fn block<'a>(&self, unit: &'a Unit) -> Option<(&Track, Block<'a>)> {
        let block = match unit.id {
            id::SIMPLE_BLOCK => Block::simple(unit.body())?,
            id::BLOCK_GROUP => Block::group(unit.body())?,
            _ => return None,
        };
        let track = self.tracks.iter().find(|track| track.number == block.track)?;
        Some((track, block))
    }

    /// The running cluster's timestamp, ticks.
    pub(super) fn cluster(&self) -> i64 {
        i64::try_from(self.cluster).unwrap_or(i64::MAX)
    }

    /// When the block is shown, ticks.
    pub(super) fn at(&self, block: &Block<'_>) -> Timestamp {
        Timestamp(self.cluster().saturating_add(i64::from(block.at)))
    }

    /// How long a frame of `track` lasts, ticks; zero where the file does not say.
    pub(super) fn frame(&self, track: &Track) -> u64 {
        track.frame.map_or(0, |nanos| (nanos + self.scale / 2) / self.scale)
    }

    /// The length of a tick.
    pub(super) fn timebase(&self) -> Timebase {
        let divisor = gcd(self.scale, SECOND);
        let (num, den) = (self.scale / divisor, SECOND / divisor);
        // one of them is too large only for scales of seconds, which nobody writes
        match (u32::try_from(num), u32::try_from(den)) {
            (Ok(num), Ok(den)) => Timebase { num, den },
            _ => Timebase::MILLIS,
        }
    }

    /// The tracks for everybody else.
    pub(super) fn infos(&self) -> Vec<TrackInfo> {
        self.tracks.iter().map(|track| track.info(self.timebase())).collect()
    }

    /// What blocks call the tracks.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.tracks.iter().map(|track| track.number).collect()
    }

    /// The first track with pictures, which decides where one may begin.
    pub(super) fn pictures(&self) -> Option<u64> {
        self.tracks.iter().find(|track| track.kind == Kind::Video).map(|track| track.number)
    }

    /// Whether frames of the other segment can follow those of this one.
    pub(super) fn same(&self, other: &Segment) -> bool {
        self.scale == other.scale && self.tracks == other.tracks
    }

    fn info(&mut self, body: &[u8]) {
        let scale = child(body, id::TIMESTAMP_SCALE).map_or(MILLISECOND, uint);
        self.scale = scale.clamp(1, SECOND);
        self.title = text(child(body, id::TITLE).unwrap_or_default());
    }

    fn tracks(&mut self, body: &[u8]) {
        let entries = children(body).filter(|child| child.0 == id::TRACK_ENTRY);
        self.tracks = entries.filter_map(|entry| Track::parse(entry.2)).take(MOST_TRACKS).collect();
    }

    fn tags(&self, body: &[u8]) -> Option<Tags> {
        let mut tags = tags(body);
        if tags.title.is_empty() {
            tags.title.clone_from(&self.title);
        }
        (!tags.is_empty()).then_some(tags)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
/// More than any file has; what comes after is passed on without being known.
const MOST_TRACKS: usize = 64;
