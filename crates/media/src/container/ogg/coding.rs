//! What a logical stream is coded in, and what that says about its packets and granules.

use crate::codec::{flac, opus, skeleton, speex, theora, vorbis};
use crate::{Codec, Kind, Timebase, Timestamp};
use bytes::Bytes;

/// A codec as its first packet describes it.
#[derive(Clone, Debug)]
pub(super) enum Coding {
    Vorbis(vorbis::Ident),
    Theora(theora::Ident),
    Opus(opus::Head),
    Flac(flac::Mapping),
    Speex(speex::Head),
    Skeleton,
    Unknown,
}

impl Coding {
    /// What the first packet of a stream says.
    pub(super) fn identify(packet: &[u8]) -> Coding {
        None.or_else(|| vorbis::Ident::parse(packet).map(Coding::Vorbis))
            .or_else(|| theora::Ident::parse(packet).map(Coding::Theora))
            .or_else(|| opus::Head::parse(packet).map(Coding::Opus))
            .or_else(|| flac::Mapping::parse(packet).map(Coding::Flac))
            .or_else(|| speex::Head::parse(packet).map(Coding::Speex))
            .or_else(|| skeleton::is_head(packet).then_some(Coding::Skeleton))
            .unwrap_or(Coding::Unknown)
    }

    pub(super) fn codec(&self) -> Codec {
        match self {
            Coding::Vorbis(_) => Codec::Vorbis,
            Coding::Theora(_) => Codec::Theora,
            Coding::Opus(_) => Codec::Opus,
            Coding::Flac(_) => Codec::Flac,
            Coding::Speex(_) => Codec::Speex,
            Coding::Skeleton => Codec::Data,
            Coding::Unknown => Codec::Unknown,
        }
    }

    pub(super) fn is_video(&self) -> bool {
        self.codec().kind() == Kind::Video
    }

    /// Whether it is something that one hears or sees and that we know.
    pub(super) fn is_media(&self) -> bool {
        self.codec().kind() != Kind::Data
    }

    pub(super) fn timebase(&self) -> Timebase {
        match self {
            Coding::Vorbis(ident) => Timebase::hz(ident.rate),
            Coding::Theora(ident) => ident.timebase,
            Coding::Opus(_) => Timebase::hz(48_000),
            Coding::Flac(mapping) => Timebase::hz(mapping.info.rate),
            Coding::Speex(head) => Timebase::hz(head.rate),
            Coding::Skeleton | Coding::Unknown => Timebase::MILLIS,
        }
    }

    /// How many header packets there are; `None` where only the first other packet or the end tells.
    pub(super) fn headers(&self) -> Option<u32> {
        match self {
            Coding::Vorbis(_) | Coding::Theora(_) => Some(3),
            Coding::Opus(_) => Some(2),
            Coding::Flac(mapping) => mapping.headers.map(|after| 1 + u32::from(after)),
            Coding::Speex(head) => Some(head.extra_headers.saturating_add(2)),
            Coding::Skeleton => None,
            Coding::Unknown => Some(1),
        }
    }

    /// How many of the header packets nobody can do without.
    pub(super) fn needs(&self) -> u32 {
        match self {
            Coding::Vorbis(_) | Coding::Theora(_) => 3,
            _ => 1,
        }
    }

    /// Whether a packet that begins with `start` may be the stream's header packet number `number` (from 0).
    pub(super) fn is_header(&self, number: u32, start: &[u8]) -> bool {
        let expected = self.headers().is_none_or(|headers| number < headers);
        expected
            && match self {
                _ if number == 0 => true,
                Coding::Vorbis(_) => vorbis::is_header(start),
                Coding::Theora(_) => theora::is_header(start),
                Coding::Opus(_) => opus::comments(start).is_some(),
                Coding::Flac(_) => flac::is_header(start),
                Coding::Speex(_) | Coding::Skeleton => true,
                Coding::Unknown => false,
            }
    }

