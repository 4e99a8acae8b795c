//! One timed coded unit of one track.

use crate::{Span, Timestamp, TrackId};
use bytes::Bytes;

/// An access unit or an audio packet, with when to decode it and when to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The track it belongs to.
    pub track: TrackId,
    /// When to decode it; never decreases within a track.
    pub dts: Timestamp,
    /// When to show or play it.
    pub pts: Timestamp,
    /// How long it lasts; zero where the container does not say.
    pub span: Span,
    /// Whether a decoder may begin here. True for every frame of most audio codecs.
    pub key: bool,
    /// The coded bytes, shared.
    pub data: Bytes,
}
