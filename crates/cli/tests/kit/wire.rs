//! A socket that says what the test wants, also what no client would; and what the server counts.

use super::{Serve, eventually, http};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A connection of any kind.
pub struct Wire(pub TcpStream);

impl Wire {
    /// Connects, and says `bytes`. A server that has heard enough may hang up meanwhile.
    pub fn say(server: &Serve, bytes: &[u8]) -> Result<Wire> {
        let mut socket = TcpStream::connect(&server.address)?;
        socket.set_read_timeout(Some(super::PATIENCE))?;
        let _hung_up = socket.write_all(bytes);
        Ok(Wire(socket))
    }

    /// All that comes until the server closes.
    pub fn hear(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(why) if why.kind() != ErrorKind::ConnectionReset => Err(why).context("it does not close"),
            _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// A source on `mount`, accepted; what it says next is the stream.
    pub fn source(server: &Serve, mount: &str, content_type: &str, more: &str) -> Result<Wire> {
        let login = STANDARD.encode("source:hush");
        let mut wire = Wire::say(
            server,
            format!(
                "SOURCE {mount} HTTP/1.0\r\nAuthorization: Basic {login}\r\nContent-Type: {content_type}\r\n{more}\r\n"
            )
            .as_bytes(),
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            ensure!(wire.0.read(&mut byte)? == 1, "closed after {:?}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        ensure!(head.starts_with(b"HTTP/1.0 200"), "{}", String::from_utf8_lossy(&head));
        Ok(wire)
    }

    /// A listener that has asked for `mount` and not read anything.
    pub fn listener(server: &Serve, mount: &str) -> Result<Wire> {
        Wire::say(server, format!("GET {mount} HTTP/1.0\r\n\r\n").as_bytes())
    }

    /// Says more.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Whether the server has closed it, without waiting for that.
    pub fn is_closed(&mut self) -> Result<bool> {
        self.0.set_read_timeout(Some(Duration::from_millis(1)))?;
        match self.0.read(&mut [0; 4096]) {
            Ok(got) => Ok(got == 0),
            Err(why) => Ok(!matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        }
    }
}

/// The value of a sample of `/metrics`; 0 where there is none.
pub fn metric(server: &Serve, sample: &str) -> Result<u64> {
    let page = http::get(&server.url("/metrics"))?.text();
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    Ok(line.and_then(|value| value.trim().parse().ok()).unwrap_or(0))
}

/// Waits until a sample is what it should be.
pub fn until_metric(server: &Serve, sample: &str, is: impl Fn(u64) -> bool) -> Result<()> {
    let mut last = 0;
    let wait = eventually(sample, || {
        last = metric(server, sample)?;
        Ok(is(last).then_some(()))
    });
    wait.with_context(|| format!("{sample} is {last}"))
}
