//! How many datagrams a second a `World` delivers on one core.
//!
//! `cargo run --release -p levada-link --example world_speed [hosts …]`: each host sends a kilobyte to each of eight
//! neighbours in turn, one every ten milliseconds, and every datagram is passed on once, as a swarm's peers do.
#![allow(clippy::disallowed_methods)] // This measures the wall clock.

use bytes::Bytes;
use levada_link::world::{Access, HostId, World};
use levada_link::{Input, Machine, Output, Transmit};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sends on its own every [`PERIOD`], and passes on once what is new.
struct Peer {
    neighbours: Vec<SocketAddr>,
    turn: usize,
    next: Instant,
    chunk: Bytes,
    passed_on: Bytes,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    got: u64,
}

impl Peer {
    fn neighbour(&mut self) -> SocketAddr {
        self.turn = (self.turn + 1) % self.neighbours.len();
        self.neighbours[self.turn]
    }
}

impl Machine for Peer {
    type Event = ();

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { bytes, .. } => {
                self.got += 1;
                if bytes[0] == 1 {
                    let to = self.neighbour();
                    self.waiting.push_back((to, self.passed_on.clone()));
                }
            }
            Input::Wake if now >= self.next => {
                self.next = now + PERIOD;
                let to = self.neighbour();
                self.waiting.push_back((to, self.chunk.clone()));
            }
            _ => {}
        }
    }

    fn poll(&mut self, _: Instant) -> Output<()> {
        match self.waiting.pop_front() {
            Some((to, bytes)) => Output::Send(Transmit::Datagram { to, bytes }),
            None => Output::Wait(Some(self.next)),
        }
    }
}

const PERIOD: Duration = Duration::from_millis(10);

fn measure(hosts: u32, name: &str, up: &str, down: &str) {
    let start = Instant::now();
    let mut world = World::new(start, 1);
    let link = |text: &str| (text != "none").then(|| text.parse().expect("a link"));
    let access = Access { up: link(up), down: link(down) };
    let (chunk, passed_on) = (Bytes::from(vec![1; 1_024]), Bytes::from(vec![2; 1_024]));
    for host in 0..hosts {
        let neighbour =
            |n: u32| HostId(host.wrapping_mul(2_654_435_761).wrapping_add(n * 7_919 + 1) % hosts).address();
        let peer = Peer {
            neighbours: (0..8).map(neighbour).collect(),
            turn: 0,
            next: start + PERIOD * (host % 1_000) / 1_000,
            chunk: chunk.clone(),
            passed_on: passed_on.clone(),
            waiting: VecDeque::new(),
            got: 0,
        };
        world.add(peer, &access).expect("a valid link");
    }
    // A second of virtual time to fill the links, then as many as make some millions of datagrams.
    world.run(Duration::from_secs(1), |_, _, ()| {});
    let (before, began) = (world.stats(), Instant::now());
    let seconds = (4_000_000 / (u64::from(hosts) * 200)).max(1);
    world.run(Duration::from_secs(1 + seconds), |_, _, ()| {});
    let (stats, took) = (world.stats(), began.elapsed().as_secs_f64());
    let delivered = stats.delivered - before.delivered;
    println!(
        "{hosts:>7} hosts, {name:<22} {:>6.2} M datagrams/s ({delivered} in {took:.2} s, {seconds} s of virtual time, {} under way, hash {:016x})",
        delivered as f64 / took / 1e6,
        stats.under_way,
        world.trace_hash(),
    );
}

fn main() {
    let hosts: Vec<u32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let hosts = if hosts.is_empty() { vec![1_000, 10_000, 100_000] } else { hosts };
    for hosts in hosts {
        measure(hosts, "no links", "none", "none");
        measure(hosts, "delay", "delay=20ms", "none");
        measure(hosts, "rate and delay", "rate=20mbit delay=20ms", "none");
        measure(hosts, "rate up and down", "rate=20mbit delay=20ms", "rate=50mbit delay=5ms");
        measure(hosts, "jitter, loss", "rate=20mbit delay=20ms±5ms distribution=normal loss=1%", "none");
    }
}
