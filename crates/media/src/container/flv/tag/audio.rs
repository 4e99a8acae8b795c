//! The header of an audio tag.

use super::multitrack::{self, CODED_FRAMES, Head, SEQUENCE_END, SEQUENCE_START};
use super::packet::{Cursor, Opened, Packet, What};
use super::{Error, FourCc};
use crate::Codec;
use bytes::Bytes;

/// Reads the header of `payload`. An empty payload is nothing: some encoders send one where they have no sound yet.
pub(super) fn open(payload: Bytes) -> Result<Opened, Error> {
    if payload.is_empty() {
        return Ok(Opened::Nothing);
    }
    let mut cursor = Cursor(payload);
    let first = cursor.u8()?;
    if first >> 4 != ENHANCED {
        return old(first >> 4, cursor).map(Opened::One);
    }
    let (packet_type, nanos) = multitrack::extensions(first & 15, &mut cursor)?;
    let head = Head { packet_type, frame_type: 0, nanos, fourcc: FourCc([0; 4]), track: 0 };
    multitrack::open(cursor, head, MULTITRACK, body)
}

/// FLV 10.1, E.4.2: a format number; AAC has a packet type after it.
fn old(format: u8, mut cursor: Cursor) -> Result<Packet, Error> {
    let (codec, fourcc) = match format {
        OLD_AAC => (Codec::Aac, Some(FourCc::AAC)),
        OLD_MP3 | OLD_MP3_8K => (Codec::Mp3, Some(FourCc::MP3)),
        OLD_SPEEX => (Codec::Speex, None),
        _ => (Codec::Unknown, None),
    };
    let what = match codec {
        Codec::Aac => match cursor.u8()? {
            0 => What::Setup,
            1 => FRAME,
            other => return Err(Error::PacketType(other)),
        },
        _ => FRAME,
    };
    Ok(Packet { track: 0, codec, fourcc, what, nanos: 0, data: cursor.0 })
}

/// Enhanced RTMP v2, `ExAudioTagBody`.
fn body(head: Head, cursor: Cursor) -> Result<Packet, Error> {
    let what = match head.packet_type {
        SEQUENCE_START => What::Setup,
        CODED_FRAMES => FRAME,
        SEQUENCE_END => What::End,
        MULTICHANNEL => What::Metadata,
        other => return Err(Error::PacketType(other)),
    };
    Ok(head.packet(what, cursor.0))
}

const FRAME: What = What::Frame { key: true, composition: 0 };

/// `SoundFormat` 9: the low bits are a packet type instead of rate, size and channels.
pub(super) const ENHANCED: u8 = 9;
pub(super) const OLD_MP3: u8 = 2;
pub(super) const OLD_AAC: u8 = 10;
const OLD_SPEEX: u8 = 11;
const OLD_MP3_8K: u8 = 14;

const MULTICHANNEL: u8 = 4;
pub(super) const MULTITRACK: u8 = 5;
