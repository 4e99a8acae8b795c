//! The seminar's jitter: 100 ± 100 ms, normal, correlation 25 %, as the words mean it.

use crate::ends::{heard, judge, pair, stats};

const JITTER: &str = "delay=100ms±100ms~25% distribution=normal";

/// How much is unusable, and the delay from the end of a block to when it is played.
fn under(copies: u8, late: f64) -> (f64, f64) {
    let mut world =
        pair(JITTER, 0.0, |config| (config.copies, config.most, config.late) = (Some(copies), 600_000, late));
    let (share, delay) = judge(&mut world, 15.0, 60.0);
    let (frames, snr) = heard(&world, 50.0);
    println!(
        "{copies} copies: {:.2} % at {:.0} ms; mouth to ear {:.0} ms ({snr:.0} dB)",
        100.0 * share,
        1e3 * delay,
        frames as f64 / 44.1
    );
    println!("{:?}", stats(&world));
    (share, delay)
}

#[test]
fn hardly_a_frame_is_unheard_and_copies_take_half_of_the_delay() {
    let (share, delay) = under(0, 0.005);
    assert!(share < 0.005_5 && delay < 0.368, "{share:.4} at {delay:.3} s");
    let (mended, sooner) = under(4, 0.005);
    assert!(mended < 0.005_5 && sooner < 0.2, "{mended:.4} at {sooner:.3} s");
}
