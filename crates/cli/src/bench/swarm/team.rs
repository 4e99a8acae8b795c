//! A native team in one process, with a real socket for each peer, and what it costs.

use super::{
    crowd::{Crowd, Sum},
    process,
};
use levada_link::{
    drive::Driver,
    quic::{Identity, Quic},
};
use levada_swarm::native::{Seal, Splitter, splitter};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// What team is measured, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Team {
    pub peers: usize,
    /// Bit rate of the stream.
    pub kbps: u32,
    /// Whether it encrypts.
    pub quic: bool,
    /// How long chunks wait for others to be signed together; as long as a splitter's do by default.
    pub group_time: Option<Duration>,
    /// Threads that share the peers; the splitter has one of its own.
    pub threads: usize,
    /// Joins a second.
    pub joins: u32,
    /// For how many seconds it is measured, once all have joined and three more have passed.
    pub secs: f64,
}

/// What was seen while it was measured, of all peers together unless it says otherwise.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seen {
    pub transport: &'static str,
    pub peers: usize,
    pub kbps: u32,
    pub group_ms: u64,
    pub secs: f64,
    /// Processor time of the whole process: peers, splitter, and what the kernel does for their sockets.
    pub cpu_s: f64,
    /// How many such peers fill a core.
    pub peers_per_core: f64,
    /// Chunks that a peer plays in a second, and those dealt meanwhile.
    pub played_per_peer_s: f64,
    pub dealt_per_s: f64,
    /// Chunks that did not come in time.
    pub lost: u64,
    /// Peers that played nothing.
    pub silent: usize,
    /// Chunks that were asked for, since they did not come.
    pub asked: u64,
    /// Signatures that a peer checks in a second.
    pub checked_per_peer_s: f64,
    /// Bytes that peers sent for each that they received.
    pub upload_ratio: f64,
    /// Datagrams that a peer sends in a second, of all kinds.
    pub datagrams_per_peer_s: f64,
    /// Datagrams that the system did not take.
    pub unsent: u64,
    /// Resident memory of the process in the end.
    pub rss_kib: u64,
}

impl Team {
    /// Lets all join, measures, and ends it.
    ///
    /// # Errors
    /// When there are not enough sockets, or no `/proc`.
    pub fn run(&self) -> io::Result<Seen> {
        if self.peers == 0 || self.threads == 0 || self.joins == 0 || self.kbps == 0 {
            return Err(io::Error::other("a team needs peers, threads, joins and a stream"));
        }
        let secs = Duration::try_from_secs_f64(self.secs).map_err(io::Error::other)?;
        let most = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: most.maximum, ..most })?;
        let splitter = self.splitter()?;
        let at = splitter.local_addr()?;
        let begun = Instant::now();
        let from = begun + self.per_join() * self.peers as u32 + SETTLES;
        let until = from + secs;
        let stop = &AtomicBool::new(false);
        thread::scope(|scope| {
            let dealing = scope.spawn(move || self.deal(splitter, from, until, stop));
            let start = |first: usize| {
                let joins = (first..self.peers).step_by(self.threads);
                let joins = joins.map(move |peer| begun + self.per_join() * peer as u32);
                scope.spawn(move || Crowd::new(at)?.play(joins, from, until))
            };
            let playing: Vec<_> = (0..self.threads).map(start).collect();
            thread::sleep(from.saturating_duration_since(Instant::now()));
            let before = process::own_cpu();
            thread::sleep(until.saturating_duration_since(Instant::now()));
            let cpu = process::own_cpu().saturating_sub(before);
            let rss_kib = process::Snapshot::of(std::process::id())?.rss_kib;
            let sums: Vec<_> = playing.into_iter().map(thread::ScopedJoinHandle::join).collect();
            stop.store(true, Relaxed);
            let dealt = dealing.join().map_err(|_| io::Error::other("the splitter's thread panicked"))??;
            let mut all = Sum::default();
            for sum in sums {
                all = all + sum.map_err(|_| io::Error::other("a thread of peers panicked"))??;
            }
            Ok(self.seen(all, dealt, cpu, rss_kib))
        })
    }

    fn seen(
        &self,
        Sum { stats, silent, sent, unsent, .. }: Sum,
        dealt: u64,
        cpu: Duration,
        rss_kib: u64,
    ) -> Seen {
        let peer_seconds = self.peers as f64 * self.secs;
        Seen {
            transport: if self.quic { "quic" } else { "plain" },
            peers: self.peers,
            kbps: self.kbps,
            group_ms: self.config(([127, 0, 0, 1], 0).into()).group_time.as_millis() as u64,
            secs: self.secs,
            cpu_s: cpu.as_secs_f64(),
            peers_per_core: peer_seconds / cpu.as_secs_f64(),
            played_per_peer_s: stats.played as f64 / peer_seconds,
            dealt_per_s: dealt as f64 / self.secs,
            lost: stats.lost,
            silent,
            asked: stats.asked,
            checked_per_peer_s: stats.checked as f64 / peer_seconds,
            upload_ratio: stats.sent_bytes as f64 / stats.received_bytes.max(1) as f64,
            datagrams_per_peer_s: sent as f64 / peer_seconds,
            unsent,
            rss_kib,
        }
    }

    fn per_join(&self) -> Duration {
        Duration::from_secs(1) / self.joins
    }

    fn config(&self, here: std::net::SocketAddr) -> splitter::Config {
        let defaults = splitter::Config::new(here, Seal::ed25519(&SECRET), SECRET);
        let group_time = self.group_time.unwrap_or(defaults.group_time);
        splitter::Config { encrypts: self.quic, group_time, ..defaults }
    }

    fn splitter(&self) -> io::Result<Driver<Quic<Splitter>>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let splitter = Splitter::new(Instant::now(), self.config(socket.local_addr()?));
        let identity = Identity::ed25519(&SECRET).map_err(io::Error::other)?;
        Ok(Driver::new(Quic::new(splitter, identity, None), socket))
    }

    /// Deals full chunks at the stream's rate until it is stopped; how many of them between the two times.
    fn deal(
        &self,
        mut driver: Driver<Quic<Splitter>>,
        from: Instant,
        until: Instant,
        stop: &AtomicBool,
    ) -> io::Result<u64> {
        let every = Duration::from_secs_f64(CHUNK as f64 / (f64::from(self.kbps) * 125.0));
        let (mut next, mut number, mut dealt) = (Instant::now(), 0u64, 0);
        let mut entry = next;
        while !stop.load(Relaxed) {
            let now = Instant::now();
            while next <= now {
                let mut chunk = [7; CHUNK];
                chunk[..8].copy_from_slice(&number.to_be_bytes());
                let enters = entry <= next;
                if enters {
                    entry += ENTRIES;
                }
                driver.machine().machine_mut().feed(now, enters, &chunk);
                dealt += u64::from(from <= next && next < until);
                (next, number) = (next + every, number + 1);
            }
            driver.turn(next.saturating_duration_since(now), |_| {})?;
        }
        Ok(dealt)
    }
}

/// What the splitter's key is made of: nobody is to be kept out here.
const SECRET: [u8; 32] = [5; 32];
/// How often a player may begin.
const ENTRIES: Duration = Duration::from_millis(500);
const SETTLES: Duration = Duration::from_secs(3);
/// Bytes of a chunk: as many as fit.
const CHUNK: usize = 1_200;
