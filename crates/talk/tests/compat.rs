//! Calls with the seminar's layers in a world: clean, with its jitter, on its limited link, and on bad days.
#![allow(clippy::unwrap_used)] // a test may fail so

mod kit;

use bytes::Bytes;
use kit::{Desk, access, delay, ends, secs};
use levada_codec::compat::{self as codec, Layer};
use levada_link::world::{Access, HostId, World};
use levada_link::{Input, Machine, Output, Transmit};
use levada_talk::{Paced, compat::CompatCall, compat::Config};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

type End = Paced<CompatCall, Desk>;

fn end(layer: Layer, peer: SocketAddr, change: impl Fn(&mut Config)) -> End {
    let mut config = Config::new(codec::Config::new(layer), peer);
    change(&mut config);
    Paced::new(CompatCall::new(config).unwrap(), Desk::default())
}

/// Two ends over a link, for so long.
fn call(layer: Layer, link: &str, seconds: f64, change: impl Fn(&mut Config)) -> World<End> {
    let (first, second) = ends();
    let mut world = kit::world(7);
    world.add(end(layer, second, &change), &access(link)).unwrap();
    world.add(end(layer, first, &change), &Access::default()).unwrap();
    world.run(secs(seconds), |_, _, _| {});
    world
}

fn heard(world: &World<End>, host: u32) -> Vec<i16> {
    let mut heard = Vec::new();
    let machine = world.machine(HostId(host)).unwrap();
    heard.extend_from_slice(&machine.devices().heard);
    heard
}

fn stats(world: &World<End>, host: u32) -> levada_talk::compat::Stats {
    kit::look(world, host).stats()
}

#[test]
fn every_layer_carries_sound_both_ways_over_a_clean_link() {
    for layer in Layer::all() {
        let world = call(layer, "delay=3ms", 1.5, |config| config.q = 64);
        for host in [0, 1] {
            let heard = heard(&world, host);
            let (frames, snr) = delay(&heard, 45_056, 8_192, 12 * 1024, 1024);
            // 150 ms are 7 blocks; what is sent when a block is full is played with the next
            let blocks = frames / 1024;
            let expected = match () {
                () if layer.is_overlapped() => 10,
                () if layer.is_numbered() => 8,
                () => 1,
            };
            assert_eq!(blocks, expected, "{layer}: {snr:.1} dB");
            assert!(snr > if layer.is_quantized() { 28.0 } else { 98.0 }, "{layer}: {snr:.1} dB");
            let stats = stats(&world, host);
            let lead = if layer.is_numbered() { 7 } else { 0 };
            assert_eq!((stats.blocks.missing, stats.blocks.late, stats.refused), (lead, 0, 0), "{layer}");
        }
    }
}

/// The seminar's section on jitter: 100 ± 100 ms, normal, correlation 25 %.
#[test]
fn under_the_seminars_jitter_nothing_stale_is_heard() {
    let jitter = "delay=100ms±100ms~25% distribution=normal";
    for (buffering, share) in [(150, 0.10), (300, 0.012)] {
        let world =
            call(Layer::Buffer, jitter, 60.0, |config| config.buffering = Duration::from_millis(buffering));
        let stats = stats(&world, 1);
        let counts = stats.blocks;
        let missing = counts.missing as f64 / (counts.missing + counts.heard) as f64;
        assert!(missing < share, "-b {buffering}: {counts:?}");
        // whatever is heard is of its time or made up: a tenth of each second is as said at most a second ago
        let heard = heard(&world, 1);
        let right = |second: usize| delay(&heard, second * 44_100, 4_410, 44_100, 1024).1 > 2.0;
        let wrong = (20..58).filter(|second| !right(*second)).count();
        assert!(wrong <= 6, "-b {buffering}: {wrong} seconds, {counts:?}");
    }
}

/// The seminar's link of 200 kbit/s, with less of a bucket so that a minute is enough.
#[test]
fn on_the_seminars_limited_link_the_step_follows() {
    let link = "rate=200kbit queue=16kb";
    let world = call(Layer::BrConservative, link, 60.0, |_| {});
    let stats = stats(&world, 1);
    assert!(stats.q > 128, "{stats:?}");
    let raw = call(Layer::Buffer, link, 60.0, |_| {});
    let share =
        |counts: levada_talk::compat::Counts| counts.heard as f64 / (counts.heard + counts.missing) as f64;
    let (controlled, raw) = (share(stats.blocks), share(kit::look(&raw, 1).stats().blocks));
    assert!(controlled > 0.6 && raw < 0.2, "{controlled:.2}, {raw:.2}");
}

