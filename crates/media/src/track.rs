//! One elementary stream of a source: what codec it is in and what a decoder must know first.

use crate::Timebase;
use bytes::Bytes;

/// Names a track within its source; small and stable while the source lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u32);

/// How an elementary stream is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // the names are the codecs'
pub enum Codec {
    Vorbis,
    Opus,
    Flac,
    Speex,
    Theora,
    Mp3,
    Aac,
    H264,
    H265,
    Vp8,
    Vp9,
    Av1,
    /// Ogg Skeleton, subtitles, cue tracks: carried, never decoded.
    Data,
    /// Something we pass on without knowing it.
    Unknown,
}

/// What a track is for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Audio,
    Video,
    Data,
}

impl Codec {
    /// Whether one hears it, sees it, or neither.
    pub fn kind(self) -> Kind {
        use Codec::*;
        match self {
            Vorbis | Opus | Flac | Speex | Mp3 | Aac => Kind::Audio,
            Theora | H264 | H265 | Vp8 | Vp9 | Av1 => Kind::Video,
            Data | Unknown => Kind::Data,
        }
    }

    /// The name people use, in lower case.
    pub fn name(self) -> &'static str {
        use Codec::*;
        match self {
            Vorbis => "vorbis",
            Opus => "opus",
            Flac => "flac",
            Speex => "speex",
            Theora => "theora",
            Mp3 => "mp3",
            Aac => "aac",
            H264 => "h264",
            H265 => "h265",
            Vp8 => "vp8",
            Vp9 => "vp9",
            Av1 => "av1",
            Data => "data",
            Unknown => "unknown",
        }
    }
}

/// A track as its container announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackInfo {
    /// Which track this is.
    pub id: TrackId,
    /// How it is coded.
    pub codec: Codec,
    /// The length of its ticks.
    pub timebase: Timebase,
    /// What the decoder needs before the first frame (OpusHead, avcC, AudioSpecificConfig, the Vorbis
    /// headers with Xiph lacing …); empty where the codec needs nothing.
    pub setup: Bytes,
}
