//! The wires: how chunks, control messages and the joining of a team look as bytes.

pub mod a;
pub mod b;
mod read;

pub use read::Reader;

use crate::ChunkNumber;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// One of the wires of the reference implementations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// That of the Python implementation of 2018.
    #[default]
    A,
    /// That of the C++ implementation.
    B,
}

/// A datagram, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// A chunk; where the wire does not tell its origin, that is who sent it.
    Chunk {
        /// The end of its number.
        number: u16,
        /// Its bytes.
        data: Bytes,
        /// The peer that got it from the splitter.
        origin: Option<SocketAddr>,
    },
    /// Somebody is there.
    Hello,
    /// Somebody leaves, or the splitter lets go.
    Goodbye,
    /// The chunks of an origin are wanted.
    Request(u16),
    /// The chunks of an origin are wanted no longer.
    Prune(u16),
    /// A monitor missed a chunk.
    Lost(u16),
}

/// What the splitter tells who joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Bytes a chunk.
    pub chunk_size: u16,
    /// Chunks a buffer.
    pub buffer_size: u16,
    /// How the splitter sees the newcomer; wire A only.
    pub you: Option<SocketAddr>,
    /// Where the head of the stream comes from.
    pub head: Head,
    /// Monitors among the peers.
    pub monitors: u16,
    /// The peers that are there already.
    pub peers: Vec<SocketAddr>,
}

/// The head of the stream: what a player gets before the first chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// Told with the welcome (wire A).
    Told(Bytes),
    /// To be fetched from the source by HTTP (wire B): the first so many bytes of the channel.
    At {
        /// The source.
        source: SocketAddr,
        /// The channel on it, as it stands in the request.
        channel: String,
        /// How many bytes.
        size: u16,
    },
}

impl Wire {
    /// Reads a datagram of a team whose chunks have `chunk_size` bytes; `from_monitor` where two bytes on wire B can
    /// only be a loss.
    pub fn read(self, bytes: &Bytes, chunk_size: usize) -> Option<Datagram> {
        match self {
            Wire::A => a::read(bytes, chunk_size),
            Wire::B => b::read(bytes, chunk_size),
        }
    }

    /// Writes a chunk.
    pub fn chunk(self, number: ChunkNumber, data: &[u8], origin: SocketAddr) -> Bytes {
        match self {
            Wire::A => a::chunk(number.short(), data, origin),
            Wire::B => b::chunk(number.short(), data),
        }
    }

    /// Writes a hello.
    pub fn hello(self) -> Bytes {
        match self {
            Wire::A => a::code(a::HELLO),
            Wire::B => Bytes::from_static(b"H"),
        }
    }

    /// Writes a peer's goodbye, with how many chunks it played and how many it missed.
    pub fn goodbye(self, played: u64, lost: u64) -> Bytes {
        match self {
            Wire::A => a::farewell(played, lost),
            Wire::B => Bytes::from_static(b"G"),
        }
    }

    /// Writes the splitter's goodbye.
    pub fn dismissal(self) -> Bytes {
        match self {
            Wire::A => a::code(a::GOODBYE),
            Wire::B => Bytes::from_static(b"G"),
        }
    }

    /// Writes a monitor's complaint.
    pub fn lost(self, number: ChunkNumber) -> Bytes {
        match self {
            Wire::A => a::numbered(a::LOST, number.short()),
            Wire::B => Bytes::copy_from_slice(&number.short().to_be_bytes()),
        }
    }

    /// Writes a request for an origin, where the wire has one.
    pub fn request(self, number: ChunkNumber) -> Option<Bytes> {
        (self == Wire::A).then(|| a::numbered(a::REQUEST, number.short()))
    }

    /// Writes a prune, where the wire has one.
    pub fn prune(self, number: ChunkNumber) -> Option<Bytes> {
        (self == Wire::A).then(|| a::numbered(a::PRUNE, number.short()))
    }

    /// Writes what the splitter tells who joins. Both wires know IPv4 only.
    pub fn write_welcome(self, welcome: &Welcome) -> Vec<u8> {
        match self {
            Wire::A => a::write_welcome(welcome),
            Wire::B => b::write_welcome(welcome),
        }
    }

    /// Reads it as far as it has come; `None` while it is not whole.
    ///
    /// # Errors
    /// When it can be no welcome.
    pub fn read_welcome(self, bytes: &[u8]) -> Result<Option<Welcome>, BadWelcome> {
        let mut reader = Reader::new(bytes);
        let read = match self {
            Wire::A => a::read_welcome(&mut reader),
            Wire::B => b::read_welcome(&mut reader),
        };
        let Some(welcome) = read else { return Ok(None) };
        if welcome.chunk_size == 0 || welcome.buffer_size < 2 {
            return Err(BadWelcome);
        }
        Ok(Some(welcome))
    }
}

impl std::str::FromStr for Wire {
    type Err = UnknownWire;

    fn from_str(text: &str) -> Result<Wire, UnknownWire> {
        match text {
            "a" | "A" => Ok(Wire::A),
            "b" | "B" => Ok(Wire::B),
            _ => Err(UnknownWire),
        }
    }
}

/// A splitter's welcome makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the splitter says that chunks or buffers hold nothing")]
pub struct BadWelcome;

/// There is no such wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wires are called a, b and native")]
pub struct UnknownWire;

/// The address on the wire; what is no IPv4 has none.
pub(crate) fn ipv4(address: SocketAddr) -> Ipv4Addr {
    match address {
        SocketAddr::V4(address) => *address.ip(),
        SocketAddr::V6(address) => address.ip().to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests;
