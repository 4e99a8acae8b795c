//! Writes the two tables that say what is in a stream (the standard's 2.4.4), each in one packet.

use super::packet::{Pid, SIZE, SYNC};
use crate::Codec;
use bytes::{BufMut, Bytes, BytesMut};

/// A stream as the program map announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: Pid,
    pub(super) codec: Codec,
    /// Of Opus only.
    pub(super) channels: u8,
}

/// The tables of one program.
#[derive(Debug, Default)]
pub(super) struct Tables {
    entries: Vec<Entry>,
    clock: Pid,
    version: u8,
    /// Counters of both tables' packets, which are as many.
    counter: u8,
}

impl Tables {
    /// Announces other streams from now on; `clock` is the one that carries the clock references.
    pub(super) fn announce(&mut self, entries: Vec<Entry>, clock: Pid) {
        (self.entries, self.clock) = (entries, clock);
        self.version = (self.version + 1) & 31;
    }

    /// Both tables, in two packets.
    pub(super) fn write(&mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(2 * SIZE);
        let association = [&PROGRAM.to_be_bytes()[..], &(0xe000 | MAP).to_be_bytes()].concat();
        self.packet(&mut out, ASSOCIATION, 0, STREAM, &association);
        let map = self.map();
        self.packet(&mut out, MAP, 2, PROGRAM, &map);
        self.counter = (self.counter + 1) & 15;
        out.freeze()
    }

    fn map(&self) -> Vec<u8> {
        let mut map = [&(0xe000 | self.clock).to_be_bytes()[..], &[0xf0, 0]].concat();
        for entry in &self.entries {
            let descriptors: &[u8] = match entry.codec {
                // registration "Opus", and how many channels (the DVB extension descriptor, tag 0x80)
                Codec::Opus => &[5, 4, b'O', b'p', b'u', b's', 0x7f, 2, 0x80, entry.channels],
                _ => &[],
            };
            map.push(kind(entry.codec).unwrap_or(PRIVATE));
            map.extend((0xe000 | entry.pid).to_be_bytes());
            map.extend([0xf0, descriptors.len() as u8]);
            map.extend(descriptors);
        }
        map
    }

    fn packet(&self, out: &mut BytesMut, pid: Pid, table: u8, number: u16, body: &[u8]) {
        let end = out.len() + SIZE;
        out.put_slice(&[SYNC, 0x40 | (pid >> 8) as u8, pid as u8, 0x10 | self.counter, 0]);
        let section = out.len();
        out.put_u8(table);
        // what is behind the length: five bytes, the body, the check
        out.put_u16(0xb000 | (body.len() + 9) as u16);
        out.put_u16(number);
        out.put_slice(&[0xc1 | self.version << 1, 0, 0]);
        out.put_slice(body);
        let check = crc(&out[section..]);
        out.put_u32(check);
        out.resize(end, 0xff);
    }
}

/// The stream type by which the map announces `codec`; `None` where none of ours does.
pub(super) fn kind(codec: Codec) -> Option<u8> {
    Some(match codec {
        Codec::Mp3 => 0x03,
        Codec::Aac => 0x0f,
        Codec::H264 => 0x1b,
        Codec::H265 => 0x24,
        Codec::Opus => PRIVATE,
        _ => return None,
    })
}

/// The check of a section (the standard's annex A).
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            let carry = crc >> 31 != 0;
            crc << 1 ^ if carry { 0x04c1_1db7 } else { 0 }
        })
    })
}

const ASSOCIATION: Pid = 0;
const MAP: Pid = 0x1000;
const STREAM: u16 = 1;
const PROGRAM: u16 = 1;
const PRIVATE: u8 = 0x06;
/// More streams would not fit into the one packet of the map, Opus's descriptors included.
pub(super) const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_that_of_the_standard() {
        // an association as ffmpeg writes it
        let section = [0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00, 0x01, 0xf0, 0x00];
        assert_eq!(crc(&section), 0x2ab1_04b2);
    }
}
