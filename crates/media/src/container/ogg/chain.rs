//! The logical streams that run side by side, from their first pages to the next chain's.

use super::page::PageHeader;
use super::stream::{Seen, Stream};
use crate::{Kind, Tags, TrackId, TrackInfo};
use bytes::Bytes;
use std::time::Duration;

/// What has been seen of the current link of a chained stream. At most [`MOST_STREAMS`] logical streams are
/// followed, others are strays; headers of more than [`MOST_HEADERS`] bytes fail the whole link.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    phase: Phase,
    streams: Vec<Stream>,
    tracks: Vec<TrackInfo>,
    header_bytes: usize,
    said: Said,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No stream has begun.
    Waiting,
    /// Streams begin and say their headers.
    Headers,
    /// All that comes is data.
    Data,
    /// The headers were too long for anybody.
    Failed,
}

/// What a page is within its chain.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The page begins a new chain.
    pub(super) anew: bool,
    pub(super) kind: StepKind,
    /// What is playing from here on, where that changes.
    pub(super) tags: Option<Tags>,
}

#[derive(Clone, Debug)]
pub(super) enum StepKind {
    /// Some of the headers.
    Header(usize, Seen),
    /// Data of this one of the chain's streams.
    Data(usize, Seen),
    /// A page of no stream that we know the beginning of.
    Stray,
}

impl Chain {
    pub(super) fn new() -> Chain {
        Chain {
            phase: Phase::Waiting,
            streams: Vec::new(),
            tracks: Vec::new(),
            header_bytes: 0,
            said: Said::default(),
        }
    }

    pub(super) fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The tracks whose headers are complete; their ids are the order in which they began.
    pub(super) fn tracks(&self) -> &[TrackInfo] {
        &self.tracks
    }

    /// Whether all headers that will come have come, and one can decode something with them.
    pub(super) fn is_ready(&self) -> bool {
        let settled = self.phase == Phase::Data || self.phase == Phase::Headers && self.is_settled();
        settled && self.streams.iter().any(Stream::is_sound)
    }

    /// Whether somebody who joins must wait for a key frame.
    pub(super) fn has_video(&self) -> bool {
        self.streams.iter().any(|stream| stream.is_sound() && !stream.ended && stream.coding.is_video())
    }

    /// Media time at `granule` of a stream.
    pub(super) fn time(&self, stream: usize, granule: i64) -> Option<Duration> {
        let coding = &self.streams.get(stream)?.coding;
        Some(coding.timebase().duration(coding.end(granule)?))
    }

    /// Looks at the next page.
    pub(super) fn take(&mut self, header: &PageHeader, page: &Bytes) -> Step {
        let anew = header.first && (self.phase != Phase::Headers || self.find(header.serial).is_some());
        if anew {
            let said = Said { by: None, ..std::mem::take(&mut self.said) };
            *self = Chain { phase: Phase::Headers, said, ..Chain::new() };
        }
        if header.first && self.streams.len() < MOST_STREAMS {
            self.streams.push(Stream::new(header, page));
        }
        let index = self.find(header.serial).filter(|_| self.phase != Phase::Failed);
        let Some((index, stream)) = index.and_then(|index| Some((index, self.streams.get_mut(index)?)))
        else {
            return Step { anew, kind: StepKind::Stray, tags: None };
        };
        let seen = stream.read(header, page);
        let kind = stream.coding.codec().kind();
        let tags = seen.tags.as_ref().and_then(|tags| self.said.hear(kind, tags));
        let kind = self.classify(index, seen, page.len());
        Step { anew, kind, tags }
    }

    fn classify(&mut self, index: usize, seen: Seen, length: usize) -> StepKind {
        if self.phase == Phase::Data {
            return StepKind::Data(index, seen);
        }
        let media = self.streams.get(index).is_some_and(|stream| stream.coding.is_media());
        let data = !seen.header && !seen.data.is_empty() && (media || self.is_settled());
        if data {
            self.streams.iter_mut().for_each(Stream::settle);
            self.phase = Phase::Data;
        } else {
            self.header_bytes += length;
        }
        if self.header_bytes > MOST_HEADERS {
            self.phase = Phase::Failed;
            return StepKind::Stray;
        }
        let track = |(id, stream): (usize, &Stream)| stream.track(TrackId(id as u32));
        self.tracks = self.streams.iter().enumerate().filter_map(track).collect();
        if data { StepKind::Data(index, seen) } else { StepKind::Header(index, seen) }
    }

    fn is_settled(&self) -> bool {
        self.streams.iter().all(Stream::is_settled)
    }

    fn find(&self, serial: u32) -> Option<usize> {
        self.streams.iter().position(|stream| stream.serial == serial)
    }
}

/// Who has said what is playing: a track one hears is believed before one that one sees.
#[derive(Clone, Debug, Default)]
struct Said {
    tags: Tags,
    by: Option<Kind>,
}

impl Said {
    /// What changes by `kind` saying `tags`.
    fn hear(&mut self, kind: Kind, tags: &Tags) -> Option<Tags> {
        let outranked = self.by == Some(Kind::Audio) && kind != Kind::Audio && !self.tags.is_empty();
        let silent = tags.is_empty() && self.by.is_some();
        if outranked || silent {
            return None;
        }
        self.by = Some(kind);
        let changes = self.tags != *tags;
        self.tags.clone_from(tags);
        changes.then(|| tags.clone())
    }
}

/// Logical streams of one link; real ones have two or three.
const MOST_STREAMS: usize = 16;
/// Header pages of one link in bytes, which every newcomer has to get.
const MOST_HEADERS: usize = 8 << 20;
