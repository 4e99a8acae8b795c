//! Enhanced tags as `scuffle-flv` reads them, which other people wrote.

use bytes::Bytes;
use levada_media::container::flv::tag::{FourCc, Kind, Packet, Tag, View, What, packets};
use proptest::prelude::*;
use scuffle_flv::{
    audio::{
        AudioData,
        body::{
            AudioTagBody,
            enhanced::{AudioPacket, ExAudioTagBody},
        },
    },
    video::{
        VideoData,
        body::{
            VideoTagBody,
            enhanced::{ExVideoTagBody, VideoPacket, VideoPacketCodedFrames, VideoPacketSequenceStart},
        },
        header::VideoFrameType,
    },
};
use std::io::Cursor;

/// What both can say of a packet: track, codec, setup or frame, composition time, bytes.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    track: u8,
    fourcc: [u8; 4],
    what: What,
    data: Bytes,
}

fn ours(tag: &Tag) -> Vec<Said> {
    let said = |packet: Packet| Said {
        track: packet.track,
        fourcc: packet.fourcc.unwrap().0,
        what: packet.what,
        data: packet.data,
    };
    packets(tag).map(|packet| said(packet.unwrap())).collect()
}

fn theirs(tag: &Tag) -> Vec<Said> {
    let mut cursor = Cursor::new(tag.payload.clone());
    match tag.kind {
        Kind::Video => {
            let data = VideoData::demux(&mut cursor).unwrap();
            let key = data.header.frame_type == VideoFrameType::KeyFrame;
            let VideoTagBody::Enhanced(body) = data.body else { panic!("not enhanced") };
            let said = |track, fourcc, packet| video(track, fourcc, key, packet);
            match body {
                ExVideoTagBody::NoMultitrack { video_four_cc, packet } => {
                    vec![said(0, video_four_cc.0, packet)]
                }
                ExVideoTagBody::ManyTracks(tracks) => tracks
                    .into_iter()
                    .map(|track| said(track.video_track_id, track.video_four_cc.0, track.packet))
                    .collect(),
                ExVideoTagBody::Command => Vec::new(),
            }
        }
        _ => {
            let AudioTagBody::Enhanced(body) = AudioData::demux(&mut cursor).unwrap().body else {
                panic!("not enhanced")
            };
            match body {
                ExAudioTagBody::NoMultitrack { audio_four_cc, packet } => {
                    vec![audio(0, audio_four_cc.0, packet)]
                }
                ExAudioTagBody::ManyTracks(tracks) => tracks
                    .into_iter()
                    .map(|track| audio(track.audio_track_id, track.audio_four_cc.0, track.packet))
                    .collect(),
            }
        }
    }
}

fn video(track: u8, fourcc: [u8; 4], key: bool, packet: VideoPacket<'_>) -> Said {
    let frame = |composition| What::Frame { key, composition };
    let (what, data) = match packet {
        VideoPacket::SequenceStart(VideoPacketSequenceStart::Other(data)) => (What::Setup, data),
        VideoPacket::CodedFrames(VideoPacketCodedFrames::Other(data)) => (frame(0), data),
        VideoPacket::CodedFramesX { data } => (frame(0), data),
        VideoPacket::CodedFrames(
            VideoPacketCodedFrames::Hevc { composition_time_offset, data }
            | VideoPacketCodedFrames::Avc { composition_time_offset, data },
        ) => (frame(composition_time_offset), data),
        VideoPacket::SequenceEnd => (What::End, Bytes::new()),
        other => panic!("{other:?}"),
    };
    Said { track, fourcc, what, data }
}

fn audio(track: u8, fourcc: [u8; 4], packet: AudioPacket) -> Said {
    let (what, data) = match packet {
        AudioPacket::SequenceStart { header_data } => (What::Setup, header_data),
        AudioPacket::CodedFrames { data } => (What::Frame { key: true, composition: 0 }, data),
        AudioPacket::SequenceEnd => (What::End, Bytes::new()),
        other => panic!("{other:?}"),
    };
    Said { track, fourcc, what, data }
}

