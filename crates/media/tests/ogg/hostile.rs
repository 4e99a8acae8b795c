//! Any split, garbage, damage and nonsense: the same pages, or fewer, and every byte accounted for.

use crate::clips;
use levada_media::container::ogg::{self, PageHeader};
use levada_media::{Format, Page};
use proptest::prelude::*;

#[test]
fn byte_by_byte_gives_the_same_pages() {
    for name in clips::ALL {
        let clip = clips::clip(name);
        assert!(clips::fed(clip.chunks(1)) == clips::pages(&clip), "{name}");
    }
}

#[test]
fn one_wrong_byte_costs_one_page() {
    let clip = clips::clip("opus.opus");
    let whole = clips::pages(&clip);
    for at in 0..clip.len() {
        let mut damaged = clip.clone();
        damaged[at] ^= 0x10;
        let pages = clips::pages(&damaged);
        assert_eq!(pages.len(), whole.len() - 1, "byte {at}");
    }
}

#[test]
fn garbage_between_pages_is_skipped_and_counted() {
    let pages = clips::pages(&clips::clip("theora.ogv"));
    let rubbish = [b"OggS\0\0Og".as_slice(), &[0xff; 300], b"OggS\0\x07"].concat();
    let mut cutter = Format::Ogg.cutter();
    let mut found = Vec::new();
    for page in &pages {
        cutter.push(&rubbish);
        cutter.push(&page.bytes);
        found.extend(std::iter::from_fn(|| cutter.poll()));
    }
    cutter.finish();
    found.extend(std::iter::from_fn(|| cutter.poll()));
    assert!(found == pages);
    assert_eq!(cutter.skipped(), (pages.len() * rubbish.len()) as u64);
}

#[test]
fn pages_behind_a_page_that_never_ends_come_out_at_the_end() {
    let clip = clips::clip("opus.opus");
    let lie = [b"OggS\0\0".as_slice(), &[0; 20], &[255], &[255; 255]].concat();
    let pages = clips::pages(&[lie.as_slice(), &clip].concat());
    assert_eq!(clips::join(&pages), clip);
}

#[test]
fn nested_lies_are_not_checked_for_ever() {
    // each of these claims 65 kB; checking them all would be 2,400 times the work of reading them once
    let lie = [b"OggS\0\0".as_slice(), &[0; 20], &[255]].concat();
    let tables = [vec![255; 255], lie.repeat(9000)].concat();
    let clip = clips::clip("opus.opus");
    let bytes = [lie.as_slice(), &tables, &vec![0; 200_000], &clip].concat();
    assert_eq!(clips::join(&clips::pages(&bytes)), clip);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_pages(
        clip in 0..clips::ALL.len(),
        sizes in prop::collection::vec(1usize..3000, 1..20),
    ) {
        let clip = clips::clip(clips::ALL[clip]);
        let mut rest = clip.as_slice();
        let parts = sizes.iter().cycle().map_while(|size| {
            let (part, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            Some(part).filter(|part| !part.is_empty())
        });
        prop_assert!(clips::fed(parts) == clips::pages(&clip));
    }

    #[test]
    fn damage_never_harms_more_than_itself(
        clip in 0..clips::ALL.len(),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = clips::clip(clips::ALL[clip]);
        let mut bytes = whole.clone();
        hits.iter().for_each(|(at, value)| bytes[at.index(whole.len())] = *value);
        let sound: Vec<Page> = clips::pages(&whole);
        let left = clips::pages(&bytes);
        prop_assert!(left.len() + hits.len() >= sound.len());
        bytes.drain(..cut.index(bytes.len()));
        ogg::exercise(&bytes);
    }

    #[test]
    fn nonsense_in_sound_pages_never_panics(
        pages in prop::collection::vec(nonsense(), 1..40),
    ) {
        ogg::exercise(&pages.concat());
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        ogg::exercise(&bytes);
    }
}

/// A page that is sound and says anything, often beginning as a header of some codec.
fn nonsense() -> impl Strategy<Value = Vec<u8>> {
    let starts: Vec<Vec<u8>> = clips::ALL
        .iter()
        .flat_map(|name| clips::pages(&clips::clip(name)))
        .flat_map(|page| {
            ogg::pieces(&page.bytes).take(3).map(|piece| page.bytes[piece.range].to_vec()).collect::<Vec<_>>()
        })
        .collect();
    let body = (
        prop::sample::select(starts),
        prop::collection::vec(any::<u8>(), 0..600),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(mut start, noise, cut)| {
            start.truncate(cut.index(start.len() + 1).max(start.len() / 2));
            [start, noise].concat()
        });
    let flags = (any::<bool>(), prop::bool::weighted(0.4), any::<bool>());
    let granule = prop_oneof![Just(-1), Just(i64::MAX), Just(i64::MIN), 0..100_000i64, any::<i64>()];
    let lacing = prop::collection::vec(prop_oneof![Just(255u8), Just(0), any::<u8>()], 0..12);
    (flags, granule, 0..3u32, 0..6u32, lacing, body).prop_map(
        |(flags, granule, serial, sequence, lacing, body)| {
            let (continued, first, last) = flags;
            let header =
                PageHeader { continued, first, last, granule, serial, sequence, segments: 0, body: 0 };
            ogg::write(&header, &lacing, &body).to_vec()
        },
    )
}
