//! A tag of Flash video, which is also a media message of RTMP: what its payload says, old and enhanced.
//!
//! "Old" is the FLV specification 10.1 of Adobe; "enhanced" is Enhanced RTMP v2 (revision 2 of January 2026) with
//! FourCC codecs, several tracks in one tag and size-prefixed extensions. [`packets`] reads both;
//! [`Reader`] turns tags into [`crate::Item`]s, [`Writer`] turns items into tags, and a [`View`] shows a tag to a
//! player that knows less than its publisher.

mod audio;
mod catch_up;
mod clock;
mod fourcc;
mod lineup;
mod metadata;
mod multitrack;
mod packet;
mod reader;
mod video;
mod view;
mod writer;

pub use catch_up::catch_up;
pub use clock::{Timeline, Unwrap};
pub use fourcc::FourCc;
pub use lineup::{Lineup, Placed};
pub use packet::{Packet, Packets, What, packets};
pub use reader::{MAX_SETUP, MAX_TRACKS, Reader, track_id};
pub use view::View;
pub use writer::Writer;

use bytes::Bytes;

/// What a tag carries; the values are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound.
    Audio = 8,
    /// Pictures.
    Video = 9,
    /// AMF0 values: `onMetaData`, cue points, text.
    Script = 18,
}

impl Kind {
    /// The kind that `id` names on the wire.
    pub fn from_wire(id: u8) -> Option<Kind> {
        match id {
            8 => Some(Kind::Audio),
            9 => Some(Kind::Video),
            18 => Some(Kind::Script),
            _ => None,
        }
    }
}

/// One tag: a file writes eleven bytes before it and four after it, RTMP makes it a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: Kind,
    /// Decoding time in milliseconds; wraps at 2^32 (see [`Unwrap`]).
    pub timestamp: u32,
    /// The payload with its audio or video header, shared.
    pub payload: Bytes,
}

impl Tag {
    /// Whether a decoder must have seen this tag before any frame: a sequence header of any track.
    pub fn is_setup(&self) -> bool {
        packets(self).any(|packet| packet.is_ok_and(|packet| packet.what == What::Setup))
    }

    /// Whether it carries a picture of the default track at which a decoder may begin.
    pub fn is_key_picture(&self) -> bool {
        self.kind == Kind::Video
            && packets(self).filter_map(Result::ok).any(|packet| match packet.what {
                What::Frame { key, .. } => key && packet.track == 0,
                _ => false,
            })
    }
}

/// Why a payload cannot be read as a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It ends within its header.
    #[error("a tag ends within its header")]
    Short,
    /// A packet type that the specification does not know.
    #[error("a tag has the unknown packet type {0}")]
    PacketType(u8),
    /// A multitrack type that the specification does not know, or one multitrack within another.
    #[error("a tag has the bad multitrack type {0}")]
    Multitrack(u8),
    /// More tracks than [`MAX_TRACKS`].
    #[error("more than {MAX_TRACKS} tracks in one stream")]
    Tracks,
    /// A decoder configuration larger than [`MAX_SETUP`].
    #[error("a decoder configuration of {0} bytes is too large")]
    Setup(usize),
}

#[cfg(test)]
mod tests;
