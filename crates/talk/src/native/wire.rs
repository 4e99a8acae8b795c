//! What is in a sealed datagram of a native call.
//!
//! Its head (see [`secure`](crate::secure)): flag 1 says that a report comes first, flag 2 that the other end hangs up; the kind is the
//! [`Rendition`]; the counts are the new frames less one (high four bits) and the older ones that are repeated (low four bits); the time is
//! that of the newest frame, in frames of sound, modulo 2^32. The body, the newest frame first, each as old as its place says:
//!
//! ```text
//! report, if any: highest number received 2 | datagrams received 2 | queue in 0.1 ms 2 | held in ms 1 | spread in 4 ms 1
//! each frame but the last: its length 1, or 2 where the first bit is set | bytes; the last takes what is left
//! ```

use levada_codec::packet::Codec;

/// What is said about the other direction, eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The highest number that was received, modulo 2^16.
    pub highest: u16,
    /// Datagrams received so far, modulo 2^16.
    pub received: u16,
    /// How much later than at best even the earliest of the last datagrams came, in tenths of a millisecond: what a queue does.
    pub queue: u16,
    /// Milliseconds from that datagram's arrival to this report.
    pub held: u8,
    /// How much later than at best one in twenty datagrams comes, in steps of 4 ms: what jitter does.
    pub spread: u8,
}

/// How sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// By what.
    pub codec: Codec,
    /// Frames of a block: 1024, 960, 480, 240 or 120.
    pub frames: u16,
    /// Frames a second: 44,100 or 48,000.
    pub rate: u32,
}

/// A body, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    /// What the sender received, where it says so.
    pub report: Option<Report>,
    /// Frames, the newest first.
    pub frames: Vec<&'a [u8]>,
}

impl Rendition {
    /// As it is in a datagram, if it is one that can be told.
    pub fn code(self) -> Option<u8> {
        let codec = Codec::ALL.iter().position(|codec| *codec == self.codec)?;
        let frames = SIZES.iter().position(|frames| *frames == self.frames)?;
        let rate = RATES.iter().position(|rate| *rate == self.rate)?;
        self.codec.has(usize::from(self.frames)).then_some((codec | frames << 3 | rate << 6) as u8)
    }

    /// The rendition of a code, if it is one.
    pub fn of(code: u8) -> Option<Rendition> {
        let code = usize::from(code);
        let codec = *Codec::ALL.get(code & 7)?;
        let (frames, rate) = (*SIZES.get(code >> 3 & 7)?, *RATES.get(code >> 6)?);
        codec.has(usize::from(frames)).then_some(Rendition { codec, frames, rate })
    }

    /// Seconds of a block.
    pub fn period(self) -> f64 {
        f64::from(self.frames) / f64::from(self.rate)
    }
}

impl Report {
    /// Bytes.
    pub const LENGTH: usize = 8;

    fn write(self, out: &mut Vec<u8>) {
        for half in [self.highest, self.received, self.queue] {
            out.extend_from_slice(&half.to_be_bytes());
        }
        out.extend_from_slice(&[self.held, self.spread]);
    }

    fn read(bytes: &[u8; Report::LENGTH]) -> Report {
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Report { highest: half(0), received: half(2), queue: half(4), held: bytes[6], spread: bytes[7] }
    }
}

impl<'a> Body<'a> {
    /// Appends the body to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(report) = self.report {
            report.write(out);
        }
        let last = self.frames.len().saturating_sub(1);
        for (n, frame) in self.frames.iter().enumerate() {
            if n < last {
                let length = frame.len().min(LONGEST);
                if length >= 128 {
                    out.push(128 | (length >> 8) as u8);
                }
                out.push(length as u8);
            }
            out.extend_from_slice(&frame[..frame.len().min(LONGEST)]);
        }
    }

    /// Takes a body of so many frames apart; none where it is not one.
    pub fn read(body: &'a [u8], has_report: bool, frames: usize) -> Option<Body<'a>> {
        let (report, mut rest) = match has_report {
            true => body.split_first_chunk().map(|(report, rest)| (Some(Report::read(report)), rest))?,
            false => (None, body),
        };
        let mut found = Vec::with_capacity(frames.min(MOST));
        for n in 0..frames.min(MOST) {
            let length = if n + 1 == frames.min(MOST) {
                rest.len()
            } else {
                let (first, after) = rest.split_first()?;
                rest = after;
                match first {
                    0..128 => usize::from(*first),
                    _ => {
                        let (second, after) = rest.split_first()?;
                        rest = after;
                        let length = usize::from(first & 127) << 8 | usize::from(*second);
                        if length < 128 {
                            return None; // there is one way to write it
                        }
                        length
                    }
                }
            };
            found.push(rest.get(..length)?);
            rest = &rest[length..];
        }
        Some(Body { report, frames: found })
    }
}

/// A report comes first.
pub const REPORT: u8 = 1;
/// The other end hangs up; there are no frames.
pub const BYE: u8 = 2;
/// New frames of a datagram, and older ones.
pub const MOST: usize = 16;
/// The longest frame.
const LONGEST: usize = (1 << 15) - 1;
const SIZES: [u16; 5] = [1_024, 960, 480, 240, 120];
const RATES: [u32; 2] = [44_100, 48_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back_and_stumps_do_not() {
        let long = [7; 300];
        let report = Report { highest: 7, received: 9, queue: 5, held: 3, spread: 1 };
        for report in [None, Some(report)] {
            let body = Body { report, frames: vec![b"newest", b"", &long, b"old"] };
            let mut out = Vec::new();
            body.write(&mut out);
            assert_eq!(Body::read(&out, report.is_some(), 4), Some(body));
            let frames = out.len() - 3;
            (0..frames)
                .for_each(|end| assert_eq!(Body::read(&out[..end], report.is_some(), 4), None, "{end}"));
        }
    }

    #[test]
    fn every_rendition_has_one_code() {
        let all: Vec<Rendition> = (0..=255).filter_map(Rendition::of).collect();
        assert!(all.len() > 30, "{}", all.len());
        (0..=255).for_each(|code| {
            assert!(Rendition::of(code).is_none_or(|rendition| rendition.code() == Some(code)));
        });
    }
}
