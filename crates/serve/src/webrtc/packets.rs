//! Frames cut into the payloads of RTP packets, once for all who watch.

use bytes::{BufMut, Bytes};
use levada_media::{Codec, codec::h264};
use std::sync::Arc;

/// One packet's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Shared by all viewers.
    pub(super) payload: Arc<[u8]>,
    /// Whether it ends its picture.
    pub(super) marker: bool,
}

/// Cuts the frames of one track.
#[derive(Clone, Debug)]
pub(super) enum Packetizer {
    /// RFC 6184: units whole or in fragments, never several in one, and parameter sets before each key picture.
    H264 {
        /// Bytes of a unit's length.
        prefix: usize,
        /// Parameter sets, from the track's setup.
        sets: Vec<Bytes>,
    },
    /// RFC 7741, with the shortest descriptor.
    Vp8,
    /// RFC 9628, likewise.
    Vp9,
    /// The AV1 RTP specification of the Alliance for Open Media.
    Av1,
    /// RFC 7587.
    Opus,
}

impl Packetizer {
    /// For a track in `codec` that begins with `setup`; `None` where WebRTC has no such.
    pub(super) fn new(codec: Codec, setup: &[u8]) -> Option<Packetizer> {
        Some(match codec {
            Codec::H264 => {
                let (prefix, sets) = h264::sets(setup)?;
                let sets = sets.into_iter().filter(|set| !set.is_empty()).map(Bytes::copy_from_slice);
                Packetizer::H264 { prefix, sets: sets.collect() }
            }
            Codec::Vp8 => Packetizer::Vp8,
            Codec::Vp9 => Packetizer::Vp9,
            Codec::Av1 => Packetizer::Av1,
            Codec::Opus => Packetizer::Opus,
            _ => return None,
        })
    }

    /// The packets of a frame; none where nothing of it can be sent.
    pub(super) fn cut(&self, frame: &[u8], key: bool) -> Vec<Packet> {
        let payloads = match self {
            Packetizer::H264 { prefix, sets } => h264_payloads(frame, *prefix, sets, key),
            Packetizer::Vp8 => pieces(frame, |first, _| if first { 0x10 } else { 0 }),
            Packetizer::Vp9 => {
                let inter = if key { 0 } else { 0x40 };
                pieces(frame, |first, last| inter | if first { 8 } else { 0 } | if last { 4 } else { 0 })
            }
            Packetizer::Av1 => av1_payloads(frame, key),
            Packetizer::Opus => {
                if frame.is_empty() || frame.len() > LONGEST_SOUND {
                    return Vec::new();
                }
                return vec![Packet { payload: frame.into(), marker: false }];
            }
        };
        let count = payloads.len();
        let packet =
            |(at, payload): (usize, Vec<u8>)| Packet { payload: payload.into(), marker: at + 1 == count };
        payloads.into_iter().enumerate().map(packet).collect()
    }
}

/// Pieces of a frame, each behind one byte that says whether it is the first and the last.
fn pieces(frame: &[u8], descriptor: impl Fn(bool, bool) -> u8) -> Vec<Vec<u8>> {
    let count = frame.len().div_ceil(ROOM - 1);
    let piece = |(at, piece): (usize, &[u8])| [&[descriptor(at == 0, at + 1 == count)], piece].concat();
    frame.chunks(ROOM - 1).enumerate().map(piece).collect()
}

fn h264_payloads(frame: &[u8], prefix: usize, sets: &[Bytes], key: bool) -> Vec<Vec<u8>> {
    let units: Vec<&[u8]> = units(frame, prefix).filter(|unit| is_sent(unit)).collect();
    let brings_sets = units.iter().any(|unit| h264::kind(unit) == h264::SPS);
    let missing = sets.iter().map(|set| &set[..]).filter(|_| key && !brings_sets);
    missing.chain(units.iter().copied()).flat_map(fragments).collect()
}

/// The units of a frame, each behind its length.
fn units(frame: &[u8], prefix: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_at_checked(prefix)?;
        let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        let (unit, behind) = behind.split_at_checked(length)?;
        rest = behind;
        Some(unit)
    })
}

