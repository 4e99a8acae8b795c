//! The head of a stream as splitters give it: an answer to HTTP, then the container's header and some of its media.

use bytes::{Bytes, BytesMut};

/// Takes the answer to HTTP, if there is one, from the front of a stream.
#[derive(Debug, Default)]
pub struct HttpHead {
    held: BytesMut,
    done: bool,
}

impl HttpHead {
    /// Takes the next bytes; gives those that belong to the body, once that has begun.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Bytes> {
        if self.done {
            return Some(Bytes::copy_from_slice(bytes));
        }
        self.held.extend_from_slice(bytes);
        let begun = self.held.len().min(BEGINS.len());
        let searched = &self.held[..self.held.len().min(LONGEST)];
        let end = searched.windows(4).position(|window| window == b"\r\n\r\n");
        if self.held[..begun] != BEGINS[..begun] || end.is_none() && self.held.len() > LONGEST {
            self.done = true;
            return Some(self.held.split().freeze());
        }
        let end = end? + 4;
        let mut all = self.held.split();
        let body = all.split_off(end).freeze();
        self.held = all;
        self.done = true;
        Some(body)
    }

    /// A field of the answer, by its name without regard to case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.held).ok().filter(|_| self.done)?;
        let fields = text.split("\r\n").filter_map(|line| line.split_once(':'));
        fields
            .map(|(key, value)| (key.trim(), value.trim()))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// An answer by which players of the reference implementations know what comes.
    pub fn answer(content_type: &str) -> String {
        let content_type: String = content_type.chars().filter(|c| !c.is_control()).collect();
        format!("HTTP/1.0 200 OK\r\nContent-Type: {content_type}\r\nCache-Control: no-cache\r\n\r\n")
    }
}

const BEGINS: &[u8] = b"HTTP/1.";
/// A longer one is none.
const LONGEST: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_taken_off_at_any_cut() {
        let stream = b"HTTP/1.0 200 OK\r\nContent-type:  video/ogg \r\n\r\nOggS\r\n\r\n";
        for cut in 0..stream.len() {
            let mut head = HttpHead::default();
            let mut body = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                body.extend(head.push(part).unwrap_or_default());
            }
            assert_eq!(body, b"OggS\r\n\r\n", "cut at {cut}");
            assert_eq!(head.field("Content-Type"), Some("video/ogg"));
        }
        let mut long = HttpHead::default();
        let all = [&stream[..], &[7; 60_000]].concat();
        assert_eq!(long.push(&all).map(|body| body.len()), Some(60_008));
        let mut none = HttpHead::default();
        assert_eq!(none.push(b"OggS"), Some(Bytes::from_static(b"OggS")));
        assert_eq!(none.field("content-type"), None);
    }
}
