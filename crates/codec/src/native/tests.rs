use super::*;
use crate::compat;

/// Speech-like and music-like: decaying harmonic tones, two of them panned, over some noise.
fn music(frames: usize) -> Vec<i16> {
    let mut state = 9_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    let mut brown = 0.0;
    let frame = |n: usize| {
        let t = n as f64 / 44_100.0;
        let pluck = |hertz: f64, begins: f64| {
            let since = (t - begins).rem_euclid(0.7);
            let harmonic = |h: i32| {
                (std::f64::consts::TAU * hertz * f64::from(h) * since).sin()
                    * (-since * (3.0 + f64::from(h))).exp()
                    / f64::from(h)
            };
            (1..12).map(harmonic).sum::<f64>()
        };
        brown = 0.95 * brown + noise();
        let (a, b, c) = (pluck(220.0, 0.0), pluck(329.6, 0.25), pluck(554.4, 0.5));
        let hiss = 60.0 * brown + 30.0 * noise();
        [
            (6_000.0 * a + 2_500.0 * b + 1_500.0 * c + hiss) as i16,
            (2_000.0 * a + 4_500.0 * b + 3_500.0 * c + 60.0 * brown) as i16,
        ]
    };
    (0..frames).flat_map(frame).collect()
}

fn snr(said: &[i16], heard: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0, 1e-9);
    for (said, heard) in said.iter().zip(heard) {
        signal += f64::from(*said).powi(2);
        noise += (f64::from(*said) - f64::from(*heard)).powi(2);
    }
    10.0 * f64::log10(signal / noise)
}

/// Bytes and signal-to-noise ratio of a whole sound.
fn through(frames: usize, sound: &[i16], goal: Goal) -> (usize, f64) {
    let (mut encoder, mut decoder) = (Encoder::new(frames).unwrap(), Decoder::new(frames).unwrap());
    let (mut bytes, mut heard, mut out) = (0, Vec::new(), vec![0; 2 * frames]);
    for block in sound.chunks_exact(2 * frames) {
        let mut packet = Vec::new();
        encoder.encode(block, goal, &mut packet);
        decoder.decode(&packet, &mut out).unwrap();
        bytes += packet.len();
        heard.extend_from_slice(&out);
    }
    (bytes, snr(sound, &heard[2 * frames..]))
}

/// The same through the seminar's best layer, by its own decoder's rules.
fn seminar(sound: &[i16], q: u32) -> (usize, f64) {
    let config = compat::Config {
        effort: compat::Effort::Zlib,
        rebuild: compat::Rebuild::Edge,
        ..compat::Config::new(compat::Layer::OverlappedDwt)
    };
    let (mut packer, mut unpacker) =
        (compat::Packer::new(config).unwrap(), compat::Unpacker::new(config).unwrap());
    let (mut values, mut out, mut bytes, mut heard) = (vec![0; 2048], vec![0; 2048], 0, Vec::new());
    for block in sound.chunks_exact(2048) {
        let mut packet = Vec::new();
        packer.pack(1, q, block, &mut packet);
        unpacker.read(&packet, &mut values).unwrap();
        unpacker.render(Some(&values), q, &mut out);
        bytes += packet.len();
        heard.extend(out.iter().map(|x| (*x).clamp(-32_768, 32_767) as i16));
    }
    (bytes, snr(sound, &heard[2 * 2048..]))
}

/// Bits at the seminar's own signal-to-noise ratio, between the two nearest steps.
fn bytes_at(frames: usize, sound: &[i16], wanted: f64) -> f64 {
    let mut last: Option<(usize, f64)> = None;
    for code in (16..110).step_by(4) {
        let (bytes, snr) = through(frames, sound, Goal::Step(step_of(code)));
        if snr < wanted
            && let Some((more, better)) = last
        {
            let share = (wanted - snr) / (better - snr);
            return bytes as f64 * (more as f64 / bytes as f64).powf(share);
        }
        last = Some((bytes, snr));
    }
    f64::INFINITY
}

#[test]
fn far_fewer_bits_than_the_seminars_best_layer_at_its_quality() {
    let sound = music(3 * 15_360);
    for (q, most, most_prompt) in [(128, 0.45, 0.60), (512, 0.40, 0.60)] {
        let (bytes, snr) = seminar(&sound, q);
        let [long, prompt] = [1024, 120].map(|frames| bytes_at(frames, &sound, snr) / bytes as f64);
        println!("q {q}: {bytes} bytes at {snr:.1} dB; 1024 frames {long:.3}, 120 frames {prompt:.3}");
        assert!(long < most && prompt < most_prompt);
    }
}

#[test]
fn packets_keep_their_budget_and_sound_better_with_more() {
    let sound = music(2 * 15_360);
    for frames in [1024, 240] {
        let mut last = f64::NEG_INFINITY;
        for kbps in [24, 32, 64, 128, 256] {
            let budget = kbps * 1_000 / 8 * frames / 44_100;
            let mut encoder = Encoder::new(frames).unwrap();
            let (mut most, mut total, mut count) = (0, 0, 0);
            for block in sound.chunks_exact(2 * frames) {
                let mut packet = Vec::new();
                encoder.encode(block, Goal::Bytes(budget), &mut packet);
                (most, total, count) = (most.max(packet.len()), total + packet.len(), count + 1);
            }
            let (_, snr) = through(frames, &sound, Goal::Bytes(budget));
            println!(
                "{frames} frames, {kbps} kbit/s: {budget} bytes, most {most}, mean {}, {snr:.1} dB",
                total / count
            );
            assert!(most <= budget && snr > last, "{frames} {kbps}");
            last = snr;
        }
    }
}

#[test]
fn garbage_is_refused_or_sounds_like_something() {
    let mut decoder = Decoder::new(240).unwrap();
    let mut out = vec![0; 480];
    assert_eq!(decoder.decode(&[], &mut out), Err(Refused));
    let mut state = 1_u32;
    for length in 4..200 {
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let packet: Vec<u8> = (0..length).map(|_| draw()).collect();
        let _ = decoder.decode(&packet, &mut out);
    }
    decoder.lost(&mut out);
}
