//! What a player is shown of tags that may be newer than it is.

use super::{Error, FourCc, Kind, Packet, Tag, What, audio, multitrack, packets, video};
use crate::Codec;
use bytes::{BufMut, Bytes, BytesMut};

/// How much of enhanced RTMP a player understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// None: H.264, AAC and MP3 of the default tracks, in old tags.
    #[default]
    Old,
    /// Codecs by FourCC, the default tracks only.
    Enhanced,
    /// All tracks, extensions included.
    Multitrack,
}

impl View {
    /// `tag` as this player understands it, `None` if there is nothing in it for the player.
    ///
    /// The bytes are shared with `tag` where nothing has to change.
    ///
    /// # Errors
    /// When the tag cannot be read.
    pub fn show(self, tag: &Tag) -> Result<Option<Tag>, Error> {
        if self == View::Multitrack || tag.kind == Kind::Script || is_old(tag) {
            return Ok(Some(tag.clone()));
        }
        for packet in packets(tag) {
            let packet = packet?;
            if packet.track == 0 {
                return Ok(self.write(tag.kind, &packet).map(|payload| Tag { payload, ..*tag }));
            }
        }
        Ok(None)
    }

    /// The payload of a tag that carries `packet`, `None` if this player cannot be told.
    ///
    /// H.264, AAC and MP3 of the default tracks always travel in old tags: everybody understands those.
    pub fn write(self, kind: Kind, packet: &Packet) -> Option<Bytes> {
        let header = match (self, packet.track) {
            (_, 0) => old(kind, packet).or_else(|| (self > View::Old).then(|| enhanced(kind, packet))?)?,
            (View::Multitrack, _) => one_of_many(kind, packet)?,
            _ => return None,
        };
        let mut payload = BytesMut::with_capacity(header.len() + packet.data.len());
        payload.put_slice(&header);
        payload.put_slice(&packet.data);
        Some(payload.freeze())
    }
}

/// Whether the tag has an old header, which every player gets as it is.
fn is_old(tag: &Tag) -> bool {
    match (tag.kind, tag.payload.first()) {
        (Kind::Video, Some(first)) => first & video::ENHANCED == 0,
        (Kind::Audio, Some(first)) => first >> 4 != audio::ENHANCED,
        _ => true,
    }
}

/// The old header for `packet`, if there is one.
fn old(kind: Kind, packet: &Packet) -> Option<Vec<u8>> {
    match (kind, packet.codec) {
        (Kind::Video, Codec::H264) => {
            let first = video_frame_type(packet.what) << 4 | video::OLD_AVC;
            let (packet_type, composition) = match packet.what {
                What::Setup => (0, 0),
                What::Frame { composition, .. } => (1, composition),
                What::End => (2, 0),
                What::Metadata | What::Command(_) => return None,
            };
            let [_, a, b, c] = composition.to_be_bytes();
            Some(vec![first, packet_type, a, b, c])
        }
        (Kind::Audio, Codec::Aac) => match packet.what {
            What::Setup => Some(vec![audio::OLD_AAC << 4 | SOUND, 0]),
            What::Frame { .. } => Some(vec![audio::OLD_AAC << 4 | SOUND, 1]),
            _ => None,
        },
        (Kind::Audio, Codec::Mp3) => match packet.what {
            What::Frame { .. } => Some(vec![audio::OLD_MP3 << 4 | SOUND]),
            _ => None,
        },
        _ => None,
    }
}

/// The enhanced header of a tag with one track.
fn enhanced(kind: Kind, packet: &Packet) -> Option<Vec<u8>> {
    let FourCc(letters) = packet.fourcc?;
    let mut header = vec![first_byte(kind, packet, packet_type(kind, packet.what)?)];
    header.extend(letters);
    header.extend(composition_time(kind, packet));
    Some(header)
}

/// The header of a multitrack tag with one track in it.
fn one_of_many(kind: Kind, packet: &Packet) -> Option<Vec<u8>> {
    let FourCc(letters) = packet.fourcc?;
    let multitrack = if kind == Kind::Video { video::MULTITRACK } else { audio::MULTITRACK };
    // the high four bits are the layout: 0 is one track
    let mut header = vec![first_byte(kind, packet, multitrack), packet_type(kind, packet.what)?];
    header.extend(letters);
    header.push(packet.track);
    header.extend(composition_time(kind, packet));
    Some(header)
}

fn first_byte(kind: Kind, packet: &Packet, packet_type: u8) -> u8 {
    match kind {
        Kind::Video => video::ENHANCED | video_frame_type(packet.what) << 4 | packet_type,
        Kind::Audio | Kind::Script => audio::ENHANCED << 4 | packet_type,
    }
}

fn packet_type(kind: Kind, what: What) -> Option<u8> {
    match (kind, what) {
        (Kind::Script, _) | (_, What::Command(_)) => None,
        (_, What::Setup) => Some(multitrack::SEQUENCE_START),
        (_, What::Frame { .. }) => Some(multitrack::CODED_FRAMES),
        (_, What::End) => Some(multitrack::SEQUENCE_END),
        (_, What::Metadata) => Some(video::METADATA), // the same number as audio's channel order
    }
}

fn composition_time(kind: Kind, packet: &Packet) -> Vec<u8> {
    match packet.what {
        What::Frame { composition, .. }
            if kind == Kind::Video && packet.fourcc.is_some_and(FourCc::has_composition_time) =>
        {
            composition.to_be_bytes()[1..].to_vec()
        }
        _ => Vec::new(),
    }
}

fn video_frame_type(what: What) -> u8 {
    match what {
        What::Frame { key: false, .. } | What::Metadata => video::INTER,
        _ => video::KEY,
    }
}

/// 44.1 kHz, 16 bits, stereo: what FLV 10.1 asks for with AAC whatever the sound is, and MP3's decoders ignore.
const SOUND: u8 = 0x0f;
