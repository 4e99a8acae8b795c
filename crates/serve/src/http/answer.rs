//! The head of an answer, in the client's own version.

use super::Version;
use bytes::Bytes;
use std::fmt::Write;

/// A status code with the words that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16, pub &'static str);

#[allow(missing_docs)] // the names are HTTP's
impl Status {
    pub const OK: Status = Status(200, "OK");
    pub const FOUND: Status = Status(302, "Found");
    pub const BAD_REQUEST: Status = Status(400, "Bad Request");
    pub const UNAUTHORIZED: Status = Status(401, "Unauthorized");
    pub const FORBIDDEN: Status = Status(403, "Forbidden");
    pub const NOT_FOUND: Status = Status(404, "Not Found");
    pub const METHOD_NOT_ALLOWED: Status = Status(405, "Method Not Allowed");
    pub const TIMEOUT: Status = Status(408, "Request Timeout");
    pub const CONFLICT: Status = Status(409, "Conflict");
    pub const TOO_MANY: Status = Status(429, "Too Many Requests");
    pub const HEAD_TOO_LARGE: Status = Status(431, "Request Header Fields Too Large");
    pub const LOOP: Status = Status(508, "Loop Detected");
    pub const UNAVAILABLE: Status = Status(503, "Service Unavailable");
}

/// An answer being written: fields are added, then the whole is turned into bytes.
#[derive(Clone, Debug)]
pub struct Answer {
    text: String,
}

impl Answer {
    /// Begins with the status line in the client's version.
    pub fn new(version: Version, status: Status) -> Answer {
        Answer { text: format!("{version} {} {}\r\n", status.0, status.1) }
    }

    /// Adds a field. Control characters in the value become spaces: no field can smuggle in another.
    pub fn field(mut self, name: &str, value: impl AsRef<str>) -> Answer {
        let value = value.as_ref().replace(|c: char| c.is_control(), " ");
        write!(self.text, "{name}: {value}\r\n").expect("a string takes what is written");
        self
    }

    /// Adds a field without a space behind the colon, as Icecast writes the `icy-` ones and some players match.
    pub fn icy(mut self, name: &str, value: impl AsRef<str>) -> Answer {
        let value = value.as_ref().replace(|c: char| c.is_control(), " ");
        write!(self.text, "{name}:{value}\r\n").expect("a string takes what is written");
        self
    }

    /// The head alone; what follows has no announced length.
    pub fn head(self) -> Bytes {
        Bytes::from(self.text + "\r\n")
    }

    /// The head with a length, and a body of one clear sentence or document.
    pub fn body(self, content_type: &str, body: &str) -> Bytes {
        let mut answer =
            self.field("Content-Type", content_type).field("Content-Length", body.len().to_string());
        answer.text.push_str("\r\n");
        answer.text.push_str(body);
        Bytes::from(answer.text)
    }

    /// A refusal: closes the connection and says why in one plain sentence.
    pub fn refuse(version: Version, status: Status, why: &str) -> Bytes {
        Answer::new(version, status)
            .field("Connection", "close")
            .body("text/plain; charset=utf-8", &format!("{why}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_smuggle_in_a_field() {
        let head = Answer::new(Version::Http10, Status::OK).icy("icy-name", "a\r\nSet-Cookie: b").head();
        assert_eq!(&head[..], b"HTTP/1.0 200 OK\r\nicy-name:a  Set-Cookie: b\r\n\r\n");
    }
}
