//! H.264: which units a decoder may begin with, and the configuration that containers want (ISO 14496-15 5.3.3).

use super::nal;
use bytes::{BufMut, Bytes, BytesMut};
use h264_reader::{nal::sps::SeqParameterSet, rbsp::BitReader};

/// A coded slice of a picture that refers to none before it.
pub const IDR: u8 = 5;
/// A sequence parameter set.
pub const SPS: u8 = 7;
/// A picture parameter set.
pub const PPS: u8 = 8;
/// An access unit delimiter.
pub const AUD: u8 = 9;

/// The type of a unit; zero for an empty one.
pub fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1f)
}

/// Whether a decoder may begin with this access unit in annex B form, of which the beginning is enough: it has an IDR
/// picture, or brings its parameters before any picture.
pub fn begins(stream: &[u8]) -> bool {
    let first = nal::units(stream).map(kind).find(|kind| matches!(*kind, 1..=IDR | SPS));
    matches!(first, Some(IDR | SPS))
}

/// The avcC of these parameter sets, with lengths of four bytes; `None` where there is no usable set.
pub fn config(sps: &[Bytes], pps: &[Bytes]) -> Option<Bytes> {
    let first = sps.first().filter(|sps| sps.len() >= 4)?;
    let mut out = BytesMut::new();
    out.put_slice(&[1, first[1], first[2], first[3], 0xff]);
    put_sets(&mut out, 0xe0, 31, sps);
    put_sets(&mut out, 0, 255, pps);
    let info = parse(first).ok()?;
    if matches!(first[1], 100 | 110 | 122 | 144) {
        let chroma = match info.chroma_info.chroma_format {
            h264_reader::nal::sps::ChromaFormat::Monochrome => 0,
            h264_reader::nal::sps::ChromaFormat::YUV420 => 1,
            h264_reader::nal::sps::ChromaFormat::YUV422 => 2,
            _ => 3,
        };
        let depth = |minus8: u8| 0xf8 | minus8 & 7;
        let info = &info.chroma_info;
        out.put_slice(&[
            0xfc | chroma,
            depth(info.bit_depth_luma_minus8),
            depth(info.bit_depth_chroma_minus8),
            0,
        ]);
    }
    Some(out.freeze())
}

/// Bytes of the lengths in front of units, and the parameter sets, from an avcC; `None` where it is none.
pub fn sets(avcc: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    let size = usize::from(avcc.get(4)? & 3) + 1;
    let mut found = Vec::new();
    let mut rest = avcc.get(5..)?;
    for mask in [0x1f, 0xff] {
        let (&count, mut sets) = rest.split_first()?;
        for _ in 0..count & mask {
            let len = usize::from(u16::from_be_bytes(*sets.first_chunk()?));
            found.push(sets.get(2..2 + len)?);
            sets = &sets[2 + len..];
        }
        rest = sets;
    }
    Some((size, found))
}

/// By how many pictures decoding runs ahead of showing, from an avcC; zero where it cannot be told.
pub fn reorder(avcc: &[u8]) -> usize {
    let Some(sps) = first_sps(avcc) else { return 0 };
    let Ok(info) = parse(sps) else { return 0 };
    let restrictions = info.vui_parameters.and_then(|vui| vui.bitstream_restrictions);
    let baseline = sps.get(1) == Some(&66);
    let frames = match restrictions {
        Some(restrictions) => restrictions.max_num_reorder_frames,
        None if baseline => 0,
        None => info.max_num_ref_frames,
    };
    (frames as usize).min(super::MOST_REORDERED)
}

/// Width and height in pixels of what is shown, from an avcC; `None` where it cannot be told.
pub fn size(avcc: &[u8]) -> Option<(u16, u16)> {
    let (width, height) = parse(first_sps(avcc)?).ok()?.pixel_dimensions().ok()?;
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

fn first_sps(avcc: &[u8]) -> Option<&[u8]> {
    let size = usize::from(u16::from_be_bytes(super::array(avcc, 6)?));
    avcc.get(8..8 + size)
}

fn parse(sps: &[u8]) -> Result<SeqParameterSet, ()> {
    // not the crate's own `decode_nal`: it panics on an escape in the first byte
    let plain = nal::unescaped(sps.get(1..).unwrap_or_default());
    SeqParameterSet::from_bits(BitReader::new(&plain[..])).map_err(drop)
}

fn put_sets(out: &mut BytesMut, mark: u8, most: usize, sets: &[Bytes]) {
    let sets = &sets[..sets.len().min(most)];
    out.put_u8(mark | sets.len() as u8);
    for set in sets.iter().filter(|set| set.len() <= usize::from(u16::MAX)) {
        out.put_u16(set.len() as u16);
        out.put_slice(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// High profile, 320×180, two pictures of reordering (x264).
    const HIGH: &[u8] = &[
        0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
    ];

    #[test]
    fn a_configuration_tells_how_far_decoding_runs_ahead() {
        let config = config(&[HIGH.into()], &[Bytes::from_static(&[0x68, 0xeb])]).unwrap();
        assert_eq!(config[..8], [1, 0x64, 0, 0x0c, 0xff, 0xe1, 0, 26]);
        assert_eq!(config[config.len() - 4..], [0xfd, 0xf8, 0xf8, 0]); // 4:2:0, 8 bits
        assert_eq!(sets(&config), Some((4, vec![HIGH, &[0x68, 0xeb]])));
        assert_eq!((reorder(&config), size(&config)), (2, Some((320, 180))));
    }

    #[test]
    fn an_access_unit_begins_with_an_idr_picture_or_a_parameter_set() {
        assert!(begins(&[0, 0, 1, AUD, 0xf0, 0, 0, 1, 6, 5, 0, 0, 1, 0x67, 1]));
        assert!(begins(&[0, 0, 1, 0x65, 1]));
        assert!(!begins(&[0, 0, 1, AUD, 0xf0, 0, 0, 1, 0x41, 1, 0, 0, 1, 0x67, 1]));
    }

    proptest! {
        #[test]
        fn any_parameter_set_is_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..60), keep in 0..27usize) {
            let sps: Vec<u8> = HIGH[..keep.min(HIGH.len())].iter().copied().chain(tail).collect();
            let size = sps.len() as u8;
            reorder(&[&[1, 0, 0, 0, 0xff, 0xe1, 0, size][..], &sps].concat());
            sets(&[&[1, 0, 0, 0, 0xff, 0xe1, 0, size][..], &sps].concat());
            config(&[sps.into()], &[]);
        }
    }
}
