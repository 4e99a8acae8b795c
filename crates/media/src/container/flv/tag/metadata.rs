//! `onMetaData` as far as players need it: which kinds of track there will be.

use super::{FourCc, Kind, Tag};
use crate::{
    Codec,
    container::flv::meta::{self, Value},
};
use bytes::{BufMut, BytesMut};

/// Which kinds of track a stream's metadata announce; `None` if `tag` has no metadata.
///
/// Players of old RTMP (ffmpeg among them) look for the same two keys before they look for tracks.
pub(super) fn announced(tag: &Tag) -> Option<(bool, bool)> {
    if !meta::is_meta(tag) {
        return None;
    }
    let values = meta::values(&tag.payload);
    let has = |name: &[u8]| values.iter().any(|(key, _)| *key == name);
    Some((has(VIDEO), has(AUDIO)))
}

/// The same metadata of a stream that has no end: encoders that loop a file tell its length and size, and a player
/// that believes them (rtmpdump) calls the stream incomplete.
pub(super) fn endless(tag: &Tag) -> Tag {
    let mut payload = BytesMut::from(&tag.payload[..]);
    for (name, value) in meta::values(&tag.payload) {
        if let (b"duration" | b"filesize", Value::Number(at)) = (name, value) {
            payload[at..at + 8].fill(0);
        }
    }
    Tag { payload: payload.freeze(), ..*tag }
}

/// Metadata that announce tracks of these codecs, AMF0.
pub(super) fn write(timestamp: u32, video: Option<Codec>, audio: Option<Codec>) -> Tag {
    let values = [(VIDEO, video.and_then(number)), (AUDIO, audio.and_then(number))];
    let values = || values.iter().filter_map(|(name, number)| Some((*name, (*number)?)));
    let mut payload = BytesMut::new();
    payload.put_slice(b"\x02\0\x0aonMetaData\x08");
    payload.put_u32(values().count() as u32);
    for (name, number) in values() {
        payload.put_u16(name.len() as u16);
        payload.put_slice(name);
        payload.put_u8(0);
        payload.put_f64(number);
    }
    payload.put_slice(b"\0\0\x09");
    Tag { kind: Kind::Script, timestamp, payload: payload.freeze() }
}

/// The codec's number: its old one, or its letters read as a number (enhanced RTMP v2, "Metadata").
fn number(codec: Codec) -> Option<f64> {
    match codec {
        Codec::H264 => Some(7.0),
        Codec::Aac => Some(10.0),
        Codec::Mp3 => Some(2.0),
        _ => FourCc::of(codec).map(|FourCc(letters)| f64::from(u32::from_be_bytes(letters))),
    }
}

const VIDEO: &[u8] = b"videocodecid";
const AUDIO: &[u8] = b"audiocodecid";
