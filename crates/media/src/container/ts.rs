//! MPEG transport streams (ISO 13818-1, here called the standard).

use crate::Codec;

mod adaptation;
mod cutter;
mod demux;
mod elementary;
mod frames;
mod lane;
mod mux;
mod opus;
mod packet;
mod pes;
mod picture;
mod program;
mod psi;
mod sound;
mod splice;
mod sync;
mod tables;

pub use cutter::Cutter;
pub use demux::Demux;
pub use mux::Mux;
pub use splice::Splice;

/// Whether [`Mux`] can carry `codec`.
pub fn carries(codec: Codec) -> bool {
    tables::kind(codec).is_some()
}

#[cfg(test)]
mod tests;
