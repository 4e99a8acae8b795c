//! Decoders of levada's own formats, slow, in 64-bit numbers and by definitions instead of fast algorithms. They share no code
//! with the codecs, but were written beside them and `BITSTREAM.md` by the same hand: a misunderstanding of a paper would be in
//! both; a slip of one of them is found. What our encoders say is judged by them, and our decoders beside them.
#![allow(dead_code)] // each test file uses its own part

pub mod coder;
pub mod lossless;
pub mod native;
pub mod spectrum;
pub mod video;
pub mod wavelet;

/// Packets of a kept file, each behind its length in 16 bits, the highest byte first.
pub fn kept(file: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut packets) = (file, Vec::new());
    while let [high, low, behind @ ..] = rest {
        let (packet, others) = behind.split_at(usize::from(*high) * 256 + usize::from(*low));
        packets.push(packet);
        rest = others;
    }
    packets
}

/// Keeps packets as a file of golden bytes, as [`kept`] reads them.
pub fn keep<P: AsRef<[u8]>>(name: &str, packets: &[P]) {
    let mut file = Vec::new();
    for packet in packets.iter().map(AsRef::as_ref) {
        file.extend_from_slice(&(packet.len() as u16).to_be_bytes());
        file.extend_from_slice(packet);
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::write(path, file).expect("golden bytes are kept");
}

/// FNV-1a.
pub fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
