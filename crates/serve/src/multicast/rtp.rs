//! RTP's header (RFC 3550 5.1), and the order of datagrams that the network mixed up.

use bytes::Bytes;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What is written of the header: version 2, no padding, no extension, no contributors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is inside; 33 is a transport stream (RFC 3551).
    pub payload: u8,
    /// Counts datagrams.
    pub sequence: u16,
    /// In 90 kHz.
    pub timestamp: u32,
    /// Who sends; chosen by chance.
    pub source: u32,
}

impl Header {
    /// Bytes of it.
    pub const LEN: usize = 12;

    /// As it travels.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        (out[0], out[1]) = (VERSION << 6, self.payload & 0x7f);
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.source.to_be_bytes());
        out
    }

    /// The header and what is behind it, without padding; `None` where the datagram is none of RTP's.
    pub fn parse(datagram: &[u8]) -> Option<(Header, &[u8])> {
        let (head, mut rest) = datagram.split_at_checked(Self::LEN)?;
        let number =
            |at: usize| head[at..at + 4].iter().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
        if head[0] >> 6 != VERSION {
            return None;
        }
        rest = rest.get(4 * usize::from(head[0] & 15)..)?;
        if head[0] & 0x10 != 0 {
            let &[_, _, high, low, ref behind @ ..] = rest else { return None };
            rest = behind.get(4 * (usize::from(high) << 8 | usize::from(low))..)?;
        }
        if head[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last()?);
            rest = rest.get(..rest.len().checked_sub(padding.max(1))?)?;
        }
        let header = Header {
            payload: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: number(4),
            source: number(8),
        };
        Some((header, rest))
    }
}

/// Puts datagrams back in order. Holds at most [`MOST`] of them and each no longer than [`PATIENCE`]; what is missing
/// then is counted as lost, and what comes still later as late.
#[derive(Debug, Default)]
pub struct Reorder {
    source: Option<u32>,
    /// The number that comes next, unwrapped.
    next: u64,
    held: BTreeMap<u64, (Instant, Bytes)>,
    /// What it counts.
    pub stats: Stats,
}

/// What happened to datagrams on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Never came, or too late.
    pub lost: u64,
    /// Came before one that was sent earlier, and were put in order.
    pub reordered: u64,
    /// Came when they had been given up, or twice.
    pub late: u64,
}

impl Reorder {
    /// Takes the next datagram.
    pub fn push(&mut self, now: Instant, header: Header, payload: Bytes) {
        let at = self.unwrap(header);
        if at < self.next || self.held.contains_key(&at) {
            self.stats.late += 1;
            return;
        }
        self.stats.reordered += u64::from(self.held.last_key_value().is_some_and(|(last, _)| at < *last));
        self.held.insert(at, (now, payload));
    }

    /// The next payload in order, if it is there or no longer waited for what is before it.
    pub fn poll(&mut self, now: Instant) -> Option<Bytes> {
        let (&first, (since, _)) = self.held.first_key_value()?;
        let waits = first > self.next && self.held.len() < MOST && now < *since + PATIENCE;
        if waits {
            return None;
        }
        self.stats.lost += first - self.next;
        self.next = first + 1;
        self.held.pop_first().map(|(_, (_, payload))| payload)
    }

    /// When [`Reorder::poll`] gives up what is missing.
    pub fn due(&self) -> Option<Instant> {
        self.held.first_key_value().map(|(_, (since, _))| *since + PATIENCE)
    }

    /// The number without its wrap. Another source, or a jump that no loss explains, begins anew (RFC 3550 A.1).
    fn unwrap(&mut self, header: Header) -> u64 {
        let near =
            self.next.wrapping_add_signed(i64::from(header.sequence.wrapping_sub(self.next as u16) as i16));
        let apart = near.abs_diff(self.next);
        if self.source == Some(header.source) && apart <= DROPOUT {
            return near;
        }
        // what was held of the old one is given up: it could not come out in order
        self.stats.lost += self.held.len() as u64;
        self.held.clear();
        self.source = Some(header.source);
        self.next = FIRST + u64::from(header.sequence);
        self.next
    }
}

const VERSION: u8 = 2;
/// So that numbers before the first are none below zero.
const FIRST: u64 = 1 << 32;
/// 43 kB of a transport stream.
pub const MOST: usize = 64;
/// More than networks at home mix up, and less than players hold.
pub const PATIENCE: Duration = Duration::from_millis(80);
/// A longer jump is another beginning.
const DROPOUT: u64 = 3_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16) -> Header {
        Header { payload: 33, sequence, timestamp: 7, source: 9 }
    }

    fn order(numbers: &[u16]) -> (Vec<u8>, Stats) {
        let now = Instant::now();
        let mut reorder = Reorder::default();
        let mut out = Vec::new();
        for number in numbers {
            reorder.push(now, header(*number), vec![*number as u8].into());
            out.extend(std::iter::from_fn(|| reorder.poll(now)).map(|payload| payload[0]));
        }
        out.extend(std::iter::from_fn(|| reorder.poll(now + PATIENCE)).map(|payload| payload[0]));
        (out, reorder.stats)
    }

    #[test]
    fn a_header_survives_its_bytes() {
        let bytes = [&header(65_535).to_bytes()[..], b"payload"].concat();
        assert_eq!(Header::parse(&bytes), Some((header(65_535), &b"payload"[..])));
        assert_eq!(Header::parse(&bytes[..11]), None);
    }

    #[test]
    fn contributors_extensions_and_padding_are_left_out() {
        let mut bytes = header(1).to_bytes().to_vec();
        bytes[0] |= 0x31;
        bytes.extend([0; 4]); // a contributor
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 0]); // an extension of one word
        bytes.extend([7, 0, 0, 3]); // padding of three bytes
        assert_eq!(Header::parse(&bytes).unwrap().1, [7]);
        *bytes.last_mut().unwrap() = 200;
        assert_eq!(Header::parse(&bytes), None);
    }

    #[test]
    fn datagrams_come_out_in_order_also_where_numbers_wrap() {
        let (out, stats) = order(&[65_534, 0, 65_535, 2, 1]);
        assert_eq!((out, stats), (vec![254, 255, 0, 1, 2], Stats { lost: 0, reordered: 2, late: 0 }));
    }

    #[test]
    fn what_does_not_come_is_counted_and_what_comes_twice_is_left_out() {
        let (out, stats) = order(&[1, 2, 2, 5, 6, 1]);
        assert_eq!((out, stats), (vec![1, 2, 5, 6], Stats { lost: 2, reordered: 0, late: 2 }));
    }

    #[test]
    fn nothing_waits_beyond_its_bound() {
        let now = Instant::now();
        let mut reorder = Reorder::default();
        reorder.push(now, header(0), Bytes::new());
        for number in 2..2 + MOST as u16 {
            assert_eq!(reorder.poll(now).is_some(), number == 2);
            reorder.push(now, header(number), Bytes::new());
        }
        assert!(reorder.poll(now).is_some() && reorder.stats.lost == 1);
    }

    #[test]
    fn a_sender_that_begins_anew_is_followed() {
        let (out, stats) = order(&[100, 101, 30_000, 30_001]);
        assert_eq!((out.len(), stats.lost), (4, 0));
    }
}
