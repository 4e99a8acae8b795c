//! Sends pictures between the sound, no faster than the network takes them.

use super::piece::{ALL, Coded, PIECES, Piece};
use bytes::Bytes;
use std::collections::VecDeque;

/// Pieces that are to be sent, and those that were, in case they are asked for again.
///
/// Holds a quarter of a megabyte to send: beyond that, or when they are a second old, they are all dropped, and the next picture is to stand alone.
/// Remembers the last 400 pieces sent, and at most 200 that are asked for again; what is asked beyond that is not sent.
#[derive(Debug)]
pub struct Sending {
    number: u16,
    waiting: VecDeque<Kept>,
    bytes: usize,
    sent: VecDeque<Kept>,
    again: VecDeque<(u16, u8)>,
    /// Bytes that may leave now.
    credit: f64,
    /// The next picture is to stand alone.
    refresh: bool,
    /// When the last piece of one that does left; none while it waits.
    refreshed: Option<f64>,
    counts: Counts,
}

/// What became of our pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Given to be sent.
    pub pictures: u64,
    /// Of these, such as stand alone.
    pub keys: u64,
    /// Bytes of datagrams' bodies that left.
    pub bytes: u64,
    /// Pieces that left again, since they were missing.
    pub again: u64,
    /// Pictures that were dropped, since they had become old.
    pub dropped: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    number: u16,
    index: u8,
    /// The last of a picture that stands alone.
    ends_key: bool,
    time: u32,
    queued: f64,
    body: Bytes,
}

impl Sending {
    pub fn new() -> Sending {
        Sending {
            number: 0,
            waiting: VecDeque::new(),
            bytes: 0,
            sent: VecDeque::new(),
            again: VecDeque::new(),
            credit: 0.0,
            refresh: true,
            refreshed: Some(f64::NEG_INFINITY),
            counts: Counts::default(),
        }
    }

    /// What became of pictures.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the next picture is to stand alone.
    pub fn refresh(&self) -> bool {
        self.refresh
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The other end has lost a picture for good. It says so until it has another, so what was asked before that could arrive does not count.
    pub fn lost(&mut self, now: f64, rtt: f64) {
        self.again.clear();
        if self.refreshed.is_some_and(|at| now - at > 0.1 + 1.5 * rtt) {
            self.refresh = true;
        }
    }

    /// The other end is new to it all.
    pub fn restart(&mut self) {
        self.drop_waiting();
        self.refreshed = Some(f64::NEG_INFINITY);
    }

    /// Takes a picture; false where it is not sent, because it does not stand alone though it should, or is too large.
    pub fn push(&mut self, now: f64, coded: &Coded) -> bool {
        let bytes: usize = coded.slices.iter().map(|slice| slice.len() + Piece::HEAD).sum();
        let fits = !coded.slices.is_empty() && coded.slices.len() <= PIECES;
        if !fits || self.refresh && !coded.key {
            self.refresh = true;
            self.counts.dropped += 1;
            return false;
        }
        if self.bytes + bytes > BYTES {
            self.drop_waiting();
            if !coded.key || bytes > BYTES {
                self.counts.dropped += 1;
                return false;
            }
        }
        self.number = self.number.wrapping_add(1);
        let (number, last) = (self.number, (coded.slices.len() - 1) as u8);
        for (index, slice) in (0..=last).zip(&coded.slices) {
            let piece = Piece { number, index, last, key: coded.key, form: coded.form, slice };
            let ends_key = coded.key && index == last;
            let body = piece.write();
            self.waiting.push_back(Kept { number, index, ends_key, time: coded.time, queued: now, body });
        }
        self.bytes += bytes;
        self.counts.pictures += 1;
        if coded.key {
            self.counts.keys += 1;
            (self.refresh, self.refreshed) = (false, None);
        }
        true
    }

    /// Pieces are missing there.
    pub fn missing(&mut self, missing: impl Iterator<Item = (u16, u8)>) {
        for asked in missing {
            if self.again.len() < AGAIN && !self.again.contains(&asked) {
                self.again.push_back(asked);
            }
        }
    }

    /// So many bytes more may leave by now.
    pub fn allow(&mut self, now: f64, bytes: f64) {
        self.credit = (self.credit + bytes).min(BURST);
        if self.waiting.front().is_some_and(|first| now - first.queued > OLD) {
            self.drop_waiting();
        }
    }

    /// What leaves next, with its time: what is missing there first.
    pub fn next(&mut self, now: f64) -> Option<(u32, Bytes)> {
        if self.credit <= 0.0 {
            return None;
        }
        let kept = self.repeat(now).or_else(|| self.advance(now))?;
        self.credit -= (kept.1.len() + AROUND) as f64;
        self.counts.bytes += kept.1.len() as u64;
        Some(kept)
    }

    fn repeat(&mut self, now: f64) -> Option<(u32, Bytes)> {
        while let Some((number, index)) = self.again.pop_front() {
            let mut of_it = self.sent.iter().filter(|kept| kept.number == number && now - kept.queued < OLD);
            if index == ALL {
                let all: Vec<(u16, u8)> = of_it.map(|kept| (number, kept.index)).collect();
                self.missing(all.into_iter());
            } else if let Some(kept) = of_it.find(|kept| kept.index == index) {
                self.counts.again += 1;
                return Some((kept.time, kept.body.clone()));
            }
        }
        None
    }

    fn advance(&mut self, now: f64) -> Option<(u32, Bytes)> {
        let kept = self.waiting.pop_front()?;
        self.bytes -= kept.body.len();
        if kept.ends_key {
            self.refreshed = Some(now);
        }
        let left = (kept.time, kept.body.clone());
        if self.sent.len() == SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(kept);
        Some(left)
    }

    fn drop_waiting(&mut self) {
        let numbers = self.waiting.iter().filter(|kept| kept.index == 0).count();
        self.counts.dropped += numbers as u64;
        self.waiting.clear();
        (self.bytes, self.refresh) = (0, true);
        self.refreshed.get_or_insert(f64::NEG_INFINITY);
    }
}

/// Bytes that wait, at most.
const BYTES: usize = 256 << 10;
/// Pieces that may be asked for again.
const SENT: usize = 400;
const AGAIN: usize = 200;
/// Bytes that leave at once, at most: more would make sound wait.
const BURST: f64 = 2_600.0;
/// Bytes of a datagram around its body: IPv4 and UDP, head and tag.
const AROUND: usize = 28 + 12 + 16;
/// After so many seconds nobody wants to see it.
const OLD: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::super::piece::Form;
    use super::*;

