use super::*;
use crate::compat;

fn sound(frames: usize) -> Vec<i16> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    let frame = |n: usize| {
        let t = n as f64 / 44_100.0;
        let fade = (-(t * 5.0).fract() * 6.0).exp();
        let tone = |hertz: f64| (std::f64::consts::TAU * hertz * t).sin() * fade;
        let hiss = 200.0 * noise();
        [(8_000.0 * tone(440.0) + hiss) as i16, (5_000.0 * tone(554.4) - 0.5 * hiss) as i16]
    };
    (0..frames).flat_map(frame).collect()
}

#[test]
fn its_integers_are_those_of_the_seminars_layer_in_half_the_bits() {
    let sound = sound(20 * 1_024);
    for q in [32_u16, 128, 512] {
        let config = compat::Config::new(compat::Layer::OverlappedDwt);
        let mut packer = compat::Packer::new(config).unwrap();
        let (mut encoder, mut decoder) = (Encoder::new(1_024).unwrap(), Decoder::new(1_024).unwrap());
        let (mut theirs, mut ours, mut heard) = (0, 0, vec![0; 2_048]);
        for block in sound.chunks_exact(2_048) {
            let (mut datagram, mut packet) = (Vec::new(), Vec::new());
            packer.pack(1, q.into(), block, &mut datagram);
            encoder.encode(block, Goal::Step(q), &mut packet);
            decoder.decode(&packet, &mut heard).unwrap();
            let [sum, difference] = decoder.integers();
            let integers: Vec<i32> = sum.iter().zip(difference).flat_map(|(a, b)| [*a, *b]).collect();
            assert_eq!(integers, packer.values());
            (theirs, ours) = (theirs + datagram.len(), ours + packet.len());
        }
        println!("q {q}: {theirs} and {ours} bytes");
        assert!(ours * 100 < theirs * 62, "{ours} of {theirs}");
    }
}

#[test]
fn blocks_of_every_size_are_heard_within_their_budget() {
    for frames in [1_024, 960, 480, 240, 120] {
        let sound = sound(12 * frames);
        let (mut encoder, mut decoder) = (Encoder::new(frames).unwrap(), Decoder::new(frames).unwrap());
        let (budget, mut heard) = (frames / 2, Vec::new());
        for block in sound.chunks_exact(2 * frames) {
            let (mut packet, mut out) = (Vec::new(), vec![0; 2 * frames]);
            encoder.encode(block, Goal::Bytes(budget), &mut packet);
            assert!(packet.len() <= budget, "{} of {budget}", packet.len());
            decoder.decode(&packet, &mut out).unwrap();
            heard.extend(out);
        }
        let (mut signal, mut noise) = (0.0, 0.0);
        for (said, heard) in sound.iter().zip(&heard[4 * frames..]) {
            signal += f64::from(*said).powi(2);
            noise += (f64::from(*said) - f64::from(*heard)).powi(2);
        }
        assert!(signal > 100.0 * noise, "{frames}: {}", 10.0 * f64::log10(signal / noise));
    }
    assert!(Encoder::new(100).is_none() && levels(72).is_none());
}

#[test]
fn garbage_is_refused_or_sounds_like_something() {
    let (mut decoder, mut out) = (Decoder::new(120).unwrap(), vec![0; 240]);
    assert_eq!(decoder.decode(&[0, 1, 0], &mut out), Err(Refused));
    assert_eq!(decoder.decode(&[0, 0, 9, 9, 1], &mut out), Err(Refused));
    for seed in 0..200_u32 {
        let packet: Vec<u8> = (0..seed).map(|n| (n.wrapping_mul(seed * 77 + 5) >> 3) as u8).collect();
        let _ = decoder.decode(&packet, &mut out);
    }
    decoder.lost(&mut out);
}
