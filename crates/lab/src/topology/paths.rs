//! Which way packets go: along one tree that spans the topology, so that nothing goes round.

use super::{Topology, mac};
use crate::netlink::Mac;
use std::collections::{HashMap, VecDeque};

/// A direction of a link: `2 * link` from its first end to its second, one more for the way back.
pub(crate) type Direction = usize;

/// Who is at the end of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The host interface of that number.
    Port(usize),
    /// The switch of that number.
    Switch(usize),
}

/// An interface of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    /// The way out of it.
    pub out: Direction,
}

/// The ways through a topology.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    /// The hosts' interfaces.
    pub ports: Vec<Port>,
    /// Where each direction leads.
    pub ends: Vec<Destination>,
    /// Out of each switch: which way to whom.
    pub ways: Vec<HashMap<Mac, Direction>>,
    /// Out of each switch: all ways of the tree.
    pub flood: Vec<Vec<Direction>>,
    /// The hardware address of each port.
    pub macs: Vec<Mac>,
}

impl Paths {
    pub(crate) fn of(topology: &Topology) -> Paths {
        let mut paths = Paths::default();
        let switch = |node: &str| topology.switches.iter().position(|name| name == node);
        // Each direction leads to the node at its far end.
        for (index, link) in topology.links.iter().enumerate() {
            for side in 0..2 {
                let (near, far) = (&link.ends[side], &link.ends[1 - side]);
                let direction = 2 * index + side;
                if let Some(address) = near.address {
                    paths.ports.push(Port { out: direction });
                    paths.macs.push(mac(address));
                }
                // The port of the far end is known only when all are; for now its switch, or nobody.
                paths.ends.push(Destination::Switch(switch(&far.node).unwrap_or(usize::MAX)));
            }
        }
        for (number, port) in paths.ports.iter().enumerate() {
            paths.ends[port.out ^ 1] = Destination::Port(number);
        }
        paths.span(topology.switches.len());
        paths
    }

    /// Finds the tree, and from each host the ways back to it.
    fn span(&mut self, switches: usize) {
        self.ways = vec![HashMap::new(); switches];
        self.flood = vec![Vec::new(); switches];
        let mut seen = vec![false; switches];
        let mut out: Vec<Vec<Direction>> = vec![Vec::new(); switches];
        for (direction, end) in self.ends.iter().enumerate() {
            if let Destination::Switch(to) = end
                && let Some(out) = out.get_mut(*to)
            {
                out.push(direction ^ 1);
            }
        }
        for root in 0..switches {
            let mut queue = VecDeque::new();
            if !std::mem::replace(&mut seen[root], true) {
                queue.push_back(root);
            }
            while let Some(at) = queue.pop_front() {
                for &direction in &out[at] {
                    match self.ends[direction] {
                        Destination::Port(_) => self.flood[at].push(direction),
                        Destination::Switch(next) if !seen[next] => {
                            seen[next] = true;
                            self.flood[at].push(direction);
                            self.flood[next].push(direction ^ 1);
                            queue.push_back(next);
                        }
                        Destination::Switch(_) => {}
                    }
                }
            }
        }
        for (port, mac) in self.macs.iter().enumerate() {
            let mut from = vec![self.ports[port].out];
            while let Some(direction) = from.pop() {
                let Destination::Switch(at) = self.ends[direction] else { continue };
                // Whoever is here goes back the way that one came.
                self.ways[at].insert(*mac, direction ^ 1);
                let on = self.flood[at].iter().filter(|way| **way != direction ^ 1);
                from.extend(on.filter(|way| matches!(self.ends[**way], Destination::Switch(_))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_link::Profile;

    #[test]
    fn a_ring_of_switches_is_walked_as_a_tree() {
        let mut lab = Topology::new();
        ["a", "b", "c"].iter().for_each(|name| lab.host(name).unwrap());
        ["s1", "s2", "s3"].iter().for_each(|name| lab.switch(name).unwrap());
        for (link, ends) in [
            ("a", ["a", "s1"]),
            ("b", ["b", "s2"]),
            ("c", ["c", "s3"]),
            ("12", ["s1", "s2"]),
            ("23", ["s2", "s3"]),
            ("31", ["s3", "s1"]),
        ] {
            lab.link(link, ends, Profile::default()).unwrap();
        }
        let paths = Paths::of(&lab);
        // Two of the three links between switches are in the tree, each seen from both sides.
        assert_eq!(paths.flood.iter().map(Vec::len).sum::<usize>(), 3 + 4);
        for ways in &paths.ways {
            assert_eq!(ways.len(), 3);
        }
        // From c to b by way of s1.
        let b = mac(lab.address("b").unwrap());
        let first = paths.ways[2][&b];
        assert_eq!(paths.ends[first], Destination::Switch(0));
        let second = paths.ways[0][&b];
        assert_eq!(paths.ends[second], Destination::Switch(1));
        assert_eq!(paths.ends[paths.ways[1][&b]], Destination::Port(1));
    }
}
