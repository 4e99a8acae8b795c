//! Our packets, opened by decoders that were written from the description alone, and ours beside them.
#![allow(clippy::unwrap_used, clippy::needless_range_loop, clippy::manual_is_multiple_of)] // a test may fail so, and loops are those of the description

mod plain;

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
