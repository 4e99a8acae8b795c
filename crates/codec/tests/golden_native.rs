//! Packets of levada's own codecs: the bytes for known blocks, so that no machine and no change reads or writes them otherwise
//! unnoticed, and what plain decoders find in kept ones. `LEVADA_GOLDEN=1` prints and keeps new ones.
#![allow(clippy::unwrap_used, clippy::needless_range_loop, clippy::manual_is_multiple_of)] // those of the plain decoders

mod plain;

use levada_codec::video::{self, Scene};
use levada_codec::{lossless, native, wavelet};
use plain::{digest, keep, kept};

/// Four blocks of plucked tones from integers alone, so that every machine has the same.
fn sound(frames: usize) -> Vec<i16> {
    let (mut a, mut b, mut state) = ([0_i64, 12_000], [0_i64, 9_000], 5_u32);
    let frame = |n: usize| {
        if n.is_multiple_of(700) {
            (a, b) = ([0, 11_000], [0, -8_000]);
        }
        // two resonators with 14 bits behind the point
        a = [a[1], (a[1] * 32_500 - a[0] * 16_310) >> 14];
        b = [b[1], (b[1] * 31_000 - b[0] * 16_350) >> 14];
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = i64::from(state >> 26);
        [
            (a[1] / 3 + b[1] / 9 + hiss).clamp(-30_000, 30_000) as i16,
            (b[1] / 4 - hiss).clamp(-30_000, 30_000) as i16,
        ]
    };
    (0..4 * frames).flat_map(frame).collect()
}

fn check(name: &str, found: u64, golden: u64) {
    if std::env::var_os("LEVADA_GOLDEN").is_some() {
        println!("{name}: {found:#018x}");
    } else {
        assert_eq!(found, golden, "{name}: {found:#018x}");
    }
}

#[test]
fn lossless_packets_are_always_the_same_bytes() {
    let (mut encoder, mut packets) = (lossless::Encoder::new(240), Vec::new());
    for block in sound(240).chunks_exact(480) {
        let mut packet = Vec::new();
        encoder.encode(block, usize::MAX, &mut packet);
        packets.push(packet);
    }
    if std::env::var_os("LEVADA_GOLDEN").is_some() {
        keep("lossless.packets", &packets);
    }
    check("lossless", digest(packets.concat()), LOSSLESS);
}

#[test]
fn kept_lossless_packets_are_the_sound_to_both_decoders() {
    let mut decoder = lossless::Decoder::new(240);
    let packets = kept(include_bytes!("golden/lossless.packets"));
    assert_eq!((packets.len(), digest(packets.concat())), (4, LOSSLESS));
    for (packet, block) in packets.iter().zip(sound(240).chunks_exact(480)) {
        let mut out = vec![0; 480];
        decoder.decode(packet, &mut out).unwrap();
        let [left, right] = plain::lossless::decode(packet, 240);
        let heard = left.iter().zip(&right).flat_map(|(left, right)| [*left as i16, *right as i16]);
        assert!(out == block && heard.eq(block.iter().copied()));
    }
}

#[test]
fn wavelet_packets_of_a_step_tell_always_the_same_integers() {
    let (mut encoder, mut decoder) =
        (wavelet::Encoder::new(240).unwrap(), wavelet::Decoder::new(240).unwrap());
    let (mut told, mut out, mut packets) = (Vec::new(), vec![0; 480], Vec::new());
    for block in sound(240).chunks_exact(480) {
        let mut packet = Vec::new();
        encoder.encode(block, wavelet::Goal::Step(64), &mut packet);
        decoder.decode(&packet, &mut out).unwrap();
        told.extend(decoder.integers().iter().flatten().flat_map(|x| x.to_le_bytes()));
        packets.push(packet);
    }
    if std::env::var_os("LEVADA_GOLDEN").is_some() {
        keep("wavelet.packets", &packets);
    }
    check("wavelet", digest(told), WAVELET);
}

#[test]
fn kept_wavelet_packets_tell_the_same_integers_to_both_decoders() {
    let mut decoder = wavelet::Decoder::new(240).unwrap();
    let (mut ours, mut plains, mut out) = (Vec::new(), Vec::new(), vec![0; 480]);
    for packet in kept(include_bytes!("golden/wavelet.packets")) {
        decoder.decode(packet, &mut out).unwrap();
        ours.extend(decoder.integers().iter().flatten().flat_map(|x| x.to_le_bytes()));
        let (step, integers) = plain::wavelet::decode(packet, 240);
        assert_eq!(step, 64);
        plains.extend(integers.iter().flatten().flat_map(|x| (*x as i32).to_le_bytes()));
    }
    assert_eq!([ours, plains].map(digest), [WAVELET; 2]);
}

