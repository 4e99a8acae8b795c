//! The socket of a listener, plain or with TLS.

mod tls;

use self::tls::TlsWire;
use super::Config;
use mio::{Interest, Registry, Token, event::Source};
use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
};
use tokio_rustls::rustls::ServerConnection;

/// A listener's connection as the front hands it over.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// TCP as it is.
    Plain(TcpStream),
    /// Behind TLS, with the handshake done.
    Tls(TcpStream, Box<ServerConnection>),
}

/// A listener's connection as its reactor drives it: it never blocks.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(mio::net::TcpStream),
    Tls(TlsWire<mio::net::TcpStream>),
}

impl Wire {
    /// Takes the connection over.
    ///
    /// # Errors
    /// When the socket cannot be set to never block.
    pub(super) fn new(transport: Transport) -> io::Result<Wire> {
        let nonblocking = |stream: TcpStream| {
            stream.set_nonblocking(true)?;
            Ok::<_, io::Error>(mio::net::TcpStream::from_std(stream))
        };
        Ok(match transport {
            Transport::Plain(stream) => Wire::Plain(nonblocking(stream)?),
            Transport::Tls(stream, tls) => Wire::Tls(TlsWire::new(tls, nonblocking(stream)?)),
        })
    }

    /// Bounds what the kernel holds for it, and lets it send at once. A socket on which this fails fails at its first
    /// write too, so nothing is reported here.
    pub(super) fn tune(&self, config: &Config) {
        let socket = socket2::SockRef::from(self.stream());
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_send_buffer_size(config.send_buffer);
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_notsent_lowat(config.unsent);
    }

    /// Writes what the socket takes now.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now; anything else when the connection is gone.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Wire::Plain(stream), [one]) => stream.write(one),
            (Wire::Plain(stream), many) => stream.write_vectored(many),
            (Wire::Tls(wire), slices) => wire.write(slices),
        }
    }

    /// Sends what was taken and waits inside: TLS encrypts more than the socket may take.
    ///
    /// # Errors
    /// As [`Wire::write`].
    pub(super) fn push(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(_) => Ok(()),
            Wire::Tls(wire) => wire.push(),
        }
    }

    /// Whether some of what was taken waits inside.
    pub(super) fn holds(&self) -> bool {
        match self {
            Wire::Plain(_) => false,
            Wire::Tls(wire) => wire.holds(),
        }
    }

    /// Throws away what the client has sent, at most [`READ`] bytes; whether it has closed its side.
    pub(super) fn discard(&mut self) -> bool {
        if let Wire::Tls(wire) = self {
            return wire.discard(READ);
        }
        let mut waste = [0; 4096];
        for _ in 0..READ / waste.len() {
            match self.stream_mut().read(&mut waste) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
        false
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream_mut().register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn stream(&self) -> &mio::net::TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(wire) => &wire.stream,
        }
    }

    fn stream_mut(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(wire) => &mut wire.stream,
        }
    }
}

/// Bytes read from a client at one event; a listener has nothing to say, and one that floods us waits.
const READ: usize = 64 << 10;
