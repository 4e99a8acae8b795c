//! What an initialization says of its tracks, read.

use super::read::{Fields, boxes, find};
use crate::{Codec, Timebase, TrackId, TrackInfo};
use bytes::Bytes;

/// A track of an initialization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) info: TrackInfo,
    /// Ticks that its times are later than they are shown (the edit list, ISO 14496-12 8.6.6).
    pub(super) late: i64,
    pub(super) defaults: Defaults,
}

/// What is true for samples of which nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) span: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// The tracks that a movie box tells of, as far as we know their codecs.
pub(super) fn tracks(moov: &[u8]) -> Vec<Described> {
    let movie = find(moov, &[b"mvhd"]).and_then(timescale).unwrap_or(1);
    let traks = boxes(moov).filter(|(name, _)| name == b"trak").map(|(_, inside)| inside);
    traks.filter_map(|trak| track(trak, moov, movie)).take(MOST_TRACKS).collect()
}

fn track(trak: &[u8], moov: &[u8], movie: u32) -> Option<Described> {
    let mut header = Fields(find(trak, &[b"tkhd"])?);
    let (version, _) = header.full()?;
    header.sized(version)?;
    header.sized(version)?;
    let id = header.u32()?;
    let scale = find(trak, &[b"mdia", b"mdhd"]).and_then(timescale).filter(|scale| *scale > 0)?;
    let mut entries = Fields(find(trak, &[b"mdia", b"minf", b"stbl", b"stsd"])?);
    entries.take(8)?; // version, flags and how many follow; who has several uses the first
    let (name, entry) = boxes(entries.0).next()?;
    let (codec, setup) = entry_of(&name, entry)?;
    let info = TrackInfo { id: TrackId(id), codec, timebase: Timebase::hz(scale), setup };
    let late = find(trak, &[b"edts", b"elst"]).and_then(|list| late(list, scale, movie)).unwrap_or(0);
    Some(Described { info, late, defaults: defaults(moov, id).unwrap_or_default() })
}

/// Ticks a second of a movie or media header.
fn timescale(header: &[u8]) -> Option<u32> {
    let mut fields = Fields(header);
    let (version, _) = fields.full()?;
    fields.sized(version)?;
    fields.sized(version)?;
    fields.u32()
}

/// How much of the media is before its beginning, less how much later it begins.
fn late(list: &[u8], scale: u32, movie: u32) -> Option<i64> {
    let mut fields = Fields(list);
    let (version, _) = fields.full()?;
    let (mut empty, count) = (0i64, fields.u32()?);
    for _ in 0..count.min(MOST_EDITS) {
        let lasts = fields.sized(version)?;
        let begins = fields.sized(version)?;
        let begins = if version == 0 { i64::from(begins as u32 as i32) } else { begins as i64 };
        fields.take(4)?;
        if begins >= 0 {
            return Some(begins.saturating_sub(empty));
        }
        let lasts = u128::from(lasts) * u128::from(scale) / u128::from(movie.max(1));
        empty = empty.saturating_add(i64::try_from(lasts).ok()?);
    }
    Some(-empty)
}

fn defaults(moov: &[u8], id: u32) -> Option<Defaults> {
    let mvex = find(moov, &[b"mvex"])?;
    boxes(mvex).filter(|(name, _)| name == b"trex").find_map(|(_, inside)| {
        let mut fields = Fields(inside);
        fields.full()?;
        let known = fields.u32()? == id;
        fields.u32()?;
        let defaults = Defaults { span: fields.u32()?, size: fields.u32()?, flags: fields.u32()? };
        known.then_some(defaults)
    })
}

/// Codec and setup of a sample entry.
fn entry_of(name: &[u8; 4], entry: &[u8]) -> Option<(Codec, Bytes)> {
    let own = |skip: usize, name: &[u8; 4]| {
        find(entry.get(skip..)?, &[name]).map(Bytes::copy_from_slice).filter(|setup| !setup.is_empty())
    };
    Some(match name {
        b"avc1" | b"avc3" => (Codec::H264, own(VISUAL, b"avcC")?),
        b"hvc1" | b"hev1" => (Codec::H265, own(VISUAL, b"hvcC")?),
        b"av01" => (Codec::Av1, own(VISUAL, b"av1C")?),
        b"vp09" => (Codec::Vp9, own(VISUAL, b"vpcC")?),
        b"vp08" => (Codec::Vp8, own(VISUAL, b"vpcC")?),
        b"Opus" => (Codec::Opus, opus_head(&own(AUDIO, b"dOps")?)?),
        b"mp4a" => described_stream(&own(AUDIO, b"esds")?)?,
        b".mp3" => (Codec::Mp3, Bytes::new()),
        _ => return None,
    })
}

/// An OpusHead (RFC 7845 5.1), whose numbers are the other way round.
fn opus_head(dops: &[u8]) -> Option<Bytes> {
    let &[_, channels, skip1, skip0, r3, r2, r1, r0, gain1, gain0, ref family @ ..] = dops else {
        return None;
    };
    let numbers = [1, channels, skip0, skip1, r0, r1, r2, r3, gain0, gain1];
    Some([b"OpusHead", &numbers[..], family].concat().into())
}

/// Codec and setup of an elementary stream descriptor (ISO 14496-1 7.2.6.5).
fn described_stream(esds: &[u8]) -> Option<(Codec, Bytes)> {
    let mut stream = Fields(descriptor(&mut Fields(esds.get(4..)?), 3)?);
    let flags = stream.take(3)?[2];
    let url = if flags & 0x40 != 0 { usize::from(stream.take(1)?[0]) } else { 0 };
    stream.take(url + 2 * usize::from(flags >> 7) + 2 * usize::from(flags >> 5 & 1))?;
    let mut config = Fields(descriptor(&mut stream, 4)?);
    let object = config.take(13)?[0];
    match object {
        0x40 | 0x66..=0x68 => Some((Codec::Aac, Bytes::copy_from_slice(descriptor(&mut config, 5)?))),
        0x69 | 0x6b => Some((Codec::Mp3, Bytes::new())),
        _ => None,
    }
}

/// The inside of the next descriptor called `tag`.
fn descriptor<'a>(fields: &mut Fields<'a>, tag: u8) -> Option<&'a [u8]> {
    loop {
        let known = fields.take(1)?[0];
        let mut size = 0;
        for _ in 0..4 {
            let byte = fields.take(1)?[0];
            size = size << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let inside = fields.take(size)?;
        if known == tag {
            return Some(inside);
        }
    }
}

/// Bytes of an entry of pictures, and of one of sound, before the boxes in it.
const VISUAL: usize = 78;
const AUDIO: usize = 28;
const MOST_TRACKS: usize = 16;
const MOST_EDITS: u32 = 16;
