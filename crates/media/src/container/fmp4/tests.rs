use super::{Config, Demux, Output, Part, Segmenter};
use crate::{Codec, Demux as _, Frame, Item, Span, Tags, Timebase, Timestamp, TrackId, TrackInfo};
use bytes::Bytes;
use mp4_atom::{Decode, FourCC};
use std::{sync::Arc, time::Duration};

#[test]
fn sound_is_cut_by_time() {
    let mut segmenter = sounding(&[sound(0)]);
    let out = feed(&mut segmenter, (0..200).map(|n| frame(0, n * 1024, true)));
    assert!(matches!(out[0], Output::Init(_)));
    let parts = parts(&out);
    assert!(parts.iter().skip(1).all(|part| part.duration <= Duration::from_millis(211) && part.independent));
    let ends = out.iter().filter(|out| **out == Output::End).count();
    assert_eq!(ends, 2, "200 frames of 21.3 ms are two segments and a bit");
    assert!(!out.contains(&Output::Break));
}

#[test]
fn the_same_items_give_the_same_bytes() {
    let items = || (0..100).map(|n| frame(0, n * 1024, true));
    assert_eq!(feed(&mut sounding(&[sound(0)]), items()), feed(&mut sounding(&[sound(0)]), items()));
}

#[test]
fn a_jump_of_time_breaks_the_stream() {
    let times = (0..60).map(|n| n * 1024).chain((0..60).map(|n| n * 1024));
    let out = feed(&mut sounding(&[sound(0)]), times.map(|at| frame(0, at, true)));
    let at = out.iter().position(|out| *out == Output::Break).unwrap();
    assert_eq!(out[at - 1], Output::End);
    let Output::Part(part) = &out[at + 1] else { panic!("the same initialization is not said again") };
    assert_eq!(part.at, Duration::ZERO);
}

#[test]
fn another_source_with_the_same_tracks_breaks_the_stream() {
    let mut segmenter = sounding(&[sound(0)]);
    feed(&mut segmenter, (0..30).map(|n| frame(0, n * 1024, true)));
    segmenter.restart();
    segmenter.push(&Item::Tracks(Arc::new([sound(0)])));
    let out = feed(&mut segmenter, (0..30).map(|n| frame(0, n * 1024, true)));
    assert!(out.contains(&Output::Break));
    assert!(!out.iter().any(|out| matches!(out, Output::Init(_))));
}

#[test]
fn pictures_that_never_come_do_not_hold_the_sound() {
    let mut segmenter = sounding(&[pictures(1), sound(0)]);
    let out = feed(&mut segmenter, (0..1200).map(|n| frame(0, n * 1024, true)));
    let heard: Duration = parts(&out).iter().map(|part| part.duration).sum();
    assert!(heard > Duration::from_secs(10), "{heard:?}");
}

#[test]
fn a_title_is_told_when_it_comes_and_in_every_segment() {
    let mut segmenter = sounding(&[sound(0)]);
    let before = feed(&mut segmenter, (0..30).map(|n| frame(0, n * 1024, true)));
    segmenter.push(&Item::Tags(Arc::new(Tags::titled("A tune"))));
    let after = feed(&mut segmenter, (30..300).map(|n| frame(0, n * 1024, true)));
    let told = |part: &Part| part.bytes[4..8] == *b"emsg" && part.bytes.windows(6).any(|at| at == b"A tune");
    assert!(!parts(&before).iter().any(told));
    let ends = after.iter().filter(|out| **out == Output::End).count();
    assert_eq!(parts(&after).iter().filter(|part| told(part)).count(), 1 + ends);
}

#[test]
fn times_at_the_edges_do_not_panic() {
    for at in [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX] {
        let mut segmenter = sounding(&[sound(0)]);
        feed(
            &mut segmenter,
            [frame(0, at, true), frame(0, 5, true), frame(0, at, true), frame(0, i64::MIN, true)],
        );
        segmenter.restart();
    }
}

