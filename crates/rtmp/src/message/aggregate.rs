//! Aggregates: media messages packed as the tags of an FLV file, to save chunk headers.

use super::Message;
use bytes::{Buf, Bytes};

/// The messages within an aggregate; what is cut off at its end is left out.
#[derive(Clone, Debug)]
pub struct Aggregate {
    rest: Bytes,
    stream: u32,
    timestamp: u32,
    /// The time of the first message within, which stands for the aggregate's own.
    first: Option<u32>,
}

impl Aggregate {
    /// Opens an aggregate message.
    pub fn new(message: &Message) -> Aggregate {
        Aggregate {
            rest: message.payload.clone(),
            stream: message.stream,
            timestamp: message.timestamp,
            first: None,
        }
    }
}

impl Iterator for Aggregate {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let [kind, l0, l1, l2, t0, t1, t2, t3, ..] = *self.rest.first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        // the highest byte of a tag's time comes last
        let time = u32::from_be_bytes([t3, t0, t1, t2]);
        if self.rest.len() < HEADER + length {
            return None;
        }
        self.rest.advance(HEADER);
        let payload = self.rest.split_to(length);
        self.rest.advance(self.rest.len().min(BACK_POINTER));
        let first = *self.first.get_or_insert(time);
        let timestamp = self.timestamp.wrapping_add(time.wrapping_sub(first));
        Some(Message { kind, stream: self.stream, timestamp, payload })
    }
}

const HEADER: usize = 11;
const BACK_POINTER: usize = 4;
