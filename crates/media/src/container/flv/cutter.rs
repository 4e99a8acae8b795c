//! Cuts Flash video into pages: one page a tag.

use super::{
    file::{Reader, Unit},
    head::{Head, Part},
    meta,
    tag::{self, Kind, Tag, Unwrap, What, packets},
};
use crate::{Cut, Item, Page, Role, TrackInfo, container::clock::APART};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// One page a tag. The header set is the file header, `onMetaData` and the sequence headers; a newcomer begins with a
/// key picture, or with any sound where there are no pictures.
#[derive(Default)]
pub struct Cutter {
    reader: Reader,
    head: Head,
    tracks: Vec<TrackInfo>,
    configs: tag::Reader,
    clock: Unwrap,
    first: Option<i64>,
    newest: i64,
    video: bool,
}

impl Cutter {
    /// A cutter that has seen nothing.
    pub fn new() -> Cutter {
        Cutter::default()
    }

    fn tag(&mut self, tag: &Tag, bytes: Bytes) -> Page {
        if let Some(part) = Part::of(tag) {
            return self.part(part, tag, bytes);
        }
        self.head.close();
        // MP3 and old pictures come without a configuration: their first frame tells
        if !self.tracks.iter().any(|track| track.id == tag::track_id(tag.kind, 0)) {
            self.learn(tag);
        }
        let at = self.time(tag.timestamp);
        let role = if self.is_entry(tag) { Role::Entry } else { Role::Plain };
        Page::new(bytes, role).at(at)
    }

    fn part(&mut self, part: Part, tag: &Tag, bytes: Bytes) -> Page {
        let mut page = Page::new(bytes, Role::Plain);
        let is_meta = part == Part::Meta;
        if self.head.take(part, &page.bytes) {
            page.role = Role::Header;
        } else {
            self.head.close();
        }
        if is_meta {
            let tags = meta::tags(&tag.payload);
            page.tags = (!tags.is_empty()).then(|| Arc::new(tags));
            return page;
        }
        self.video |= tag.kind == Kind::Video;
        self.learn(tag);
        page
    }

    /// Takes what the tag says about its track.
    fn learn(&mut self, tag: &Tag) {
        // what cannot be read is no track, and still a tag that somebody may understand
        let _ = self.configs.push(tag);
        while let Some(item) = self.configs.poll() {
            if let Item::Tracks(tracks) = item {
                self.tracks = tracks.to_vec();
            }
        }
    }

    fn is_entry(&mut self, tag: &Tag) -> bool {
        let frames = || packets(tag).filter_map(Result::ok).any(|p| matches!(p.what, What::Frame { .. }));
        match tag.kind {
            Kind::Video => {
                self.video |= frames();
                tag.is_key_picture()
            }
            Kind::Audio if self.video => false,
            Kind::Audio => frames() && (!self.head.announces_video() || self.waited()),
            Kind::Script => false,
        }
    }

    /// Whether announced pictures are so late that they will not come.
    fn waited(&self) -> bool {
        self.first.is_some_and(|first| self.newest - first > PATIENCE)
    }

    /// The newest moment, milliseconds unwrapped; it goes back only where the stream begins again.
    fn time(&mut self, raw: u32) -> Duration {
        let at = self.clock.unwrap(raw).0;
        self.first.get_or_insert(at);
        if at > self.newest || at < self.newest - APART.as_millis() as i64 {
            self.newest = at;
        }
        Duration::from_millis(u64::try_from(self.newest).unwrap_or(0))
    }
}

impl Cut for Cutter {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        Some(match self.reader.poll()? {
            Unit::Head(bytes) => {
                self.head.begin(Bytes::copy_from_slice(&bytes));
                (self.first, self.video) = (None, false);
                (self.clock, self.newest) = (Unwrap::default(), 0);
                Page::new(bytes, Role::Header)
            }
            Unit::Tag(tag, bytes) => self.tag(&tag, bytes),
        })
    }

    fn tracks(&self) -> &[TrackInfo] {
        &self.tracks
    }

    fn skipped(&self) -> u64 {
        self.reader.window.skipped()
    }

    fn header_set(&self) -> Option<Bytes> {
        self.head.whole()
    }

    fn finish(&mut self) {
        self.reader.window.finish();
    }
}

/// Milliseconds that a newcomer waits for pictures that the file header announces; many writers announce what they do
/// not have.
const PATIENCE: i64 = 5_000;
