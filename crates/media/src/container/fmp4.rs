//! Fragmented MP4 (ISO 14496-12, CMAF): the initialization and the fragments that HLS is made of.
//!
//! A [`Segmenter`] takes items and gives an initialization, then fragments ("parts"), and says where a segment ends.
//! Titles travel as ID3 in event messages. The same items give the same bytes. Carried are H.264, H.265, AAC, Opus and MP3; other tracks are left out.

mod boxes;
mod entry;
mod event;
mod fragment;
mod init;
mod lane;
mod segmenter;
#[cfg(test)]
mod tests;

pub use segmenter::{Config, Output, Part, Segmenter};

use crate::Codec;

/// Whether fragments can carry `codec`.
pub fn carries(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::H265 | Codec::Aac | Codec::Opus | Codec::Mp3)
}
