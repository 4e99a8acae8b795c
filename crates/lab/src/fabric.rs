//! All links and switches of a lab at once: packets come in at hosts, and leave at hosts at their time.
//!
//! No I/O and no clock: [`Fabric::arrive`] takes a packet with the time at which it came, [`Fabric::run`] lets time pass.
//! What is due earlier is done earlier, whatever link it is on.

use crate::topology::{Destination, Paths};
use levada_link::{ConfigError, Delivered, Entry, Link, LinkConfig, Outcome, Why};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

mod groups;
mod surgery;
use groups::Groups;
pub(crate) use surgery::checksum;

/// A direction of a link.
pub(crate) type Direction = usize;

/// The links and switches of a lab.
pub(crate) struct Fabric {
    paths: Paths,
    pipes: Vec<Pipe>,
    /// The pipes of each direction in order; the last is its wire.
    chains: Vec<Vec<usize>>,
    totals: Vec<Totals>,
    /// What is in a pipe, by ticket.
    flights: Vec<Flight>,
    free: Vec<u32>,
    /// When each pipe is due, with the earliest first; entries that a pipe no longer means are passed over.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    groups: Groups,
    packets: u64,
    seed: u64,
    /// What has left, in the order in which it did.
    pub out: VecDeque<Leaving>,
    /// What happened, where somebody watches.
    pub seen: Vec<Seen>,
    /// Which directions are watched.
    pub watched: Vec<bool>,
    /// Whether drops are watched everywhere.
    pub drops: bool,
}

/// A link of a chain.
struct Pipe {
    link: Link,
    due: Option<Duration>,
    perfect: bool,
}

/// A packet in a pipe.
#[derive(Clone)]
struct Flight {
    packet: Packet,
    direction: Direction,
    pipe: usize,
    copies: u8,
}

/// A packet.
#[derive(Clone)]
struct Packet {
    /// Numbered from one, in the order in which hosts sent them.
    id: u64,
    bytes: Arc<[u8]>,
    /// When it came to the link that it is on.
    entered: Duration,
    /// Whether some link took time over it.
    delayed: bool,
}

/// A packet on its way to a host.
pub(crate) struct Leaving {
    /// Which host interface.
    pub port: usize,
    /// When it should be there.
    pub at: Duration,
    /// The packet.
    pub bytes: Arc<[u8]>,
    /// Which packet.
    pub id: u64,
    /// Whether some link took time over it.
    pub delayed: bool,
}

/// What happened to a packet at an end of a link.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When, since the lab began.
    pub at: Duration,
    /// Which direction of a link: `2 * link`, one more for the way back.
    pub direction: usize,
    /// Which packet, numbered from one in the order in which hosts sent them: the same at every link.
    pub packet: u64,
    /// The packet, from its Ethernet header on.
    pub bytes: Arc<[u8]>,
    /// What happened.
    pub fate: Fate,
}

/// What happened to a packet at an end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It left the near end.
    Sent,
    /// It came to the far end.
    Arrived,
    /// The link dropped it.
    Dropped(Why),
}

/// What a direction of a link has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Packets that went in.
    pub packets: u64,
    /// Their bytes, with Ethernet headers.
    pub bytes: u64,
    /// Packets that came out, copies counted.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// The time that those took over it, summed, in nanoseconds.
    pub delay_ns: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets that the queue dropped.
    pub queue: u64,
    /// Packets dropped otherwise.
    pub other: u64,
}

impl Fabric {
    /// With the wires of each direction.
    pub(crate) fn new(paths: Paths, wires: &[LinkConfig], seed: u64) -> Result<Fabric, ConfigError> {
        let mut fabric = Fabric {
            chains: Vec::with_capacity(wires.len()),
            totals: vec![Totals::default(); wires.len()],
            watched: vec![false; wires.len()],
            drops: false,
            pipes: Vec::with_capacity(wires.len()),
            flights: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            groups: Groups::default(),
            packets: 0,
            out: VecDeque::new(),
            seen: Vec::new(),
            paths,
            seed,
        };
        for (direction, config) in wires.iter().enumerate() {
            let pipe = fabric.pipe(config, direction as u64)?;
            fabric.chains.push(vec![pipe]);
        }
        Ok(fabric)
    }

    fn pipe(&mut self, config: &LinkConfig, salt: u64) -> Result<usize, ConfigError> {
        let seed = self.seed ^ (salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let link = Link::new(config, seed)?;
        self.pipes.push(Pipe { link, due: None, perfect: config.is_perfect() });
        Ok(self.pipes.len() - 1)
    }

    /// What each direction has carried.
    pub(crate) fn totals(&self) -> &[Totals] {
        &self.totals
    }

    /// How many packets and bytes wait for each direction's wire.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (usize, u64)> {
        self.chains.iter().map(|chain| {
            let backlogs = chain.iter().map(|pipe| self.pipes[*pipe].link.backlog());
            backlogs.fold((0, 0), |sum, backlog| (sum.0 + backlog.packets, sum.1 + backlog.bytes))
        })
    }

