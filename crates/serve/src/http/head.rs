//! The head of a request: parsed once, incrementally, within limits.

use super::Fields;
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use std::fmt;

/// In which protocol's name a client speaks, and so in which it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`.
    Http10,
    /// `HTTP/1.1`.
    Http11,
    /// `ICE/1.0`, old source clients; answered as HTTP/1.0.
    Ice10,
}

impl Version {
    /// How the status line begins for such a client: 1.0 is answered in 1.0 (liquidsoap would chunk otherwise).
    pub fn answer(self) -> &'static str {
        match self {
            Version::Http11 => "HTTP/1.1",
            Version::Http10 | Version::Ice10 => "HTTP/1.0",
        }
    }
}

/// A request's method, target and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Upper-case method; SOURCE and STATS are Icecast's own.
    pub method: String,
    /// The target as sent, query included.
    pub target: String,
    /// The protocol name and version.
    pub version: Version,
    fields: Fields,
}

impl Head {
    /// The path, percent-decoded; `None` when that is no UTF-8.
    pub fn path(&self) -> Option<String> {
        let path = self.target.split(['?', '#']).next().unwrap_or_default();
        percent_decode_str(path).decode_utf8().ok().map(|path| path.into_owned())
    }

    /// The value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The first value of a field; names in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// All fields in the order they came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// Whether a comma-separated field names `token`.
    pub fn has_token(&self, field: &str, token: &str) -> bool {
        self.fields.has_token(field, token)
    }

    /// User and password of Basic authentication (RFC 7617).
    pub fn basic(&self) -> Option<(String, String)> {
        let (scheme, token) = self.field("authorization")?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let bytes = STANDARD.decode(token.trim()).ok()?;
        let (user, password) =
            String::from_utf8_lossy(&bytes).split_once(':').map(|(u, p)| (u.into(), p.into()))?;
        Some((user, password))
    }

    /// The token of Bearer authentication (RFC 6750).
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.field("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Whether the connection may serve another request after this one.
    pub fn keep_alive(&self) -> bool {
        match self.version {
            Version::Http11 => !self.has_token("connection", "close"),
            _ => self.has_token("connection", "keep-alive"),
        }
    }

    /// The request line as the access log writes it.
    pub fn line(&self) -> String {
        let version = match self.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Ice10 => "ICE/1.0",
        };
        format!("{} {} {version}", self.method, self.target)
    }
}

impl AsRef<Fields> for Head {
    fn as_ref(&self) -> &Fields {
        &self.fields
    }
}

/// What the first bytes of a connection turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// A request; the number says how many bytes it took.
    Request(Head, usize),
    /// A SHOUTcast v1 source's password line; the number says how many bytes it took.
    Shoutcast(String, usize),
}

/// Reads heads out of a buffer, within limits.
#[derive(Clone, Copy, Debug)]
pub struct HeadReader {
    /// Longest head in bytes; default 8,192.
    pub longest: usize,
}

impl Default for HeadReader {
    fn default() -> HeadReader {
        HeadReader { longest: 8 * 1024 }
    }
}

impl HeadReader {
    /// What `bytes` begin with, or `None` when more are needed. Empty lines in front are skipped.
    ///
    /// # Errors
    /// When the bytes can be no request, or the head is larger than the limits.
    pub fn read(&self, bytes: &[u8]) -> Result<Option<First>, BadHead> {
        let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if blank > self.longest {
            return Err(BadHead::TooLarge(self.longest));
        }
        let bytes = &bytes[blank..];
        let window = &bytes[..bytes.len().min(self.longest)];
        if let Some(password) = shoutcast_password(window) {
            return Ok(Some(First::Shoutcast(password.0, blank + password.1)));
        }
        let parsed = if may_change(window) { None } else { parse(window)? };
        match parsed {
            Some((head, used)) => Ok(Some(First::Request(head, blank + used))),
            None if bytes.len() > self.longest => Err(BadHead::TooLarge(self.longest)),
            None => Ok(None),
        }
    }

