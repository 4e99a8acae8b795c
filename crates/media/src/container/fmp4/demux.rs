//! Opens fragmented MP4 into tracks, frames and titles.

use super::{
    described::{self, Defaults, Described},
    event,
    read::{self, Fields, boxes, find},
};
use crate::{Error, Frame, Item, Kind, Span, Timestamp};
use bytes::{Buf, Bytes, BytesMut};
use std::{collections::VecDeque, sync::Arc};

/// Yields the tracks of every initialization, and the frames of the fragments behind it in the order of their times.
///
/// Of what was said of a fragment at most [`MOST_FRAMES`] frames are kept, and at most [`MOST_DATA`] bytes until its data
/// are whole; larger boxes are left out. Times are as the edit list shows them, and may be below zero.
#[derive(Default)]
pub struct Demux {
    bytes: BytesMut,
    /// Where `bytes` begin in the piece, which is what absolute addresses count from.
    at: u64,
    /// Bytes that are still to come of a box that nobody needs.
    skip: u64,
    tracks: Vec<Track>,
    /// Frames whose data come next.
    placed: Vec<Placed>,
    /// Number of the last title.
    event: Option<u32>,
    ready: VecDeque<Item>,
}

struct Track {
    known: Described,
    /// Where the next fragment goes on that does not say it.
    next: u64,
}

/// A frame without its data.
struct Placed {
    track: usize,
    at: u64,
    size: u32,
    dts: i64,
    ahead: i64,
    span: u32,
    key: bool,
}

impl Demux {
    /// A demuxer that has seen nothing.
    pub fn new() -> Demux {
        Demux::default()
    }

    /// Another segment follows; what is left of the one before it is forgotten.
    pub fn segment(&mut self) {
        self.bytes.clear();
        self.placed.clear();
        (self.at, self.skip) = (0, 0);
    }

    fn drop_front(&mut self, count: usize) {
        self.bytes.advance(count);
        self.at = self.at.saturating_add(count as u64);
    }

    /// Does what the next bytes ask; whether there was enough.
    fn step(&mut self) -> Result<bool, Error> {
        if self.skip > 0 {
            let now = self.bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.drop_front(now);
            self.skip -= now as u64;
            return Ok(now > 0);
        }
        let Some(head) = read::head(&self.bytes).map_err(|()| Error::Not("MP4"))? else { return Ok(false) };
        let most = match &head.name {
            b"moov" | b"moof" | b"emsg" => MOST_HEAD,
            b"mdat" => MOST_DATA,
            _ => 0,
        };
        let size = usize::try_from(head.size).ok().filter(|size| *size <= most);
        let Some(size) = size else {
            if &head.name == b"mdat" {
                self.placed.clear();
            }
            self.skip = head.size;
            return Ok(true);
        };
        if self.bytes.len() < size {
            return Ok(false);
        }
        let begins = self.at;
        let whole = self.bytes.split_to(size).freeze();
        self.at = self.at.saturating_add(size as u64);
        let inside = whole.slice(head.before..);
        match &head.name {
            b"moov" => self.movie(&inside),
            b"moof" => self.fragment(&inside, begins),
            b"emsg" => self.title(&inside),
            _ => self.data(&inside, begins.saturating_add(head.before as u64)),
        }
        Ok(true)
    }

    fn movie(&mut self, moov: &[u8]) {
        let tracks = described::tracks(moov);
        self.placed.clear();
        if tracks.iter().eq(self.tracks.iter().map(|track| &track.known)) {
            return;
        }
        self.tracks = tracks.into_iter().map(|known| Track { known, next: 0 }).collect();
        let tracks: Arc<[_]> = self.tracks.iter().map(|track| track.known.info.clone()).collect();
        self.ready.push_back(Item::Tracks(tracks));
    }

    /// Notes where the frames of a fragment are, which begins at `begins`.
    fn fragment(&mut self, moof: &[u8], begins: u64) {
        self.placed.clear();
        let mut end = begins;
        for (_, traf) in boxes(moof).filter(|(name, _)| name == b"traf") {
            // a track that says nonsense is left out, others follow
            let _left_out = self.runs(traf, begins, &mut end);
        }
    }

    fn runs(&mut self, traf: &[u8], begins: u64, end: &mut u64) -> Option<()> {
        let mut fields = Fields(find(traf, &[b"tfhd"])?);
        let (_, flags) = fields.full()?;
        let id = fields.u32()?;
        let place = self.tracks.iter().position(|track| track.known.info.id.0 == id)?;
        let base = if flags & BASE != 0 { Some(fields.u64()?) } else { None };
        let base = base.unwrap_or(if flags & BASE_IS_MOOF != 0 { begins } else { *end });
        if flags & DESCRIPTION != 0 {
            fields.u32()?;
        }
        let mut defaults = self.tracks[place].known.defaults;
        for (bit, value) in
            [(SPAN, &mut defaults.span), (SIZE, &mut defaults.size), (FLAGS, &mut defaults.flags)]
        {
            if flags & bit != 0 {
                *value = fields.u32()?;
            }
        }
        let said = find(traf, &[b"tfdt"]).and_then(|inside| {
            let mut fields = Fields(inside);
            let (version, _) = fields.full()?;
            fields.sized(version)
        });
        let mut run = Run { track: place, base, at: base, time: said.unwrap_or(self.tracks[place].next) };
        for (_, trun) in boxes(traf).filter(|(name, _)| name == b"trun") {
            self.run(&mut run, trun, defaults)?;
        }
        *end = run.at;
        self.tracks[place].next = run.time;
        Some(())
    }

