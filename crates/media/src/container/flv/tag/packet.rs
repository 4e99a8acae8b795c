//! One coded unit within a tag, whatever header it came with.

use super::{Error, FourCc, Kind, Tag, audio, multitrack::Tracks, video};
use crate::Codec;
use bytes::Bytes;

/// A unit of one track as a tag carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which track of its kind; 0 is the default, and the only one of old tags.
    pub track: u8,
    /// How it is coded.
    pub codec: Codec,
    /// The codec's letters, also for old tags whose number has an enhanced name.
    pub fourcc: Option<FourCc>,
    /// What it is.
    pub what: What,
    /// Nanoseconds to add to the presentation time (below a millisecond; `ModEx` of the enhanced header).
    pub nanos: u32,
    /// The bytes of the codec, shared with the tag.
    pub data: Bytes,
}

/// What a packet is for a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// What the decoder must know first: avcC, hvcC, av1C, vpcC, AudioSpecificConfig, OpusHead, FLAC's blocks.
    Setup,
    /// A frame.
    Frame {
        /// Whether a decoder may begin here.
        key: bool,
        /// Presentation minus decoding time, milliseconds, 24 bits signed.
        composition: i32,
    },
    /// The sequence ends; a new setup follows before the next frame.
    End,
    /// AMF0 about the pictures that follow (HDR colours), or the channel order of the sound.
    Metadata,
    /// A command to the decoder without data (seek bounds).
    Command(u8),
}

/// Reads the payload of an audio or video tag; a script tag has no packets.
pub fn packets(tag: &Tag) -> Packets {
    let first = match tag.kind {
        Kind::Video => video::open(tag.payload.clone()),
        Kind::Audio => audio::open(tag.payload.clone()),
        Kind::Script => return Packets(State::Done),
    };
    Packets(match first {
        Ok(Opened::One(packet)) => State::One(packet),
        Ok(Opened::Many(tracks)) => State::Many(tracks),
        Ok(Opened::Nothing) => State::Done,
        Err(error) => State::Bad(error),
    })
}

/// The packets of a tag, one after the other; after an error comes nothing.
#[derive(Debug)]
pub struct Packets(State);

#[derive(Debug)]
enum State {
    One(Packet),
    Many(Tracks),
    Bad(Error),
    Done,
}

/// What a tag's header led to.
#[derive(Debug)]
pub(super) enum Opened {
    One(Packet),
    Many(Tracks),
    Nothing,
}

impl Iterator for Packets {
    type Item = Result<Packet, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.0, State::Done) {
            State::One(packet) => Some(Ok(packet)),
            State::Bad(error) => Some(Err(error)),
            State::Done => None,
            State::Many(mut tracks) => {
                let packet = tracks.next()?;
                if packet.is_ok() {
                    self.0 = State::Many(tracks);
                }
                Some(packet)
            }
        }
    }
}

/// Takes bytes from the front of a payload; running out of them is [`Error::Short`].
#[derive(Debug)]
pub(super) struct Cursor(pub Bytes);

impl Cursor {
    pub fn take(&mut self, size: usize) -> Result<Bytes, Error> {
        if size > self.0.len() {
            return Err(Error::Short);
        }
        Ok(self.0.split_to(size))
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    pub fn u24(&mut self) -> Result<u32, Error> {
        let bytes = self.take(3)?;
        Ok(u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]))
    }

    /// A signed number of 24 bits.
    pub fn i24(&mut self) -> Result<i32, Error> {
        Ok((self.u24()? << 8) as i32 >> 8)
    }

    pub fn fourcc(&mut self) -> Result<FourCc, Error> {
        let bytes = self.take(4)?;
        Ok(FourCc([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}
