//! What it takes of WebSocket (RFC 6455) to send to many at once: a server's frames are not masked, so all get the same.

use crate::http::Head;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use sha1::{Digest, Sha1};

/// The key of a client that asks for a WebSocket.
pub fn key(head: &Head) -> Option<&str> {
    let asks = head.method == "GET" && head.has_token("upgrade", "websocket");
    head.field("sec-websocket-key").filter(|_| asks && head.field("sec-websocket-version") == Some("13"))
}

/// What proves that the key was understood (RFC 6455 §4.2.2).
pub fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key.trim()).chain_update(GUID).finalize())
}

/// `payload` as one binary message.
pub fn message(payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(BINARY);
    match payload.len() {
        length @ 0..=125 => frame.put_u8(length as u8),
        length @ 126..=0xffff => {
            frame.put_u8(126);
            frame.put_u16(length as u16);
        }
        length => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

/// The payloads of messages as [`message`] makes them; `None` if `frames` are something else.
pub fn messages(frames: &Bytes) -> Option<Vec<Bytes>> {
    let mut rest = frames.clone();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (head, length) = match *rest.first_chunk::<2>()? {
            [BINARY, 126] => (4, usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]))),
            [BINARY, 127] => (10, usize::try_from(u64::from_be_bytes(*rest.get(2..)?.first_chunk()?)).ok()?),
            [BINARY, length @ 0..126] => (2, usize::from(length)),
            _ => return None,
        };
        if rest.len() < head || rest.len() - head < length {
            return None;
        }
        let frame = rest.split_to(head + length);
        all.push(frame.slice(head..));
    }
    Some(all)
}

/// A frame that closes well: status 1000.
pub const CLOSE: &[u8] = &[0x88, 2, 0x03, 0xe8];

/// A whole message of bytes.
const BINARY: u8 = 0x82;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn lengths_are_written_in_three_ways() {
        let head = |length: usize| message(&vec![0; length])[..4].to_vec();
        assert_eq!(head(125)[..2], [0x82, 125]);
        assert_eq!(head(126), [0x82, 126, 0, 126]);
        assert_eq!(head(65_536), [0x82, 127, 0, 0]);
        assert_eq!(message(&[0; 65_536]).len(), 65_546);
        let all = [0, 125, 126, 65_535, 65_536].map(|length| message(&vec![7; length])).concat();
        let read: Vec<usize> = messages(&all.clone().into()).unwrap().iter().map(Bytes::len).collect();
        assert_eq!(read, [0, 125, 126, 65_535, 65_536]);
        assert_eq!(messages(&Bytes::from(all).slice(..1_000)), None);
    }
}
