//! How a packet goes through a world: up its sender's link, across the core, down its receiver's.

use super::hosts::{Carrier, Held, Way};
use super::lane::Passage;
use super::parcels::{Brand, Load};
use super::{HostId, Item, World};
use crate::machine::{Input, Machine};
use crate::queue::Marks;
use crate::trace::{Fate, Record};
use crate::units::{LONGEST, nanos};
use crate::{Delivered, Outcome, Why};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

impl<M: Machine> World<M> {
    pub(super) fn send(&mut self, from: u32, to: SocketAddr, bytes: Bytes) {
        self.stats.sent += 1;
        let (now, inside) = (self.now(), HostId(from).address());
        let nat = self.nats.get_mut(&self.router(from, to).unwrap_or(from));
        let port = nat.map_or(inside.port(), |nat| nat.out(now, inside, to));
        let host = HostId::of(to.ip()).and_then(|host| self.reached(from, host, to.port()));
        let Some(host) = host else {
            self.stats.nobody += 1;
            return;
        };
        let ticket = self.parcels.add(from, host.0, Load::Datagram { from: port, to: to.port() }, bytes);
        self.ascend(ticket);
    }

    /// Who is at `address` now.
    pub(super) fn at(&self, address: SocketAddr) -> Option<u32> {
        let host = HostId::at(address)?;
        self.machine(host).map(|_| host.0)
    }

    /// The NAT that a host shares with others and that its datagrams to `to` go through.
    fn router(&self, from: u32, to: SocketAddr) -> Option<u32> {
        let router = *self.homes.get(&from)?;
        let is_inside = HostId::at(to).is_some_and(|host| self.homes.get(&host.0) == Some(&router));
        (!is_inside).then_some(router)
    }

    /// Who may be at a port of a host, seen from `from`: what its NAT lets in shows when it arrives there.
    fn reached(&self, from: u32, host: HostId, port: u16) -> Option<HostId> {
        let (home, of_sender) = (self.homes.get(&host.0), self.homes.get(&from));
        if self.there.get(host.0 as usize).is_some_and(|is_there| *is_there) {
            let is_there = port == host.address().port() || self.nats.contains_key(&host.0);
            return (is_there && (home.is_none() || home == of_sender)).then_some(host);
        }
        // No hairpin.
        let nat = self.nats.get(&host.0).filter(|_| of_sender != Some(&host.0))?;
        let inside = HostId::at(nat.behind(port)?)?;
        (self.homes.get(&inside.0) == Some(&host.0)).then_some(inside)
    }

    /// The host as which another sees one: the NAT that it shares, where the other does not.
    fn seen_as(&self, from: u32, by: u32) -> u32 {
        let home = self.homes.get(&from).filter(|home| self.homes.get(&by) != Some(*home));
        home.copied().unwrap_or(from)
    }

    /// A packet enters its sender's link up.
    pub(super) fn ascend(&mut self, ticket: u32) {
        self.show(ticket, Fate::Sent);
        let from = self.parcels.get(ticket).from;
        if !self.enter(ticket, from, Way::Up) {
            self.schedule(ticket, self.now, Way::Up);
        }
    }

    /// Whether a note about a packet is about this one, and not out of date.
    pub(super) fn is_due(&self, ticket: u32, number: u16) -> bool {
        self.parcels.get(ticket).is_due(self.now, number)
    }

    /// A packet leaves the core for its receiver's link down.
    pub(super) fn descend(&mut self, ticket: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let to = self.parcels.get(ticket).to;
        if !self.enter(ticket, to, Way::Down) {
            self.arrive(ticket, tell);
        }
    }

    /// Something is to leave a link that keeps its packets.
    pub(super) fn serve(&mut self, host: u32, way: Way, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let now = self.now;
        let Some(held) = self.held(host, way).filter(|held| held.armed == now) else { return };
        held.armed = u64::MAX;
        while let Some(outcome) = self.held(host, way).and_then(|held| held.link.poll_at(now)) {
            let delivered = match outcome {
                Outcome::Dropped(dropped) => {
                    self.lost(dropped.ticket, dropped.why);
                    continue;
                }
                Outcome::Delivered(delivered) => delivered,
            };
            let Delivered { ticket, copy, flipped, marked, .. } = delivered;
            let ticket = self.branded(ticket, Brand::new(copy, flipped.is_some(), marked));
            match way {
                Way::Down => self.arrive(ticket, tell),
                Way::Up => self.schedule(ticket, self.now, Way::Up),
            }
        }
        self.arm(host, way);
    }

    /// Notes when something leaves a link next, unless an earlier note is there.
    pub(super) fn arm(&mut self, host: u32, way: Way) {
        let now = self.now;
        let Some(held) = self.held(host, way) else { return };
        let Some(due) = held.link.due_at() else { return };
        let due = due.max(now);
        if due < held.armed {
            held.armed = due;
            self.agenda.push(due, Item::Link(host, way));
        }
    }

    fn held(&mut self, host: u32, way: Way) -> Option<&mut Held> {
        match self.hosts.get_mut(host as usize)?.carrier_mut(way) {
            Carrier::Held(held) => Some(held),
            Carrier::None | Carrier::Lane(_) => None,
        }
    }

