//! What our filters make of a stream is played as the stream itself is.

use crate::{clips, player};
use levada_media::container::ogg::{self, Align, PageHeader, Retitle, Splice};
use levada_media::{Page, Role, Tags};

/// `pages` through [`Align`].
pub fn aligned(pages: &[Page]) -> Vec<Page> {
    let mut align = Align::new();
    let mut out = Vec::new();
    for page in pages {
        align.push(page.clone());
        out.extend(std::iter::from_fn(|| align.poll()));
    }
    out
}

/// `pages` through [`Retitle`], which is told a title before each of the pages `at`.
pub fn retitled(pages: &[Page], at: &[usize]) -> Vec<Page> {
    let mut retitle = Retitle::new(1);
    let mut out = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        if at.contains(&number) {
            retitle.set(Tags::titled(format!("title {number}")));
        }
        retitle.push(page.clone());
        out.extend(std::iter::from_fn(|| retitle.poll()));
    }
    out
}

/// `pages` through [`Splice`].
fn spliced(pages: &[Page]) -> Vec<Page> {
    let mut splice = Splice::new(1);
    let mut out = Vec::new();
    for page in pages {
        splice.push(page.clone());
        out.extend(std::iter::from_fn(|| splice.poll()));
    }
    out
}

#[test]
fn aligned_key_frames_begin_pages_and_nothing_else_changes() {
    let before = clips::clip("vlc.ogv");
    let after = clips::join(&aligned(&clips::pages(&before)));
    assert_eq!(crate::demux::frames(&before), crate::demux::frames(&after));
    let keys = crate::demux::frames(&before).iter().filter(|frame| frame.track.0 == 1 && frame.key).count();
    let entries = clips::pages(&after).iter().filter(|page| page.role == Role::Entry).count();
    assert_eq!((keys, entries), (6, 6));
    legal(&after);
}

#[test]
fn what_is_aligned_passes_as_it_is() {
    for name in clips::ALL.into_iter().filter(|name| *name != "vlc.ogv") {
        let pages = clips::pages(&clips::clip(name));
        assert_eq!(aligned(&pages), pages, "{name}");
        assert_eq!(spliced(&pages), pages, "{name}");
        assert_eq!(retitled(&pages, &[]), pages, "{name}");
    }
}

#[test]
fn a_title_set_is_a_link_that_nobody_hears() {
    for name in ["vorbis.ogg", "opus.opus", "flac.oga"] {
        let clip = clips::clip(name);
        let pages = clips::pages(&clip);
        let after = retitled(&pages, &[9, 10, 17]);
        legal(&clips::join(&after));
        let titles: Vec<String> =
            after.iter().filter_map(|page| page.tags.as_ref().map(|tags| tags.title.clone())).collect();
        assert_eq!(titles[1..], ["title 9", "title 10", "title 17"], "{name}");
        // ffmpeg (5.1) keeps its Vorbis decoder over a link, so that it hears the repeated packet
        let program = if name == "vorbis.ogg" { player::OGGDEC } else { player::PCM };
        let (want, have) = (player::output(program, &clip), player::output(program, &clips::join(&after)));
        let off = difference(&want, &have);
        // an Opus decoder that begins 80 ms early is nearly, but not exactly, where the other one is
        let allowed = if name == "opus.opus" { 0.01 } else { 0.0 };
        assert!(off <= allowed, "{name}: {off} of the sound is another");
        player::output(player::PLAY, &clips::join(&after));
    }
}

/// How loud the difference of two sounds of 16 bits is, compared with the first; 1 where one is longer.
fn difference(want: &[u8], have: &[u8]) -> f64 {
    if want.len() != have.len() {
        return 1.0;
    }
    let samples = |bytes: &[u8]| -> Vec<f64> {
        bytes.chunks(2).map(|sample| f64::from(i16::from_le_bytes([sample[0], sample[1]]))).collect()
    };
    let (want, have) = (samples(want), samples(have));
    let power = |sound: &mut dyn Iterator<Item = f64>| sound.map(|sample| sample * sample).sum::<f64>();
    (power(&mut want.iter().zip(&have).map(|(a, b)| a - b)) / power(&mut want.iter().copied())).sqrt()
}