/// A peer that begins anew, at number 1.
#[test]
fn a_peer_that_begins_anew_is_heard_again() {
    let (first, second) = ends();
    let mut world = kit::world(3);
    world.add(end(Layer::OverlappedDwt, second, |_| {}), &access("delay=5ms")).unwrap();
    world.add(end(Layer::OverlappedDwt, first, |_| {}), &Access::default()).unwrap();
    world.run(secs(10.0), |_, _, _| {});
    *world.machine_mut(HostId(0)).unwrap() = end(Layer::OverlappedDwt, second, |_| {});
    world.run(secs(13.0), |_, _, _| {});
    let heard = heard(&world, 1);
    // what was said at the third second after the beginning is heard at the thirteenth
    let new: Vec<i16> = heard[2 * 9 * 44_100..].to_vec();
    let (_, snr) = delay(&new, 3 * 44_100, 2_048, 60_000, 2);
    assert_eq!(stats(&world, 1).blocks.resyncs, 1);
    assert!(snr > 10.0, "{snr:.1} dB");
}

/// Sends what it is given to one address, some every millisecond.
struct Hostile {
    to: SocketAddr,
    next: Option<Instant>,
    state: u32,
    left: u32,
    good: Vec<u8>,
}

impl Machine for Hostile {
    type Event = levada_talk::Ended;

    fn handle(&mut self, _: Instant, _: Input) {}

    fn poll(&mut self, now: Instant) -> Output<Self::Event> {
        let next = *self.next.get_or_insert(now);
        if self.left == 0 {
            return Output::Wait(None);
        }
        if next > now {
            return Output::Wait(Some(next));
        }
        self.left -= 1;
        if self.left.is_multiple_of(10) {
            self.next = Some(next + Duration::from_millis(1));
        }
        let mut chance = || {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.state >> 8) as usize
        };
        let mut bytes = match chance() % 3 {
            0 => self.good.clone(),
            1 => (0..chance() % 1_500).map(|_| chance() as u8).collect(),
            _ => self.good[..chance() % self.good.len()].to_vec(),
        };
        if !bytes.is_empty() {
            let at = chance() % bytes.len();
            bytes[at] ^= 1 << (chance() % 8);
        }
        Output::Send(Transmit::Datagram { to: self.to, bytes: Bytes::from(bytes) })
    }
}

enum Host {
    End(Box<End>),
    Hostile(Hostile),
}

impl Machine for Host {
    type Event = levada_talk::Ended;

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Host::End(end) => end.handle(now, input),
            Host::Hostile(hostile) => hostile.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Self::Event> {
        match self {
            Host::End(end) => end.poll(now),
            Host::Hostile(hostile) => hostile.poll(now),
        }
    }
}

#[test]
fn a_stranger_who_sends_ten_thousand_a_second_is_not_heard() {
    for layer in [Layer::Buffer, Layer::OverlappedDwt] {
        let (first, second) = ends();
        let mut good = Vec::new();
        let mut packer = codec::Packer::new(codec::Config::new(layer)).unwrap();
        packer.pack(400, 128, &[3_000; 2048], &mut good);
        let mut world = kit::world(5);
        world.add(Host::End(Box::new(end(layer, second, |_| {}))), &access("delay=5ms")).unwrap();
        world.add(Host::End(Box::new(end(layer, first, |_| {}))), &Access::default()).unwrap();
        world.run(secs(0.3), |_, _, _| {});
        world
            .add(
                Host::Hostile(Hostile { to: second, next: None, state: 1, left: 20_000, good }),
                &Access::default(),
            )
            .unwrap();
        world.run(secs(4.0), |_, _, _| {});
        let Some(Host::End(end)) = world.machine(HostId(1)) else { panic!("the end is gone") };
        let (_, snr) = delay(&end.devices().heard, 60_000, 44_100, 12 * 1024, 1024);
        assert!(snr > if layer == Layer::Buffer { 98.0 } else { 25.0 }, "{layer}: {snr:.1} dB");
        assert_eq!(end.look().stats().strangers, 20_000);
    }
}
