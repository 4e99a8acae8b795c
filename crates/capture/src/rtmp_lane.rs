//! When each chunk and each message of an RTMP conversation passed.

use crate::stream::Piece;
use levada_rtmp::chunk::{self, Limits};
use levada_rtmp::message;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;

/// Reads one direction of an RTMP conversation out of a TCP stream, noting when its chunks and messages passed.
///
/// It follows the chunks from the first byte of the connection, so it needs packets that were captured whole; where
/// bytes are missing it ends, and says why. It remembers when the bytes of an unfinished message came, at most
/// `MOST_MOMENTS` segments of it.
#[derive(Debug)]
pub struct Lane {
    reader: chunk::Reader,
    /// Bytes of the handshake that are still to come.
    handshake: usize,
    pushed: u64,
    last_end: u64,
    /// Where the bytes of a segment end, and when they came.
    moments: VecDeque<(u64, Duration)>,
    chunks: Vec<Event>,
    messages: Vec<Message>,
    ended: Option<Ended>,
}

/// Something that has passed in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When its last byte passed.
    pub at: Duration,
    /// How many bytes the direction had by then: the same number at both ends.
    pub end: u64,
    /// Its bytes, headers included.
    pub size: u32,
    /// Of what it is, or is a part.
    pub kind: Kind,
}

/// A message that has passed in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// When its first byte passed.
    pub began: Duration,
    /// The rest.
    pub event: Event,
    /// Its own time, in milliseconds; wraps at 2^32.
    pub timestamp: u32,
}

/// What an RTMP message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A picture that needs no other.
    Key,
    /// Another picture, or the set-up of a decoder.
    Video,
    /// Sound.
    Audio,
    /// Metadata.
    Data,
    /// `connect`, `play` and the like.
    Command,
    /// What keeps the connection going.
    Control,
}

/// Why a lane ends before its stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// Bytes are not in the capture.
    #[error("{0} bytes are missing in the capture")]
    Missing(u64),
    /// It is no RTMP, or is damaged.
    #[error("it is no RTMP: {0}")]
    NotRtmp(#[from] chunk::Error),
    /// It does not begin with RTMP's first byte.
    #[error("it does not begin as RTMP does")]
    Otherwise,
}

impl Default for Lane {
    fn default() -> Lane {
        Lane {
            reader: chunk::Reader::new(Limits::default()),
            handshake: HANDSHAKE,
            pushed: 0,
            last_end: 0,
            moments: VecDeque::new(),
            chunks: Vec::new(),
            messages: Vec::new(),
            ended: None,
        }
    }
}

impl Lane {
    /// Takes the next piece of the stream, which passed at `at`.
    pub fn push(&mut self, at: Duration, piece: Piece<'_>) {
        if self.ended.is_some() {
            return;
        }
        let mut bytes = match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Gap(gap) => return self.ended = Some(Ended::Missing(gap)),
        };
        if self.pushed == 0 && bytes.first() != Some(&VERSION) {
            return self.ended = Some(Ended::Otherwise);
        }
        let hello = self.handshake.min(bytes.len());
        self.handshake -= hello;
        self.pushed += bytes.len() as u64;
        bytes = &bytes[hello..];
        if self.handshake > 0 || bytes.is_empty() {
            self.last_end = self.pushed;
            return;
        }
        if hello > 0 {
            self.last_end = self.pushed - bytes.len() as u64;
        }
        if self.moments.len() == MOST_MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back((self.pushed, at));
        self.reader.push(bytes);
        loop {
            match self.reader.poll_chunk() {
                Ok(Some(chunk)) => self.note(at, &chunk),
                Ok(None) => return,
                Err(error) => return self.ended = Some(error.into()),
            }
        }
    }

    /// The chunks that have passed.
    pub fn chunks(&self) -> &[Event] {
        &self.chunks
    }

    /// The messages that have passed.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Why it could not be followed to its end.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    fn note(&mut self, at: Duration, chunk: &chunk::Chunk) {
        let end = self.pushed - self.reader.unread() as u64;
        let kind = match &chunk.message {
            Some(message) => kind(message.kind, &message.payload),
            None => kind(chunk.kind, &[]),
        };
        let size = u32::try_from(end - self.last_end).unwrap_or(u32::MAX);
        self.chunks.push(Event { at, end, size, kind });
        self.last_end = end;
        let Some(message) = &chunk.message else { return };
        let size = u32::try_from(message.payload.len()).unwrap_or(u32::MAX);
        let first = end.saturating_sub(size.into());
        let before = self.moments.iter().find(|(upto, _)| *upto > first);
        let began = before.map_or(at, |(_, began)| *began);
        self.messages.push(Message {
            began,
            event: Event { at, end, size, kind },
            timestamp: message.timestamp,
        });
        while self.moments.front().is_some_and(|(upto, _)| *upto <= end) {
            self.moments.pop_front();
        }
    }
}

fn kind(kind: u8, payload: &[u8]) -> Kind {
    match kind {
        message::VIDEO if is_key(payload) => Kind::Key,
        message::VIDEO => Kind::Video,
        message::AUDIO => Kind::Audio,
        message::DATA | message::DATA_AMF3 | message::AGGREGATE => Kind::Data,
        message::COMMAND | message::COMMAND_AMF3 => Kind::Command,
        _ => Kind::Control,
    }
}

/// A key picture that is not the decoder's set-up (FLV 10.1, E.4.3.1; Enhanced RTMP v1).
fn is_key(payload: &[u8]) -> bool {
    let [first, second, ..] = payload else { return false };
    if first & 0x80 != 0 {
        return (first >> 4) & 7 == 1 && first & 15 != 0;
    }
    let set_up = matches!(first & 15, 7 | 12) && *second == 0;
    first >> 4 == 1 && !set_up
}

const VERSION: u8 = 3;
/// C0 or S0, and two blocks of 1,536 bytes (RTMP 1.0, 5.2).
const HANDSHAKE: usize = 1 + 2 * 1536;
const MOST_MOMENTS: usize = 65_536;
