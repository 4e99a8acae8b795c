//! Two ends of a native call in a world.

use crate::kit::{self, Desk, access, ends, secs};
use levada_codec::packet::Codec;
use levada_link::world::{Access, HostId, World};
use levada_talk::Paced;
use levada_talk::native::{Config, Counts, NativeCall, Stats};
use levada_talk::secure::{self, Identity, Secret};
use std::net::SocketAddr;

pub type End = Paced<NativeCall, Desk>;

pub fn config(peer: Option<SocketAddr>, seed: u8) -> Config {
    let identity = Identity::new([seed; 32]);
    Config::new(secure::Config { peer, secret: Secret::none(), identity, known: None, hello: [1, 0, 0, 0] })
}

pub fn end(config: Config, seed: u8) -> End {
    Paced::new(NativeCall::new(config, [seed; 32]).unwrap(), Desk::default())
}

/// Two ends that call each other, the first behind a link. The second, which is not listened to, sends samples as they are: that is less
/// to compute.
pub fn pair(link: &str, ppm: f64, change: impl Fn(&mut Config)) -> World<End> {
    let (first, second) = ends();
    let mut world = kit::world(11);
    let made = |peer, seed| {
        let mut config = config(Some(peer), seed);
        change(&mut config);
        if seed == 2 {
            (config.rendition.codec, config.most) = (Codec::Pcm, 2_000_000);
        }
        end(config, seed)
    };
    world.add(made(second, 1).skewed(ppm), &access(link)).unwrap();
    world.add(made(first, 2), &Access::default()).unwrap();
    world
}

/// The same, so many seconds later.
pub fn call(link: &str, seconds: f64, change: impl Fn(&mut Config)) -> World<End> {
    let mut world = pair(link, 0.0, change);
    world.run(secs(seconds), |_, _, _| {});
    world
}

pub fn stats(world: &World<End>) -> Stats {
    kit::look(world, 1).stats()
}

/// Frames of delay and decibels at the second end, at the second `at`.
pub fn heard(world: &World<End>, at: f64) -> (usize, f64) {
    let desk = world.machine(HostId(1)).unwrap().devices();
    kit::delay(&desk.heard, (at * 44_100.0) as usize, 2_048, 24_000, 1)
}

/// The share of frames that were made up between two looks.
pub fn unusable(before: Counts, after: Counts) -> f64 {
    let missing = (after.missing - before.missing) as f64;
    missing / (missing + (after.heard - before.heard) as f64)
}

/// Runs on until `until`, and says how much is unusable from `from` on, and the mean of the delay that the buffer has, in seconds.
pub fn judge(world: &mut World<End>, from: f64, until: f64) -> (f64, f64) {
    world.run(secs(from), |_, _, _| {});
    let before = stats(world).frames;
    let (mut sum, mut looks, mut now) = (0.0, 0, from);
    while now < until {
        now += 0.1;
        world.run(secs(now), |_, _, _| {});
        (sum, looks) = (sum + stats(world).buffered, looks + 1);
    }
    (unusable(before, stats(world).frames), sum / f64::from(looks))
}
