//! The parameters of a command, from the address and from a form: bytes until somebody says in which charset.

use super::charset::{decode, tidy};
use axum::{body::Bytes, extract::Request, http::header};
use http_body_util::BodyExt;
use percent_encoding::percent_decode;

/// Names and values in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Vec<u8>)>);

impl Params {
    /// What the address says, and behind it what the form says if one was sent.
    pub async fn of(request: Request) -> Params {
        let mut params = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
        });
        if is_form {
            // The body is here already and small: nothing can fail, and a failure is an empty form.
            let form: Bytes = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
            params.0.extend(Params::parse(&form).0);
        }
        params
    }

    /// Reads `a=b&c=d`, percent-encoded (WHATWG URL §5.1, but bytes stay bytes).
    pub fn parse(text: &[u8]) -> Params {
        let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        Params(pairs.map(pair).collect())
    }

    /// The first value of `name` as it was sent.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of `name` as text; nothing where it is empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| decode(bytes, None)).filter(|text| !text.is_empty())
    }

    /// A value that listeners will see: in the charset that was named or looks right, on one line, not too long.
    /// Empty where it was sent so.
    pub fn title(&self, name: &str) -> Option<String> {
        let charset = self.text("charset");
        self.bytes(name).map(|bytes| tidy(&decode(bytes, charset.as_deref())))
    }

    /// The same with another value in front.
    pub fn with(mut self, name: &str, value: &str) -> Params {
        self.0.insert(0, (name.to_owned(), value.into()));
        self
    }
}

fn pair(pair: &[u8]) -> (String, Vec<u8>) {
    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (name, value) = (&pair[..at], pair.get(at + 1..).unwrap_or_default());
    (String::from_utf8_lossy(&unescape(name)).into_owned(), unescape(value))
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_some_parameters(text: Vec<u8>) {
            for (name, value) in Params::parse(&text).0 {
                prop_assert!(name.len() <= 3 * text.len() && value.len() <= text.len());
            }
            if let Some(title) = Params(vec![("a".into(), text)]).title("a") {
                prop_assert!(!title.contains(char::is_control) && title.len() <= 4_080 / 2);
            }
        }
    }

    #[test]
    fn what_clients_send_is_understood() {
        let params = Params::parse(b"mode=updinfo&mount=%2fez%2emp3&song=a+b%26c=d&empty&&x=");
        assert_eq!(params.text("mount").as_deref(), Some("/ez.mp3"));
        assert_eq!(params.title("song").as_deref(), Some("a b&c=d"));
        assert_eq!((params.text("empty"), params.bytes("empty")), (None, Some(&b""[..])));
        assert_eq!((params.text("x"), params.text("y")), (None, None));
        assert_eq!(params.title("x").as_deref(), Some(""));
    }

    #[test]
    fn a_title_is_read_in_its_charset() {
        for (query, title) in [
            (&b"song=%E9t%E9"[..], "été"),
            (b"song=%C3%A9t%C3%A9", "été"),
            (b"song=%C3%A9&charset=ISO-8859-1", "Ã©"),
            (b"song=%80&charset=latin1", "€"),
            (b"song=%E9&charset=UTF-8", "é"),
        ] {
            assert_eq!(Params::parse(query).title("song").as_deref(), Some(title));
        }
    }
}
