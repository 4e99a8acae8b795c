//! How many datagrams a second a `World` delivers on one core.
//!
//! `cargo run --release -p levada-link --example world_speed [hosts …] [links …]`: each host sends a kilobyte to each of eight
//! neighbours in turn, one every ten milliseconds, and every datagram is passed on once, as a swarm's peers do. Rates
//! are per second of processor time where the system tells it (Linux), since machines have other work too.
#![allow(clippy::disallowed_methods)] // This measures the wall clock.

use bytes::Bytes;
use levada_link::world::{Access, HostId, World};
use levada_link::{Input, Machine, Output, Transmit};
use std::time::{Duration, Instant};

/// Sends on its own every [`PERIOD`], and passes on once what is new.
struct Peer {
    neighbours: [HostId; 8],
    turn: usize,
    next: Instant,
    chunk: Bytes,
    passed_on: Bytes,
    waiting: Option<Bytes>,
    got: u64,
}

impl Machine for Peer {
    type Event = ();

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { bytes, .. } => {
                self.got += 1;
                if bytes[0] == 1 {
                    self.waiting = Some(self.passed_on.clone());
                }
            }
            Input::Wake if now >= self.next => {
                self.next = now + PERIOD;
                self.waiting = Some(self.chunk.clone());
            }
            _ => {}
        }
    }

    fn poll(&mut self, _: Instant) -> Output<()> {
        let Some(bytes) = self.waiting.take() else { return Output::Wait(Some(self.next)) };
        self.turn = (self.turn + 1) % self.neighbours.len();
        Output::Send(Transmit::Datagram { to: self.neighbours[self.turn].address(), bytes })
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
            |n: usize| HostId(host.wrapping_mul(2_654_435_761).wrapping_add(n as u32 * 7_919 + 1) % hosts);
        let peer = Peer {
            neighbours: std::array::from_fn(neighbour),
            turn: 0,
            next: start + PERIOD * (host % 1_000) / 1_000,
            chunk: chunk.clone(),
            passed_on: passed_on.clone(),
            waiting: None,
            got: 0,
        };
        world.add(peer, &access).expect("a valid link");
    }
    // A second of virtual time to fill the links, then as many as make some millions of datagrams.
    world.run(Duration::from_secs(1), |_, _, ()| {});
    let (before, began) = (world.stats(), seconds_used(start));
    let seconds = (4_000_000 / (u64::from(hosts) * 200)).max(1);
    world.run(Duration::from_secs(1 + seconds), |_, _, ()| {});
    let (stats, took) = (world.stats(), seconds_used(start) - began);
    let delivered = stats.delivered - before.delivered;
    println!(
        "{hosts:>7} hosts, {name:<22} {:>6.2} M datagrams/s ({delivered} in {took:.2} s, {seconds} s of virtual time, {} under way, hash {:016x})",
        delivered as f64 / took / 1e6,
        stats.under_way,
        world.trace_hash(),
    );
}

/// Seconds of processor time that this process has used; else those that have passed since `start`.
fn seconds_used(start: Instant) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: Vec<f64> = stat.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    if ticks.len() == 2 { ticks.iter().sum::<f64>() / 100.0 } else { start.elapsed().as_secs_f64() }
}

/// The links that are tried: their name, up and down.
const LINKS: [[&str; 3]; 5] = [
    ["no links", "none", "none"],
    ["delay", "delay=20ms", "none"],
    ["rate and delay", "rate=20mbit delay=20ms", "none"],
    ["rate up and down", "rate=20mbit delay=20ms", "rate=50mbit delay=5ms"],
    ["jitter and loss", "rate=20mbit delay=20ms±5ms distribution=normal loss=1%", "none"],
];

fn main() {
    let (hosts, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.parse::<u32>().is_ok());
    let hosts: Vec<u32> = hosts.iter().filter_map(|hosts| hosts.parse().ok()).collect();
    for hosts in if hosts.is_empty() { vec![1_000, 10_000, 100_000] } else { hosts } {
        let wanted =
            |name: &str| names.is_empty() || names.iter().any(|wanted| name.contains(wanted.as_str()));
        for [name, up, down] in LINKS.iter().filter(|[name, ..]| wanted(name)) {
            measure(hosts, name, up, down);
        }
    }
}
