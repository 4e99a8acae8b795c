//! What `onMetaData` says: the values of its AMF0 object, as far as they concern us (AMF0 section 2).

use super::tag::{Kind, Tag};
use crate::Tags;

/// A value by its key; numbers by where they are in the payload, so that they can be overwritten.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A string.
    Text(&'a [u8]),
    /// Eight bytes of a double at this offset.
    Number(usize),
}

/// Whether this is the script tag that describes the stream.
pub(super) fn is_meta(tag: &Tag) -> bool {
    tag.kind == Kind::Script && body(&tag.payload).is_some()
}

/// Title and artist, where the tag says them.
pub(super) fn tags(payload: &[u8]) -> Tags {
    let mut tags = Tags::default();
    for (key, value) in values(payload) {
        let Value::Text(text) = value else { continue };
        let text = || String::from_utf8_lossy(text).trim().to_owned();
        match key {
            b"title" => tags.title = text(),
            b"artist" | b"author" => tags.artist = text(),
            b"album" => tags.album = text(),
            b"url" => tags.url = text(),
            _ => {}
        }
    }
    tags
}

/// The texts and numbers of the outermost object.
pub(super) fn values(payload: &[u8]) -> Vec<(&[u8], Value<'_>)> {
    let mut found = Vec::new();
    let Some(mut at) = body(payload) else { return found };
    while let Some((key, value)) = text(payload, at, 2) {
        let (kind, data) = (payload.get(value).copied(), value + 1);
        match kind {
            Some(NUMBER) if payload.len() >= data + 8 => found.push((key, Value::Number(data))),
            Some(STRING) => found.extend(text(payload, data, 2).map(|(text, _)| (key, Value::Text(text)))),
            _ => {}
        }
        let Some(next) = after(payload, value, 0) else { break };
        at = next;
    }
    found
}

/// Where the first key of the object begins.
fn body(payload: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let (name, next) = (payload.get(at) == Some(&STRING)).then(|| text(payload, at + 1, 2))??;
        at = next;
        match name {
            b"onMetaData" => break,
            b"@setDataFrame" => {}
            _ => return None,
        }
    }
    match *payload.get(at)? {
        OBJECT => Some(at + 1),
        ECMA_ARRAY => Some(at + 5),
        _ => None,
    }
}

/// A string with a length of `width` bytes, and what is behind it.
fn text(payload: &[u8], at: usize, width: usize) -> Option<(&[u8], usize)> {
    let length = payload.get(at..at + width)?.iter().fold(0, |size, &byte| size << 8 | usize::from(byte));
    let begin = at + width;
    Some((payload.get(begin..begin + length)?, begin + length))
}

/// What is behind the value at `at`.
fn after(payload: &[u8], at: usize, depth: usize) -> Option<usize> {
    let (&kind, data) = (payload.get(at)?, at + 1);
    match kind {
        NUMBER => Some(data + 8),
        BOOLEAN => Some(data + 1),
        STRING => Some(text(payload, data, 2)?.1),
        LONG_STRING => Some(text(payload, data, 4)?.1),
        DATE => Some(data + 10),
        NULL | UNDEFINED => Some(data),
        REFERENCE => Some(data + 2),
        _ if depth >= DEEPEST => None,
        OBJECT => after_object(payload, data, depth),
        ECMA_ARRAY => after_object(payload, data + 4, depth),
        STRICT_ARRAY => {
            let count = u32::from_be_bytes(payload.get(data..data + 4)?.try_into().ok()?);
            (0..count).try_fold(data + 4, |at, _| after(payload, at, depth + 1))
        }
        _ => None,
    }
}

fn after_object(payload: &[u8], mut at: usize, depth: usize) -> Option<usize> {
    loop {
        let (key, value) = text(payload, at, 2)?;
        if key.is_empty() && payload.get(value) == Some(&OBJECT_END) {
            return Some(value + 1);
        }
        at = after(payload, value, depth + 1)?;
    }
}

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const REFERENCE: u8 = 7;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
/// Objects within objects; encoders use two.
const DEEPEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Vec<u8> {
        let mut payload = b"\x02\0\x0aonMetaData\x08\0\0\0\x03".to_vec();
        payload.extend_from_slice(b"\0\x08duration\0\x40\0\0\0\0\0\0\0");
        payload.extend_from_slice(b"\0\x04cues\x0a\0\0\0\x02\x05\x03\0\x01a\x01\x01\0\0\x09");
        payload.extend_from_slice(b"\0\x05title\x02\0\x04Tide\0\0\x09");
        payload
    }

    #[test]
    fn a_title_behind_nested_values_is_found() {
        let payload = meta();
        assert_eq!(tags(&payload), Tags::titled("Tide"));
        assert_eq!(values(&payload)[0], (&b"duration"[..], Value::Number(29)));
    }

    #[test]
    fn every_cut_of_it_is_survived() {
        let payload = meta();
        for end in 0..payload.len() {
            values(&payload[..end]);
        }
        values(b"\x02\0\x0aonMetaData\x03\0\x01a\x0a\xff\xff\xff\xff\x05");
    }
}
