//! Anybody sends anything.

use crate::ends::{config, pair, stats};
use crate::kit::{self, secs};
use bytes::Bytes;
use levada_link::world::HostId;
use levada_talk::Call;
use levada_talk::native::NativeCall;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ self.0 >> 29) >> 8
    }
}

/// 200,000 datagrams by default; ten million when asked for.
fn datagrams() -> u64 {
    std::env::var("LEVADA_HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(200_000)
}

#[test]
#[allow(clippy::disallowed_methods)] // where a clock is needed
fn random_and_mutated_datagrams_end_nothing_and_are_not_heard() {
    // what a call of the same two looked like
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut world = pair("delay=2ms", 0.0, |_| {});
    let watched = seen.clone();
    world.watch(move |_, bytes| {
        let mut seen = watched.lock().unwrap();
        if seen.len() < 600 {
            seen.push(bytes.clone());
        }
    });
    world.run(secs(1.5), |_, _, _| {});
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert!(seen.len() > 300);
    let before = stats(&world);
    let mut twin = pair("delay=2ms", 0.0, |_| {});
    twin.run(secs(1.5), |_, _, _| {});

    let (mut dice, count) = (Dice(1), datagrams());
    let start = world.instant();
    let began = Instant::now();
    for n in 0..count {
        let datagram: Bytes = if n % 2 == 0 {
            let length = dice.roll() as usize % 1_400;
            let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll() as u8).collect();
            if let Some(first) = bytes.first_mut() {
                *first = [*first, 1, 2, 3, 4, 5, 6, 128, 129, 130][n as usize / 2 % 10];
            }
            bytes.into()
        } else {
            let mut bytes = seen[dice.roll() as usize % seen.len()].to_vec();
            for _ in 0..1 + dice.roll() % 3 {
                let at = dice.roll() as usize % bytes.len();
                bytes[at] ^= 1 << (dice.roll() % 8);
            }
            bytes.truncate(bytes.len() - if n % 5 == 0 { dice.roll() as usize % bytes.len() } else { 0 });
            bytes.into()
        };
        let from = if n % 3 == 0 { HostId(0).address() } else { HostId(9 + n as u32 % 50).address() };
        let now = start + Duration::from_micros(n.min(400_000) / 2);
        world.machine_mut(HostId(1)).unwrap().call().arrive(now, from, datagram);
    }
    println!("{count} in {:?}", began.elapsed());
    let after = stats(&world);
    println!("{after:?}");
    assert_eq!(after.received, before.received, "nothing of it opened");
    // the two go on as if nothing had been
    world.run(secs(3.0), |_, _, _| {});
    twin.run(secs(3.0), |_, _, _| {});
    let sound = |world: &levada_link::world::World<crate::ends::End>| {
        world.machine(HostId(1)).unwrap().devices().heard[2 * 70_000..2 * 120_000].to_vec()
    };
    assert!(sound(&world) == sound(&twin), "it was heard");
    let _ = kit::look(&world, 0);
}

/// Those who wait to be called are not led to more by what comes.
#[test]
fn one_who_waits_answers_no_more_than_it_is_asked() {
    let mut call = NativeCall::new(config(None, 1), [1; 32]).unwrap();
    let (mut dice, now) = (Dice(2), crate::kit::world::<crate::ends::End>(1).instant());
    let (mut asked, mut answered) = (0, 0);
    for n in 0..50_000_u64 {
        let length = if n % 2 == 0 { 160 } else { dice.roll() as usize % 200 };
        let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll() as u8).collect();
        if let Some([kind, version, ..]) = bytes.get_mut(..2) {
            (*kind, *version) = ([1, 2, 3, 4, 5, 6, 128][n as usize % 7], 1);
        }
        asked += bytes.len();
        call.arrive(now, HostId(n as u32 % 1_000).address(), bytes.into());
        while let Some((_, bytes)) = call.transmit(now) {
            answered += bytes.len();
        }
    }
    println!("{asked} asked, {answered} answered");
    assert!(answered < asked / 8, "{asked} asked, {answered} answered");
}
