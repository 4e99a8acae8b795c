//! The seminar's limited links: a bucket that lets the first seconds pass, then 200 kbit/s, or 100 with its jitter.

use crate::ends::{End, judge, pair, stats};
use levada_link::LinkConfig;
use levada_link::world::{HostId, Way, World};
use levada_talk::native::late;

/// A link as `tc` would be told to make it; the other direction has none.
fn behind(line: &str) -> LinkConfig {
    LinkConfig::from_tc(line, &|_| None).unwrap()
}

/// Two ends, the first behind such a link whose packets are further delayed.
fn world(line: &str, delay: &str, late: f64) -> World<End> {
    let mut world = pair("delay=0ms", 0.0, |config| config.late = late);
    let limit = behind(line);
    let link = LinkConfig { bucket: limit.bucket, queue: limit.queue, ..delay.parse().unwrap() };
    world.change(HostId(0), Way::Up, &link).unwrap();
    world
}

#[test]
fn on_two_hundred_kilobits_there_is_no_glitch_once_the_bucket_is_empty() {
    let mut world = world("tbf rate 200kbit burst 1024kbit limit 1024kbit", "delay=1ms", 0.005);
    let (share, delay) = judge(&mut world, 15.0, 75.0);
    println!("{share}, {delay:.3} s, {:?}", stats(&world));
    assert_eq!(share, 0.0, "{delay:.3} s, {:?}", stats(&world));
}

/// With what `--safe`, or the slider's end, asks for.
#[test]
fn on_a_hundred_kilobits_with_the_seminars_jitter_there_is_none_with_safe() {
    let jitter = "delay=100ms±100ms~25% distribution=normal";
    let mut world = world("tbf rate 100kbit burst 128kbit limit 128kbit", jitter, late(10.0));
    let (share, delay) = judge(&mut world, 15.0, 75.0);
    println!("{share}, {delay:.3} s, {:?}", stats(&world));
    assert_eq!(share, 0.0, "{delay:.3} s, {:?}", stats(&world));
}
