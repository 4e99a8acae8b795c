//! The same bytes give the same pages, however they are split.

use crate::clip::{ALL, Chance, cut};
use levada_media::{Format, Role};

#[test]
fn every_split_gives_the_same_pages() {
    for clip in ALL {
        let bytes = clip.bytes();
        let (whole, skipped) = cut(clip.format, [&bytes[..]]);
        assert_eq!(cut(clip.format, bytes.chunks(1)), (whole.clone(), skipped), "{clip:?} byte by byte");
        for seed in 1..20 {
            let mut chance = Chance(seed);
            let most = 1 + chance.below(3000);
            let mut rest = &bytes[..];
            let pieces = std::iter::from_fn(|| {
                let (piece, after) = rest.split_at((1 + chance.below(most)).min(rest.len()));
                rest = after;
                (!piece.is_empty()).then_some(piece)
            });
            assert_eq!(cut(clip.format, pieces), (whole.clone(), skipped), "{clip:?} seed {seed}");
        }
    }
}

#[test]
fn the_pages_joined_are_the_clip_less_what_was_skipped() {
    for clip in ALL {
        let bytes = clip.bytes();
        let (pages, skipped) = cut(clip.format, [&bytes[..]]);
        let joined: Vec<u8> = pages.iter().flat_map(|page| page.bytes.to_vec()).collect();
        assert_eq!(joined.len() as u64 + skipped, bytes.len() as u64, "{clip:?}");
        assert!(is_subsequence(&joined, &bytes), "{clip:?}");
        assert!(pages.iter().any(|page| page.role == Role::Entry), "{clip:?}");
    }
}

#[test]
fn time_grows_to_the_length_of_the_clip() {
    for clip in ALL {
        let (pages, _) = cut(clip.format, [&clip.bytes()[..]]);
        let times: Vec<_> = pages.iter().filter_map(|page| page.at).collect();
        assert!(times.is_sorted(), "{clip:?}");
        let span = (times[times.len() - 1] - times[0]).as_secs_f64();
        assert!((2.8..3.2).contains(&span), "{clip:?} lasts {span}");
    }
}

/// From the beginning, and from within the first frames or packets where a listener of another server may come in.
#[test]
fn every_clip_is_told_by_its_first_bytes() {
    for clip in ALL {
        let bytes = clip.bytes();
        assert_eq!(Format::probe(&bytes[..4096]), Some(clip.format), "{clip:?}");
        if matches!(clip.format, Format::Mp3 | Format::Adts | Format::MpegTs) {
            assert_eq!(Format::probe(&bytes[5001..9097]), Some(clip.format), "{clip:?} from its middle");
        }
    }
}

fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|byte| rest.any(|other| other == byte))
}
