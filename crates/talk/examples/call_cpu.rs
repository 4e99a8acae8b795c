//! What calls cost beside bare loops over the same sockets and datagrams, in processor time of one thread.
//!
//! ```text
//! call_cpu hostile [COUNT]     a call that random and mutated datagrams come to, beside a loop that receives them in batches and looks at none
//! call_cpu minimal [SECONDS]   `--compat minimal`, beside a loop that sends and receives the same datagrams
//! ```
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // it measures sockets and clocks

use bytes::Bytes;
use levada_codec::compat::{self as codec, Layer};
use levada_codec::packet::Codec;
use levada_link::drive::Driver;
use levada_link::{Input, Machine, Output, Transmit};
use levada_talk::compat::{self, CompatCall};
use levada_talk::native::{Config, NativeCall};
use levada_talk::secure::{self, Identity, Secret};
use levada_talk::{Paced, Sound};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use rustix::time::{ClockId, clock_gettime};
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Quiet devices that are always there.
struct Quiet;

impl Sound for Quiet {
    fn waiting(&self) -> Option<usize> {
        None
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        block.iter_mut().enumerate().for_each(|(n, x)| *x = (n as i16).wrapping_mul(31));
        true
    }

    fn play(&mut self, _: &[i16]) {}
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ self.0 >> 29) >> 8
    }
}

/// Seconds of processor time, user's and system's, of this thread.
fn used() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 * 1e-9
}

fn main() {
    let mut typed = std::env::args().skip(1);
    let what = typed.next().unwrap_or_default();
    let count = typed.next().and_then(|count| count.parse::<f64>().ok());
    match what.as_str() {
        "hostile" => hostile(count.unwrap_or(1e6) as u64),
        "minimal" => minimal(count.unwrap_or(20.0)),
        _ => eprintln!("call_cpu hostile [COUNT] | minimal [SECONDS]"),
    }
}

type End = Paced<NativeCall, Quiet>;

/// Two ends that talk, until `until`; what the second was sent.
fn talk(first: SocketAddr, second: SocketAddr, began: Instant, until: Instant) -> (End, Vec<Bytes>) {
    let config = |peer, seed| {
        let identity = Identity::new([seed; 32]);
        let secret = Secret::none();
        let secure = secure::Config { peer: Some(peer), secret, identity, known: None, hello: [1, 0, 0, 0] };
        let mut config = Config::new(secure);
        (config.rendition.codec, config.most) = (Codec::Pcm, 2_000_000);
        config
    };
    let end = |peer, seed| Paced::new(NativeCall::new(config(peer, seed), [seed; 32]).unwrap(), Quiet);
    let mut ends = [end(second, 1), end(first, 2)];
    let (mut now, mut seen) = (began, Vec::new());
    while now < until {
        for n in [0, 1] {
            ends[n].handle(now, Input::Wake);
            while let Output::Send(Transmit::Datagram { bytes, .. }) = ends[n].poll(now) {
                if n == 0 {
                    seen.push(bytes.clone());
                }
                ends[1 - n].handle(now, Input::Datagram { from: [first, second][n], bytes });
            }
        }
        now += Duration::from_millis(1);
    }
    let [_, end] = ends;
    (end, seen)
}

/// Datagrams that are none, and some that nearly are.
fn bad(seen: &[Bytes]) -> Vec<Vec<u8>> {
    let mut dice = Dice(1);
    let made = |n: usize| {
        if n.is_multiple_of(2) {
            let length = dice.roll() as usize % 1_400;
            let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll() as u8).collect();
            if let Some(first) = bytes.first_mut() {
                *first = [*first, 1, 2, 3, 4, 5, 6, 128, 129, 130][n / 2 % 10];
            }
            return bytes;
        }
        let mut bytes = seen[dice.roll() as usize % seen.len()].to_vec();
        for _ in 0..1 + dice.roll() % 3 {
            let at = dice.roll() as usize % bytes.len();
            bytes[at] ^= 1 << (dice.roll() % 8);
        }
        bytes
    };
    (0..20_000).map(made).collect()
}

/// Sends so many of these to `to`, at most 48 ahead of whoever receives.
fn sender(bad: &[Vec<u8>], to: SocketAddr, count: u64, received: &AtomicU64, stop: &AtomicBool) {
    let sockets: Vec<UdpSocket> = (0..8).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for n in 0..count {
        let _full = sockets[n as usize % 8].send_to(&bad[n as usize % bad.len()], to);
        while n >= received.load(Relaxed) + 48 {
            if stop.load(Relaxed) {
                return;
            }
            std::thread::yield_now();
        }
    }
}

