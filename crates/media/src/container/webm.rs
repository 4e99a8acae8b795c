//! WebM and Matroska (RFC 8794, RFC 9559).

mod block;
mod cutter;
mod demux;
mod element;
mod header;
mod reader;
mod segment;
mod splice;
mod tags;
mod track;

pub use cutter::Cutter;
pub use demux::Demux;
pub use splice::Splice;

#[cfg(test)]
mod tests;