    /// Whether `packet` is what header packet `number` must be, as far as a decoder depends on it.
    pub(super) fn accepts(&self, number: u32, packet: &[u8]) -> bool {
        match (self, number) {
            (Coding::Vorbis(_), 1..) => packet.starts_with(&[[3, 5][usize::from(number > 1)]]),
            (Coding::Theora(_), 1..) => packet.starts_with(&[[0x81, 0x82][usize::from(number > 1)]]),
            _ => true,
        }
    }

    /// Whether header packet `number` is kept: the decoder's setup, and what a new title must repeat.
    pub(super) fn keeps(&self, number: u32) -> bool {
        match self {
            Coding::Vorbis(_) | Coding::Theora(_) => true,
            Coding::Opus(_) | Coding::Flac(_) | Coding::Speex(_) => number < 2,
            Coding::Skeleton | Coding::Unknown => false,
        }
    }

    /// The comment block, where header packet `number` is one.
    pub(super) fn comments<'a>(&self, number: u32, packet: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Coding::Flac(_) => flac::comments(packet),
            _ if number != 1 => None,
            Coding::Vorbis(_) => vorbis::comments(packet),
            Coding::Theora(_) => theora::comments(packet),
            Coding::Opus(_) => opus::comments(packet),
            Coding::Speex(_) => Some(packet),
            Coding::Skeleton | Coding::Unknown => None,
        }
    }

    /// What a decoder must know before the first frame, out of the header packets that were kept.
    pub(super) fn setup(&self, headers: &[Bytes]) -> Bytes {
        let first = headers.first().cloned().unwrap_or_default();
        match self {
            Coding::Vorbis(_) | Coding::Theora(_) => xiph_laced(headers),
            Coding::Opus(_) | Coding::Speex(_) => first,
            Coding::Flac(_) => flac::stream_info(&first).map(Bytes::copy_from_slice).unwrap_or_default(),
            Coding::Skeleton | Coding::Unknown => Bytes::new(),
        }
    }

    /// Whether a decoder may begin with the packet that begins with `start`.
    pub(super) fn is_key(&self, start: &[u8]) -> bool {
        !self.is_video() || theora::is_key(start)
    }

    /// Media time after the packet that `granule` marks; `None` where we do not know the codec.
    pub(super) fn end(&self, granule: i64) -> Option<Timestamp> {
        match self {
            Coding::Theora(ident) => Some(Timestamp(ident.pictures(granule))),
            Coding::Opus(head) => Some(Timestamp(granule.saturating_sub(head.pre_skip.into()))),
            Coding::Vorbis(_) | Coding::Flac(_) | Coding::Speex(_) => Some(Timestamp(granule)),
            Coding::Skeleton | Coding::Unknown => None,
        }
    }

    /// `granule` when everything before it lasts `ticks` longer.
    pub(super) fn later(&self, granule: i64, ticks: i64) -> i64 {
        match self {
            Coding::Theora(ident) => {
                let [key, shown] = [ident.key(granule), ident.pictures(granule)];
                ident.granule(key.saturating_add(ticks), shown.saturating_add(ticks))
            }
            _ => granule.saturating_add(ticks).max(0),
        }
    }

    /// Whether the end of such a stream can be joined to a beginning with the same headers, packets as they are.
    /// FLAC cannot: its frames are numbered.
    pub(super) fn can_join(&self) -> bool {
        !matches!(self, Coding::Flac(_) | Coding::Unknown)
    }

    /// When the stream's first sample is: before zero where a decoder throws some away.
    pub(super) fn start(&self) -> Timestamp {
        match self {
            Coding::Opus(head) => Timestamp(-i64::from(head.pre_skip)),
            _ => Timestamp(0),
        }
    }
}

/// Headers in one piece: how many less one, the lengths of all but the last in steps of 255, and themselves
/// (as Matroska's CodecPrivate has them, RFC 9559 and its codec mappings).
fn xiph_laced(headers: &[Bytes]) -> Bytes {
    let Some((last, before)) = headers.split_last() else { return Bytes::new() };
    let mut laced = vec![before.len() as u8];
    for header in before {
        laced.extend(std::iter::repeat_n(255, header.len() / 255));
        laced.push((header.len() % 255) as u8);
    }
    before.iter().chain([last]).for_each(|header| laced.extend_from_slice(header));
    laced.into()
}
