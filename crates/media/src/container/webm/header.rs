//! The header of a Segment that never ends: what stays true for a newcomer.

use super::{
    element::{Id, children, id},
    reader::Unit,
};
use bytes::{BufMut, Bytes, BytesMut};

/// Gathers it from elements as they pass, at most [`MOST`] bytes: what tells places or the length of a file is left
/// out, and the Segment gets an unknown size.
#[derive(Default)]
pub(super) struct Header {
    bytes: BytesMut,
    /// The Segment says how long it is.
    ends: bool,
    closed: bool,
}

impl Header {
    /// Looks at the next element.
    pub(super) fn see(&mut self, unit: &Unit) {
        match unit.id {
            id::EBML => {
                *self = Header::default();
                self.bytes.extend_from_slice(&unit.bytes);
            }
            id::CLUSTER => self.closed = true,
            _ if self.closed || self.bytes.len() + unit.bytes.len() > MOST => {}
            id::SEGMENT => {
                self.ends = unit.bytes.get(unit.body - 1) != Some(&0xff);
                put_open(&mut self.bytes, id::SEGMENT);
            }
            id::INFO => put_info(&mut self.bytes, unit),
            id::TRACKS | id::TAGS => self.bytes.extend_from_slice(&unit.bytes),
            _ => {}
        }
    }

    /// Whether the header as it came promises an end.
    pub(super) fn ends(&self) -> bool {
        self.ends
    }

    /// The header of an endless Segment, as far as it has come.
    pub(super) fn endless(&self) -> Bytes {
        Bytes::copy_from_slice(&self.bytes)
    }
}

/// A master element of unknown size.
pub(super) fn put_open(out: &mut BytesMut, id: Id) {
    out.put_u32(id);
    out.put_slice(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

/// Info without the length of the file: what says it, and the check over it, become padding of the same size.
fn put_info(out: &mut BytesMut, unit: &Unit) {
    let begin = out.len() + unit.body;
    out.extend_from_slice(&unit.bytes);
    for (child, body, data) in children(unit.body()) {
        let head = match child {
            id::DURATION => 3,
            id::CRC32 => 2,
            _ => continue,
        };
        // both have a size of one byte, so that the head has as many bytes as its identifier and one
        let (at, size) = (begin + body - head, data.len() + head - 2);
        if let (Ok(size), Some(padding)) = (u8::try_from(size), out.get_mut(at..begin + body + data.len())) {
            padding.fill(0);
            padding[..2].copy_from_slice(&[id::VOID as u8, 0x80 | size]);
        }
    }
}

/// More than any header with tags; pictures are attachments and left out.
const MOST: usize = 2 << 20;
