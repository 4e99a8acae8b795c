//! rtnetlink as far as a lab needs it: pairs of interfaces, addresses, routes, neighbours.
//!
//! Messages are gathered in a [`Batch`] and sent at once, since a lab of fifty hosts has thousands of neighbours.
#![allow(unsafe_code)] // raw netlink sockets and one ioctl

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A hardware address.
pub type Mac = [u8; 6];

/// A connection to the routing tables of the network namespace in which it was opened.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
}

/// One end of a pair.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Its name, at most 15 bytes.
    pub name: &'a str,
    /// Its number in its namespace.
    pub index: u32,
    /// Its hardware address.
    pub mac: Mac,
}

/// Messages to the kernel.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Netlink {
    /// Connects to the tables of the calling thread's namespace.
    ///
    /// # Errors
    /// That there are no sockets.
    pub fn open() -> io::Result<Netlink> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: socket(2) takes no pointers.
        let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Netlink { socket: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Has the kernel do what the messages say, in their order.
    ///
    /// # Errors
    /// The first thing that it refused; what came before is done.
    pub fn send(&self, batch: &Batch) -> io::Result<()> {
        let mut from = 0;
        // As many at a time as answers surely fit in the socket's buffer.
        for group in batch.ends.chunks(64) {
            let to = group.last().copied().unwrap_or(from);
            let bytes = &batch.bytes[from..to];
            // SAFETY: pointer and length are those of a live slice.
            let sent = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
            checked(sent)?;
            self.answers(group.len())?;
            from = to;
        }
        Ok(())
    }

    fn answers(&self, count: usize) -> io::Result<()> {
        let mut buffer = [0u8; 16384];
        let mut left = count;
        let mut refused = None;
        while left > 0 {
            // SAFETY: pointer and length are those of a live array.
            let got =
                unsafe { libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            let mut rest = &buffer[..checked(got)?];
            while let Some((kind, body, after)) = message(rest) {
                rest = after;
                if kind != libc::NLMSG_ERROR as u16 {
                    continue;
                }
                left = left.saturating_sub(1);
                let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                if code != 0 && refused.is_none() {
                    refused = Some(io::Error::from_raw_os_error(-code));
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// The first message in `bytes`: its kind, its body, what follows.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes([*bytes.get(4)?, *bytes.get(5)?]);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(aligned(length)..).unwrap_or_default()))
}

impl Batch {
    /// A pair of interfaces: one end here and up, the other in `there`, still down, since it cannot be up before the pair is
    /// one.
    pub fn pair(&mut self, here: End<'_>, other: End<'_>, there: BorrowedFd<'_>, mtu: u32) {
        let start = self.begin(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        self.interface(here, mtu, true);
        let info = self.open(libc::IFLA_LINKINFO);
        self.attribute(IFLA_INFO_KIND, b"veth");
        let data = self.open(IFLA_INFO_DATA);
        let peer = self.open(VETH_INFO_PEER);
        self.interface(other, mtu, false);
        self.attribute(libc::IFLA_NET_NS_FD, &there.as_raw_fd().to_ne_bytes());
        self.close(peer);
        self.close(data);
        self.close(info);
        self.end(start);
    }

    /// The interface up.
    pub fn up(&mut self, index: u32) {
        let start = self.begin(libc::RTM_NEWLINK, 0);
        self.ifinfo(index, true);
        self.end(start);
    }

    /// An address, and the way to all others in its network.
    pub fn address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) {
        let start = self.begin(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_REPLACE);
        self.bytes.extend_from_slice(&[libc::AF_INET as u8, prefix, 0, 0]);
        self.bytes.extend_from_slice(&index.to_ne_bytes());
        self.attribute(libc::IFA_LOCAL, &address.octets());
        self.attribute(libc::IFA_ADDRESS, &address.octets());
        self.end(start);
    }

    /// The way to a network, through an interface.
    pub fn route(&mut self, index: u32, network: Ipv4Addr, prefix: u8) {
        let start = self.begin(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_REPLACE);
        let (table, protocol, scope, kind) =
            (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_LINK, libc::RTN_UNICAST);
        self.bytes.extend_from_slice(&[libc::AF_INET as u8, prefix, 0, 0, table, protocol, scope, kind]);
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.attribute(libc::RTA_DST, &network.octets());
        self.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.end(start);
    }

    /// The way to everywhere else.
    pub fn gateway(&mut self, index: u32, gateway: Ipv4Addr) {
        let start = self.begin(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_REPLACE);
        let (table, protocol, scope, kind) =
            (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST);
        self.bytes.extend_from_slice(&[libc::AF_INET as u8, 0, 0, 0, table, protocol, scope, kind]);
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.attribute(libc::RTA_GATEWAY, &gateway.octets());
        self.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.end(start);
    }

    /// A neighbour who never has to be asked for.
    pub fn neighbour(&mut self, index: u32, address: Ipv4Addr, mac: Mac) {
        let start = self.begin(libc::RTM_NEWNEIGH, libc::NLM_F_CREATE | libc::NLM_F_REPLACE);
        self.bytes.extend_from_slice(&[libc::AF_INET as u8, 0, 0, 0]);
        self.bytes.extend_from_slice(&index.to_ne_bytes());
        self.bytes.extend_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
        self.bytes.extend_from_slice(&[0, libc::RTN_UNICAST]);
        self.attribute(libc::NDA_DST, &address.octets());
        self.attribute(libc::NDA_LLADDR, &mac);
        self.end(start);
    }

    fn interface(&mut self, end: End<'_>, mtu: u32, up: bool) {
        self.ifinfo(end.index, up);
        let mut name = end.name.as_bytes().to_vec();
        name.push(0);
        self.attribute(libc::IFLA_IFNAME, &name);
        self.attribute(libc::IFLA_ADDRESS, &end.mac);
        self.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        self.attribute(libc::IFLA_TXQLEN, &1000u32.to_ne_bytes());
    }

    /// The `ifinfomsg` of an interface.
    fn ifinfo(&mut self, index: u32, up: bool) {
        let flags = if up { libc::IFF_UP as u32 } else { 0 };
        self.bytes.extend_from_slice(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        self.bytes.extend_from_slice(&index.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&(libc::IFF_UP as u32).to_ne_bytes());
    }

    fn begin(&mut self, kind: u16, flags: libc::c_int) -> usize {
        let start = self.bytes.len();
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 8]);
        start
    }

    fn end(&mut self, start: usize) {
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.pad();
        self.ends.push(self.bytes.len());
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.bytes.extend_from_slice(value);
        self.close(start);
    }

    fn pad(&mut self) {
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }
}

/// Has the interface `name` of this thread's namespace send packets as they go on a wire: whole, with checksums.
///
/// # Errors
/// That there is no such interface.
pub fn without_offloads(name: &str) -> io::Result<()> {
    // SAFETY: socket(2) takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    for command in [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM] {
        set_offload(socket.as_raw_fd(), name, command)?;
    }
    Ok(())
}

fn set_offload(socket: RawFd, name: &str, command: u32) -> io::Result<()> {
    let mut value = EthtoolValue { command, data: 0 };
    // SAFETY: all of it may be zero.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request and the value that it points to are alive, and of the layout that SIOCETHTOOL takes.
    check(unsafe { libc::ioctl(socket, SIOCETHTOOL as _, &raw mut request) }).map(drop)
}

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn checked(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Length of `nlmsghdr`.
const HEADER: usize = 16;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const SIOCETHTOOL: u32 = 0x8946;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_SGRO: u32 = 0x2c;
