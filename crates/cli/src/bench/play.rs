//! `levada bench play`: many players of one stream, every picture looked at.

mod crowd;
mod hls;
mod seen;
mod viewer;

use super::{
    process::{self, Snapshot},
    samples::Samples,
};
use anyhow::{Context, Result, bail, ensure};
use levada_rtmp::Address;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use seen::{Seen, Watched, table};
use socket2::{Domain, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    time::{Duration, Instant},
};
use url::Url;
use viewer::{Diary, Reader};

/// Many players of one stream. What is published by `levada bench publish` can be checked picture by picture.
#[derive(Debug, clap::Args)]
pub struct Play {
    /// The stream: rtmp://127.0.0.1/live/bench, http://127.0.0.1:8000/live/bench.flv, …/live/bench/index.m3u8, or
    /// …/whep/live/bench
    pub url: Url,
    /// How many players
    #[arg(short, long, default_value_t = 500)]
    pub n: usize,
    /// Connects a second
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Seconds to wait between the last connect and measuring
    #[arg(long, default_value_t = 3.0)]
    pub settle: f64,
    /// Seconds to measure
    #[arg(long, default_value_t = 8.0)]
    pub secs: f64,
    /// Share of players that read slowly, in percent; their own frames and delays are not counted
    #[arg(long, default_value_t = 0)]
    pub slow_pct: usize,
    /// How fast those read
    #[arg(long, default_value_t = 256)]
    pub slow_kbps: u32,
    /// Measure what this process of the same machine costs: the server's
    #[arg(long)]
    pub pid: Option<u32>,
    /// A table for people instead of JSON
    #[arg(long)]
    pub table: bool,
}

struct Viewer {
    socket: TcpStream,
    reader: Reader,
    watched: Watched,
}

struct Load<'a> {
    args: &'a Play,
    address: SocketAddr,
    poll: Poll,
    viewers: Vec<Viewer>,
    delay: Samples,
    measuring: bool,
    reads: u64,
    buffer: Vec<u8>,
    sipped: Instant,
    why: Option<String>,
}

impl Play {
    pub(super) fn run(self) -> Result<()> {
        let seen = match crowd::Way::of(&self.url) {
            Some(way) => crowd::run(&self, way)?,
            None => Load::new(&self)?.run()?,
        };
        if self.table {
            print!("{}", table(&seen));
        } else {
            println!("{}", serde_json::to_string(&seen)?);
        }
        let why = seen.why.map(|why| format!(": {why}")).unwrap_or_default();
        ensure!(seen.alive > 0, "no player got anything{why}");
        Ok(())
    }
}

