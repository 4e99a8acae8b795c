//! What the headers of a packet say: from whom, to whom, and where its payload begins.

use crate::LinkType;
use etherparse::{ArpPacketSlice, LaxIpv4Slice, LaxIpv6Slice, TcpSlice, UdpSlice};
use std::net::IpAddr;

/// The headers of one packet, as far as they were captured and make sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Hardware addresses, source first; Ethernet only.
    pub ether: Option<[[u8; 6]; 2]>,
    /// What is in the frame: 0x0800 is IPv4. Behind VLAN tags; 0 where there is none.
    pub ethertype: u16,
    /// The outermost VLAN tag.
    pub vlan: Option<u16>,
    /// Network addresses, source first: of IP, or of ARP for IPv4.
    pub hosts: Option<[IpAddr; 2]>,
    /// Of IP.
    pub ip: Option<Ip>,
    /// Source and destination port of TCP, UDP or SCTP.
    pub ports: Option<[u16; 2]>,
    /// Of TCP.
    pub tcp: Option<Tcp>,
    /// What TCP or UDP carry, or IP where it is something else; as much as was captured.
    pub payload: &'a [u8],
    /// How long the payload was on the link.
    pub payload_length: u32,
    /// The packet from its transport header on: what no router on its way changes.
    pub transport: &'a [u8],
}

/// What is in an IP header beside the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Behind the extension headers: 6 is TCP.
    pub protocol: u8,
    /// IPv4 numbers its packets.
    pub id: Option<u16>,
    /// A fragment other than the first one: it has no ports.
    pub later_fragment: bool,
}

/// What is in a TCP header beside the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The number of the first byte of the payload.
    pub seq: u32,
    /// The number of the byte that is expected.
    pub ack: u32,
    /// A connection begins.
    pub syn: bool,
    /// It ends.
    pub fin: bool,
    /// It is broken off.
    pub rst: bool,
    /// `ack` means something.
    pub acks: bool,
}

impl<'a> Headers<'a> {
    /// Takes a packet apart. What cannot be understood is left out.
    pub fn of(link: LinkType, bytes: &'a [u8]) -> Headers<'a> {
        let mut headers = Headers { payload: bytes, ..Headers::default() };
        headers.payload_length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let Some((ethertype, rest)) = headers.link(link, bytes) else { return headers };
        headers.ethertype = ethertype;
        match ethertype {
            IPV4 => headers.ipv4(rest),
            IPV6 => headers.ipv6(rest),
            ARP => headers.arp(rest),
            _ => None,
        };
        headers
    }

    /// The type and the contents of the frame.
    fn link(&mut self, link: LinkType, bytes: &'a [u8]) -> Option<(u16, &'a [u8])> {
        match link {
            LinkType::ETHERNET => {
                let (destination, rest) = bytes.split_first_chunk::<6>()?;
                let (source, mut rest) = rest.split_first_chunk::<6>()?;
                self.ether = Some([*source, *destination]);
                let mut ethertype = half(rest)?;
                for _ in 0..MOST_TAGS {
                    if !matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
                        break;
                    }
                    let tag = half(&rest[2..])? & 0xfff;
                    self.vlan = self.vlan.or(Some(tag));
                    rest = &rest[4..];
                    ethertype = half(rest)?;
                }
                Some((ethertype, &rest[2..]))
            }
            LinkType::LINUX_SLL => Some((half(bytes.get(14..)?)?, bytes.get(16..)?)),
            LinkType::LINUX_SLL2 => Some((half(bytes)?, bytes.get(20..)?)),
            LinkType::IPV4 | LinkType::IPV6 | LinkType::RAW => by_version(bytes),
            LinkType::NULL | LinkType::LOOP => by_version(bytes.get(4..)?),
            _ => None,
        }
    }

    fn ipv4(&mut self, bytes: &'a [u8]) -> Option<()> {
        let (slice, _) = LaxIpv4Slice::from_slice(bytes).ok()?;
        let header = slice.header();
        self.hosts = Some([header.source_addr().into(), header.destination_addr().into()]);
        let later_fragment = header.fragments_offset().value() > 0;
        let protocol = slice.payload_ip_number().0;
        self.ip = Some(Ip { protocol, id: Some(header.identification()), later_fragment });
        // 0 is a segment that the network card cuts up later
        let whole = Some(usize::from(header.total_len())).filter(|length| *length > 0).unwrap_or(bytes.len());
        self.transport(protocol, later_fragment, slice.payload().payload, whole.saturating_sub(bytes.len()))
    }

    fn ipv6(&mut self, bytes: &'a [u8]) -> Option<()> {
        let (slice, _) = LaxIpv6Slice::from_slice(bytes).ok()?;
        let header = slice.header();
        self.hosts = Some([header.source_addr().into(), header.destination_addr().into()]);
        let payload = slice.payload();
        let protocol = payload.ip_number.0;
        self.ip = Some(Ip { protocol, id: None, later_fragment: payload.fragmented });
        let whole = 40 + usize::from(header.payload_length());
        self.transport(protocol, payload.fragmented, payload.payload, whole.saturating_sub(bytes.len()))
    }

    /// What IP carries, of which the last `missing` bytes were not captured.
    fn transport(&mut self, protocol: u8, later: bool, bytes: &'a [u8], missing: usize) -> Option<()> {
        let length = |payload: &[u8]| u32::try_from(payload.len() + missing).unwrap_or(u32::MAX);
        (self.payload, self.payload_length, self.transport) = (bytes, length(bytes), bytes);
        if later {
            return None;
        }
        match protocol {
            TCP => {
                self.ports = Some([half(bytes)?, half(&bytes[2..])?]);
                let tcp = TcpSlice::from_slice(bytes).ok()?;
                self.tcp = Some(Tcp {
                    seq: tcp.sequence_number(),
                    ack: tcp.acknowledgment_number(),
                    syn: tcp.syn(),
                    fin: tcp.fin(),
                    rst: tcp.rst(),
                    acks: tcp.ack(),
                });
                (self.payload, self.payload_length) = (tcp.payload(), length(tcp.payload()));
            }
            UDP => {
                self.ports = Some([half(bytes)?, half(&bytes[2..])?]);
                let udp = UdpSlice::from_slice_lax(bytes).ok()?;
                (self.payload, self.payload_length) = (udp.payload(), length(udp.payload()));
            }
            SCTP => self.ports = Some([half(bytes)?, half(&bytes[2..])?]),
            _ => {}
        }
        Some(())
    }

    fn arp(&mut self, bytes: &'a [u8]) -> Option<()> {
        let arp = ArpPacketSlice::from_slice(bytes).ok()?;
        let sender: [u8; 4] = arp.sender_protocol_addr().try_into().ok()?;
        let target: [u8; 4] = arp.target_protocol_addr().try_into().ok()?;
        self.hosts = Some([sender.into(), target.into()]);
        Some(())
    }
}

fn by_version(bytes: &[u8]) -> Option<(u16, &[u8])> {
    match bytes.first()? >> 4 {
        4 => Some((IPV4, bytes)),
        6 => Some((IPV6, bytes)),
        _ => None,
    }
}

fn half(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_be_bytes)
}

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const RARP: u16 = 0x8035;
pub(crate) const IPV6: u16 = 0x86dd;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const SCTP: u8 = 132;
const MOST_TAGS: usize = 4;
