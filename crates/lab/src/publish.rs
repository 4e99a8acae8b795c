//! Ports of hosts on the real loopback, for programs that live outside of the lab.

use crate::lab::{Lab, LabError};
use crate::proxy::{self, ProxyError};
use levada_link::Profile;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;

/// A port of a host, and where it is outside: `8000:server:80`, or `server:8000` where the numbers are the same; with
/// `/udp` behind it one for datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// On `127.0.0.1`; 0 for one that is free.
    pub outside: u16,
    /// On which host.
    pub host: String,
    /// On that.
    pub inside: u16,
    /// Whether it is UDP's; TCP's otherwise.
    pub udp: bool,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Publish, String> {
        let (text, udp) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), false),
            Some((port, "udp")) => (port, true),
            Some((_, other)) => return Err(format!("{other:?} is neither tcp nor udp")),
        };
        let parts: Vec<&str> = text.split(':').collect();
        let port = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a port"));
        match parts[..] {
            [host, port_] => {
                let inside = port(port_)?;
                Ok(Publish { outside: inside, host: host.into(), inside, udp })
            }
            [outside, host, inside] => {
                Ok(Publish { outside: port(outside)?, host: host.into(), inside: port(inside)?, udp })
            }
            _ => Err(format!("{text:?} is not [PORT:]HOST:PORT[/udp]")),
        }
    }
}

impl Lab {
    /// Opens a port on the real loopback; which. It is open as long as the process.
    ///
    /// # Errors
    /// That there is no such host, or that the port is taken.
    pub fn publish(self: &Arc<Lab>, publish: &Publish) -> Result<SocketAddr, LabError> {
        self.host(&publish.host)?;
        if publish.udp {
            return self.publish_datagrams(publish).map_err(LabError::system("cannot publish the port"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, publish.outside));
        let listener = listener.map_err(LabError::system("cannot publish the port"))?;
        let address = listener.local_addr().map_err(LabError::system("cannot publish the port"))?;
        let (lab, publish) = (self.clone(), publish.clone());
        let accept = move || {
            for outer in listener.incoming().flatten() {
                let (lab, publish) = (lab.clone(), publish.clone());
                let _dropped_when_there_are_no_threads =
                    thread::Builder::new().stack_size(128 << 10).spawn(move || lab.carry(outer, &publish));
            }
        };
        let thread = thread::Builder::new().name("publish".into()).stack_size(128 << 10).spawn(accept);
        thread.map_err(LabError::system("cannot publish the port"))?;
        Ok(address)
    }

    fn publish_datagrams(self: &Arc<Lab>, publish: &Publish) -> io::Result<SocketAddr> {
        let outer = UdpSocket::bind((Ipv4Addr::LOCALHOST, publish.outside))?;
        let (lab, publish) = (self.clone(), publish.clone());
        let connect = move || {
            let host = lab.host(&publish.host).map_err(io::Error::other)?;
            let own = lab.topology().address(&publish.host).unwrap_or(Ipv4Addr::LOCALHOST);
            host.within(|| {
                let address = if is_local(publish.inside) { Ipv4Addr::LOCALHOST } else { own };
                let inner = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                inner.connect((address, publish.inside))?;
                Ok(inner)
            })?
        };
        let relayed = proxy::relay(outer, &Profile::default(), 0, connect);
        relayed.map(|(address, _)| address).map_err(|why| match why {
            ProxyError::Io(why) => why,
            other => io::Error::other(other),
        })
    }

    fn carry(&self, outer: TcpStream, publish: &Publish) -> io::Result<()> {
        let host = self.host(&publish.host).map_err(io::Error::other)?;
        // A server may listen on all addresses, on that of its host, or on its loopback only.
        let host_address = self.topology().address(&publish.host);
        let inner = host.within(|| {
            let connect = |address| TcpStream::connect((address, publish.inside));
            connect(Ipv4Addr::LOCALHOST).or_else(|why| host_address.map_or(Err(why), connect))
        })??;
        let (mut from_outer, mut to_inner) = (outer.try_clone()?, inner.try_clone()?);
        let (mut from_inner, mut to_outer) = (inner, outer);
        thread::scope(|scope| {
            scope.spawn(move || {
                let _until_one_ends = io::copy(&mut from_outer, &mut to_inner);
                let _ended_already = to_inner.shutdown(Shutdown::Write);
            });
            let _until_one_ends = io::copy(&mut from_inner, &mut to_outer);
            let _ended_already = to_outer.shutdown(Shutdown::Both);
        });
        Ok(())
    }
}

/// Whether a socket for datagrams of the calling thread's host listens on the host's own loopback only.
fn is_local(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap_or_default();
    let local = format!(" {:08X}:{port:04X} ", u32::from_ne_bytes([127, 0, 0, 1]));
    table.lines().any(|line| line.contains(&local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_as_people_write_them() {
        let read = |text: &str| text.parse::<Publish>();
        let publish = |outside, inside, udp| Publish { outside, host: "server".into(), inside, udp };
        assert_eq!(read("server:8000"), Ok(publish(8000, 8000, false)));
        assert_eq!(read("0:server:80/tcp"), Ok(publish(0, 80, false)));
        assert_eq!(read("5000:server:4444/udp"), Ok(publish(5000, 4444, true)));
        for wrong in ["server", "server:x", "1:2:3:4", "server:80/sctp", "server:99999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
