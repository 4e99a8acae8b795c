//! Lays packets into the pages of one logical stream.

use super::page::{self, PageHeader};
use bytes::Bytes;

/// Writes one logical stream, page by page: the first page says so, the others follow in sequence.
#[derive(Clone, Debug)]
pub struct Writer {
    serial: u32,
    sequence: u32,
}

impl Writer {
    /// A stream of this `serial` without pages yet.
    pub fn new(serial: u32) -> Writer {
        Writer { serial, sequence: 0 }
    }

    /// Goes on with a stream whose next page is number `sequence`.
    pub fn resume(serial: u32, sequence: u32) -> Writer {
        Writer { serial, sequence }
    }

    /// The serial of the stream.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Pages for whole `packets`, as few as they need; `granule` is the position after the last of them.
    /// No packets give one page without any, such as the one that only ends a stream (`last`).
    pub fn lay(&mut self, packets: &[&[u8]], granule: i64, last: bool) -> Vec<Bytes> {
        let lacing: Vec<u8> = packets.iter().flat_map(|packet| lacing(packet.len())).collect();
        let body = packets.concat();
        let tables: Vec<&[u8]> = if lacing.is_empty() { vec![&[]] } else { lacing.chunks(255).collect() };
        let mut continued = false;
        let mut rest = body.as_slice();
        let mut pages = Vec::with_capacity(tables.len());
        for (number, &table) in tables.iter().enumerate() {
            let length: usize = table.iter().map(|&length| usize::from(length)).sum();
            let (here, after) = rest.split_at(length.min(rest.len()));
            let end = number + 1 == tables.len();
            pages.push(self.page(table, here, continued, if end { granule } else { -1 }, last && end));
            (rest, continued) = (after, table.last() == Some(&255));
        }
        pages
    }

    /// A page of another stream as the next page of this one, its granule later by `shift` where it has one.
    pub fn adopt(&mut self, page: &[u8], shift: i64) -> Bytes {
        let Some(header) = PageHeader::parse(page) else { return Bytes::copy_from_slice(page) };
        let granule = header.mark().map_or(-1, |granule| granule.saturating_add(shift).max(0));
        let (serial, sequence) = (self.serial, self.next());
        page::rewrite(page, &PageHeader { serial, sequence, granule, ..header })
    }

    fn page(&mut self, lacing: &[u8], body: &[u8], continued: bool, granule: i64, last: bool) -> Bytes {
        let first = self.sequence == 0;
        let (serial, sequence) = (self.serial, self.next());
        let header = PageHeader { continued, first, last, granule, serial, sequence, segments: 0, body: 0 };
        page::write(&header, lacing, body)
    }

    fn next(&mut self) -> u32 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }
}

/// The lacing values of a packet: 255 as often as it fits, and one that is smaller.
fn lacing(length: usize) -> impl Iterator<Item = u8> {
    std::iter::repeat_n(255, length / 255).chain([(length % 255) as u8])
}
