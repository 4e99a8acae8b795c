//! A link that is too thin for what is said.

use crate::house::{House, config};
use levada_link::world::{HostId, Way};

/// The share of frames that `n` missed of the others from then on until then.
fn missed(house: &mut House, n: u32, until: f64) -> f64 {
    let count = |house: &House| {
        let frames = house.member(n).voices().into_iter().map(|voice| voice.frames);
        frames.fold((0, 0), |all, frames| (all.0 + frames.heard, all.1 + frames.missing))
    };
    let before = count(house);
    house.run(until);
    let after = count(house);
    (after.1 - before.1) as f64 / (after.0 + after.1 - before.0 - before.1).max(1) as f64
}

#[test]
fn a_listener_behind_a_thin_link_hears_all_after_a_while_and_all_is_as_before_when_it_has_left() {
    let mut house = House::of(3, "delay=10ms", config);
    house
        .world
        .change(HostId(3), Way::Down, &"delay=10ms rate=150kbit queue=100ms".parse().unwrap())
        .unwrap();
    house.run(1.0);
    let first = missed(&mut house, 3, 5.0);
    house.run(20.0);
    let then = missed(&mut house, 3, 35.0);
    assert!(first > 0.1 && then < 0.06, "{first} {then}");
    house.all_hear(&[1, 2, 3]);
    let rate = |house: &House, n| house.member(n).stats().rate;
    let rates = [1, 2].map(|n| rate(&house, n));
    assert!(rates.iter().all(|rate| (20_000.0..70_000.0).contains(rate)), "{rates:?}");
    house.member_mut(3).leave();
    house.run(36.0);
    house.world.remove(HostId(3));
    house.run(85.0);
    assert!(rate(&house, 1) > 70_000.0, "{}", rate(&house, 1));
    house.all_hear(&[1, 2]);
}
