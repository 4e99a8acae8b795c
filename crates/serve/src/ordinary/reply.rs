//! Writes a response in the client's own version, at most as fast as it reads and not for ever.

use crate::{
    Config,
    conn::Conn,
    http::{Answer, Head, Status, Version},
    stamp,
};
use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderName, HeaderValue, Response, header},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::{
    future::pending,
    io,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How the end of a body is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// There is none: `HEAD`, 204, 304.
    None,
    /// By its length.
    Known,
    /// By an empty chunk (RFC 9112 §7.1).
    Chunked,
    /// By closing the connection.
    Close,
}

/// Adds what every answer carries unless its handler said otherwise.
pub(super) fn protect(headers: &mut HeaderMap, config: &Config) {
    let mut or_else = |name: HeaderName, value: &str| {
        if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    };
    or_else(header::CONTENT_SECURITY_POLICY, &policy(&config.http.frame_ancestors));
    or_else(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    or_else(header::REFERRER_POLICY, "same-origin");
    or_else(header::CACHE_CONTROL, "no-cache, no-store");
    or_else(header::SERVER, crate::SERVER);
}

/// Nothing but what this server serves is loaded, run or framed.
fn policy(ancestors: &[String]) -> String {
    let fits = |c: char| c.is_ascii_graphic() && c != ';' && c != ',';
    let ancestors: Vec<_> = ancestors.iter().map(String::as_str).filter(|a| a.chars().all(fits)).collect();
    let ancestors = if ancestors.is_empty() { "'none'".to_owned() } else { ancestors.join(" ") };
    format!(
        "default-src 'self'; media-src 'self' blob: data:; worker-src 'self' blob:; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors {ancestors}"
    )
}

/// Writes `response` and counts its body's bytes; returns whether another request may come on the connection. What has
/// no end of its own ends when the server stops or the client leaves.
pub(super) async fn write(
    conn: &mut Conn,
    head: &Head,
    response: Response<Body>,
    keep: bool,
    stop: &CancellationToken,
    bytes: &mut u64,
) -> io::Result<bool> {
    let (parts, mut body) = response.into_parts();
    let announced = parts.headers.contains_key(header::CONTENT_LENGTH);
    let length = match length(head, parts.status.as_u16(), &body) {
        Length::Chunked | Length::Close if announced => Length::Known,
        length => length,
    };
    let keep = keep && length != Length::Close;
    let status = Status(parts.status.as_u16(), parts.status.canonical_reason().unwrap_or("Unknown"));
    let mut answer = Answer::new(head.version, status).field("Date", stamp::http(SystemTime::now()));
    for (name, value) in &parts.headers {
        if *name != header::CONNECTION && *name != header::TRANSFER_ENCODING {
            answer = answer.field(&capitals(name.as_str()), String::from_utf8_lossy(value.as_bytes()));
        }
    }
    answer = answer.field("Connection", if keep { "Keep-Alive" } else { "Close" });
    if let (Some(exact), false) =
        (body.size_hint().exact(), announced || matches!(parts.status.as_u16(), 204 | 304))
    {
        answer = answer.field("Content-Length", exact.to_string());
    }
    if length == Length::Chunked {
        answer = answer.field("Transfer-Encoding", "chunked");
    }
    let opening = answer.head();
    if length == Length::None {
        send(conn, &opening).await?;
        return Ok(keep);
    }
    send_all(conn, opening, &mut body, length, stop, bytes).await?;
    Ok(keep)
}

/// `content-type` as `Content-Type`: letter case has no meaning, but old scripts that read Icecast look for its own.
fn capitals(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        _ if word == "www" => word.to_ascii_uppercase(),
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn length(head: &Head, status: u16, body: &Body) -> Length {
    match (body.size_hint().exact(), head.version) {
        _ if head.method == "HEAD" || matches!(status, 204 | 304) => Length::None,
        (Some(_), _) => Length::Known,
        (None, Version::Http11) => Length::Chunked,
        (None, _) => Length::Close,
    }
}

async fn send_all(
    conn: &mut Conn,
    opening: Bytes,
    body: &mut Body,
    length: Length,
    stop: &CancellationToken,
    bytes: &mut u64,
) -> io::Result<()> {
    let mut waiting = opening.to_vec();
    loop {
        if length != Length::Known || waiting.len() >= PIECE {
            send(conn, &waiting).await?;
            waiting.clear();
        }
        let frame = match length {
            Length::Known => body.frame().await,
            _ => tokio::select! {
                frame = body.frame() => frame,
                () = gone(conn) => return Err(io::ErrorKind::ConnectionAborted.into()),
                () = stop.cancelled() => None,
            },
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        *bytes += data.len() as u64;
        match length {
            Length::Chunked if data.is_empty() => {}
            Length::Chunked => {
                waiting.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                waiting.extend_from_slice(&data);
                waiting.extend_from_slice(b"\r\n");
            }
            _ => waiting.extend_from_slice(&data),
        }
    }
    if length == Length::Chunked {
        waiting.extend_from_slice(b"0\r\n\r\n");
    }
    send(conn, &waiting).await
}

/// Who takes less than a piece in the time that one gets is gone, or means harm.
async fn send(conn: &mut Conn, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        timeout(PATIENCE, conn.send(piece)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    Ok(())
}

/// Waits until the client closes its side. What it says meanwhile is kept, up to a bound, for the next request.
async fn gone(conn: &mut Conn) {
    while conn.ahead.len() <= PIECE {
        if !matches!(conn.read_more().await, Ok(1..)) {
            return;
        }
    }
    pending().await
}

/// Written at once: as much as a TLS record holds.
const PIECE: usize = 16 * 1024;
/// A piece may take this long: 550 bytes a second are asked of the slowest reader.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_icecast_writes_them() {
        for name in ["Content-Type", "WWW-Authenticate", "Server", "X-Content-Type-Options"] {
            assert_eq!(capitals(&name.to_ascii_lowercase()), name);
        }
    }

    #[test]
    fn nobody_slips_a_directive_into_the_policy() {
        let given = ["'self'".to_owned(), "https://a.example; script-src *".to_owned()];
        assert!(policy(&given).ends_with("frame-ancestors 'self'"));
        assert!(policy(&[]).ends_with("frame-ancestors 'none'"));
    }
}
