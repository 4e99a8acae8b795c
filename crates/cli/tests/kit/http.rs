//! A few lines of HTTP, so that tests do not test the server with its own client.

use anyhow::{Context, Result, ensure};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// An answer.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }
}

/// Reads a whole document.
pub fn get(url: &str) -> Result<Reply> {
    request("GET", url, None, None)
}

/// Asks by any method, with Basic credentials and a JSON body if there are any.
pub fn request(method: &str, url: &str, login: Option<(&str, &str)>, body: Option<&str>) -> Result<Reply> {
    let mut socket = open(method, url, login, body)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some(reply) = whole(&bytes) {
            return Ok(reply);
        }
        let got = socket.read(&mut piece).with_context(|| format!("{method} {url}"))?;
        if got == 0 {
            let (head, rest) = split(&bytes).with_context(|| format!("{url}: no answer"))?;
            return reply(head, rest.to_vec());
        }
        bytes.extend_from_slice(&piece[..got]);
    }
}

/// Listens to a stream for at least so many bytes of body; gives head and body.
pub fn listen(url: &str, headers: &str, bytes: usize) -> Result<Reply> {
    let mut listener = Listener::open(url, headers)?;
    while listener.body.len() < bytes {
        ensure!(listener.more()?, "{url} ended after {} bytes", listener.body.len());
    }
    reply(&listener.head, listener.body)
}

/// A listener that goes on listening.
pub struct Listener {
    socket: TcpStream,
    pub head: String,
    pub body: Vec<u8>,
}

impl Listener {
    /// Opens a stream and reads the answer's head.
    pub fn open(url: &str, headers: &str) -> Result<Listener> {
        let (host, path) = parts(url)?;
        let mut socket = TcpStream::connect(host)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(socket, "GET {path} HTTP/1.0\r\nHost: {host}\r\n{headers}\r\n")?;
        let mut bytes = Vec::new();
        loop {
            if let Some((head, rest)) = split(&bytes) {
                return Ok(Listener { socket, head: head.to_owned(), body: rest.to_vec() });
            }
            let mut piece = [0; 4096];
            let got = socket.read(&mut piece)?;
            ensure!(got > 0, "{url} closed without an answer");
            bytes.extend_from_slice(&piece[..got]);
        }
    }

    /// Reads once; false at the end.
    pub fn more(&mut self) -> Result<bool> {
        let mut piece = [0; 16 * 1024];
        let got = self.socket.read(&mut piece)?;
        self.body.extend_from_slice(&piece[..got]);
        Ok(got > 0)
    }

    /// Reads until the body says `enough`.
    pub fn until(&mut self, what: &str, mut enough: impl FnMut(&[u8]) -> bool) -> Result<()> {
        let deadline = Instant::now() + super::PATIENCE;
        while !enough(&self.body) {
            ensure!(self.more()? && Instant::now() < deadline, "never heard {what}");
        }
        Ok(())
    }
}

fn open(method: &str, url: &str, login: Option<(&str, &str)>, body: Option<&str>) -> Result<TcpStream> {
    let (host, path) = parts(url)?;
    let mut socket = TcpStream::connect(host).with_context(|| format!("cannot reach {host}"))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let login = login.map(|(user, password)| {
        use base64::Engine;
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        format!("Authorization: Basic {token}\r\n")
    });
    let kind =
        body.map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}{}\r\n{}",
        login.unwrap_or_default(),
        kind.unwrap_or_default(),
        body.unwrap_or_default()
    )?;
    Ok(socket)
}

fn parts(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").context("only http here")?;
    let at = rest.find('/').unwrap_or(rest.len());
    Ok((&rest[..at], if at == rest.len() { "/" } else { &rest[at..] }))
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&bytes[..at]).ok()?, &bytes[at + 4..]))
}

/// The reply, if its length says that it is all there.
fn whole(bytes: &[u8]) -> Option<Reply> {
    let (head, rest) = split(bytes)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (rest.len() >= length).then(|| reply(head, rest[..length].to_vec()).ok())?
}

fn reply(head: &str, body: Vec<u8>) -> Result<Reply> {
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok()).context("no status")?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok(Reply { status, head: head.to_owned(), body: if chunked { dechunk(&body) } else { body } })
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&bytes[..end]).trim(), 16).unwrap_or(0);
        let Some(data) = bytes.get(end + 2..end + 2 + size).filter(|data| !data.is_empty()) else { break };
        out.extend_from_slice(data);
        bytes = bytes.get(end + 4 + size..).unwrap_or_default();
    }
    out
}
