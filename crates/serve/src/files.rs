//! Files of one folder, for whoever keeps a logo or a recording beside the streams.
//!
//! What is asked for must be a plain path below the folder, without parts that begin with a dot, and must still be below
//! it when all links are followed. Who can put links into the folder decides what it shows; who can only ask cannot
//! leave it.

mod range;

use crate::{
    ordinary::{Caller, Refusal},
    stamp,
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use percent_encoding::percent_decode_str;
use range::Wanted;
use std::{
    fs::Metadata,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

/// Answers a request for the file at `path`.
pub async fn serve(caller: &Caller, path: &str, headers: &HeaderMap) -> Response {
    let config = caller.station.config();
    let Some(root) = &config.http.files else { return Refusal::not_found().into_response() };
    match open(root, path).await {
        Some((file, about, name)) => tell(file, &about, &name, headers).await,
        None => Refusal::not_found().into_response(),
    }
}

async fn open(root: &Path, path: &str) -> Option<(File, Metadata, PathBuf)> {
    let asked = root.join(below(path)?);
    let root = tokio::fs::canonicalize(root).await.ok()?;
    let real = tokio::fs::canonicalize(asked).await.ok()?;
    let rest = real.strip_prefix(&root).ok()?;
    if rest.iter().any(|part| part.as_encoded_bytes().starts_with(b".")) {
        return None;
    }
    let file = File::open(&real).await.ok()?;
    let about = file.metadata().await.ok()?;
    about.is_file().then_some((file, about, real))
}

/// The path below the folder, if that is what it says plainly.
fn below(path: &str) -> Option<PathBuf> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let plain = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.contains(|c: char| c.is_control() || "\\:".contains(c))
    };
    parts.iter().all(plain).then(|| parts.iter().collect())
}

async fn tell(mut file: File, about: &Metadata, name: &Path, headers: &HeaderMap) -> Response {
    let tag = tag(about);
    let changed = about.modified().map(stamp::http).unwrap_or_default();
    let named = |field| headers.get(field).and_then(|value| value.to_str().ok());
    let known = [
        (header::ETAG, tag.clone()),
        (header::LAST_MODIFIED, changed),
        (header::CACHE_CONTROL, "no-cache".into()),
        (header::ACCEPT_RANGES, "bytes".into()),
    ];
    if named(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|t| t.trim() == tag || t.trim() == "*"))
    {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    let same = named(header::IF_RANGE).is_none_or(|before| before == tag);
    let asked = named(header::RANGE).filter(|_| same);
    let (status, first, length) = match range::wanted(asked, about.len()) {
        Wanted::All => (StatusCode::OK, 0, about.len()),
        Wanted::Part { first, length } => (StatusCode::PARTIAL_CONTENT, first, length),
        Wanted::Nothing => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{}", about.len()))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response();
        }
    };
    if file.seek(SeekFrom::Start(first)).await.is_err() {
        return Refusal::not_found().into_response();
    }
    let body = Body::from_stream(stream::unfold((file, length), read));
    let kind = [(header::CONTENT_TYPE, content_type(name).to_owned())];
    let mut response = (status, known, kind, body).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LENGTH, length.into());
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {first}-{}/{}", first + length.saturating_sub(1), about.len());
        fields.extend(part.try_into().ok().map(|part| (header::CONTENT_RANGE, part)));
    }
    response
}

/// The next piece of a file; a file that became shorter than was announced is an error, so that nobody takes what is
/// missing for its end.
async fn read((mut file, left): (File, u64)) -> Option<(io::Result<Bytes>, (File, u64))> {
    if left == 0 {
        return None;
    }
    let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
    match file.read(&mut piece).await {
        Ok(0) => Some((Err(io::ErrorKind::UnexpectedEof.into()), (file, 0))),
        Ok(count) => {
            piece.truncate(count);
            Some((Ok(piece.into()), (file, left - count as u64)))
        }
        Err(why) => Some((Err(why), (file, 0))),
    }
}

/// Another length or another moment is another file.
fn tag(about: &Metadata) -> String {
    let since = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}\"", about.len(), since.as_nanos())
}

fn content_type(name: &Path) -> &'static str {
    let extension = name.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let known = KINDS.iter().find(|(known, _)| *known == extension);
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

const KINDS: [(&str, &str); 30] = [
    ("aac", "audio/aac"),
    ("css", "text/css; charset=utf-8"),
    ("flac", "audio/flac"),
    ("flv", "video/x-flv"),
    ("gif", "image/gif"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("m3u", "audio/x-mpegurl"),
    ("m4a", "audio/mp4"),
    ("mkv", "video/x-matroska"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xml", "text/xml; charset=utf-8"),
    ("xspf", "application/xspf+xml"),
];
const PIECE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_lead_below() {
        for (path, file) in
            [("/a.png", Some("a.png")), ("/a/b%20c.txt", Some("a/b c.txt")), ("/a..b", Some("a..b"))]
        {
            assert_eq!(below(path), file.map(PathBuf::from), "{path}");
        }
        for path in [
            "",
            "/",
            "a",
            "//a",
            "/../a",
            "/%2e%2e/a",
            "/a/../b",
            "/.git/x",
            "/a/.b",
            "/a%00b",
            "/a\\b",
            "/c:x",
            "/%ff",
        ] {
            assert_eq!(below(path), None, "{path}");
        }
    }
}
