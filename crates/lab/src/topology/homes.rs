//! Routers, and who is behind them: a network of its own for each, with addresses that nobody outside knows.

use super::{Interface, Topology, TopologyError};
use levada_link::nat::Class;
use std::net::Ipv4Addr;

/// A host with two interfaces, `eth0` outside and `eth1` inside, that lets those inside out by a NAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// What it is called.
    pub name: String,
    /// How its NAT behaves.
    pub nat: Class,
}

impl Topology {
    /// Adds a router. Who is behind it is known once all links are there, by [`settle`](Topology::settle).
    ///
    /// # Errors
    /// That it cannot be called so, or that there are too many.
    pub fn router(&mut self, name: &str, nat: Class) -> Result<(), TopologyError> {
        if self.routers.len() >= MOST_ROUTERS {
            return Err(TopologyError::TooLarge);
        }
        self.host(name)?;
        self.routers.push(Router { name: name.into(), nat });
        Ok(())
    }

    /// The routers.
    pub fn routers(&self) -> &[Router] {
        &self.routers
    }

    /// Gives the home behind the router of number `n` the addresses `192.168.n.…`, counted from one; the router's is
    /// `….1`. Once more does nothing.
    ///
    /// # Errors
    /// A router without its two links, and a host that would be in two places.
    pub fn settle(&mut self) -> Result<(), TopologyError> {
        for number in 0..self.routers.len() {
            let home = self.home(&self.routers[number].name)?;
            let address = |place: usize| Ipv4Addr::new(192, 168, number as u8 + 1, place as u8 + 1);
            if home.len() > MOST_BEHIND {
                return Err(TopologyError::TooLarge);
            }
            for (place, (link, side)) in home.into_iter().enumerate() {
                let interface = &mut self.links[link].ends[side];
                let new = (Some(address(place)), (place > 0).then(|| address(0)));
                if interface.is_behind() && new != (interface.address, interface.gateway) {
                    let router = self.routers[number].name.clone();
                    return Err(TopologyError::Behind { node: interface.node.clone(), router });
                }
                (interface.address, interface.gateway) = new;
            }
        }
        Ok(())
    }

    /// The ends of links that are behind a router, its own first.
    fn home(&self, router: &str) -> Result<Vec<(usize, usize)>, TopologyError> {
        let needs = || TopologyError::Router(router.into());
        let own = |number: u8| {
            let name = format!("{router}-eth{number}");
            let side = |at: usize| self.links[at].ends.iter().position(|end| end.name == name);
            (0..self.links.len()).find_map(|at| Some((at, side(at)?)))
        };
        let (outside, inside) = (own(0).ok_or_else(needs)?, own(1).ok_or_else(needs)?);
        if self.interfaces().filter(|interface| interface.node == router).count() != 2 {
            return Err(needs());
        }
        let mut home = vec![inside];
        let mut ways = vec![(inside.0, 1 - inside.1)];
        let mut passed = Vec::new();
        while let Some((link, side)) = ways.pop() {
            let end = &self.links[link].ends[side];
            if end.address.is_some() {
                home.push((link, side));
            } else if !passed.contains(&end.node.as_str()) {
                passed.push(&end.node);
                let others = self.links.iter().enumerate().flat_map(|(at, other)| {
                    let near = other.ends.iter().position(|one| one.node == end.node)?;
                    Some((at, 1 - near))
                });
                ways.extend(others.filter(|(at, _)| *at != link));
            }
        }
        home[1..].sort_unstable();
        if home[1..].iter().any(|end| *end == outside || *end == inside) {
            return Err(TopologyError::Behind { node: router.into(), router: router.into() });
        }
        Ok(home)
    }
}

impl Interface {
    /// How many bits of its address name its network.
    pub(crate) fn prefix(&self) -> u8 {
        if self.is_behind() { 24 } else { 16 }
    }

    /// Whether two interfaces are in one network.
    pub(crate) fn is_beside(&self, other: &Interface) -> bool {
        let network = |interface: &Interface| {
            let octets = interface.address?.octets();
            Some((octets[0], octets[1], if interface.is_behind() { octets[2] } else { 0 }))
        };
        network(self).is_some() && network(self) == network(other)
    }

    fn is_behind(&self) -> bool {
        self.address.is_some_and(|address| address.octets()[0] == 192)
    }
}

const MOST_ROUTERS: usize = 250;
const MOST_BEHIND: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use levada_link::Profile;

    /// A host in the open; two behind `r1`, by a switch; one behind `r2`, which is behind `r1` itself.
    fn nested() -> Topology {
        let mut lab = Topology::new();
        ["out", "a", "b", "c"].iter().for_each(|name| lab.host(name).unwrap());
        ["net", "home"].iter().for_each(|name| lab.switch(name).unwrap());
        lab.router("r1", Class::Symmetric).unwrap();
        lab.router("r2", Class::FullCone).unwrap();
        let links = [
            ["out", "net"],
            ["r1", "net"],
            ["r1", "home"],
            ["a", "home"],
            ["b", "home"],
            ["r2", "home"],
            ["r2", "c"],
        ];
        for (number, ends) in links.iter().enumerate() {
            lab.link(&format!("l{number}"), *ends, Profile::default()).unwrap();
        }
        lab
    }

    #[test]
    fn who_is_behind_a_router_has_an_address_of_its_home_and_the_router_to_go_out_by() {
        let mut lab = nested();
        for _ in 0..2 {
            lab.settle().unwrap();
            let at = |name: &str| lab.address(name).unwrap().to_string();
            assert_eq!(["out", "r1"].map(at), ["10.0.0.1", "10.0.0.5"]);
            assert_eq!(
                ["a", "b", "r2", "c"].map(at),
                ["192.168.1.2", "192.168.1.3", "192.168.1.4", "192.168.2.2"]
            );
        }
        let of = |name: &str| lab.interfaces().find(|interface| interface.name == name).unwrap();
        assert_eq!(of("a-eth0").gateway, of("r1-eth1").address);
        assert_eq!(of("r2-eth0").gateway, of("r1-eth1").address);
        assert_eq!(of("out-eth0").gateway, None);
        assert!(of("a-eth0").is_beside(of("r2-eth0")) && !of("a-eth0").is_beside(of("c-eth0")));
        assert!(of("out-eth0").is_beside(of("r1-eth0")) && !of("out-eth0").is_beside(of("a-eth0")));
    }

    #[test]
    fn routers_without_two_sides_and_hosts_in_two_places_are_refused() {
        let mut lab = Topology::new();
        lab.host("a").unwrap();
        lab.router("r1", Class::Symmetric).unwrap();
        lab.link("one", ["r1", "a"], Profile::default()).unwrap();
        assert_eq!(lab.settle(), Err(TopologyError::Router("r1".into())));
        let mut lab = nested();
        // Its two sides meet.
        lab.link("loop", ["net", "home"], Profile::default()).unwrap();
        assert!(matches!(lab.settle(), Err(TopologyError::Behind { .. })));
        let mut lab = nested();
        // The homes of two routers are one.
        lab.router("r3", Class::Symmetric).unwrap();
        lab.link("r3", ["r3", "net"], Profile::default()).unwrap();
        lab.link("too", ["r3", "home"], Profile::default()).unwrap();
        assert!(matches!(lab.settle(), Err(TopologyError::Behind { .. })));
    }
}
