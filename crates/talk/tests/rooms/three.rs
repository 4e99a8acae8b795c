//! Three in a room.

use crate::house::{Desk, Host, House, TONES, config, loudness};
use levada_codec::packet::Codec;
use levada_link::world::HostId;
use levada_talk::room::{RATE, Told};

#[test]
fn three_hear_each_other_and_not_themselves() {
    let mut house = House::of(3, "delay=10ms", config);
    house.run(4.0);
    house.all_hear(&[1, 2, 3]);
    for n in 1..=3 {
        let others = house.member(n).voices();
        assert_eq!(others.len(), 2);
        let frames: Vec<_> = others.iter().map(|voice| voice.frames).collect();
        assert!(frames.iter().all(|frames| frames.missing <= 2 && frames.heard > 250), "{frames:?}");
    }
    assert!(house.member(1).is_sealed());
}

#[test]
fn each_two_see_the_same_words_and_the_names_that_they_gave() {
    let mut house = House::of(3, "", config);
    house.run(2.0);
    let words = |n: u32, of: u32| {
        let number = house.member(of).number().unwrap();
        let voices = house.member(n).voices();
        let voice = voices.iter().find(|voice| voice.person.number == number).unwrap().clone();
        (voice.words.unwrap(), voice.person.name)
    };
    for (one, other) in [(1, 2), (1, 3), (2, 3)] {
        assert_eq!(words(one, other).0, words(other, one).0);
        assert_eq!(words(one, other).1, config(other).name);
    }
    assert_ne!(words(1, 2).0, words(1, 3).0);
    let met = |told: &Told| match told {
        Told::Met(_, key, _) => Some(*key),
        _ => None,
    };
    let keys: Vec<_> = house.told[1].iter().filter_map(met).collect();
    assert!([2, 3].iter().all(|n| keys.contains(&config(*n).identity.public())));
}

#[test]
fn losses_and_jitter_are_concealed_as_in_a_call() {
    let mut house = House::of(3, "delay=30ms±8ms loss=2%", config);
    house.run(10.0);
    house.all_hear(&[1, 2, 3]);
    for voice in house.member(1).voices() {
        let share = voice.frames.missing as f64 / voice.frames.heard as f64;
        assert!(share < 0.09 && voice.refused == 0, "{share} {voice:?}");
    }
}

#[test]
fn every_codec_is_heard() {
    for codec in Codec::ALL {
        let mut house = House::of(2, "delay=5ms", |n| {
            let mut config = config(n);
            (config.rendition.codec, config.rendition.frames, config.bitrate) = (codec, 240, 1_600_000);
            config
        });
        house.run(2.0);
        house.all_hear(&[1, 2]);
    }
}

#[test]
fn those_who_speak_in_other_ways_hear_each_other() {
    let mut house = House::of(3, "delay=5ms", |n| {
        let mut config = config(n);
        (config.rendition.codec, config.rendition.frames) =
            [(Codec::Native, 1_024), (Codec::Opus, 120), (Codec::Wavelet, 240)][n as usize - 1];
        config
    });
    house.run(3.0);
    house.all_hear(&[1, 2, 3]);
}

#[test]
fn what_is_too_loud_together_is_cut_and_does_not_wrap() {
    let mut house = House::of(4, "", |n| {
        let mut config = config(n);
        config.rendition.codec = Codec::Pcm;
        config.rendition.frames = 240;
        config
    });
    for n in 1..=4 {
        if let Some(Host::Member(member)) = house.world.machine_mut(HostId(n)) {
            *member.sound() = Desk::loud(TONES[n as usize - 1], 30_000.0);
        }
    }
    house.run(2.0);
    let heard = house.lately(1);
    let steps = heard.chunks_exact(2).zip(heard.chunks_exact(2).skip(1));
    let steepest = steps.map(|(a, b)| (i32::from(a[0]) - i32::from(b[0])).abs()).max().unwrap();
    // what wraps jumps by the whole range
    assert!(steepest < 25_000 && heard.contains(&i16::MAX) && heard.contains(&i16::MIN), "{steepest}");
    assert!(loudness(heard, TONES[1]) > -15.0 && RATE == 48_000);
}

#[test]
fn one_who_is_muted_is_not_heard_and_hears() {
    let mut house = House::of(2, "", config);
    house.member_mut(1).mute(true);
    house.run(2.5);
    assert!(house.hears(2, 1) < -60.0 && house.hears(1, 2) > -25.0);
    house.member_mut(1).mute(false);
    house.run(4.0);
    house.all_hear(&[1, 2]);
}
