//! Our packets, opened by plain decoders that share no code with ours (written beside them, by the same hand), and ours beside them.
#![allow(clippy::unwrap_used, clippy::needless_range_loop, clippy::manual_is_multiple_of)] // a test may fail so, and loops are those of the description

mod plain;

use levada_codec::video::{self, Drawn, Picture, Scene};
use levada_codec::{lossless, native, wavelet};

/// Plucked tones on two sides over some hiss, with a silence and a clap.
fn sound(frames: usize) -> Vec<i16> {
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    let frame = |n: usize| {
        let (since, clap) = (n % 1_700, n % 2_300);
        let tone = |hertz: f64, fades: f64| {
            let t = since as f64 / 44_100.0;
            (std::f64::consts::TAU * hertz * t).sin() * (-t * fades).exp()
        };
        let (low, high) = (9_000.0 * tone(220.0, 9.0), 4_000.0 * tone(1_733.0, 20.0));
        let hiss = if n < frames { 0.0 } else { 40.0 * noise() };
        let clap = if (1_900..2_000).contains(&clap) { 9_000.0 * noise() } else { 0.0 };
        [(low + 0.2 * high + hiss + clap) as i16, (0.4 * low - high + 0.5 * hiss + clap) as i16]
    };
    (0..7 * frames).flat_map(frame).collect()
}

#[test]
fn native_packets_say_the_same_to_a_decoder_by_definition() {
    for frames in [480, 120, 1_024] {
        for goal in [native::Goal::Bytes(frames / 4), native::Goal::Step(60.0), native::Goal::Bytes(12)] {
            let mut encoder = native::Encoder::new(frames).unwrap();
            let mut decoder = native::Decoder::new(frames).unwrap();
            let mut plain = plain::native::Decoder::new(frames);
            let mut out = vec![0; 2 * frames];
            for (number, block) in sound(frames).chunks_exact(2 * frames).enumerate() {
                let mut packet = Vec::new();
                encoder.encode(block, goal, &mut packet);
                decoder.decode(&packet, &mut out).unwrap();
                let heard = plain.decode(&packet);
                for channel in 0..2 {
                    let ours: Vec<i64> = decoder.integers()[channel].iter().map(|k| i64::from(*k)).collect();
                    assert!(ours == plain.integers[channel], "{frames} frames, {goal:?}, packet {number}");
                    let column = out.iter().skip(channel).step_by(2);
                    // the last bits of sums in 32 and in 64 bits are not the same
                    let worst = column.zip(&heard[channel]).map(|(a, b)| (f64::from(*a) - b).abs());
                    let worst = worst.fold(0.0, f64::max);
                    assert!(worst < 0.6, "{frames} frames, {goal:?}, packet {number}: {worst}");
                }
            }
        }
    }
}

#[test]
fn lossless_packets_say_the_very_samples_to_a_plain_decoder() {
    for frames in [1_024, 256, 37] {
        let mut encoder = lossless::Encoder::new(frames);
        let mut decoder = lossless::Decoder::new(frames);
        for (number, block) in sound(frames).chunks_exact(2 * frames).enumerate() {
            // the last two have to lose bits
            let budget = if number < 5 { usize::MAX } else { frames };
            let (mut packet, mut out) = (Vec::new(), vec![0; 2 * frames]);
            encoder.encode(block, budget, &mut packet);
            decoder.decode(&packet, &mut out).unwrap();
            let [left, right] = plain::lossless::decode(&packet, frames);
            let heard = left.iter().zip(&right).flat_map(|(left, right)| [*left, *right]);
            assert!(heard.eq(out.iter().map(|x| i64::from(*x))), "{frames} frames, packet {number}");
            assert!(number > 4 || out == block);
        }
    }
}

