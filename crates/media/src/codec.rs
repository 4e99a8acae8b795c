//! What the headers of codecs say. Everything here is a total function of bytes: no panic, no state.

pub mod aac;
pub(crate) mod bits;
pub mod comments;
pub mod flac;
pub mod mpa;
pub mod opus;
pub mod skeleton;
pub mod speex;
pub mod theora;
pub mod vorbis;

/// The `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
