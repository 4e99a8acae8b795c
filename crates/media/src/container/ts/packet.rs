//! A transport packet: 188 bytes of one of many streams (the standard's 2.4.3.2).

use super::adaptation::Adaptation;
use bytes::Bytes;

/// Bytes of a packet.
pub(super) const SIZE: usize = 188;
/// The first byte of each.
pub(super) const SYNC: u8 = 0x47;

/// Names one of the streams, 13 bits.
pub(super) type Pid = u16;

/// What the four bytes of a packet's header say.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) bytes: Bytes,
    pub(super) pid: Pid,
    /// A PES packet or a section begins in it.
    pub(super) start: bool,
    /// Counts the packets with payload of one stream, 4 bits.
    pub(super) counter: u8,
    pub(super) adaptation: Adaptation,
    /// Where the payload begins; [`SIZE`] where there is none.
    pub(super) payload: usize,
    /// Its payload cannot be read: damaged on its way, or scrambled.
    pub(super) closed: bool,
}

impl Packet {
    /// Reads a packet of [`SIZE`] bytes.
    pub(super) fn parse(bytes: Bytes) -> Option<Packet> {
        let [_, b, c, d] = *bytes.first_chunk()?;
        let adaptation =
            if d & 0x20 != 0 { Adaptation::parse(bytes.get(4..)?) } else { Adaptation::default() };
        let payload = if d & 0x10 != 0 { (4 + adaptation.len).min(SIZE) } else { SIZE };
        Some(Packet {
            pid: Pid::from(b & 0x1f) << 8 | Pid::from(c),
            start: b & 0x40 != 0,
            counter: d & 0x0f,
            closed: b & 0x80 != 0 || d & 0xc0 != 0,
            adaptation,
            payload,
            bytes,
        })
    }

    /// What it carries for its stream.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload..).unwrap_or_default()
    }
}
