//! Flash video: its tags, which RTMP carries as messages, and the file around them.

mod cutter;
mod demux;
mod file;
mod head;
mod meta;
mod splice;
pub mod tag;

pub use cutter::Cutter;
pub use demux::Demux;
pub use splice::Splice;

#[cfg(test)]
mod tests;