    /// How many host interfaces there are.
    pub(crate) fn ports(&self) -> usize {
        self.paths.ports.len()
    }

    /// When something may be to be done next, or earlier.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// How many packets hosts have sent.
    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// A packet came from the host interface `port` at `at`.
    pub(crate) fn arrive(&mut self, port: usize, at: Duration, bytes: &[u8]) {
        if bytes.len() < ETHERNET {
            return;
        }
        self.run(at);
        self.packets += 1;
        self.groups.listen(port, bytes);
        let packet = Packet { id: self.packets, bytes: bytes.into(), entered: at, delayed: false };
        self.enter(self.paths.ports[port].out, at, packet);
    }

    /// When something is to be done next.
    pub(crate) fn due(&mut self) -> Option<Duration> {
        while let Some(Reverse((due, pipe))) = self.due.peek() {
            if self.pipes[*pipe].due == Some(*due) {
                return Some(*due);
            }
            self.due.pop();
        }
        None
    }

    /// Does what is due until `now`.
    pub(crate) fn run(&mut self, now: Duration) {
        while let Some(due) = self.due().filter(|due| *due <= now) {
            let Some(Reverse((_, pipe))) = self.due.pop() else { return };
            self.pipes[pipe].due = None;
            while let Some(outcome) = self.pipes[pipe].link.poll(due) {
                self.done(outcome);
            }
            self.plan(pipe);
        }
    }

    /// A packet begins its way over a direction.
    fn enter(&mut self, direction: Direction, at: Duration, packet: Packet) {
        let packet = Packet { entered: at, ..packet };
        let totals = &mut self.totals[direction];
        totals.packets += 1;
        totals.bytes += packet.bytes.len() as u64;
        self.see(direction, at, &packet, Fate::Sent);
        self.push(direction, 0, at, packet);
    }

    /// A packet comes to the pipe at `place` of a direction's chain, or to its end.
    fn push(&mut self, direction: Direction, place: usize, at: Duration, packet: Packet) {
        let Some(&pipe) = self.chains[direction].get(place) else {
            return self.leave(direction, at, packet);
        };
        if self.pipes[pipe].perfect && self.pipes[pipe].due.is_none() {
            return self.push(direction, place + 1, at, packet);
        }
        let length = packet.bytes.len() as u32;
        let (id, bytes) = (packet.id, packet.bytes.clone());
        let packet = Packet { delayed: packet.delayed || !self.pipes[pipe].perfect, ..packet };
        let ticket = self.ticket(Flight { packet, direction, pipe, copies: 0 });
        let Entry { taken, refused } = self.pipes[pipe].link.push(at, ticket, length);
        self.flights[ticket as usize].copies = taken;
        if taken == 0 {
            self.free.push(ticket);
        }
        if let Some(why) = refused {
            let packet = Packet { id, bytes, entered: at, delayed: false };
            self.dropped(direction, at, &packet, why);
        }
        self.plan(pipe);
    }

    /// What became of a packet in a pipe.
    fn done(&mut self, outcome: Outcome) {
        let ticket = match outcome {
            Outcome::Delivered(Delivered { ticket, .. }) => ticket,
            Outcome::Dropped(dropped) => dropped.ticket,
        };
        let Some(flight) = self.flights.get_mut(ticket as usize).filter(|flight| flight.copies > 0) else {
            return;
        };
        flight.copies -= 1;
        let (direction, pipe, last) = (flight.direction, flight.pipe, flight.copies == 0);
        let mut packet = flight.packet.clone();
        if last {
            flight.packet.bytes = Arc::default();
            self.free.push(ticket);
        }
        match outcome {
            Outcome::Dropped(dropped) => self.dropped(direction, dropped.at, &packet, dropped.why),
            Outcome::Delivered(delivered) => {
                if let Some(bit) = delivered.flipped {
                    surgery::flip(&mut packet.bytes, bit);
                }
                if delivered.marked {
                    surgery::mark(&mut packet.bytes);
                }
                // A pipe that has been taken out still lets go of what was in it, on to the wire.
                let chain = &self.chains[direction];
                let here = chain.iter().position(|other| *other == pipe);
                let next = here.map_or(chain.len() - 1, |here| here + 1);
                self.push(direction, next, delivered.at, packet);
            }
        }
    }

    /// A packet is at the far end of a direction.
    fn leave(&mut self, direction: Direction, at: Duration, packet: Packet) {
        let totals = &mut self.totals[direction];
        totals.delivered += 1;
        totals.delivered_bytes += packet.bytes.len() as u64;
        let delay = at.saturating_sub(packet.entered);
        totals.delay_ns = totals.delay_ns.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
        match self.paths.ends[direction] {
            Destination::Port(port) => {
                // Its arrival is seen when it is really sent.
                let Packet { id, bytes, delayed, .. } = packet;
                self.out.push_back(Leaving { port, at, bytes, id, delayed });
            }
            Destination::Switch(switch) => {
                self.see(direction, at, &packet, Fate::Arrived);
                self.forward(switch, direction ^ 1, at, packet);
            }
        }
    }

