//! A number and a moment inside each picture, where every server leaves them alone.

use std::time::Duration;

/// What a picture tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How many pictures came before it.
    pub number: u32,
    /// When it was made, on the machine's monotonic clock.
    pub made: Duration,
}

impl Mark {
    /// The mark as a unit of H.264 with its length before it: supplemental information of an unregistered kind
    /// (ITU-T H.264, D.1.7), in hexadecimal digits so that nothing looks like a start code.
    pub fn write(self) -> Vec<u8> {
        let mut unit = (SIZE as u32).to_be_bytes().to_vec();
        unit.extend_from_slice(&[SEI, UNREGISTERED, PAYLOAD as u8]);
        unit.extend_from_slice(UUID);
        unit.extend_from_slice(format!("{:016x}{:08x}", self.made.as_nanos() as u64, self.number).as_bytes());
        unit.push(STOP);
        unit
    }

    /// The mark at the front of the picture in an old video tag; `None` where there is none.
    pub fn read(tag: &[u8]) -> Option<Mark> {
        let unit = tag.get(TAG..TAG + 4 + SIZE)?;
        let text = unit.strip_prefix(&(SIZE as u32).to_be_bytes()[..])?;
        let text = text.strip_prefix(&[SEI, UNREGISTERED, PAYLOAD as u8])?.strip_prefix(UUID)?;
        Mark::of(text)
    }

    /// The mark in a picture however its units are parted, behind what describes the picture; `None` where there is none.
    pub fn find(picture: &[u8]) -> Option<Mark> {
        let front = &picture[..picture.len().min(FRONT)];
        let at = front.windows(UUID.len()).position(|window| window == UUID)?;
        Mark::of(&picture[at + UUID.len()..])
    }

    fn of(text: &[u8]) -> Option<Mark> {
        let hex = |range: std::ops::Range<usize>| {
            u64::from_str_radix(std::str::from_utf8(text.get(range)?).ok()?, 16).ok()
        };
        Some(Mark { number: hex(16..24)? as u32, made: Duration::from_nanos(hex(0..16)?) })
    }
}

/// A unit of `size` bytes, length included, that decoders throw away (ITU-T H.264, 7.3.2.7); nothing for less than six.
pub fn filler(size: usize) -> Vec<u8> {
    let Some(ones) = size.checked_sub(6) else { return Vec::new() };
    let mut unit = ((ones + 2) as u32).to_be_bytes().to_vec();
    unit.push(FILLER);
    unit.resize(unit.len() + ones, 0xff);
    unit.push(STOP);
    unit
}

const UUID: &[u8; 16] = b"levada-bench-sei";
const SEI: u8 = 6;
const FILLER: u8 = 12;
const UNREGISTERED: u8 = 5;
const STOP: u8 = 0x80;
/// The letters, 16 digits of time, eight of the number.
const PAYLOAD: usize = 16 + 16 + 8;
const SIZE: usize = 3 + PAYLOAD + 1;
/// Where pictures begin in an old tag.
const TAG: usize = 5;
/// Parameter sets before the mark are shorter.
const FRONT: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_where_it_was_written() {
        let mark = Mark { number: 77, made: Duration::from_nanos(123_456_789_012) };
        let tag = [&b"\x17\x01\0\0\0"[..], &mark.write(), b"rest"].concat();
        assert_eq!(Mark::read(&tag), Some(mark));
        assert_eq!(Mark::read(&tag[..50]), None);
        assert_eq!(
            (Mark::find(&tag[2..]), Mark::find(&tag[..50]), Mark::find(b"")),
            (Some(mark), None, None)
        );
        assert_eq!(Mark::read(&tag[1..]), None);
    }

    #[test]
    fn filler_has_the_size_that_was_asked() {
        assert_eq!((filler(100).len(), filler(6).len(), filler(5).len()), (100, 6, 0));
    }
}
