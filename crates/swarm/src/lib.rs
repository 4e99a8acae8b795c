//! One stream to a team of peers: tracker, splitter, peer, monitor.
//!
//! A [`Splitter`] cuts a stream into chunks and sends each to one peer of its team, in turn. That [`Peer`], the
//! chunk's origin, passes it on to the others, so that the source uploads the stream about once however many there are.
//! A [`Monitor`] is a trusted peer that reports what it misses. This is P2PSP, in its own words; everything here is a
//! [`Machine`](levada_link::Machine) without sockets or clocks.
#![forbid(unsafe_code)]

pub mod buffer;
mod chunk;
pub mod dbs;
pub mod fuzz;
pub mod head;
mod monitor;
pub mod native;
mod number;
pub mod peer;
pub mod simulate;
pub mod splitter;
pub mod tracker;
pub mod wire;

pub use buffer::ChunkBuffer;
pub use chunk::Chunk;
pub use monitor::Monitor;
pub use number::ChunkNumber;
pub use peer::Peer;
pub use splitter::Splitter;
pub use tracker::Tracker;
pub use wire::Wire;
