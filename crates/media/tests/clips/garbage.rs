//! Damaged and random bytes: no panic, bounded memory, and the stream goes on after the damage.

use crate::clip::{ALL, Chance, Clip, cut, demuxer};
use levada_media::{Format, Splice};
use proptest::prelude::*;

/// The formats, each with the most bytes that its cutter may hold.
const FORMATS: &[(Format, u64)] = &[
    (Format::Mp3, 80 << 10),
    (Format::Adts, 80 << 10),
    (Format::Flv, 5 << 20),
    (Format::WebM, 9 << 20),
    (Format::MpegTs, 16 << 10),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn random_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for &(format, _) in FORMATS {
            let (pages, skipped) = cut(format, bytes.chunks(97));
            let out: usize = pages.iter().map(|page| page.bytes.len()).sum();
            prop_assert!(out as u64 + skipped == bytes.len() as u64);
            survive(format, &bytes);
        }
    }

    #[test]
    fn flipped_bytes_are_survived(which in any::<prop::sample::Index>(), seed in 1u64..u64::MAX, flips in 1usize..60) {
        let clip = ALL[which.index(ALL.len())];
        let (bytes, mut chance) = (clip.bytes(), Chance(seed));
        let mut damaged = bytes.clone();
        for _ in 0..flips {
            let at = chance.below(damaged.len());
            damaged[at] = chance.below(256) as u8;
        }
        let (pages, skipped) = cut(clip.format, damaged.chunks(1 + chance.below(900)));
        let out: usize = pages.iter().map(|page| page.bytes.len()).sum();
        prop_assert_eq!(out as u64 + skipped, damaged.len() as u64);
        survive(clip.format, &damaged);
    }
}

/// Opens and loops `bytes`, which nobody promised to be whole.
fn survive(format: Format, bytes: &[u8]) {
    let (mut demux, mut splice) = (demuxer(format), Splice::new(format).unwrap());
    for _ in 0..2 {
        for piece in bytes.chunks(333) {
            demux.push(piece);
            while let Ok(Some(_)) = demux.poll() {}
            splice.push(piece);
            while splice.poll().is_some() {}
        }
        splice.rewind();
    }
    demux.finish();
    while let Ok(Some(_)) = demux.poll() {}
    while splice.poll().is_some() {}
}

#[test]
fn endless_garbage_is_not_kept() {
    for &(format, most) in FORMATS {
        for pattern in
            [&b"\xff"[..], b"\0", b"\x47", b"\x1a\x45\xdf\xa3", b"FLV\x01\x05", b"ID3\x04\0\0\x7f\x7f"]
        {
            let mut cutter = format.cutter();
            let (mut fed, mut out) = (0u64, 0u64);
            let mut chance = Chance(7);
            for round in 0..2 * most / 4000 {
                let mut piece: Vec<u8> = pattern.iter().copied().cycle().take(4000).collect();
                if round % 2 == 1 {
                    piece.iter_mut().for_each(|byte| *byte = chance.below(256) as u8);
                }
                cutter.push(&piece);
                fed += piece.len() as u64;
                out += std::iter::from_fn(|| cutter.poll()).map(|page| page.bytes.len() as u64).sum::<u64>();
                let held = fed - out - cutter.skipped();
                assert!(held < most, "{format:?} holds {held} bytes of {pattern:x?}");
            }
        }
    }
}

/// Each stream is cut in two with random bytes between: after them nearly everything comes out again.
#[test]
fn a_stream_goes_on_after_garbage() {
    for clip in ALL {
        let (bytes, mut chance) = (clip.bytes(), Chance(11));
        let middle = bytes.len() / 2;
        let noise: Vec<u8> = (0..5000).map(|_| chance.below(256) as u8).collect();
        let damaged = [&bytes[..middle], &noise, &bytes[middle..]].concat();
        let (clean, _) = cut(clip.format, [&bytes[..]]);
        let (pages, skipped) = cut(clip.format, damaged.chunks(1000));
        let kept = pages.iter().filter(|page| clean.iter().any(|other| other.bytes == page.bytes)).count();
        assert!(kept * 10 >= clean.len() * least(*clip), "{clip:?}: {kept} of {} pages kept", clean.len());
        assert!(skipped > 1000, "{clip:?}: only {skipped} skipped");
    }
}

/// How many tenths of the pages must survive: WebM can be entered again only at one of its three or so clusters.
fn least(clip: Clip) -> usize {
    if clip.format == Format::WebM { 4 } else { 9 }
}
