//! The header set: the file header, what describes the stream, and each track's configuration.

use super::{
    meta,
    tag::{Kind, Tag, What, packets},
};
use bytes::{Bytes, BytesMut};

/// The parts of the header set in force, in the order in which they first came.
#[derive(Default)]
pub(super) struct Head {
    file: Bytes,
    parts: Vec<(Part, Bytes)>,
    /// Nothing but header parts came since the file header.
    open: bool,
    replaced: bool,
}

/// What a part describes; a later one replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `onMetaData`.
    Meta,
    /// The configuration of these tracks of one kind.
    Setup(Kind, Vec<u8>),
}

impl Part {
    /// Which part of the header set `tag` is, if any.
    pub(super) fn of(tag: &Tag) -> Option<Part> {
        if meta::is_meta(tag) {
            return Some(Part::Meta);
        }
        let set_up = packets(tag).filter_map(Result::ok).filter(|packet| packet.what == What::Setup);
        let tracks: Vec<u8> = set_up.map(|packet| packet.track).collect();
        (!tracks.is_empty()).then_some(Part::Setup(tag.kind, tracks))
    }
}

impl Head {
    /// A new file begins.
    pub(super) fn begin(&mut self, file: Bytes) {
        *self = Head { file, open: true, ..Head::default() };
    }

    /// Takes a part of the set; whether it says anything new.
    pub(super) fn take(&mut self, part: Part, tag: &Bytes) -> bool {
        let known = self.parts.iter().position(|(other, _)| *other == part);
        if known.is_some_and(|at| payload(&self.parts[at].1) == payload(tag)) {
            self.replaced = false;
            return self.open;
        }
        // a copy: it must not keep a read buffer alive for as long as the stream lives
        let tag = Bytes::copy_from_slice(tag);
        match known {
            Some(at) => self.parts[at].1 = tag,
            None if self.parts.len() < MOST => self.parts.push((part, tag)),
            None => return false,
        }
        self.replaced = !self.open;
        true
    }

    /// Something else than a header part came.
    pub(super) fn close(&mut self) {
        (self.open, self.replaced) = (false, false);
    }

    /// The whole set, where the last part replaced only some of it.
    pub(super) fn whole(&self) -> Option<Bytes> {
        if !self.replaced {
            return None;
        }
        let mut whole = BytesMut::from(&self.file[..]);
        self.parts.iter().for_each(|(_, bytes)| whole.extend_from_slice(bytes));
        Some(whole.freeze())
    }

    /// Whether the file header announces pictures.
    pub(super) fn announces_video(&self) -> bool {
        self.file.get(4).is_some_and(|flags| flags & 1 != 0)
    }
}

/// A tag without its header: kind and time do not make it new.
fn payload(tag: &[u8]) -> &[u8] {
    tag.get(super::file::BEFORE..).unwrap_or_default()
}

/// `onMetaData` and a configuration for each track that a stream may have.
const MOST: usize = 1 + super::tag::MAX_TRACKS;
