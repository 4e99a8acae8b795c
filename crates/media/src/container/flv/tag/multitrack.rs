//! The enhanced header that audio and video share: extensions, then one track or several.

use super::packet::{Cursor, Opened, Packet, What};
use super::{Error, FourCc};
use bytes::Bytes;

/// Packet types of the enhanced header that audio and video have in common.
pub(super) const SEQUENCE_START: u8 = 0;
pub(super) const CODED_FRAMES: u8 = 1;
pub(super) const SEQUENCE_END: u8 = 2;
pub(super) const MOD_EX: u8 = 7;

/// How to read the body of one track: audio and video differ only there.
pub(super) type Body = fn(Head, Cursor) -> Result<Packet, Error>;

/// What is known of a packet before its body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The low four bits of the first byte, after the extensions.
    pub packet_type: u8,
    /// The frame type of video; audio has none.
    pub frame_type: u8,
    pub nanos: u32,
    pub fourcc: FourCc,
    pub track: u8,
}

impl Head {
    /// The packet that this head leads to.
    pub fn packet(self, what: What, data: Bytes) -> Packet {
        let Head { nanos, fourcc, track, .. } = self;
        Packet { track, codec: fourcc.codec(), fourcc: Some(fourcc), what, nanos, data }
    }
}

/// The extensions before the packet type proper (`ModEx`); returns that type and the nanoseconds among them.
pub(super) fn extensions(first: u8, cursor: &mut Cursor) -> Result<(u8, u32), Error> {
    let (mut packet_type, mut nanos) = (first, 0);
    while packet_type == MOD_EX {
        let size = match u16::from(cursor.u8()?) + 1 {
            256 => usize::from(u16::from_be_bytes([cursor.u8()?, cursor.u8()?])) + 1,
            small => usize::from(small),
        };
        let mut data = Cursor(cursor.take(size)?);
        let next = cursor.u8()?;
        if next >> 4 == TIMESTAMP_OFFSET_NANO {
            nanos = data.u24()?;
        }
        packet_type = next & 15;
    }
    Ok((packet_type, nanos))
}

/// Reads what follows the extensions: a multitrack header if `multitrack` says that it is one, then bodies.
pub(super) fn open(mut cursor: Cursor, mut head: Head, multitrack: u8, body: Body) -> Result<Opened, Error> {
    if head.packet_type != multitrack {
        head.fourcc = cursor.fourcc()?;
        return body(head, cursor).map(Opened::One);
    }
    let byte = cursor.u8()?;
    let layout = Layout::from_wire(byte >> 4)?;
    head.packet_type = byte & 15;
    if head.packet_type == multitrack {
        return Err(Error::Multitrack(byte));
    }
    if layout != Layout::ManyCodecs {
        head.fourcc = cursor.fourcc()?;
    }
    Ok(Opened::Many(Tracks { cursor, head, layout, body }))
}

/// The tracks of one multitrack tag.
#[derive(Debug)]
pub(super) struct Tracks {
    cursor: Cursor,
    head: Head,
    layout: Layout,
    body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    One,
    Many,
    ManyCodecs,
}

impl Layout {
    fn from_wire(id: u8) -> Result<Layout, Error> {
        match id {
            0 => Ok(Layout::One),
            1 => Ok(Layout::Many),
            2 => Ok(Layout::ManyCodecs),
            _ => Err(Error::Multitrack(id)),
        }
    }
}

impl Tracks {
    pub fn next(&mut self) -> Option<Result<Packet, Error>> {
        (!self.cursor.0.is_empty()).then(|| self.track())
    }

    fn track(&mut self) -> Result<Packet, Error> {
        let mut head = self.head;
        if self.layout == Layout::ManyCodecs {
            head.fourcc = self.cursor.fourcc()?;
        }
        head.track = self.cursor.u8()?;
        let size = match self.layout {
            Layout::One => self.cursor.0.len(),
            Layout::Many | Layout::ManyCodecs => self.cursor.u24()? as usize,
        };
        (self.body)(head, Cursor(self.cursor.take(size)?))
    }
}

/// `VideoPacketModExType` and `AudioPacketModExType`.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
