//! Heads, bodies and credentials.

use crate::Pieces;
use levada_serve::http::{Body, Fields, First, Head, HeadReader, Reply};

/// However a head arrives, it is the same head; what it says cannot break a line of a log; written again it is read
/// as the same.
pub fn head(bytes: &[u8]) {
    let reader = HeadReader::default();
    let pieces = Pieces::of(bytes);
    let whole = reader.read(pieces.rest());
    let mut seen = 0;
    for piece in pieces.clone() {
        seen += piece.len();
        match reader.read(&pieces.rest()[..seen]) {
            Ok(None) => continue,
            Ok(Some(first)) => assert_eq!(Ok(Some(first)), whole),
            Err(_) => assert!(!matches!(whole, Ok(Some(_))), "a bad beginning became good"),
        }
        break;
    }
    match whole {
        Ok(None) => assert!(seen <= 2 * reader.longest, "more is wanted after {seen} bytes"),
        Ok(Some(First::Shoutcast(password, used))) => {
            assert!(used <= seen && !password.is_empty() && password.len() <= 128);
        }
        Ok(Some(First::Request(head, used))) => {
            assert!(used <= seen);
            look_at(&head);
            again(&head);
        }
        Err(why) => assert!(why.to_string().len() < 200),
    }
}

fn look_at(head: &Head) {
    let line = head.line();
    assert!(!line.contains(char::is_control), "{line:?}");
    for (name, value) in head.fields() {
        assert!(
            !name.contains(char::is_control) && !value.contains(['\r', '\n', '\0']),
            "{name:?}: {value:?}"
        );
        assert!(head.field(name).is_some());
    }
    let _ = (head.path(), head.query("mount"), head.basic(), head.keep_alive(), Body::of(head));
}

fn again(head: &Head) {
    let fields: String = head.fields().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let text = format!("{}\r\n{fields}\r\n", head.line());
    if text.len() > HeadReader::default().longest {
        return; // what was no UTF-8 takes more now
    }
    match HeadReader::default().read(text.as_bytes()) {
        Ok(Some(First::Request(same, used))) => assert_eq!((&same, used), (head, text.len())),
        other => panic!("{head:?} was written as {text:?} and read as {other:?}"),
    }
}

/// However an answer arrives, it is the same answer.
pub fn reply(bytes: &[u8]) {
    let pieces = Pieces::of(bytes);
    let whole = Reply::read(pieces.rest());
    let mut seen = 0;
    for piece in pieces.clone() {
        seen += piece.len();
        match Reply::read(&pieces.rest()[..seen]) {
            Ok(None) => continue,
            Ok(Some(reply)) => assert_eq!(Ok(Some(reply)), whole),
            Err(_) => assert!(!matches!(whole, Ok(Some(_))), "a bad beginning became good"),
        }
        break;
    }
    if let Ok(Some((reply, used))) = whole {
        assert!(used <= pieces.rest().len());
        assert!(reply.fields.iter().all(|(_, value)| !value.contains(['\r', '\0'])));
    }
}

/// A body gives the same bytes however it is cut, none twice, and a body that we chunk is what it was.
pub fn body(bytes: &[u8]) {
    let pieces = Pieces::of(bytes);
    for (name, value) in
        [("Transfer-Encoding", "chunked"), ("Content-Length", "700"), ("Content-Type", "a/b")]
    {
        let fields: Fields = [(name.to_owned(), value.to_owned())].into_iter().collect();
        let whole = feed(&fields, [pieces.rest()]);
        assert_eq!(feed(&fields, pieces.clone()), whole, "{name}");
        assert!(whole.0.len() <= pieces.rest().len());
    }
    let fields: Fields = [("transfer-encoding".to_owned(), "gzip, chunked".to_owned())].into_iter().collect();
    let chunk = |piece: &[u8]| [format!("{:x};x=y\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let mut chunked = pieces.clone().map(chunk).collect::<Vec<_>>().concat();
    chunked.extend_from_slice(b"0\r\n\r\nbehind");
    assert_eq!(feed(&fields, [&chunked[..]]), (pieces.rest().to_vec(), Ok(false)));
}

/// What came out, and whether the body goes on.
fn feed<'a>(fields: &Fields, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Result<bool, ()>) {
    let (mut body, mut out) = (Body::of(fields), Vec::new());
    let mut going = Ok(!body.over());
    for piece in pieces {
        match body.feed(piece, |bytes| out.extend_from_slice(bytes)) {
            Ok(goes) => going = Ok(goes),
            Err(_) => return (out, Err(())),
        }
    }
    (out, going)
}

/// The fields behind a SHOUTcast password are the same however they come, and each is a line.
pub fn shoutcast_fields(bytes: &[u8]) {
    let reader = HeadReader::default();
    let pieces = Pieces::of(bytes);
    let whole = reader.read_fields(pieces.rest());
    let mut seen = 0;
    for piece in pieces.clone() {
        seen += piece.len();
        if let Ok(Some(found)) = reader.read_fields(&pieces.rest()[..seen]) {
            assert_eq!(Ok(Some(found)), whole);
            break;
        }
    }
    if let Ok(Some((head, used))) = whole {
        assert!(used <= pieces.rest().len() && head.fields().count() <= 64);
        for (name, value) in head.fields() {
            assert!(!name.contains(['\n', ':']) && !value.contains('\n'), "{name:?}: {value:?}");
        }
    }
}

/// Credentials are those that were encoded, or none.
pub fn basic_auth(bytes: &[u8]) {
    let head = |value: &[u8]| {
        let request = [b"GET / HTTP/1.1\r\nAuthorization: ", value, b"\r\n\r\n"].concat();
        match HeadReader::default().read(&request) {
            Ok(Some(First::Request(head, _))) => Some(head),
            _ => None,
        }
    };
    if let Some((user, _)) = head(bytes).and_then(|head| head.basic()) {
        assert!(!user.contains(':'));
    }
}
