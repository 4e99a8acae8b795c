//! Classic pcap: one interface, times, bytes.

use crate::{LinkType, Packet};
use std::io::{self, Write};

/// Writes a classic capture of one interface; each packet is one `write_all`.
///
/// What pcap has no place for (ids, verdicts, comments) is left out.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    record: Vec<u8>,
    precision: Precision,
    snaplen: u32,
}

/// What the fractions of seconds are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Magic `a1b2c3d4`: what everything reads.
    Micro,
    /// Magic `a1b23c4d`: libpcap 1.5 and Wireshark read it.
    Nano,
}

impl<W: Write> Writer<W> {
    /// Begins a capture that keeps at most `snaplen` bytes of each packet; 0 keeps them whole.
    pub fn new(mut out: W, link: LinkType, precision: Precision, snaplen: u32) -> io::Result<Writer<W>> {
        let snaplen = if snaplen == 0 { LONGEST_PACKET } else { snaplen.min(LONGEST_PACKET) };
        let magic: u32 = match precision {
            Precision::Micro => MICRO,
            Precision::Nano => NANO,
        };
        let mut head = Vec::with_capacity(24);
        head.extend_from_slice(&magic.to_le_bytes());
        head.extend_from_slice(&[2, 0, 4, 0]); // version 2.4
        head.extend_from_slice(&[0; 8]); // time zone and accuracy: always 0
        head.extend_from_slice(&snaplen.to_le_bytes());
        head.extend_from_slice(&u32::from(link.0).to_le_bytes());
        out.write_all(&head)?;
        Ok(Writer { out, record: Vec::with_capacity(2048), precision, snaplen })
    }

    /// Writes one packet, whatever its interface.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let bytes = &packet.bytes[..packet.bytes.len().min(self.snaplen as usize)];
        let seconds = u32::try_from(packet.at.as_secs()).unwrap_or(u32::MAX);
        let fraction = match self.precision {
            Precision::Micro => packet.at.subsec_micros(),
            Precision::Nano => packet.at.subsec_nanos(),
        };
        self.record.clear();
        for word in [seconds, fraction, bytes.len() as u32, packet.length.max(bytes.len() as u32)] {
            self.record.extend_from_slice(&word.to_le_bytes());
        }
        self.record.extend_from_slice(bytes);
        self.out.write_all(&self.record)
    }

    /// Passes a buffer's contents on.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the writing; a capture needs no last word.
    pub fn into_inner(self) -> W {
        self.out
    }
}

pub(crate) const MICRO: u32 = 0xa1b2_c3d4;
pub(crate) const NANO: u32 = 0xa1b2_3c4d;
/// tcpdump's own bound.
pub(crate) const LONGEST_PACKET: u32 = 262_144;
