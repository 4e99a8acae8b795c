//! Opens Ogg into frames.

use super::chain::{Chain, StepKind};
use super::clock::{Clock, Timed};
use super::packet::Assembler;
use super::page::PageHeader;
use super::stream::Seen;
use super::sync::Sync;
use crate::{Error, Frame, Item, Timestamp, TrackId, TrackInfo};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Puts the packets of all tracks that we know together and gives them their time.
///
/// Time runs on over the links of a chain: a link begins where the one before it ended, whatever its own clock
/// says. Within a link it is the stream's own, so that a stream joined late begins late. Opus begins before zero by
/// its pre-skip; the first packet of Vorbis only prepares the next and lasts nothing.
///
/// Tracks without time that we know (Skeleton, subtitles) are announced but have no frames.
pub struct Demux {
    sync: Sync,
    chain: Chain,
    lanes: Vec<Lane>,
    link: Link,
    announced: bool,
    /// Whether there ever was a page.
    found: bool,
    ready: VecDeque<Item>,
}

/// One track on its way.
#[derive(Debug, Default)]
struct Lane {
    assembler: Assembler,
    clock: Clock,
    /// The last frame's time, which never goes back.
    latest: Option<Timestamp>,
}

/// How the current link's clock fits to those before it.
#[derive(Debug, Default)]
struct Link {
    /// When the links before this one ended.
    begins: Option<Duration>,
    /// When this one's own clock began, once known.
    zero: Option<Duration>,
    /// When the last frame so far ends, on our clock.
    ends: Duration,
}

impl Demux {
    /// A demuxer that has seen nothing.
    pub fn new() -> Demux {
        Demux {
            sync: Sync::new(),
            chain: Chain::new(),
            lanes: Vec::new(),
            link: Link::default(),
            announced: false,
            found: false,
            ready: VecDeque::new(),
        }
    }

    fn page(&mut self, header: &PageHeader, page: &Bytes) {
        let step = self.chain.take(header, page);
        if step.anew {
            let before = (self.found && self.link.ends > Duration::ZERO).then_some(self.link.ends);
            self.link = Link { begins: before, zero: None, ends: self.link.ends };
            self.lanes.clear();
            self.announced = false;
        }
        self.found = true;
        if !self.announced && self.chain.is_ready() {
            self.announced = true;
            self.lanes.resize_with(self.chain.streams().len(), Lane::default);
            self.ready.push_back(Item::Tracks(self.chain.tracks().into()));
        }
        self.ready.extend(step.tags.map(|tags| Item::Tags(Arc::new(tags))));
        if let StepKind::Header(stream, seen) | StepKind::Data(stream, seen) = step.kind {
            self.frames(header, page, stream, &seen);
        }
    }

    fn frames(&mut self, header: &PageHeader, page: &Bytes, index: usize, seen: &Seen) {
        let Some(stream) = self.chain.streams().get(index) else { return };
        let id = TrackId(index as u32);
        let track = self.chain.tracks().iter().find(|track| track.id == id);
        let (Some(lane), Some(track)) = (self.lanes.get_mut(index), track) else { return };
        if seen.gap || !header.continued {
            lane.assembler.tear();
        }
        if seen.gap {
            lane.clock.tear();
        }
        for piece in &seen.data {
            if let Some(packet) = lane.assembler.take(piece, page) {
                lane.clock.push(stream, packet);
            }
        }
        let timed = lane.clock.stamp(stream, header.mark(), header.last);
        let frames = timed.into_iter().map(|timed| Item::Frame(lane.frame(timed, track, &mut self.link)));
        self.ready.extend(frames);
    }
}

impl Default for Demux {
    fn default() -> Demux {
        Demux::new()
    }
}

impl crate::Demux for Demux {
    fn push(&mut self, bytes: &[u8]) {
        self.sync.push(bytes);
    }

    fn poll(&mut self) -> Result<Option<Item>, Error> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            let Some((header, page)) = self.sync.poll() else { break };
            self.page(&header, &page);
        }
        let hopeless = !self.found && self.sync.skipped() > MOST_FOREIGN;
        if hopeless { Err(Error::Not("Ogg")) } else { Ok(None) }
    }

    fn finish(&mut self) {
        self.sync.finish();
    }
}

impl Lane {
    fn frame(&mut self, timed: Timed, track: &TrackInfo, link: &mut Link) -> Frame {
        let at = link.place(timed.at, track);
        let at = self.latest.map_or(at, |latest| at.max(latest));
        self.latest = Some(at);
        link.ends = link.ends.max(track.timebase.duration(at + timed.span));
        Frame { track: track.id, dts: at, pts: at, span: timed.span, key: timed.key, data: timed.data }
    }
}

impl Link {
    /// A time of the link's own clock on ours.
    fn place(&mut self, at: Timestamp, track: &TrackInfo) -> Timestamp {
        let Some(begins) = self.begins else { return at };
        let zero = *self.zero.get_or_insert(track.timebase.duration(at));
        let shift = track.timebase.ticks(begins).0.saturating_sub(track.timebase.ticks(zero).0);
        Timestamp(at.0.saturating_add(shift))
    }
}

/// Bytes without a single page after which it is no Ogg.
const MOST_FOREIGN: u64 = 256 * 1024;
