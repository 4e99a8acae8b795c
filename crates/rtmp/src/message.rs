//! What two peers say to each other: messages, whole.

mod aggregate;
mod command;
mod control;

pub use aggregate::Aggregate;
pub(crate) use command::values_of;
pub use command::{Command, Error};
pub use control::{Control, UserControl};

use bytes::Bytes;

/// One message as chunks carry it, whatever is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which type it is; see the constants of this module.
    pub kind: u8,
    /// The message stream it belongs to; 0 is the connection itself.
    pub stream: u32,
    /// Milliseconds, wrapping at 2^32.
    pub timestamp: u32,
    /// What it says.
    pub payload: Bytes,
}

/// How large the sender's chunks are from now on.
pub const SET_CHUNK_SIZE: u8 = 1;
/// The unfinished message of one chunk stream is not to be finished.
pub const ABORT: u8 = 2;
/// How many bytes were received.
pub const ACKNOWLEDGEMENT: u8 = 3;
/// Stream begins and ends, pings.
pub const USER_CONTROL: u8 = 4;
/// After how many bytes an acknowledgement is wanted.
pub const WINDOW_SIZE: u8 = 5;
/// How many bytes the peer may have unacknowledged.
pub const PEER_BANDWIDTH: u8 = 6;
/// Sound.
pub const AUDIO: u8 = 8;
/// Pictures.
pub const VIDEO: u8 = 9;
/// Data in AMF3, which in practice is AMF0 after a zero byte.
pub const DATA_AMF3: u8 = 15;
/// A command in AMF3, likewise.
pub const COMMAND_AMF3: u8 = 17;
/// Data in AMF0.
pub const DATA: u8 = 18;
/// A command in AMF0.
pub const COMMAND: u8 = 20;
/// Several media messages in one.
pub const AGGREGATE: u8 = 22;

/// The message stream on which media travel: the first one that a connection creates.
pub const MEDIA_STREAM: u32 = 1;

#[cfg(test)]
mod tests;
