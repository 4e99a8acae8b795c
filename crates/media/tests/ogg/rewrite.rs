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
fn retitled(pages: &[Page], at: &[usize]) -> Vec<Page> {
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
        assert!(want == have, "{name}: other sound, {} bytes and not {}", have.len(), want.len());
        player::output(player::PLAY, &clips::join(&after));
    }
}

/// Asserts that pages of each logical stream are numbered without a gap, begin and end once, and are sound.
fn legal(bytes: &[u8]) {
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
    assert!(running.is_empty(), "a stream never ended");
}
