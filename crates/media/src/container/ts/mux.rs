//! Closes items into a transport stream of one program.

use super::{
    lane::{Lane, Load},
    packet::{Pid, SIZE, SYNC},
    pes::put_stamp,
    tables::{self, Entry, Tables},
};
use crate::{Codec, Error, Frame, Item, Kind, Page, Role, Timebase, Timestamp, TrackInfo};
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;

/// The packets of one stream, one page for each PES packet. The tables are a header page where they change, and come
/// again inside the stream, before every key picture and ten times a second.
///
/// Carried are H.264, H.265, AAC, MP3 and Opus; other tracks are left out. Time goes on when a source begins again
/// ([`Mux::restart`]) or jumps, so that receivers see one clock; the counters of packets go on as well. Up to 80 ms of
/// sound wait for more, to share a packet.
#[derive(Debug, Default)]
pub struct Mux {
    lanes: Vec<Lane>,
    told: Vec<TrackInfo>,
    tables: Tables,
    clock: Clock,
    /// Of the packets of each stream, kept over changes of tracks.
    counters: [u8; tables::MOST],
    tables_at: Option<i64>,
    /// The last clock reference, in ticks.
    reference: Option<i64>,
    ready: VecDeque<Page>,
}

impl Mux {
    /// A stream without tracks.
    pub fn new() -> Mux {
        Mux::default()
    }

    /// Another source follows, which counts from anew: time goes on for the receivers.
    pub fn restart(&mut self) {
        self.finish();
        self.clock.restarted = true;
    }

    /// Sends what waits for more.
    pub fn finish(&mut self) {
        for at in 0..self.lanes.len() {
            if let Some(load) = self.lanes[at].flush() {
                self.send(at, &load);
            }
        }
    }

    fn tracks(&mut self, tracks: &[TrackInfo]) -> Result<(), Error> {
        if tracks == self.told {
            return Ok(());
        }
        self.finish();
        self.keep_counters();
        self.told = tracks.to_vec();
        // pictures first, whatever order the source has
        let mut order: Vec<&TrackInfo> = tracks.iter().collect();
        order.sort_by_key(|track| track.codec.kind() != Kind::Video);
        let mut lanes: Vec<Lane> = Vec::new();
        for track in order.into_iter().filter(|track| track.codec.kind() != Kind::Data) {
            let at = lanes.len();
            if at < tables::MOST
                && let Some(mut lane) = Lane::new(track, FIRST + at as Pid)
            {
                lane.counter = self.counters[at];
                lanes.push(lane);
            }
        }
        let entry = |lane: &Lane| Entry { pid: lane.pid, codec: lane.codec, channels: lane.channels };
        self.lanes = lanes;
        if self.lanes.is_empty() {
            let codec = tracks.first().map_or(Codec::Unknown, |track| track.codec);
            return Err(Error::Carry { container: "mpeg-ts", codec: codec.name() });
        }
        self.tables.announce(self.lanes.iter().map(entry).collect(), FIRST);
        let page = Page::new(self.tables.write(), Role::Header);
        self.tables_at = None;
        self.ready.push_back(page);
        Ok(())
    }

