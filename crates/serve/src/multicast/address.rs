//! Where a stream of datagrams goes, or comes from: `udp://239.1.2.3:5000?ttl=1`.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// A group or a host, a port, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// How datagrams are packed.
    pub packing: Packing,
    /// Group or host, and port. To receive from a host, an address of this machine; unspecified is all of them.
    pub to: SocketAddr,
    /// The only sender that is heard (source-specific multicast, RFC 4607).
    pub source: Option<IpAddr>,
    /// Routers that a datagram may pass, and one. Default 1: it stays in its network.
    pub ttl: u8,
    /// The network it goes out to or comes in from. Default as the routes say.
    pub interface: Option<Interface>,
    /// Transport packets in a datagram, 1 to 7. Default 7, which fits into an Ethernet frame.
    pub packets: usize,
    /// Whether a group is announced by SAP. Default true.
    pub announced: bool,
}

/// What is around the transport packets of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Nothing.
    Udp,
    /// RTP (RFC 2250).
    Rtp,
}

/// An interface, by its address or its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    /// By its address.
    Address(Ipv4Addr),
    /// By its name.
    Name(String),
}

/// Why a text is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAddress {
    /// Another scheme.
    #[error("must begin with udp:// or rtp://")]
    Scheme,
    /// No address and port.
    #[error("{0:?} is no IP address with a port, such as 239.1.2.3:5000 or [ff15::1]:5000")]
    Host(String),
    /// The sender is no address.
    #[error("{0:?} is no IP address of a sender")]
    Source(String),
    /// An option that there is not, or a value that it cannot have.
    #[error("{0:?} is none of ttl=1..255, iface=ADDRESS or NAME, packets=1..7, sap=yes or no")]
    Option(String),
}

impl Address {
    /// What [`FromStr`] fills in.
    pub fn new(packing: Packing, to: SocketAddr) -> Address {
        Address { packing, to, source: None, ttl: 1, interface: None, packets: 7, announced: true }
    }

    /// Whether it is a group, rather than one host.
    pub fn is_group(&self) -> bool {
        self.to.ip().is_multicast()
    }

    /// Whether `text` looks like one, good or bad.
    pub fn is_meant(text: &str) -> bool {
        scheme(text).is_some()
    }
}

fn scheme(text: &str) -> Option<(Packing, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "udp" => Some((Packing::Udp, rest)),
        "rtp" => Some((Packing::Rtp, rest)),
        _ => None,
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    /// `udp://` or `rtp://`, perhaps a sender and `@`, an IP address and port, and options behind `?`. As VLC has it,
    /// `udp://@239.1.2.3:5000` is the same without the `@`, and `udp://@:5000` is any address of this machine.
    fn from_str(text: &str) -> Result<Address, BadAddress> {
        let (packing, rest) = scheme(text).ok_or(BadAddress::Scheme)?;
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (source, host) = place.trim_end_matches('/').rsplit_once('@').unwrap_or(("", place));
        let host = host.trim_end_matches('/');
        let bad = || BadAddress::Host(host.to_owned());
        let to = match host.strip_prefix(':').or(host.strip_prefix("localhost:")) {
            Some(port) => {
                let any = if host.starts_with(':') { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
                SocketAddr::from((any, port.parse().map_err(|_| bad())?))
            }
            None => host.parse().map_err(|_| bad())?,
        };
        let mut address = Address::new(packing, to);
        if !source.is_empty() {
            let plain = source.trim_start_matches('[').trim_end_matches(']');
            address.source = Some(plain.parse().map_err(|_| BadAddress::Source(source.to_owned()))?);
        }
        for option in options.split('&').filter(|option| !option.is_empty()) {
            address.option(option).ok_or_else(|| BadAddress::Option(option.to_owned()))?;
        }
        if address.to.port() == 0 {
            return Err(bad());
        }
        Ok(address)
    }
}

impl Address {
    fn option(&mut self, option: &str) -> Option<()> {
        match option.split_once('=')? {
            ("ttl", value) => self.ttl = value.parse().ok().filter(|ttl| *ttl > 0)?,
            ("packets", value) => self.packets = value.parse().ok().filter(|n| (1..=7).contains(n))?,
            // ffmpeg's and VLC's word for the same, in bytes
            ("pkt_size", value) => {
                let bytes: usize = value.parse().ok()?;
                self.packets = Some(bytes / 188).filter(|n| (1..=7).contains(n))?;
            }
            ("sap", "yes") => self.announced = true,
            ("sap", "no") => self.announced = false,
            ("iface" | "localaddr", value) if !value.is_empty() => {
                self.interface = Some(match value.parse() {
                    Ok(address) => Interface::Address(address),
                    Err(_) if is_name(value) => Interface::Name(value.to_owned()),
                    Err(_) => return None,
                });
            }
            _ => return None,
        }
        Some(())
    }
}

/// As the kernel has them: short, and no path.
fn is_name(text: &str) -> bool {
    text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b'&')
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.packing == Packing::Udp { "udp" } else { "rtp" };
        write!(f, "{scheme}://")?;
        if let Some(source) = self.source {
            write!(f, "{source}@")?;
        }
        write!(f, "{}", self.to)?;
        let plain = Address::new(self.packing, self.to);
        let options = [
            (self.ttl != plain.ttl).then(|| format!("ttl={}", self.ttl)),
            self.interface.as_ref().map(|interface| format!("iface={interface}")),
            (self.packets != plain.packets).then(|| format!("packets={}", self.packets)),
            (!self.announced).then(|| "sap=no".to_owned()),
        ];
        for (option, mark) in
            options.into_iter().flatten().zip(std::iter::once('?').chain(std::iter::repeat('&')))
        {
            write!(f, "{mark}{option}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interface::Address(address) => address.fmt(f),
            Interface::Name(name) => f.write_str(name),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Address, BadAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (text, shown) in [
            ("udp://239.1.2.3:5000", None),
            ("rtp://239.1.2.3:5000?ttl=4&iface=eth0&packets=3&sap=no", None),
            ("udp://10.0.0.1@232.1.2.3:5000", None),
            ("rtp://[ff15::1]:5000", None),
            ("udp://@239.1.2.3:5000/", Some("udp://239.1.2.3:5000")),
            ("UDP://@:1234", Some("udp://0.0.0.0:1234")),
            (
                "rtp://localhost:1234?pkt_size=1316&localaddr=127.0.0.1",
                Some("rtp://127.0.0.1:1234?iface=127.0.0.1"),
            ),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown.unwrap_or(text));
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert!("udp://239.1.2.3:5000".parse::<Address>().unwrap().is_group());
    }

    #[test]
    fn nonsense_is_refused_with_what_is_meant() {
        for (text, why) in [
            ("http://239.1.2.3:5000", "must begin"),
            ("udp://example.org:5000", "no IP address with a port"),
            ("udp://239.1.2.3", "no IP address with a port"),
            ("udp://239.1.2.3:0", "no IP address with a port"),
            ("udp://x@239.1.2.3:5", "of a sender"),
            ("udp://239.1.2.3:5?ttl=0", "ttl"),
            ("udp://239.1.2.3:5?packets=8", "packets"),
            ("udp://239.1.2.3:5?iface=../x", "iface"),
            ("udp://239.1.2.3:5?x", "none of"),
        ] {
            let said = text.parse::<Address>().unwrap_err().to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