fn hostile(count: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(1_500));
    let (end, seen) = talk(SocketAddr::from(([127, 0, 0, 1], 9)), address, began, Instant::now());
    let bad = bad(&seen);
    let mut best = [f64::MAX; 2];
    let mut driver = Driver::new(end, socket);
    // in turns, and the best of three each: others use this machine
    for _ in 0..3 {
        let share = count / 3;
        let (received, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| sender(&bad, address, share, &received, &stop));
            let before = (used(), driver.stats().received);
            while driver.stats().received - before.1 < share {
                driver.turn(Duration::from_millis(50), |_| ()).unwrap();
                received.store(driver.stats().received - before.1, Relaxed);
            }
            best[0] = best[0].min((used() - before.0) / share as f64);
        });
        let bare = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = bare.local_addr().unwrap();
        let received = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| sender(&bad, to, share, &received, &stop));
            let before = used();
            receive(&bare, share, &received);
            best[1] = best[1].min((used() - before) / share as f64);
        });
    }
    let stats = driver.machine().look().stats();
    println!(
        "{count} datagrams, of which {} were refused; heard {} frames",
        stats.refused, stats.frames.heard
    );
    println!("the call {:.3} µs each, a bare batched loop {:.3} µs", 1e6 * best[0], 1e6 * best[1]);
    println!("ratio={:.3}", best[0] / best[1]);
}

/// Receives so many in batches of 64 and looks at none.
fn receive(socket: &UdpSocket, count: u64, received: &AtomicU64) {
    let mut buffers = vec![0_u8; 64 * 2_048];
    let mut all = 0;
    while all < count {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(64, None);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.chunks_exact_mut(2_048).map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let flags = MsgFlags::MSG_WAITFORONE;
        all += recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None).unwrap().count()
            as u64;
        received.store(all, Relaxed);
    }
}

/// Answers nothing, sends a block whenever one is due.
fn bare_call(socket: &UdpSocket, peer: SocketAddr, period: Duration, until: Instant) -> (u64, u64) {
    let (block, mut buffer) = (vec![7_u8; 4_096], vec![0; 65_536]);
    let (mut due, mut sent, mut received) = (Instant::now() + period, 0, 0);
    while Instant::now() < until {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            due += period;
            sent += u64::from(socket.send_to(&block, peer).is_ok());
            continue;
        }
        socket.set_read_timeout(Some(left.max(Duration::from_micros(1)))).unwrap();
        received += u64::from(socket.recv_from(&mut buffer).is_ok());
    }
    (sent, received)
}

fn minimal(seconds: f64) {
    let time = Duration::from_secs_f64(seconds);
    // all at once, so that all have the same machine; each pair calls each other
    let call = || {
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let addresses = [0, 1].map(|n| sockets[n].local_addr().unwrap());
        (sockets, addresses)
    };
    let period = Duration::from_nanos(1_024 * 1_000_000_000 / 44_100);
    let (sockets, addresses) = call();
    let ours = sockets.into_iter().enumerate().map(|(n, socket)| {
        let config = compat::Config::new(codec::Config::new(Layer::Minimal), addresses[1 - n]);
        std::thread::spawn(move || {
            let mut driver = Driver::new(Paced::new(CompatCall::new(config).unwrap(), Quiet), socket);
            let (until, before) = (Instant::now() + time, used());
            while Instant::now() < until {
                driver.turn(Duration::from_millis(50), |_| ()).unwrap();
            }
            (used() - before, driver.stats().sent, driver.stats().received)
        })
    });
    let ours: Vec<_> = ours.collect();
    let (sockets, addresses) = call();
    let bare = sockets.into_iter().enumerate().map(|(n, socket)| {
        std::thread::spawn(move || {
            let (until, before) = (Instant::now() + time, used());
            let (sent, received) = bare_call(&socket, addresses[1 - n], period, until);
            (used() - before, sent, received)
        })
    });
    let bare: Vec<_> = bare.collect();
    let ends = |threads: Vec<std::thread::JoinHandle<(f64, u64, u64)>>| {
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold((0.0, 0, 0), |all, one| (all.0 + one.0, all.1 + one.1, all.2 + one.2))
    };
    let (ours, bare) = (ends(ours), ends(bare));
    for (name, (used, sent, received)) in [("minimal", ours), ("bare", bare)] {
        println!("{name}: {:.3} % of a core an end, {sent} sent, {received} received", 50.0 * used / seconds);
    }
    let each = |(used, sent, received): (f64, u64, u64)| used / (sent + received) as f64;
    println!("ratio={:.3}", each(ours) / each(bare));
}
