//! A file in a loop is one endless stream wherever that can be.

use crate::{clips, demux, player};
use levada_media::container::ogg::{self, PageHeader};
use levada_media::{Format, Frame, Page, Role, Splice};
use std::time::Duration;

/// Files that can be joined without a header between.
const SEAMLESS: [&str; 6] = ["vorbis.ogg", "opus.opus", "speex.spx", "theora.ogv", "oggenc.ogg", "vlc.ogv"];

/// The pages of rounds, each a file, and how long the last round was.
fn looped(rounds: &[Vec<u8>]) -> (Vec<Page>, Duration) {
    let mut splice = Splice::new(Format::Ogg).unwrap();
    let mut pages = Vec::new();
    for round in rounds {
        for part in round.chunks(1000) {
            splice.push(part);
            pages.extend(std::iter::from_fn(|| splice.poll()));
        }
        splice.rewind();
    }
    pages.extend(std::iter::from_fn(|| splice.poll()));
    (pages, splice.round().unwrap())
}

fn thrice(name: &str) -> (Vec<Page>, Duration) {
    looped(&vec![clips::clip(name); 3])
}

#[test]
fn rounds_are_joined_without_headers_between() {
    for name in SEAMLESS {
        let (pages, _) = thrice(name);
        let headers = pages.iter().rposition(|page| page.role == Role::Header).unwrap();
        assert!(pages[..headers].iter().all(|page| page.role == Role::Header), "{name}");
        assert!(pages[headers + 1..].iter().all(|page| {
            let header = PageHeader::parse(&page.bytes).unwrap();
            ogg::is_sound(&page.bytes) && !header.first && !header.last
        }));
        crate::rewrite::legal_but_for_the_end(&clips::join(&pages));
        let once: Vec<Frame> = demux::frames(&clips::clip(name));
        let frames = demux::frames(&clips::join(&pages));
        let data = |frames: &[Frame]| -> Vec<(u32, bytes::Bytes)> {
            frames.iter().map(|frame| (frame.track.0, frame.data.clone())).collect()
        };
        let sorted = |mut data: Vec<(u32, bytes::Bytes)>| {
            data.sort_by_key(|(track, _)| *track);
            data
        };
        let want = sorted((0..3).flat_map(|_| data(&once)).collect());
        assert!(sorted(data(&frames)) == want, "{name}: other packets");
    }
}

#[test]
fn time_grows_over_the_rounds() {
    for name in clips::ALL {
        let (pages, round) = thrice(name);
        let times: Vec<Duration> = pages.iter().filter_map(|page| page.at).collect();
        assert!(times.is_sorted(), "{name}");
        let seconds = match name {
            "chain.ogg" => 7,
            "vlc.ogv" => 6,
            _ => 5,
        };
        let near = |time: Duration, seconds| {
            time.abs_diff(Duration::from_secs(seconds)) < Duration::from_millis(150)
        };
        assert!(near(round, seconds), "{name}: a round of {round:?}");
        assert!(near(times[times.len() - 1], 3 * seconds), "{name}: {:?}", times.last());
    }
}

#[test]
fn frames_of_all_tracks_go_on_together() {
    for name in SEAMLESS {
        let (pages, _) = thrice(name);
        let frames = demux::frames(&clips::join(&pages));
        let tracks = demux::timebases(&clips::join(&pages));
        for (track, timebase) in tracks {
            let times: Vec<_> = frames.iter().filter(|frame| frame.track == track).collect();
            let mut longest = Duration::ZERO;
            for pair in times.windows(2).skip(2) {
                assert!(pair[0].pts + pair[0].span <= pair[1].pts, "{name}: {:?}", pair[1].pts);
                longest = longest.max(timebase.duration(pair[1].pts) - timebase.duration(pair[0].pts));
            }
            // VLC's sound is a second shorter than its picture
            let hole = if name == "vlc.ogv" { 1200 } else { 250 };
            assert!(longest < Duration::from_millis(hole), "{name}: a hole of {longest:?}");
        }
    }
}

#[test]
fn a_loop_is_played_in_silence_from_anywhere() {
    let mut streams = Vec::new();
    for name in SEAMLESS.into_iter().filter(|name| *name != "vlc.ogv").chain(["flac.oga"]) {
        let (pages, _) = thrice(name);
        for at in [0, pages.len() / 3 - 1, pages.len() / 2] {
            streams.push((format!("{name} from {at}"), clips::joined_at(&pages, at).unwrap()));
        }
    }
    let complaints = player::complaints(player::PLAY, streams);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn sound_is_as_long_as_its_rounds() {
    for name in ["vorbis.ogg", "opus.opus", "oggenc.ogg"] {
        let once = player::output(player::PCM, &clips::clip(name)).len() as f64;
        let (pages, _) = thrice(name);
        let ratio = player::output(player::PCM, &clips::join(&pages)).len() as f64 / once;
        assert!((2.99..3.03).contains(&ratio), "{name}: {ratio} rounds");
    }
}

#[test]
fn other_files_are_other_links() {
    let (pages, _) = looped(
        &["vorbis.ogg", "opus.opus", "opus.opus", "flac.oga", "flac.oga", "theora.ogv"].map(clips::clip),
    );
    crate::rewrite::legal_but_for_the_end(&clips::join(&pages));
    let links =
        pages.windows(2).filter(|pair| pair[0].role != Role::Header && pair[1].role == Role::Header).count();
    assert_eq!(links, 4, "Opus is joined to Opus; FLAC is not");
    assert!(pages.iter().filter_map(|page| page.at).is_sorted());
}

#[test]
fn a_recording_that_began_late_does_not_make_anybody_wait() {
    let late = clips::pages(&clips::clip("opus.opus"));
    let shifted: Vec<u8> = late
        .iter()
        .flat_map(|page| {
            let header = PageHeader::parse(&page.bytes).unwrap();
            let granule = if header.granule > 0 { header.granule + 48_000 * 1000 } else { header.granule };
            let lacing = page.bytes[27..][..header.segments.into()].to_vec();
            ogg::write(&PageHeader { granule, ..header }, &lacing, &page.bytes[27 + lacing.len()..]).to_vec()
        })
        .collect();
    let (pages, round) = looped(&vec![shifted; 3]);
    assert!(round < Duration::from_secs(6), "{round:?}");
    assert!(pages.iter().filter_map(|page| page.at).all(|at| at < Duration::from_secs(16)));
    let frames = demux::frames(&clips::join(&pages));
    assert!(
        frames.windows(2).all(|pair| pair[0].pts + pair[0].span == pair[1].pts),
        "not one sample between"
    );
}