#[test]
fn wavelet_packets_say_the_same_integers_to_a_plain_decoder() {
    for frames in [1_024, 240] {
        for goal in [wavelet::Goal::Step(90), wavelet::Goal::Bytes(frames / 5)] {
            let mut encoder = wavelet::Encoder::new(frames).unwrap();
            let mut decoder = wavelet::Decoder::new(frames).unwrap();
            let mut out = vec![0; 2 * frames];
            for (number, block) in sound(frames).chunks_exact(2 * frames).enumerate() {
                let mut packet = Vec::new();
                encoder.encode(block, goal, &mut packet);
                decoder.decode(&packet, &mut out).unwrap();
                let (step, integers) = plain::wavelet::decode(&packet, frames);
                assert!(step > 0 && (goal != wavelet::Goal::Step(90) || step == 90));
                for (ours, theirs) in decoder.integers().iter().zip(&integers) {
                    let ours = ours.iter().map(|k| i64::from(*k));
                    assert!(ours.eq(theirs.iter().copied()), "{frames} frames, {goal:?}, packet {number}");
                }
            }
        }
    }
}

/// Something that is nowhere alike, moved by half samples, and a square that goes its own way and at last is another one.
fn moved(width: usize, height: usize, number: u32) -> Picture {
    let mut picture = Picture::new(width, height).unwrap();
    let grain = |x: i64, y: i64, salt: i64| {
        let mixed = (x * 7_919 + y * 104_729 + salt).wrapping_mul(0x1e37_79b9_7f4a_7c15);
        (mixed >> 40 & 255) as f64
    };
    // grains of so many samples, and what is between them
    let between = |x: f64, y: f64, size: f64, salt: i64| {
        let (x, y) = (x / size, y / size);
        let (u, v) = (x - x.floor(), y - y.floor());
        let at = |dx, dy| grain(x.floor() as i64 + dx, y.floor() as i64 + dy, salt);
        (at(0, 0) * (1.0 - u) + at(1, 0) * u) * (1.0 - v) + (at(0, 1) * (1.0 - u) + at(1, 1) * u) * v
    };
    let t = f64::from(number);
    for plane in 0..3 {
        let half = if plane == 0 { 1 } else { 2 };
        for (i, sample) in picture.planes[plane].iter_mut().enumerate() {
            let (x, y) = ((i % (width / half) * half) as f64, (i / (width / half) * half) as f64);
            let is_square = (x - 9.0 - 5.0 * t).abs() < 7.0 && (y - 15.0).abs() < 9.0;
            let (dx, dy) = if is_square { (5.0 * t, 0.0) } else { (1.5 * t, -0.5 * (0.5 * t).floor()) };
            let salt = plane as i64 + if is_square { 40 + 7 * i64::from(number / 3) } else { 0 };
            *sample =
                (0.7 * between(x - dx, y - dy, 5.0, salt) + 0.3 * between(x - dx, y - dy, 2.0, salt)) as u8;
        }
    }
    picture
}

#[test]
fn pictures_are_the_same_to_a_plain_decoder_at_any_size_and_step() {
    let (mut seen, mut lost, mut parts) = (Seen::default(), 0, 0);
    for (width, height) in [(64, 48), (50, 38), (16, 16), (2, 2), (34, 80), (176, 64)] {
        let mut encoder = video::Encoder::new(width, height).unwrap();
        let mut decoder = video::Decoder::new(width, height).unwrap();
        let mut plain = plain::video::Decoder::new(width, height);
        let scene = Scene::new(width, height, 3);
        for (number, code) in [30, 24, 3, 16, 51, 0, 36, 20, 12, 8].into_iter().enumerate() {
            if number == 7 {
                encoder.refresh();
            }
            let n = number as u32;
            let picture = if number % 5 == 4 { scene.picture(n) } else { moved(width, height, n) };
            let slices = encoder.encode_with(&picture, code);
            parts += usize::from(slices.len() > 1);
            for (which, slice) in slices.iter().enumerate() {
                // what does not come stays as it was, in both
                if number > 4 && which == 1 {
                    lost += 1;
                    continue;
                }
                let whole = decoder.decode(slice).unwrap() == Drawn::Whole;
                assert!(plain.decode(slice) == whole, "{width}x{height}, picture {number}, slice {which}");
                assert!(decoder.picture().planes == plain.picture, "{width}x{height}, picture {number}");
            }
            seen.count(&plain);
        }
    }
    println!("{seen:?}, {lost} slices lost, {parts} pictures in parts");
    assert!(seen.is_everything() && lost > 3 && parts > 9, "{seen:?}, {lost}, {parts}");
}

