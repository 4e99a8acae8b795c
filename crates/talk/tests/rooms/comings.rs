//! Who comes, who goes, who dies, and who is not let in.

use crate::house::{House, config, server};
use levada_codec::packet::Codec;
use levada_link::room::Refusal;
use levada_link::world::HostId;
use levada_talk::room::{Config, Psk, Reason, Told};

fn left(house: &House, n: u32) -> Vec<String> {
    let left = |told: &Told| match told {
        Told::Left(person) => Some(person.name.to_string()),
        _ => None,
    };
    house.told[n as usize].iter().filter_map(left).collect()
}

fn apart(house: &House, n: u32) -> Vec<Reason> {
    let apart = |told: &Told| match told {
        Told::Apart(_, reason) => Some(*reason),
        _ => None,
    };
    house.told[n as usize].iter().filter_map(apart).collect()
}

/// The generations of the keys that `n` has of the others.
fn generations(house: &House, n: u32) -> Vec<u8> {
    house.member(n).voices().iter().filter_map(|voice| voice.generation).collect()
}

#[test]
fn who_leaves_is_gone_at_once_and_the_others_take_new_keys_without_a_gap() {
    let mut house = House::of(3, "delay=10ms", config);
    house.run(3.0);
    let (before, missing) = (generations(&house, 1), house.member(1).voices()[0].frames.missing);
    house.member_mut(3).leave();
    house.run(3.2);
    house.world.remove(HostId(3));
    assert_eq!((left(&house, 1), left(&house, 2)), (vec!["Cleo".to_owned()], vec!["Cleo".to_owned()]));
    house.run(5.0);
    let after = generations(&house, 1);
    assert!(after.len() == 1 && after[0] > before[0], "{before:?} {after:?}");
    let voice = &house.member(1).voices()[0];
    assert!(voice.frames.missing <= missing + 1 && voice.refused == 0, "{voice:?}");
    house.all_hear(&[1, 2]);
}

#[test]
fn who_dies_is_noticed_in_seconds() {
    let mut house = House::of(3, "delay=10ms", config);
    house.run(2.0);
    house.world.remove(HostId(2));
    house.run(4.0);
    assert!(left(&house, 1).is_empty() && house.hears(1, 2) < -60.0);
    house.run(8.0);
    assert_eq!(left(&house, 1), ["Ben"]);
    house.all_hear(&[1, 3]);
}

#[test]
fn who_comes_later_hears_all_and_has_no_key_of_before() {
    let mut house = House::of(2, "delay=10ms", config);
    house.run(2.0);
    let before = generations(&house, 1)[0];
    house.enter(3, "delay=10ms", config(3));
    house.run(5.0);
    house.all_hear(&[1, 2, 3]);
    assert!(generations(&house, 3).iter().all(|generation| *generation > before));
    assert!(house.member(1).voices()[0].frames.missing <= 3);
}

#[test]
fn one_with_another_passphrase_hears_nobody_and_is_told() {
    let with = |words: &str, n: u32| Config { psk: Psk::of(words, &config(n).room), ..config(n) };
    let words = |n| with(if n == 3 { "seven loud words" } else { "seven quiet words" }, n);
    let mut house = House::of(2, "delay=10ms", words);
    house.run(1.0);
    house.enter(3, "delay=10ms", words(3));
    house.run(4.0);
    house.all_hear(&[1, 2]);
    assert!([1, 2].iter().all(|n| house.hears(3, *n) < -60.0 && house.hears(*n, 3) < -60.0));
    assert_eq!((apart(&house, 1), apart(&house, 2)), (vec![Reason::Secret], vec![Reason::Secret]));
    assert_eq!(apart(&house, 3), [Reason::Secret, Reason::Secret]);
    assert!(
        house.member(3).is_unwanted() && !house.member(1).is_unwanted() && !house.member(2).is_unwanted()
    );
}

#[test]
fn a_server_that_begins_anew_has_them_all_again_in_seconds() {
    let mut house = House::of(3, "delay=10ms", config);
    house.run(3.0);
    *house.world.machine_mut(HostId(0)).unwrap() = server(2);
    house.run(5.0);
    house.all_hear(&[1, 2, 3]);
    let again = |told: &Told| matches!(told, Told::In { again: true, others: 0..=2, .. });
    assert!((1..=3).all(|n| house.told[n].contains(&Told::Silent) && house.told[n].iter().any(again)));
}

#[test]
fn a_server_that_is_away_for_a_while_is_waited_for() {
    let mut house = House::of(2, "delay=10ms", config);
    house.run(2.0);
    let way = levada_link::world::Way::Up;
    (1..=2).for_each(|n| house.world.change(HostId(n), way, &"loss=100%".parse().unwrap()).unwrap());
    house.run(12.0);
    assert!(house.told[1].contains(&Told::Silent) && house.hears(1, 2) < -60.0);
    (1..=2).for_each(|n| house.world.change(HostId(n), way, &"delay=10ms".parse().unwrap()).unwrap());
    house.run(16.0);
    house.all_hear(&[1, 2]);
}

#[test]
fn sixteen_are_in_and_a_seventeenth_is_told_that_it_is_full() {
    let cheap = |n: u32| {
        let mut config = config(n);
        (config.rendition.codec, config.rendition.frames, config.bitrate) = (Codec::Native, 960, 24_000);
        config
    };
    let mut house = House::of(17, "", cheap);
    house.run(1.5);
    let full = |n: &u32| house.told[*n as usize].contains(&Told::Refused(Refusal::Full));
    let refused: Vec<u32> = (1..=17).filter(full).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    let inside = (1..=17).filter(|n| !refused.contains(n));
    for n in inside {
        let voices = house.member(n).voices();
        assert_eq!(
            voices.iter().filter(|voice| voice.words.is_some() && voice.frames.heard > 5).count(),
            15,
            "{n}"
        );
    }
}
