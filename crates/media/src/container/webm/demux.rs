//! Opens WebM into tracks and frames.

use super::{
    block::Block,
    element::id,
    reader::{Reader, Unit},
    segment::Segment,
    track::Track,
};
use crate::{
    Codec, Error, Frame, Item, Span, Timebase, Timestamp, TrackId,
    codec::{h264, h265},
    container::{clock::Timeline, order::Order},
};
use bytes::{Bytes, BytesMut};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Yields the tracks before the first cluster, and each frame with the timebase of the segment. Matroska knows only
/// presentation times; decoding times are worked out for codecs that reorder.
#[derive(Default)]
pub struct Demux {
    reader: Reader,
    segment: Segment,
    /// The tracks were told to the caller as they are now.
    told: bool,
    orders: BTreeMap<u64, Order>,
    /// In ticks of the timebase that it is kept with.
    timeline: Option<(Timebase, Timeline)>,
    ready: VecDeque<Item>,
}

impl Demux {
    /// A demuxer that has seen nothing.
    pub fn new() -> Demux {
        Demux::default()
    }

    fn take(&mut self, unit: &Unit) {
        if let Some(tags) = self.segment.see(unit) {
            self.ready.push_back(Item::Tags(Arc::new(tags)));
        }
        match unit.id {
            id::INFO | id::TRACKS => {
                self.told = false;
                self.reader.expect(self.segment.numbers());
            }
            id::EBML => self.reader.expect(Vec::new()),
            id::CLUSTER if !self.told => self.tell(),
            id::SIMPLE_BLOCK | id::BLOCK_GROUP => self.block(unit),
            _ => {}
        }
    }

    fn tell(&mut self) {
        self.told = true;
        self.orders = self.segment.tracks.iter().map(|track| (track.number, order(track))).collect();
        self.ready.push_back(Item::Tracks(self.segment.infos().into()));
    }

    fn block(&mut self, unit: &Unit) {
        let Some((track, block)) = self.segment.block(unit) else { return };
        let whole = unit.bytes.slice(unit.body..);
        let frames = block.frames();
        let span = block.span.map_or(self.segment.frame(track), |span| span / frames.len().max(1) as u64);
        let begin = place(&mut self.timeline, self.segment.timebase(), self.segment.at(&block));
        for (n, range) in frames.into_iter().enumerate() {
            let data = unstripped(track, whole.slice(range));
            let pts = begin + Span(span.saturating_mul(n as u64));
            let dts = self.orders.get_mut(&track.number).map_or(pts, |order| order.decode(pts, span));
            self.ready.push_back(Item::Frame(frame(track, &block, pts, dts, span, data)));
        }
    }
}

/// Time goes on when a stream begins again, unless it counts other ticks then.
fn place(timeline: &mut Option<(Timebase, Timeline)>, timebase: Timebase, at: Timestamp) -> Timestamp {
    let known = timeline.take().filter(|known| known.0 == timebase);
    timeline.insert(known.unwrap_or_else(|| (timebase, Timeline::new(timebase)))).1.place(at)
}

fn order(track: &Track) -> Order {
    Order::new(match track.codec {
        Codec::H264 => h264::reorder(&track.setup),
        Codec::H265 => h265::reorder(&track.setup),
        _ => 0,
    })
}

fn frame(track: &Track, block: &Block<'_>, pts: Timestamp, dts: Timestamp, span: u64, data: Bytes) -> Frame {
    let key = block.key && track.is_key(&data);
    let track = TrackId(u32::try_from(track.number).unwrap_or(u32::MAX));
    Frame { track, dts, pts, span: Span(span), key, data }
}

fn unstripped(track: &Track, data: Bytes) -> Bytes {
    if track.stripped.is_empty() {
        return data;
    }
    let mut whole = BytesMut::from(&track.stripped[..]);
    whole.extend_from_slice(&data);
    whole.freeze()
}

impl crate::Demux for Demux {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Result<Option<Item>, Error> {
        while self.ready.is_empty() {
            let Some(unit) = self.reader.poll() else { return Ok(None) };
            self.take(&unit);
        }
        Ok(self.ready.pop_front())
    }

    fn finish(&mut self) {
        self.reader.window.finish();
    }
}
