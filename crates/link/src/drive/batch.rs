//! Receives what has arrived in batches: a system call for many datagrams where there are many.

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// Room for a batch; of each buffer only what datagrams fill is ever touched.
#[derive(Debug)]
pub struct Batch {
    buffers: Vec<u8>,
    arrived: Vec<(SocketAddr, usize)>,
}

impl Batch {
    /// Datagrams of a batch, at most.
    pub const MOST: usize = 64;

    /// With room for the longest datagrams.
    pub fn new() -> Batch {
        Batch { buffers: Vec::new(), arrived: Vec::with_capacity(Batch::MOST) }
    }

    /// Receives what is there and does not wait: how many datagrams.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.arrived.clear();
        if self.buffers.is_empty() {
            self.buffers = vec![0; Batch::MOST * super::LONGEST];
        }
        // holds pointers and so cannot stay here, where other threads may come by
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(Batch::MOST, None);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.chunks_exact_mut(super::LONGEST).map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
        // a sender without an address cannot be; its datagram would be as if lost
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        self.arrived.extend(
            results.map(|message| (message.address.and_then(address).unwrap_or(nobody), message.bytes)),
        );
        Ok(self.arrived.len())
    }

    /// Who sent a datagram of the last batch, and what.
    pub fn datagram(&self, n: usize) -> Option<(SocketAddr, &[u8])> {
        let (from, length) = *self.arrived.get(n)?;
        self.buffers.get(n * super::LONGEST..)?.get(..length).map(|bytes| (from, bytes))
    }
}

fn address(from: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = from.as_sockaddr_in().map(|from| SocketAddr::from((from.ip(), from.port())));
    v4.or_else(|| from.as_sockaddr_in6().map(|from| SocketAddr::V6((*from).into())))
}
