//! InterCom's packets, read and written: against what the Python programs made, and by a decoder of the tests' own.
#![allow(clippy::unwrap_used)] // a test may fail so

mod reference;

use levada_codec::compat::{Config, Dwt, Effort, Layer, Packer, Rebuild, Unpacker, Wavelet, Wpt, steps};
use reference::FRAMES;
use std::path::Path;

const Q: u32 = 128;

/// What the programs were given: six blocks of 1024 stereo frames.
fn input() -> Vec<Vec<i16>> {
    let mut x: u32 = 12_345;
    let mut noise = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i32::from((x >> 16) as u16 & 0x1ff) - 256
    };
    let tone = |hertz: f64, n: usize, phase: f64| {
        (std::f64::consts::TAU * hertz * n as f64 / 44_100.0 + phase).sin()
    };
    let mut frame = |n: usize| {
        let left = (8_000.0 * tone(440.0, n, 0.0) + 1_500.0 * tone(5_000.0, n, 0.0)).round() as i32;
        let right = (6_000.0 * tone(554.37, n, 1.0)).round() as i32;
        [(left + noise()) as i16, (right + noise()) as i16]
    };
    (0..6).map(|block| (block * FRAMES..(block + 1) * FRAMES).flat_map(&mut frame).collect()).collect()
}

struct Golden {
    planes: Vec<Vec<u8>>,
    decoded: Vec<i32>,
}

/// The packets of a layer: `planes` of so many bytes each.
fn golden(layer: Layer) -> Vec<Golden> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{layer}.z"));
    let bytes = miniz_oxide::inflate::decompress_to_vec_zlib(&std::fs::read(path).unwrap()).unwrap();
    let (count, length) = planes(layer);
    let decoded = if layer.is_quantized() { 4 * 2 * FRAMES } else { 0 };
    let packet = |bytes: &[u8]| {
        let (planes, decoded) = bytes.split_at(count * length);
        Golden {
            planes: planes.chunks(length).map(<[u8]>::to_vec).collect(),
            decoded: decoded.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect(),
        }
    };
    bytes.chunks(count * length + decoded).map(packet).collect()
}

/// How many planes a layer has, and how many bytes each.
fn planes(layer: Layer) -> (usize, usize) {
    match layer {
        Layer::Buffer | Layer::DeflateRaw | Layer::DeflateSerial => (1, 4096),
        Layer::DeflateSerialReset | Layer::Byteplanes2 | Layer::Byteplanes2Interlaced => (2, 2048),
        Layer::Byteplanes4 => (4, 2048),
        _ => (3, 2048),
    }
}

fn layers() -> impl Iterator<Item = Layer> {
    // the three other controls send what BR_control_no sends; minimal sends what buffer does, without a number
    let others = [Layer::Minimal, Layer::BrAddLost, Layer::BrConservative, Layer::BrLost];
    Layer::all().filter(move |layer| !others.contains(layer) && !layer.has_video())
}

fn config(layer: Layer) -> Config {
    Config { effort: Effort::Quick, rebuild: Rebuild::Edge, ..Config::new(layer) }
}

#[test]
fn our_packets_hold_what_the_programs_packets_hold() {
    for layer in layers() {
        let mut packer = Packer::new(config(layer)).unwrap();
        for ((number, block), golden) in (1..).zip(input()).zip(golden(layer)) {
            let mut datagram = Vec::new();
            packer.pack(number, Q, &block, &mut datagram);
            let (count, _) = planes(layer);
            let (told, ours) = match layer {
                Layer::Buffer => {
                    (u16::from_be_bytes([datagram[0], datagram[1]]), vec![datagram[2..].to_vec()])
                }
                _ => reference::planes(&datagram, count - 1),
            };
            assert_eq!(told, number);
            if !layer.is_wavelet() {
                assert!(ours == golden.planes, "{layer}, packet {number}");
                continue;
            }
            let (ours, theirs) = (reference::integers(&ours), reference::integers(&golden.planes));
            let pairs = ours.iter().flatten().zip(theirs.iter().flatten());
            let off: Vec<_> = pairs.filter(|(ours, theirs)| ours != theirs).collect();
            assert!(off.len() <= 2, "{layer}, packet {number}: {} differ, {off:?}", off.len());
            assert!(off.iter().all(|(ours, theirs)| ours.abs_diff(**theirs) == 1), "{layer}: {off:?}");
        }
    }
}

