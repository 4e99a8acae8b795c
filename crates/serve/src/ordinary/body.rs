//! The body of an ordinary request: small, and there before anything is done.

use crate::{
    config::Limits,
    conn::Conn,
    http::{Body, Head, Status, Version},
};
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A body that is whole.
pub(super) struct Read {
    /// The body itself.
    pub(super) bytes: Bytes,
    /// Whether its end was known beforehand, so that the next request can be found behind it.
    pub(super) counted: bool,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Bad {
    #[error("the request's body is larger than {LONGEST} bytes")]
    TooLarge,
    #[error("malformed request body: {0}")]
    Malformed(&'static str),
    #[error("the request's body did not arrive in time")]
    Late,
    #[error("the client left")]
    Gone,
}

impl Bad {
    pub(super) fn status(&self) -> Status {
        match self {
            Bad::TooLarge => Status(413, "Content Too Large"),
            Bad::Late => Status::TIMEOUT,
            _ => Status::BAD_REQUEST,
        }
    }
}

/// Reads the body that `head` announces. Without an announcement there is none (RFC 9112 §6.3).
pub(super) async fn read(conn: &mut Conn, head: &Head, limits: &Limits) -> Result<Read, Bad> {
    let deadline = Instant::now() + limits.head_timeout.max(SHORTEST);
    match announced(head)? {
        Body::Counted(length) if length > LONGEST as u64 => Err(Bad::TooLarge),
        Body::Counted(0) | Body::Endless => Ok(Read { bytes: Bytes::new(), counted: true }),
        Body::Counted(length) => {
            let length = usize::try_from(length).map_err(|_| Bad::TooLarge)?;
            go_on(conn, head, length).await?;
            while conn.ahead.len() < length {
                more(conn, deadline).await?;
            }
            Ok(Read { bytes: conn.ahead.split_to(length).freeze(), counted: true })
        }
        Body::Chunked(chunk) => {
            go_on(conn, head, usize::MAX).await?;
            let bytes = chunked(conn, Body::Chunked(chunk), deadline).await?;
            Ok(Read { bytes, counted: false })
        }
    }
}

/// Two lengths, or a length that is no number, are how requests are smuggled: neither is guessed at.
fn announced(head: &Head) -> Result<Body, Bad> {
    let lengths: Vec<_> =
        head.fields().filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).collect();
    let is_number =
        |(_, value): &(&str, &str)| value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty();
    if lengths.len() > 1 || !lengths.iter().all(is_number) {
        return Err(Bad::Malformed("its length is unclear"));
    }
    match (Body::of(head), head.field("transfer-encoding")) {
        (body @ Body::Chunked(_), _) | (body, None) => Ok(body),
        (_, Some(_)) => Err(Bad::Malformed("only chunked transfer coding is understood")),
    }
}

async fn go_on(conn: &mut Conn, head: &Head, length: usize) -> Result<(), Bad> {
    let waits = head.version == Version::Http11 && head.has_token("expect", "100-continue");
    if waits && conn.ahead.len() < length {
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Bad::Gone)?;
    }
    Ok(())
}

async fn chunked(conn: &mut Conn, mut body: Body, deadline: Instant) -> Result<Bytes, Bad> {
    let mut whole = BytesMut::new();
    loop {
        let ahead = conn.ahead.split();
        let going = body.feed(&ahead, |bytes| whole.extend_from_slice(bytes));
        if whole.len() > LONGEST {
            return Err(Bad::TooLarge);
        }
        if !going.map_err(|_| Bad::Malformed("a chunk's size is no number"))? {
            return Ok(whole.freeze());
        }
        more(conn, deadline).await?;
    }
}

async fn more(conn: &mut Conn, deadline: Instant) -> Result<(), Bad> {
    match timeout_at(deadline, conn.read_more()).await {
        Err(_) => Err(Bad::Late),
        Ok(Ok(0) | Err(_)) => Err(Bad::Gone),
        Ok(Ok(_)) => Ok(()),
    }
}

/// Forms of titles and small JSON documents; nothing that we take is larger.
const LONGEST: usize = 64 * 1024;
const SHORTEST: Duration = Duration::from_secs(1);
