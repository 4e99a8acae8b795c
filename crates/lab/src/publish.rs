//! Ports of hosts on the real loopback, for programs that live outside of the lab.

use crate::lab::{Lab, LabError};
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;

/// A TCP port of a host, and where it is outside: `8000:server:80`, or `server:8000` where the numbers are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// On `127.0.0.1`; 0 for one that is free.
    pub outside: u16,
    /// On which host.
    pub host: String,
    /// On that.
    pub inside: u16,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Publish, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let port = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a port"));
        match parts[..] {
            [host, port_] => {
                let inside = port(port_)?;
                Ok(Publish { outside: inside, host: host.into(), inside })
            }
            [outside, host, inside] => {
                Ok(Publish { outside: port(outside)?, host: host.into(), inside: port(inside)? })
            }
            _ => Err(format!("{text:?} is not [PORT:]HOST:PORT")),
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