/// A packet that is not made here but kept as bytes: what a decoder finds in it are integers, the same everywhere.
#[test]
fn a_kept_packet_of_the_native_codec_tells_the_same_integers() {
    let mut encoder = native::Encoder::new(240).unwrap();
    let mut packet = Vec::new();
    for (n, block) in sound(240).chunks_exact(480).enumerate() {
        packet.clear();
        let goal = if n % 2 == 0 { native::Goal::Step(40.0) } else { native::Goal::Bytes(60) };
        encoder.encode(block, goal, &mut packet);
    }
    if std::env::var_os("LEVADA_GOLDEN").is_some() {
        println!("PACKET: {packet:?}");
    }
    let (mut decoder, mut out) = (native::Decoder::new(240).unwrap(), vec![0; 480]);
    decoder.decode(PACKET, &mut out).unwrap();
    check("native", digest(decoder.integers().iter().flatten().flat_map(|x| x.to_le_bytes())), NATIVE);
    let mut plain = plain::native::Decoder::new(240);
    plain.decode(PACKET);
    check("plain", digest(plain.integers.iter().flatten().flat_map(|x| (*x as i32).to_le_bytes())), NATIVE);
}

#[test]
fn pictures_of_kept_slices_are_the_same_to_the_last_sample() {
    let scene = Scene::new(48, 32, 1);
    let (mut encoder, mut decoder) =
        (video::Encoder::new(48, 32).unwrap(), video::Decoder::new(48, 32).unwrap());
    if std::env::var_os("LEVADA_GOLDEN").is_some() {
        for number in [0, 5] {
            println!("SLICES: {:?}", encoder.encode_with(&scene.picture(number), 34));
        }
    }
    let mut plain = plain::video::Decoder::new(48, 32);
    for slice in SLICES {
        decoder.decode(slice).unwrap();
        plain.decode(slice);
    }
    check("video", digest(decoder.picture().planes.iter().flatten().copied()), VIDEO);
    check("plain", digest(plain.picture.iter().flatten().copied()), VIDEO);
}

const LOSSLESS: u64 = 0xb138_c4e3_3432_e79e;
const WAVELET: u64 = 0x6874_528a_0f22_834e;
const NATIVE: u64 = 0x510a_9cde_e199_4040;
const VIDEO: u64 = 0xf302_3e57_d64d_72eb;
const PACKET: &[u8] = &[
    183, 12, 224, 109, 177, 55, 44, 34, 172, 139, 229, 101, 103, 16, 243, 108, 8, 233, 137, 237, 139, 192,
    101, 237, 112, 48, 245, 32, 173, 241, 254, 77, 149, 254, 199, 252, 174, 194, 225, 132, 161, 246, 156,
    151, 137, 72, 94, 212, 140, 151, 71, 239, 147, 4, 5, 128, 238, 93, 112, 48,
];
const SLICES: &[&[u8]] = &[
    &[
        0, 1, 0, 0, 162, 208, 23, 248, 14, 43, 31, 105, 249, 183, 32, 226, 190, 39, 131, 179, 69, 88, 156,
        88, 204, 72, 0, 150, 203, 150, 113, 42, 3, 122, 221, 234, 0, 164, 193, 142, 178, 22, 245, 198, 223,
        212, 28, 77, 53, 100, 209, 167, 115, 89, 94, 131, 233, 19, 118, 135, 39, 119, 37, 118, 7, 210, 41,
        249, 82, 239, 149, 9, 174, 28, 43, 135, 43, 7, 136, 3, 240, 27, 55, 69, 114, 90, 142, 42, 43, 80,
        175, 94, 169, 107, 35, 204, 172, 51, 182, 46, 130, 55, 138, 223, 22, 29, 196, 24, 170, 74, 146, 208,
        208, 173, 192, 227, 233, 231, 194, 202, 183, 232, 88, 66, 72, 214, 155, 48, 242, 36, 49, 189, 204,
        187, 187, 207, 95, 148, 100, 226, 21, 217, 25, 121, 11, 229, 237, 6, 86, 50, 13, 204, 96, 6, 175,
        101, 111, 112, 160, 197, 223, 112, 136, 246, 97, 127, 131, 49, 181, 10, 127, 230, 127, 248, 112, 0,
        199, 104, 232, 139, 212, 146, 242, 143, 192, 123, 25, 193, 55, 173, 84, 7, 164, 14, 125, 31, 30, 83,
        215, 45, 253, 241, 204, 43, 247, 187, 184, 47, 181, 218, 157, 45, 125, 66, 161, 184, 32, 108, 155,
        233, 47, 144, 22, 194, 16, 103, 161, 171, 138, 120, 193, 3, 93, 121, 53, 162, 140, 120, 116, 73, 3,
        120, 100, 64, 124, 127, 92, 156,
    ],
    &[
        0, 2, 0, 0, 34, 106, 2, 92, 227, 77, 154, 27, 58, 141, 211, 68, 160, 48, 96, 151, 71, 40, 104, 77, 5,
        124, 217, 241, 172, 103, 229, 221, 252, 132, 136, 136, 131, 215, 131, 148, 151, 169, 12, 251, 166,
        94, 50, 173,
    ],
];