    fn keep_counters(&mut self) {
        for (kept, lane) in self.counters.iter_mut().zip(&self.lanes) {
            *kept = lane.counter;
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let Some(at) = self.lanes.iter().position(|lane| lane.id == frame.track) else { return };
        let timebase = self.lanes[at].timebase;
        let (dts, pts) = (ticks(timebase, frame.dts), ticks(timebase, frame.pts));
        let placed = self.clock.place(dts);
        let lane = &mut self.lanes[at];
        // nothing is decoded before what came before it
        let placed = lane.last.map_or(placed, |last| placed.max(last + 1));
        lane.last = Some(placed);
        let shown = placed.saturating_add(pts.saturating_sub(dts).clamp(0, APART));
        let load = lane.push(frame, placed, shown);
        if let Some(load) = load {
            self.send(at, &load);
        }
        self.send_late(placed);
    }

    /// Sound that has waited while the other tracks went on is sent.
    fn send_late(&mut self, now: i64) {
        for at in 0..self.lanes.len() {
            if self.lanes[at].waits_since().is_some_and(|since| now - since > LATE)
                && let Some(load) = self.lanes[at].flush()
            {
                self.send(at, &load);
            }
        }
    }

    fn send(&mut self, at: usize, load: &Load) {
        let leads = at == 0;
        let entry = leads && load.key;
        let mut out = BytesMut::with_capacity((load.data.len() / 184 + 4) * SIZE);
        let due = self.tables_at.is_none_or(|last| load.dts - last >= TABLES);
        if due || entry && self.lanes[at].is_video() {
            self.tables_at = Some(load.dts);
            out.put_slice(&self.tables.write());
        }
        let reference = self.reference(leads, load.dts);
        if let Some(reference) = reference.filter(|_| !leads) {
            put_clock(&mut out, self.lanes[0].pid, self.lanes[0].counter, reference);
        }
        let lane = &mut self.lanes[at];
        let pes = pes(lane, load);
        packets(&mut out, lane, &pes, reference.filter(|_| leads), load.key && lane.is_video());
        let role = if entry { Role::Entry } else { Role::Plain };
        let time = Timebase::MPEG.duration(Timestamp(load.dts));
        self.ready.push_back(Page::new(out.freeze(), role).at(time));
    }

    /// The clock reference that goes with a frame decoded at `dts`: with each of the track that leads, and with others
    /// where that one is silent.
    fn reference(&mut self, leads: bool, dts: i64) -> Option<i64> {
        let reference = dts - DELAY;
        let since = self.reference.map_or(i64::MAX, |last| reference.saturating_sub(last));
        let due = if leads { since > 0 } else { since > SILENT };
        due.then(|| *self.reference.insert(reference))
    }
}

impl crate::Mux for Mux {
    fn push(&mut self, item: &Item) -> Result<(), Error> {
        match item {
            Item::Tracks(tracks) => return self.tracks(tracks),
            Item::Frame(frame) => self.frame(frame),
            Item::Tags(_) => {}
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Page> {
        self.ready.pop_front()
    }
}

/// Places the moments of sources on one time, in ticks of 90 kHz.
#[derive(Debug, Default)]
struct Clock {
    offset: Option<i64>,
    newest: i64,
    restarted: bool,
}

impl Clock {
    fn place(&mut self, at: i64) -> i64 {
        let placed = self.offset.map_or(START, |offset| at.saturating_add(offset));
        let range = self.newest.saturating_sub(APART)..self.newest.saturating_add(LEAP);
        let jumps = self.offset.is_some() && (self.restarted || !range.contains(&placed));
        let placed = if jumps { self.newest + JOINT } else { placed };
        if jumps || self.offset.is_none() {
            self.offset = Some(placed.saturating_sub(at));
        }
        self.restarted = false;
        self.newest = self.newest.max(placed);
        placed
    }
}

/// Times too large to be any stop where they are.
fn ticks(timebase: Timebase, at: Timestamp) -> i64 {
    let ticks = i128::from(at.0) * i128::from(timebase.num) * 90_000 / i128::from(timebase.den.max(1));
    ticks.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4)) as i64
}

fn pes(lane: &Lane, load: &Load) -> BytesMut {
    let two = load.pts != load.dts;
    let more = if two { 10 } else { 5 };
    let mut out = BytesMut::with_capacity(load.data.len() + 19);
    let stream = match lane.codec {
        Codec::Opus => PRIVATE,
        _ if lane.is_video() => VIDEO,
        _ => AUDIO,
    };
    out.put_slice(&[0, 0, 1, stream]);
    // pictures may be longer than the length can say, and only theirs may
    let size = u16::try_from(load.data.len() + 3 + more).unwrap_or(0);
    out.put_u16(size);
    // aligned: a frame begins right behind the header
    out.put_slice(&[0x84, if two { 0xc0 } else { 0x80 }, more as u8]);
    put_time(&mut out, if two { 0x31 } else { 0x21 }, load.pts);
    if two {
        put_time(&mut out, 0x11, load.dts);
    }
    out.put_slice(&load.data);
    out
}

fn put_time(out: &mut BytesMut, mark: u8, at: i64) {
    let mut bytes = [mark, 0, 1, 0, 1];
    put_stamp(&mut bytes, wrapped(at));
    out.put_slice(&bytes);
}

/// Cuts a PES packet into packets.
fn packets(out: &mut BytesMut, lane: &mut Lane, pes: &[u8], reference: Option<i64>, key: bool) {
    let mut rest = pes;
    let mut first = true;
    while !rest.is_empty() {
        let mut field = BytesMut::new();
        if first && (key || reference.is_some()) {
            field.put_slice(&[0, if key { 0x40 } else { 0 } | if reference.is_some() { 0x10 } else { 0 }]);
            reference.into_iter().for_each(|reference| put_reference(&mut field, reference));
        }
        let room = SIZE - 4 - field.len();
        if rest.len() < room {
            stuff(&mut field, room - rest.len());
        }
        if let Some(size) = field.len().checked_sub(1) {
            field[0] = size as u8;
        }
        let take = rest.len().min(SIZE - 4 - field.len());
        put_head(out, lane.pid, first, 0x10 | if field.is_empty() { 0 } else { 0x20 } | lane.counter);
        lane.counter = (lane.counter + 1) & 15;
        out.put_slice(&field);
        out.put_slice(&rest[..take]);
        rest = &rest[take..];
        first = false;
    }
}

/// Makes the adaptation field `by` bytes longer.
fn stuff(field: &mut BytesMut, by: usize) {
    for _ in 0..by {
        // its length, its flags, and then bytes that mean nothing
        let byte = match field.len() {
            0 | 1 => 0,
            _ => 0xff,
        };
        field.put_u8(byte);
    }
}

/// A packet that has a clock reference and nothing else; it is not counted.
fn put_clock(out: &mut BytesMut, pid: Pid, counter: u8, reference: i64) {
    let end = out.len() + SIZE;
    put_head(out, pid, false, 0x20 | counter.wrapping_sub(1) & 15);
    out.put_slice(&[183, 0x10]);
    put_reference(out, reference);
    out.resize(end, 0xff);
}

fn put_head(out: &mut BytesMut, pid: Pid, start: bool, last: u8) {
    out.put_slice(&[SYNC, if start { 0x40 } else { 0 } | (pid >> 8) as u8, pid as u8, last]);
}

/// 33 bits, six that are reserved, and nine of a finer clock that we have not.
fn put_reference(out: &mut BytesMut, at: i64) {
    out.put_slice(&(wrapped(at) << 15 | 0x7e00).to_be_bytes()[2..]);
}

/// The 33 bits that times have.
fn wrapped(at: i64) -> u64 {
    at as u64 & ((1 << 33) - 1)
}

/// The first stream's; the others follow.
const FIRST: Pid = 0x100;
const VIDEO: u8 = 0xe0;
const AUDIO: u8 = 0xc0;
const PRIVATE: u8 = 0xbd;
/// When the first frame is decoded: no clock reference is below zero then.
const START: i64 = 90_000;
/// How long before it is decoded a frame is sent at the latest, by the clock: sound may be so much later than pictures.
const DELAY: i64 = 27_000;
/// Tracks of one source are interleaved within this.
const APART: i64 = 3 * 90_000;
/// A longer step forward is another time.
const LEAP: i64 = 10 * 90_000;
/// Between the end of one source and the beginning of the next.
const JOINT: i64 = 9_000;
/// Tables come again after 100 ms (ETSI TS 101 290 5.2.1 allows 500).
const TABLES: i64 = 9_000;
/// Clock references come with pictures; without them for 300 ms, with sound.
const SILENT: i64 = 27_000;
/// Sound waits so long while other tracks go on.
const LATE: i64 = 13_500;
