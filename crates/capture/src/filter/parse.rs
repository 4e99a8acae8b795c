//! From words to a tree of tests.

use super::words::{self, Word};
use super::{FilterError, Node, Protocol, Test, Way};
use std::net::{IpAddr, Ipv4Addr};

pub(super) struct Parser<'t> {
    words: Vec<Word<'t>>,
    next: usize,
    /// The column behind the last word.
    end: usize,
    depth: usize,
    lookup: &'t dyn Fn(&str) -> Option<IpAddr>,
    /// What a bare name or number is, by the primitive before it.
    last: Qualifiers,
}

/// What stands before a name or number.
#[derive(Clone, Copy, Debug)]
struct Qualifiers {
    protocol: Protocol,
    way: Way,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

type Result<T> = std::result::Result<T, FilterError>;

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, lookup: &'t dyn Fn(&str) -> Option<IpAddr>) -> Result<Parser<'t>> {
        let words = words::words(text);
        let end = text.trim_end().chars().count() + 1;
        if words.len() > MOST_WORDS {
            return Err(FilterError {
                column: words[MOST_WORDS].column,
                what: "more than 4096 words".into(),
            });
        }
        let last = Qualifiers { protocol: Protocol::Any, way: Way::Either, kind: Kind::Host };
        Ok(Parser { words, next: 0, end, depth: 0, lookup, last })
    }

    pub(super) fn filter(mut self) -> Result<Option<Node>> {
        if self.words.is_empty() {
            return Ok(None);
        }
        let root = self.expression()?;
        match self.peek() {
            None => Ok(Some(root)),
            Some(")") => Err(self.wrong("this parenthesis was never opened")),
            Some(word) if words::is_keyword(word) => Err(self.wrong("here \"and\" or \"or\" is missing")),
            Some(word) => {
                Err(self.wrong(format!("{word:?} is no word of a filter{}", words::suggestion(word))))
            }
        }
    }

    /// `and` and `or` bind equally, from the left.
    fn expression(&mut self) -> Result<Node> {
        let mut left = self.term()?;
        loop {
            if self.takes(&["and", "&&"]) {
                let right = self.term()?;
                left = match left {
                    Node::And(mut nodes) => {
                        nodes.push(right);
                        Node::And(nodes)
                    }
                    left => Node::And(vec![left, right]),
                };
            } else if self.takes(&["or", "||"]) {
                let right = self.term()?;
                left = match left {
                    Node::Or(mut nodes) => {
                        nodes.push(right);
                        Node::Or(nodes)
                    }
                    left => Node::Or(vec![left, right]),
                };
            } else {
                return Ok(left);
            }
            // One side nests at every change between the two, so that is bounded as parentheses are.
            if matches!(&left, Node::And(nodes) | Node::Or(nodes) if nodes.len() == 2) {
                self.deeper()?;
            }
        }
    }

    fn term(&mut self) -> Result<Node> {
        if self.takes(&["not", "!"]) {
            self.deeper()?;
            return Ok(Node::Not(Box::new(self.term()?)));
        }
        if self.takes(&["("]) {
            return self.inner();
        }
        self.primitive()
    }

