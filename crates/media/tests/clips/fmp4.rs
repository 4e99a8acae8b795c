//! Fragments made of the clips are what ffprobe finds in the clips.

use crate::{
    clip::{ALL, Clip, demuxer},
    player,
};
use levada_media::{
    Item, Kind,
    container::fmp4::{self, Output, Segmenter},
};

#[test]
fn fragments_play_without_a_word_and_keep_every_packet_and_its_time() {
    let mut seen = 0;
    for clip in ALL.iter().filter(|clip| !clip.path.contains("layer2") && !clip.path.contains("mp2")) {
        let items = items(*clip);
        let Some(kinds) = carried(&items) else { continue };
        seen += 1;
        let out = segments(&items);
        let file: Vec<u8> = bytes(&out).concat();
        assert_eq!(player::complaints(std::slice::from_ref(&file)), Vec::<String>::new(), "{clip:?}");
        for (kind, index) in kinds {
            let ours =
                times(&player::probe(&["-select_streams", &index.to_string(), SHOW[0], SHOW[1]], &file));
            let theirs = frames(&items, kind);
            assert_eq!(ours.len(), theirs.len(), "{clip:?} {kind:?}");
            for (n, (our, their)) in ours.iter().zip(&theirs).enumerate() {
                let (our, their) = (our - ours[0], their - theirs[0]);
                assert!((our - their).abs() < 0.0025, "{clip:?} {kind:?} packet {n}: {our} {their}");
            }
        }
    }
    assert!(seen >= 8, "{seen} clips have what fragments carry");
}

#[test]
fn segments_of_pictures_begin_with_key_frames_and_parts_add_up() {
    for clip in ALL.iter().filter(|clip| clip.path.contains("h264")) {
        let out = segments(&items(*clip));
        let (mut begins, mut first) = (true, true);
        for out in &out {
            match out {
                Output::Part(part) => {
                    assert!(!begins || part.independent, "{clip:?}");
                    assert!(first || part.duration.as_millis() <= 240, "{clip:?}");
                    first = false;
                    begins = false;
                }
                Output::End => begins = true,
                _ => {}
            }
        }
    }
}

fn items(clip: Clip) -> Vec<Item> {
    let mut demux = demuxer(clip.format);
    demux.push(&clip.bytes());
    demux.finish();
    std::iter::from_fn(|| demux.poll().unwrap()).collect()
}

fn segments(items: &[Item]) -> Vec<Output> {
    let mut segmenter = Segmenter::new(fmp4::Config::default());
    items.iter().for_each(|item| segmenter.push(item));
    segmenter.restart();
    std::iter::from_fn(|| segmenter.poll()).collect()
}

fn bytes(out: &[Output]) -> Vec<&[u8]> {
    out.iter()
        .filter_map(|out| match out {
            Output::Init(bytes) => Some(&bytes[..]),
            Output::Part(part) => Some(&part.bytes[..]),
            _ => None,
        })
        .collect()
}

/// The kinds of the tracks that are carried, with their places in the fragments, if there are any.
fn carried(items: &[Item]) -> Option<Vec<(Kind, usize)>> {
    let tracks =
        items.iter().rev().find_map(|item| if let Item::Tracks(all) = item { Some(all) } else { None })?;
    let fit = tracks.iter().filter(|track| fmp4::carries(track.codec));
    let kinds: Vec<_> = fit.enumerate().map(|(n, track)| (track.codec.kind(), n)).collect();
    (!kinds.is_empty()).then_some(kinds)
}

fn frames(items: &[Item], kind: Kind) -> Vec<f64> {
    let mut tracks = Vec::new();
    let mut times = Vec::new();
    for item in items {
        match item {
            Item::Tracks(all) => tracks = all.to_vec(),
            Item::Frame(frame) => {
                let track = tracks.iter().find(|track| track.id == frame.track).unwrap();
                if track.codec.kind() == kind {
                    let base = track.timebase;
                    times.push(frame.pts.0 as f64 * f64::from(base.num) / f64::from(base.den));
                }
            }
            _ => {}
        }
    }
    times
}

fn times(table: &str) -> Vec<f64> {
    table.lines().filter_map(|line| line.split(',').next()?.trim().parse().ok()).collect()
}

const SHOW: [&str; 2] = ["-show_entries", "packet=pts_time"];