impl<'a> Load<'a> {
    fn new(args: &'a Play) -> Result<Load<'a>> {
        Ok(Load {
            args,
            address: resolve(&args.url)?,
            poll: Poll::new()?,
            viewers: Vec::with_capacity(args.n),
            delay: Samples::default(),
            measuring: false,
            reads: 0,
            buffer: vec![0; 256 * 1024],
            sipped: Instant::now(),
            why: None,
        })
    }

    fn run(mut self) -> Result<Seen> {
        let idle = Snapshot::wanted(self.args.pid)?;
        self.connect_all()?;
        self.pump_for(Duration::from_secs_f64(self.args.settle))?;
        let (before, own) = (Snapshot::wanted(self.args.pid)?, process::own_cpu());
        self.viewers.iter_mut().for_each(|Viewer { watched, .. }| watched.before = watched.diary.clone());
        self.measuring = true;
        let measured = Instant::now();
        self.pump_for(Duration::from_secs_f64(self.args.secs))?;
        let elapsed = measured.elapsed().as_secs_f64();
        let after = Snapshot::wanted(self.args.pid)?;
        let players = self.viewers.iter().map(|viewer| &viewer.watched);
        let mut seen = Seen::of(self.args, players, self.delay, elapsed, self.reads);
        seen.why = self.why;
        seen.own_cpu_s = (process::own_cpu() - own).as_secs_f64();
        seen.cost([idle, before, after]);
        Ok(seen)
    }

    fn connect_all(&mut self) -> Result<()> {
        let begun = Instant::now();
        while self.viewers.len() < self.args.n {
            let due = (begun.elapsed().as_secs_f64() * self.args.rate) as usize + 1;
            while self.viewers.len() < self.args.n.min(due) {
                self.connect()?;
            }
            self.pump(Duration::from_millis(1))?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<()> {
        let number = self.viewers.len();
        let slow = number % 100 < self.args.slow_pct;
        let (reader, hello) = Reader::new(&self.args.url, number as u64)?;
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)
            .context("cannot open another socket (see ulimit -n)")?;
        if slow {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        socket.set_tcp_nodelay(true)?;
        let diary = Diary::begun(process::now());
        socket.connect(&self.address.into()).context("cannot connect")?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket.into());
        if !slow {
            self.poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
        }
        socket.write_all(&hello)?;
        let watched = Watched { diary, slow, ..Watched::default() };
        self.viewers.push(Viewer { socket, reader, watched });
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
        let mut events = Events::with_capacity(1024);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(why) if why.kind() != ErrorKind::Interrupted => return Err(why.into()),
            _ => {}
        }
        for event in &events {
            while self.read(event.token().0, usize::MAX) {}
        }
        self.sip();
        Ok(())
    }

    /// The slow ones take what their rate allows.
    fn sip(&mut self) {
        let time = self.sipped.elapsed();
        if self.args.slow_pct == 0 || time < SIP {
            return;
        }
        self.sipped = Instant::now();
        let most = (f64::from(self.args.slow_kbps) * 125.0 * time.as_secs_f64()) as usize;
        for number in 0..self.viewers.len() {
            // until it is let in nobody is slow
            let watched = &self.viewers[number].watched;
            let most = if watched.diary.first.is_some() { most } else { usize::MAX };
            if watched.slow {
                self.read(number, most);
            }
        }
    }

    /// Reads once; whether there may be more.
    fn read(&mut self, number: usize, most: usize) -> bool {
        let viewer = &mut self.viewers[number];
        if viewer.watched.over {
            return false;
        }
        let most = most.min(self.buffer.len());
        match viewer.socket.read(&mut self.buffer[..most]) {
            Ok(0) => self.over(number, "the server closed the connection".into()),
            Ok(got) => return self.take(number, got),
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(why) if why.kind() == ErrorKind::Interrupted => return true,
            Err(why) => self.over(number, why.to_string()),
        }
        false
    }

    fn take(&mut self, number: usize, got: usize) -> bool {
        let viewer = &mut self.viewers[number];
        let (diary, delay) = (&mut viewer.watched.diary, &mut self.delay);
        let counts = self.measuring && !viewer.watched.slow;
        let answer = viewer.reader.take(&self.buffer[..got], |kind, timestamp, payload| {
            let late = diary.note(kind, timestamp, payload);
            if let Some(late) = late.filter(|_| counts) {
                delay.add(late);
            }
        });
        if self.measuring {
            viewer.watched.measured += got as u64;
            self.reads += 1;
        }
        // answers are a few bytes; a socket that does not take them is one that is over
        match answer {
            Ok(answer) if answer.is_empty() || viewer.socket.write_all(&answer).is_ok() => return true,
            Ok(_) => self.over(number, "an answer was not taken".into()),
            Err(why) => self.over(number, why),
        }
        false
    }

    fn over(&mut self, number: usize, why: String) {
        let viewer = &mut self.viewers[number];
        viewer.watched.over = true;
        let _closed = self.poll.registry().deregister(&mut viewer.socket);
        self.why.get_or_insert(why);
    }
}

/// Where an address leads.
fn resolve(url: &Url) -> Result<SocketAddr> {
    match url.scheme() {
        "rtmp" => {
            let address: Address = url.as_str().parse()?;
            let found = (address.host.as_str(), address.port).to_socket_addrs()?.next();
            found.with_context(|| format!("{} has no address", address.host))
        }
        "http" => super::resolve(url),
        other => bail!("the load tester plays rtmp and http, not {other}"),
    }
}

/// What the kernel may hold for a slow player.
const SLOW_BUFFER: usize = 32 * 1024;
/// How often the slow ones read.
const SIP: Duration = Duration::from_millis(50);
