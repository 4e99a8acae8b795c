//! Streams that begin, change, begin again, and keep one waiting.

use super::*;
use crate::Codec;
use bytes::Bytes;

fn tag(kind: Kind, timestamp: u32, payload: &[u8]) -> Tag {
    Tag { kind, timestamp, payload: Bytes::copy_from_slice(payload) }
}

const VIDEO_SETUP: &[u8] = &[0x17, 0, 0, 0, 0, 1];
const AUDIO_SETUP: &[u8] = &[0xaf, 0, 0x12, 0x10];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 9];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
const SOUND: &[u8] = &[0xaf, 1, 9];

fn announcing(video: bool, audio: bool) -> Tag {
    metadata::write(0, video.then_some(Codec::H264), audio.then_some(Codec::Aac))
}

fn line_up(tags: &[Tag]) -> String {
    let mut lineup = Lineup::new(View::Old);
    tags.iter().for_each(|tag| lineup.push(tag).unwrap());
    described(&mut lineup)
}

/// H, E or P for the role, then the kind.
fn described(lineup: &mut Lineup) -> String {
    let all = std::iter::from_fn(|| lineup.poll());
    let words = all.map(|placed| {
        let role = match placed.role {
            crate::Role::Header => 'H',
            crate::Role::Entry => 'E',
            crate::Role::Plain => 'P',
        };
        let kind = match placed.tag.kind {
            Kind::Audio => 'a',
            Kind::Video => 'v',
            Kind::Script => 'm',
        };
        format!("{role}{kind}{}", placed.tag.timestamp)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_header_comes_before_any_media_even_if_a_header_is_late() {
    let audio = |at| tag(Kind::Audio, at, SOUND);
    let late = [
        announcing(true, true),
        tag(Kind::Audio, 0, AUDIO_SETUP),
        audio(0),
        audio(23),
        tag(Kind::Video, 40, VIDEO_SETUP),
        tag(Kind::Video, 40, KEY),
        tag(Kind::Video, 80, INTER),
    ];
    assert_eq!(line_up(&late), "Hm0 Hv0 Ha0 Ea0 Ea23 Ev40 Pv80");
}

#[test]
fn a_header_that_never_comes_is_waited_for_a_second_only() {
    let sound: Vec<_> = (0..60u32).map(|n| tag(Kind::Audio, n * 20, SOUND)).collect();
    let with = |metadata: Option<Tag>| {
        let setup = tag(Kind::Audio, 0, AUDIO_SETUP);
        let tags: Vec<_> = metadata.into_iter().chain([setup]).chain(sound.clone()).collect();
        let mut lineup = Lineup::new(View::Old);
        tags.iter().position(|tag| {
            lineup.push(tag).unwrap();
            lineup.poll().is_some()
        })
    };
    assert_eq!(with(Some(announcing(false, true))), Some(2));
    assert_eq!(with(None), Some(51));
}

#[test]
fn a_changed_header_brings_the_whole_set_again_and_a_repeated_one_nothing() {
    let begin = [
        announcing(true, true),
        tag(Kind::Video, 0, VIDEO_SETUP),
        tag(Kind::Audio, 0, AUDIO_SETUP),
        tag(Kind::Video, 0, KEY),
        tag(Kind::Video, 20, VIDEO_SETUP),
        tag(Kind::Audio, 20, SOUND),
        tag(Kind::Video, 40, &[0x17, 0, 0, 0, 0, 2]),
        tag(Kind::Video, 40, KEY),
    ];
    assert_eq!(line_up(&begin), "Hm0 Hv0 Ha0 Ev0 Pa20 Hm0 Hv40 Ha40 Ev40");
}

#[test]
fn a_source_that_begins_again_brings_its_own_headers_and_time_goes_on() {
    let mut lineup = Lineup::new(View::Old);
    for tag in [announcing(false, true), tag(Kind::Audio, 0, AUDIO_SETUP), tag(Kind::Audio, 5_000, SOUND)] {
        lineup.push(&tag).unwrap();
    }
    lineup.restart();
    for tag in [announcing(true, false), tag(Kind::Video, 0, VIDEO_SETUP), tag(Kind::Video, 0, KEY)] {
        lineup.push(&tag).unwrap();
    }
    assert_eq!(described(&mut lineup), "Hm0 Ha5000 Ea5000 Hm0 Hv5001 Ev5001");
}

#[test]
fn an_old_player_waits_for_no_track_that_it_cannot_see() {
    let tags = [
        announcing(true, true),
        tag(Kind::Video, 0, b"\x90hvc1hvcC"),
        tag(Kind::Audio, 0, AUDIO_SETUP),
        tag(Kind::Audio, 0, SOUND),
    ];
    assert_eq!(line_up(&tags), "Hm0 Ha0 Ea0");
}

#[test]
fn a_live_stream_has_neither_length_nor_size() {
    let number =
        |name: &[u8], value: f64| [&[0, name.len() as u8][..], name, &[0], &value.to_be_bytes()].concat();
    let fields = |duration, size| {
        let all = [number(b"duration", duration), number(b"width", 640.0), number(b"filesize", size)];
        [b"\x02\0\x0aonMetaData\x08\0\0\0\x03".to_vec(), all.concat(), b"\0\0\x09".to_vec()].concat()
    };
    let mut lineup = Lineup::new(View::Old);
    for tag in [
        tag(Kind::Script, 0, &fields(6.0, 1e6)),
        tag(Kind::Video, 0, VIDEO_SETUP),
        tag(Kind::Audio, 0, AUDIO_SETUP),
        tag(Kind::Video, 0, KEY),
    ] {
        lineup.push(&tag).unwrap();
    }
    assert_eq!(lineup.poll().unwrap().tag.payload, fields(0.0, 0.0));
}
