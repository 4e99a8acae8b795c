//! The two ends' clocks differ.

use crate::ends::{pair, stats};
use crate::kit::secs;
use levada_codec::packet::Codec;

/// Minutes by default; an hour when asked for.
fn seconds() -> f64 {
    std::env::var("LEVADA_DRIFT").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(150.0)
}

#[test]
fn clocks_may_differ_by_two_hundred_parts_in_a_million() {
    for ppm in [200.0, -200.0] {
        let mut world = pair("delay=5ms", ppm, |config| {
            (config.rendition.codec, config.most) = (Codec::Pcm, 2_000_000);
        });
        let (mut least, mut most, mut now) = (f64::MAX, f64::MIN, 20.0);
        world.run(secs(now), |_, _, _| {});
        let before = stats(&world).frames;
        while now < seconds() {
            now += 0.5;
            world.run(secs(now), |_, _, _| {});
            let buffered = stats(&world).buffered;
            (least, most) = (least.min(buffered), most.max(buffered));
            // a kept sound is not looked at here
            [0, 1].iter().for_each(|n| {
                world.machine_mut(levada_link::world::HostId(*n)).unwrap().sound().heard.clear();
                world.machine_mut(levada_link::world::HostId(*n)).unwrap().sound().frames = 0;
            });
        }
        let after = stats(&world);
        println!("{ppm}: {:.1} to {:.1} ms, {after:?}", 1e3 * least, 1e3 * most);
        assert_eq!(after.frames.missing, before.missing, "{ppm}: {after:?}");
        assert!(most - least < 0.005_4, "{ppm}: {least} to {most}, {after:?}");
        // by the resampler, which knows the other clock, and not by jumps
        let jumps = |counts: levada_talk::native::Counts| counts.stretched + counts.shortened;
        assert_eq!(jumps(after.frames), jumps(before), "{ppm}: {after:?}");
        assert!((after.skew - ppm).abs() < 20.0, "{ppm}: {after:?}");
    }
}