/// Delimiters, ends and fillings say nothing in RTP.
fn is_sent(unit: &[u8]) -> bool {
    !matches!(h264::kind(unit), 0 | h264::AUD..=12)
}

/// A unit as it is, or in fragments (RFC 6184 §5.8).
fn fragments(unit: &[u8]) -> Vec<Vec<u8>> {
    if unit.len() <= ROOM {
        return vec![unit.to_vec()];
    }
    let (head, body) = (unit[0], &unit[1..]);
    let count = body.len().div_ceil(ROOM - 2);
    let fragment = |(at, piece): (usize, &[u8])| {
        let edge = if at == 0 {
            0x80
        } else if at + 1 == count {
            0x40
        } else {
            0
        };
        [&[head & 0xe0 | 28, edge | head & 0x1f], piece].concat()
    };
    body.chunks(ROOM - 2).enumerate().map(fragment).collect()
}

/// Units of AV1 without their sizes, each behind its length, over as many packets as it takes.
fn av1_payloads(frame: &[u8], key: bool) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    for unit in av1_units(frame) {
        let mut rest = &unit[..];
        let mut continues = false;
        while !rest.is_empty() {
            let room = out.last().map_or(0, |packet| ROOM.saturating_sub(packet.len() + 2));
            if room < SCRAP || continues {
                // the header's first bit: it goes on with the unit that the packet before has begun
                out.push(vec![if continues { 0x80 } else { 0 }]);
            }
            let Some(packet) = out.last_mut() else { break };
            let (piece, behind) = rest.split_at(rest.len().min(ROOM - packet.len() - 2));
            put_leb128(packet, piece.len());
            packet.put_slice(piece);
            rest = behind;
            continues = !rest.is_empty();
            if continues {
                packet[0] |= 0x40; // the last unit goes on in the next packet
            }
        }
    }
    if let Some(first) = out.first_mut().filter(|_| key) {
        first[0] |= 0x08; // a coded sequence begins
    }
    out
}

/// The open bitstream units of a temporal unit without their size fields; delimiters and fillings are not sent.
fn av1_units(frame: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    let mut rest = frame;
    while let Some(&head) = rest.first() {
        let extension = usize::from(head >> 2 & 1);
        let Some(behind) = rest.get(1 + extension..) else { break };
        let (size, body) = match head >> 1 & 1 {
            0 => (behind.len(), behind),
            _ => match leb128(behind) {
                Some(read) => read,
                None => break,
            },
        };
        let Some((body, next)) = body.split_at_checked(size) else { break };
        if !matches!(head >> 3 & 15, 2 | 8 | 15) {
            units.push([&[head & !2], &rest[1..1 + extension], body].concat());
        }
        rest = next;
    }
    units
}

/// A number of seven bits a byte, the lowest first, and what is behind it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn put_leb128(out: &mut Vec<u8>, value: usize) {
    // no packet is longer than two such bytes can say
    if value < 0x80 {
        out.push(value as u8);
    } else {
        out.extend([value as u8 & 0x7f | 0x80, (value >> 7) as u8]);
    }
}