/// Codecs whose setup is mere bytes to them.
fn any_packet(kind: Kind) -> impl Strategy<Value = Packet> {
    let (codecs, frames_only): (Vec<FourCc>, _) = match kind {
        Kind::Video => (vec![FourCc::VP9, FourCc::VP8], vec![FourCc::AV1, FourCc::HEVC]),
        _ => (vec![FourCc::OPUS, FourCc::FLAC, FourCc::AC3], vec![]),
    };
    let any_codec = prop::sample::select([codecs.clone(), frames_only].concat());
    let composition = -8_388_608..8_388_608i32;
    let frame = (any_codec, any::<bool>(), composition).prop_map(move |(codec, key, composition)| {
        let composition = if codec.has_composition_time() { composition } else { 0 };
        (codec, What::Frame { key: key || kind == Kind::Audio, composition })
    });
    let other = (prop::sample::select(codecs), prop::bool::ANY)
        .prop_map(|(codec, setup)| (codec, if setup { What::Setup } else { What::End }));
    let data = prop::collection::vec(any::<u8>(), 0..300);
    (prop_oneof![frame, other], 0u8..4, data).prop_map(|((fourcc, what), track, data)| {
        let data = if what == What::End { Bytes::new() } else { Bytes::from(data) };
        Packet { track, codec: fourcc.codec(), fourcc: Some(fourcc), what, nanos: 0, data }
    })
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Video), Just(Kind::Audio)]
}

/// The tag with an extension before its packet type: seven nanoseconds, or `size` bytes of something unknown.
fn extended(kind: Kind, payload: &[u8], size: usize) -> Vec<u8> {
    let (flags, packet_type) = (payload[0] & 0xf0, payload[0] & 15);
    assert!(kind != Kind::Script);
    let extension = match size {
        0 => vec![2, 0, 0, 7, packet_type],
        1..=255 => [vec![size as u8 - 1], vec![9; size], vec![0xf0 | packet_type]].concat(),
        _ => {
            let long = (size as u16 - 1).to_be_bytes();
            [vec![255], long.to_vec(), vec![9; size], vec![0xf0 | packet_type]].concat()
        }
    };
    [vec![flags | 7], extension, payload[1..].to_vec()].concat()
}

/// Several packets in one tag, each with its own codec.
fn many(kind: Kind, packets: &[Packet]) -> Vec<u8> {
    let payloads = packets.iter().map(|packet| View::Multitrack.write(kind, packet).unwrap());
    let mut out = Vec::new();
    for (packet, payload) in packets.iter().zip(payloads) {
        // a single tag has its letters at 1; one of a multitrack tag has a byte more before them and the track after
        let body = if packet.track == 0 { &payload[5..] } else { &payload[7..] };
        if out.is_empty() {
            let packet_type = if packet.track == 0 { payload[0] & 15 } else { payload[1] & 15 };
            let multitrack = if kind == Kind::Video { 6 } else { 5 };
            out.extend([payload[0] & 0xf0 | multitrack, 0x20 | packet_type]);
        }
        out.extend(packet.fourcc.unwrap().0);
        out.push(packet.track);
        out.extend(&(body.len() as u32).to_be_bytes()[1..]);
        out.extend(body);
    }
    out
}

proptest! {
    #[test]
    fn what_we_write_both_read_alike(
        (kind, packet) in any_kind().prop_flat_map(|kind| any_packet(kind).prop_map(move |packet| (kind, packet))),
        extension in prop_oneof![0usize..20, 250usize..400],
    ) {
        let payload = View::Multitrack.write(kind, &packet).unwrap();
        let plain = Tag { kind, timestamp: 0, payload };
        let said = Said {
            track: packet.track,
            fourcc: packet.fourcc.unwrap().0,
            what: packet.what,
            data: packet.data.clone(),
        };
        prop_assert_eq!(ours(&plain), vec![said.clone()]);
        prop_assert_eq!(theirs(&plain), vec![said.clone()]);
        let extended = Tag { payload: extended(kind, &plain.payload, extension).into(), ..plain };
        prop_assert_eq!(ours(&extended), vec![said.clone()]);
        prop_assert_eq!(theirs(&extended), vec![said]);
    }

    #[test]
    fn many_tracks_are_read_alike(
        (kind, packets) in any_kind().prop_flat_map(|kind| {
            prop::collection::vec(any_packet(kind), 1..5).prop_map(move |packets| (kind, packets))
        }),
    ) {
        // the packet type and the frame type are those of the whole tag
        let first = packets[0].what;
        let same = |packet: &&Packet| match (packet.what, first) {
            (What::Frame { key, .. }, What::Frame { key: other, .. }) => key == other,
            (what, first) => what == first && what != What::End,
        };
        let packets: Vec<_> = packets.iter().filter(same).cloned().collect();
        prop_assume!(!packets.is_empty());
        let tag = Tag { kind, timestamp: 0, payload: many(kind, &packets).into() };
        prop_assert_eq!(ours(&tag).len(), packets.len());
        prop_assert_eq!(ours(&tag), theirs(&tag));
    }
}
