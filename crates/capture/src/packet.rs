//! What a capture is made of: packets, the interfaces they passed, and notes between them.

use std::borrow::Cow;
use std::time::Duration;

/// One packet as an interface saw it.
///
/// ```
/// # use levada_capture::{InterfaceId, Packet};
/// # use std::time::Duration;
/// let packet = Packet::new(InterfaceId(0), Duration::from_millis(5), &[0; 60]);
/// assert_eq!(packet.length, 60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Where it was seen.
    pub interface: InterfaceId,
    /// When: since 1970, or since the start where time is virtual. Kept to the nanosecond.
    pub at: Duration,
    /// Its bytes from the link header on, or as many as were kept of them.
    pub bytes: Cow<'a, [u8]>,
    /// How many bytes it had on the link.
    pub length: u32,
    /// Which way it went at this interface (`epb_flags`).
    pub direction: Option<Direction>,
    /// The same number wherever the same packet was seen (`epb_packetid`).
    pub id: Option<u64>,
    /// What the link decided about it (`epb_verdict`).
    pub verdict: Option<Verdict>,
    /// How many packets were lost to the *capture* since the last one of this interface (`epb_dropcount`).
    pub missed: u64,
    /// What there is to say about it, such as why it was dropped; lines where there are several.
    pub comment: Option<Cow<'a, str>>,
}

impl<'a> Packet<'a> {
    /// A packet of which every byte is there and nothing more is known.
    pub fn new(interface: InterfaceId, at: Duration, bytes: &'a [u8]) -> Packet<'a> {
        Packet {
            interface,
            at,
            bytes: Cow::Borrowed(bytes),
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            direction: None,
            id: None,
            verdict: None,
            missed: 0,
            comment: None,
        }
    }
}

/// Which interface of a capture, counted from 0 in the order in which they are described.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u32);

/// Which way a packet went at an interface, seen from the host that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the link into the host.
    In,
    /// From the host onto the link.
    Out,
}

/// What a link decided about a packet; written as the verdict of Linux's traffic control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `TC_ACT_OK`.
    Passed,
    /// `TC_ACT_SHOT`.
    Dropped,
}

/// Where packets are captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Such as `server-eth0`; empty where the file does not say.
    pub name: String,
    /// In words, may be empty.
    pub description: String,
    /// What its packets begin with.
    pub link: LinkType,
    /// At most this many bytes of each packet were kept; 0 is no limit.
    pub snaplen: u32,
    /// Bit/s.
    pub speed: Option<u64>,
    /// The filter that let its packets in.
    pub filter: Option<String>,
}

impl Interface {
    /// An Ethernet interface of that name which keeps packets whole.
    pub fn ethernet(name: impl Into<String>) -> Interface {
        Interface {
            name: name.into(),
            description: String::new(),
            link: LinkType::ETHERNET,
            snaplen: 0,
            speed: None,
            filter: None,
        }
    }
}

/// What the packets of an interface begin with: a number of the tcpdump group's registry (`LINKTYPE_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family in the host's byte order.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet II.
    pub const ETHERNET: LinkType = LinkType(1);
    /// An IP packet of either version.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" packets, as of `-i any`.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// IPv4 only.
    pub const IPV4: LinkType = LinkType(228);
    /// IPv6 only.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked" packets, second version.
    pub const LINUX_SLL2: LinkType = LinkType(276);
}

/// Something that happened between packets, such as a change of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// When, by the clock of the packets.
    pub at: Duration,
    /// What.
    pub text: Cow<'a, str>,
}