#[test]
fn the_programs_packets_decode_to_what_they_decode_to() {
    for layer in layers() {
        let mut unpacker = Unpacker::new(config(layer)).unwrap();
        let mut values = vec![0; 2 * FRAMES];
        for ((number, block), golden) in (1..).zip(input()).zip(golden(layer)) {
            let planes: Vec<&[u8]> = golden.planes.iter().map(Vec::as_slice).collect();
            let datagram = match layer {
                Layer::Buffer => [&u16::to_be_bytes(number), planes[0]].concat(),
                _ => reference::datagram(number, &planes),
            };
            assert_eq!(unpacker.number(&datagram), Some(number));
            unpacker.read(&datagram, &mut values).unwrap();
            let mut out = vec![0; 2 * FRAMES];
            unpacker.render(Some(&values), Q, &mut out);
            let expected = match layer.is_quantized() {
                true => golden.decoded,
                false => block.iter().map(|sample| i32::from(*sample)).collect(),
            };
            // the last bit of a floating-point sum decides what truncation makes of it
            let slack = i32::from(layer.is_wavelet());
            let worst = out.iter().zip(&expected).map(|(ours, theirs)| (ours - theirs).abs()).max();
            assert!(worst <= Some(slack), "{layer}, packet {number}: off by {worst:?}");
        }
    }
}

/// The chain of our encoder, read by the tests' own decoder: quantized integers to sound.
#[test]
fn a_stranger_hears_what_we_send() {
    for (layer, overlap, packets) in [
        (Layer::Dwt, 0, false),
        (Layer::OverlappedDwt, 640, false),
        (Layer::Wpt, 0, true),
        (Layer::OverlappedWpt, 640, true),
        (Layer::ToH, 640, true),
    ] {
        let config = config(layer);
        let mut packer = Packer::new(config).unwrap();
        let steps: Vec<f64> = match layer {
            Layer::ToH => steps(44_100, 64, Q).into_iter().flat_map(|step| [f64::from(step); 16]).collect(),
            _ => vec![f64::from(Q); FRAMES],
        };
        let edges = if packets { reference::packets() } else { reference::octaves() };
        let mut memory = [[vec![0.0; FRAMES], vec![0.0; FRAMES]], Default::default(), Default::default()];
        memory[1] = memory[0].clone();
        memory[2] = memory[0].clone();
        let blocks = input();
        for (n, block) in blocks.iter().enumerate().take(4) {
            let mut datagram = Vec::new();
            packer.pack(n as u16 + 1, Q, block, &mut datagram);
            let integers = reference::integers(&reference::planes(&datagram, 2).1);
            memory.rotate_left(1);
            memory[2] = integers.map(|k| k.iter().zip(&steps).map(|(k, step)| *k as f64 * step).collect());
            let delay = if overlap == 0 { 0 } else { 2 };
            let (Some(said), true) = (n.checked_sub(delay), n != 1 || overlap == 0) else { continue };
            let channel = |c: usize| {
                let middle = if overlap == 0 { 2 } else { 1 };
                let bands =
                    reference::bands([&memory[0][c], &memory[middle][c], &memory[2][c]], &edges, overlap);
                let long =
                    if packets { reference::from_packets(&bands) } else { reference::from_octaves(&bands) };
                long[overlap..overlap + FRAMES].to_vec()
            };
            let (mid, side) = (channel(0), channel(1));
            let heard = mid.iter().zip(&side).flat_map(|(m, s)| [(m + s) / 2.0, (m - s) / 2.0]);
            let snr = snr(&blocks[said], heard);
            assert!(snr > if layer == Layer::ToH { 24.0 } else { 30.0 }, "{layer}: {snr:.1} dB");
        }
    }
}

