//! A stream that tells on whoever damages it: every record carries its number and the time it was made.

use std::time::Duration;

/// Makes records of one fixed size in the guise of a real format, so that servers cut them as they would music.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a record; an MPEG audio frame or a transport stream packet.
    pub size: usize,
    mark_at: usize,
    head: [u8; 4],
}

impl Shape {
    /// Silent MPEG-1 layer III frames at 48 kHz, 3 bytes a kbit/s; `None` where the layer has no such bit rate.
    pub fn mp3(kbps: u32) -> Option<Shape> {
        let index = MP3_KBPS.iter().position(|rate| *rate == kbps)? as u8 + 1;
        Some(Shape { size: 3 * kbps as usize, mark_at: 36, head: [0xff, 0xfb, index << 4 | 4, 4] })
    }

    /// Transport stream packets of 188 bytes, for any bit rate.
    pub fn ts() -> Shape {
        Shape { size: 188, mark_at: 4, head: [0x47, 0x01, 0x00, 0x10] }
    }

    /// Writes record `number`, made at `now` on the monotonic clock, behind `out`.
    pub fn put(&self, out: &mut Vec<u8>, number: u64, now: Duration) {
        let begin = out.len();
        out.resize(begin + self.size, FILL);
        let record = &mut out[begin..];
        record[..4].copy_from_slice(&self.head);
        record[4..self.mark_at].fill(0);
        if self.head[0] == 0x47 {
            record[3] |= (number & 15) as u8;
        }
        let mark = &mut record[self.mark_at..self.mark_at + MARK];
        mark[..8].copy_from_slice(MAGIC);
        mark[8..16].copy_from_slice(&number.to_le_bytes());
        mark[16..].copy_from_slice(&(now.as_nanos() as u64).to_le_bytes());
    }

    /// Number and time of the record that `bytes` begin with; `None` if they do not begin with a whole, true one.
    fn read(&self, bytes: &[u8]) -> Option<(u64, Duration)> {
        let record = bytes.get(..self.size)?;
        let mark = &record[self.mark_at..self.mark_at + MARK];
        let number = |at: usize| mark[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let whole = &mark[..8] == MAGIC && record[..3] == self.head[..3];
        let filled = record[self.mark_at + MARK..].iter().all(|byte| *byte == FILL);
        (whole && filled).then(|| (number(8), Duration::from_nanos(number(16))))
    }
}

/// Follows one listener's stream and checks every byte of it.
#[derive(Clone, Debug)]
pub struct Follower {
    shape: Shape,
    rest: Vec<u8>,
    next: Option<u64>,
    /// Records that came in sequence.
    pub records: u64,
    /// Times that the sequence broke: bytes lost, doubled or damaged.
    pub breaks: u64,
    searched: usize,
}

impl Follower {
    /// A follower that has seen nothing.
    pub fn new(shape: Shape) -> Follower {
        Follower { shape, rest: Vec::new(), next: None, records: 0, breaks: 0, searched: 0 }
    }

    /// Takes the next bytes; `last` learns when the newest whole record in them was made.
    pub fn push(&mut self, bytes: &[u8], mut last: impl FnMut(Duration)) {
        let mut made = None;
        let mut at = 0;
        if !self.rest.is_empty() {
            let missing = self.shape.size.saturating_sub(self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..missing]);
            at = missing;
            let rest = std::mem::take(&mut self.rest);
            if rest.len() < self.shape.size {
                self.rest = rest;
                return;
            }
            let used = self.walk(&rest, &mut made);
            if used < rest.len() {
                self.rest = rest[used..].to_vec();
                self.rest.extend_from_slice(&bytes[at..]);
                let joined = std::mem::take(&mut self.rest);
                let used = self.walk(&joined, &mut made);
                self.rest = joined[used..].to_vec();
                made.map(&mut last);
                return;
            }
        }
        at += self.walk(&bytes[at..], &mut made);
        self.rest.extend_from_slice(&bytes[at..]);
        made.map(&mut last);
    }

    /// Whether the stream is one of ours at all; false once 256 kB went by without a record.
    pub fn is_ours(&self) -> bool {
        self.next.is_some() || self.searched < 256 * 1024
    }

    /// Reads whole records; returns the bytes used. Out of step, it looks for the next true one.
    fn walk(&mut self, bytes: &[u8], made: &mut Option<Duration>) -> usize {
        let mut at = 0;
        while bytes.len() - at >= self.shape.size {
            match (self.shape.read(&bytes[at..]), self.next) {
                (Some((number, time)), next) if next.is_none_or(|next| next == number) => {
                    self.next = Some(number + 1);
                    self.records += 1;
                    *made = Some(time);
                    at += self.shape.size;
                }
                (_, Some(_)) => {
                    self.breaks += 1;
                    self.next = None;
                }
                (_, None) => {
                    at += 1;
                    self.searched += 1;
                }
            }
        }
        at
    }
}

const MAGIC: &[u8; 8] = b"\x01LEVADA\x02";
const MARK: usize = 24;
const FILL: u8 = 0x55;
const MP3_KBPS: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(shape: Shape, count: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        (0..count).for_each(|n| shape.put(&mut bytes, n, Duration::from_millis(n)));
        bytes
    }

    #[test]
    fn any_split_is_followed_from_any_byte() {
        for shape in [Shape::mp3(128).unwrap(), Shape::ts()] {
            let bytes = stream(shape, 20);
            for (from, piece) in [(0, 1), (7, 100), (shape.size, 383), (1, 5000)] {
                let mut follower = Follower::new(shape);
                let mut newest = Duration::ZERO;
                bytes[from..].chunks(piece).for_each(|piece| follower.push(piece, |made| newest = made));
                let whole = (bytes.len() - from) / shape.size;
                assert_eq!((follower.records as usize, follower.breaks), (whole, 0), "{from} {piece}");
                assert_eq!(newest, Duration::from_millis(19));
            }
        }
    }

    #[test]
    fn a_lost_byte_a_flipped_byte_and_a_repeat_are_noticed() {
        let shape = Shape::mp3(64).unwrap();
        let good = stream(shape, 10);
        let mut lost = good.clone();
        lost.remove(500);
        let mut flipped = good.clone();
        flipped[shape.size * 3 + 100] ^= 1;
        let doubled = [&good[..shape.size * 5], &good[shape.size * 4..]].concat();
        for damaged in [lost, flipped, doubled] {
            let mut follower = Follower::new(shape);
            damaged.chunks(100).for_each(|piece| follower.push(piece, |_| ()));
            assert_eq!(follower.breaks, 1);
        }
    }
}
