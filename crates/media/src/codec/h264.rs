//! H.264: which units a decoder may begin with, and the configuration that containers want (ISO 14496-15 5.3.3).

use super::nal;
use bytes::{BufMut, Bytes, BytesMut};
use h264_reader::{
    nal::sps::SeqParameterSet,
    rbsp::{BitReader, decode_nal},
};

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

/// By how many pictures decoding runs ahead of showing, from an avcC; zero where it cannot be told.
pub fn reorder(avcc: &[u8]) -> usize {
    let Some(sps) = avcc.get(6..8).and_then(|size| {
        let size = usize::from(size[0]) << 8 | usize::from(size[1]);
        avcc.get(8..8 + size)
    }) else {
        return 0;
    };
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

fn parse(sps: &[u8]) -> Result<SeqParameterSet, ()> {
    let plain = decode_nal(sps).map_err(drop)?;
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
