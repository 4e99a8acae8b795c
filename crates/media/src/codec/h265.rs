//! H.265: which units a decoder may begin with, and the configuration that containers want (ISO 14496-15 8.3.3).

use super::{bits::Bits, nal};
use bytes::{BufMut, Bytes, BytesMut};

/// A video parameter set.
pub const VPS: u8 = 32;
/// A sequence parameter set.
pub const SPS: u8 = 33;
/// A picture parameter set.
pub const PPS: u8 = 34;
/// An access unit delimiter.
pub const AUD: u8 = 35;

/// The type of a unit; 63 for an empty one.
pub fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(63, |first| first >> 1 & 0x3f)
}

/// Whether units of this type are slices of a picture with which a decoder may begin.
pub fn is_irap(kind: u8) -> bool {
    (16..=23).contains(&kind)
}

/// Whether a decoder may begin with this access unit in annex B form, of which the beginning is enough.
pub fn begins(stream: &[u8]) -> bool {
    let first = nal::units(stream).map(kind).find(|kind| *kind < VPS || (VPS..=SPS).contains(kind));
    first.is_some_and(|kind| is_irap(kind) || kind >= VPS)
}

/// The hvcC of these parameter sets, with lengths of four bytes; `None` where there is no usable set.
pub fn config(vps: &[Bytes], sps: &[Bytes], pps: &[Bytes]) -> Option<Bytes> {
    let info = Info::parse(sps.first()?)?;
    let mut out = BytesMut::new();
    out.put_u8(1);
    out.put_slice(&info.profile);
    // no minimum segmentation, any parallelism
    out.put_slice(&[0xf0, 0, 0xfc, 0xfc | info.chroma, 0xf8 | info.luma, 0xf8 | info.chroma_depth, 0, 0]);
    out.put_u8((info.layers & 7) << 3 | u8::from(info.nested) << 2 | 3);
    let arrays =
        [(VPS, vps), (SPS, sps), (PPS, pps)].map(|(kind, sets)| (kind, &sets[..sets.len().min(255)]));
    out.put_u8(arrays.len() as u8);
    for (kind, sets) in arrays {
        out.put_u8(0x80 | kind);
        out.put_u16(sets.len() as u16);
        for set in sets {
            let set = &set[..set.len().min(usize::from(u16::MAX))];
            out.put_u16(set.len() as u16);
            out.put_slice(set);
        }
    }
    Some(out.freeze())
}

/// By how many pictures decoding runs ahead of showing, from an hvcC; zero where it cannot be told.
pub fn reorder(hvcc: &[u8]) -> usize {
    let frames = first_sps(hvcc).and_then(Info::parse).map_or(0, |info| info.reorder as usize);
    frames.min(super::MOST_REORDERED)
}

/// Width and height in pixels of what is shown, from an hvcC; `None` where it cannot be told.
pub fn size(hvcc: &[u8]) -> Option<(u16, u16)> {
    let (width, height) = first_sps(hvcc).and_then(Info::parse)?.size;
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

/// Bytes of the lengths in front of units, and the parameter sets, from an hvcC; `None` where it is none.
pub fn sets(hvcc: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    let size = usize::from(hvcc.get(21)? & 3) + 1;
    let mut found = Vec::new();
    let mut rest = hvcc.get(23..)?;
    for _ in 0..hvcc[22] {
        let &[_, high, low, ..] = rest else { return None };
        rest = &rest[3..];
        for _ in 0..usize::from(high) << 8 | usize::from(low) {
            let len = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
            found.push(rest.get(2..2 + len)?);
            rest = &rest[2 + len..];
        }
    }
    Some((size, found))
}

fn first_sps(hvcc: &[u8]) -> Option<&[u8]> {
    sets(hvcc)?.1.into_iter().find(|unit| kind(unit) == SPS)
}

/// What a sequence parameter set says that hvcC repeats (H.265 7.3.2.2).
struct Info {
    /// Profile space, tier and profile, compatibility, constraints, level.
    profile: [u8; 12],
    layers: u8,
    nested: bool,
    chroma: u8,
    /// Pixels across and down, inside the cropping.
    size: (u32, u32),
    luma: u8,
    chroma_depth: u8,
    reorder: u32,
}

impl Info {
    fn parse(sps: &[u8]) -> Option<Info> {
        let plain = nal::unescaped(sps.get(..sps.len().min(LONGEST))?);
        let body = plain.get(2..)?;
        let profile: [u8; 12] = *body.get(1..)?.first_chunk()?;
        let mut bits = Bits::new(body);
        bits.skip(4)?;
        let sublayers = bits.read(3)?;
        let nested = bits.bit()?;
        bits.skip(96)?;
        skip_sublayers(&mut bits, sublayers)?;
        bits.golomb()?;
        let chroma = bits.golomb()?;
        if chroma == 3 {
            bits.skip(1)?;
        }
        let (mut width, mut height) = (bits.golomb()?, bits.golomb()?);
        if bits.bit()? {
            let (across, down) =
                (if matches!(chroma, 1 | 2) { 2 } else { 1 }, if chroma == 1 { 2 } else { 1 });
            let mut crop =
                |unit: u32| Some(bits.golomb()?.saturating_add(bits.golomb()?).saturating_mul(unit));
            width = width.saturating_sub(crop(across)?);
            height = height.saturating_sub(crop(down)?);
        }
        let (luma, chroma_depth) = (bits.golomb()?, bits.golomb()?);
        bits.golomb()?;
        let first = if bits.bit()? { 0 } else { sublayers };
        let mut reorder = 0;
        for _ in first..=sublayers {
            bits.golomb()?;
            reorder = bits.golomb()?;
            bits.golomb()?;
        }
        let small = |value: u32, most: u32| u8::try_from(value.min(most)).ok();
        Some(Info {
            profile,
            layers: small(sublayers + 1, 7)?,
            nested,
            chroma: small(chroma, 3)?,
            size: (width, height),
            luma: small(luma, 7)?,
            chroma_depth: small(chroma_depth, 7)?,
            reorder,
        })
    }
}

fn skip_sublayers(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..count {
        present.push((bits.bit()?, bits.bit()?));
    }
    if count > 0 {
        bits.skip(2 * (8 - count as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// What we read comes in the first bytes, whatever extensions follow.
const LONGEST: usize = 1024;
