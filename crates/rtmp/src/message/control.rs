//! Control messages: a few bytes that concern the connection itself.

use super::{ACKNOWLEDGEMENT, Message, PEER_BANDWIDTH, SET_CHUNK_SIZE, USER_CONTROL, WINDOW_SIZE};
use bytes::{BufMut, Bytes, BytesMut};

/// A control message. Aborts are read and obeyed by [`crate::chunk::Reader`]; we never send one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Our chunks have this many bytes from now on.
    ChunkSize(u32),
    /// So many bytes were received, modulo 2^32.
    Acknowledgement(u32),
    /// Acknowledge every so many bytes.
    WindowSize(u32),
    /// Have no more than so many bytes unacknowledged.
    PeerBandwidth(u32),
    /// An event.
    User(UserControl),
}

/// An event of a stream or of the connection (RTMP 1.0, 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// The stream can be used.
    StreamBegin(u32),
    /// What was played on the stream is over.
    StreamEof(u32),
    /// The player buffers so many milliseconds.
    BufferLength {
        /// The message stream, 0 for all.
        stream: u32,
        /// How much it buffers.
        millis: u32,
    },
    /// Are you there?
    PingRequest(u32),
    /// Yes, with the number that was asked.
    PingResponse(u32),
    /// Anything else.
    Other(u16),
}

impl Control {
    /// Reads a control message, `None` if it is another kind or too short.
    pub fn read(message: &Message) -> Option<Control> {
        let value = || message.payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match message.kind {
            SET_CHUNK_SIZE => Some(Control::ChunkSize(value()?)),
            ACKNOWLEDGEMENT => Some(Control::Acknowledgement(value()?)),
            WINDOW_SIZE => Some(Control::WindowSize(value()?)),
            PEER_BANDWIDTH => Some(Control::PeerBandwidth(value()?)),
            USER_CONTROL => UserControl::read(&message.payload).map(Control::User),
            _ => None,
        }
    }

    /// The message that says this.
    pub fn message(self) -> Message {
        let mut payload = BytesMut::new();
        let kind = match self {
            Control::ChunkSize(value) => put(&mut payload, SET_CHUNK_SIZE, value),
            Control::Acknowledgement(value) => put(&mut payload, ACKNOWLEDGEMENT, value),
            Control::WindowSize(value) => put(&mut payload, WINDOW_SIZE, value),
            Control::PeerBandwidth(value) => {
                let kind = put(&mut payload, PEER_BANDWIDTH, value);
                payload.put_u8(DYNAMIC);
                kind
            }
            Control::User(event) => {
                event.write(&mut payload);
                USER_CONTROL
            }
        };
        Message { kind, stream: 0, timestamp: 0, payload: payload.freeze() }
    }
}

impl UserControl {
    fn read(payload: &Bytes) -> Option<UserControl> {
        let event = u16::from_be_bytes(*payload.first_chunk()?);
        let value = |at: usize| payload.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        Some(match event {
            STREAM_BEGIN => UserControl::StreamBegin(value(2)?),
            STREAM_EOF => UserControl::StreamEof(value(2)?),
            BUFFER_LENGTH => UserControl::BufferLength { stream: value(2)?, millis: value(6)? },
            PING_REQUEST => UserControl::PingRequest(value(2)?),
            PING_RESPONSE => UserControl::PingResponse(value(2)?),
            other => UserControl::Other(other),
        })
    }

    fn write(self, out: &mut BytesMut) {
        let (event, values) = match self {
            UserControl::StreamBegin(stream) => (STREAM_BEGIN, vec![stream]),
            UserControl::StreamEof(stream) => (STREAM_EOF, vec![stream]),
            UserControl::BufferLength { stream, millis } => (BUFFER_LENGTH, vec![stream, millis]),
            UserControl::PingRequest(number) => (PING_REQUEST, vec![number]),
            UserControl::PingResponse(number) => (PING_RESPONSE, vec![number]),
            UserControl::Other(event) => (event, vec![]),
        };
        out.put_u16(event);
        values.into_iter().for_each(|value| out.put_u32(value));
    }
}

fn put(out: &mut BytesMut, kind: u8, value: u32) -> u8 {
    out.put_u32(value);
    kind
}

/// Limit type 2: hard if it was hard before, else ignored. What every server sends.
const DYNAMIC: u8 = 2;

const STREAM_BEGIN: u16 = 0;
const STREAM_EOF: u16 = 1;
const BUFFER_LENGTH: u16 = 3;
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;