    fn run(&mut self, run: &mut Run, trun: &[u8], defaults: Defaults) -> Option<()> {
        let mut fields = Fields(trun);
        let (version, flags) = fields.full()?;
        let count = fields.u32()?;
        if flags & RUN_OFFSET != 0 {
            run.at = run.base.checked_add_signed(i64::from(fields.u32()? as i32))?;
        }
        let mut first = if flags & RUN_FIRST != 0 { Some(fields.u32()?) } else { None };
        let known = &self.tracks[run.track].known;
        let (sound, late) = (known.info.codec.kind() == Kind::Audio, known.late);
        for _ in 0..count {
            if self.placed.len() >= MOST_FRAMES {
                return None;
            }
            let mut said = |bit, default| if flags & bit != 0 { fields.u32() } else { Some(default) };
            let span = said(RUN_SPANS, defaults.span)?;
            let size = said(RUN_SIZES, defaults.size)?;
            let own = said(RUN_FLAGS, defaults.flags)?;
            let ahead = said(RUN_AHEAD, 0)?;
            let ahead = if version == 0 { i64::from(ahead) } else { i64::from(ahead as i32) };
            let flags = first.take().unwrap_or(own);
            let dts = i64::try_from(run.time).ok()?.checked_sub(late)?;
            let key = sound || flags & NOT_SYNC == 0;
            self.placed.push(Placed { track: run.track, at: run.at, size, dts, ahead, span, key });
            run.at = run.at.checked_add(u64::from(size))?;
            run.time = run.time.checked_add(u64::from(span))?;
        }
        Some(())
    }

    /// Gives the frames whose data are in `inside`, which begins at `begins`.
    fn data(&mut self, inside: &Bytes, begins: u64) {
        let placed = std::mem::take(&mut self.placed);
        let mut frames: Vec<(i128, Frame)> = Vec::with_capacity(placed.len());
        for placed in placed {
            let info = &self.tracks[placed.track].known.info;
            let from = placed.at.checked_sub(begins).and_then(|from| usize::try_from(from).ok());
            let range = from.and_then(|from| Some(from..from.checked_add(placed.size as usize)?));
            let Some(range) = range.filter(|range| !range.is_empty() && range.end <= inside.len()) else {
                continue;
            };
            let (dts, pts) = (Timestamp(placed.dts), Timestamp(placed.dts.saturating_add(placed.ahead)));
            let nanos = i128::from(placed.dts) * 1_000_000_000 / i128::from(info.timebase.den.max(1));
            let span = Span(u64::from(placed.span));
            let data = inside.slice(range);
            frames.push((nanos, Frame { track: info.id, dts, pts, span, key: placed.key, data }));
        }
        frames.sort_by_key(|(at, _)| *at);
        self.ready.extend(frames.into_iter().map(|(_, frame)| Item::Frame(frame)));
    }

    fn title(&mut self, inside: &[u8]) {
        let Some((number, tags)) = event::read(inside) else { return };
        if self.event.replace(number) != Some(number) {
            self.ready.push_back(Item::Tags(Arc::new(tags)));
        }
    }
}

impl crate::Demux for Demux {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn poll(&mut self) -> Result<Option<Item>, Error> {
        while self.ready.is_empty() && self.step()? {}
        Ok(self.ready.pop_front())
    }
}

/// Where a track's frames go on within a fragment.
struct Run {
    track: usize,
    base: u64,
    at: u64,
    time: u64,
}

// flags of tfhd and trun (ISO 14496-12 8.8.7, 8.8.8) and of a sample (8.8.3)
const BASE: u32 = 0x1;
const DESCRIPTION: u32 = 0x2;
const SPAN: u32 = 0x8;
const SIZE: u32 = 0x10;
const FLAGS: u32 = 0x20;
const BASE_IS_MOOF: u32 = 0x2_0000;
const RUN_OFFSET: u32 = 0x1;
const RUN_FIRST: u32 = 0x4;
const RUN_SPANS: u32 = 0x100;
const RUN_SIZES: u32 = 0x200;
const RUN_FLAGS: u32 = 0x400;
const RUN_AHEAD: u32 = 0x800;
const NOT_SYNC: u32 = 0x1_0000;
/// Bytes of an initialization, and of what is said of a fragment.
const MOST_HEAD: usize = 4 << 20;
/// Bytes of a fragment's data.
pub const MOST_DATA: usize = 64 << 20;
/// Frames of a fragment.
pub const MOST_FRAMES: usize = 100_000;
