//! RTMP as a state machine: handshake, chunks, AMF, sessions, client and server.
#![forbid(unsafe_code)]

pub mod amf0;
pub mod chunk;
pub mod handshake;
pub mod message;
