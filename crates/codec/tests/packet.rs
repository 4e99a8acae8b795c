//! All codecs of a call through their one face.

use levada_codec::packet::{Codec, Decoder, Encoder, Refused};

/// Two tones that swell, interleaved.
fn sound(frames: usize) -> Vec<i16> {
    let frame = |n: usize| {
        let t = n as f64 / 44_100.0 * std::f64::consts::TAU;
        let swell = 0.6 + 0.4 * (t * 3.0).sin();
        [(9_000.0 * swell * (t * 440.0).sin()) as i16, (7_000.0 * swell * (t * 660.0).sin()) as i16]
    };
    (0..frames).flat_map(frame).collect()
}

#[test]
fn every_codec_keeps_its_budget_and_is_heard() {
    for codec in Codec::ALL {
        for frames in [1_024, 960, 480, 240, 120] {
            if !codec.has(frames) {
                assert!(codec == Codec::Opus && frames == 1_024, "{codec} {frames}");
                continue;
            }
            let (mut encoder, mut decoder) =
                (Encoder::new(codec, frames).unwrap(), Decoder::new(codec, frames).unwrap());
            let (sound, budget) = (sound(40 * frames), (frames / 2).max(60));
            let mut heard = Vec::new();
            for block in sound.chunks_exact(2 * frames) {
                let (mut packet, mut out) = (Vec::new(), vec![0; 2 * frames]);
                encoder.encode(block, budget, &mut packet);
                let pcm = codec == Codec::Pcm;
                assert!(packet.len() <= budget || pcm, "{codec} {frames}: {} of {budget}", packet.len());
                decoder.decode(&packet, &mut out).unwrap();
                heard.extend(out);
            }
            let late = 2 * codec.delay(frames);
            let (mut signal, mut noise) = (1.0, 1.0);
            for (said, heard) in sound.iter().zip(&heard[late..]).skip(8 * frames) {
                signal += f64::from(*said).powi(2);
                noise += (f64::from(*said) - f64::from(*heard)).powi(2);
            }
            let snr = 10.0 * f64::log10(signal / noise);
            println!("{codec} {frames}: {snr:.1} dB");
            assert!(snr > 14.0, "{codec} {frames}: {snr}");
        }
    }
}

#[test]
fn what_is_no_packet_is_refused_and_what_is_lost_is_quiet_at_last() {
    for codec in Codec::ALL {
        let mut decoder = Decoder::new(codec, 240).unwrap();
        let mut out = vec![0; 480];
        let mut state = 3_u32;
        for length in 0..400 {
            let packet: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            if let Err(refused) = decoder.decode(&packet, &mut out) {
                assert_eq!(refused, Refused);
            }
        }
        (0..300).for_each(|_| decoder.lost(&mut out));
        // Opus goes on with what it takes for the room's noise
        assert!(codec == Codec::Opus || out.iter().all(|x| *x == 0), "{codec}");
    }
}

#[test]
fn codecs_are_called_by_their_names() {
    for codec in Codec::ALL {
        assert_eq!(codec.to_string().parse(), Ok(codec));
    }
    assert!("mp3".parse::<Codec>().is_err());
    assert!(Encoder::new(Codec::Native, 100).is_err() && Decoder::new(Codec::Opus, 1_024).is_err());
}
