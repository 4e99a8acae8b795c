//! The head of an answer as a client reads it, also one of SHOUTcast's.

use super::{BadHead, Fields};

/// What a server answered, without the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The words behind it; may be empty.
    pub reason: String,
    /// Its fields.
    pub fields: Fields,
}

impl Reply {
    /// The answer that `bytes` begin with and how many bytes its head took; `None` when more are needed. `ICY 200 OK`
    /// (SHOUTcast v1) counts as HTTP/1.0.
    ///
    /// # Errors
    /// When the bytes are no answer, or its head is longer than 64 KiB.
    pub fn read(bytes: &[u8]) -> Result<Option<(Reply, usize)>, BadHead> {
        if ICY.starts_with(bytes) {
            return Ok(None);
        }
        let patched = bytes.strip_prefix(ICY).map(|rest| [HTTP, rest].concat());
        let source = patched.as_deref().unwrap_or(bytes);
        let mut slots = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut slots);
        let used = match lenient().parse_response(&mut response, source) {
            Ok(httparse::Status::Complete(used)) => used,
            Ok(httparse::Status::Partial) if bytes.len() > LONGEST => return Err(BadHead::TooLarge(LONGEST)),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooManyFields(MOST_FIELDS)),
            Err(why) => return Err(BadHead::Malformed(why.to_string())),
        };
        let used = if patched.is_some() { used + ICY.len() - HTTP.len() } else { used };
        let reply = Reply {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            fields: Fields::parsed(response.headers),
        };
        Ok(Some((reply, used)))
    }

    /// The first value of a field; names in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }
}

impl AsRef<Fields> for Reply {
    fn as_ref(&self) -> &Fields {
        &self.fields
    }
}

/// Servers of media are old and many; what can be understood is.
fn lenient() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    config
}

const ICY: &[u8] = b"ICY ";
const HTTP: &[u8] = b"HTTP/1.0 ";
const MOST_FIELDS: usize = 128;
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_an_answer_asks_for_more() {
        let text = b"HTTP/1.0 200 OK\r\nServer: Icecast 2.4.4\r\nicy-name:N\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(Reply::read(&text[..end]), Ok(None), "{end}");
        }
        let (reply, used) = Reply::read(text).unwrap().unwrap();
        assert_eq!((reply.status, reply.field("Icy-Name"), used), (200, Some("N"), text.len()));
    }

    #[test]
    fn a_folded_value_is_one_line() {
        let text = b"HTTP/1.1 200 OK\r\nice-name: a\r\n b\r\n\r\n";
        let (reply, _) = Reply::read(text).unwrap().unwrap();
        assert_eq!(reply.field("ice-name"), Some("a   b"));
    }

    #[test]
    fn shoutcast_answers_in_its_own_name() {
        let text = b"ICY 200 OK\r\nicy-metaint:8192\r\n\r\nDATA";
        assert_eq!(Reply::read(&text[..3]), Ok(None));
        let (reply, used) = Reply::read(text).unwrap().unwrap();
        assert_eq!(
            (reply.status, reply.field("icy-metaint"), &text[used..]),
            (200, Some("8192"), &b"DATA"[..])
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(matches!(Reply::read(b"\x16\x03\x01"), Err(BadHead::Malformed(_))));
        let endless = [&b"HTTP/1.1 200 OK\r\nx: "[..], &b"a".repeat(70_000)].concat();
        assert_eq!(Reply::read(&endless), Err(BadHead::TooLarge(LONGEST)));
    }
}