    fn inner(&mut self) -> Result<Node> {
        self.deeper()?;
        let inner = self.expression()?;
        if !self.takes(&[")"]) {
            return Err(self.wrong("here \")\" is missing"));
        }
        Ok(inner)
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.wrong("this is nested too deeply")) } else { Ok(()) }
    }

    fn primitive(&mut self) -> Result<Node> {
        let Some(word) = self.peek() else {
            return Err(self.wrong("the filter ends where a word such as \"host\" or \"port\" is expected"));
        };
        match word {
            "less" | "greater" => {
                self.next += 1;
                let length = self.number("a length in bytes")?;
                return Ok(Node::Test(if word == "less" {
                    Test::Less(length)
                } else {
                    Test::Greater(length)
                }));
            }
            "broadcast" | "multicast" => {
                self.next += 1;
                return Ok(Node::Test(if word == "broadcast" { Test::Broadcast } else { Test::Multicast }));
            }
            "vlan" => {
                self.next += 1;
                let tag = self.peek().and_then(|word| word.parse().ok());
                self.next += usize::from(tag.is_some());
                return Ok(Node::Test(Test::Vlan(tag)));
            }
            _ => {}
        }
        let begin = self.next;
        let protocol = words::protocol(word);
        self.next += usize::from(protocol.is_some());
        let way = self.way();
        let kind = match self.peek() {
            Some("host") => Some(Kind::Host),
            Some("net") => Some(Kind::Net),
            Some("port") => Some(Kind::Port),
            Some("portrange") => Some(Kind::PortRange),
            Some("proto") => Some(Kind::Proto),
            Some("broadcast") if protocol == Some(Protocol::Ether) => {
                self.next += 1;
                return Ok(Node::Test(Test::Broadcast));
            }
            Some("multicast") if protocol == Some(Protocol::Ether) => {
                self.next += 1;
                return Ok(Node::Test(Test::Multicast));
            }
            _ => None,
        };
        self.next += usize::from(kind.is_some());
        match (protocol, way, kind) {
            (Some(protocol), None, None) if !self.at_value() => Ok(Node::Test(Test::Protocol(protocol))),
            (None, None, None) => self.value(self.last),
            _ => {
                let qualifiers = Qualifiers {
                    protocol: protocol.unwrap_or(Protocol::Any),
                    way: way.unwrap_or(Way::Either),
                    kind: kind.unwrap_or(Kind::Host),
                };
                self.fits(qualifiers, begin)?;
                self.last = qualifiers;
                if self.takes(&["("]) { self.inner() } else { self.value(qualifiers) }
            }
        }
    }

    fn way(&mut self) -> Option<Way> {
        let first = match self.peek()? {
            "src" => Way::Source,
            "dst" => Way::Destination,
            _ => return None,
        };
        self.next += 1;
        let other = if first == Way::Source { "dst" } else { "src" };
        let follows = |at: usize, words: &[&str]| self.words.get(at).is_some_and(|w| words.contains(&w.text));
        if follows(self.next, &["or", "||"]) && follows(self.next + 1, &[other]) {
            self.next += 2;
            return Some(Way::Either);
        }
        if follows(self.next, &["and", "&&"]) && follows(self.next + 1, &[other]) {
            self.next += 2;
            return Some(Way::Both);
        }
        Some(first)
    }

    /// Whether a name or number comes next.
    fn at_value(&self) -> bool {
        self.peek().is_some_and(|word| !"()!&&||".contains(word) && !words::is_keyword(word))
    }

    /// Whether that protocol has such a thing.
    fn fits(&self, qualifiers: Qualifiers, begin: usize) -> Result<()> {
        use Protocol::{Any, Arp, Ether, Ip, Ip6, Rarp, Sctp, Tcp, Udp};
        let good = match qualifiers.kind {
            Kind::Host => matches!(qualifiers.protocol, Any | Ether | Ip | Ip6 | Arp | Rarp),
            Kind::Net => matches!(qualifiers.protocol, Any | Ip | Ip6 | Arp | Rarp),
            Kind::Port | Kind::PortRange => matches!(qualifiers.protocol, Any | Ip | Ip6 | Tcp | Udp | Sctp),
            Kind::Proto => matches!(qualifiers.protocol, Any | Ether | Ip | Ip6),
        };
        if good {
            return Ok(());
        }
        let word = self.words[begin];
        let what = match (qualifiers.kind, self.peek()) {
            (Kind::Host, Some(value)) if !words::is_keyword(value) => {
                format!("{value:?} is no word of a filter{}", words::suggestion(value))
            }
            _ => format!("{:?} has no hosts, nets, ports or protocols of that kind", word.text),
        };
        let column = if qualifiers.kind == Kind::Host { self.column() } else { word.column };
        Err(FilterError { column, what })
    }

    fn value(&mut self, qualifiers: Qualifiers) -> Result<Node> {
        let Qualifiers { protocol, way, kind } = qualifiers;
        let Some(word) = self.peek() else {
            return Err(self.wrong(format!("the filter ends where {} is expected", kind.wanted())));
        };
        if words::is_keyword(word) || "()!&&||".contains(word) {
            return Err(self.wrong(format!("{} is expected, not {word:?}", kind.wanted())));
        }
        let test = match kind {
            Kind::Host if protocol == Protocol::Ether => Test::Ether(way, self.ether(word)?),
            Kind::Host => Test::Host(protocol, way, self.host(word)?),
            Kind::Net => {
                let (net, bits) = self.net(word)?;
                Test::Net(protocol, way, net, bits)
            }
            Kind::Port => {
                let port = self.port(word)?;
                Test::Ports(protocol, way, port, port)
            }
            Kind::PortRange => {
                let (from, to) = word.split_once('-').unwrap_or((word, word));
                let (from, to) = (self.port(from)?, self.port(to)?);
                Test::Ports(protocol, way, from.min(to), from.max(to))
            }
            Kind::Proto if protocol == Protocol::Ether => Test::Ethertype(self.ethertype(word)?),
            Kind::Proto => {
                let number = words::ip_protocol(word);
                let number = number.ok_or_else(|| self.wrong(format!("{word:?} is no protocol of IP")))?;
                let version = match protocol {
                    Protocol::Ip => Some(crate::headers::IPV4),
                    Protocol::Ip6 => Some(crate::headers::IPV6),
                    _ => None,
                };
                Test::IpProtocol(version, number)
            }
        };
        self.next += 1;
        if let Test::Net(.., bits) = &test
            && self.takes(&["mask"])
        {
            return self.mask(protocol, way, &test, *bits);
        }
        Ok(Node::Test(test))
    }

    fn mask(&mut self, protocol: Protocol, way: Way, test: &Test, _: u8) -> Result<Node> {
        let mask = self.peek().and_then(|word| word.parse::<Ipv4Addr>().ok()).map(Ipv4Addr::to_bits);
        let Some(mask) = mask.filter(|mask| mask.leading_ones() + mask.trailing_zeros() >= 32) else {
            return Err(self.wrong("a mask such as 255.255.255.0 is expected"));
        };
        self.next += 1;
        let Test::Net(_, _, net, _) = test else { return Err(self.wrong("only a net has a mask")) };
        Ok(Node::Test(Test::Net(protocol, way, *net, mask.leading_ones() as u8)))
    }

    fn host(&self, word: &str) -> Result<IpAddr> {
        let known = word.parse().ok().or_else(|| (self.lookup)(word));
        known.ok_or_else(|| match words::suggestion(word) {
            near if !near.is_empty() => self.wrong(format!("{word:?} is no word of a filter{near}")),
            _ if word.contains('[') => self.wrong("arithmetic on bytes of a packet is not known here"),
            _ => self.wrong(format!("{word:?} is neither an address nor a host that is known here")),
        })
    }

    /// An address with its length, or the first bytes of one: `10` is `10.0.0.0/8`.
    fn net(&self, word: &str) -> Result<(IpAddr, u8)> {
        let bad = || self.wrong(format!("{word:?} is no net such as 10.0.0.0/8"));
        let (address, bits) = match word.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| bad())?)),
            None => (word, None),
        };
        let (net, natural) = match address.parse::<IpAddr>() {
            Ok(net @ IpAddr::V4(_)) => (net, 32),
            Ok(net @ IpAddr::V6(_)) => (net, 128),
            Err(_) => {
                let parts: Vec<&str> = address.split('.').collect();
                let mut octets = [0; 4];
                if parts.len() > 4 {
                    return Err(bad());
                }
                for (octet, part) in octets.iter_mut().zip(&parts) {
                    *octet = part.parse().map_err(|_| bad())?;
                }
                (Ipv4Addr::from(octets).into(), 8 * parts.len() as u8)
            }
        };
        let bits = bits.unwrap_or(natural);
        let most = if net.is_ipv4() { 32 } else { 128 };
        if bits > most {
            return Err(bad());
        }
        let beyond = match net {
            IpAddr::V4(net) => u64::from(net.to_bits()) & ((1u64 << (32 - bits)) - 1) != 0,
            IpAddr::V6(net) => bits < 128 && net.to_bits() << bits != 0,
        };
        if beyond {
            return Err(self.wrong(format!("{word:?} has bits set beyond its first {bits}")));
        }
        Ok((net, bits))
    }

    fn port(&self, word: &str) -> Result<u16> {
        let known = word.parse().ok().or_else(|| words::service(word));
        known.ok_or_else(|| self.wrong(format!("{word:?} is no port: a number up to 65535 is expected")))
    }

    fn ether(&self, word: &str) -> Result<[u8; 6]> {
        let mut address = [0; 6];
        let parts: Vec<&str> = word.split([':', '-']).collect();
        let good = parts.len() == 6
            && address
                .iter_mut()
                .zip(&parts)
                .all(|(byte, part)| u8::from_str_radix(part, 16).map(|value| *byte = value).is_ok());
        if good {
            Ok(address)
        } else {
            Err(self.wrong(format!("{word:?} is no address such as 02:00:00:00:00:01")))
        }
    }

    fn ethertype(&self, word: &str) -> Result<u16> {
        let named = match word.trim_start_matches('\\') {
            "ip" => Some(crate::headers::IPV4),
            "ip6" => Some(crate::headers::IPV6),
            "arp" => Some(crate::headers::ARP),
            "rarp" => Some(crate::headers::RARP),
            word => word
                .strip_prefix("0x")
                .map_or_else(|| word.parse().ok(), |hex| u16::from_str_radix(hex, 16).ok()),
        };
        named.ok_or_else(|| self.wrong(format!("{word:?} is no type of frame, such as 0x0800")))
    }

    fn number(&mut self, wanted: &str) -> Result<u32> {
        let number = self.peek().and_then(|word| word.parse().ok());
        let number = number.ok_or_else(|| self.wrong(format!("{wanted} is expected")))?;
        self.next += 1;
        Ok(number)
    }

    fn takes(&mut self, words: &[&str]) -> bool {
        let takes = self.peek().is_some_and(|word| words.contains(&word));
        self.next += usize::from(takes);
        takes
    }

    fn peek(&self) -> Option<&'t str> {
        self.words.get(self.next).map(|word| word.text)
    }

    fn column(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |word| word.column)
    }

    fn wrong(&self, what: impl Into<String>) -> FilterError {
        FilterError { column: self.column(), what: what.into() }
    }
}

impl Kind {
    fn wanted(self) -> &'static str {
        match self {
            Kind::Host => "a host",
            Kind::Net => "a net",
            Kind::Port => "a port",
            Kind::PortRange => "a range of ports such as 5000-5010",
            Kind::Proto => "a protocol",
        }
    }
}

const MOST_WORDS: usize = 4096;
pub(super) const DEEPEST: usize = 100;
