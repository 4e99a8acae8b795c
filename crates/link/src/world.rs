//! Many machines in virtual time: a network in one thread, whose every run with one seed is the same.

use crate::chance::mix;
use crate::machine::{Closed, Input, Machine, Output, Transmit};
use crate::trace::Record;
use crate::units::{LONGEST, nanos};
use crate::{ConfigError, LinkConfig, Nat, nat};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::{Duration, Instant};

mod agenda;
mod flow;
mod hosts;
mod lane;
mod parcels;
mod streams;
mod transit;

use agenda::{Agenda, Entry};
pub use hosts::{Access, HostId, Way};
use hosts::{Carrier, Host};
use parcels::Parcels;
use streams::Streams;

/// Machines connected by links, in virtual time.
///
/// Each host has a link up to a core that is infinitely fast and a link down from it; the core may take time, by a
/// function of the two hosts. A datagram goes up, across and down, and meets there what those links do; one with a
/// flipped bit is dropped at the end, as by a checksum. A byte stream goes the same way in packets of up to 1448 bytes
/// that wait in the same queues and take the same time, but are never lost, and at most 256 KiB of it are under way:
/// retransmission and congestion control are not modelled. Lengths on the links include headers of IPv4 and UDP (28
/// bytes) or TCP (40).
///
/// Hosts have addresses in 10.0.0.0/8, all with port 7000; behind a NAT ([`behind`](World::behind)) others see other ports. The world's clock begins at zero; machines see it added to
/// the `Instant` given, which changes nothing else. What they do at one moment happens in the order in which they were
/// added or woken, so a run is the same for the same seed, which [`trace_hash`](World::trace_hash) shows.
pub struct World<M: Machine> {
    start: Instant,
    now: u64,
    seed: u64,
    agenda: Agenda<Item>,
    hosts: Vec<Host<M>>,
    /// Which of them have a machine: who sends something asks that of somebody far away in memory.
    there: Vec<bool>,
    parcels: Parcels,
    streams: Streams,
    core: Option<Core>,
    /// What hosts are behind, datagrams only.
    nats: HashMap<u32, Nat>,
    /// Hosts that share a NAT, and the number that its address outside has.
    homes: HashMap<u32, u32>,
    watcher: Option<Watcher>,
    hash: u64,
    stats: Stats,
}

type Core = Box<dyn Fn(HostId, HostId) -> Duration + Send>;
type Watcher = Box<dyn FnMut(&Record, &Bytes) + Send>;

/// What is to happen at a moment.
#[derive(Clone, Copy, Debug)]
enum Item {
    Wake(u32),
    Link(u32, Way),
    /// A packet leaves the core; with the end of its number, as tickets are used again, and whom it is for.
    Cross(u32, u16, u32),
    /// A packet arrives; likewise.
    Arrive(u32, u16, u32),
    /// So many bytes of this end of a connection are known to have arrived.
    Acknowledge(u32, u8, u16),
    /// This end of a connection is over.
    Over(u32, u8, Closed),
}

/// What happened in a world so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that a machine got, copies counted.
    pub delivered: u64,
    /// Datagrams that a link lost or dropped.
    pub dropped: u64,
    /// Datagrams dropped for a flipped bit.
    pub corrupted: u64,
    /// Datagrams to an address with nobody at it.
    pub nobody: u64,
    /// Bytes of streams that a machine got.
    pub stream_bytes: u64,
    /// Outputs for streams that are not open.
    pub stray: u64,
    /// Packets under way, streams' included.
    pub under_way: usize,
}

impl<M: Machine> World<M> {
    /// An empty world. All its chance follows from `seed`.
    pub fn new(start: Instant, seed: u64) -> World<M> {
        World {
            start,
            now: 0,
            seed,
            agenda: Agenda::new(),
            hosts: Vec::new(),
            there: Vec::new(),
            parcels: Parcels::default(),
            streams: Streams::default(),
            core: None,
            nats: HashMap::new(),
            homes: HashMap::new(),
            watcher: None,
            hash: seed,
            stats: Stats::default(),
        }
    }

    /// Adds a host whose machine is first woken now, once time goes on.
    pub fn add(&mut self, machine: M, access: &Access) -> Result<HostId, ConfigError> {
        let host = self.hosts.len() as u32;
        let up = Carrier::new(access.up.as_ref(), self.link_seed(host, Way::Up))?;
        let down = Carrier::new(access.down.as_ref(), self.link_seed(host, Way::Down))?;
        self.hosts.push(Host::new(machine, up, down));
        self.there.push(true);
        self.wake_at(host, self.now);
        Ok(HostId(host))
    }

