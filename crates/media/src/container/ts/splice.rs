//! Joins the end of a transport stream file to its beginning.

use super::{
    Cutter,
    adaptation::PCR,
    frames::Frames,
    packet::{Packet, Pid},
    pes::{Pes, put_stamp},
    sync::Sync,
};
use crate::{Cut, Frame, Page, Timebase, Timestamp, container::joint::Joint};
use bytes::BytesMut;
use std::{collections::BTreeMap, time::Duration};

/// Shifts clocks and timestamps, and lets each stream's counter go on. A timestamp that is not in the first packet of
/// its PES packet stays as it is; nobody writes such.
#[derive(Default)]
pub struct Splice {
    sync: Sync,
    /// Knows when each frame begins, and how long those of sound last, several of which share a PES packet.
    frames: Frames,
    joint: Joint,
    counters: BTreeMap<Pid, Counter>,
    /// The packets of a round before its first frame is whole, which tells by how much to shift their clocks.
    waiting: Vec<Packet>,
    placed: bool,
    cutter: Cutter,
}

/// Lets a stream's counter go on over the rounds.
#[derive(Clone, Copy)]
struct Counter {
    last: u8,
    /// What is added in this round; `None` until its first packet.
    shift: Option<u8>,
}

impl Splice {
    /// A splice before its first round.
    pub fn new() -> Splice {
        Splice::default()
    }

    fn take(&mut self, packet: Packet) {
        let frames = self.frames.take(&packet);
        self.place(frames);
        self.waiting.push(packet);
        if self.placed || self.waiting.len() > MOST_WAITING {
            std::mem::take(&mut self.waiting).into_iter().for_each(|packet| self.write(packet));
        }
    }

    fn place(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            let span = i64::try_from(frame.span.0).unwrap_or(0);
            self.joint.place(frame.track.0, frame.dts.0, span);
            self.joint.show(frame.track.0, frame.pts.0);
            self.placed = true;
        }
    }

    fn write(&mut self, packet: Packet) {
        let mut bytes = BytesMut::from(&packet.bytes[..]);
        let shift = self.joint.shift();
        if packet.adaptation.pcr {
            let base = Pcr::read(&bytes).shifted(shift);
            base.write(&mut bytes);
        }
        if let Some(pes) = (packet.start && !packet.closed).then(|| Pes::parse(packet.payload())).flatten() {
            let stamps = [pes.pts_at.zip(pes.pts), pes.dts_at.zip(pes.dts)];
            for (at, stamp) in stamps.into_iter().flatten() {
                let at = packet.payload + at;
                if let Some(bytes) = bytes.get_mut(at..at + 5) {
                    put_stamp(bytes, shifted(stamp, shift));
                }
            }
        }
        bytes[3] = bytes[3] & 0xf0 | self.count(&packet);
        self.cutter.push(&bytes);
    }

    fn count(&mut self, packet: &Packet) -> u8 {
        let counts = !packet.payload().is_empty();
        let counter = self.counters.entry(packet.pid).or_insert(Counter { last: 0, shift: Some(0) });
        let next = if counts { counter.last.wrapping_add(1) } else { counter.last };
        let shift = *counter.shift.get_or_insert(next.wrapping_sub(packet.counter));
        counter.last = packet.counter.wrapping_add(shift) & 15;
        counter.last
    }
}

/// A clock reference: 33 bits of 90 kHz.
struct Pcr(u64);

impl Pcr {
    fn read(packet: &[u8]) -> Pcr {
        let bytes = packet.get(PCR..PCR + 5).unwrap_or_default();
        Pcr(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)) >> 7)
    }

    fn shifted(self, shift: i64) -> Pcr {
        Pcr(shifted(self.0, shift))
    }

    fn write(&self, packet: &mut [u8]) {
        let Some([a, b, c, d, e]) = packet.get_mut(PCR..PCR + 5) else { return };
        [*a, *b, *c, *d] = ((self.0 >> 1) as u32).to_be_bytes();
        *e = *e & 0x7f | (self.0 as u8 & 1) << 7;
    }
}

fn shifted(stamp: u64, shift: i64) -> u64 {
    stamp.wrapping_add_signed(shift) & ((1 << 33) - 1)
}

impl crate::splice::Rounds for Splice {
    fn push(&mut self, bytes: &[u8]) {
        self.sync.window.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        loop {
            if let Some(page) = self.cutter.poll() {
                return Some(page);
            }
            let packet = self.sync.poll()?;
            self.take(packet);
        }
    }

    fn rewind(&mut self) {
        self.sync.window.finish();
        while let Some(packet) = self.sync.poll() {
            self.take(packet);
        }
        let frames = self.frames.finish();
        self.place(frames);
        std::mem::take(&mut self.waiting).into_iter().for_each(|packet| self.write(packet));
        self.joint.rewind();
        self.sync.window.restart();
        (self.frames, self.placed) = (Frames::default(), false);
        self.counters.values_mut().for_each(|counter| counter.shift = None);
    }

    fn round(&self) -> Option<Duration> {
        Some(Timebase::MPEG.duration(Timestamp(self.joint.round()?)))
    }
}

/// About 200 kB; a file has its tables and a first picture long before.
const MOST_WAITING: usize = 1024;
