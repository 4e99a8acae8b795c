//! `levada bench listen`: many listeners on one mount, every byte checked.

use super::{
    Kind,
    icy::Icy,
    process::{self, Snapshot},
    record::{Follower, Shape},
    resolve,
    samples::{Percentiles, Samples},
    target,
};
use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde::Serialize;
use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};
use url::Url;

/// Many listeners on one mount.
#[derive(Debug, clap::Args)]
pub struct Listen {
    /// The mount: http://127.0.0.1:8000/bench.mp3
    pub url: Url,
    /// How many listeners
    #[arg(short, long, default_value_t = 1000)]
    pub n: usize,
    /// Connects a second; 0 is all at once
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Seconds to wait between the last connect and measuring
    #[arg(long, default_value_t = 3.0)]
    pub settle: f64,
    /// Seconds to measure
    #[arg(long, default_value_t = 8.0)]
    pub secs: f64,
    /// Give up connecting after so many seconds
    #[arg(long, default_value_t = 60.0)]
    pub ramp_max: f64,
    /// Share of listeners that ask for titles, in percent
    #[arg(long, default_value_t = 50)]
    pub icy_pct: usize,
    /// Bit rate of the stream, if `levada bench source` makes it
    #[arg(long, default_value_t = 128)]
    pub kbps: u32,
    /// What the stream looks like
    #[arg(long, value_enum, default_value = "mp3")]
    pub kind: Kind,
    /// Measure what this process of the same machine costs: the server's
    #[arg(long)]
    pub pid: Option<u32>,
    /// A table for people instead of JSON
    #[arg(long)]
    pub table: bool,
}

/// What was seen.
#[derive(Debug, Default, Serialize)]
struct Seen {
    asked: usize,
    alive: usize,
    refused: usize,
    ended: usize,
    connect_s: f64,
    connects_per_s: f64,
    first_byte: Percentiles,
    delay: Percentiles,
    /// Whether the stream is one that can be checked.
    checked: bool,
    in_step: usize,
    breaks: u64,
    bytes: u64,
    mbit_s: f64,
    mean_read: f64,
    /// The slowest listener's rate over the stream's.
    slowest: f64,
    own_cpu_s: f64,
    server: Option<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    cpu_s: f64,
    cpu_s_per_gb: f64,
    cpu_us_per_listener_s: f64,
    rss_kib_per_listener: f64,
    rss_kib: u64,
    threads: usize,
}

struct Client {
    socket: TcpStream,
    began: Instant,
    phase: Phase,
    icy: Icy,
    follower: Follower,
    heard: bool,
    measured: u64,
}

enum Phase {
    Connecting,
    Head(Vec<u8>),
    Body,
    Over,
}

struct Load<'a> {
    args: &'a Listen,
    address: SocketAddr,
    requests: [String; 2],
    shape: Shape,
    poll: Poll,
    clients: Vec<Client>,
    first_byte: Samples,
    delay: Samples,
    seen: Seen,
    got_first: usize,
    measuring: bool,
    reads: u64,
    buffer: Vec<u8>,
}

impl Listen {
    pub(super) fn run(self) -> Result<()> {
        let seen = Load::new(&self)?.run()?;
        if self.table {
            print!("{}", table(&seen));
        } else {
            println!("{}", serde_json::to_string(&seen)?);
        }
        ensure!(seen.alive > 0, "no listener got anything");
        ensure!(seen.breaks == 0, "{} breaks in the sequence", seen.breaks);
        Ok(())
    }
}

impl<'a> Load<'a> {
    fn new(args: &'a Listen) -> Result<Load<'a>> {
        let target = target(&args.url);
        let host = args.url.host_str().unwrap_or_default();
        let request = |extra: &str| {
            format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: levada-bench\r\n{extra}Connection: close\r\n\r\n"
            )
        };
        Ok(Load {
            args,
            address: resolve(&args.url)?,
            requests: [request(""), request("Icy-MetaData: 1\r\n")],
            shape: args.kind.shape(args.kbps)?,
            poll: Poll::new()?,
            clients: Vec::with_capacity(args.n),
            first_byte: Samples::default(),
            delay: Samples::default(),
            seen: Seen { asked: args.n, ..Seen::default() },
            got_first: 0,
            measuring: false,
            reads: 0,
            buffer: vec![0; 256 * 1024],
        })
    }

