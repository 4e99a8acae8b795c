//! What a session's packets go over: datagrams, or a connection in which each has its length before it (RFC 4571).

use super::Way;
use bytes::{Buf, BufMut, BytesMut};
use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};
use str0m::net::Protocol;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

/// One server, one session.
pub(super) struct Wire {
    local: SocketAddr,
    remote: SocketAddr,
    kind: Kind,
}

enum Kind {
    Udp {
        socket: UdpSocket,
        buffer: Vec<u8>,
    },
    Tcp {
        stream: TcpStream,
        ahead: BytesMut,
        /// What the system has not taken, at most [`MOST_WAITING`] bytes; more is lost, as on a network.
        waiting: BytesMut,
    },
}

impl Wire {
    /// Connects to the server at `remote`.
    ///
    /// # Errors
    /// When the system has no socket, or the server does not answer.
    pub(super) async fn connect(remote: SocketAddr, way: Way) -> io::Result<Wire> {
        let (local, kind) = match way {
            Way::Udp => {
                let any = match remote {
                    SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                    SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
                };
                let socket = UdpSocket::bind(any).await?;
                socket.connect(remote).await?;
                (socket.local_addr()?, Kind::Udp { socket, buffer: vec![0; LONGEST] })
            }
            Way::Tcp => {
                let stream = TcpStream::connect(remote).await?;
                stream.set_nodelay(true)?;
                let local = stream.local_addr()?;
                (local, Kind::Tcp { ahead: BytesMut::new(), waiting: BytesMut::new(), stream })
            }
        };
        Ok(Wire { local, remote, kind })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self.kind {
            Kind::Udp { .. } => Protocol::Udp,
            Kind::Tcp { .. } => Protocol::Tcp,
        }
    }

    /// Sends, now or while [`Wire::next`] is waited for.
    pub(super) fn send(&mut self, packet: &[u8]) {
        match &mut self.kind {
            Kind::Udp { socket, .. } => {
                let _lost = socket.try_send(packet);
            }
            Kind::Tcp { waiting, .. } => {
                if let Ok(length) = u16::try_from(packet.len())
                    && waiting.len() < MOST_WAITING
                {
                    waiting.put_u16(length);
                    waiting.put_slice(packet);
                }
            }
        }
    }

    /// The next packet that comes. Can be dropped while it waits; nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Vec<u8>> {
        match &mut self.kind {
            Kind::Udp { socket, buffer } => loop {
                match socket.recv(buffer).await {
                    Ok(length) => return Ok(buffer[..length].to_vec()),
                    // tells of a datagram that we sent
                    Err(why) if why.kind() == ErrorKind::ConnectionRefused => {}
                    Err(why) => return Err(why),
                }
            },
            Kind::Tcp { stream, ahead, waiting } => loop {
                if let Some(length) =
                    ahead.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length)))
                    && ahead.len() >= 2 + length
                {
                    ahead.advance(2);
                    return Ok(ahead.split_to(length).to_vec());
                }
                let (mut reads, mut writes) = stream.split();
                tokio::select! {
                    read = reads.read_buf(ahead) => if read? == 0 { return Err(ErrorKind::UnexpectedEof.into()) },
                    wrote = writes.write_buf(waiting), if !waiting.is_empty() => drop(wrote?),
                }
            },
        }
    }
}

const LONGEST: usize = 64 * 1_024;
const MOST_WAITING: usize = 1 << 20;