/// Asserts that pages of each logical stream are numbered without a gap, begin and end once, and are sound.
fn legal(bytes: &[u8]) {
    assert_eq!(legal_but_for_the_end(bytes), 0, "a stream never ended");
}

/// The same of a stream that may go on; gives how many logical streams do.
pub fn legal_but_for_the_end(bytes: &[u8]) -> usize {
    let mut running: Vec<(u32, u32)> = Vec::new();
    for page in clips::pages(bytes) {
        let header = PageHeader::parse(&page.bytes).unwrap();
        assert!(ogg::is_sound(&page.bytes));
        if header.first {
            running.push((header.serial, 0));
        }
        let at =
            running.iter().position(|(serial, _)| *serial == header.serial).expect("begun and not ended");
        assert_eq!(running[at].1, header.sequence);
        running[at].1 += 1;
        if header.last {
            running.remove(at);
        }
    }
    running.len()
}

#[test]
fn a_title_set_is_shown_to_those_who_join_after_it() {
    for name in ["vorbis.ogg", "opus.opus", "flac.oga"] {
        let after = retitled(&clips::pages(&clips::clip(name)), &[12]);
        let joined = clips::joined_at(&after, 20).unwrap();
        let title = String::from_utf8(player::output(player::TITLE, &joined)).unwrap();
        assert_eq!(title.trim(), "title 12", "{name}");
        player::output(player::PLAY, &joined);
    }
}

#[test]
fn a_title_waits_for_a_stream_that_can_have_one_and_ends_with_its_link() {
    let mut retitle = Retitle::new(1);
    retitle.set(Tags::titled("early"));
    let chain = [clips::clip("theora.ogv"), clips::clip("chain.ogg")].concat();
    let mut out = Vec::new();
    for page in clips::pages(&chain) {
        retitle.push(page);
        out.extend(std::iter::from_fn(|| retitle.poll()));
    }
    let said = |page: &Page| page.tags.as_ref().map(|tags| tags.title.clone());
    let titles: Vec<String> = out.iter().filter_map(said).collect();
    assert_eq!(titles, ["Picture", "Tone", "early", "Second"]);
    assert!(retitle.can());
    legal(&clips::join(&out));
    let second = clips::clip("chain.ogg").split_off(clips::clip("vorbis.ogg").len());
    assert!(clips::join(&out).ends_with(&second), "the source's own next link passes as it is");
}

#[test]
fn a_link_that_the_source_left_open_is_ended_before_its_next() {
    let clip = clips::only(&clips::clip("opus.opus"), |header| !header.last);
    let twice = [clip.clone(), clips::clip("vorbis.ogg")].concat();
    legal(&clips::join(&retitled(&clips::pages(&twice), &[5])));
    let looped = [clip.clone(), clip, clips::clip("opus.opus")].concat();
    legal(&clips::join(&spliced(&clips::pages(&looped))));
}

#[test]
fn streams_that_use_their_serials_again_get_others() {
    for name in clips::ALL {
        let clip = clips::clip(name);
        let looped = clips::join(&spliced(&clips::pages(&clip.repeat(3))));
        assert_eq!(looped.len(), clip.len() * 3, "{name}");
        assert!(looped.starts_with(&clip), "{name}: the first round passes as it is");
        legal(&looped);
        let pages = clips::pages(&looped);
        let firsts = pages.iter().filter_map(|page| PageHeader::parse(&page.bytes)).filter(|page| page.first);
        let mut serials: Vec<u32> = firsts.map(|header| header.serial).collect();
        let streams = serials.len();
        serials.sort_unstable();
        serials.dedup();
        assert_eq!(serials.len(), streams, "{name}");
        // ffmpeg knows no chains of several streams, and takes the headers of Speex in a later link for packets
        if ["vorbis.ogg", "opus.opus", "flac.oga", "oggenc.ogg"].contains(&name) {
            player::output(player::PLAY, &looped);
        }
    }
}

#[test]
fn serials_and_numbers_can_be_rewritten_by_hand() {
    for page in clips::pages(&clips::clip("theora.ogv")) {
        let header = PageHeader::parse(&page.bytes).unwrap();
        let moved = ogg::rewrite_serial(&page.bytes, 77, 1000);
        assert_eq!(PageHeader::parse(&moved), Some(PageHeader { serial: 77, sequence: 1000, ..header }));
        assert!(ogg::is_sound(&moved));
    }
}
