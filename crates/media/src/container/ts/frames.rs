//! From packets to frames: gathers the PES packets of each stream and opens them.

use super::{
    elementary::{Elementary, Unit},
    packet::{Packet, Pid},
    pes::Pes,
    program::{Program, Seen},
};
use crate::{
    Frame, Timebase, Timestamp, TrackInfo,
    container::clock::{Timeline, Unwrap33},
};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Follows a program. Holds one PES packet of each of its streams.
#[derive(Default)]
pub(super) struct Frames {
    program: Program,
    streams: BTreeMap<Pid, Assembly>,
    clock: Clock,
}

/// From 33 bits that wrap to times that go on.
struct Clock {
    counter: Unwrap33,
    timeline: Timeline,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { counter: Unwrap33::default(), timeline: Timeline::new(Timebase::MPEG) }
    }
}

impl Clock {
    /// Decoding and presentation time of a PES packet.
    fn read(&mut self, pes: &Pes) -> Option<(Timestamp, Timestamp)> {
        let dts = self.counter.unwrap(pes.dts?);
        let ahead = pes.pts.map_or(0, |pts| self.counter.near(dts, pts).0 - dts.0);
        let dts = self.timeline.place(dts);
        Some((dts, Timestamp(dts.0 + ahead.max(0))))
    }
}

/// A stream and its running PES packet.
struct Assembly {
    elementary: Elementary,
    /// `None` until a PES packet begins, and after damage.
    running: Option<BytesMut>,
    key: bool,
    /// Of the last packet.
    counter: Option<u8>,
    last: Option<Timestamp>,
}

impl Frames {
    /// Takes the next packet; the frames that are whole now, in ticks of 90 kHz.
    pub(super) fn take(&mut self, packet: &Packet) -> Vec<Frame> {
        match self.program.see(packet) {
            Seen::Mapped { changed: true } => self.remap(),
            Seen::Stream { .. } if !packet.payload().is_empty() => return self.stream(packet),
            _ => {}
        }
        Vec::new()
    }

    /// The input ended: the frames that were waiting for the next packet.
    pub(super) fn finish(&mut self) -> Vec<Frame> {
        let pids: Vec<Pid> = self.streams.keys().copied().collect();
        pids.into_iter().flat_map(|pid| self.end(pid)).collect()
    }

    /// The tracks whose decoder's configuration has come.
    pub(super) fn tracks(&self) -> Vec<TrackInfo> {
        self.streams.values().filter_map(|assembly| assembly.elementary.info()).collect()
    }

    fn remap(&mut self) {
        let streams = self.program.streams().iter();
        self.streams = streams.map(|&stream| (stream.pid, Assembly::new(Elementary::new(stream)))).collect();
    }

    fn stream(&mut self, packet: &Packet) -> Vec<Frame> {
        let Some(assembly) = self.streams.get_mut(&packet.pid) else { return Vec::new() };
        if assembly.is_again(packet) {
            return Vec::new();
        }
        let mut frames = if packet.start { self.end(packet.pid) } else { Vec::new() };
        if self.streams.get_mut(&packet.pid).is_some_and(|assembly| assembly.take(packet)) {
            frames.extend(self.end(packet.pid));
        }
        frames
    }

    /// Opens the PES packet of this stream that has come to its end.
    fn end(&mut self, pid: Pid) -> Vec<Frame> {
        let Some(assembly) = self.streams.get_mut(&pid) else { return Vec::new() };
        let Some(bytes) = assembly.running.take() else { return Vec::new() };
        let unit = unit(bytes.freeze(), assembly, &mut self.clock);
        unit.map(|unit| assembly.elementary.open(unit)).unwrap_or_default()
    }
}

impl Assembly {
    fn new(elementary: Elementary) -> Assembly {
        Assembly { elementary, running: None, key: false, counter: None, last: None }
    }

    /// Whether the packet was there before; what a gap before it has damaged is forgotten.
    fn is_again(&mut self, packet: &Packet) -> bool {
        let before = self.counter.replace(packet.counter);
        match before.map(|before| packet.counter.wrapping_sub(before) & 15) {
            None | Some(1) => false,
            Some(0) if !packet.start => true,
            _ => {
                self.running = None;
                self.elementary.forget();
                false
            }
        }
    }

    /// Takes the payload of the next packet; whether the PES packet is whole.
    fn take(&mut self, packet: &Packet) -> bool {
        if packet.start {
            self.running = Some(BytesMut::new());
            self.key = packet.adaptation.random_access;
        }
        let Some(running) = &mut self.running else { return false };
        if running.len() > LARGEST {
            self.running = None;
            return false;
        }
        running.extend_from_slice(packet.payload());
        let size = Pes::parse(running).and_then(|pes| pes.size);
        size.is_some_and(|size| running.len() >= size)
    }
}

fn unit(bytes: Bytes, assembly: &mut Assembly, clock: &mut Clock) -> Option<Unit> {
    let pes = Pes::parse(&bytes)?;
    let end = pes.size.unwrap_or(bytes.len()).min(bytes.len());
    let data = bytes.get(pes.payload..end).map(|data| bytes.slice_ref(data))?;
    // a packet without a time goes on where the last one was
    let (dts, pts) = clock.read(&pes).or(assembly.last.map(|last| (last, last)))?;
    let dts = assembly.last.map_or(dts, |last| last.max(dts));
    assembly.last = Some(dts);
    Some(Unit { pts: pts.max(dts), dts, key: assembly.key, data })
}

/// Larger than a key frame of any encoder seen; what goes on beyond is damage.
const LARGEST: usize = 8 << 20;
