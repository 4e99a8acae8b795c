//! MPEG transport streams (ISO 13818-1, here called the standard).

mod adaptation;
mod cutter;
mod demux;
mod elementary;
mod frames;
mod packet;
mod pes;
mod picture;
mod program;
mod psi;
mod sound;
mod splice;
mod sync;

pub use cutter::Cutter;
pub use demux::Demux;
pub use splice::Splice;

#[cfg(test)]
mod tests;
