//! Sockets that send to a group or a host, and that hear one.

use super::{Address, Interface};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};
use tokio::net::UdpSocket;

/// A socket that sends to `address`.
///
/// # Errors
/// When the interface is not there, or the system has no socket for us.
pub fn sender(address: &Address) -> io::Result<UdpSocket> {
    let socket = open(address.to)?;
    let ttl = u32::from(address.ttl);
    match address.to.ip() {
        IpAddr::V4(group) => {
            if group.is_multicast() {
                socket.set_multicast_ttl_v4(ttl)?;
            }
            match &address.interface {
                Some(Interface::Address(ip)) if group.is_multicast() => socket.set_multicast_if_v4(ip)?,
                Some(Interface::Address(ip)) => socket.bind(&SocketAddr::from((*ip, 0)).into())?,
                Some(Interface::Name(name)) => bind_device(&socket, name)?,
                None => {}
            }
        }
        IpAddr::V6(_) => {
            socket.set_multicast_hops_v6(ttl)?;
            let index = index(address.interface.as_ref())?;
            if index != 0 {
                socket.set_multicast_if_v6(index)?;
            }
        }
    }
    // a burst of a key picture fits; the system gives what it allows
    let _as_allowed = socket.set_send_buffer_size(BUFFER);
    socket.connect(&address.to.into())?;
    UdpSocket::from_std(socket.into())
}

/// A socket that hears what comes to `address`. Several may hear the same group.
///
/// # Errors
/// When the port is taken, the interface is not there, or the group cannot be joined.
pub fn receiver(address: &Address) -> io::Result<UdpSocket> {
    let socket = open(address.to)?;
    if address.is_group() {
        socket.set_reuse_address(true)?;
    }
    let _as_allowed = socket.set_recv_buffer_size(BUFFER);
    // bound to the group, the socket hears nothing else that comes to the port
    socket.bind(&address.to.into())?;
    match address.to.ip() {
        IpAddr::V4(group) if group.is_multicast() => join_v4(&socket, group, address)?,
        IpAddr::V6(group) if group.is_multicast() => {
            if address.source.is_some() {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "one sender of an IPv6 group cannot be chosen",
                ));
            }
            socket.join_multicast_v6(&group, index(address.interface.as_ref())?)?;
        }
        _ => {}
    }
    UdpSocket::from_std(socket.into())
}

fn join_v4(socket: &Socket, group: Ipv4Addr, address: &Address) -> io::Result<()> {
    match (address.source, &address.interface) {
        (Some(IpAddr::V4(source)), None) => socket.join_ssm_v4(&source, &group, &Ipv4Addr::UNSPECIFIED),
        (Some(IpAddr::V4(source)), Some(Interface::Address(ip))) => socket.join_ssm_v4(&source, &group, ip),
        (Some(_), _) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "one sender of a group is chosen by its IPv4 address, and the interface by its own",
        )),
        (None, Some(Interface::Address(ip))) => socket.join_multicast_v4(&group, ip),
        (None, interface) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index(interface.as_ref())?))
        }
    }
}

fn open(to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Makes what is sent leave by the interface called `name`.
#[cfg(target_os = "linux")]
fn bind_device(socket: &Socket, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn bind_device(_: &Socket, name: &str) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("say the address of {name} instead of its name")))
}

/// The number of an interface; zero lets the routes decide.
fn index(interface: Option<&Interface>) -> io::Result<u32> {
    let Some(interface) = interface else { return Ok(0) };
    let Interface::Name(name) = interface else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "say the interface's name for IPv6"));
    };
    let unknown = |_| io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {name}"));
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).map_err(unknown)?;
    text.trim().parse().map_err(|_| io::Error::other("the system does not number its interfaces"))
}

/// The address of ours that datagrams to `address` come from; none where there is no way there.
pub fn local(socket: &UdpSocket, address: &Address) -> IpAddr {
    let any: IpAddr = match address.to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    match (&address.interface, socket.local_addr()) {
        (Some(Interface::Address(ip)), _) => (*ip).into(),
        (_, Ok(local)) => local.ip(),
        (_, Err(_)) => any,
    }
}

/// 4 MiB: a second of 32 Mbit/s.
const BUFFER: usize = 4 << 20;
