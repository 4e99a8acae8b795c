//! Native calls in a world: clean, with the seminar's jitter, with losses, and with clocks that drift.
#![allow(clippy::unwrap_used)] // a test may fail so

mod kit;

use kit::{Desk, access, delay, ends, secs};
use levada_link::world::{Access, HostId, World};
use levada_talk::Paced;
use levada_talk::native::{Config, NativeCall, Stats};

type End = Paced<NativeCall, Desk>;

fn call(link: &str, seconds: f64, ppm: f64, change: impl Fn(&mut Config)) -> World<End> {
    let (first, second) = ends();
    let mut world = kit::world(11);
    let end = |peer| {
        let mut config = Config::new(peer);
        change(&mut config);
        Paced::new(NativeCall::new(config).unwrap(), Desk::default())
    };
    world.add(end(second).skewed(ppm), &access(link)).unwrap();
    world.add(end(first), &Access::default()).unwrap();
    world.run(secs(seconds), |_, _, _| {});
    world
}

fn stats(world: &World<End>) -> Stats {
    kit::look(world, 1).stats()
}

/// Frames of delay and decibels, at the second `at`.
fn heard(world: &World<End>, at: usize) -> (usize, f64) {
    let desk = world.machine(HostId(1)).unwrap().devices();
    delay(&desk.heard, at * 44_100, 2_048, 24_000, 1)
}

/// The share of frames that were not there in time, from the third second on.
fn unusable(link: &str, change: impl Fn(&mut Config)) -> (f64, Stats) {
    let (before, after) =
        (stats(&call(link, 8.0, 0.0, &change)).frames, stats(&call(link, 40.0, 0.0, &change)));
    let missing = (after.frames.missing - before.missing) as f64;
    (missing / (missing + (after.frames.heard - before.heard) as f64), after)
}

#[test]
fn over_a_clean_link_it_is_heard_within_twenty_milliseconds() {
    let world = call("delay=2ms", 4.0, 0.0, |_| {});
    let (frames, snr) = heard(&world, 3);
    let ms = frames as f64 / 44.1;
    println!("{ms:.1} ms, {snr:.1} dB, {:?}", stats(&world));
    assert!(ms < 20.0 && snr > 12.0, "{ms:.1} ms, {snr:.1} dB");
    assert_eq!(stats(&world).frames.missing, 0);
}

#[test]
fn the_seminars_jitter_leaves_hardly_a_frame_unheard_and_copies_take_a_third_of_the_delay() {
    let (share, stats) = unusable("delay=100ms±100ms~25% distribution=normal", |config| {
        (config.size, config.copies) = (1, Some(0));
    });
    println!("{share:.4}, {stats:?}");
    assert!(share < 0.015 && stats.target < 0.45, "{share:.4}, {stats:?}");
    let (mended, copies) = unusable("delay=100ms±100ms~25% distribution=normal", |config| {
        (config.size, config.copies) = (1, Some(3));
    });
    println!("{mended:.4}, {copies:?}");
    assert!(mended < 0.015 && copies.target < 0.8 * stats.target, "{mended:.4}, {copies:?}");
}

#[test]
fn losses_are_mended_by_copies_that_are_asked_for() {
    for (link, most) in [("loss=5% delay=10ms", 0.01), ("loss=20% delay=10ms", 0.02)] {
        let (share, stats) = unusable(link, |_| {});
        println!("{link}: {share:.4}, {stats:?}");
        assert!(share < most, "{link}: {share:.4}, {stats:?}");
    }
}

#[test]
fn clocks_may_drift_by_two_hundred_parts_in_a_million() {
    for ppm in [200.0, -200.0] {
        let after = stats(&call("delay=5ms", 40.0, ppm, |_| {}));
        let Stats { frames, target, .. } = after;
        println!("{ppm}: {after:?}");
        assert!(frames.missing <= 2 && frames.resyncs == 0 && target < 0.02, "{ppm}: {after:?}");
    }
}