    /// Takes a host's machine out of the world: what is sent to it from now on finds nobody, and its streams are lost.
    pub fn remove(&mut self, host: HostId) -> Option<M> {
        let machine = self.hosts.get_mut(host.0 as usize)?.machine.take()?;
        self.there[host.0 as usize] = false;
        for (connection, end) in self.streams.of(host.0) {
            self.streams.end((connection, end));
            self.end_soon((connection, 1 - end), Closed::Lost);
        }
        Some(machine)
    }

    /// Puts a host behind a NAT of its own, whose address outside is the host's: others see its datagrams come from the
    /// ports that the NAT gives them, and it gets those that the NAT lets in. Streams are not concerned. A host that is
    /// behind one gets another, whose ports are others.
    pub fn behind(&mut self, host: HostId, class: nat::Class) {
        let mut nat = Nat::new(class, mix(self.seed, u64::from(host.0) | 1 << 63));
        if let Some(before) = self.nats.remove(&host.0).filter(|before| before.class() == class) {
            nat = before;
            nat.forget();
        }
        self.nats.insert(host.0, nat);
    }

    /// Puts hosts behind one NAT, without hairpin: among each other they are reached as before, others see them at ports of
    /// the host that is returned, which is nobody's. Streams are not concerned.
    pub fn together(&mut self, hosts: &[HostId], class: nat::Class) -> HostId {
        let router = self.hosts.len() as u32;
        self.hosts.push(Host::empty());
        self.there.push(false);
        self.nats.insert(router, Nat::new(class, mix(self.seed, u64::from(router) | 1 << 63)));
        self.homes.extend(hosts.iter().map(|host| (host.0, router)));
        HostId(router)
    }

    /// How long the core takes from one host to another; nothing, unless this is called.
    pub fn core(&mut self, delay: impl Fn(HostId, HostId) -> Duration + Send + 'static) {
        self.core = Some(Box::new(delay));
    }

    /// Shows every packet's fate, with its bytes, from now on.
    pub fn watch(&mut self, watcher: impl FnMut(&Record, &Bytes) + Send + 'static) {
        self.watcher = Some(Box::new(watcher));
    }

    /// Changes one of a host's links from now on; what is in it stays. A way that had none gets one.
    pub fn change(&mut self, host: HostId, way: Way, config: &LinkConfig) -> Result<(), ConfigError> {
        let seed = self.link_seed(host.0, way);
        let Some(found) = self.hosts.get_mut(host.0 as usize) else { return Ok(()) };
        for ticket in found.carrier_mut(way).change(self.now, config, seed)? {
            self.parcels.set_due(ticket, None);
        }
        self.arm(host.0, way);
        Ok(())
    }

