//! A block: one or several frames of one track (RFC 9559 10).

use super::element::{child, children, id, uint, vint};

/// A SimpleBlock or BlockGroup.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) track: u64,
    /// Ticks after the cluster's timestamp.
    pub(super) at: i16,
    /// Whether the container says that a decoder may begin here.
    pub(super) key: bool,
    /// Ticks that the whole block lasts, where a group says it.
    pub(super) span: Option<u64>,
    lacing: u8,
    /// Where `data` begins in the body that was parsed.
    offset: usize,
    data: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads the body of a SimpleBlock.
    pub(super) fn simple(body: &'a [u8]) -> Option<Block<'a>> {
        let (track, len) = vint(body)?;
        let [high, low, flags] = *body.get(len..)?.first_chunk()?;
        Some(Block {
            track: track?,
            at: i16::from_be_bytes([high, low]),
            key: flags & KEY != 0,
            span: None,
            lacing: flags & LACING,
            offset: len + 3,
            data: body.get(len + 3..)?,
        })
    }

    /// Reads the body of a BlockGroup.
    pub(super) fn group(body: &'a [u8]) -> Option<Block<'a>> {
        let (_, begin, inner) = children(body).find(|child| child.0 == id::BLOCK)?;
        let block = Block::simple(inner)?;
        Some(Block {
            key: child(body, id::REFERENCE_BLOCK).is_none(),
            span: child(body, id::BLOCK_DURATION).map(uint),
            offset: begin + block.offset,
            ..block
        })
    }

    /// The first frame, or as much of it as can be told without lacing.
    pub(super) fn first(&self) -> &'a [u8] {
        if self.lacing == 0 { self.data } else { &[] }
    }

    /// Where each frame lies in the body that was parsed; fewer where the lacing is damaged.
    pub(super) fn frames(&self) -> Vec<std::ops::Range<usize>> {
        if self.lacing == 0 {
            return std::iter::once(self.offset..self.offset + self.data.len()).collect();
        }
        self.laced().unwrap_or_default()
    }

    fn laced(&self) -> Option<Vec<std::ops::Range<usize>>> {
        let (&count, mut rest) = self.data.split_first()?;
        let first = usize::from(count);
        let mut sizes = match self.lacing {
            XIPH => (0..first).map(|_| xiph(&mut rest)).collect::<Option<Vec<_>>>()?,
            EBML => ebml(&mut rest, first)?,
            _ => vec![rest.len() / (first + 1); first],
        };
        let known = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size))?;
        sizes.push(rest.len().checked_sub(known)?);
        let mut at = self.offset + self.data.len() - rest.len();
        let range = |size| {
            at += size;
            at - size..at
        };
        Some(sizes.into_iter().map(range).collect())
    }
}

fn xiph(rest: &mut &[u8]) -> Option<usize> {
    let mut size = 0;
    loop {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        size += usize::from(byte);
        if byte < 255 {
            return Some(size);
        }
    }
}

/// The first size as it is, each of the others as its difference to the one before; the last is what remains.
fn ebml(rest: &mut &[u8], count: usize) -> Option<Vec<usize>> {
    let mut sizes: Vec<usize> = Vec::with_capacity(count.min(255));
    for n in 0..count {
        let (value, len) = vint(rest)?;
        *rest = &rest[len..];
        let value = i64::try_from(value?).ok()?;
        let bias = (1i64 << (7 * len - 1)) - 1;
        let size = match n {
            0 => value,
            _ => i64::try_from(*sizes.last()?).ok()? + value - bias,
        };
        sizes.push(usize::try_from(size).ok()?);
    }
    Some(sizes)
}

const KEY: u8 = 0x80;
const LACING: u8 = 0x06;
const XIPH: u8 = 0x02;
const EBML: u8 = 0x06;

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(body: &[u8]) -> Vec<usize> {
        Block::simple(body).unwrap().frames().into_iter().map(|range| range.len()).collect()
    }

    #[test]
    fn each_lacing_comes_apart() {
        assert_eq!(sizes(&[0x81, 0, 0, 0x80, 9, 9, 9]), [3]);
        assert_eq!(sizes(&[0x81, 0, 0, 0x82, 2, 1, 2, 9, 8, 8, 7, 7, 7]), [1, 2, 3]);
        assert_eq!(sizes(&[0x81, 0, 0, 0x84, 2, 9, 9, 8, 8, 7, 7]), [2, 2, 2]);
        assert_eq!(sizes(&[0x81, 0, 0, 0x86, 2, 0x81, 0xc0, 9, 8, 8, 7, 7, 7]), [1, 2, 3]);
        assert_eq!(sizes(&[0x81, 0, 0, 0x82, 2, 255, 255]), [0usize; 0]);
    }

    #[test]
    fn a_group_is_a_key_frame_if_it_refers_to_none() {
        let block = [0xa1, 0x85, 0x82, 0xff, 0xfe, 0, 7];
        let alone = Block::group(&block).unwrap();
        assert_eq!((alone.track, alone.at, alone.key), (2, -2, true));
        assert!(alone.frames().into_iter().eq(std::iter::once(6..7)));
        let refers = [&block[..], &[0xfb, 0x81, 0xfb, 0x9b, 0x81, 40]].concat();
        let refers = Block::group(&refers).unwrap();
        assert_eq!((refers.key, refers.span), (false, Some(40)));
    }
}
