//! Which packets, said in the words of tcpdump.

mod parse;
mod words;

use crate::Headers;
use crate::headers::{ARP, IPV4, IPV6, RARP, SCTP, TCP, UDP};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Which packets are meant, in the language of pcap-filter(7): `port 1935`, `host 10.0.0.1 and tcp`,
/// `udp dst portrange 5000-5010 or not (net 10.0.0.0/8 or less 100)`.
///
/// Of that language it knows host, net, port, portrange and proto with their directions, the protocols, `ether host`,
/// `vlan`, `less`, `greater`, `broadcast`, `multicast`, and what joins them: `and` and `or` bind equally and from the left,
/// `not` binds tighter, and `port 80 or 443` means what one thinks. Arithmetic (`tcp[13] & 2 != 0`) it does not know.
/// Unlike tcpdump it looks behind VLAN tags without being told. Nothing at all means every packet.
///
/// ```
/// use levada_capture::{Filter, Headers, LinkType};
/// let filter: Filter = "udp dst port 53".parse()?;
/// assert!(!filter.matches(&Headers::of(LinkType::ETHERNET, &[0; 60]), 60));
/// let error = "tcp prot 1935".parse::<Filter>().unwrap_err();
/// assert_eq!(error.to_string(), "column 5: \"prot\" is no word of a filter; did you mean \"port\"?");
/// # Ok::<(), levada_capture::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    text: String,
    root: Option<Node>,
}

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct FilterError {
    /// Counted in characters, from 1.
    pub column: usize,
    /// What is wrong, and what might have been meant.
    pub what: String,
}

impl Filter {
    /// Reads a filter in which hosts may be called by names that `lookup` knows.
    ///
    /// # Errors
    /// What is wrong, where, and the nearest word.
    pub fn parse(text: &str, lookup: &dyn Fn(&str) -> Option<IpAddr>) -> Result<Filter, FilterError> {
        let root = parse::Parser::new(text, lookup)?.filter()?;
        Ok(Filter { text: text.trim().to_string(), root })
    }

    /// Whether a packet is meant that has `length` bytes on the link.
    pub fn matches(&self, headers: &Headers<'_>, length: u32) -> bool {
        self.root.as_ref().is_none_or(|root| root.matches(headers, length))
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        Filter::parse(text, &|_| None)
    }
}

/// As it was typed.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Part of a filter; trees are at most as deep as [`parse::DEEPEST`].
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Test(Test),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Protocol(Protocol),
    /// A number of IP's protocol field, in that version if one is named.
    IpProtocol(Option<u16>, u8),
    Ethertype(u16),
    Host(Protocol, Way, IpAddr),
    Net(Protocol, Way, IpAddr, u8),
    Ports(Protocol, Way, u16, u16),
    Ether(Way, [u8; 6]),
    Vlan(Option<u16>),
    Less(u32),
    Greater(u32),
    Broadcast,
    Multicast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Any,
    Ether,
    Ip,
    Ip6,
    Arp,
    Rarp,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    Igmp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Source,
    Destination,
    Either,
    Both,
}

impl Node {
    fn matches(&self, headers: &Headers<'_>, length: u32) -> bool {
        match self {
            Node::Not(node) => !node.matches(headers, length),
            Node::And(nodes) => nodes.iter().all(|node| node.matches(headers, length)),
            Node::Or(nodes) => nodes.iter().any(|node| node.matches(headers, length)),
            Node::Test(test) => test.matches(headers, length),
        }
    }
}

impl Test {
    fn matches(&self, headers: &Headers<'_>, length: u32) -> bool {
        match self {
            Test::Protocol(protocol) => protocol.matches(headers),
            Test::IpProtocol(version, number) => {
                version.is_none_or(|version| headers.ethertype == version)
                    && headers.ip.is_some_and(|ip| ip.protocol == *number)
            }
            Test::Ethertype(number) => headers.ethertype == *number,
            Test::Host(protocol, way, host) => {
                protocol.matches(headers) && way.holds(headers.hosts, |is| is == *host)
            }
            Test::Net(protocol, way, net, bits) => {
                protocol.matches(headers) && way.holds(headers.hosts, |host| is_in(host, *net, *bits))
            }
            Test::Ports(protocol, way, from, to) => {
                protocol.matches(headers) && way.holds(headers.ports, |port| (*from..=*to).contains(&port))
            }
            Test::Ether(way, address) => way.holds(headers.ether, |is| is == *address),
            Test::Vlan(tag) => headers.vlan.is_some_and(|is| tag.is_none_or(|tag| tag == is)),
            Test::Less(most) => length <= *most,
            Test::Greater(least) => length >= *least,
            Test::Broadcast => headers.ether.is_some_and(|[_, to]| to == [0xff; 6]),
            Test::Multicast => headers.ether.is_some_and(|[_, to]| to[0] & 1 == 1),
        }
    }
}

impl Protocol {
    fn matches(self, headers: &Headers<'_>) -> bool {
        let carries = |number| headers.ip.is_some_and(|ip| ip.protocol == number);
        match self {
            Protocol::Any => true,
            Protocol::Ether => headers.ether.is_some(),
            Protocol::Ip => headers.ethertype == IPV4,
            Protocol::Ip6 => headers.ethertype == IPV6,
            Protocol::Arp => headers.ethertype == ARP,
            Protocol::Rarp => headers.ethertype == RARP,
            Protocol::Tcp => carries(TCP),
            Protocol::Udp => carries(UDP),
            Protocol::Sctp => carries(SCTP),
            Protocol::Icmp => headers.ethertype == IPV4 && carries(1),
            Protocol::Icmp6 => headers.ethertype == IPV6 && carries(58),
            Protocol::Igmp => headers.ethertype == IPV4 && carries(2),
        }
    }
}

impl Way {
    fn holds<T: Copy>(self, ends: Option<[T; 2]>, test: impl Fn(T) -> bool) -> bool {
        let Some([source, destination]) = ends else { return false };
        match self {
            Way::Source => test(source),
            Way::Destination => test(destination),
            Way::Either => test(source) || test(destination),
            Way::Both => test(source) && test(destination),
        }
    }
}

fn is_in(host: IpAddr, net: IpAddr, bits: u8) -> bool {
    match (host, net) {
        (IpAddr::V4(host), IpAddr::V4(net)) => {
            let shift = 32 - u32::from(bits.min(32));
            (u64::from(host.to_bits()) >> shift) == (u64::from(net.to_bits()) >> shift)
        }
        (IpAddr::V6(host), IpAddr::V6(net)) => {
            let shift = 128 - u32::from(bits.min(128));
            bits == 0 || (host.to_bits() >> shift) == (net.to_bits() >> shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
