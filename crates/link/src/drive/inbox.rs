//! Receives what has arrived: a system call for many datagrams where there are many.

use bytes::Bytes;
use std::{io, net::SocketAddr};

/// Room for what arrives at a socket, or at several in turn; of each buffer only what datagrams fill is ever touched.
///
/// On Linux, those that came together from one sender are taken as one (UDP GRO), where the socket was
/// [prepared](Inbox::prepare).
#[derive(Debug)]
pub struct Inbox {
    buffer: Vec<u8>,
    #[cfg(target_os = "linux")]
    control: Vec<u8>,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox::new()
    }
}

#[cfg(not(target_os = "linux"))]
impl Inbox {
    /// With room for the longest datagram.
    pub fn new() -> Inbox {
        Inbox { buffer: vec![0; LONGEST] }
    }

    /// Nothing is to be prepared here.
    pub fn prepare(_: &impl super::Port) {}

    /// Takes a datagram that is there, and waits only where the socket does.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` where nothing is there.
    pub fn receive(
        &mut self,
        socket: &impl super::Port,
        into: &mut Vec<(SocketAddr, Bytes)>,
    ) -> io::Result<()> {
        let (length, from) = socket.receive(&mut self.buffer)?;
        into.push((from, Bytes::copy_from_slice(&self.buffer[..length])));
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use nix::{
        cmsg_space,
        sys::socket::{
            ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, recvmsg,
            setsockopt, sockopt::UdpGroSegment,
        },
    };
    use std::{
        io::IoSliceMut,
        os::fd::{AsFd, AsRawFd},
    };

    impl Inbox {
        /// With room for the longest datagram.
        pub fn new() -> Inbox {
            Inbox { buffer: vec![0; LONGEST], control: cmsg_space!(i32) }
        }

        /// Lets datagrams that come together be received together, where the system can.
        pub fn prepare(socket: &impl AsFd) {
            // Without, they come one by one.
            let _ = setsockopt(&socket.as_fd(), UdpGroSegment, &true);
        }

        /// Takes one datagram that is there, or several that came together, and does not wait.
        ///
        /// # Errors
        /// Those of the socket; `WouldBlock` where nothing is there.
        pub fn receive(
            &mut self,
            socket: &impl AsRawFd,
            into: &mut Vec<(SocketAddr, Bytes)>,
        ) -> io::Result<()> {
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let arrived =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut self.control), flags)?;
            let arrived = Arrived::of(&arrived);
            arrived.put(&self.buffer, into);
            Ok(())
        }

        /// Takes up to 64 of what is there, each perhaps several datagrams, and does not wait.
        ///
        /// # Errors
        /// As [`receive`](Inbox::receive).
        pub fn receive_many(
            &mut self,
            socket: &impl AsRawFd,
            into: &mut Vec<(SocketAddr, Bytes)>,
        ) -> io::Result<()> {
            if self.buffer.len() < AT_ONCE * LONGEST {
                self.buffer = vec![0; AT_ONCE * LONGEST];
            }
            // holds pointers and so cannot stay here, where other threads may come by
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(AT_ONCE, Some(cmsg_space!(i32)));
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                self.buffer.chunks_exact_mut(LONGEST).map(|buffer| [IoSliceMut::new(buffer)]).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let arrived = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
            let arrived: Vec<_> = arrived.map(|message| Arrived::of(&message)).collect();
            let buffers = self.buffer.chunks_exact(LONGEST);
            arrived.iter().zip(buffers).for_each(|(arrived, buffer)| arrived.put(buffer, into));
            Ok(())
        }
    }

    /// What one message of the kernel's is.
    struct Arrived {
        from: SocketAddr,
        length: usize,
        /// How long each of the datagrams in it is, but for the last.
        segment: usize,
    }

    impl Arrived {
        fn of(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Arrived {
            let joined = |control| match control {
                ControlMessageOwned::UdpGroSegments(segment) => usize::try_from(segment).ok(),
                _ => None,
            };
            let segment = message.cmsgs().ok().and_then(|mut all| all.find_map(joined)).unwrap_or(0);
            // a sender without an address cannot be; its datagram would be as if lost
            let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
            let from = message.address.and_then(address).unwrap_or(nobody);
            Arrived { from, length: message.bytes, segment }
        }

        /// Puts each datagram.
        fn put(&self, buffer: &[u8], into: &mut Vec<(SocketAddr, Bytes)>) {
            let bytes = Bytes::copy_from_slice(&buffer[..self.length.min(buffer.len())]);
            if !(1..bytes.len()).contains(&self.segment) {
                return into.push((self.from, bytes));
            }
            let starts = (0..bytes.len()).step_by(self.segment);
            let piece = |at: usize| bytes.slice(at..(at + self.segment).min(bytes.len()));
            into.extend(starts.map(|at| (self.from, piece(at))));
        }
    }

    fn address(from: SockaddrStorage) -> Option<SocketAddr> {
        let v4 = from.as_sockaddr_in().map(|from| SocketAddr::from((from.ip(), from.port())));
        v4.or_else(|| from.as_sockaddr_in6().map(|from| SocketAddr::V6((*from).into())))
    }

    /// Messages of a batch, at most.
    const AT_ONCE: usize = 64;
}

/// The longest datagram.
const LONGEST: usize = 65_535;
