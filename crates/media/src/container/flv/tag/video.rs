//! The header of a video tag.

use super::multitrack::{self, CODED_FRAMES, Head, SEQUENCE_END, SEQUENCE_START};
use super::packet::{Cursor, Opened, Packet, What};
use super::{Error, FourCc};
use crate::Codec;
use bytes::Bytes;

/// Reads the header of `payload`. An empty payload is nothing.
pub(super) fn open(payload: Bytes) -> Result<Opened, Error> {
    if payload.is_empty() {
        return Ok(Opened::Nothing);
    }
    let mut cursor = Cursor(payload);
    let first = cursor.u8()?;
    let frame_type = first >> 4 & 7;
    if first & ENHANCED == 0 {
        return old(frame_type, first & 15, cursor).map(Opened::One);
    }
    let (packet_type, nanos) = multitrack::extensions(first & 15, &mut cursor)?;
    if frame_type == COMMAND && packet_type != METADATA {
        let what = What::Command(cursor.u8()?);
        return Ok(Opened::One(Packet {
            track: 0,
            codec: Codec::Unknown,
            fourcc: None,
            what,
            nanos,
            data: Bytes::new(),
        }));
    }
    let head = Head { packet_type, frame_type, nanos, fourcc: FourCc([0; 4]), track: 0 };
    multitrack::open(cursor, head, MULTITRACK, body)
}

/// FLV 10.1, E.4.3: a codec number, and for AVC (and what others put in its place) three more fields.
fn old(frame_type: u8, codec_id: u8, mut cursor: Cursor) -> Result<Packet, Error> {
    let fourcc = OLD_CODECS.iter().find(|(id, _)| *id == codec_id).map(|(_, fourcc)| *fourcc);
    let codec = fourcc.map_or(Codec::Unknown, FourCc::codec);
    let frame = |composition| What::Frame { key: is_key(frame_type), composition };
    let what = match (frame_type, fourcc) {
        (COMMAND, _) => What::Command(cursor.u8()?),
        (_, None) => frame(0),
        (_, Some(_)) => {
            let packet_type = cursor.u8()?;
            let composition = cursor.i24()?;
            match packet_type {
                0 => What::Setup,
                1 => frame(composition),
                2 => What::End,
                other => return Err(Error::PacketType(other)),
            }
        }
    };
    Ok(Packet { track: 0, codec, fourcc, what, nanos: 0, data: cursor.0 })
}

/// Enhanced RTMP v2, `ExVideoTagBody`.
fn body(head: Head, mut cursor: Cursor) -> Result<Packet, Error> {
    let what = match head.packet_type {
        SEQUENCE_START | TS_SEQUENCE_START => What::Setup,
        CODED_FRAMES => {
            let composition = if head.fourcc.has_composition_time() { cursor.i24()? } else { 0 };
            What::Frame { key: is_key(head.frame_type), composition }
        }
        CODED_FRAMES_X => What::Frame { key: is_key(head.frame_type), composition: 0 },
        SEQUENCE_END => What::End,
        METADATA => What::Metadata,
        other => return Err(Error::PacketType(other)),
    };
    Ok(head.packet(what, cursor.0))
}

fn is_key(frame_type: u8) -> bool {
    matches!(frame_type, KEY | GENERATED_KEY)
}

/// Top bit of the first byte: the low bits are a packet type instead of a codec number.
pub(super) const ENHANCED: u8 = 0x80;
pub(super) const KEY: u8 = 1;
pub(super) const INTER: u8 = 2;
const GENERATED_KEY: u8 = 4;
const COMMAND: u8 = 5;

pub(super) const CODED_FRAMES_X: u8 = 3;
pub(super) const METADATA: u8 = 4;
const TS_SEQUENCE_START: u8 = 5;
pub(super) const MULTITRACK: u8 = 6;

/// Old codec numbers with a configuration record; 12 and 13 are what encoders used before there were letters.
pub(super) const OLD_AVC: u8 = 7;
const OLD_CODECS: [(u8, FourCc); 3] = [(OLD_AVC, FourCc::AVC), (12, FourCc::HEVC), (13, FourCc::AV1)];
