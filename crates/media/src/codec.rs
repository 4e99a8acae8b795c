//! What the headers of codecs say. Everything here is a total function of bytes: no panic, no state.

pub mod aac;
pub mod av1;
pub(crate) mod bits;
pub mod comments;
pub mod flac;
pub mod h264;
pub mod h265;
pub mod mpa;
pub mod nal;
pub mod opus;
pub mod skeleton;
pub mod speex;
pub mod theora;
pub mod vorbis;
pub mod vp8;
pub mod vp9;

/// The `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Pictures that a decoder holds back at most (H.264 A.3.1, H.265 A.4.2).
pub(crate) const MOST_REORDERED: usize = 16;
