//! Messages cut into chunks: how one connection carries several of them at once.
//!
//! Reading is done in full, with all the shorthands that peers use ([`Reader`]). Writing uses none: every message
//! begins with a full header (format 0), so that its bytes mean the same to everybody, whatever was sent before.
//! That is what lets one serialisation be shared by a thousand players ([`Serialized`]); it costs at most
//! eleven bytes a message.

mod header;
mod reader;
mod serialize;

pub use reader::{Chunk, Reader};
pub use serialize::{Serialized, write};

/// What a peer may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message.
    pub message: usize,
    /// Bytes of unfinished messages on all chunk streams together.
    pub partial: usize,
    /// Chunk streams in one direction.
    pub streams: usize,
}

impl Limits {
    /// For a peer that has not said what it wants, or may not have it: commands fit, media do not.
    pub const STRANGER: Limits =
        Limits { message: MAX_STRANGER_MESSAGE, partial: MAX_STRANGER_MESSAGE, streams: MAX_STREAMS };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message: MAX_MESSAGE, partial: MAX_PARTIAL, streams: MAX_STREAMS }
    }
}

/// Why a stream of chunks cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer set a chunk size of zero, or with its top bit set.
    #[error("chunk size {0} is out of range")]
    Size(u32),
    /// A message longer than [`Limits::message`].
    #[error("a message of {length} bytes is longer than {limit}")]
    TooLong {
        /// What its header says.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// More unfinished bytes than [`Limits::partial`].
    #[error("more than {0} bytes of unfinished messages")]
    Partial(usize),
    /// More chunk streams than [`Limits::streams`].
    #[error("more than {0} chunk streams")]
    Streams(usize),
    /// A chunk that repeats the header of a message that never came.
    #[error("chunk stream {0} begins without a header")]
    NoBeginning(u32),
    /// A new message before the last one on its chunk stream was whole.
    #[error("a message on chunk stream {0} was interrupted")]
    Interrupted(u32),
    /// A control message of a chunk stream is too short.
    #[error("a control message is too short")]
    ShortControl,
}

/// Bytes in a chunk until a peer says otherwise (RTMP 1.0, 5.4.1).
pub const DEFAULT_SIZE: u32 = 128;
/// The size of the chunks that we send, told to every peer after `connect`.
///
/// One size for all players makes a message's bytes valid for each of them. 60,000 keeps most pictures in one
/// piece, so that their payload is contiguous, and stays below the 65,536 that old players allow; SRS has sent
/// 60,000 to every player there is for ten years.
pub const OUT_SIZE: u32 = 60_000;
/// Bytes of one message; its length has 24 bits, so nothing longer can be announced.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Bytes of unfinished messages on one connection: one message of any size, and ordinary ones beside it.
pub const MAX_PARTIAL: usize = 20 * 1024 * 1024;
/// Bytes of a message, and of all unfinished ones, before a peer was let in; `connect` takes about 500.
pub const MAX_STRANGER_MESSAGE: usize = 32 * 1024;
/// Chunk streams of one connection and direction; encoders use four to eight.
pub const MAX_STREAMS: usize = 64;

/// Chunk stream of control messages (RTMP 1.0, 5.4).
pub const CONTROL: u32 = 2;
/// Chunk stream of commands to the connection.
pub const COMMAND: u32 = 3;
/// Chunk stream of sound.
pub const AUDIO: u32 = 4;
/// Chunk stream of commands to a message stream.
pub const STATUS: u32 = 5;
/// Chunk stream of pictures.
pub const VIDEO: u32 = 6;
/// Chunk stream of metadata and other data.
pub const DATA: u32 = 7;

/// What stands in a timestamp's place when the real one follows the header.
const EXTENDED: u32 = 0xff_ffff;

#[cfg(test)]
mod tests;
