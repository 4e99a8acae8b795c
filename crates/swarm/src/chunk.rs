//! The unit that a splitter deals: a number, bytes, and the peer that got them first.

use crate::ChunkNumber;
use bytes::Bytes;
use std::net::SocketAddr;

/// A chunk of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number.
    pub number: ChunkNumber,
    /// Its bytes, shared.
    pub data: Bytes,
    /// The peer to which the splitter sent it: its origin within the team.
    pub origin: SocketAddr,
}
