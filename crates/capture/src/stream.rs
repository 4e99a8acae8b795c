//! Puts the segments of one direction of a TCP connection in order.

use crate::Tcp;
use std::collections::BTreeMap;

/// The bytes of one direction of a TCP connection, as they become readable.
///
/// What is out of order waits, at most [`Stream::MOST_WAITING`] bytes of it; when there is more, or when the receiver
/// acknowledges what was never seen, the hole is given up and told as [`Piece::Gap`].
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The sequence number of the next byte, and how many there were before.
    next: Option<u32>,
    offset: i64,
    /// The sequence number of the first byte.
    first: u32,
    waiting: BTreeMap<i64, Vec<u8>>,
    bytes_waiting: usize,
    complete: bool,
    counts: Counts,
}

/// What a stream gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// So many bytes were not captured.
    Gap(u64),
}

/// Where a segment stands among those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sequence number of its first byte, going on where those of TCP wrap.
    pub seq: i64,
    /// Whether all of it was seen before.
    pub again: bool,
}

/// What a stream has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments with data.
    pub segments: u64,
    /// Of these, with nothing new.
    pub again: u64,
    /// Of these, ahead of a hole.
    pub early: u64,
    /// Bytes that were not captured.
    pub gaps: u64,
}

impl Stream {
    /// How many bytes may wait for those before them.
    pub const MOST_WAITING: usize = 4 << 20;

    /// Takes in a segment whose payload had `length` bytes, of which `payload` was captured, and gives what can be read.
    pub fn push(&mut self, tcp: &Tcp, payload: &[u8], length: u32, mut give: impl FnMut(Piece<'_>)) -> Place {
        if tcp.syn {
            // A SYN counts as one byte; another connection may reuse the ports.
            let first = tcp.seq.wrapping_add(1);
            if self.next != Some(first) || self.offset > 0 {
                *self = Stream {
                    next: Some(first),
                    first,
                    complete: true,
                    counts: self.counts,
                    ..Stream::default()
                };
            }
            return Place { seq: first.into(), again: false };
        }
        if self.next.is_none() {
            self.first = tcp.seq;
        }
        let next = *self.next.get_or_insert(tcp.seq);
        let offset = self.offset + i64::from(tcp.seq.wrapping_sub(next) as i32);
        let end = offset + i64::from(length);
        let seq = i64::from(self.first) + offset;
        if length == 0 {
            return Place { seq, again: false };
        }
        let waits =
            self.waiting.get(&offset).is_some_and(|waiting| waiting.len() as i64 >= i64::from(length));
        let again = end <= self.offset || waits;
        self.counts.segments += 1;
        self.counts.again += u64::from(again);
        self.counts.early += u64::from(offset > self.offset && !again);
        if end <= self.offset {
            return Place { seq, again };
        }
        if offset <= self.offset {
            self.take(offset, payload, end, &mut give);
            self.settle(&mut give);
        } else if !again {
            self.wait(offset, payload);
            if self.bytes_waiting > Stream::MOST_WAITING
                && let Some(first) = self.waiting.keys().next().copied()
            {
                self.give_up(first, &mut give);
            }
        }
        Place { seq, again }
    }

    /// The receiver says that it has everything before `ack`: what is not here by now was not captured.
    pub fn acknowledged(&mut self, ack: u32, mut give: impl FnMut(Piece<'_>)) {
        let Some(next) = self.next else { return };
        let ahead = ack.wrapping_sub(next) as i32;
        if ahead > 0 && !self.waiting.is_empty() {
            self.give_up(self.offset + i64::from(ahead), &mut give);
        }
    }

    /// Whether its first byte was seen.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What it has seen.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many bytes were given, gaps among them.
    pub fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// Gives what is new of a segment that begins no later than what is wanted and ends at `end`.
    fn take(&mut self, offset: i64, payload: &[u8], end: i64, give: &mut impl FnMut(Piece<'_>)) {
        let known = usize::try_from(self.offset - offset).unwrap_or(usize::MAX);
        if let Some(fresh) = payload.get(known..).filter(|fresh| !fresh.is_empty()) {
            give(Piece::Bytes(fresh));
            self.advance(fresh.len() as i64);
        }
        if end > self.offset {
            self.skip(end, give);
        }
    }

    fn skip(&mut self, to: i64, give: &mut impl FnMut(Piece<'_>)) {
        let gap = to - self.offset;
        if gap > 0 {
            give(Piece::Gap(gap as u64));
            self.counts.gaps += gap as u64;
            self.advance(gap);
        }
    }

    /// Gives what has waited and is next now.
    fn settle(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() <= self.offset) {
            let (offset, payload) = first.remove_entry();
            self.bytes_waiting -= payload.len();
            let end = offset + payload.len() as i64;
            if end > self.offset {
                self.take(offset, &payload, end, give);
            }
        }
    }

    fn wait(&mut self, offset: i64, payload: &[u8]) {
        let better = self.waiting.get(&offset).is_none_or(|before| before.len() < payload.len());
        if better {
            self.bytes_waiting += payload.len();
            let before = self.waiting.insert(offset, payload.to_vec());
            self.bytes_waiting -= before.map_or(0, |before| before.len());
        }
    }

    /// Goes on at `to`, or at what waits before it.
    fn give_up(&mut self, to: i64, give: &mut impl FnMut(Piece<'_>)) {
        while self.offset < to {
            let until = self.waiting.keys().next().map_or(to, |first| to.min(*first));
            self.skip(until, give);
            self.settle(give);
            if self.waiting.is_empty() {
                // What follows may still come late; it is not known to be lost.
                return;
            }
        }
    }

    fn advance(&mut self, by: i64) {
        self.offset += by;
        self.next = self.next.map(|next| next.wrapping_add(by as u32));
    }
}

#[cfg(test)]
mod tests;