    /// A packet enters one of the links of `host`; false where there is none.
    fn enter(&mut self, ticket: u32, host: u32, way: Way) -> bool {
        let parcel = self.parcels.get(ticket);
        let (sure, length) = (!parcel.load.is_datagram(), parcel.length());
        match self.hosts[host as usize].carrier_mut(way) {
            Carrier::None => return false,
            Carrier::Lane(lane) if sure => {
                let at = lane.pass_sure(self.now, ticket, length);
                self.schedule(ticket, at, way);
            }
            Carrier::Lane(lane) => {
                let fates = lane.pass(self.now, ticket, length);
                self.pass(ticket, fates, way);
            }
            Carrier::Held(held) if sure => {
                held.link.push_sure(self.now, ticket, length);
                self.arm(host, way);
            }
            Carrier::Held(held) => {
                let entry = held.link.push_at(self.now, ticket, length);
                self.count(ticket, entry.taken, entry.refused);
                self.arm(host, way);
            }
        }
        true
    }

    /// A lane said what becomes of a packet and of its copy.
    fn pass(&mut self, ticket: u32, fates: [Option<Result<Passage, Why>>; 2], way: Way) {
        if let [Some(Ok(passage)), None] = fates
            && passage.marks == Marks::default()
        {
            return self.schedule(ticket, passage.at, way);
        }
        let taken = fates.iter().filter(|fate| matches!(fate, Some(Ok(_)))).count() as u8;
        let refused = fates.iter().find_map(|fate| fate.and_then(Result::err));
        self.count(ticket, taken, refused);
        for Passage { at, marks } in fates.into_iter().flatten().flatten() {
            let ticket = self.branded(ticket, Brand::new(marks.copy, marks.flipped != 0, marks.congestion));
            self.schedule(ticket, at, way);
        }
    }

    /// So many copies of a packet were taken.
    fn count(&mut self, ticket: u32, taken: u8, refused: Option<Why>) {
        if let Some(why) = refused {
            self.show(ticket, Fate::Dropped(why));
            self.stats.dropped += u64::from(taken == 0);
        }
        if taken != 1 {
            self.parcels.copied(ticket, taken);
        }
    }

    /// A packet leaves its link at a moment: it crosses the core, or has arrived.
    fn schedule(&mut self, ticket: u32, at: u64, way: Way) {
        let parcel = self.parcels.get(ticket);
        let number = parcel.number as u16;
        let (at, item) = match way {
            Way::Down => (at, Item::Arrive(ticket, number, parcel.to)),
            Way::Up => {
                let core = self.core_between(parcel.from, parcel.to);
                (at.saturating_add(core), Item::Cross(ticket, number, parcel.to))
            }
        };
        self.parcels.set_due(ticket, Some(at));
        if at <= LONGEST {
            self.agenda.push(at, item);
        }
    }

    /// A packet of its own, where something happened to this copy of it.
    fn branded(&mut self, ticket: u32, brand: Brand) -> u32 {
        if brand == Brand::default() { ticket } else { self.parcels.brand(ticket, brand) }
    }

    pub(super) fn arrive(&mut self, ticket: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let parcel = self.parcels.get(ticket);
        let (from, to, load, brand) = (parcel.from, parcel.to, parcel.load, parcel.brand);
        if brand.is_corrupt() {
            self.stats.corrupted += 1;
            self.show(ticket, Fate::Corrupted);
            self.parcels.done(ticket);
            return;
        }
        if self.hosts[to as usize].machine.is_none() && load.is_datagram() {
            self.stats.nobody += 1;
            self.show(ticket, Fate::Nobody);
            self.parcels.done(ticket);
            return;
        }
        if let Load::Datagram { from: port, to: at } = load
            && !self.is_let_in((from, port), (to, at))
        {
            self.stats.nobody += 1;
            self.show(ticket, Fate::Nobody);
            self.parcels.done(ticket);
            return;
        }
        self.show(ticket, Fate::Arrived { copy: brand.is_copy(), marked: brand.is_marked() });
        let bytes = self.parcels.done(ticket);
        self.note(from, to, &bytes);
        match load {
            Load::Datagram { from: port, .. } => {
                self.stats.delivered += 1;
                let from = SocketAddr::new(HostId(self.seen_as(from, to)).address().ip(), port);
                self.give(to, Input::Datagram { from, bytes }, tell);
            }
            Load::Stream { connection, end, part } => self.arrive_on((connection, end), part, bytes, tell),
        }
    }

    /// Whether the NAT of `to`, if it is behind one, lets in what comes from `from`: hosts and ports.
    fn is_let_in(&self, from: (u32, u16), to: (u32, u16)) -> bool {
        let now = self.now();
        let home = self.homes.get(&to.0).filter(|home| self.homes.get(&from.0) != Some(*home));
        let Some(nat) = self.nats.get(home.unwrap_or(&to.0)) else { return true };
        let from = SocketAddr::new(HostId(self.seen_as(from.0, to.0)).address().ip(), from.1);
        nat.lets_in(now, to.1, from).is_some()
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

    pub(super) fn core_between(&self, from: u32, to: u32) -> u64 {
        self.core.as_ref().map_or(0, |core| nanos(core(HostId(from), HostId(to))))
    }

    /// How long a packet of no length is on its way, if nothing delays it.
    pub(super) fn shortest(&self, from: u32, to: u32) -> u64 {
        let leg = |host: u32, way: Way| self.hosts[host as usize].carrier(way).base_delay();
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
            length: parcel.length(),
            fate,
        };
        watcher(&record, &parcel.bytes);
    }
}
