//! Sections that name the programs and their streams (the standard's 2.4.4).

use super::packet::{Packet, Pid};
use crate::Codec;
use bytes::BytesMut;

/// Gathers the packets of one stream of sections, at most [`LARGEST`] bytes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Gather {
    section: BytesMut,
    packets: BytesMut,
}

impl Gather {
    /// Takes the next packet; the section and the packets that it came in, once it is whole.
    pub(super) fn take(&mut self, packet: &Packet) -> Option<(BytesMut, BytesMut)> {
        let mut payload = packet.payload();
        if packet.start {
            let pointer = usize::from(*payload.first()?);
            payload = payload.get(1 + pointer..)?;
            self.section.clear();
            self.packets.clear();
        } else if self.packets.is_empty() {
            return None;
        }
        if self.section.len() > LARGEST {
            return None;
        }
        self.section.extend_from_slice(payload);
        self.packets.extend_from_slice(&packet.bytes);
        let [high, low] = [*self.section.get(1)?, *self.section.get(2)?];
        let size = 3 + (usize::from(high & 0x0f) << 8 | usize::from(low));
        if self.section.len() < size {
            return None;
        }
        self.section.truncate(size);
        Some((std::mem::take(&mut self.section), std::mem::take(&mut self.packets)))
    }
}

/// Number and PID of the table of each program, from a program association section; `None` for another table.
pub(super) fn programs(section: &[u8]) -> Option<Vec<(u16, Pid)>> {
    let entries = body(section, 0, 8)?.chunks_exact(4);
    let entries = entries.map(|entry| (u16::from_be_bytes([entry[0], entry[1]]), pid(entry[2], entry[3])));
    Some(entries.filter(|entry| entry.0 != 0).take(MOST).collect())
}

/// One stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) pid: Pid,
    pub(super) kind: StreamKind,
}

/// How a stream is coded, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamKind {
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// MPEG 1 or 2 video, which a sequence header begins.
    Mpeg,
    /// Another kind of pictures, which tells its key frames only by the random access indicator.
    Pictures,
    /// AAC in ADTS.
    Adts,
    /// MPEG audio.
    Mpa,
    /// Opus with control headers, of so many channels.
    Opus(u8),
    /// Another kind of sound.
    Sound,
    /// Neither.
    Data,
}

impl StreamKind {
    pub(super) fn is_video(self) -> bool {
        use StreamKind::*;
        matches!(self, H264 | H265 | Mpeg | Pictures)
    }

    pub(super) fn is_audio(self) -> bool {
        use StreamKind::*;
        matches!(self, Adts | Mpa | Opus(_) | Sound)
    }

    /// The name that everybody else has for it.
    pub(super) fn codec(self) -> Codec {
        match self {
            StreamKind::H264 => Codec::H264,
            StreamKind::H265 => Codec::H265,
            StreamKind::Adts => Codec::Aac,
            StreamKind::Mpa => Codec::Mp3,
            StreamKind::Opus(_) => Codec::Opus,
            StreamKind::Data => Codec::Data,
            _ => Codec::Unknown,
        }
    }

    /// By stream type (the standard's table 2-34 and its amendments); the private ones by their descriptors.
    fn of(kind: u8, descriptors: &[u8]) -> StreamKind {
        match kind {
            0x01 | 0x02 => StreamKind::Mpeg,
            0x03 | 0x04 => StreamKind::Mpa,
            0x0f => StreamKind::Adts,
            0x1b => StreamKind::H264,
            0x24 => StreamKind::H265,
            0x10 | 0x20 | 0x21 | 0x33 | 0xd1 | 0xea => StreamKind::Pictures,
            0x11 | 0x1c | 0x80..=0x87 => StreamKind::Sound,
            0x06 => private(descriptors),
            _ => StreamKind::Data,
        }
    }
}

/// The streams of a program, from its map section; `None` for another table.
pub(super) fn streams(section: &[u8]) -> Option<Vec<Stream>> {
    let rest = body(section, 2, 10)?;
    let about = usize::from(rest.first()? & 0x0f) << 8 | usize::from(*rest.get(1)?);
    let mut rest = rest.get(2 + about..)?;
    let mut found = Vec::new();
    while let (Some(&[kind, a, b, c, d]), true) = (rest.first_chunk(), found.len() < MOST) {
        let about = usize::from(c & 0x0f) << 8 | usize::from(d);
        let descriptors = rest.get(5..5 + about)?;
        found.push(Stream { pid: pid(a, b), kind: StreamKind::of(kind, descriptors) });
        rest = &rest[5 + about..];
    }
    Some(found)
}

/// Bytes of a section of `table` from `begin` up to its check; `None` where it is not yet in force.
fn body(section: &[u8], table: u8, begin: usize) -> Option<&[u8]> {
    let current = section.get(5)? & 1 != 0;
    (section[0] == table && current).then(|| section.get(begin..section.len().checked_sub(4)?))?
}

/// What a private stream is: registration and component descriptors are what broadcasters use for Dolby and Opus.
fn private(mut descriptors: &[u8]) -> StreamKind {
    let (mut opus, mut channels) = (false, 2);
    while let &[tag, size, ref rest @ ..] = descriptors {
        let Some(data) = rest.get(..usize::from(size)) else { break };
        match (tag, data) {
            (0x05, b"Opus") => opus = true,
            (0x7f, [0x80, count @ 1..=8, ..]) => channels = *count,
            (0x6a | 0x7a..=0x7c, _) | (0x05, b"AC-3" | b"EAC3") => return StreamKind::Sound,
            _ => {}
        }
        descriptors = &rest[data.len()..];
    }
    if opus { StreamKind::Opus(channels) } else { StreamKind::Data }
}

fn pid(high: u8, low: u8) -> Pid {
    Pid::from(high & 0x1f) << 8 | Pid::from(low)
}

/// A section's largest size (the standard's 2.4.4.1).
const LARGEST: usize = 1024 + 3;
/// Programs of a stream and streams of a program that we look at.
const MOST: usize = 64;