    /// A switch sends a packet on, but not `back` where it came from.
    fn forward(&mut self, switch: usize, back: Direction, at: Duration, packet: Packet) {
        let Some(to) = packet.bytes.first_chunk::<6>().copied() else { return };
        let Some(ways) = self.paths.ways.get(switch) else { return };
        if to[0] & 1 == 0 {
            // Who is nobody's neighbour is not searched for.
            if let Some(&way) = ways.get(&to).filter(|way| **way != back) {
                self.enter(way, at, packet);
            }
            return;
        }
        let ways: Vec<Direction> = match self.groups.members(&packet.bytes) {
            None => self.paths.flood[switch].clone(),
            Some(members) => {
                let mut ways: Vec<_> =
                    members.filter_map(|port| ways.get(&self.paths.macs[port]).copied()).collect();
                ways.sort_unstable();
                ways.dedup();
                ways
            }
        };
        for way in ways.into_iter().filter(|way| *way != back) {
            self.enter(way, at, packet.clone());
        }
    }

    fn dropped(&mut self, direction: Direction, at: Duration, packet: &Packet, why: Why) {
        let totals = &mut self.totals[direction];
        match why {
            Why::Loss => totals.lost += 1,
            Why::Full | Why::Managed => totals.queue += 1,
            _ => totals.other += 1,
        }
        self.see(direction, at, packet, Fate::Dropped(why));
    }

    fn see(&mut self, direction: Direction, at: Duration, packet: &Packet, fate: Fate) {
        let drops = self.drops && matches!(fate, Fate::Dropped(_));
        if self.watched[direction] || drops {
            let bytes = packet.bytes.clone();
            self.seen.push(Seen { at, direction, packet: packet.id, bytes, fate });
        }
    }

    /// A packet was really sent to its host at `at`.
    pub(crate) fn delivered(&mut self, leaving: &Leaving, at: Duration) {
        let direction = self.paths.ports[leaving.port].out ^ 1;
        if self.watched[direction] {
            let (packet, bytes) = (leaving.id, leaving.bytes.clone());
            self.seen.push(Seen { at, direction, packet, bytes, fate: Fate::Arrived });
        }
    }

    fn ticket(&mut self, flight: Flight) -> u32 {
        if let Some(ticket) = self.free.pop() {
            self.flights[ticket as usize] = flight;
            return ticket;
        }
        self.flights.push(flight);
        (self.flights.len() - 1) as u32
    }

    /// Notes when a pipe is due.
    fn plan(&mut self, pipe: usize) {
        let due = self.pipes[pipe].link.due();
        if due != self.pipes[pipe].due {
            self.pipes[pipe].due = due;
            self.due.extend(due.map(|due| Reverse((due, pipe))));
        }
    }

    /// Changes the wires of directions from `now` on; either all or none.
    pub(crate) fn change(
        &mut self,
        now: Duration,
        wires: &[(Direction, LinkConfig)],
    ) -> Result<(), ConfigError> {
        wires.iter().try_for_each(|(_, config)| config.check())?;
        self.run(now);
        for (direction, config) in wires {
            if let Some(&pipe) = self.chains[*direction].last() {
                self.alter(now, pipe, config)?;
            }
        }
        Ok(())
    }

    fn alter(&mut self, now: Duration, pipe: usize, config: &LinkConfig) -> Result<(), ConfigError> {
        self.pipes[pipe].link.change(now, config)?;
        self.pipes[pipe].perfect = config.is_perfect();
        self.plan(pipe);
        Ok(())
    }

    /// Puts `stages` before the wires of `directions` from `now` on, in place of those that are there: all directions go
    /// through the same ones. Packets in stages that go away leave them as they would have.
    pub(crate) fn stages(
        &mut self,
        now: Duration,
        directions: &[Direction],
        stages: &[LinkConfig],
    ) -> Result<(), ConfigError> {
        stages.iter().try_for_each(LinkConfig::check)?;
        self.run(now);
        let Some(first) = directions.first() else { return Ok(()) };
        let chain = &self.chains[*first];
        let mut pipes: Vec<usize> = chain[..chain.len() - 1].to_vec();
        pipes.truncate(stages.len());
        for (pipe, config) in pipes.iter().zip(stages) {
            self.alter(now, *pipe, config)?;
        }
        for config in &stages[pipes.len()..] {
            let salt = (1 << 32) + self.pipes.len() as u64;
            let pipe = self.pipe(config, salt)?;
            // Its time begins now.
            self.pipes[pipe].link.change(now, config)?;
            pipes.push(pipe);
        }
        for direction in directions {
            let wire = self.chains[*direction].last().copied();
            self.chains[*direction] = pipes.iter().copied().chain(wire).collect();
        }
        Ok(())
    }
}

/// Length of an Ethernet header.
const ETHERNET: usize = 14;

#[cfg(test)]
mod tests;
