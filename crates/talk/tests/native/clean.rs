//! Nothing is in the way.

use crate::ends::{call, heard, stats};
use levada_codec::packet::Codec;
use levada_talk::native::Rendition;

#[test]
fn over_a_clean_link_it_is_heard_within_twenty_milliseconds() {
    let world = call("delay=2ms", 4.0, |_| {});
    let (frames, snr) = heard(&world, 3.0);
    let ms = frames as f64 / 44.1;
    println!("{ms:.1} ms, {snr:.1} dB, {:?}", stats(&world));
    assert!(ms < 20.0 && snr > 12.0, "{ms:.1} ms, {snr:.1} dB");
    assert_eq!(stats(&world).frames.missing, 0);
}

#[test]
fn every_codec_carries_sound() {
    for codec in Codec::ALL {
        for (frames, rate) in [(240, 44_100), (120, 44_100)] {
            let world = call("delay=2ms", 2.0, |config| {
                config.rendition = Rendition { codec, frames, rate };
                config.most = 2_000_000;
            });
            let (frames, snr) = heard(&world, 1.5);
            let stats = stats(&world);
            println!(
                "{codec} {frames}: {:.1} ms, {snr:.1} dB, {:.0} kbit/s",
                frames as f64 / 44.1,
                stats.sent_bytes as f64 / 250.0
            );
            assert!(snr > 10.0 && frames < 1_400, "{codec}: {frames} frames, {snr:.1} dB, {stats:?}");
            assert!(stats.frames.missing <= 1, "{codec}: {stats:?}");
        }
    }
}

#[test]
fn two_ends_may_speak_differently() {
    let (first, second) = crate::kit::ends();
    let mut world = crate::kit::world(5);
    let mut config = crate::ends::config(Some(second), 1);
    config.rendition = Rendition { codec: Codec::Opus, frames: 480, rate: 48_000 };
    world.add(crate::ends::end(config, 1), &crate::kit::access("delay=2ms")).unwrap();
    let config = crate::ends::config(Some(first), 2);
    world.add(crate::ends::end(config, 2), &Default::default()).unwrap();
    world.run(crate::kit::secs(3.0), |_, _, _| {});
    // what was said at 48,000 a second is heard at 44,100 as the same sound
    let heard = &world.machine(levada_link::world::HostId(1)).unwrap().devices().heard;
    let mut resampler = levada_media::resample::Resampler::new(2, 44_100, 48_000);
    resampler.push(&heard.iter().map(|x| f32::from(*x)).collect::<Vec<_>>());
    let mut out = vec![0.0; 2 * 140_000];
    let frames = resampler.pull(&mut out);
    let out: Vec<i16> = out[..2 * frames].iter().map(|x| *x as i16).collect();
    let (delay, snr) = crate::kit::delay(&out, 96_000, 2_048, 4_000, 1);
    println!("{delay} frames, {snr:.1} dB");
    assert!(snr > 6.0, "{delay} frames, {snr:.1} dB");
    assert_eq!(stats(&world).frames.missing, 0);
}

/// The figure's device to device, without the noise of a machine's scheduler: here a link of 2 ms is in it.
#[test]
fn with_short_blocks_it_is_heard_within_ten_and_a_half_milliseconds() {
    let world = call("delay=2ms", 6.0, |config| config.rendition.frames = 120);
    let (frames, snr) = heard(&world, 5.0);
    let (ms, stats) = (frames as f64 / 44.1, stats(&world));
    println!("{ms:.1} ms, {snr:.1} dB, {stats:?}");
    assert!(ms < 10.5 && snr > 12.0, "{ms:.1} ms, {snr:.1} dB");
    assert!(stats.frames.missing == 0, "{stats:?}");
}
