//! Frames that follow one another without a container: MPEG audio and ADTS, what the two have in common.

use crate::TrackInfo;

mod cutter;
mod demux;
mod reader;
mod splice;

pub use cutter::Cutter;
pub use demux::Demux;
pub use splice::Splice;

/// The header that each frame begins with.
pub trait Header: Copy + Send + sealed::Sealed {
    /// How many bytes [`Header::parse`] looks at.
    const LEN: usize;
    /// Reads the header that `bytes` begin with.
    fn parse(bytes: &[u8]) -> Option<Self>;
    /// Bytes of the whole frame; `None` where only the next header tells.
    fn size(&self) -> Option<usize>;
    /// Bytes of it that are padding.
    fn padding(&self) -> usize;
    /// Whether both can be frames of one stream.
    fn same(&self, other: &Self) -> bool;
    /// Samples per channel.
    fn samples(&self) -> u32;
    /// Samples per second, never zero.
    fn rate(&self) -> u32;
    /// Whether the frame is an encoder's table and no sound.
    fn is_table(&self, frame: &[u8]) -> bool;
    /// How many bytes before the frame its sound begins.
    fn reservoir(&self, frame: &[u8]) -> usize;
    /// Bytes in front of what a decoder of frames wants.
    fn shell(&self) -> usize;
    /// The one track.
    fn track(&self) -> TrackInfo;
}

mod sealed {
    /// Only the two headers of this crate are headers.
    pub trait Sealed {}
    impl Sealed for crate::codec::mpa::Header {}
    impl Sealed for crate::codec::aac::Adts {}
}

#[cfg(test)]
mod tests;
