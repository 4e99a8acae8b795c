//! The bands of hearing: how loud they are, what that costs to say, and how finely what is in them is told.

use crate::entropy::{Cell, Coder};

/// Bands whose loudness is told; a third of them for short blocks.
pub const BANDS: usize = 21;

/// Where bands begin, and the end: about as wide as those of hearing, were the rate 44,100 or 48,000.
pub fn edges(frames: usize) -> Vec<usize> {
    const EDGES: [f64; BANDS + 1] = [
        0.0, 100.0, 200.0, 300.0, 400.0, 510.0, 630.0, 770.0, 920.0, 1_080.0, 1_270.0, 1_480.0, 1_850.0,
        2_320.0, 3_000.0, 3_850.0, 4_900.0, 6_400.0, 8_500.0, 11_000.0, 15_500.0, 22_050.0,
    ];
    let edge = |hertz: &f64| (hertz / 22_050.0 * frames as f64).round() as usize;
    let every = if frames < 480 { 3 } else { 1 };
    let mut edges: Vec<usize> = EDGES.iter().step_by(every).map(edge).collect();
    edges.push(frames);
    edges.dedup();
    edges
}

/// The loudness of each band, in steps of 3 dB above silence.
pub fn loudness(bins: &[f32], edges: &[usize]) -> [u8; BANDS] {
    let mut louds = [0; BANDS];
    for (loud, edge) in louds.iter_mut().zip(edges.windows(2)) {
        let bins = &bins[edge[0]..edge[1]];
        let power = bins.iter().map(|x| x * x).sum::<f32>() / bins.len().max(1) as f32;
        *loud = ((power.max(1e-9).log2() + 1.5).round().clamp(0.0, 40.0)) as u8;
    }
    louds
}

/// The root of the mean square that a loudness says.
pub fn rms_of(loud: u8) -> f32 {
    ((f32::from(loud) - 1.0) * 0.5).exp2()
}

/// The step under a band of this loudness: it grows with a power of the loudness, so that noise stays below what hides it.
pub fn shaped_step(step: f32, loud: u8) -> f32 {
    (step * (f32::from(loud) * 0.5 * MASK).exp2() * 0.05).max(0.5)
}

/// How much of a band's loudness hides noise.
const MASK: f32 = 0.75;

/// Says how loud the bands of both channels are: each by its difference from the one below, the second channel's by how the first
/// one's went.
pub fn code_loudness(coder: &mut impl Coder, louds: &mut [[u8; BANDS]; 2], count: usize) {
    let mut cells = [Cell::new(1 << 15); 4 * WIDTH];
    let mut below = [12_i32, 4];
    let [firsts, seconds] = louds;
    for (first, second) in firsts.iter_mut().zip(seconds).take(count) {
        let told = code_step(coder, &mut cells[..WIDTH], i32::from(*first) - below[0]);
        *first = (below[0] + told).clamp(0, 40) as u8;
        // how far the second lies below the first changes little
        let likely = i32::from(*first) - below[1];
        let set = WIDTH * (1 + usize::from(told != 0));
        let apart = code_step(coder, &mut cells[set..set + WIDTH], i32::from(*second) - likely);
        *second = (likely + apart).clamp(0, 40) as u8;
        below = [i32::from(*first), i32::from(*first) - i32::from(*second)];
    }
}

/// A number near zero.
fn code_step(coder: &mut impl Coder, cells: &mut [Cell], value: i32) -> i32 {
    if !cells[0].code(coder, value != 0) {
        return 0;
    }
    let up = cells[1].code(coder, value > 0);
    let mut found = 1_i32;
    while found < 45 {
        let cell = 1 + (found as usize).min(8) + if up { 8 } else { 0 };
        if !cells[cell].code(coder, value.abs() > found) {
            break;
        }
        found += 1;
    }
    if up { found } else { -found }
}

const WIDTH: usize = 18;
