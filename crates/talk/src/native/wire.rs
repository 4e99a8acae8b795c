//! The datagram: twelve bytes of header, eight of report, and frames, the newest first.
//!
//! ```text
//! 0 version 1 | 1 blocks of (1024, 480, 240, 120) | 2 older frames | 3 zero | 4 number | 8 media time in frames
//! 12 highest number received | 16 which of the 16 before it came | 18 what came, modulo 2^16 | each frame: 2 length, bytes
//! ```

use bytes::Bytes;

/// What is said about the other direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The highest number that was received.
    pub highest: u32,
    /// Which of the sixteen before it were, the nearest in the lowest bit.
    pub before: u16,
    /// Datagrams received so far.
    pub received: u16,
}

/// A datagram, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which block size, 0 to 3.
    pub size: u8,
    /// The newest frame's number.
    pub number: u32,
    /// Its time, in frames of sound.
    pub time: u32,
    /// What the sender received.
    pub report: Report,
    /// Frames, the newest first; each older one has the number before.
    pub frames: Vec<Bytes>,
}

impl Packet {
    /// Appends the datagram to `out`. Older frames that would make it longer than `most` bytes are left out.
    pub fn write(&self, most: usize, out: &mut Vec<u8>) {
        let began = out.len();
        out.extend_from_slice(&[VERSION, self.size, 0, 0]);
        for word in [self.number, self.time, self.report.highest] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.report.before.to_be_bytes());
        out.extend_from_slice(&self.report.received.to_be_bytes());
        for (older, frame) in self.frames.iter().enumerate().take(1 + OLDEST) {
            if older > 0 && out.len() - began + 2 + frame.len() > most {
                return;
            }
            out[began + 2] = older as u8;
            out.extend_from_slice(&(frame.len().min(usize::from(u16::MAX)) as u16).to_be_bytes());
            out.extend_from_slice(frame);
        }
    }

    /// Takes a datagram apart; none where it is not one to the last byte.
    pub fn read(datagram: &Bytes) -> Option<Packet> {
        let head: &[u8; HEADER] = datagram.first_chunk()?;
        let [VERSION, size @ 0..=3, older, 0, ..] = *head else { return None };
        if usize::from(older) > OLDEST {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let half = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let report = Report { highest: word(12), before: half(16), received: half(18) };
        let mut packet = Packet { size, number: word(4), time: word(8), report, frames: Vec::new() };
        let mut at = HEADER;
        for _ in 0..=older {
            let length = datagram.get(at..at + 2)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let end = at + 2 + length;
            if end > datagram.len() {
                return None;
            }
            packet.frames.push(datagram.slice(at + 2..end));
            at = end;
        }
        (at == datagram.len()).then_some(packet)
    }
}

const VERSION: u8 = 1;
const HEADER: usize = 20;
/// Older frames in a datagram, at most.
const OLDEST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_back_and_stumps_do_not() {
        let frames = vec![Bytes::from_static(b"newest"), Bytes::from_static(b""), Bytes::from_static(b"old")];
        let report = Report { highest: 7, before: 5, received: 9 };
        let packet = Packet { size: 2, number: 100, time: 24_000, report, frames };
        let mut out = Vec::new();
        packet.write(1_200, &mut out);
        let whole = Bytes::from(out.clone());
        assert_eq!(Packet::read(&whole), Some(packet.clone()));
        (0..whole.len()).for_each(|end| assert_eq!(Packet::read(&whole.slice(..end)), None));
        out.clear();
        packet.write(30, &mut out);
        assert_eq!(Packet::read(&out.into()).map(|read| read.frames.len()), Some(2));
    }
}
