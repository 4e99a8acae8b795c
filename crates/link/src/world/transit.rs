//! How a packet goes through a world: up its sender's link, across the core, down its receiver's.

use super::hosts::{NONE, Way};
use super::parcels::Load;
use super::{HostId, Item, World};
use crate::emulate::Delivered;
use crate::machine::{Input, Machine};
use crate::trace::{Fate, Record};
use crate::units::nanos;
use crate::{Outcome, Why};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

impl<M: Machine> World<M> {
    pub(super) fn send(&mut self, from: u32, to: SocketAddr, bytes: Bytes) {
        self.stats.sent += 1;
        let Some(to) = self.at(to) else {
            self.stats.nobody += 1;
            return;
        };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(UDP_HEADERS);
        let ticket = self.parcels.add(from, to, length, Load::Datagram, bytes);
        self.ascend(ticket);
    }

    /// Who is at `address` now.
    pub(super) fn at(&self, address: SocketAddr) -> Option<u32> {
        let host = HostId::at(address)?;
        self.machine(host).map(|_| host.0)
    }

    /// A packet enters its sender's link up.
    pub(super) fn ascend(&mut self, ticket: u32) {
        self.show(ticket, Fate::Sent);
        let path = self.hosts[self.parcels.get(ticket).from as usize].path(Way::Up);
        if path == NONE {
            let core = self.core_delay(ticket);
            return self.agenda.push(self.now.saturating_add(core), Item::Cross(ticket));
        }
        self.enter(ticket, path);
    }

    /// A packet leaves the core for its receiver's link down.
    pub(super) fn descend(&mut self, ticket: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let path = self.hosts[self.parcels.get(ticket).to as usize].path(Way::Down);
        if path == NONE {
            return self.arrive(ticket, tell);
        }
        self.enter(ticket, path);
    }

    /// Something is to leave a link.
    pub(super) fn serve(&mut self, path: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let found = &mut self.paths[path as usize];
        if found.armed != self.now {
            return;
        }
        found.armed = u64::MAX;
        let way = found.way;
        while let Some(outcome) = self.paths[path as usize].link.poll_at(self.now) {
            let delivered = match outcome {
                Outcome::Dropped(dropped) => {
                    self.lost(dropped.ticket, dropped.why);
                    continue;
                }
                Outcome::Delivered(delivered) => delivered,
            };
            let ticket = self.branded(&delivered);
            match way {
                Way::Down => self.arrive(ticket, tell),
                Way::Up => match self.core_delay(ticket) {
                    0 => self.descend(ticket, tell),
                    core => self.agenda.push(self.now.saturating_add(core), Item::Cross(ticket)),
                },
            }
        }
        self.arm(path);
    }

    /// Notes when something leaves a link next, unless an earlier note is there.
    pub(super) fn arm(&mut self, path: u32) {
        let found = &mut self.paths[path as usize];
        let Some(due) = found.link.due_at() else { return };
        let due = due.max(self.now);
        if due < found.armed {
            found.armed = due;
            self.agenda.push(due, Item::Link(path));
        }
    }

    fn enter(&mut self, ticket: u32, path: u32) {
        let parcel = self.parcels.get(ticket);
        let link = &mut self.paths[path as usize].link;
        if parcel.load != Load::Datagram {
            link.push_sure(self.now, ticket, parcel.length);
            return self.arm(path);
        }
        let entry = link.push_at(self.now, ticket, parcel.length);
        if let Some(why) = entry.refused {
            self.show(ticket, Fate::Dropped(why));
            self.stats.dropped += u64::from(entry.taken == 0);
        }
        if entry.taken != 1 {
            self.parcels.copied(ticket, entry.taken);
        }
        if entry.taken != 0 {
            self.arm(path);
        }
    }

    /// A packet of its own, where something happened to this copy of it.
    fn branded(&mut self, delivered: &Delivered) -> u32 {
        let Delivered { ticket, copy, flipped, marked, .. } = *delivered;
        if !copy && flipped.is_none() && !marked {
            return ticket;
        }
        self.parcels.brand(ticket, copy, flipped.is_some(), marked)
    }

    fn arrive(&mut self, ticket: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let parcel = self.parcels.get(ticket);
        let (from, to, load, brand) = (parcel.from, parcel.to, parcel.load, parcel.brand);
        if brand.corrupt {
            self.stats.corrupted += 1;
            self.show(ticket, Fate::Corrupted);
            self.parcels.done(ticket);
            return;
        }
        if self.hosts[to as usize].machine.is_none() && load == Load::Datagram {
            self.stats.nobody += 1;
            self.show(ticket, Fate::Nobody);
            self.parcels.done(ticket);
            return;
        }
        self.show(ticket, Fate::Arrived { copy: brand.copy, marked: brand.marked });
        let bytes = self.parcels.done(ticket);
        self.note(from, to, &bytes);
        match load {
            Load::Datagram => {
                self.stats.delivered += 1;
                self.give(to, Input::Datagram { from: HostId(from).address(), bytes }, tell);
            }
            Load::Stream { connection, end, part } => self.arrive_on((connection, end), part, bytes, tell),
        }
    }

    /// An arrival goes into the hash.
    fn note(&mut self, from: u32, to: u32, bytes: &Bytes) {
        let mut first = [0; 8];
        let known = bytes.len().min(8);
        first[..known].copy_from_slice(&bytes[..known]);
        let pair = u64::from(from) << 32 | u64::from(to);
        let words = [self.now, pair, bytes.len() as u64, u64::from_le_bytes(first)];
        for word in words {
            self.hash = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }

    fn lost(&mut self, ticket: u32, why: Why) {
        self.stats.dropped += 1;
        self.show(ticket, Fate::Dropped(why));
        self.parcels.done(ticket);
    }

    fn core_delay(&self, ticket: u32) -> u64 {
        let parcel = self.parcels.get(ticket);
        self.core_between(parcel.from, parcel.to)
    }

    pub(super) fn core_between(&self, from: u32, to: u32) -> u64 {
        self.core.as_ref().map_or(0, |core| nanos(core(HostId(from), HostId(to))))
    }

    /// How long a packet of no length is on its way, if nothing delays it.
    pub(super) fn shortest(&self, from: u32, to: u32) -> u64 {
        let leg = |host: u32, way: Way| {
            let path = self.hosts[host as usize].path(way);
            self.paths.get(path as usize).map_or(0, |path| path.link.base_delay())
        };
        leg(from, Way::Up).saturating_add(self.core_between(from, to)).saturating_add(leg(to, Way::Down))
    }

    fn show(&mut self, ticket: u32, fate: Fate) {
        let Some(watcher) = &mut self.watcher else { return };
        let parcel = self.parcels.get(ticket);
        let record = Record {
            at: Duration::from_nanos(self.now),
            packet: parcel.number,
            from: parcel.from,
            to: parcel.to,
            length: parcel.length,
            fate,
        };
        watcher(&record, &parcel.bytes);
    }
}

/// Headers of IPv4 and UDP.
const UDP_HEADERS: u32 = 28;
