//! A clip in a loop is one stream: it decodes in silence, lasts as long as its rounds, and can be joined anywhere.

use crate::{
    clip::{ALL, Clip, Stream},
    player,
};
use levada_media::{Page, Role, Splice};
use std::time::Duration;

#[test]
fn three_rounds_decode_in_silence_and_last_three_times_as_long() {
    let streams: Vec<Vec<u8>> = ALL.iter().map(|clip| bytes(&rounds(*clip, 3).0)).collect();
    let complaints = player::complaints(&streams);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (clip, stream) in ALL.iter().zip(&streams) {
        let (one, three) =
            (times(&player::list(&clip.file(), PACKETS)), times(&player::probe(PACKETS, stream)));
        assert_eq!(three.len(), 3 * one.len(), "{clip:?}");
        let (once, thrice) = (length(&one), length(&three));
        assert!((thrice - 3.0 * once).abs() < 0.25, "{clip:?} lasts {once}, in three rounds {thrice}");
    }
}

#[test]
fn time_grows_over_the_rounds_by_what_each_is_said_to_last() {
    for clip in ALL {
        let (pages, round) = rounds(*clip, 3);
        let times: Vec<Duration> = pages.iter().filter_map(|page| page.at).collect();
        assert!(times.is_sorted(), "{clip:?}");
        let seconds = round.as_secs_f64();
        assert!((2.9..3.2).contains(&seconds), "{clip:?}: a round of {round:?}");
        let all = (times[times.len() - 1] - times[0]).as_secs_f64();
        assert!((all - 3.0 * seconds).abs() < 0.2, "{clip:?}: {all} in three rounds of {round:?}");
        let headers = pages.iter().filter(|page| page.role == Role::Header).count();
        let (first, _) = rounds(*clip, 1);
        assert_eq!(headers, first.iter().filter(|page| page.role == Role::Header).count(), "{clip:?}");
    }
}

#[test]
fn a_loop_can_be_joined_in_its_second_round() {
    let joined = |clip: &Clip| {
        let (pages, _) = rounds(*clip, 3);
        let second = bytes(&pages[..pages.len() / 3]).len() - 1;
        let stream = Stream::cut(clip.format, &bytes(&pages));
        let mut passed = 0;
        let passes = |page: &Page| {
            passed += page.bytes.len();
            passed > second
        };
        stream.joined_at(stream.pages.iter().position(passes).unwrap()).unwrap()
    };
    let streams: Vec<Vec<u8>> = ALL.iter().map(joined).collect();
    let complaints = player::complaints(&streams);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The pages of `count` rounds, and how long the last is said to be.
fn rounds(clip: Clip, count: usize) -> (Vec<Page>, Duration) {
    let file = clip.bytes();
    let mut splice = Splice::new(clip.format).unwrap();
    let mut pages = Vec::new();
    for _ in 0..count {
        for piece in file.chunks(1000) {
            splice.push(piece);
            pages.extend(std::iter::from_fn(|| splice.poll()));
        }
        splice.rewind();
    }
    pages.extend(std::iter::from_fn(|| splice.poll()));
    (pages, splice.round().unwrap())
}

fn bytes(pages: &[Page]) -> Vec<u8> {
    pages.iter().flat_map(|page| page.bytes.to_vec()).collect()
}

/// When each packet is shown, in seconds.
fn times(table: &str) -> Vec<f64> {
    table
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect()
}

fn length(frames: &[f64]) -> f64 {
    frames.iter().copied().fold(f64::MIN, f64::max) - frames.iter().copied().fold(f64::MAX, f64::min)
}

/// What tells when the packets of the first track are shown.
const PACKETS: &[&str] = &["-select_streams", "0", "-show_entries", "packet=pts_time"];
