//! Which pages are headers, where one may begin, what time it is, what is playing.

use crate::clips;
use levada_media::container::ogg::{self, PageHeader, Writer};
use levada_media::{Codec, Format, Page, Role, Timebase};
use std::time::Duration;

#[test]
fn headers_are_all_pages_before_the_first_data() {
    let headers = |name| {
        let pages = clips::pages(&clips::clip(name));
        pages.iter().take_while(|page| page.role == Role::Header).count()
    };
    let counts =
        ["vorbis.ogg", "opus.opus", "flac.oga", "speex.spx", "theora.ogv", "theora-flac.ogv", "oggenc.ogg"];
    assert_eq!(counts.map(headers), [2, 2, 2, 2, 4, 4, 2]);
    assert_eq!(headers("vlc.ogv"), 10, "three first pages, four of Skeleton and its end, one for each codec");
}

#[test]
fn every_page_of_sound_is_an_entry_but_the_last() {
    for name in ["vorbis.ogg", "opus.opus", "flac.oga", "speex.spx"] {
        let pages = clips::pages(&clips::clip(name));
        let (last, data) = pages[2..].split_last().unwrap();
        assert!(data.len() > 20 && data.iter().all(|page| page.role == Role::Entry), "{name}");
        assert_eq!(last.role, Role::Plain, "{name}");
    }
}

#[test]
fn a_stream_of_one_page_can_be_joined_there() {
    let clip = clips::clip("oggenc.ogg");
    let last_only = clips::only(&clip, |header| header.sequence != 2);
    let roles: Vec<Role> = clips::pages(&last_only).iter().map(|page| page.role).collect();
    assert_eq!(roles, [Role::Header, Role::Header, Role::Entry]);
}

#[test]
fn with_pictures_only_key_frames_are_entries() {
    for (name, keys) in [("theora.ogv", 5), ("theora-flac.ogv", 5)] {
        let pages = clips::pages(&clips::clip(name));
        let entries: Vec<&Page> = pages.iter().filter(|page| page.role == Role::Entry).collect();
        assert_eq!(entries.len(), keys, "{name}");
        for page in entries {
            let header = PageHeader::parse(&page.bytes).unwrap();
            assert_eq!((header.serial, header.granule & 63), (0, 0), "{name}");
        }
    }
}

#[test]
fn key_frames_inside_pages_are_entries_when_there_are_no_better_ones() {
    let pages = clips::pages(&clips::clip("vlc.ogv"));
    let roles: Vec<Role> = pages.iter().map(|page| page.role).collect();
    let entries = roles.iter().filter(|role| **role == Role::Entry).count();
    assert_eq!(
        entries, 3,
        "the first page, the last, which begins with one, and one of the four between them"
    );
}

#[test]
fn time_grows_to_the_length_of_the_clip() {
    for name in clips::ALL.into_iter().filter(|name| *name != "chain.ogg") {
        let pages = clips::pages(&clips::clip(name));
        let times: Vec<Duration> = pages.iter().filter_map(|page| page.at).collect();
        assert!(times.is_sorted(), "{name}");
        let seconds = if name == "vlc.ogv" { 6 } else { 5 };
        let (last, end) = (times[times.len() - 1], Duration::from_secs(seconds));
        assert!(last.abs_diff(end) < Duration::from_millis(20), "{name} ends at {last:?}");
        assert!(pages.iter().all(|page| page.at.is_none() || page.role != Role::Header));
    }
}

#[test]
fn a_new_link_begins_its_own_clock_and_header_set() {
    let pages = clips::pages(&clips::clip("chain.ogg"));
    let second = 2 + pages[2..].iter().position(|page| page.role == Role::Header).unwrap();
    assert_eq!((pages[second].role, pages[second + 1].role, pages[second + 2].role), {
        (Role::Header, Role::Header, Role::Entry)
    });
    assert!(pages[second - 1].at > pages[second + 2].at);
}

#[test]
fn titles_stand_on_the_page_that_says_them_and_only_when_they_change() {
    let titles = |bytes: &[u8]| -> Vec<(Role, String)> {
        let said = |page: &Page| page.tags.as_ref().map(|tags| (page.role, tags.line()));
        clips::pages(bytes).iter().filter_map(said).collect()
    };
    let header = |line: &str| (Role::Header, line.to_owned());
    assert_eq!(titles(&clips::clip("chain.ogg")), [header("Siné - Tone"), header("Second")]);
    assert_eq!(titles(&clips::clip("opus.opus")), [header("Opus tone")]);
    assert_eq!(titles(&clips::clip("flac.oga")), [header("FLAC tone")]);
    assert_eq!(titles(&clips::clip("speex.spx")), [header("Speech")]);
    assert_eq!(titles(&clips::clip("theora.ogv")), [header("Picture")]);
    assert_eq!(titles(&clips::clip("oggenc.ogg")), [header("Oscillator - Wave")]);
    assert_eq!(titles(&clips::clip("theora-flac.ogv")), []);
    let twice =
        [clips::clip("vorbis.ogg"), clips::clip("vorbis.ogg"), clips::clip("theora-flac.ogv")].concat();
    assert_eq!(titles(&twice), [header("Siné - Tone"), header("")], "said once, then no more");
}

