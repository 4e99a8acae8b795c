//! A server on a free port, a source that feeds it, and a client that sees every byte of an answer.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use levada_serve::{Config, Server};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// A running server.
pub struct Rig {
    pub server: Server,
    pub address: SocketAddr,
}

impl Rig {
    /// Starts one with passwords (`source:hush`, `admin:adm`, `relay:rel`, token `tok`) and what `toml` adds.
    pub async fn start(toml: &str) -> Result<Rig> {
        Rig::start_as("rig", toml).await
    }

    /// The same under another name than `rig`, for servers that must tell each other apart.
    pub async fn start_as(id: &str, toml: &str) -> Result<Rig> {
        let mut config: Config = toml::from_str(toml)?;
        config.http.listen = vec!["127.0.0.1:0".parse()?];
        config.auth.source_password = Some("hush".into());
        config.auth.admin_password = Some("adm".into());
        config.auth.relay_password = Some("rel".into());
        config.auth.api_token = Some("tok".into());
        config.limits.failures_per_minute = 1_000;
        let server = Server::start(config, id.into()).await?;
        let address = server.addresses()[0];
        Ok(Rig { server, address })
    }

    /// A source that feeds `mount` for as long as it is kept.
    pub async fn feed(
        &self,
        mount: &str,
        content_type: &str,
        fields: &str,
        bytes: &[u8],
    ) -> Result<TcpStream> {
        let fields = format!("Content-Type: {content_type}\r\n{fields}");
        let stream = put(self.address, mount, &fields, bytes).await?;
        let name = mount.parse()?;
        until("the source is there", || {
            self.server.station().mounts.find(&name).is_some_and(|mount| {
                mount.stats.received.load(std::sync::atomic::Ordering::Relaxed) >= bytes.len() as u64
                    && mount.source().is_some()
            })
        })
        .await?;
        Ok(stream)
    }

    /// A listener of `mount` for as long as it is kept.
    pub async fn listen(&self, mount: &str) -> Result<Wire> {
        let name = mount.parse()?;
        let station = self.server.station();
        let before = station.mounts.find(&name).map_or(0, |mount| mount.listeners());
        let mut wire = Wire::connect(self.address).await?;
        wire.send(&format!("GET {mount} HTTP/1.0\r\nUser-Agent: agent <1>\r\n\r\n")).await?;
        until("the listener is there", || {
            station.mounts.find(&name).is_some_and(|mount| mount.listeners() > before)
        })
        .await?;
        Ok(wire)
    }

    /// `GET path` by nobody in particular.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.ask("GET", path, "", "").await
    }

    /// `GET path` by the administrator.
    pub async fn admin(&self, path: &str) -> Result<Reply> {
        self.ask("GET", path, &basic("admin", "adm"), "").await
    }

    /// One request on its own connection.
    pub async fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> Result<Reply> {
        let mut wire = Wire::connect(self.address).await?;
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = self.address;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}{length}\r\n");
        wire.send(&(head + body)).await?;
        wire.reply(method).await
    }
}

/// Sends the head and the first bytes of a stream, and waits until the server likes it.
pub async fn put(address: SocketAddr, mount: &str, fields: &str, bytes: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("PUT {mount} HTTP/1.1\r\nHost: {address}\r\n{}{fields}\r\n", basic("source", "hush"));
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0; 512];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    ensure!(answer.contains("200 OK"), "the source was answered {answer}");
    stream.write_all(bytes).await?;
    Ok(stream)
}

/// The field that says who asks.
pub fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) -> Result<()> {
    let late = Instant::now() + PATIENCE;
    while !condition() {
        ensure!(Instant::now() < late, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A connection to a server.
pub struct Wire {
    pub stream: TcpStream,
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub version: String,
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Result<Wire> {
        Ok(Wire { stream: TcpStream::connect(address).await?, ahead: Vec::new() })
    }

    pub async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.write_all(text.as_bytes()).await?)
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> Result<Reply> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at;
            }
            ensure!(self.more().await? > 0, "closed before the head ended: {:?}", self.ahead);
        };
        let head = String::from_utf8(self.ahead.drain(..end + 4).collect())?;
        let mut lines = head.trim_end().lines();
        let mut status = lines.next().context("an empty head")?.splitn(3, ' ');
        let version = status.next().unwrap_or_default().to_owned();
        let status = status.next().context("no status")?.parse()?;
        let field = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Reply { version, status, fields: lines.filter_map(field).collect(), body: Vec::new() })
    }

    /// The next answer, whole, and nothing behind it.
    pub async fn reply(&mut self, method: &str) -> Result<Reply> {
        let mut reply = self.head().await?;
        if method == "HEAD" || matches!(reply.status, 204 | 304) {
            return Ok(reply);
        }
        reply.body = match (reply.field("content-length"), reply.field("transfer-encoding")) {
            (Some(length), None) => self.bytes(length.parse()?).await?,
            (None, Some("chunked")) => self.chunks().await?,
            (None, None) => self.rest().await?,
            both => bail!("unclear length: {both:?}"),
        };
        Ok(reply)
    }

    /// The next chunk of a chunked body; empty is the last.
    pub async fn chunk(&mut self) -> Result<Vec<u8>> {
        let line = self.line().await?;
        let length =
            usize::from_str_radix(line.trim(), 16).with_context(|| format!("chunk size {line:?}"))?;
        let mut data = self.bytes(length + 2).await?;
        ensure!(data.ends_with(b"\r\n"), "a chunk without its line end");
        data.truncate(length);
        Ok(data)
    }

    /// Reads on until `text` has come, and behind it.
    pub async fn until(&mut self, text: &str) -> Result<()> {
        loop {
            if let Some(at) = self.ahead.windows(text.len()).position(|bytes| bytes == text.as_bytes()) {
                self.ahead.drain(..at + text.len());
                return Ok(());
            }
            ensure!(self.more().await? > 0, "closed before {text:?}");
        }
    }

    /// Whatever comes until the server closes.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        while self.more().await? > 0 {}
        Ok(std::mem::take(&mut self.ahead))
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let chunk = self.chunk().await?;
            if chunk.is_empty() {
                return Ok(whole);
            }
            whole.extend(chunk);
        }
    }

    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(at) = self.ahead.iter().position(|byte| *byte == b'\n') {
                return Ok(String::from_utf8(self.ahead.drain(..=at).collect())?);
            }
            ensure!(self.more().await? > 0, "closed inside a line");
        }
    }

    async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.ahead.len() < count {
            ensure!(self.more().await? > 0, "closed {} bytes early", count - self.ahead.len());
        }
        Ok(self.ahead.drain(..count).collect())
    }

    async fn more(&mut self) -> Result<usize> {
        let mut bytes = [0; 4096];
        let read =
            timeout(PATIENCE, self.stream.read(&mut bytes)).await.context("the server is silent")??;
        self.ahead.extend_from_slice(&bytes[..read]);
        Ok(read)
    }
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }
}

pub const PATIENCE: Duration = Duration::from_secs(10);
/// MPEG-1 layer III frames at 128 kbit/s and 44.1 kHz, silent.
pub fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0x64];
    frame.resize(417, 0);
    frame.repeat(frames)
}
