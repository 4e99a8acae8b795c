//! Containers: what they have in common, and how to tell them apart.

use crate::{Frame, Tags, TrackInfo};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

pub mod adts;
pub mod bare;
mod clock;
pub mod flv;
pub mod fmp4;
mod id3;
mod joint;
pub mod mpa;
pub mod ogg;
mod opaque;
mod order;
mod probe;
#[cfg(test)]
mod sketch;
pub mod ts;
pub mod webm;
mod window;

/// A container (or bare stream) format that levada knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Ogg with any codecs inside (RFC 3533).
    Ogg,
    /// WebM or Matroska (RFC 9559).
    WebM,
    /// Bare MPEG audio frames, layers I to III (ISO 11172-3, 13818-3).
    Mp3,
    /// AAC in ADTS frames (ISO 13818-7).
    Adts,
    /// MPEG transport stream (ISO 13818-1).
    MpegTs,
    /// Flash video.
    Flv,
    /// Anything else: passed on as it came, one may begin anywhere.
    Opaque,
}

impl Format {
    /// The format that a `Content-Type` names; parameters and letter case do not matter.
    ///
    /// ```
    /// use levada_media::Format;
    /// assert_eq!(Format::from_content_type("application/ogg; codecs=theora"), Format::Ogg);
    /// assert_eq!(Format::from_content_type("text/html"), Format::Opaque);
    /// ```
    pub fn from_content_type(content_type: &str) -> Format {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/ogg" | "audio/ogg" | "video/ogg" | "application/x-ogg" | "audio/x-ogg"
            | "audio/opus" => Format::Ogg,
            "video/webm" | "audio/webm" | "video/x-matroska" | "audio/x-matroska" | "video/matroska"
            | "audio/matroska" => Format::WebM,
            "audio/mpeg" | "audio/mp3" | "audio/x-mp3" | "audio/x-mpeg" | "audio/mpa" => Format::Mp3,
            "audio/aac" | "audio/aacp" | "audio/x-aac" | "audio/x-hx-aac-adts" => Format::Adts,
            "video/mp2t" | "video/mpeg2ts" | "video/x-mpegts" => Format::MpegTs,
            "video/x-flv" | "video/flv" => Format::Flv,
            _ => Format::Opaque,
        }
    }

    /// The format that a stream or file begins with, or `None` where its first bytes are of none that we know.
    ///
    /// A few kilobytes are enough. Bare frames are told by two in a row, which may begin behind a tag or within the
    /// first 4 KiB, because a live stream may begin in the middle of a frame.
    ///
    /// ```
    /// use levada_media::Format;
    /// assert_eq!(Format::probe(b"OggS\0\x02"), Some(Format::Ogg));
    /// assert_eq!(Format::probe(b"<html>"), None);
    /// ```
    pub fn probe(bytes: &[u8]) -> Option<Format> {
        probe::probe(bytes)
    }

    /// The `Content-Type` to answer with when the source gave none.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Ogg => "application/ogg",
            Format::WebM => "video/webm",
            Format::Mp3 => "audio/mpeg",
            Format::Adts => "audio/aac",
            Format::MpegTs => "video/mp2t",
            Format::Flv => "video/x-flv",
            Format::Opaque => "application/octet-stream",
        }
    }

    /// A machine that cuts this format.
    pub fn cutter(self) -> Box<dyn Cut> {
        match self {
            Format::Ogg => Box::new(ogg::Cutter::new()),
            Format::WebM => Box::new(webm::Cutter::new()),
            Format::MpegTs => Box::new(ts::Cutter::new()),
            Format::Mp3 => Box::new(mpa::Cutter::new()),
            Format::Adts => Box::new(adts::Cutter::new()),
            Format::Flv => Box::new(flv::Cutter::new()),
            _ => Box::new(opaque::Cutter::new()),
        }
    }

    /// A machine that opens this format; `None` where we only pass it on.
    pub fn demuxer(self) -> Option<Box<dyn Demux>> {
        Some(match self {
            Format::Ogg => Box::new(ogg::Demux::new()),
            Format::WebM => Box::new(webm::Demux::new()),
            Format::MpegTs => Box::new(ts::Demux::new()),
            Format::Mp3 => Box::new(mpa::Demux::new()),
            Format::Adts => Box::new(adts::Demux::new()),
            Format::Flv => Box::new(flv::Demux::new()),
            Format::Opaque => return None,
        })
    }
}