    fn run(mut self) -> Result<Seen> {
        let idle = Snapshot::wanted(self.args.pid)?;
        let begun = Instant::now();
        self.connect_all(begun)?;
        self.seen.connect_s = begun.elapsed().as_secs_f64();
        self.seen.connects_per_s = self.got_first as f64 / self.seen.connect_s;
        self.pump_for(Duration::from_secs_f64(self.args.settle))?;
        let (before, own) = (Snapshot::wanted(self.args.pid)?, process::own_cpu());
        self.measuring = true;
        let measured = Instant::now();
        self.pump_for(Duration::from_secs_f64(self.args.secs))?;
        let elapsed = measured.elapsed().as_secs_f64();
        let after = Snapshot::wanted(self.args.pid)?;
        self.seen.own_cpu_s = (process::own_cpu() - own).as_secs_f64();
        self.sum_up(elapsed);
        self.seen.server = match (idle, before, after) {
            (Some(idle), Some(before), Some(after)) => {
                Some(self.server_cost(&idle, &before, &after, elapsed))
            }
            _ => None,
        };
        Ok(self.seen)
    }

    fn connect_all(&mut self, begun: Instant) -> Result<()> {
        let patience = Duration::from_secs_f64(self.args.ramp_max);
        while self.got_first + self.seen.ended + self.seen.refused < self.args.n && begun.elapsed() < patience
        {
            let due = match self.args.rate {
                rate if rate > 0.0 => (begun.elapsed().as_secs_f64() * rate) as usize + 1,
                _ => usize::MAX,
            };
            while self.clients.len() < self.args.n.min(due) {
                self.connect()?;
            }
            self.pump(Duration::from_millis(1))?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<()> {
        let number = self.clients.len();
        let mut socket =
            TcpStream::connect(self.address).context("cannot open another socket (see ulimit -n)")?;
        self.poll.registry().register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        self.clients.push(Client {
            socket,
            began: Instant::now(),
            phase: Phase::Connecting,
            icy: Icy::Without,
            follower: Follower::new(self.shape),
            heard: false,
            measured: 0,
        });
        Ok(())
    }

    fn pump_for(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.pump(left.min(Duration::from_millis(20)))?;
        }
        Ok(())
    }

    fn pump(&mut self, wait: Duration) -> Result<()> {
        let mut events = Events::with_capacity(4096);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(why) if why.kind() != ErrorKind::Interrupted => return Err(why.into()),
            _ => {}
        }
        for event in &events {
            self.serve(event.token().0);
        }
        Ok(())
    }

    fn serve(&mut self, number: usize) {
        if matches!(self.clients[number].phase, Phase::Connecting) && !self.ask(number) {
            return;
        }
        loop {
            let client = &mut self.clients[number];
            if matches!(client.phase, Phase::Over) {
                return;
            }
            match client.socket.read(&mut self.buffer) {
                Ok(0) => return self.over(number),
                Ok(got) => self.take(number, got),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.over(number),
            }
        }
    }

    /// Sends the request once the connection stands; false when it does not.
    fn ask(&mut self, number: usize) -> bool {
        let client = &mut self.clients[number];
        match client.socket.take_error() {
            Ok(None) if client.socket.peer_addr().is_ok() => {}
            Ok(None) => return false,
            _ => {
                self.over(number);
                return false;
            }
        }
        let icy = usize::from(number % 100 < self.args.icy_pct);
        if client.socket.write_all(self.requests[icy].as_bytes()).is_err() {
            self.over(number);
            return false;
        }
        client.phase = Phase::Head(Vec::new());
        true
    }

    fn over(&mut self, number: usize) {
        let client = &mut self.clients[number];
        match client.phase {
            Phase::Body => self.seen.ended += 1,
            Phase::Over => return,
            _ => self.seen.refused += 1,
        }
        client.phase = Phase::Over;
        let _closed = self.poll.registry().deregister(&mut client.socket);
    }

    fn take(&mut self, number: usize, got: usize) {
        let bytes = std::mem::take(&mut self.buffer);
        let refused = self.take_bytes(number, &bytes[..got]);
        self.buffer = bytes;
        if refused {
            self.over(number);
        }
    }

