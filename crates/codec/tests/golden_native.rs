//! Packets of levada's own codecs: the bytes for known blocks, so that no machine and no change reads or writes them otherwise
//! unnoticed. `LEVADA_GOLDEN=1` prints new ones.

use levada_codec::video::{self, Scene};
use levada_codec::{lossless, native, wavelet};

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

/// FNV-1a.
fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
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
    sound(240).chunks_exact(480).for_each(|block| encoder.encode(block, usize::MAX, &mut packets));
    check("lossless", digest(packets), LOSSLESS);
}

#[test]
fn wavelet_packets_of_a_step_tell_always_the_same_integers() {
    let (mut encoder, mut decoder) =
        (wavelet::Encoder::new(240).unwrap(), wavelet::Decoder::new(240).unwrap());
    let (mut told, mut out) = (Vec::new(), vec![0; 480]);
    for block in sound(240).chunks_exact(480) {
        let mut packet = Vec::new();
        encoder.encode(block, wavelet::Goal::Step(64), &mut packet);
        decoder.decode(&packet, &mut out).unwrap();
        told.extend(decoder.integers().iter().flatten().flat_map(|x| x.to_le_bytes()));
    }
    check("wavelet", digest(told), WAVELET);
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
    for slice in SLICES {
        decoder.decode(slice).unwrap();
    }
    check("video", digest(decoder.picture().planes.iter().flatten().copied()), VIDEO);
}

const LOSSLESS: u64 = 0x6f67_fdc3_f645_fc6f;
const WAVELET: u64 = 0x6874_528a_0f22_834e;
const NATIVE: u64 = 0xf5c1_ebf8_a2cb_e049;
const VIDEO: u64 = 0xf302_3e57_d64d_72eb;
const PACKET: &[u8] = &[
    182, 12, 224, 109, 165, 220, 72, 92, 188, 239, 81, 90, 96, 101, 136, 102, 234, 136, 64, 207, 125, 81,
    125, 197, 18, 117, 29, 117, 160, 250, 0, 185, 81, 78, 112, 179, 86, 46, 139, 68, 239, 104, 145, 227, 246,
    109, 188, 12, 219, 124, 111, 250, 158, 85, 186, 33,
];
const SLICES: &[&[u8]] = &[
    &[
        0, 1, 0, 0, 162, 208, 24, 50, 45, 150, 196, 125, 157, 156, 127, 107, 208, 238, 36, 81, 190, 121, 210,
        224, 218, 11, 24, 89, 111, 225, 229, 198, 98, 220, 212, 211, 206, 14, 37, 104, 41, 235, 33, 21, 216,
        210, 37, 2, 225, 49, 168, 207, 193, 55, 197, 68, 181, 93, 54, 249, 0, 146, 30, 228, 78, 55, 218, 101,
        196, 83, 51, 219, 86, 68, 38, 213, 100, 209, 215, 86, 62, 47, 253, 87, 193, 82, 105, 113, 217, 170,
        115, 138, 85, 71, 202, 76, 199, 66, 164, 218, 23, 209, 233, 89, 50, 147, 11, 100, 86, 106, 21, 54,
        254, 63, 99, 198, 148, 217, 135, 46, 107, 1, 205, 243, 46, 74, 123, 2, 52, 159, 13, 193, 18, 222,
        221, 63, 136, 154, 111, 111, 188, 38, 180, 66, 231, 81, 41, 182, 205, 78, 45, 68, 210, 255, 140, 83,
        108, 94, 35, 157, 231, 93, 181, 77, 142, 57, 28, 254, 47, 77, 38, 136, 64, 160, 104, 228, 31, 81,
        205, 28, 54, 179, 139, 213, 156, 69, 57, 50, 98, 242, 50, 7, 37, 216, 11, 171, 209, 234, 202, 157,
        166, 247, 139, 142, 250, 34, 90, 89, 106, 123, 254, 255, 233, 246, 129, 81, 121, 4, 81, 196, 88, 159,
        68, 171, 19, 191, 18, 252, 200, 253, 104, 220, 147, 162, 27, 144, 240, 130, 145, 73, 186, 117, 112,
        42, 7, 169, 54, 176,
    ],
    &[
        0, 2, 0, 0, 34, 106, 2, 93, 63, 89, 60, 186, 131, 48, 37, 34, 237, 216, 191, 163, 147, 149, 210, 226,
        155, 102, 71, 179, 251, 248, 211, 247, 204, 149, 89, 219, 168, 126, 166, 38, 0, 193, 196, 34, 47, 75,
        197, 76,
    ],
];
