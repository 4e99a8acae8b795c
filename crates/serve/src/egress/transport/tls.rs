//! A listener behind TLS, as its reactor drives it: what the socket does not take waits here, and never blocks.

use std::io::{self, IoSlice, Read, Write};
use tokio_rustls::rustls::ServerConnection;

/// The TLS state and its socket.
///
/// Holds at most [`LIMIT`] bytes that are encrypted and not sent; while there are any, nothing new is taken.
#[derive(Debug)]
pub(in crate::egress) struct TlsWire<S: Read + Write> {
    tls: Box<ServerConnection>,
    pub(super) stream: S,
}

impl<S: Read + Write> TlsWire<S> {
    /// Goes on with a connection whose handshake is done.
    pub(super) fn new(mut tls: Box<ServerConnection>, stream: S) -> TlsWire<S> {
        tls.set_buffer_limit(Some(LIMIT));
        TlsWire { tls, stream }
    }

    /// Encrypts and sends what the socket takes now.
    ///
    /// # Errors
    /// `WouldBlock` when what was taken before is not sent yet; anything else when the connection is gone.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push()?;
        let taken = self.tls.writer().write_vectored(slices)?;
        match self.push() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends what is encrypted already.
    ///
    /// # Errors
    /// `WouldBlock` when the socket does not take all of it now; anything else when the connection is gone.
    pub(super) fn push(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether something encrypted is not sent yet.
    pub(super) fn holds(&self) -> bool {
        self.tls.wants_write()
    }

    /// Throws away what the client has sent, at most about `most` bytes; whether it has closed its side.
    pub(super) fn discard(&mut self, most: usize) -> bool {
        let mut waste = [0; 4096];
        let mut seen = 0;
        while seen < most {
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => return true,
                Ok(bytes) => seen += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
            match self.tls.process_new_packets() {
                Ok(state) if state.peer_has_closed() => return true,
                Ok(_) => {}
                Err(_not_tls) => return true,
            }
            while self.tls.reader().read(&mut waste).is_ok_and(|bytes| bytes > 0) {}
        }
        false
    }
}

/// Says that the stream ends here and was not cut, as far as the socket still takes it.
impl<S: Read + Write> Drop for TlsWire<S> {
    fn drop(&mut self) {
        self.tls.send_close_notify();
        let _gone = self.push();
    }
}

/// Four records of the largest size.
const LIMIT: usize = 64 << 10;

#[cfg(test)]
mod tests;
