//! A decoder of InterCom's datagrams written from the description of the formats alone, slow and plain: what our encoder says
//! is judged by it, never by our own decoder.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part

use miniz_oxide::inflate::decompress_to_vec_zlib;

pub const FRAMES: usize = 1024;

/// db5's synthesis low-pass.
const DB5: [f64; 10] = [
    0.16010239797419293,
    0.6038292697971896,
    0.7243085284377729,
    0.13842814590132074,
    -0.24229488706638203,
    -0.032244869584638375,
    0.07757149384004572,
    -0.006241490212798274,
    -0.012580751999081999,
    0.0033357252854737712,
];

/// The inflated planes of a datagram with `lengths` lengths after its number, and the number.
pub fn planes(datagram: &[u8], lengths: usize) -> (u16, Vec<Vec<u8>>) {
    let word = |at: usize| usize::from(datagram[at]) * 256 + usize::from(datagram[at + 1]);
    let mut at = 2 + 2 * lengths;
    let mut planes = Vec::new();
    for plane in 0..=lengths {
        let end = if plane < lengths { at + word(2 + 2 * plane) } else { datagram.len() };
        planes.push(decompress_to_vec_zlib(&datagram[at..end]).unwrap());
        at = end;
    }
    (word(0) as u16, planes)
}

/// A datagram of such planes, by another compressor than the product's.
pub fn datagram(number: u16, planes: &[&[u8]]) -> Vec<u8> {
    let packed: Vec<Vec<u8>> =
        planes.iter().map(|plane| miniz_oxide::deflate::compress_to_vec_zlib(plane, 6)).collect();
    let mut datagram = number.to_be_bytes().to_vec();
    for plane in &packed[..packed.len() - 1] {
        datagram.extend((plane.len() as u16).to_be_bytes());
    }
    datagram.extend(packed.concat());
    datagram
}

/// Signed integers of three planes: `[channel][frame]`.
pub fn integers(planes: &[Vec<u8>]) -> [Vec<i64>; 2] {
    let channel = |channel: usize| {
        let value = |frame: usize| {
            let raw = planes
                .iter()
                .fold(0, |value, plane| value * 256 + i64::from(plane[channel * FRAMES + frame]));
            if raw >= 1 << 23 { raw - (1 << 24) } else { raw }
        };
        (0..FRAMES).map(value).collect()
    };
    [channel(0), channel(1)]
}

/// One level up: every coefficient adds its filter.
fn up(low: &[f64], high: &[f64]) -> Vec<f64> {
    let (taps, n) = (DB5.len() as i64, 2 * low.len() as i64);
    let mut x = vec![0.0; n as usize];
    for k in 0..low.len() {
        for j in 0..taps {
            let at = (2 * k as i64 + taps / 2 - j).rem_euclid(n) as usize;
            let dec_lo = DB5[(taps - 1 - j) as usize];
            let dec_hi = if j % 2 == 1 { DB5[j as usize] } else { -DB5[j as usize] };
            x[at] += low[k] * dec_lo + high[k] * dec_hi;
        }
    }
    x
}

/// Octave bands, six levels, to samples.
pub fn from_octaves(bands: &[Vec<f64>]) -> Vec<f64> {
    bands[1..].iter().fold(bands[0].clone(), |low, high| up(&low, high))
}

/// Sixty-four bands of equal width by frequency, to samples: of two neighbours in frequency the even pair is low, high, the odd
/// pair high, low.
pub fn from_packets(bands: &[Vec<f64>]) -> Vec<f64> {
    let mut bands = bands.to_vec();
    while bands.len() > 1 {
        let pairs = bands.chunks(2).enumerate();
        bands = pairs
            .map(|(i, pair)| if i % 2 == 0 { up(&pair[0], &pair[1]) } else { up(&pair[1], &pair[0]) })
            .collect();
    }
    bands.remove(0)
}

/// Where bands begin in a block, with its end.
pub fn octaves() -> Vec<usize> {
    vec![0, 16, 32, 64, 128, 256, 512, 1024]
}

pub fn packets() -> Vec<usize> {
    (0..=64).map(|band| band * 16).collect()
}

/// The bands of the middle one of three blocks of coefficients, with `640/scale` of each neighbour where they overlap.
pub fn bands(blocks: [&[f64]; 3], edges: &[usize], overlap: usize) -> Vec<Vec<f64>> {
    let band = |edge: &[usize]| {
        let (start, end) = (edge[0], edge[1]);
        let reach = overlap * (end - start) / FRAMES;
        [&blocks[0][end - reach..end], &blocks[1][start..end], &blocks[2][start..start + reach]].concat()
    };
    edges.windows(2).map(band).collect()
}
