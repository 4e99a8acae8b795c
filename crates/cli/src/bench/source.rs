//! `levada bench source`: one source at a constant rate.

use super::{Kind, process, resolve, target};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};
use url::Url;

/// One source at a constant rate.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// Where to, with user and password: http://source:pw@127.0.0.1:8000/bench.mp3
    pub url: Url,
    /// Bit rate of the stream
    #[arg(long, default_value_t = 128)]
    pub kbps: u32,
    /// What the stream looks like
    #[arg(long, value_enum, default_value = "mp3")]
    pub kind: Kind,
    /// Stop after so many seconds; default: when the server ends it
    #[arg(long)]
    pub secs: Option<f64>,
}

impl Source {
    pub(super) fn run(self) -> Result<()> {
        let shape = self.kind.shape(self.kbps)?;
        let mut socket = self.connect()?;
        let period = Duration::from_secs_f64(shape.size as f64 / (f64::from(self.kbps) * 125.0));
        let begun = Instant::now();
        let mut bytes = Vec::new();
        for number in 0u64.. {
            let due = begun + period.mul_f64(number as f64);
            if self.secs.is_some_and(|secs| due.duration_since(begun).as_secs_f64() > secs) {
                break;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
            bytes.clear();
            shape.put(&mut bytes, number, process::now());
            socket.write_all(&bytes).context("the server closed the stream")?;
        }
        Ok(())
    }

    fn connect(&self) -> Result<TcpStream> {
        let mut socket = TcpStream::connect(resolve(&self.url)?)?;
        socket.set_nodelay(true)?;
        let user = if self.url.username().is_empty() { "source" } else { self.url.username() };
        let login = STANDARD.encode(format!("{user}:{}", self.url.password().unwrap_or_default()));
        let request = format!(
            "SOURCE {} HTTP/1.0\r\nAuthorization: Basic {login}\r\nContent-Type: {}\r\nice-name: bench\r\n\
             ice-public: 0\r\nice-bitrate: {}\r\nUser-Agent: levada-bench\r\n\r\n",
            target(&self.url),
            self.kind.content_type(),
            self.kbps
        );
        socket.write_all(request.as_bytes())?;
        let mut answer = [0; 1024];
        let got = socket.read(&mut answer)?;
        let line = String::from_utf8_lossy(&answer[..got]).lines().next().unwrap_or_default().to_owned();
        ensure!(line.contains(" 200"), "the server refuses the source: {line}");
        Ok(socket)
    }
}