#[test]
fn what_is_written_is_read_again_in_any_pieces() {
    let mut segmenter = sounding(&[film(1), sound(0)]);
    segmenter.push(&Item::Tags(Arc::new(Tags::titled("A tune"))));
    let frames: Vec<Frame> = (0..150)
        .flat_map(|n| {
            let picture = Frame { pts: Timestamp(n * 40 + 80), ..numbered(1, n * 40, n % 50 == 0, n) };
            [picture, numbered(0, n * 1_920, true, n)]
        })
        .collect();
    let mut out = feed(&mut segmenter, frames.iter().cloned());
    segmenter.restart();
    out.extend(std::iter::from_fn(|| segmenter.poll()));
    let bytes = joined(&out);
    let read = |size: usize| {
        let (mut demux, mut items) = (Demux::new(), Vec::new());
        for piece in bytes.chunks(size) {
            demux.push(piece);
            items.extend(std::iter::from_fn(|| demux.poll().unwrap()));
        }
        items
    };
    let items = read(bytes.len());
    assert_eq!(items, read(7));
    let Item::Tracks(tracks) = &items[0] else { panic!("tracks come first") };
    let told: Vec<_> = tracks.iter().map(|track| (track.codec, track.setup.clone())).collect();
    assert_eq!(told, [(Codec::H264, film(1).setup), (Codec::Aac, sound(0).setup)]);
    assert_eq!(items[1], Item::Tags(Arc::new(Tags::titled("A tune"))), "once, though every segment tells it");
    for (id, scale, track) in [(1, 90, 1), (2, 1, 0)] {
        let sent = frames.iter().filter(|frame| frame.track.0 == track);
        let sent = sent.map(|f| (f.dts.0 * scale, f.pts.0 * scale, f.key, f.data.clone()));
        let came = items.iter().filter_map(|item| match item {
            Item::Frame(f) if f.track.0 == id => Some((f.dts.0, f.pts.0, f.key, f.data.clone())),
            _ => None,
        });
        assert!(sent.eq(came), "the frames of track {id}");
    }
}

#[test]
fn another_reader_finds_the_same_in_the_boxes() {
    let mut segmenter = sounding(&[film(1), sound(0)]);
    let frames =
        (0..100).flat_map(|n| [numbered(1, n * 40, n % 50 == 0, n), numbered(0, n * 1_920, true, n)]);
    let out = feed(&mut segmenter, frames);
    let Output::Init(init) = &out[0] else { panic!("an initialization comes first") };
    let mut rest = &init[..];
    let brand = mp4_atom::Ftyp::decode(&mut rest).unwrap().major_brand;
    let moov = mp4_atom::Moov::decode(&mut rest).unwrap();
    assert_eq!((brand, moov.trak.len(), rest.len()), (FourCC::new(b"iso6"), 2, 0));
    let codecs: Vec<_> = moov.trak.iter().map(|trak| &trak.mdia.minf.stbl.stsd.codecs[0]).collect();
    assert!(matches!(codecs[..], [mp4_atom::Codec::Avc1(_), mp4_atom::Codec::Mp4a(_)]), "{codecs:?}");
    let scales = moov.trak.iter().map(|trak| trak.mdia.mdhd.timescale);
    assert!(scales.eq([90_000, 48_000]));
    let (mut numbers, mut time) = (1.., [0, 0]);
    for part in parts(&out) {
        let mut rest = &part.bytes[..];
        let moof = mp4_atom::Moof::decode(&mut rest).unwrap();
        assert_eq!(Some(moof.mfhd.sequence_number), numbers.next());
        let mut data = part.bytes.len() - rest.len() + 8;
        for traf in &moof.traf {
            let time = &mut time[traf.tfhd.track_id as usize - 1];
            assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, *time);
            let [run] = &traf.trun[..] else { panic!("one run a track") };
            assert_eq!(run.data_offset, Some(data as i32));
            for sample in &run.samples {
                *time += u64::from(sample.duration.unwrap());
                data += sample.size.unwrap() as usize;
            }
        }
        assert_eq!(data, part.bytes.len(), "every byte of the data is some sample's");
    }
}

