//! Flash video: its tags, which RTMP carries as messages, and the file around them.

mod cutter;
mod demux;
mod file;
mod head;
mod meta;
mod mux;
mod splice;
pub mod tag;
mod wrap;

pub use cutter::Cutter;
pub use demux::Demux;
pub use mux::Mux;
pub use splice::Splice;
pub use wrap::{catch_up, file_header, split, unwrap, wrap};

#[cfg(test)]
mod tests;
