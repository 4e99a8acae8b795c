//! Tags by hand, as the specifications and captured streams have them.

use super::*;
use crate::{Codec, Frame, Item, Span, Timebase, Timestamp, TrackId, TrackInfo};
use proptest::prelude::*;

fn tag(kind: Kind, timestamp: u32, payload: &[u8]) -> Tag {
    Tag { kind, timestamp, payload: Bytes::copy_from_slice(payload) }
}

fn one(tag: &Tag) -> Packet {
    let mut all = packets(tag);
    let packet = all.next().expect("a packet").expect("a good one");
    assert!(all.next().is_none());
    packet
}

fn read_all(reader: &mut Reader) -> Vec<Item> {
    std::iter::from_fn(|| reader.poll()).collect()
}

fn frames(items: &[Item]) -> Vec<&Frame> {
    items.iter().filter_map(|item| if let Item::Frame(frame) = item { Some(frame) } else { None }).collect()
}

#[test]
fn old_avc_and_aac_headers_are_read_as_ffmpeg_sends_them() {
    let setup = one(&tag(Kind::Video, 0, &[0x17, 0, 0, 0, 0, 1, 100]));
    assert_eq!((setup.codec, setup.what, &setup.data[..]), (Codec::H264, What::Setup, &[1u8, 100][..]));
    let frame = one(&tag(Kind::Video, 0, &[0x27, 1, 0xff, 0xff, 0xec, 9]));
    assert_eq!(frame.what, What::Frame { key: false, composition: -20 });
    let asc = one(&tag(Kind::Audio, 0, &[0xaf, 0, 0x12, 0x10]));
    assert_eq!((asc.codec, asc.what, &asc.data[..]), (Codec::Aac, What::Setup, &[0x12u8, 0x10][..]));
}

#[test]
fn enhanced_headers_name_codec_and_composition_time() {
    let frame = one(&tag(Kind::Video, 0, b"\x91hvc1\0\0\x28data"));
    assert_eq!((frame.codec, frame.what), (Codec::H265, What::Frame { key: true, composition: 40 }));
    let short = one(&tag(Kind::Video, 0, b"\xa3hvc1data"));
    assert_eq!((short.what, &short.data[..]), (What::Frame { key: false, composition: 0 }, &b"data"[..]));
    let av1 = one(&tag(Kind::Video, 0, b"\x91av01data"));
    assert_eq!((av1.codec, &av1.data[..]), (Codec::Av1, &b"data"[..]));
    let opus = one(&tag(Kind::Audio, 0, b"\x90OpusOpusHead"));
    assert_eq!((opus.codec, opus.what, &opus.data[..]), (Codec::Opus, What::Setup, &b"OpusHead"[..]));
}

#[test]
fn extensions_before_the_packet_type_are_stepped_over() {
    // three bytes of nanoseconds, then CodedFramesX
    let nano = one(&tag(Kind::Video, 0, b"\x97\x02\x00\x01\x00\x03av01data"));
    assert_eq!((nano.nanos, nano.codec, &nano.data[..]), (256, Codec::Av1, &b"data"[..]));
    // 256 bytes or more: the size comes again in two bytes; the extension's type 5 is unknown
    let mut long = vec![0x97, 0xff, 0x01, 0x2b];
    long.extend([7; 300]);
    long.push(0x51);
    long.extend(b"av01data");
    assert_eq!(&one(&tag(Kind::Video, 0, &long)).data[..], b"data");
}

#[test]
fn many_tracks_with_many_codecs_come_apart() {
    let payload = b"\x96\x21avc1\0\0\0\x05\0\0\x0aABav01\x01\0\0\x01C";
    let all: Vec<_> = packets(&tag(Kind::Video, 0, payload)).map(Result::unwrap).collect();
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].codec, all[0].track, &all[0].data[..]), (Codec::H264, 0, &b"AB"[..]));
    assert_eq!(all[0].what, What::Frame { key: true, composition: 10 });
    assert_eq!((all[1].codec, all[1].track, &all[1].data[..]), (Codec::Av1, 1, &b"C"[..]));
}

#[test]
fn an_old_player_is_shown_the_default_track_in_old_tags() {
    let many = tag(Kind::Video, 7, b"\x96\x21av01\x01\0\0\x01Cavc1\0\0\0\x05\0\0\x0aAB");
    let shown = View::Old.show(&many).unwrap().expect("track 0 is H.264");
    assert_eq!((shown.timestamp, &shown.payload[..]), (7, &[0x17u8, 1, 0, 0, 10, b'A', b'B'][..]));
    let hevc = tag(Kind::Video, 0, b"\x91hvc1\0\0\0data");
    assert_eq!(View::Old.show(&hevc).unwrap(), None);
    assert_eq!(View::Enhanced.show(&hevc).unwrap(), Some(hevc));
    let aac = tag(Kind::Audio, 0, b"\x91mp4aX");
    assert_eq!(&View::Old.show(&aac).unwrap().unwrap().payload[..], &[0xaf, 1, b'X']);
    let second = tag(Kind::Audio, 0, b"\x95\x01mp4a\x01X");
    assert_eq!(View::Enhanced.show(&second).unwrap(), None);
    assert_eq!(View::Multitrack.show(&second).unwrap(), Some(second));
}

#[test]
fn tracks_are_announced_when_they_come_and_when_they_change() {
    let mut reader = Reader::new();
    let setup = tag(Kind::Video, 0, &[0x17, 0, 0, 0, 0, 1]);
    reader.push(&setup).unwrap();
    reader.push(&setup).unwrap();
    reader.push(&tag(Kind::Audio, 0, &[0xaf, 0, 0x12, 0x10])).unwrap();
    reader.push(&tag(Kind::Video, 0, &[0x17, 0, 0, 0, 0, 2])).unwrap();
    let counts: Vec<_> = read_all(&mut reader)
        .iter()
        .map(|item| if let Item::Tracks(tracks) = item { tracks.len() } else { panic!("{item:?}") })
        .collect();
    assert_eq!(counts, [1, 2, 2]);
}

