//! One end changes its address in the middle of the call.

use crate::ends::{End, config, end, stats};
use crate::kit::{self, access, secs};
use levada_link::world::{Access, HostId, World};
use levada_talk::native::Told;
use levada_talk::secure::Event;

#[test]
fn one_who_moves_is_heard_on_within_a_tenth_of_a_second_and_hears() {
    let mut world: World<End> = kit::world(3);
    let second = HostId(1).address();
    world.add(end(config(Some(second), 1), 1), &access("delay=5ms")).unwrap();
    world.add(end(config(None, 2), 2), &Access::default()).unwrap();
    world.run(secs(5.0), |_, _, _| {});
    let before = stats(&world).frames;
    // the same machine, at another place
    let moved = world.remove(HostId(0)).unwrap();
    world.add(moved, &access("delay=5ms")).unwrap();
    world.run(secs(5.1), |_, _, _| {});
    let after = stats(&world).frames;
    assert!(after.heard > before.heard + 12, "{before:?}, {after:?}");
    let there = |world: &World<End>, host| kit::look(world, host).stats();
    let before = there(&world, 2).frames;
    world.run(secs(7.0), |_, _, _| {});
    let after = there(&world, 2).frames;
    assert!(after.heard > before.heard + 300 && after.missing <= before.missing + 1, "{before:?}, {after:?}");
    let told = std::iter::from_fn(|| world.machine_mut(HostId(1)).unwrap().call().told());
    let moved = told.filter(|told| *told == Told::Session(Event::Moved(HostId(2).address())));
    assert_eq!(moved.count(), 1);
}
