//! What the server sees, and what it may try.

use crate::house::{House, TONES, config, loudness};
use bytes::Bytes;
use levada_codec::packet::{Codec, Decoder};
use levada_link::room::wire::{FRAME_HEAD, Heard, OPEN, Said};
use levada_link::room::{DisplayName, Entrant};
use levada_link::world::HostId;
use levada_talk::room::{Config, Psk, RATE};

/// What the server could hear of `n`'s frames, were it to decode what it sees: as it came, and without the tag.
fn overheard(house: &mut House, n: u32, codec: Codec, frames: usize) -> Vec<i16> {
    let mut decoder = Decoder::new(codec, frames).unwrap();
    let (mut block, mut heard) = (vec![0; 2 * frames], Vec::new());
    for (from, datagram) in &house.server().seen {
        let Some((_, Some(Said::Frame(frame)))) = Said::read_datagram(datagram) else { continue };
        if *from != HostId(n).address() {
            continue;
        }
        let body = &frame[FRAME_HEAD..];
        for sound in [body, &body[..body.len().saturating_sub(16)]] {
            if decoder.decode(sound, &mut block).is_ok() {
                heard.extend_from_slice(&block);
            }
        }
    }
    heard
}

fn speaking(n: u32, codec: Codec, frames: u16) -> Config {
    let mut config = config(n);
    (config.rendition.codec, config.rendition.frames) = (codec, frames);
    config
}

#[test]
fn what_the_server_sees_does_not_decode() {
    // samples as they are, so that whatever is there could be heard; and Opus, as it is where nothing is sealed
    for (codec, frames) in [(Codec::Pcm, 240), (Codec::Opus, 960)] {
        let mut house = House::of(2, "", |n| speaking(n, codec, frames));
        house.run(2.0);
        house.all_hear(&[1, 2]);
        let heard = overheard(&mut house, 1, codec, usize::from(frames));
        let level = loudness(&heard, TONES[0]);
        // nonsense is as loud beside the tone
        let beside = [350.0, 365.0, 380.0, 420.0, 435.0, 450.0].map(|hertz| loudness(&heard, hertz));
        let loudest = beside.iter().fold(-120.0_f64, |loudest, level| loudest.max(*level));
        assert!(heard.is_empty() || level < loudest + 10.0, "{codec}: {level} {beside:?}");
    }
}

#[test]
fn where_somebody_cannot_seal_the_server_hears_and_all_are_told() {
    let mut house = House::of(2, "", config);
    let now = house.world.instant();
    let room = config(1).room;
    let flags = levada_link::room::wire::BROWSER | OPEN;
    house.server().hub.join(now, &room, DisplayName::of("web"), flags, Entrant::Handle(1)).unwrap();
    house.run(2.0);
    assert!(!house.member(1).is_sealed() && house.member(1).mode().open);
    // the test above would have noticed
    let heard = overheard(&mut house, 1, Codec::Opus, 960);
    let [level, beside] =
        [TONES[0], 435.0].map(|hertz| loudness(&heard[heard.len() - RATE as usize..], hertz));
    assert!(level > -30.0 && level > beside + 30.0, "{level} {beside}");
    house.all_hear(&[1, 2]);
}

#[test]
fn with_a_passphrase_nothing_is_ever_open() {
    let mut house = House::of(2, "", |n| Config { psk: Psk::of("x", &config(n).room), ..config(n) });
    let now = house.world.instant();
    let (room, flags) = (config(1).room, OPEN);
    house.server().hub.join(now, &room, DisplayName::of("web"), flags, Entrant::Handle(1)).unwrap();
    house.run(2.0);
    assert!(house.member(1).is_sealed());
    house.all_hear(&[1, 2]);
    let seen = std::mem::take(&mut house.server().seen);
    let bare =
        |datagram: &[u8]| matches!(Said::read_datagram(datagram), Some((_, Some(Said::Frame([0, ..])))));
    assert!(!seen.iter().any(|(_, datagram)| bare(datagram)));
}

#[test]
fn what_the_server_bends_repeats_or_says_as_another_is_silent() {
    let same = |bytes: &[u8]| vec![Bytes::copy_from_slice(bytes)];
    let bent = |bytes: &[u8]| match Heard::read(bytes) {
        Some(Heard::Frame { from: 2, .. }) => {
            let mut bent = bytes.to_vec();
            *bent.last_mut().unwrap() ^= 1;
            vec![bent.into()]
        }
        _ => vec![Bytes::copy_from_slice(bytes)],
    };
    let as_another = |bytes: &[u8]| match Heard::read(bytes) {
        Some(Heard::Frame { from: 2, frame }) => vec![Heard::Frame { from: 3, frame }.write()],
        _ => vec![Bytes::copy_from_slice(bytes)],
    };
    let open = |bytes: &[u8]| match Heard::read(bytes) {
        Some(Heard::Frame { from: 2, frame }) => {
            let bare = [&[0][..], &frame[1..]].concat();
            vec![Heard::Frame { from: 2, frame: &bare }.write()]
        }
        _ => vec![Bytes::copy_from_slice(bytes)],
    };
    let mut house = House::of(3, "", config);
    house.run(2.0);
    house.all_hear(&[1, 2, 3]);
    let who = (1..=3).find(|n| house.member(*n).number() == Some(2)).unwrap();
    let ear = if who == 1 { 3 } else { 1 };
    let other = 6 - who - ear;
    let mut until = 2.0;
    for meddle in [bent, as_another, open] {
        house.server().meddle = meddle;
        until += 2.0;
        house.run(until);
        assert!(house.hears(ear, who) < -60.0 && house.hears(ear, other) > -25.0);
        house.server().meddle = same;
        until += 2.0;
        house.run(until);
        house.all_hear(&[1, 2, 3]);
    }
    // three times each, and each once more long after
    house.server().meddle = |bytes| vec![Bytes::copy_from_slice(bytes); 3];
    house.run(until + 2.0);
    house.all_hear(&[1, 2, 3]);
    let counts = house.member(ear).voices();
    assert!(counts.iter().all(|voice| voice.refused > 100), "{counts:?}");
}

#[test]
fn nonsense_from_the_server_does_no_harm() {
    let mut house = House::of(2, "", config);
    house.server().meddle = |bytes| {
        let mut all = vec![Bytes::copy_from_slice(bytes)];
        for at in 0..bytes.len().min(24) {
            let mut bent = bytes.to_vec();
            bent[at] = bent[at].wrapping_mul(7).wrapping_add(at as u8);
            all.push(bent.into());
            all.push(Bytes::copy_from_slice(&bytes[..at]));
        }
        all
    };
    house.run(3.0);
    // it may part two, as it may pass nothing on; it may not be heard
    let [one, other] = [house.hears(1, 1), house.hears(2, 2)];
    assert!(one < -60.0 && other < -60.0);
    assert!(house.member(1).stats().refused > 100);
}
