//! One track as a Matroska file announces it.

use super::element::{child, children, id, uint};
use crate::{Codec, Kind, Timebase, TrackId, TrackInfo, codec};
use bytes::Bytes;

/// An entry of the Tracks element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) number: u64,
    pub(super) codec: Codec,
    pub(super) kind: Kind,
    pub(super) setup: Bytes,
    /// Nanoseconds that a frame lasts, where the file says it.
    pub(super) frame: Option<u64>,
    /// Bytes that were taken off the front of each frame (compression by header stripping).
    pub(super) stripped: Bytes,
    /// Frames are compressed or encrypted in a way that we do not undo.
    pub(super) closed: bool,
}

impl Track {
    /// Reads a TrackEntry; `None` where it has no number.
    pub(super) fn parse(entry: &[u8]) -> Option<Track> {
        let number = child(entry, id::TRACK_NUMBER).map(uint).filter(|&number| number > 0)?;
        let name = child(entry, id::CODEC_ID).unwrap_or_default();
        let encodings = child(entry, id::CONTENT_ENCODINGS);
        let stripped = encodings.and_then(stripped);
        let codec = codec(name);
        Some(Track {
            number,
            codec,
            kind: match child(entry, id::TRACK_TYPE).map(uint) {
                Some(VIDEO) => Kind::Video,
                Some(AUDIO) => Kind::Audio,
                _ => Kind::Data,
            },
            setup: Bytes::copy_from_slice(child(entry, id::CODEC_PRIVATE).unwrap_or_default()),
            frame: child(entry, id::DEFAULT_DURATION).map(uint).filter(|&nanos| nanos > 0),
            closed: encodings.is_some() && stripped.is_none(),
            stripped: stripped.unwrap_or_default(),
        })
    }

    /// The same for everybody else.
    pub(super) fn info(&self, timebase: Timebase) -> TrackInfo {
        let id = TrackId(u32::try_from(self.number).unwrap_or(u32::MAX));
        let codec = if self.closed { Codec::Unknown } else { self.codec };
        TrackInfo { id, codec, timebase, setup: self.setup.clone() }
    }

    /// Whether a decoder may begin with a frame that the container calls a key frame: some muxers flag too much.
    pub(super) fn is_key(&self, frame: &[u8]) -> bool {
        if self.closed || !self.stripped.is_empty() {
            return true;
        }
        match self.codec {
            Codec::Vp8 => codec::vp8::is_key(frame),
            Codec::Vp9 => codec::vp9::is_key(frame),
            _ => true,
        }
    }
}

/// The codec that a CodecID names (codec mappings of the Matroska registry).
fn codec(name: &[u8]) -> Codec {
    let begins = |prefix: &[u8]| name.starts_with(prefix);
    match name {
        b"V_VP8" => Codec::Vp8,
        b"V_VP9" => Codec::Vp9,
        b"V_AV1" => Codec::Av1,
        b"V_MPEG4/ISO/AVC" => Codec::H264,
        b"V_MPEGH/ISO/HEVC" => Codec::H265,
        b"V_THEORA" => Codec::Theora,
        b"A_VORBIS" => Codec::Vorbis,
        b"A_FLAC" => Codec::Flac,
        _ if begins(b"A_OPUS") => Codec::Opus,
        _ if begins(b"A_AAC") => Codec::Aac,
        _ if begins(b"A_MPEG/L") => Codec::Mp3,
        _ if begins(b"S_") || begins(b"D_") => Codec::Data,
        _ => Codec::Unknown,
    }
}

/// The stripped header, if that is the only encoding.
fn stripped(encodings: &[u8]) -> Option<Bytes> {
    let mut all = children(encodings).filter(|child| child.0 == id::CONTENT_ENCODING);
    let (only, none) = (all.next()?, all.next());
    let compression = child(only.2, id::CONTENT_COMPRESSION)?;
    let strips = child(compression, id::CONTENT_COMP_ALGO).map(uint) == Some(HEADER_STRIPPING);
    (none.is_none() && strips)
        .then(|| Bytes::copy_from_slice(child(compression, id::CONTENT_COMP_SETTINGS).unwrap_or_default()))
}

const VIDEO: u64 = 1;
const AUDIO: u64 = 2;
const HEADER_STRIPPING: u64 = 3;
