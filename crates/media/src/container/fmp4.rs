//! Fragmented MP4 (ISO 14496-12, CMAF): the initialization and the fragments that HLS is made of.
//!
//! A [`Segmenter`] takes items and gives an initialization, then fragments ("parts"), and says where a segment ends.
//! Titles travel as ID3 in event messages. The same items give the same bytes. Carried are H.264, H.265, AAC, Opus and MP3;
//! other tracks are left out. A [`Demux`] opens what others made.
//!
//! The boxes are written and read here rather than by `mp4-atom`, which is the oracle in tests: its reader follows boxes
//! inside boxes without end, so that eight kilobytes of them overflow the stack, and its writer wants each fragment's
//! samples as a list of its own and the offsets of their data known beforehand.

mod boxes;
mod demux;
mod described;
mod entry;
mod event;
mod fragment;
mod init;
mod lane;
mod read;
mod segmenter;
#[cfg(test)]
mod tests;

pub use demux::{Demux, MOST_DATA, MOST_FRAMES};
pub use segmenter::{Config, Output, Part, Segmenter};

use crate::Codec;

/// Whether fragments can carry `codec`.
pub fn carries(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::H265 | Codec::Aac | Codec::Opus | Codec::Mp3)
}