    /// Lets time go on until `until`, and calls `tell` with what machines tell, in order.
    pub fn run(&mut self, until: Duration, mut tell: impl FnMut(Duration, HostId, M::Event)) {
        let until = nanos(until);
        while let Some((time, item)) = self.next(until) {
            self.now = time;
            match item {
                Item::Wake(host) => self.wake(host, &mut tell),
                Item::Link(host, way) => self.serve(host, way, &mut tell),
                Item::Cross(ticket, number, _) if self.is_due(ticket, number) => {
                    self.descend(ticket, &mut tell)
                }
                Item::Arrive(ticket, number, _) if self.is_due(ticket, number) => {
                    self.arrive(ticket, &mut tell)
                }
                Item::Cross(..) | Item::Arrive(..) => {}
                Item::Acknowledge(connection, end, bytes) => {
                    self.streams.acknowledged((connection, end), usize::from(bytes));
                    self.flush((connection, end));
                    self.streams.settled(connection);
                }
                Item::Over(connection, end, why) => {
                    self.over((connection, end), why, &mut tell);
                    self.streams.settled(connection);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// What time it is, since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// The same as machines see it.
    pub fn instant(&self) -> Instant {
        self.start.checked_add(self.now()).unwrap_or(self.start)
    }

    /// The machine of a host, if it is still there.
    pub fn machine(&self, host: HostId) -> Option<&M> {
        self.hosts.get(host.0 as usize)?.machine.as_ref()
    }

    /// The same to change it; it is woken now, once time goes on.
    pub fn machine_mut(&mut self, host: HostId) -> Option<&mut M> {
        let now = self.now;
        if self.machine(host).is_some() {
            self.wake_at(host.0, now);
        }
        self.hosts.get_mut(host.0 as usize)?.machine.as_mut()
    }

    /// All hosts that are there, in the order in which they were added.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &M)> {
        let machines = self.hosts.iter().enumerate();
        machines.filter_map(|(host, found)| Some((HostId(host as u32), found.machine.as_ref()?)))
    }

    /// How many packets wait or are being sent on one of a host's links, and their bytes.
    pub fn backlog(&self, host: HostId, way: Way) -> (usize, u64) {
        self.hosts.get(host.0 as usize).map_or((0, 0), |host| host.carrier(way).unsent(self.now))
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        Stats { under_way: self.parcels.len(), ..self.stats }
    }

    /// A number made of every arrival so far: when, from whom, to whom, how long, and how it begins. Two runs that differ
    /// in any of it have, for all practical purposes, different numbers.
    pub fn trace_hash(&self) -> u64 {
        self.hash
    }

    /// What happens next, by `until`. Most of a large world is not in the processor's cache: reading a little of what is
    /// needed next, all at once, overlaps the waits for memory that would else follow each other.
    fn next(&mut self, until: u64) -> Option<(u64, Item)> {
        let World { agenda, hosts, parcels, .. } = self;
        agenda.pop(until, |soon| {
            std::hint::black_box(read_ahead(hosts, parcels, soon));
        })
    }

    /// The seed of one of a host's links.
    fn link_seed(&self, host: u32, way: Way) -> u64 {
        mix(self.seed, u64::from(host) << 1 | u64::from(way == Way::Down))
    }

    /// Wakes a machine whose time may have come.
    fn wake(&mut self, host: u32, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let found = &mut self.hosts[host as usize];
        if found.armed != self.now {
            return;
        }
        found.armed = u64::MAX;
        if found.wake > self.now {
            let wake = found.wake;
            return self.wake_at(host, wake);
        }
        found.wake = u64::MAX;
        self.give(host, Input::Wake, tell);
    }

    /// Gives a machine what is for it, and does what it wants.
    fn give(&mut self, host: u32, input: Input, tell: &mut impl FnMut(Duration, HostId, M::Event)) {
        let now = self.instant();
        let Some(machine) = &mut self.hosts[host as usize].machine else { return };
        machine.handle(now, input);
        loop {
            let Some(machine) = &mut self.hosts[host as usize].machine else { return };
            match machine.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) => self.send(host, to, bytes),
                Output::Send(Transmit::Stream { id, what }) => self.stream(host, id, what),
                Output::Event(event) => tell(Duration::from_nanos(self.now), HostId(host), event),
                Output::Wait(until) => {
                    let until =
                        until.map_or(u64::MAX, |until| nanos(until.saturating_duration_since(self.start)));
                    return self.wake_at(host, until);
                }
            }
        }
    }

    /// Notes when a machine wants to be woken. An entry that is there already serves for any later time.
    fn wake_at(&mut self, host: u32, time: u64) {
        let found = &mut self.hosts[host as usize];
        found.wake = time;
        if time < found.armed && time <= LONGEST {
            found.armed = time.max(self.now);
            self.agenda.push(found.armed, Item::Wake(host));
        }
    }
}

/// Reads a little of what is needed for what happens soon: first of the hosts and packets, then of the machines.
fn read_ahead<M: Machine>(hosts: &[Host<M>], parcels: &Parcels, soon: &[Entry<Item>]) -> u64 {
    let mut read = 0;
    for (_, item) in soon {
        read ^= match *item {
            Item::Wake(host) | Item::Link(host, _) => hosts[host as usize].read(),
            Item::Cross(ticket, _, to) | Item::Arrive(ticket, _, to) => {
                hosts[to as usize].read() ^ parcels.get(ticket).number
            }
            Item::Acknowledge(..) | Item::Over(..) => 0,
        };
    }
    for step in 0..STEPS {
        for (_, item) in soon {
            let (host, datagram) = match *item {
                Item::Wake(host) => (host, None),
                Item::Cross(ticket, _, to) | Item::Arrive(ticket, _, to) => {
                    (to, Some(&parcels.get(ticket).bytes))
                }
                Item::Link(..) | Item::Acknowledge(..) | Item::Over(..) => continue,
            };
            let machine = hosts[host as usize].machine.as_ref();
            read ^= machine.map_or(0, |machine| machine.read_ahead(step, datagram));
        }
    }
    read
}

/// Of [`Machine::read_ahead`].
const STEPS: u32 = 3;

#[cfg(test)]
mod tests;