/// Kept slices of a small picture, of which the second of the third picture did not come.
const SLICES: &[u8] = include_bytes!("golden/pictures.slices");
const SIZE: (usize, usize) = (62, 46);
/// What the pictures are after each slice.
const PICTURES: u64 = 0x63af_0eed_e0f0_6f65;

#[test]
fn kept_slices_draw_the_same_pictures_by_both_decoders() {
    let (width, height) = SIZE;
    if std::env::var_os("LEVADA_GOLDEN").is_some() {
        let mut encoder = video::Encoder::new(width, height).unwrap();
        let pictures = [(0, 28), (1, 22), (2, 9), (3, 26), (4, 32), (4, 36), (8, 8)].into_iter();
        let mut slices: Vec<_> =
            pictures.map(|(n, code)| encoder.encode_with(&moved(width, height, n), code)).collect();
        slices[2].remove(1);
        plain::keep("pictures.slices", &slices.concat());
        return;
    }
    let slices = plain::kept(SLICES);
    let mut decoder = video::Decoder::new(width, height).unwrap();
    let mut plain = plain::video::Decoder::new(width, height);
    let (mut seen, mut by_us, mut by_plain) = (Seen::default(), Vec::new(), Vec::new());
    for (which, slice) in slices.iter().enumerate() {
        let whole = decoder.decode(slice).unwrap() == Drawn::Whole;
        assert_eq!(plain.decode(slice), whole, "slice {which}");
        if whole {
            seen.count(&plain);
        }
        by_us.extend(decoder.picture().planes.iter().flatten().copied());
        by_plain.extend(plain.picture.iter().flatten().copied());
    }
    println!("{} slices, {} bytes: {seen:?}", slices.len(), SLICES.len());
    assert!(seen.is_everything(), "{seen:?}");
    let found = [by_us, by_plain].map(plain::digest);
    assert_eq!(found, [PICTURES; 2], "{found:#018x?}");
}

/// What there was in pictures beside others.
#[derive(Debug, Default)]
struct Seen {
    skipped: usize,
    intra: usize,
    split: usize,
    /// By whether they are between columns, and between rows.
    vectors: [usize; 4],
    modes: [usize; 4],
    /// Macroblocks with a level that takes a tail.
    large: usize,
}

impl Seen {
    fn count(&mut self, plain: &plain::video::Decoder) {
        use plain::video::Way;
        let is_key = plain.told.iter().flatten().all(|told| told.way == Way::Intra);
        for told in plain.told.iter().flatten() {
            self.large += usize::from(told.largest >= 14);
            match told.way {
                Way::Skipped => self.skipped += 1,
                Way::Intra => {
                    self.intra += usize::from(!is_key);
                    told.modes.iter().for_each(|mode| self.modes[*mode] += 1);
                }
                Way::Whole | Way::Split => {
                    self.split += usize::from(told.way == Way::Split);
                    for (x, y) in told.vectors {
                        self.vectors[(2 * (y & 1) + (x & 1)) as usize] += 1;
                    }
                }
            }
        }
    }

    fn is_everything(&self) -> bool {
        let counts = [self.skipped, self.intra, self.split, self.large];
        counts.iter().chain(&self.vectors).chain(&self.modes).all(|count| *count > 0)
    }
}
