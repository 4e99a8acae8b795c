//! `levada bench limit`: a bare writer, the least that sending these bytes can cost on this machine.

use super::{Kind, process};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// A bare writer of the same bytes to as many sockets.
#[derive(Debug, clap::Args)]
pub struct Limit {
    /// Where to wait for the listeners
    #[arg(long, default_value = "127.0.0.1:9100")]
    pub listen: SocketAddr,
    /// Begin to measure when so many are here
    #[arg(short, long, default_value_t = 1000)]
    pub n: usize,
    /// Bytes of one write
    #[arg(long, default_value_t = 16_384)]
    pub chunk: usize,
    /// Bit rate of the stream
    #[arg(long, default_value_t = 128)]
    pub kbps: u32,
    /// What the stream looks like
    #[arg(long, value_enum, default_value = "mp3")]
    pub kind: Kind,
    /// Measure for so many seconds
    #[arg(long, default_value_t = 10.0)]
    pub secs: f64,
}

#[derive(Debug, Default, Serialize)]
struct Seen {
    listeners: usize,
    writes: u64,
    bytes: u64,
    blocked: u64,
    mean_write: f64,
    cpu_s: f64,
    cpu_s_per_gb: f64,
}

impl Limit {
    pub(super) fn run(self) -> Result<()> {
        let mut sockets = self.gather()?;
        let shape = self.kind.shape(self.kbps)?;
        let period = Duration::from_secs_f64(self.chunk as f64 / (f64::from(self.kbps) * 125.0));
        let (mut seen, mut number, mut stream) = (Seen::default(), 0, Vec::new());
        let (begun, cpu) = (Instant::now(), process::own_cpu());
        for round in 1u32.. {
            while stream.len() < self.chunk {
                shape.put(&mut stream, number, process::now());
                number += 1;
            }
            for socket in &mut sockets {
                write(socket, &stream[..self.chunk], &mut seen);
            }
            stream.drain(..self.chunk);
            if begun.elapsed().as_secs_f64() > self.secs {
                break;
            }
            thread::sleep((begun + period * round).saturating_duration_since(Instant::now()));
        }
        seen.listeners = sockets.len();
        seen.mean_write = seen.bytes as f64 / seen.writes.max(1) as f64;
        seen.cpu_s = (process::own_cpu() - cpu).as_secs_f64();
        seen.cpu_s_per_gb = seen.cpu_s / (seen.bytes as f64 / 1e9);
        println!("{}", serde_json::to_string(&seen)?);
        Ok(())
    }

    /// Waits for all listeners and answers each request with the same head.
    fn gather(&self) -> Result<Vec<TcpStream>> {
        let listener =
            TcpListener::bind(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        let mut sockets = Vec::with_capacity(self.n);
        let mut request = [0; 4096];
        while sockets.len() < self.n {
            let (mut socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            ensure!(socket.read(&mut request)? > 0, "a listener left without a request");
            socket.write_all(HEAD.as_bytes())?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        Ok(sockets)
    }
}

fn write(socket: &mut TcpStream, bytes: &[u8], seen: &mut Seen) {
    match socket.write(bytes) {
        Ok(took) => {
            seen.writes += 1;
            seen.bytes += took as u64;
        }
        Err(why) if why.kind() == ErrorKind::WouldBlock => seen.blocked += 1,
        Err(_) => {}
    }
}

const HEAD: &str = "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: Close\r\n\r\n";
