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

/// The message in `page` (the bytes of a [`Serialized`]) at another time, as pieces to write one after the other; the
/// payload in them is shared with the page. `None` if `page` is not one such message.
///
/// It is for a player that joins amid a group of pictures and is to see at once what is live: the group is sent with
/// its times pressed together, without a copy of it for every such player.
pub fn restamp(page: &Bytes, timestamp: u32) -> Option<Vec<Bytes>> {
    let (basic, basic_size) = first_basic(page)?;
    let fields = Fields::read(0, &page[basic_size..])?;
    let old_extra = if fields.time == EXTENDED { EXTRA } else { 0 };
    let payload = payloads(page, basic_size, fields.length, old_extra)?;
    let head = Fields { time: timestamp.min(EXTENDED), ..fields }.write();
    let extra = timestamp.to_be_bytes();
    let extra = if timestamp >= EXTENDED { &extra[..] } else { &[] };
    let first = [&basic[..basic_size], &head, extra].concat();
    if old_extra == 0 && extra.is_empty() {
        let rest = page.slice(first.len()..);
        return Some(vec![first.into(), rest]);
    }
    let (again, again_size) = Basic::write(3, Basic::read(page)?.csid);
    let again = Bytes::from([&again[..again_size], extra].concat());
    let heads = std::iter::once(Bytes::from(first)).chain(std::iter::repeat(again));
    Some(heads.zip(payload).flat_map(|(head, payload)| [head, payload]).collect())
}

/// The basic header at the front of a message that is written in full.
fn first_basic(page: &[u8]) -> Option<([u8; 3], usize)> {
    let basic = Basic::read(page).filter(|basic| basic.format == 0)?;
    Some(Basic::write(0, basic.csid))
}

/// Where the payload of each chunk of a page is.
fn payloads(page: &Bytes, basic_size: usize, length: usize, extra: usize) -> Option<Vec<Bytes>> {
    let mut rest = page.clone();
    let mut take = |size: usize| (rest.len() >= size).then(|| rest.split_to(size));
    take(basic_size + Fields::size(0) + extra)?;
    let (mut payloads, mut left) = (Vec::new(), length);
    loop {
        let size = left.min(OUT_SIZE as usize);
        payloads.push(take(size)?);
        left -= size;
        if left == 0 {
            return rest.is_empty().then_some(payloads);
        }
        take(basic_size + extra)?;
    }
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
/// Bytes of an extended time.
const EXTRA: usize = 4;
