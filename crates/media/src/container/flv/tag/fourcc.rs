//! The four letters by which enhanced tags name a codec.

use crate::Codec;

/// Four bytes that name a codec, as enhanced tags and MP4 spell them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// H.264 with its configuration in the sequence header.
    pub const AVC: FourCc = FourCc(*b"avc1");
    /// H.265 likewise.
    pub const HEVC: FourCc = FourCc(*b"hvc1");
    /// H.266 likewise.
    pub const VVC: FourCc = FourCc(*b"vvc1");
    /// AV1.
    pub const AV1: FourCc = FourCc(*b"av01");
    /// VP9.
    pub const VP9: FourCc = FourCc(*b"vp09");
    /// VP8.
    pub const VP8: FourCc = FourCc(*b"vp08");
    /// AAC.
    pub const AAC: FourCc = FourCc(*b"mp4a");
    /// Opus.
    pub const OPUS: FourCc = FourCc(*b"Opus");
    /// FLAC.
    pub const FLAC: FourCc = FourCc(*b"fLaC");
    /// MPEG audio layer III.
    pub const MP3: FourCc = FourCc(*b".mp3");
    /// AC-3.
    pub const AC3: FourCc = FourCc(*b"ac-3");
    /// Enhanced AC-3.
    pub const EAC3: FourCc = FourCc(*b"ec-3");

    /// The codec it names; [`Codec::Unknown`] for those that levada only passes on.
    pub fn codec(self) -> Codec {
        CODECS.iter().find(|(fourcc, _)| *fourcc == self).map_or(Codec::Unknown, |(_, codec)| *codec)
    }

    /// The letters for `codec`, `None` where enhanced tags have no place for it.
    pub fn of(codec: Codec) -> Option<FourCc> {
        CODECS.iter().find(|(_, known)| *known == codec).map(|(fourcc, _)| *fourcc)
    }

    /// Whether frames of this codec carry a composition time (enhanced RTMP, `ExVideoTagBody`).
    pub fn has_composition_time(self) -> bool {
        matches!(self, FourCc::AVC | FourCc::HEVC | FourCc::VVC)
    }
}

impl std::fmt::Display for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl std::fmt::Debug for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FourCc({self})")
    }
}

const CODECS: [(FourCc, Codec); 9] = [
    (FourCc::AVC, Codec::H264),
    (FourCc::HEVC, Codec::H265),
    (FourCc::AV1, Codec::Av1),
    (FourCc::VP9, Codec::Vp9),
    (FourCc::VP8, Codec::Vp8),
    (FourCc::AAC, Codec::Aac),
    (FourCc::OPUS, Codec::Opus),
    (FourCc::FLAC, Codec::Flac),
    (FourCc::MP3, Codec::Mp3),
];
