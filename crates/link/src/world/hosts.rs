//! The hosts of a world, and their links to its core.

use super::lane::Lane;
use crate::{ConfigError, Link, LinkConfig};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A host of a world; they are numbered from zero in the order in which they are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// A host's links to the core; without one, packets are there at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// From the host.
    pub up: Option<LinkConfig>,
    /// To it.
    pub down: Option<LinkConfig>,
}

/// The direction of one of a host's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the host.
    Up,
    /// To it.
    Down,
}

/// A host: all of it in one place, since what it gets it mostly passes on.
pub(super) struct Host<M> {
    pub(super) machine: Option<M>,
    /// When its machine wants to be woken, and for when that is noted; `u64::MAX` for never.
    pub(super) wake: u64,
    pub(super) armed: u64,
    up: Carrier,
    down: Carrier,
    /// How many streams were opened to it.
    pub(super) accepted: u32,
}

/// What carries packets one way.
pub(super) enum Carrier {
    /// Nothing has to: they are there at once.
    None,
    Lane(Lane),
    Held(Box<Held>),
}

/// A link that keeps its packets.
pub(super) struct Held {
    pub(super) link: Link,
    /// For when it is noted that something leaves it; `u64::MAX` for never.
    pub(super) armed: u64,
}

impl HostId {
    /// Where it is reached: 10.0.0.1 for the first, port 7000.
    pub const fn address(self) -> SocketAddr {
        let [_, a, b, c] = self.0.wrapping_add(1).to_be_bytes();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, a, b, c)), PORT)
    }

    /// Who is reached at `address`, if that is one of a world's.
    pub const fn at(address: SocketAddr) -> Option<HostId> {
        if address.port() == PORT { HostId::of(address.ip()) } else { None }
    }

    /// Whose address that is, whatever the port: behind a NAT a host is seen at others.
    pub const fn of(ip: IpAddr) -> Option<HostId> {
        let IpAddr::V4(ip) = ip else { return None };
        let [ten, a, b, c] = ip.octets();
        let number = u32::from_be_bytes([0, a, b, c]);
        if ten != 10 || number == 0 { None } else { Some(HostId(number - 1)) }
    }
}

impl Access {
    /// The same link in both directions.
    pub fn both(config: &LinkConfig) -> Access {
        Access { up: Some(config.clone()), down: Some(config.clone()) }
    }
}

impl<M> Host<M> {
    pub(super) fn new(machine: M, up: Carrier, down: Carrier) -> Host<M> {
        Host { machine: Some(machine), wake: u64::MAX, armed: u64::MAX, up, down, accepted: 0 }
    }

    /// A place where no machine ever is.
    pub(super) fn empty() -> Host<M> {
        let (up, down) = (Carrier::None, Carrier::None);
        Host { machine: None, wake: u64::MAX, armed: u64::MAX, up, down, accepted: 0 }
    }

    /// Reads a little from each of its cache lines.
    pub(super) fn read(&self) -> u64 {
        let machine = u64::from(self.machine.is_some());
        machine ^ self.armed ^ u64::from(self.accepted) ^ self.up.read() ^ self.down.read()
    }

    pub(super) fn carrier(&self, way: Way) -> &Carrier {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    pub(super) fn carrier_mut(&mut self, way: Way) -> &mut Carrier {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

impl Carrier {
    fn read(&self) -> u64 {
        if let Carrier::Lane(lane) = self { lane.read() } else { 0 }
    }

    pub(super) fn new(config: Option<&LinkConfig>, seed: u64) -> Result<Carrier, ConfigError> {
        let Some(config) = config else { return Ok(Carrier::None) };
        config.check()?;
        Ok(match Lane::new(config, seed) {
            Some(lane) => Carrier::Lane(lane),
            None => Carrier::Held(Box::new(Held { link: Link::new(config, seed)?, armed: u64::MAX })),
        })
    }

    /// Changes it from `now` on, and says which packets are no longer to arrive when they were.
    pub(super) fn change(
        &mut self,
        now: u64,
        config: &LinkConfig,
        seed: u64,
    ) -> Result<Vec<u32>, ConfigError> {
        config.check()?;
        let mut retimed = Vec::new();
        if let Carrier::Lane(lane) = self {
            let (link, tickets) = lane.clone().into_link(now, config.seed.unwrap_or(seed));
            *self = Carrier::Held(Box::new(Held { link, armed: u64::MAX }));
            retimed = tickets;
        }
        match self {
            Carrier::Held(held) => held.link.change(Duration::from_nanos(now), config)?,
            Carrier::None | Carrier::Lane(_) => *self = Carrier::new(Some(config), seed)?,
        }
        Ok(retimed)
    }

    /// The delay of a packet that nothing else delays.
    pub(super) fn base_delay(&self) -> u64 {
        match self {
            Carrier::None => 0,
            Carrier::Lane(lane) => lane.base_delay(),
            Carrier::Held(held) => held.link.base_delay(),
        }
    }

    /// How many packets wait or are being sent, and their bytes.
    pub(super) fn unsent(&self, now: u64) -> (usize, u64) {
        match self {
            Carrier::None => (0, 0),
            Carrier::Lane(lane) => lane.unsent(now),
            Carrier::Held(held) => {
                let backlog = held.link.backlog();
                (backlog.packets, backlog.bytes)
            }
        }
    }
}

const PORT: u16 = 7000;
