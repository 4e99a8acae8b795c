//! `levada bench play`: many players of one stream, every picture looked at.

mod viewer;

use super::{
    process::{self, Snapshot},
    samples::{Percentiles, Samples},
};
use anyhow::{Context, Result, bail, ensure};
use levada_rtmp::Address;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde::Serialize;
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
    /// The stream: rtmp://127.0.0.1/live/bench or http://127.0.0.1:8000/live/bench.flv
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

/// What was seen.
#[derive(Debug, Default, Serialize)]
struct Seen {
    asked: usize,
    alive: usize,
    slow: usize,
    /// Connections that ended before the first picture, and after it; the slow ones apart.
    refused: usize,
    ended: usize,
    slow_ended: usize,
    first_media: Percentiles,
    join: Percentiles,
    behind: Percentiles,
    delay: Percentiles,
    frames: u64,
    lost: u64,
    backwards: u64,
    /// Pictures without a mark; if there are any, the stream is not ours and lost ones cannot be told.
    bare: u64,
    bytes: u64,
    mbit_s: f64,
    mean_read: f64,
    own_cpu_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    server: Option<Cost>,
}

#[derive(Debug, Serialize)]
struct Cost {
    cpu_s: f64,
    cpu_s_per_gb: f64,
    rss_kib_per_player: f64,
    rss_kib: u64,
    threads: usize,
}

struct Viewer {
    socket: TcpStream,
    reader: Reader,
    hello: Vec<u8>,
    diary: Diary,
    slow: bool,
    over: bool,
    measured: u64,
    /// The diary when measuring began.
    before: Diary,
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
        let seen = Load::new(&self)?.run()?;
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
        let idle = self.server()?;
        self.connect_all()?;
        self.pump_for(Duration::from_secs_f64(self.args.settle))?;
        let (before, own) = (self.server()?, process::own_cpu());
        self.viewers.iter_mut().for_each(|viewer| viewer.before = viewer.diary.clone());
        self.measuring = true;
        let measured = Instant::now();
        self.pump_for(Duration::from_secs_f64(self.args.secs))?;
        let elapsed = measured.elapsed().as_secs_f64();
        let after = self.server()?;
        let mut seen = self.sum_up(elapsed);
        seen.own_cpu_s = (process::own_cpu() - own).as_secs_f64();
        if let (Some(idle), Some(before), Some(after)) = (idle, before, after) {
            let cpu_s = after.cpu_s - before.cpu_s;
            seen.server = Some(Cost {
                cpu_s,
                cpu_s_per_gb: cpu_s / (seen.bytes.max(1) as f64 / 1e9),
                rss_kib_per_player: (after.rss_kib as f64 - idle.rss_kib as f64) / self.args.n.max(1) as f64,
                rss_kib: after.rss_kib,
                threads: after.threads,
            });
        }
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
        let mut viewer =
            Viewer { socket, reader, hello, diary, slow, over: false, measured: 0, before: Diary::default() };
        let hello = std::mem::take(&mut viewer.hello);
        viewer.socket.write_all(&hello)?;
        self.viewers.push(viewer);
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
            let viewer = &self.viewers[number];
            let most = if viewer.diary.first.is_some() { most } else { usize::MAX };
            if viewer.slow {
                self.read(number, most);
            }
        }
    }

    /// Reads once; whether there may be more.
    fn read(&mut self, number: usize, most: usize) -> bool {
        let viewer = &mut self.viewers[number];
        if viewer.over {
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
        let (diary, delay) = (&mut viewer.diary, &mut self.delay);
        let counts = self.measuring && !viewer.slow;
        let answer = viewer.reader.take(&self.buffer[..got], |kind, timestamp, payload| {
            let late = diary.note(kind, timestamp, payload);
            if let Some(late) = late.filter(|_| counts) {
                delay.add(late);
            }
        });
        if self.measuring {
            viewer.measured += got as u64;
            self.reads += 1;
        }
        // answers are a few bytes; a socket that does not take them is one that is over
        match answer.map_err(|why| (why, viewer.slow)) {
            Ok(answer) if answer.is_empty() || viewer.socket.write_all(&answer).is_ok() => return true,
            Ok(_) => self.over(number, "an answer was not taken".into()),
            Err((why, _)) => self.over(number, why),
        }
        false
    }

    fn over(&mut self, number: usize, why: String) {
        let viewer = &mut self.viewers[number];
        viewer.over = true;
        let _closed = self.poll.registry().deregister(&mut viewer.socket);
        self.why.get_or_insert(why);
    }

    fn sum_up(&mut self, elapsed: f64) -> Seen {
        let (mut first, mut join, mut behind) = (Samples::default(), Samples::default(), Samples::default());
        let mut seen = Seen { asked: self.args.n, ..Seen::default() };
        for viewer in &self.viewers {
            let Viewer { diary, before, .. } = viewer;
            seen.bytes += viewer.measured;
            seen.backwards += diary.backwards;
            if viewer.slow {
                seen.slow += 1;
                seen.slow_ended += usize::from(viewer.over);
                continue;
            }
            match (viewer.over, diary.frames) {
                (true, 0) => seen.refused += 1,
                (true, _) => seen.ended += 1,
                (false, frames) => seen.alive += usize::from(frames > 0),
            }
            first.extend(diary.first.map(|at| at - diary.began));
            join.extend(diary.key.map(|at| at - diary.began));
            behind.extend(diary.behind);
            seen.frames += diary.frames - before.frames;
            seen.lost += diary.lost;
            seen.bare += diary.bare;
        }
        seen.mbit_s = seen.bytes as f64 * 8e-6 / elapsed;
        seen.mean_read = seen.bytes as f64 / self.reads.max(1) as f64;
        seen.first_media = first.percentiles();
        seen.join = join.percentiles();
        seen.behind = behind.percentiles();
        seen.delay = self.delay.percentiles();
        seen.why = self.why.take();
        seen
    }

    fn server(&self) -> Result<Option<Snapshot>> {
        let snapshot =
            |pid| Snapshot::of(pid).with_context(|| format!("cannot read what process {pid} costs"));
        self.args.pid.map(snapshot).transpose()
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

fn table(seen: &Seen) -> String {
    let two = |times: &Percentiles| format!("{:.2} / {:.2} ms", times.p50_ms, times.p99_ms);
    let mut rows = vec![
        ("players", format!("{} of {}", seen.alive, seen.asked - seen.slow)),
        ("join to key p50/p99", two(&seen.join)),
        ("behind live after 1 s", two(&seen.behind)),
        ("frame delay p50/p99", two(&seen.delay)),
        ("frames", format!("{}, lost {}, times backwards {}", seen.frames, seen.lost, seen.backwards)),
        ("delivered", format!("{:.1} Mbit/s, {:.0} bytes a read", seen.mbit_s, seen.mean_read)),
    ];
    if seen.slow > 0 {
        rows.push(("slow players", format!("{}, of which {} were ended", seen.slow, seen.slow_ended)));
    }
    if let Some(server) = &seen.server {
        rows.push(("server CPU", format!("{:.3} s/GB", server.cpu_s_per_gb)));
        rows.push(("server memory", format!("{:.2} KiB per player", server.rss_kib_per_player)));
    }
    rows.iter().map(|(name, value)| format!("{name:>22}  {value}\n")).collect()
}

/// What the kernel may hold for a slow player.
const SLOW_BUFFER: usize = 32 * 1024;
/// How often the slow ones read.
const SIP: Duration = Duration::from_millis(50);