/// Bytes of a payload: with the headers of SRTP, UDP and IP it fits the 1,280 bytes that every IPv6 network carries.
const ROOM: usize = 1_160;
/// Less room than this in a packet is not used.
const SCRAP: usize = 32;
/// Larger packets of sound do not fit one datagram.
const LONGEST_SOUND: usize = 1_200;

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(packetizer: &Packetizer, frame: &[u8], key: bool) -> Vec<Vec<u8>> {
        let packets = packetizer.cut(frame, key);
        assert!(packets.iter().all(|packet| packet.payload.len() <= ROOM));
        let marked: Vec<usize> =
            packets.iter().enumerate().filter(|(_, packet)| packet.marker).map(|(at, _)| at).collect();
        assert!(marked == [packets.len() - 1], "the last one ends the picture");
        packets.iter().map(|packet| packet.payload.to_vec()).collect()
    }

    fn unit(kind: u8, length: usize) -> Vec<u8> {
        let mut unit = vec![0x60 | kind];
        unit.extend((1..length).map(|n| n as u8));
        unit
    }

    fn frame(units: &[Vec<u8>]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
    }

    #[test]
    fn h264_comes_in_units_and_fragments_after_its_parameter_sets() {
        let avcc = [&[1, 66, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 7, 1, 0, 2, 0x68, 8][..]].concat();
        let packetizer = Packetizer::new(Codec::H264, &avcc).unwrap();
        let (picture, delimiter) = (unit(5, 3_000), unit(9, 2));
        let cut = payloads(&packetizer, &frame(&[delimiter.clone(), picture.clone()]), true);
        assert_eq!(cut[..2], [vec![0x67, 7], vec![0x68, 8]]);
        let whole: Vec<u8> = cut[2..].iter().flat_map(|payload| payload[2..].to_vec()).collect();
        assert_eq!([&[cut[2][0] & 0xe0 | cut[2][1] & 0x1f], &whole[..]].concat(), picture);
        assert_eq!((cut[2][1] >> 6, cut[3][1] >> 6, cut[4][1] >> 6), (2, 0, 1));
        let later = unit(1, 20);
        assert_eq!(payloads(&packetizer, &frame(&[delimiter, later.clone()]), false), [later]);
        assert!(packetizer.cut(&[0, 0, 1], true).len() == 2, "a frame that is torn has no units");
        assert!(Packetizer::new(Codec::H264, &[]).is_none());
    }

    #[test]
    fn vp8_and_vp9_say_where_a_frame_begins_and_ends() {
        let frame = vec![7; 2_500];
        let vp8 = payloads(&Packetizer::Vp8, &frame, false);
        assert_eq!(vp8.iter().map(|payload| payload[0]).collect::<Vec<_>>(), [0x10, 0, 0]);
        let vp9 = payloads(&Packetizer::Vp9, &frame, false);
        assert_eq!(vp9.iter().map(|payload| payload[0]).collect::<Vec<_>>(), [0x48, 0x40, 0x44]);
        assert_eq!(payloads(&Packetizer::Vp9, &[1], true), [[0x0c, 1]]);
    }

    #[test]
    fn av1_comes_in_units_without_sizes() {
        let obu = |kind: u8, length: usize| {
            let mut out = vec![kind << 3 | 2];
            put_leb128(&mut out, length);
            out.extend((0..length).map(|n| n as u8));
            out
        };
        let frame = [obu(2, 0), obu(1, 10), obu(6, 3_000)].concat();
        let cut = payloads(&Packetizer::Av1, &frame, true);
        assert_eq!(cut.iter().map(|payload| payload[0]).collect::<Vec<_>>(), [0x48, 0xc0, 0x80]);
        let mut elements: Vec<Vec<u8>> = Vec::new();
        for payload in &cut {
            let mut rest = &payload[1..];
            let mut continues = payload[0] & 0x80 != 0;
            while !rest.is_empty() {
                let (length, behind) = leb128(rest).unwrap();
                match elements.last_mut().filter(|_| continues) {
                    Some(last) => last.extend(&behind[..length]),
                    None => elements.push(behind[..length].to_vec()),
                }
                (rest, continues) = (&behind[length..], false);
            }
        }
        assert_eq!(elements.iter().map(Vec::len).collect::<Vec<_>>(), [11, 3_001]);
        assert_eq!((elements[0][0], elements[1][0]), (1 << 3, 6 << 3));
        assert!(Packetizer::Av1.cut(&[0xff; 3], true).len() < 2);
    }

    #[test]
    fn sound_is_not_cut() {
        assert_eq!(Packetizer::Opus.cut(&[1, 2], true).len(), 1);
        assert!(Packetizer::Opus.cut(&[], true).is_empty());
        assert!(Packetizer::Opus.cut(&[0; 2_000], true).is_empty());
    }
}
