//! Where a splitter is, and where we are as it sees us.

use anyhow::{Context, Result, bail};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

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