#[test]
fn frames_without_their_configuration_are_counted_not_passed() {
    let mut reader = Reader::new();
    reader.push(&tag(Kind::Video, 0, &[0x17, 1, 0, 0, 0, 9])).unwrap();
    reader.push(&tag(Kind::Audio, 0, &[0x2f, 1, 2])).unwrap();
    let items = read_all(&mut reader);
    assert_eq!((reader.orphans(), frames(&items).len()), (1, 1));
    assert!(matches!(&items[0], Item::Tracks(tracks) if tracks[0].codec == Codec::Mp3));
}

#[test]
fn time_goes_on_over_the_wrap_and_a_source_that_starts_again() {
    let mut reader = Reader::new();
    for at in [u32::MAX - 10, 10, 30] {
        reader.push(&tag(Kind::Audio, at, &[0x2f, 1])).unwrap();
    }
    reader.restart();
    for at in [0, 20] {
        reader.push(&tag(Kind::Audio, at, &[0x2f, 1])).unwrap();
    }
    let items = read_all(&mut reader);
    let first = i64::from(u32::MAX) - 10;
    let times: Vec<_> = frames(&items).iter().map(|frame| frame.dts.0 - first).collect();
    assert_eq!(times, [0, 21, 41, 42, 62]);
}

#[test]
fn a_step_back_without_notice_is_a_new_beginning_but_interleaving_is_not() {
    let mut timeline = Timeline::default();
    let placed: Vec<_> = [60_000, 59_000, 60_020, 0, 20].map(|raw| timeline.place(raw).0).to_vec();
    assert_eq!(placed, [60_000, 59_000, 60_020, 60_021, 60_041]);
}

#[test]
fn too_many_tracks_and_too_large_configurations_are_refused() {
    let mut reader = Reader::new();
    let mut last = Ok(());
    for track in 0..=MAX_TRACKS as u8 {
        last = reader.push(&tag(Kind::Audio, 0, &[b"\x95\x00Opus", &[track][..], b"OpusHead"].concat()));
    }
    assert_eq!(last, Err(Error::Tracks));
    let large = [&[0xaf, 0][..], &vec![0; MAX_SETUP + 1]].concat();
    assert_eq!(Reader::new().push(&tag(Kind::Audio, 0, &large)), Err(Error::Setup(MAX_SETUP + 1)));
}

fn info(id: u32, codec: Codec, setup: &'static [u8]) -> TrackInfo {
    TrackInfo { id: TrackId(id), codec, timebase: Timebase::MILLIS, setup: Bytes::from_static(setup) }
}

#[test]
fn what_is_written_is_read_again() {
    let tracks = [
        info(0, Codec::H265, b"hvcC"),
        info(1, Codec::H264, b"avcC"),
        info(256, Codec::Opus, b"OpusHead"),
        info(257, Codec::Aac, b"\x12\x10"),
        info(258, Codec::Flac, b"fLaC"),
    ];
    let frame = |id: u32, at: i64, shift: i64, key| Frame {
        track: TrackId(id),
        dts: Timestamp(at),
        pts: Timestamp(at + shift),
        span: Span(0),
        key,
        data: Bytes::from(format!("frame {id} {at}")),
    };
    let mut sent = vec![frame(0, 10, 40, true), frame(1, 12, -3, false)];
    sent.extend([frame(256, 13, 0, true), frame(257, 14, 0, true), frame(258, 15, 0, true)]);
    let mut writer = Writer::new(View::Multitrack);
    writer.push(&Item::Tracks(tracks.clone().into())).unwrap();
    for frame in &sent {
        writer.push(&Item::Frame(frame.clone())).unwrap();
    }
    let mut reader = Reader::new();
    while let Some(tag) = writer.poll() {
        reader.push(&tag).unwrap();
    }
    let items = read_all(&mut reader);
    assert_eq!(frames(&items), sent.iter().collect::<Vec<_>>());
    let last = items.iter().rev().find_map(|i| if let Item::Tracks(t) = i { Some(t.clone()) } else { None });
    assert_eq!(&last.unwrap()[..], &tracks[..]);
}

#[test]
fn an_old_view_leaves_out_what_it_cannot_carry_and_refuses_when_nothing_is_left() {
    let mut writer = Writer::new(View::Old);
    let both = [info(0, Codec::H265, b"hvcC"), info(1, Codec::Aac, b"\x12\x10")];
    writer.push(&Item::Tracks(both.clone().into())).unwrap();
    let kinds: Vec<_> = std::iter::from_fn(|| writer.poll()).map(|tag| tag.kind).collect();
    assert_eq!(kinds, [Kind::Script, Kind::Audio]);
    assert!(writer.push(&Item::Tracks(both[..1].into())).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_panic(kind in 0u8..3, at: u32, payload: Vec<u8>) {
        let kind = [Kind::Audio, Kind::Video, Kind::Script][usize::from(kind)];
        let tag = tag(kind, at, &payload);
        let mut reader = Reader::new();
        let _ = reader.push(&tag);
        let _ = (tag.is_setup(), tag.is_key_picture());
        for view in [View::Old, View::Enhanced, View::Multitrack] {
            if let Ok(Some(shown)) = view.show(&tag) {
                let _ = packets(&shown).count();
            }
        }
    }
}
