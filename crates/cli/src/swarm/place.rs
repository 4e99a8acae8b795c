//! Where a splitter is, where we are as it sees us, and the sockets between the two.

use super::wire::Wire;
use anyhow::{Context, Result, bail};
use levada_link::drive_tokio::Sockets;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
};

/// The address behind `host:port`, an IPv4 one where there is one: the old wires know no other.
///
/// # Errors
/// When the name cannot be resolved.
pub fn resolve(text: &str) -> Result<SocketAddr> {
    let found: Vec<_> = text.to_socket_addrs().with_context(|| format!("cannot find {text}"))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    match first {
        Some(address) => Ok(*address),
        None => bail!("{text} has no address"),
    }
}

/// The address of this machine from which `peer` is reached.
///
/// # Errors
/// When there is no way to it.
pub fn here(peer: SocketAddr) -> Result<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    // No datagram is sent by this: the system only looks up the way.
    socket.connect(peer).with_context(|| format!("there is no way to {peer}"))?;
    Ok(socket.local_addr()?.ip())
}

/// What a splitter is reached by: streams and datagrams on one port, or datagrams alone where the wire needs no more.
/// Without an address of its own, every one of this machine.
///
/// # Errors
/// When the port is taken.
pub async fn splitter(wire: Wire, listen: Option<IpAddr>, port: u16) -> io::Result<Sockets> {
    match (wire, listen) {
        (Wire::Native, listen) => datagrams(listen, port),
        (Wire::Old(_), listen) => {
            Sockets::bind(SocketAddr::new(listen.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port)).await
        }
    }
}

/// What a peer of the team at `splitter` is reached by.
///
/// # Errors
/// When the port is taken, or there is no way to the splitter.
pub async fn peer(wire: Wire, splitter: SocketAddr, port: u16, lan: Option<Ipv4Addr>) -> Result<Sockets> {
    let sockets = match (wire, lan) {
        (Wire::Native, Some(interface)) => casting(interface, port),
        (Wire::Native, None) => datagrams(None, port),
        (Wire::Old(_), _) => Sockets::one_port(SocketAddr::new(here(splitter)?, port)).await,
    };
    sockets.with_context(|| format!("cannot be reached on port {port}"))
}

/// A socket for datagrams at `address`, or for both families at once, as far as the system has both.
///
/// # Errors
/// When the port is taken.
pub fn datagrams(address: Option<IpAddr>, port: u16) -> io::Result<Sockets> {
    let udp = match address {
        Some(address) => bound(SocketAddr::new(address, port)),
        None => bound((Ipv6Addr::UNSPECIFIED, port).into())
            .or_else(|_| bound((Ipv4Addr::UNSPECIFIED, port).into())),
    }?;
    let udp = tokio::net::UdpSocket::from_std(udp)?;
    Ok(Sockets { udp: Some(udp), ..Sockets::default() })
}

/// A socket for datagrams over IPv4, those to groups by the interface with this address and one network far.
fn casting(interface: Ipv4Addr, port: u16) -> io::Result<Sockets> {
    let udp = bound((Ipv4Addr::UNSPECIFIED, port).into())?;
    let socket = socket2::SockRef::from(&udp);
    socket.set_multicast_if_v4(&interface)?;
    socket.set_multicast_ttl_v4(1)?;
    Ok(Sockets { udp: Some(tokio::net::UdpSocket::from_std(udp)?), ..Sockets::default() })
}

/// What hears a group on the network of the interface with this address; others on this machine may as well.
///
/// # Errors
/// When there is no such interface, or it has no multicast.
pub fn hearing(group: SocketAddr, interface: Ipv4Addr) -> io::Result<tokio::net::UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.bind(&group.into())?;
    if let IpAddr::V4(group) = group.ip() {
        socket.join_multicast_v4(&group, &interface)?;
    }
    tokio::net::UdpSocket::from_std(socket.into())
}

fn bound(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A burst of the source waits here, not in the network; the system may give less.
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

const BUFFER: usize = 1 << 20;