    /// Reads the bare `name: value` lines that follow a SHOUTcast v1 password, up to the blank line.
    ///
    /// # Errors
    /// As [`HeadReader::read`].
    pub fn read_fields(&self, bytes: &[u8]) -> Result<Option<(Head, usize)>, BadHead> {
        let Some(end) = blank_line(bytes) else {
            return if bytes.len() > self.longest { Err(BadHead::TooLarge(self.longest)) } else { Ok(None) };
        };
        let text = String::from_utf8_lossy(&bytes[..end]);
        let fields: Fields = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .take(MOST_FIELDS)
            .collect();
        let head = Head { method: "SOURCE".into(), target: "/".into(), version: Version::Ice10, fields };
        Ok(Some((head, end)))
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, BadHead> {
    let ice = ice_version(bytes);
    let patched = ice.map(|at| [&bytes[..at], b"HTTP/1.0", &bytes[at + 7..]].concat());
    let source = patched.as_deref().unwrap_or(bytes);
    let mut slots = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut slots);
    let used = match request.parse(source) {
        Ok(httparse::Status::Complete(used)) => used - usize::from(ice.is_some()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooManyFields(MOST_FIELDS)),
        Err(why) => return Err(BadHead::Malformed(why.to_string())),
    };
    let version = match (ice, request.version) {
        (Some(_), _) => Version::Ice10,
        (None, Some(1)) => Version::Http11,
        _ => Version::Http10,
    };
    let fields = Fields::parsed(request.headers);
    let method = request.method.unwrap_or_default().to_ascii_uppercase();
    Ok(Some((Head { method, target: request.path.unwrap_or_default().to_owned(), version, fields }, used)))
}

/// Where `ICE/1.0` stands at the end of the first line.
fn ice_version(bytes: &[u8]) -> Option<usize> {
    let line = bytes.split(|b| *b == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.ends_with(b" ICE/1.0").then(|| line.len() - 7)
}

/// A whole first line without a space or a slash-method is a SHOUTcast v1 password, with the bytes it took.
fn shoutcast_password(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let plain = !line.is_empty() && line.len() <= LONGEST_PASSWORD && line.iter().all(u8::is_ascii_graphic);
    plain.then(|| (String::from_utf8_lossy(line).into_owned(), end + 1))
}

/// Whether the first line goes on and may yet become a password or end in `ICE/1.0`, which HTTP's parser would refuse.
fn may_change(bytes: &[u8]) -> bool {
    let line = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let password = line.len() <= LONGEST_PASSWORD && line.iter().all(u8::is_ascii_graphic);
    let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    password || !line.contains(&b'\n') && b"ICE/1.0".starts_with(last)
}

fn blank_line(bytes: &[u8]) -> Option<usize> {
    let crlf = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
    let lf = bytes.windows(2).position(|w| w == b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min()
}

/// Why bytes are no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHead {
    /// The head does not end within the limit.
    #[error("request head larger than {0} bytes")]
    TooLarge(usize),
    /// More header fields than allowed.
    #[error("more than {0} header fields")]
    TooManyFields(usize),
    /// Not HTTP.
    #[error("malformed request: {0}")]
    Malformed(String),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.answer())
    }
}

const MOST_FIELDS: usize = 64;
const LONGEST_PASSWORD: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Head {
        match HeadReader::default().read(text.as_bytes()) {
            Ok(Some(First::Request(head, used))) => {
                assert_eq!(used, text.len());
                head
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_prefix_of_a_request_asks_for_more() {
        let text = "PUT /ff.mp3?x=a%20b HTTP/1.1\r\nHost: h\r\nAuthorization: Basic c291cmNlOmh1c2g=\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(HeadReader::default().read(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let head = request(text);
        assert_eq!((head.method.as_str(), head.path().as_deref()), ("PUT", Some("/ff.mp3")));
        assert_eq!(head.query("x").as_deref(), Some("a b"));
        assert_eq!(head.basic(), Some(("source".into(), "hush".into())));
        assert!(head.keep_alive());
    }

    #[test]
    fn ice_is_understood_and_answered_as_http_1_0() {
        let text = "SOURCE /m ICE/1.0\r\nice-name: N\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(HeadReader::default().read(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let head = request(text);
        assert_eq!((head.version, head.version.answer()), (Version::Ice10, "HTTP/1.0"));
        assert_eq!(head.field("Ice-Name"), Some("N"));
        assert!(!head.keep_alive());
    }

    #[test]
    fn a_bare_word_is_a_shoutcast_password() {
        let first = HeadReader::default().read(b"hush\r\ncontent-type:audio/mpeg\r\n").unwrap();
        assert_eq!(first, Some(First::Shoutcast("hush".into(), 6)));
        let (head, used) = HeadReader::default()
            .read_fields(b"content-type:audio/mpeg\r\nicy-name:N\r\n\r\nDATA")
            .unwrap()
            .unwrap();
        assert_eq!((head.field("icy-name"), used), (Some("N"), 39));
    }

    #[test]
    fn a_password_may_come_in_pieces_and_have_any_characters() {
        let line = b"hush:<(pass)>\r\n";
        for end in 0..line.len() {
            assert_eq!(HeadReader::default().read(&line[..end]), Ok(None), "{end}");
        }
        let first = HeadReader::default().read(line);
        assert_eq!(first, Ok(Some(First::Shoutcast("hush:<(pass)>".into(), line.len()))));
    }

    #[test]
    fn empty_lines_in_front_do_not_go_on_for_ever() {
        assert_eq!(HeadReader::default().read(&b"\r\n".repeat(4_096)), Ok(None));
        assert_eq!(HeadReader::default().read(&b"\r\n".repeat(4_097)), Err(BadHead::TooLarge(8_192)));
    }

    #[test]
    fn limits_hold() {
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(9_000));
        assert_eq!(HeadReader::default().read(long.as_bytes()), Err(BadHead::TooLarge(8_192)));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
        assert_eq!(HeadReader::default().read(many.as_bytes()), Err(BadHead::TooManyFields(64)));
        assert!(matches!(HeadReader::default().read(b"\x16\x03\x01 x\x00\r\n"), Err(BadHead::Malformed(_))));
    }
}
