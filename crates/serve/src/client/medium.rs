//! Something that can be played: a file, standard input, or bytes in memory; and what its first bytes say it is.

use bytes::Bytes;
use levada_media::Format;
use std::{fmt, io, path::PathBuf, pin::Pin};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Where bytes to play come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A file, read as it is played.
    File(PathBuf),
    /// Standard input, which can be read once.
    Stdin,
    /// Bytes in memory, with a name.
    Memory(String, Bytes),
}

/// A medium that is being read.
pub(super) struct Open {
    /// What it is.
    pub(super) kind: Kind,
    /// Its first bytes, which told what it is.
    pub(super) first: Vec<u8>,
    /// The bytes behind those.
    pub(super) rest: Pin<Box<dyn AsyncRead + Send>>,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its container.
    pub format: Format,
    /// What listeners are told it is.
    pub content_type: &'static str,
}

impl Medium {
    /// Whether it can be read again from the beginning.
    pub fn can_repeat(&self) -> bool {
        *self != Medium::Stdin
    }

    /// A title for what has none of its own: the file's name without what is behind the last dot.
    pub fn stem(&self) -> String {
        match self {
            Medium::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            Medium::Stdin => String::new(),
            Medium::Memory(name, _) => {
                name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned()
            }
        }
    }

    /// Opens it and looks at its first bytes.
    pub(super) async fn open(&self) -> io::Result<Open> {
        let mut rest: Pin<Box<dyn AsyncRead + Send>> = match self {
            Medium::File(path) => Box::pin(tokio::fs::File::open(path).await?),
            Medium::Stdin => Box::pin(tokio::io::stdin()),
            Medium::Memory(_, bytes) => Box::pin(io::Cursor::new(bytes.clone())),
        };
        let mut first = Vec::new();
        while first.len() < FIRST {
            if rest.read_buf(&mut first).await? == 0 || *self == Medium::Stdin && first.len() >= ENOUGH {
                break;
            }
        }
        let kind = kind(&first, self.extension().as_deref());
        Ok(Open { kind, first, rest })
    }

    fn extension(&self) -> Option<String> {
        let extension = match self {
            Medium::File(path) => path.extension()?.to_string_lossy().into_owned(),
            Medium::Stdin => return None,
            Medium::Memory(name, _) => name.rsplit_once('.')?.1.to_owned(),
        };
        Some(extension.to_ascii_lowercase())
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Medium::File(path) => path.display().fmt(f),
            Medium::Stdin => f.write_str("standard input"),
            Medium::Memory(name, _) => f.write_str(name),
        }
    }
}

/// What bytes that begin with `first` are; the name helps where they do not say.
fn kind(first: &[u8], extension: Option<&str>) -> Kind {
    let has = |needle: &[u8]| first.windows(needle.len()).any(|window| window == needle);
    let format = Format::probe(first).or_else(|| named(extension?)).unwrap_or(Format::Opaque);
    let content_type = match format {
        Format::Ogg if has(b"\x80theora") => "video/ogg",
        Format::Ogg => "audio/ogg",
        Format::WebM if has(b"matroska") => "video/x-matroska",
        Format::WebM if !has(b"V_") => "audio/webm",
        format => format.content_type(),
    };
    Kind { format, content_type }
}

fn named(extension: &str) -> Option<Format> {
    match extension {
        "mp3" | "mp2" => Some(Format::Mp3),
        "aac" | "adts" => Some(Format::Adts),
        "ts" | "m2ts" | "mts" => Some(Format::MpegTs),
        _ => None,
    }
}

/// A file's tags with a picture and its first frame fit; Ogg's and WebM's headers do anyway.
const FIRST: usize = 64 * 1024;
/// Who pipes to us may be live: so much is enough to know what it is.
const ENOUGH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_they_are_and_the_name_helps() {
        for (first, extension, wanted) in [
            (&b"OggS\0\x02...\x80theora"[..], None, "video/ogg"),
            (b"OggS\0\x02...OpusHead", Some("ogv"), "audio/ogg"),
            (b"\x1a\x45\xdf\xa3..webm..V_VP8", None, "video/webm"),
            (b"\x1a\x45\xdf\xa3..webm..A_OPUS", None, "audio/webm"),
            (b"\x1a\x45\xdf\xa3..matroska..V_VP8", None, "video/x-matroska"),
            (b"\0\0", Some("aac"), "audio/aac"),
            (b"\0\0", Some("ts"), "video/mp2t"),
            (b"", None, "application/octet-stream"),
        ] {
            assert_eq!(kind(first, extension).content_type, wanted, "{first:?}");
        }
    }
}
