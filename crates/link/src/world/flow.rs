//! How byte streams go through a world.

use super::parcels::{Load, Part};
use super::streams::Next;
use super::{HostId, Item, World};
use crate::machine::{Closed, Input, Machine, StreamId, StreamInput, StreamOutput};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

impl<M: Machine> World<M> {
    /// Does what a machine wants of a stream.
    pub(super) fn stream(&mut self, host: u32, id: StreamId, what: StreamOutput) {
        match (what, self.streams.find(host, id)) {
            (StreamOutput::Open { to }, None) if id.is_ours() => self.open(host, id, to),
            (StreamOutput::Bytes(bytes), Some(end)) if !bytes.is_empty() => self.write(end, bytes),
            (StreamOutput::Bytes(_), Some(_)) => {}
            (StreamOutput::Close, Some(end)) => {
                self.streams.close(end);
                self.flush(end);
            }
            _ => self.stats.stray += 1,
        }
    }

    /// Sends what the window lets out.
    pub(super) fn flush(&mut self, (connection, end): (u32, u8)) {
        loop {
            match self.streams.next((connection, end)) {
                Next::Bytes(bytes) => self.post((connection, end), Part::Bytes, bytes),
                Next::Close => self.post((connection, end), Part::Close, Bytes::new()),
                Next::Nothing => return,
            }
        }
    }

    /// A packet from `end` of a connection is at the other.
    pub(super) fn arrive_on(
        &mut self,
        (connection, end): (u32, u8),
        part: Part,
        bytes: Bytes,
        tell: &mut impl FnMut(Duration, HostId, M::Event),
    ) {
        match part {
            Part::Open => self.accept(connection, tell),
            Part::Accept => {
                if self.streams.accepted(connection) {
                    self.inform((connection, 0), |peer| StreamInput::Opened { peer }, tell);
                }
                self.flush((connection, 0));
            }
            Part::Bytes => {
                let [a, b] = &self.streams.get(connection).ends;
                let (sender, receiver) = if end == 0 { (a.host, b.host) } else { (b.host, a.host) };
                // A packet carries at most 1448 bytes.
                let length = bytes.len() as u16;
                self.stats.stream_bytes += u64::from(length);
                let back = self.now.saturating_add(self.shortest(receiver, sender));
                self.streams.named(connection);
                self.agenda.push(back, Item::Acknowledge(connection, end, length));
                if self.streams.listens((connection, 1 - end)) {
                    self.inform((connection, 1 - end), |_| StreamInput::Bytes(bytes), tell);
                }
            }
            Part::Close => self.over((connection, 1 - end), Closed::ByPeer, tell),
        }
        self.streams.settled(connection);
    }

    /// An end is over, and its machine is told, unless it knows.
    pub(super) fn over(
        &mut self,
        (connection, end): (u32, u8),
        why: Closed,
        tell: &mut impl FnMut(Duration, HostId, M::Event),
    ) {
        if why == Closed::Refused {
            self.streams.end((connection, 1));
        }
        if self.streams.end((connection, end)) {
            self.inform((connection, end), |_| StreamInput::Closed(why), tell);
        }
    }

    /// The same, as soon as the machine that runs now is done.
    pub(super) fn end_soon(&mut self, (connection, end): (u32, u8), why: Closed) {
        self.streams.named(connection);
        self.agenda.push(self.now, Item::Over(connection, end, why));
    }

    fn open(&mut self, host: u32, id: StreamId, to: SocketAddr) {
        let peer = self.at(to);
        let connection = self.streams.open(host, id, peer.unwrap_or(host));
        match peer {
            Some(_) => self.post((connection, 0), Part::Open, Bytes::new()),
            None => self.end_soon((connection, 0), Closed::Refused),
        }
    }

    fn accept(&mut self, connection: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        if !self.streams.is_wanted(connection) {
            return;
        }
        let host = self.streams.get(connection).ends[1].host;
        let found = &mut self.hosts[host as usize];
        if found.machine.is_none() {
            return self.over((connection, 0), Closed::Refused, tell);
        }
        let id = StreamId::theirs(found.accepted);
        found.accepted = found.accepted.wrapping_add(1);
        self.streams.accept(connection, id);
        self.post((connection, 1), Part::Accept, Bytes::new());
        self.inform((connection, 1), |peer| StreamInput::Opened { peer }, tell);
    }

    fn write(&mut self, (connection, end): (u32, u8), bytes: Bytes) {
        if self.streams.write((connection, end), bytes) {
            return self.flush((connection, end));
        }
        self.end_soon((connection, end), Closed::Overflow);
        self.end_soon((connection, 1 - end), Closed::Lost);
    }

    /// Sends a packet from `end` of a connection to the other.
    fn post(&mut self, (connection, end): (u32, u8), part: Part, bytes: Bytes) {
        let [a, b] = &self.streams.get(connection).ends;
        let (from, to) = if end == 0 { (a.host, b.host) } else { (b.host, a.host) };
        self.streams.named(connection);
        let ticket = self.parcels.add(from, to, Load::Stream { connection, end, part }, bytes);
        self.ascend(ticket);
    }

    /// Tells the machine at `end` what happened, given its peer's address.
    fn inform(
        &mut self,
        (connection, end): (u32, u8),
        what: impl FnOnce(SocketAddr) -> StreamInput,
        tell: &mut impl FnMut(Duration, HostId, M::Event),
    ) {
        let [a, b] = &self.streams.get(connection).ends;
        let (own, peer) = if end == 0 { (a, b) } else { (b, a) };
        let (host, id) = (own.host, own.id);
        let what = what(HostId(peer.host).address());
        self.give(host, Input::Stream { id, what }, tell);
    }
}
