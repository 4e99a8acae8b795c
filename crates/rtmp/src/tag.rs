//! Media messages as tags, which is what they carry, and tags as messages.
//!
//! What is inside a tag, and the way from tags to frames and back, is [`levada_media::container::flv::tag`]: FLV
//! files and RTMP share it.

use crate::{chunk, message};
use bytes::Bytes;
use levada_media::container::flv::tag::{Kind, Tag};
use message::Message;

/// The tag in a media or data message; `None` for other messages, and for data without content.
///
/// Metadata that an encoder wraps in `@setDataFrame` come without it, ready for players.
pub fn read(message: &Message) -> Option<Tag> {
    let kind = match message.kind {
        message::AUDIO => Kind::Audio,
        message::VIDEO => Kind::Video,
        message::DATA | message::DATA_AMF3 => Kind::Script,
        _ => return None,
    };
    let payload = match kind {
        Kind::Script => script(message)?,
        Kind::Audio | Kind::Video => message.payload.clone(),
    };
    Some(Tag { kind, timestamp: message.timestamp, payload })
}

/// The message that carries `tag` on `stream`, and its chunk stream.
pub fn write(tag: &Tag, stream: u32) -> (u32, Message) {
    let (csid, kind) = match tag.kind {
        Kind::Audio => (chunk::AUDIO, message::AUDIO),
        Kind::Video => (chunk::VIDEO, message::VIDEO),
        Kind::Script => (chunk::DATA, message::DATA),
    };
    (csid, Message { kind, stream, timestamp: tag.timestamp, payload: tag.payload.clone() })
}

/// Metadata as a publisher sends them: wrapped in `@setDataFrame`. Other tags stay as they are.
pub fn for_publishing(tag: &Tag) -> Tag {
    let wrap = tag.kind == Kind::Script && tag.payload.starts_with(ON_META_DATA);
    let payload = if wrap { [SET_DATA_FRAME, &tag.payload].concat().into() } else { tag.payload.clone() };
    Tag { payload, ..*tag }
}

fn script(message: &Message) -> Option<Bytes> {
    let values = message::values_of(message, message::DATA_AMF3);
    if values.is_empty() || values.starts_with(CLEAR_DATA_FRAME) {
        return None;
    }
    Some(if values.starts_with(SET_DATA_FRAME) { values.slice(SET_DATA_FRAME.len()..) } else { values })
}

// AMF0: a marker, a length of 16 bits, the text
const SET_DATA_FRAME: &[u8] = b"\x02\0\x0d@setDataFrame";
const CLEAR_DATA_FRAME: &[u8] = b"\x02\0\x0f@clearDataFrame";
const ON_META_DATA: &[u8] = b"\x02\0\x0aonMetaData";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_wrapped_for_a_server_and_unwrapped_for_players() {
        let payload = Bytes::from_static(b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09");
        let tag = Tag { kind: Kind::Script, timestamp: 3, payload };
        let (csid, message) = write(&for_publishing(&tag), 1);
        assert!(message.payload.starts_with(SET_DATA_FRAME));
        assert_eq!((csid, read(&message)), (chunk::DATA, Some(tag)));
    }

    #[test]
    fn cleared_and_empty_data_are_nothing() {
        for payload in [&b""[..], b"\x02\0\x0f@clearDataFrame\x02\0\x0aonMetaData"] {
            let payload = Bytes::from_static(payload);
            assert_eq!(read(&Message { kind: message::DATA, stream: 1, timestamp: 0, payload }), None);
        }
    }
}
