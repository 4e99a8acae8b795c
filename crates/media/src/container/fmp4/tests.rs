use super::{Config, Output, Part, Segmenter};
use crate::{Codec, Frame, Item, Span, Tags, Timebase, Timestamp, TrackId, TrackInfo};
use bytes::Bytes;
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

fn frame(track: u32, at: i64, key: bool) -> Frame {
    let at = Timestamp(at);
    Frame { track: TrackId(track), dts: at, pts: at, span: Span(0), key, data: Bytes::from_static(&[1; 40]) }
}