    /// True when the server's answer is a refusal.
    fn take_bytes(&mut self, number: usize, bytes: &[u8]) -> bool {
        let now = process::now();
        let client = &mut self.clients[number];
        let (follower, delay, measuring) = (&mut client.follower, &mut self.delay, self.measuring);
        let mut audio = |piece: &[u8]| {
            follower.push(piece, |made| {
                if measuring {
                    delay.add(now.saturating_sub(made));
                }
            });
        };
        match &mut client.phase {
            Phase::Head(head) => {
                head.extend_from_slice(bytes);
                let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) else {
                    return false;
                };
                let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
                if text.split_whitespace().nth(1) != Some("200") {
                    return true;
                }
                let metaint =
                    text.lines().find_map(|line| line.strip_prefix("icy-metaint:")?.trim().parse().ok());
                client.icy = Icy::every(metaint);
                let rest = head.split_off(end);
                client.icy.strip(&rest, &mut audio);
                client.phase = Phase::Body;
                self.hear(number, !rest.is_empty());
            }
            Phase::Body => {
                client.icy.strip(bytes, &mut audio);
                if measuring {
                    client.measured += bytes.len() as u64;
                    self.reads += 1;
                }
                self.hear(number, true);
            }
            _ => {}
        }
        false
    }

    /// Notes the first byte of a listener's stream.
    fn hear(&mut self, number: usize, something: bool) {
        let client = &mut self.clients[number];
        if something && !client.heard {
            client.heard = true;
            self.got_first += 1;
            self.first_byte.add(client.began.elapsed());
        }
    }

    fn sum_up(&mut self, elapsed: f64) {
        let nominal = f64::from(self.args.kbps) * 125.0 * elapsed;
        let here = || self.clients.iter().filter(|client| matches!(client.phase, Phase::Body));
        let seen = &mut self.seen;
        seen.alive = here().count();
        seen.in_step = here().filter(|client| client.follower.records > 0).count();
        seen.checked = here().any(|client| client.follower.is_ours());
        seen.breaks =
            if seen.checked { self.clients.iter().map(|client| client.follower.breaks).sum() } else { 0 };
        seen.bytes = self.clients.iter().map(|client| client.measured).sum();
        seen.slowest = here().map(|client| client.measured).min().unwrap_or_default() as f64 / nominal;
        seen.mbit_s = seen.bytes as f64 * 8e-6 / elapsed;
        seen.mean_read = seen.bytes as f64 / self.reads.max(1) as f64;
        seen.first_byte = self.first_byte.percentiles();
        seen.delay = self.delay.percentiles();
    }

    fn server_cost(&self, idle: &Snapshot, before: &Snapshot, after: &Snapshot, elapsed: f64) -> Server {
        let cpu_s = after.cpu_s - before.cpu_s;
        let listeners = self.seen.alive.max(1) as f64;
        Server {
            cpu_s,
            cpu_s_per_gb: cpu_s / (self.seen.bytes.max(1) as f64 / 1e9),
            cpu_us_per_listener_s: cpu_s * 1e6 / listeners / elapsed,
            rss_kib_per_listener: (after.rss_kib as f64 - idle.rss_kib as f64) / listeners,
            rss_kib: after.rss_kib,
            threads: after.threads,
        }
    }
}

fn table(seen: &Seen) -> String {
    let mut rows = vec![
        ("listeners", format!("{} of {}", seen.alive, seen.asked)),
        ("connects/s", format!("{:.0} (all in {:.2} s)", seen.connects_per_s, seen.connect_s)),
        ("first byte p50/p99", format!("{:.1} / {:.1} ms", seen.first_byte.p50_ms, seen.first_byte.p99_ms)),
        ("delay p50/p99", format!("{:.1} / {:.1} ms", seen.delay.p50_ms, seen.delay.p99_ms)),
        ("delivered", format!("{:.1} Mbit/s, slowest at {:.2} of the rate", seen.mbit_s, seen.slowest)),
        (
            "breaks",
            if seen.checked { seen.breaks.to_string() } else { "not checked: not a bench source".into() },
        ),
    ];
    if let Some(server) = &seen.server {
        rows.push((
            "server CPU",
            format!("{:.2} s/GB, {:.1} µs per listener·s", server.cpu_s_per_gb, server.cpu_us_per_listener_s),
        ));
        rows.push(("server memory", format!("{:.2} KiB per listener", server.rss_kib_per_listener)));
    }
    rows.iter().map(|(name, value)| format!("{name:>20}  {value}\n")).collect()
}
