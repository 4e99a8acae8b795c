//! Whoever joins at any moment decodes from the first byte on, without a warning.

use crate::{clips, player, rewrite};
use levada_media::container::ogg::{self, PageHeader, Writer};
use levada_media::{Page, Role};

#[test]
fn every_moment_of_every_clip_is_a_good_one_to_join() {
    let clips = clips::ALL.into_iter().filter(|name| *name != "vlc.ogv");
    let streams = clips.flat_map(|name| starts(name, &clips::pages(&clips::clip(name)))).collect();
    play(streams, 120);
}

#[test]
fn every_moment_of_what_vlc_sends_is_a_good_one_once_aligned() {
    // VLC ends each stream with a page that holds an empty packet, at which ffmpeg complains
    let clip = clips::only(&clips::clip("vlc.ogv"), |header| !header.last || header.granule == 0);
    let aligned = rewrite::aligned(&clips::pages(&clip));
    play(starts("vlc.ogv", &aligned), 6);
}

#[test]
fn a_stream_with_new_titles_can_be_joined_anywhere() {
    let retitled = |name| rewrite::retitled(&clips::pages(&clips::clip(name)), &[5, 14]);
    let streams = ["vorbis.ogg", "opus.opus", "flac.oga"].map(|name| starts(name, &retitled(name)));
    play(streams.concat().into_iter().step_by(3).collect(), 20);
}

#[test]
fn packets_torn_by_pages_do_not_disturb_those_who_join() {
    let samples = |packet| (packet + 1) * 576;
    let flac = clips::torn(&clips::clip("flac.oga"), 0, &[3], samples);
    let mostly: Vec<usize> = std::iter::once(1).chain([2; 23]).collect();
    let mostly = clips::torn(&clips::clip("flac.oga"), 0, &mostly, samples);
    let beside = clips::torn(&clips::clip("theora-flac.ogv"), 1, &[3], samples);
    let mut streams = starts("flac.oga, torn", &clips::pages(&flac));
    streams.extend(starts("flac.oga, mostly torn", &clips::pages(&mostly)));
    streams.extend(starts("theora-flac.ogv, sound torn", &clips::pages(&beside)));
    for sizes in [[1, 2], [2, 3], [7, 1]] {
        let pictures = |packet| ((packet / 10 * 10 + 1) << 6) | (packet % 10);
        let torn = clips::torn(&clips::clip("theora.ogv"), 0, &sizes, pictures);
        let aligned = rewrite::aligned(&clips::pages(&torn));
        streams.extend(starts(&format!("theora.ogv, torn by {sizes:?}"), &aligned));
    }
    play(streams, 20);
}

#[test]
fn a_page_with_the_last_header_and_the_first_data_is_both() {
    let mut pages = clips::pages(&clips::clip("vorbis.ogg"));
    let packets = |page: &Page| {
        let bytes = page.bytes.clone();
        ogg::pieces(&bytes).map(|piece| bytes.slice(piece.range)).collect::<Vec<_>>()
    };
    let both: Vec<_> = pages[1..3].iter().flat_map(packets).collect();
    let granule = PageHeader::parse(&pages[2].bytes).unwrap().granule;
    let packets: Vec<&[u8]> = both.iter().map(AsRef::as_ref).collect();
    pages[2].bytes = Writer::resume(0, 1).lay(&packets, granule, false).remove(0);
    pages.remove(1);
    let pages = clips::pages(&clips::join(&pages));
    let roles: Vec<Role> = pages.iter().take(3).map(|page| page.role).collect();
    assert_eq!(roles, [Role::Header, Role::Header, Role::Entry]);
    play(starts("vorbis.ogg, mixed", &pages), 20);
}

#[test]
fn skeleton_belongs_to_the_headers() {
    let pages = clips::pages(&clips::clip("vlc.ogv"));
    let headers = pages.iter().take_while(|page| page.role == Role::Header).count();
    let eos = pages.iter().position(|page| PageHeader::parse(&page.bytes).unwrap().last).unwrap();
    assert_eq!(headers, eos + 1, "Skeleton's last page is the last header");
    assert!(pages[headers..].iter().all(|page| page.role != Role::Header));
}

/// All that somebody may get who joins `pages` at any of them.
fn starts(name: &str, pages: &[Page]) -> Vec<(String, Vec<u8>)> {
    let mut starts: Vec<(String, Vec<u8>)> = Vec::new();
    for at in 0..pages.len() {
        let Some(stream) = clips::joined_at(pages, at) else { continue };
        if starts.last().is_none_or(|(_, last)| *last != stream) {
            starts.push((format!("{name} from page {at}"), stream));
        }
    }
    starts
}

fn play(streams: Vec<(String, Vec<u8>)>, at_least: usize) {
    assert!(streams.len() >= at_least, "only {} ways to start", streams.len());
    let complaints = player::complaints(player::PLAY, streams);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