/// What a page is for a newcomer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Part of the header set. The first header page after another role begins a new set, which replaces
    /// the old one (chained Ogg, new codec configuration).
    Header,
    /// A newcomer may begin here, after the header set.
    Entry,
    /// Everything else.
    #[default]
    Plain,
}

/// A unit of muxed bytes that must stay together: an Ogg page, a WebM element, a frame, a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The bytes exactly as they travel, shared. Empty for a page that carries only tags.
    pub bytes: Bytes,
    /// What it is for a newcomer.
    pub role: Role,
    /// Media time at its *end*, counted from wherever the stream's own clock begins; `None` where the bytes do
    /// not say. It may go back where a stream restarts or chains.
    pub at: Option<Duration>,
    /// What is playing from here on, where this page changes it.
    pub tags: Option<Arc<Tags>>,
    /// What newcomers get from here on in place of the header pages gathered so far, where those would not do
    /// ([`Cut::header_set`]).
    pub set: Option<Bytes>,
}

impl Page {
    /// A page of `role` without time or tags.
    pub fn new(bytes: Bytes, role: Role) -> Page {
        Page { bytes, role, at: None, tags: None, set: None }
    }

    /// The same page at `at`.
    pub fn at(mut self, at: Duration) -> Page {
        self.at = Some(at);
        self
    }

    /// A page without bytes that tells what is playing from here on.
    pub fn tags(tags: Tags) -> Page {
        Page { tags: Some(Arc::new(tags)), ..Page::new(Bytes::new(), Role::Plain) }
    }
}

/// Cuts a container's bytes into pages without changing one of them.
///
/// Fed with any split of the bytes it yields the same pages; joined together they are the input again, less the
/// bytes counted in [`Cut::skipped`]. Garbage is skipped and counted, never an error: a live stream goes on.
/// Memory is bounded: what cannot be a page within the format's largest unit is skipped.
pub trait Cut: Send {
    /// Takes the next bytes.
    fn push(&mut self, bytes: &[u8]);
    /// The next page, or `None` when more bytes are needed.
    fn poll(&mut self) -> Option<Page>;
    /// The tracks seen so far; empty where the format does not say.
    fn tracks(&self) -> &[TrackInfo] {
        &[]
    }
    /// Bytes thrown away because they were no part of the format.
    fn skipped(&self) -> u64 {
        0
    }
    /// What newcomers get for header set after the last page, if that was a header page, where it is not the run of
    /// header pages that ends with it: the page replaces only a part of the set (an FLV sequence header that changes
    /// in mid-stream), or the set says what is true only for who has all of the stream (a Segment's size).
    fn header_set(&self) -> Option<Bytes> {
        None
    }
    /// The input ended: what is left comes out of `poll` as far as it is whole.
    fn finish(&mut self) {}
}

/// What comes out of a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The tracks, before their first frame and again whenever they change.
    Tracks(Arc<[TrackInfo]>),
    /// One coded unit.
    Frame(Frame),
    /// What is playing from here on.
    Tags(Arc<Tags>),
}

/// Opens a container into frames, fed with any split of its bytes.
pub trait Demux: Send {
    /// Takes the next bytes.
    fn push(&mut self, bytes: &[u8]);
    /// The next item, `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes cannot be this container at all; mere damage is skipped.
    fn poll(&mut self) -> Result<Option<Item>, Error>;
    /// The input ended: what is left comes out of `poll` as far as it is whole.
    fn finish(&mut self) {}
}

/// Closes items into pages of a container.
pub trait Mux: Send {
    /// Takes the next item.
    ///
    /// # Errors
    /// When the container cannot carry it.
    fn push(&mut self, item: &Item) -> Result<(), Error>;
    /// The next finished page.
    fn poll(&mut self) -> Option<Page>;
}

/// Why a container could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// These bytes are not the format they were said to be.
    #[error("not {0}")]
    Not(&'static str),
    /// The container has no place for this codec.
    #[error("{container} cannot carry {codec}")]
    Carry {
        /// The container's name.
        container: &'static str,
        /// The codec's name.
        codec: &'static str,
    },
}
