//! The file around the tags: a header, then each tag with eleven bytes before it and four after (FLV 10.1, E.2–E.4).

use super::tag::{Kind, Tag};
use crate::container::window::Window;
use bytes::{Bytes, BytesMut};

/// What is found in a file.
pub(super) enum Unit {
    /// The file header and the first back pointer.
    Head(Bytes),
    /// A tag, and the bytes that it has in the file.
    Tag(Tag, Bytes),
}

/// Finds header and tags in a run of bytes, and leaves out what is neither. Holds at most one tag.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) window: Window,
}

impl Reader {
    /// The next unit, `None` when more bytes are needed.
    pub(super) fn poll(&mut self) -> Option<Unit> {
        let (skip, look) = self.look();
        self.window.skip(skip as u64);
        self.window.sync = matches!(look, Look::Head(_) | Look::Tag(..)) || (self.window.sync && skip == 0);
        match look {
            Look::Head(size) => Some(Unit::Head(self.window.take(size))),
            Look::Tag(kind, timestamp, size) => {
                let bytes = self.window.take(size);
                let payload = bytes.slice(BEFORE..size - AFTER);
                Some(Unit::Tag(Tag { kind, timestamp, payload }, bytes))
            }
            Look::Short | Look::No => None,
        }
    }

    /// How many bytes to throw away, and what comes then.
    fn look(&self) -> (usize, Look) {
        let front = self.window.front();
        for at in 0..front.len() {
            match self.look_at(&front[at..], self.window.sync && at == 0) {
                Look::No => {}
                Look::Short if self.window.ended() => {}
                look => return (at, look),
            }
        }
        (front.len(), Look::No)
    }

    fn look_at(&self, front: &[u8], sync: bool) -> Look {
        if front[0] == b'F' {
            return file_header(front);
        }
        let Some((kind, timestamp, size)) = tag_header(front) else { return Look::No };
        let (Some(timestamp), Some(size)) = (timestamp, size) else { return Look::Short };
        let Some(after) = front.get(size - AFTER..) else { return Look::Short };
        let Some(back) = after.first_chunk::<AFTER>() else { return Look::Short };
        let good = match u32::from_be_bytes(*back) as usize == size - AFTER {
            true => true,
            // Servers that write a wrong back pointer are forgiven where the next tag is where it should be.
            false if !sync => false,
            false => match tag_header(&after[AFTER..]) {
                Some((.., None)) if !self.window.ended() => return Look::Short,
                next => next.is_some(),
            },
        };
        if good { Look::Tag(kind, timestamp, size) } else { Look::No }
    }
}

enum Look {
    No,
    Short,
    Head(usize),
    Tag(Kind, u32, usize),
}

fn file_header(front: &[u8]) -> Look {
    let magic = b"FLV\x01";
    if !front.iter().zip(magic).all(|(a, b)| a == b) {
        return Look::No;
    }
    let Some(size) = front.get(5..9) else { return Look::Short };
    let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
    match size {
        9..=LARGEST_HEADER if front.len() >= size + AFTER => Look::Head(size + AFTER),
        9..=LARGEST_HEADER => Look::Short,
        _ => Look::No,
    }
}

/// Kind, timestamp and whole size of the tag that `front` begins with; the last two are `None` while the header is
/// not whole.
fn tag_header(front: &[u8]) -> Option<(Kind, Option<u32>, Option<usize>)> {
    let Some((&first, rest)) = front.split_first() else { return Some((Kind::Script, None, None)) };
    let kind = Kind::from_wire(first)?;
    let Some(&[a, b, c, t2, t1, t0, t3, x, y, z]) = rest.first_chunk() else {
        return Some((kind, None, None));
    };
    let size = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
    let timestamp = u32::from_be_bytes([t3, t2, t1, t0]);
    ([x, y, z] == [0; 3] && size <= LARGEST).then_some((kind, Some(timestamp), Some(BEFORE + size + AFTER)))
}

/// The same tag at another time, as it travels in a file.
pub(super) fn retimed(bytes: &[u8], timestamp: u32) -> BytesMut {
    let mut copy = BytesMut::from(bytes);
    let [t3, t2, t1, t0] = timestamp.to_be_bytes();
    if let Some(at) = copy.get_mut(4..8) {
        at.copy_from_slice(&[t2, t1, t0, t3]);
    }
    copy
}

/// Bytes of a tag before its payload: kind, size, time, stream.
pub(super) const BEFORE: usize = 11;
/// Bytes behind it: the back pointer.
pub(super) const AFTER: usize = 4;
/// Larger than a key frame of any encoder seen; what claims more is garbage.
pub(super) const LARGEST: usize = 4 << 20;
/// The specification says 9 and leaves room for more.
const LARGEST_HEADER: usize = 64;