/// What a decoder gains that puts coefficients where they are: no byte of the packets changes.
#[test]
fn filling_bins_inside_gains_about_a_decibel_and_more() {
    for layer in [Layer::BrNo, Layer::Mst32, Layer::OverlappedDwt, Layer::Wpt, Layer::ToH] {
        let heard = |rebuild: Rebuild| {
            let mut unpacker = Unpacker::new(Config { rebuild, ..config(layer) }).unwrap();
            let mut packer = Packer::new(config(layer)).unwrap();
            let (mut values, mut out) = (vec![0; 2 * FRAMES], vec![0; 2 * FRAMES]);
            let blocks = input();
            for (number, block) in (1..).zip(&blocks) {
                let mut datagram = Vec::new();
                packer.pack(number, Q, block, &mut datagram);
                unpacker.read(&datagram, &mut values).unwrap();
                unpacker.render(Some(&values), Q, &mut out);
            }
            let last = if layer.is_overlapped() { 3 } else { 5 };
            snr(&blocks[last], out.iter().map(|x| f64::from(*x)))
        };
        let (edge, centre) = (heard(Rebuild::Edge), heard(Rebuild::Centre));
        assert!(centre > edge + 0.7, "{layer}: {edge:.1} dB, {centre:.1} dB");
    }
}

#[test]
fn an_optimal_parse_is_shorter_and_reads_the_same() {
    let length = |effort: Effort, layer: Layer| -> usize {
        let mut packer = Packer::new(Config { effort, ..config(layer) }).unwrap();
        let blocks = &input()[..3];
        let pack = |block: &Vec<i16>| {
            let mut datagram = Vec::new();
            packer.pack(1, Q, block, &mut datagram);
            datagram.len()
        };
        blocks.iter().map(pack).sum::<usize>()
    };
    for layer in [Layer::OverlappedDwt, Layer::OverlappedWpt, Layer::ToH] {
        let share = length(Effort::Thorough, layer) as f64 / length(Effort::Zlib, layer) as f64;
        assert!(share < 0.96, "{layer}: {share:.3}");
    }
}

#[test]
fn wavelets_are_those_of_pywavelets() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/wavelets.f32");
    let bytes = std::fs::read(path).unwrap();
    let theirs: Vec<f64> =
        bytes.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
    let signal: Vec<f64> = (0..64).map(|n| f64::from((n * n * 37 + 11 * n) % 2001 - 1000)).collect();
    for (moments, theirs) in (1..).zip(theirs.chunks_exact(128)) {
        let mut dwt = Dwt::new(Wavelet::db(moments).unwrap(), 3);
        let mut bands = vec![0.0; 128];
        dwt.analyze(&signal, &mut bands[..64]);
        Wpt::new(dwt).analyze(&signal, &mut bands[64..]);
        let worst = bands.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-3, "db{moments}: {worst}");
    }
}

/// The kinds of packets that end a Python peer.
#[test]
fn nothing_a_stranger_sends_is_more_than_refused() {
    let block = &input()[0];
    let mut x: u32 = 7;
    let mut chance = move |end: usize| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as usize % end.max(1)
    };
    for layer in layers().chain([Layer::Minimal]) {
        let mut unpacker = Unpacker::new(config(layer)).unwrap();
        let mut values = vec![0; 2 * FRAMES];
        let mut good = Vec::new();
        Packer::new(config(layer)).unwrap().pack(1, Q, block, &mut good);
        for length in 0..good.len().min(64) {
            assert!(unpacker.read(&good[..length], &mut values).is_err(), "{layer}: {length} bytes");
        }
        for _ in 0..300 {
            let mut bad = good.clone();
            (0..1 + chance(4)).for_each(|_| {
                let at = chance(bad.len());
                bad[at] ^= 1 << chance(8);
            });
            let mut out = vec![0; 2 * FRAMES];
            if unpacker.read(&bad, &mut values).is_ok() {
                unpacker.render(Some(&values), Q, &mut out);
            }
        }
    }
}

/// In decibels.
fn snr(said: &[i16], heard: impl Iterator<Item = f64>) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (said, heard) in said.iter().zip(heard) {
        let said = f64::from(*said);
        signal += said * said;
        noise += (said - heard) * (said - heard);
    }
    10.0 * (signal / noise).log10()
}
