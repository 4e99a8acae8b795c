//! The program that is followed: its tables as they travel, its streams, and where each one's packets end.

use super::{
    packet::{Packet, Pid},
    pes::Pes,
    psi::{self, Gather, Stream, StreamKind},
};
use crate::codec::{h264, h265};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Follows the program of the first map that comes, as long as the association names it.
#[derive(Default)]
pub(super) struct Program {
    association: Gather,
    maps: BTreeMap<Pid, Gather>,
    /// Section and packets of the tables in force.
    pat: (BytesMut, BytesMut),
    pmt: (BytesMut, BytesMut),
    map_pid: Option<Pid>,
    streams: Vec<Stream>,
    /// Bytes that the running PES packet of a stream still has; `None` where its header does not say.
    running: BTreeMap<Pid, Option<usize>>,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Part of the association; whether it is whole now.
    Association,
    /// Part of a map; another may follow.
    Map,
    /// The last part of the map that is followed; whether it or the association changed.
    Mapped { changed: bool },
    /// Of a stream of the program.
    Stream { kind: StreamKind, ends: bool },
    /// Anything else.
    Other,
}

impl Program {
    /// Looks at the next packet.
    pub(super) fn see(&mut self, packet: &Packet) -> Seen {
        if packet.closed {
            return Seen::Other;
        }
        if packet.pid == ASSOCIATION {
            self.associate(packet);
            return Seen::Association;
        }
        if self.maps.contains_key(&packet.pid) {
            return self.map(packet);
        }
        match self.streams.iter().find(|stream| stream.pid == packet.pid).copied() {
            Some(stream) => Seen::Stream { kind: stream.kind, ends: self.ends(packet) },
            None => Seen::Other,
        }
    }

    /// The streams of the program.
    pub(super) fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The stream that decides where one may begin and what time it is: pictures before sound.
    pub(super) fn main(&self) -> Option<Stream> {
        let find =
            |wanted: fn(StreamKind) -> bool| self.streams.iter().find(|stream| wanted(stream.kind)).copied();
        find(StreamKind::is_video).or_else(|| find(StreamKind::is_audio))
    }

    /// The packets of both tables.
    pub(super) fn tables(&self) -> Bytes {
        Bytes::from([&self.pat.1[..], &self.pmt.1[..]].concat())
    }

    fn associate(&mut self, packet: &Packet) {
        let Some((section, packets)) = self.association.take(packet) else { return };
        let Some(programs) = psi::programs(&section) else { return };
        if self.pat.0 == section {
            return;
        }
        let pids: Vec<Pid> = programs.iter().map(|program| program.1).collect();
        self.maps.retain(|pid, _| pids.contains(pid));
        for &pid in &pids {
            self.maps.entry(pid).or_default();
        }
        self.map_pid = self.map_pid.filter(|pid| pids.contains(pid));
        // the map counts as changed too, so that both become headers again
        (self.pat, self.pmt.0) = ((section, packets), BytesMut::new());
    }

    fn map(&mut self, packet: &Packet) -> Seen {
        let Some(gather) = self.maps.get_mut(&packet.pid) else { return Seen::Other };
        let Some((section, packets)) = gather.take(packet) else { return Seen::Map };
        let Some(streams) = psi::streams(&section) else { return Seen::Map };
        if *self.map_pid.get_or_insert(packet.pid) != packet.pid {
            return Seen::Map;
        }
        let changed = self.pmt.0 != section;
        if changed {
            (self.pmt, self.streams) = ((section, packets), streams);
            self.running.clear();
        }
        Seen::Mapped { changed }
    }

    /// Whether the packet is the last of its PES packet, as far as that can be told without the next.
    fn ends(&mut self, packet: &Packet) -> bool {
        let payload = packet.payload();
        if packet.start {
            let size = Pes::parse(payload).and_then(|pes| pes.size);
            self.running.insert(packet.pid, size);
        }
        let Some(left) = self.running.get_mut(&packet.pid) else { return false };
        match left {
            Some(left) => {
                *left = left.saturating_sub(payload.len());
                *left == 0
            }
            // one without a length fills whole packets up to its last
            None => packet.adaptation.stuffed && !payload.is_empty(),
        }
    }
}

/// Whether a decoder may begin with the PES packet that begins in `packet` of a stream of `kind`.
pub(super) fn begins(packet: &Packet, kind: StreamKind) -> bool {
    if !packet.start || packet.closed {
        return false;
    }
    let Some(pes) = Pes::parse(packet.payload()) else { return false };
    let stream = packet.payload().get(pes.payload..).unwrap_or_default();
    match kind {
        _ if kind.is_audio() => true,
        _ if packet.adaptation.random_access => true,
        StreamKind::H264 => h264::begins(stream),
        StreamKind::H265 => h265::begins(stream),
        StreamKind::Mpeg => stream.starts_with(&[0, 0, 1, SEQUENCE_HEADER]),
        _ => false,
    }
}

const ASSOCIATION: Pid = 0;
/// Of MPEG 1 and 2 video (ISO 13818-2 6.2.2.1).
const SEQUENCE_HEADER: u8 = 0xb3;
