//! Cuts transport streams into pages: the packets of one PES packet, in pieces of at most 8 KiB.

use super::{
    packet::{Packet, SIZE},
    pes::Pes,
    program::{Program, Seen, begins},
    sync::Sync,
};
use crate::{
    Cut, Page, Role, Timebase, TrackId, TrackInfo,
    container::clock::{APART, Unwrap33},
};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, time::Duration};

/// The header set is the tables, where they change; where they repeat they stay in the stream. A newcomer begins where
/// a key picture of the first video stream begins, or any sound where there are no pictures, or
/// anywhere if no table says what there is.
///
/// A page ends with the packet that ends a PES packet, so no frame waits for the next one: that is where its length is
/// reached, or, without a length, where a packet is stuffed, which happens to the last unless it is exactly full.
#[derive(Default)]
pub struct Cutter {
    sync: Sync,
    program: Program,
    tracks: Vec<TrackInfo>,
    held: BytesMut,
    role: Role,
    /// The page began with the association and nothing but tables followed.
    tables: bool,
    /// The whole header set after the last page, where its page has only a part of it.
    set: Option<Bytes>,
    ready: VecDeque<(Page, Option<Bytes>)>,
    clock: Unwrap33,
    newest: Option<Duration>,
    /// Packets that came while no map told what is in the stream.
    unmapped: usize,
}

impl Cutter {
    /// A cutter that has seen nothing.
    pub fn new() -> Cutter {
        Cutter::default()
    }

    fn take(&mut self, packet: &Packet) {
        let seen = self.program.see(packet);
        match seen {
            Seen::Association => self.association(packet),
            Seen::Mapped { changed } => self.mapped(packet, changed),
            Seen::Map | Seen::Other => self.hold(packet),
            Seen::Stream { kind, ends } => {
                if packet.start || self.tables {
                    self.release(None);
                }
                if self.program.main().is_some_and(|main| main.pid == packet.pid) && packet.start {
                    self.time(packet);
                    self.role = if begins(packet, kind) { Role::Entry } else { Role::Plain };
                }
                self.hold(packet);
                if ends {
                    self.release(None);
                }
            }
        }
    }

    /// The association begins a page, so that it and the map behind it are one.
    fn association(&mut self, packet: &Packet) {
        if packet.start {
            self.release(None);
            self.tables = true;
        }
        self.hold(packet);
    }

    fn mapped(&mut self, packet: &Packet, changed: bool) {
        if !self.tables {
            self.release(None);
        }
        let whole = self.tables;
        self.hold(packet);
        if changed {
            self.role = Role::Header;
            self.tracks = self
                .program
                .streams()
                .iter()
                .map(|stream| TrackInfo {
                    id: TrackId(u32::from(stream.pid)),
                    codec: stream.kind.codec(),
                    timebase: Timebase::MPEG,
                    setup: Bytes::new(),
                })
                .collect();
        }
        let set = (changed && !whole).then(|| self.program.tables());
        self.release(set);
    }

    /// A stream that never says what is in it can be begun with any page: there is nothing to wait for.
    fn hold(&mut self, packet: &Packet) {
        if self.program.main().is_none() {
            self.unmapped += 1;
            if self.held.is_empty() && self.unmapped > UNMAPPED {
                self.role = Role::Entry;
            }
        }
        self.held.extend_from_slice(&packet.bytes);
        if self.held.len() >= MOST_PACKETS * SIZE {
            self.release(None);
        }
    }

    fn release(&mut self, set: Option<Bytes>) {
        let (role, at) = (std::mem::take(&mut self.role), self.newest);
        self.tables = false;
        if !self.held.is_empty() {
            let page = Page { at, ..Page::new(self.held.split().freeze(), role) };
            self.ready.push_back((page, set));
        }
    }

    fn time(&mut self, packet: &Packet) {
        let Some(dts) = Pes::parse(packet.payload()).and_then(|pes| pes.dts) else { return };
        let at = Timebase::MPEG.duration(self.clock.unwrap(dts));
        let newest = self.newest.unwrap_or(at);
        self.newest = Some(if at + APART < newest { at } else { newest.max(at) });
    }
}

impl Cut for Cutter {
    fn push(&mut self, bytes: &[u8]) {
        self.sync.window.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        while self.ready.is_empty() {
            let packet = self.sync.poll()?;
            self.take(&packet);
        }
        let (page, set) = self.ready.pop_front()?;
        self.set = set;
        Some(page)
    }

    fn tracks(&self) -> &[TrackInfo] {
        &self.tracks
    }

    fn skipped(&self) -> u64 {
        self.sync.window.skipped()
    }

    fn header_set(&self) -> Option<Bytes> {
        self.set.clone()
    }

    fn finish(&mut self) {
        self.sync.window.finish();
        while let Some(packet) = self.sync.poll() {
            self.take(&packet);
        }
        self.release(None);
    }
}

/// 8 KiB: what a socket takes in one write for little more than the price of the call.
const MOST_PACKETS: usize = 43;
/// 96 KiB: tables come every 100 ms (ISO 13818-1 leaves it open, DVB does not), which is less up to 7 Mbit/s.
const UNMAPPED: usize = 512;
