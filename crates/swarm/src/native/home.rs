//! EMS: members behind one NAT, and the addresses that they have there.
//!
//! A peer tells its splitter where it is in its own network. Of two that the splitter sees at one address each is told the
//! other's, and nobody else is: what they say to each other then needs no NAT that sends back what came from inside
//! ("hairpin"). Tickets, tokens and keys say who is there as they do elsewhere.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

/// Members by the addresses that they have in this one's own network: at most [`MOST`], the oldest leave first.
#[derive(Clone, Debug, Default)]
pub(super) struct Home(VecDeque<(SocketAddr, SocketAddr)>);

impl Home {
    /// A member, as the splitter knows it, is at `inside`.
    pub(super) fn learn(&mut self, member: SocketAddr, inside: SocketAddr) {
        self.0.retain(|(known, at)| *known != member && *at != inside);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((member, inside));
    }

    /// Where a member is in this network.
    pub(super) fn inside(&self, member: SocketAddr) -> Option<SocketAddr> {
        self.0.iter().find(|(known, _)| *known == member).map(|(_, inside)| *inside)
    }

    /// Who is at an address of this network, as the splitter knows it.
    pub(super) fn member(&self, inside: SocketAddr) -> Option<SocketAddr> {
        self.0.iter().find(|(_, at)| *at == inside).map(|(member, _)| *member)
    }

    /// Whether somebody of it has this address.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(_, at)| at.ip() == ip)
    }
}

/// Whether an address is one of those that networks behind NATs have (RFC 1918, RFC 4193, and RFC 6598 between two NATs):
/// nobody is sent to any other on a member's word.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

const MOST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_networks_behind_nats_have_are_private() {
        for ip in ["10.0.0.1", "172.16.9.9", "192.168.1.2", "100.64.0.1", "100.127.255.1", "fd00::1"] {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "::1",
            "2001:db8::1",
        ] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_home_knows_its_members_both_ways_and_no_more_than_it_says() {
        let at = |n: u8, port: u16| SocketAddr::from(([192, 168, 1, n], port));
        let mut home = Home::default();
        (0..200).for_each(|n| home.learn(at(1, n), at(2, n)));
        assert_eq!(home.0.len(), MOST);
        assert_eq!((home.inside(at(1, 199)), home.member(at(2, 199))), (Some(at(2, 199)), Some(at(1, 199))));
        assert_eq!(home.inside(at(1, 0)), None);
        home.learn(at(1, 199), at(3, 7));
        assert_eq!((home.member(at(2, 199)), home.member(at(3, 7))), (None, Some(at(1, 199))));
        assert!(home.has(at(3, 1).ip()) && !home.has(at(4, 1).ip()));
    }
}
