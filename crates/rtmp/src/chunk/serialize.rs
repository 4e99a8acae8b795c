//! Cuts messages into chunks whose bytes do not depend on what was sent before.

use super::header::{Basic, Fields};
use super::{EXTENDED, Error, OUT_SIZE};
use crate::{
    message::{self, Message},
    tag,
};
use bytes::{BufMut, Bytes, BytesMut};
use levada_media::container::flv::tag::Tag;

/// A media message as every player gets it: made once, shared by all.
///
/// Its header is full, its chunks have [`OUT_SIZE`] bytes, it goes to message stream [`message::MEDIA_STREAM`]:
/// the bytes are valid for any player of this crate's server session, at any boundary between messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serialized {
    /// What to write to the socket, whole.
    pub bytes: Bytes,
}

impl Serialized {
    /// The bytes of `tag`.
    ///
    /// # Errors
    /// When the payload is too long for a message (16 MiB).
    pub fn new(tag: &Tag) -> Result<Serialized, Error> {
        let (csid, message) = tag::write(tag, message::MEDIA_STREAM);
        let mut out = BytesMut::new();
        write(&mut out, csid, OUT_SIZE, &message)?;
        Ok(Serialized { bytes: out.freeze() })
    }
}

/// Appends `message` to `out` in chunks of `size` on chunk stream `csid`, with a full header.
///
/// # Errors
/// When the payload is too long for a message (16 MiB); `out` is as before.
pub fn write(out: &mut BytesMut, csid: u32, size: u32, message: &Message) -> Result<(), Error> {
    let length = message.payload.len();
    if length > MAX_LENGTH {
        return Err(Error::TooLong { length, limit: MAX_LENGTH });
    }
    out.reserve(framed_size(length, size));
    let fields =
        Fields { time: message.timestamp.min(EXTENDED), length, kind: message.kind, stream: message.stream };
    let (basic, basic_size) = Basic::write(0, csid);
    out.put_slice(&basic[..basic_size]);
    out.put_slice(&fields.write());
    let (again, again_size) = Basic::write(3, csid);
    for (index, piece) in pieces(&message.payload, size).enumerate() {
        if index > 0 {
            out.put_slice(&again[..again_size]);
        }
        if message.timestamp >= EXTENDED {
            out.put_u32(message.timestamp);
        }
        out.put_slice(piece);
    }
    Ok(())
}

/// The payload in pieces of at most `size` bytes; an empty payload is one empty piece.
fn pieces(payload: &[u8], size: u32) -> impl Iterator<Item = &[u8]> {
    let empty = payload.is_empty().then_some(payload);
    empty.into_iter().chain(payload.chunks(size.max(1) as usize))
}

/// No less than the bytes that a message of `length` takes.
fn framed_size(length: usize, size: u32) -> usize {
    length + 18 + 7 * (length / size.max(1) as usize)
}

/// The length has 24 bits.
const MAX_LENGTH: usize = 0xff_ffff;
