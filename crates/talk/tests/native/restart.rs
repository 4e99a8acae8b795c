//! One end begins anew, or sleeps.

use crate::ends::{End, config, end, pair, stats};
use crate::kit::{self, access, ends, secs};
use levada_codec::packet::Codec;
use levada_link::world::{Access, HostId, World};
use levada_link::{Input, Machine, Output};
use levada_talk::native::{Config, Counts, Stats};
use std::time::Instant;

/// An end whose machine sleeps for a while: what comes then is not there.
struct Bed {
    end: End,
    asleep: (Instant, Instant),
}

impl Bed {
    fn sleeps(&self, now: Instant) -> bool {
        (self.asleep.0..self.asleep.1).contains(&now)
    }

    fn frames(world: &World<Bed>, host: u32) -> Counts {
        let Stats { frames, .. } = world.machine(HostId(host)).unwrap().end.look().stats();
        frames
    }
}

impl Machine for Bed {
    type Event = levada_talk::Ended;

    fn handle(&mut self, now: Instant, input: Input) {
        if !self.sleeps(now) {
            self.end.handle(now, input);
        }
    }

    fn poll(&mut self, now: Instant) -> Output<levada_talk::Ended> {
        if self.sleeps(now) { Output::Wait(Some(self.asleep.1)) } else { self.end.poll(now) }
    }
}

/// One that has little to compute.
fn plain(peer: Option<std::net::SocketAddr>, seed: u8) -> Config {
    let mut config = config(peer, seed);
    (config.rendition.codec, config.most) = (Codec::Pcm, 2_000_000);
    config
}

/// Milliseconds from `from` on after which the second end hears the first again, in steps of ten.
fn back(world: &mut World<End>, from: f64) -> f64 {
    let before = stats(world).frames.heard;
    let mut now = from;
    while stats(world).frames.heard == before && now < from + 3.0 {
        now += 0.01;
        world.run(secs(now), |_, _, _| {});
    }
    // and stays
    let missing = stats(world).frames.missing;
    world.run(secs(now + 0.5), |_, _, _| {});
    assert!(stats(world).frames.missing <= missing + 2, "{:?}", stats(world));
    1e3 * (now - from)
}

#[test]
fn one_who_begins_anew_is_heard_within_a_tenth_of_a_second() {
    let mut world = pair("delay=5ms", 0.0, |_| {});
    world.run(secs(5.0), |_, _, _| {});
    *world.machine_mut(HostId(0)).unwrap() = end(config(Some(ends().1), 1), 77);
    let ms = back(&mut world, 5.0);
    assert!(ms <= 100.0, "{ms} ms, {:?}", stats(&world));
    // another key, and one who only waits to be called
    *world.machine_mut(HostId(0)).unwrap() = end(config(None, 9), 78);
    let ms = back(&mut world, 7.0);
    assert!(ms <= 100.0, "{ms} ms, {:?}", stats(&world));
}

#[test]
fn after_a_minute_of_sleep_it_goes_on_within_a_tenth_of_a_second() {
    for asleep in [0, 1] {
        let mut world: World<Bed> = kit::world(11);
        let start = world.instant();
        let bed = |n: u32, peer| {
            let never = (start, start);
            let night = (start + secs(5.0), start + secs(65.0));
            let asleep = if n == asleep { night } else { never };
            Bed { end: end(plain(Some(peer), n as u8), n as u8), asleep }
        };
        world.add(bed(0, ends().1), &access("delay=5ms")).unwrap();
        world.add(bed(1, ends().0), &Access::default()).unwrap();
        world.run(secs(65.0), |_, _, _| {});
        let before = [0, 1].map(|host| Bed::frames(&world, host));
        world.run(secs(65.1), |_, _, _| {});
        for host in [0, 1] {
            let (before, after) = (before[host as usize], Bed::frames(&world, host));
            assert!(after.heard > before.heard + 5, "{asleep} slept, {host}: {before:?}, {after:?}");
        }
        let before = [0, 1].map(|host| Bed::frames(&world, host));
        world.run(secs(68.0), |_, _, _| {});
        for host in [0, 1] {
            let (before, after) = (before[host as usize], Bed::frames(&world, host));
            assert!(after.missing <= before.missing + 2, "{asleep} slept, {host}: {before:?}, {after:?}");
        }
    }
}

#[test]
fn a_link_that_was_away_is_used_as_soon_as_it_is_there() {
    let mut world = pair("delay=5ms", 0.0, |_| {});
    world.run(secs(5.0), |_, _, _| {});
    let dead = "loss=100%".parse().unwrap();
    world.change(HostId(0), levada_link::world::Way::Up, &dead).unwrap();
    world.run(secs(25.0), |_, _, _| {});
    world.change(HostId(0), levada_link::world::Way::Up, &"delay=5ms".parse().unwrap()).unwrap();
    let ms = back(&mut world, 25.0);
    assert!(ms <= 100.0, "{ms} ms, {:?}", stats(&world));
    let _ = kit::look(&world, 0);
}