    fn coded(key: bool, pieces: usize) -> Coded {
        let form = Form { width: 64, height: 48, rate: 30 };
        Coded { time: 7, form, key, slices: vec![Bytes::from(vec![1; 1_000]); pieces] }
    }

    fn drain(sending: &mut Sending, now: f64) -> Vec<(u16, u8)> {
        sending.allow(now, 1e6);
        let mut all = Vec::new();
        while let Some((_, body)) = sending.next(now) {
            let piece = Piece::read(&body).unwrap();
            all.push((piece.number, piece.index));
            sending.credit = 1.0;
        }
        all
    }

    #[test]
    fn pieces_leave_as_fast_as_is_allowed_and_missing_ones_first() {
        let mut sending = Sending::new();
        assert!(!sending.push(0.0, &coded(false, 1)), "the first one is to stand alone");
        assert!(sending.push(0.0, &coded(true, 3)) && !sending.refresh());
        assert!(sending.next(0.0).is_none());
        sending.allow(0.0, 1_000.0);
        assert!(sending.next(0.0).is_some() && sending.next(0.0).is_none());
        sending.allow(0.0, 1e9);
        assert_eq!(std::iter::from_fn(|| sending.next(0.0)).count(), 2, "a burst is short");
        sending.push(0.1, &coded(false, 1));
        sending.missing([(1, 2), (1, 9), (9, ALL), (1, ALL)].into_iter());
        assert_eq!(drain(&mut sending, 0.1), [(1, 2), (1, 0), (1, 1), (1, 2), (2, 0)]);
    }

    #[test]
    fn what_is_old_or_too_much_is_dropped_and_the_next_stands_alone() {
        let mut sending = Sending::new();
        sending.push(0.0, &coded(true, 2));
        sending.lost(0.5, 0.01);
        assert!(!sending.refresh(), "it has not even left");
        sending.allow(1.5, 0.0);
        assert!(sending.refresh() && sending.bytes() == 0 && sending.counts().dropped == 1);
        sending.push(2.0, &coded(true, 200));
        assert!(!sending.push(2.0, &coded(false, 100)) && sending.refresh() && sending.bytes() == 0);
        sending.push(3.0, &coded(true, 1));
        drain(&mut sending, 3.0);
        sending.lost(3.05, 0.01);
        assert!(!sending.refresh(), "it may be on its way");
        sending.lost(3.2, 0.01);
        assert!(sending.refresh());
        assert!(!sending.push(3.0, &coded(true, 256)), "nobody could number its pieces");
    }
}
