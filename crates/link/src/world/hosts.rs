//! The hosts of a world, and their links to its core.

use crate::{Link, LinkConfig};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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

/// A host.
pub(super) struct Host<M> {
    pub(super) machine: Option<M>,
    up: u32,
    down: u32,
    /// When its machine wants to be woken, and for when that is noted; `u64::MAX` for never.
    pub(super) wake: u64,
    pub(super) armed: u64,
    /// How many streams were opened to it.
    pub(super) accepted: u32,
}

/// A link of a world.
pub(super) struct Path {
    pub(super) link: Link,
    /// For when it is noted that something leaves it; `u64::MAX` for never.
    pub(super) armed: u64,
    pub(super) way: Way,
}

impl HostId {
    /// Where it is reached: 10.0.0.1 for the first, port 7000.
    pub const fn address(self) -> SocketAddr {
        let [_, a, b, c] = self.0.wrapping_add(1).to_be_bytes();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, a, b, c)), PORT)
    }

    /// Who is reached at `address`, if that is one of a world's.
    pub const fn at(address: SocketAddr) -> Option<HostId> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let [ten, a, b, c] = ip.octets();
        let number = u32::from_be_bytes([0, a, b, c]);
        if ten != 10 || number == 0 || address.port() != PORT { None } else { Some(HostId(number - 1)) }
    }
}

impl Access {
    /// The same link in both directions.
    pub fn both(config: &LinkConfig) -> Access {
        Access { up: Some(config.clone()), down: Some(config.clone()) }
    }
}

impl<M> Host<M> {
    pub(super) fn new(machine: M, up: u32, down: u32) -> Host<M> {
        Host { machine: Some(machine), up, down, wake: u64::MAX, armed: u64::MAX, accepted: 0 }
    }

    pub(super) fn path(&self, way: Way) -> u32 {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }

    pub(super) fn path_mut(&mut self, way: Way) -> &mut u32 {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

impl Path {
    pub(super) fn new(link: Link, way: Way) -> Path {
        Path { link, armed: u64::MAX, way }
    }
}

/// A host without such a link.
pub(super) const NONE: u32 = u32::MAX;
const PORT: u16 = 7000;
