//! A client's connection: plain or TLS, with the bytes that were read ahead.

use crate::{
    egress::Transport,
    http::{BadHead, First, HeadReader},
};
use bytes::{Buf, BytesMut};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// The socket itself.
pub enum Stream {
    /// As the bytes come.
    Plain(TcpStream),
    /// Behind TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection with what was read of it but not used yet.
pub struct Conn {
    /// The socket.
    pub stream: Stream,
    /// Read ahead; comes before what the socket will give.
    pub ahead: BytesMut,
    /// The other end.
    pub peer: SocketAddr,
}

impl Conn {
    /// A fresh connection.
    pub fn new(stream: Stream, peer: SocketAddr) -> Conn {
        Conn { stream, ahead: BytesMut::new(), peer }
    }

    /// Whether it is behind TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Reads until a head (or a SHOUTcast password) is whole; `None` when the client left instead.
    /// A request's bytes are taken off what was read ahead.
    ///
    /// # Errors
    /// When the socket fails, or what came is no request.
    pub async fn first(&mut self, reader: &HeadReader) -> Result<Option<First>, BadFirst> {
        loop {
            if let Some(first) = reader.read(&self.ahead)? {
                let (First::Request(_, used) | First::Shoutcast(_, used)) = &first;
                self.ahead.advance(*used);
                return Ok(Some(first));
            }
            if self.read_more().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads once, behind what was read ahead; 0 at the end.
    ///
    /// # Errors
    /// The socket's.
    pub async fn read_more(&mut self) -> io::Result<usize> {
        self.ahead.reserve(READ);
        match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(&mut self.ahead).await,
            Stream::Tls(stream) => stream.read_buf(&mut self.ahead).await,
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The socket's.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

/// Why there is no first request.
#[derive(Debug, thiserror::Error)]
pub enum BadFirst {
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are no request.
    #[error(transparent)]
    Head(#[from] BadHead),
}

impl Stream {
    /// The socket as egress takes it; what was read ahead is no use to anybody.
    ///
    /// # Errors
    /// The socket's.
    pub fn into_transport(self) -> io::Result<Transport> {
        Ok(match self {
            Stream::Plain(stream) => Transport::Plain(stream.into_std()?),
            Stream::Tls(stream) => {
                let (stream, tls) = stream.into_inner();
                Transport::Tls(stream.into_std()?, Box::new(tls))
            }
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// One read: 16 KiB, as much as a TLS record holds.
const READ: usize = 16 * 1024;
