//! The wavelet mode's packets to integers. What these become is InterCom's transform, which `reference` has.

use super::coder::Finder;
use super::spectrum::{Run, Spectrum, around};

/// The step, and the integers of sum and difference.
pub fn decode(packet: &[u8], frames: usize) -> (i64, [Vec<i64>; 2]) {
    let step = i64::from(packet[0]) * 256 + i64::from(packet[1]);
    let levels =
        (3..=6).rev().find(|levels| frames % (1 << levels) == 0 && 10 << levels <= frames).unwrap_or(0);
    let coarsest = frames >> levels;
    let mut finder = Finder::new(&packet[4..]);
    let mut spectrum = Spectrum::trained(4);
    let mut found: [Vec<i64>; 2] = [Vec::new(), Vec::new()];
    for channel in 0..2 {
        let end = usize::from(packet[2 + channel]) * frames / 64;
        let mut run = Run::new();
        for k in 0..end {
            let octave = if k < coarsest { 0 } else { (k / coarsest).ilog2() as usize + 1 };
            // those at its time one octave below, as far as they are known; beside the other channel's
            let parent = if k < coarsest { 0 } else { around(&found[channel], k / 2) };
            let beside = if channel == 0 { parent } else { (around(&found[0], k) + parent) / 2 };
            let value = spectrum.value(&mut finder, &mut run, channel == 1, beside, octave);
            found[channel].push(value);
        }
    }
    (
        step,
        found.map(|mut values| {
            values.resize(frames, 0);
            values
        }),
    )
}
