//! F: to which neighbours the chunks of an origin go.

use std::{collections::BTreeMap, net::SocketAddr};

/// The forwarding table: origin → neighbours, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardTable(BTreeMap<SocketAddr, Vec<SocketAddr>>);

impl ForwardTable {
    /// Chunks of `origin` go to `neighbor` too; once, however often this is said.
    pub fn add(&mut self, origin: SocketAddr, neighbor: SocketAddr) {
        let neighbors = self.0.entry(origin).or_default();
        if !neighbors.contains(&neighbor) {
            neighbors.push(neighbor);
        }
    }

    /// Chunks of `origin` no longer go to `neighbor`.
    pub fn remove(&mut self, origin: SocketAddr, neighbor: SocketAddr) {
        if let Some(neighbors) = self.0.get_mut(&origin) {
            neighbors.retain(|known| *known != neighbor);
            if neighbors.is_empty() {
                self.0.remove(&origin);
            }
        }
    }

    /// Nothing goes to `peer` any longer, and nothing of it to anybody.
    pub fn forget(&mut self, peer: SocketAddr) {
        self.0.remove(&peer);
        self.0.retain(|_, neighbors| {
            neighbors.retain(|known| *known != peer);
            !neighbors.is_empty()
        });
    }

    /// To whom chunks of `origin` go.
    pub fn of(&self, origin: SocketAddr) -> &[SocketAddr] {
        self.0.get(&origin).map_or(&[], Vec::as_slice)
    }

    /// All origins that go anywhere, and where to.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[SocketAddr])> {
        self.0.iter().map(|(origin, neighbors)| (*origin, neighbors.as_slice()))
    }
}