#[test]
fn tracks_tell_codec_clock_and_setup() {
    let tracks = |name| {
        let mut cutter = Format::Ogg.cutter();
        cutter.push(&clips::clip(name));
        while cutter.poll().is_some() {}
        cutter.tracks().to_vec()
    };
    let vorbis = &tracks("vorbis.ogg")[0];
    assert_eq!((vorbis.codec, vorbis.timebase), (Codec::Vorbis, Timebase::hz(22_050)));
    assert_eq!(vorbis.setup[..2], [2, 30], "three headers, the first of thirty bytes");
    assert_eq!(vorbis.setup.len(), 3 + 30 + 93 + 3257);
    let opus = &tracks("opus.opus")[0];
    assert_eq!(
        (opus.codec, opus.timebase, &opus.setup[..8]),
        (Codec::Opus, Timebase::hz(48_000), &b"OpusHead"[..])
    );
    let flac = &tracks("flac.oga")[0];
    assert_eq!((flac.codec, flac.timebase, flac.setup.len()), (Codec::Flac, Timebase::hz(8000), 34));
    assert_eq!(tracks("speex.spx")[0].codec, Codec::Speex);
    let vlc: Vec<Codec> = tracks("vlc.ogv").iter().map(|track| track.codec).collect();
    assert_eq!(vlc, [Codec::Data, Codec::Theora, Codec::Vorbis]);
    assert_eq!(tracks("theora.ogv")[0].timebase, Timebase { num: 1, den: 10 });
}

#[test]
fn the_same_serial_again_is_a_new_link_even_without_an_end() {
    let clip = clips::clip("theora.ogv");
    let endless = clips::only(&clip, |header| !header.last);
    let roles: Vec<Role> =
        clips::pages(&[endless.clone(), endless.clone()].concat()).iter().map(|p| p.role).collect();
    let once: Vec<Role> = clips::pages(&endless).iter().map(|page| page.role).collect();
    assert_eq!(roles, [once.clone(), once].concat());
}

#[test]
fn headers_without_data_do_not_mix_with_the_next_ones() {
    let headers = clips::only(&clips::clip("opus.opus"), |header| header.sequence < 2);
    let pages = clips::pages(&[headers.clone(), clips::clip("vorbis.ogg")].concat());
    assert_eq!(pages[2], Page::new(Default::default(), Role::Plain), "what parts the two sets");
    let joined = clips::joined_at(&pages, 0).unwrap();
    assert_eq!(joined, clips::clip("vorbis.ogg"));
}

#[test]
fn a_stream_whose_beginning_is_unknown_cannot_be_joined() {
    let clip = clips::clip("vorbis.ogg");
    let headless = clips::only(&clip, |header| !header.first);
    let no_setup = clips::only(&clip, |header| header.sequence != 1);
    for bytes in [headless, no_setup] {
        let mut cutter = Format::Ogg.cutter();
        cutter.push(&bytes);
        let pages: Vec<Page> = std::iter::from_fn(|| cutter.poll()).collect();
        assert!(pages.len() > 20 && pages.iter().all(|page| page.role != Role::Entry));
        assert_eq!((clips::join(&pages), cutter.tracks().len()), (bytes, 0));
    }
}

#[test]
fn an_unknown_codec_can_be_joined_at_every_packet() {
    let mut writer = Writer::new(3);
    let mut bytes = writer.lay(&[b"fishbone"], 0, false).concat();
    (1..4).for_each(|at| bytes.extend(writer.lay(&[b"one", b"two"], at, false).concat()));
    let roles: Vec<Role> = clips::pages(&bytes).iter().map(|page| page.role).collect();
    assert_eq!(roles, [Role::Header, Role::Entry, Role::Entry, Role::Entry]);
}

#[test]
fn headers_without_end_are_given_up() {
    let clip = clips::clip("vorbis.ogg");
    let first = clips::only(&clip, |header| header.first);
    let endless = vec![b'x'; 9 << 20];
    let comments = Writer::resume(0, 1).lay(&[&[b"\x03vorbis".as_slice(), &endless].concat()], 0, false);
    let pages = clips::pages(&[first, comments.concat(), clip.clone()].concat());
    let headers = pages.iter().take_while(|page| page.role == Role::Header).count();
    assert!(headers * 65_307 <= (8 << 20) + 65_307, "{headers} pages");
    let after = clips::joined_at(&pages, headers).unwrap();
    assert_eq!(after, clip, "the next link is as good as ever");
}

#[test]
fn pages_are_sound_and_whole() {
    for name in clips::ALL {
        let clip = clips::clip(name);
        let pages = clips::pages(&clip);
        assert!(pages.iter().all(|page| ogg::is_sound(&page.bytes)), "{name}");
        assert_eq!(clips::join(&pages), clip, "{name}");
    }
}