#[test]
fn damage_is_left_out_and_the_next_segment_is_read() {
    let mut segmenter = sounding(&[sound(0)]);
    let out = feed(&mut segmenter, (0..200).map(|n| numbered(0, n * 1024, true, n)));
    let (init, parts) = (joined(&out[..1]), parts(&out));
    let mut demux = Demux::new();
    demux.push(&init);
    demux.push(&parts[0].bytes[..parts[0].bytes.len() - 10]);
    assert!(matches!(demux.poll(), Ok(Some(Item::Tracks(_)))));
    assert_eq!(demux.poll(), Ok(None));
    demux.segment();
    demux.push(&parts[1].bytes);
    assert!(matches!(demux.poll(), Ok(Some(Item::Frame(_)))));
    demux.segment();
    demux.push(b"<html>no such file</html>");
    assert!(std::iter::from_fn(|| demux.poll().transpose()).any(|item| item.is_err()));
    demux.segment();
    demux.push(&parts[2].bytes);
    assert!(matches!(demux.poll(), Ok(Some(Item::Frame(_)))));
}

#[test]
fn boxes_within_boxes_within_boxes_do_no_harm() {
    let deep: Vec<u8> =
        (1..=100_000u32).rev().flat_map(|n| [&(n * 8).to_be_bytes()[..], b"moov"].concat()).collect();
    let mut demux = Demux::new();
    demux.push(&deep);
    assert_eq!(demux.poll(), Ok(None));
}

fn sounding(tracks: &[TrackInfo]) -> Segmenter {
    let mut segmenter = Segmenter::new(Config::default());
    segmenter.push(&Item::Tracks(tracks.into()));
    segmenter
}

fn feed(segmenter: &mut Segmenter, frames: impl IntoIterator<Item = Frame>) -> Vec<Output> {
    let mut out = Vec::new();
    for frame in frames {
        segmenter.push(&Item::Frame(frame));
        out.extend(std::iter::from_fn(|| segmenter.poll()));
    }
    out
}

fn parts(out: &[Output]) -> Vec<Part> {
    let part = |out: &Output| if let Output::Part(part) = out { Some(part.clone()) } else { None };
    out.iter().filter_map(part).collect()
}

fn sound(id: u32) -> TrackInfo {
    let setup = Bytes::from_static(&[0x11, 0x90]); // AAC-LC, 48 kHz, stereo
    TrackInfo { id: TrackId(id), codec: Codec::Aac, timebase: Timebase::hz(48_000), setup }
}

fn pictures(id: u32) -> TrackInfo {
    TrackInfo { id: TrackId(id), codec: Codec::H264, timebase: Timebase::MILLIS, setup: Bytes::new() }
}

fn film(id: u32) -> TrackInfo {
    let sps = [
        0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
    ];
    let setup =
        crate::codec::h264::config(&[sps.to_vec().into()], &[Bytes::from_static(&[0x68, 0xeb])]).unwrap();
    TrackInfo { id: TrackId(id), codec: Codec::H264, timebase: Timebase::MILLIS, setup }
}

/// A frame that can be told from others.
fn numbered(track: u32, at: i64, key: bool, number: i64) -> Frame {
    let data = Bytes::from(vec![number as u8 + 1; 30 + number as usize % 7]);
    Frame { data, ..frame(track, at, key) }
}

fn joined(out: &[Output]) -> Vec<u8> {
    let bytes = out.iter().filter_map(|out| match out {
        Output::Init(bytes) => Some(bytes),
        Output::Part(part) => Some(&part.bytes),
        _ => None,
    });
    bytes.flatten().copied().collect()
}

fn frame(track: u32, at: i64, key: bool) -> Frame {
    let at = Timestamp(at);
    Frame { track: TrackId(track), dts: at, pts: at, span: Span(0), key, data: Bytes::from_static(&[1; 40]) }
}
