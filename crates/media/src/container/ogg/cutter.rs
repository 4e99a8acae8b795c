//! Cuts Ogg into its pages and says where one may begin.

use super::chain::{Chain, Step, StepKind};
use super::page::PageHeader;
use super::stream::Seen;
use super::sync::Sync;
use crate::{Cut, Page, Role, TrackInfo};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Passes the pages of an Ogg stream on as they are.
///
/// *Headers* are the first pages of all logical streams and everything up to the first page that holds only
/// data. Each new link of a chain begins a new set; where a link ends before its data, an empty page stands
/// between the two sets.
///
/// *Entries* are pages that do not begin inside a packet, while no other logical stream is inside one, and
/// that, where there is a Theora picture, begin with a key frame. What cannot be had is not waited for for
/// ever: after two key frames inside pages the page with the third will do (its first pictures are grey), after
/// sixteen pages of sound that begin inside a packet the next one (decoders drop the torn packet). See
/// [`Align`](super::Align) for streams whose key frames stand inside pages, as VLC writes them. The last page
/// of a stream is an entry only where there was no other.
///
/// *Time* is that of the page's own codec, but never earlier than that of a page before, unless by more than ten
/// seconds: then the clock has been set anew.
pub struct Cutter {
    sync: Sync,
    chain: Chain,
    ready: VecDeque<Page>,
    latest: Option<Duration>,
    last_role: Role,
    /// Entries offered in this link.
    offered: u64,
    /// Chances to begin passed over since the last entry.
    passed: u32,
}

impl Cutter {
    /// A cutter that has seen nothing.
    pub fn new() -> Cutter {
        Cutter {
            sync: Sync::new(),
            chain: Chain::new(),
            ready: VecDeque::new(),
            latest: None,
            last_role: Role::Plain,
            offered: 0,
            passed: 0,
        }
    }

    fn page(&mut self, header: &PageHeader, bytes: Bytes) -> Page {
        let Step { anew, kind, tags } = self.chain.take(header, &bytes);
        if anew {
            (self.latest, self.offered, self.passed) = (None, 0, 0);
            if self.last_role == Role::Header {
                self.ready.push_back(Page::new(Bytes::new(), Role::Plain));
            }
        }
        let (role, at) = match kind {
            StepKind::Header(..) => (Role::Header, None),
            StepKind::Data(stream, seen) => (self.role(header, stream, &seen), self.time(header, stream)),
            StepKind::Stray => (Role::Plain, None),
        };
        self.last_role = role;
        // headers are kept while the link lives: not together with the buffer that they came in
        let bytes = if role == Role::Header { Bytes::copy_from_slice(&bytes) } else { bytes };
        Page { at, tags: tags.map(Arc::new), ..Page::new(bytes, role) }
    }

    fn role(&mut self, header: &PageHeader, stream: usize, seen: &Seen) -> Role {
        let Some(first) = seen.first_begun().filter(|_| self.is_clock(stream)) else { return Role::Plain };
        let Some(key) = seen.first_key else { return Role::Plain };
        let others = self.chain.streams().iter().enumerate();
        let torn = others.clone().any(|(index, other)| index != stream && other.open);
        let clean = !header.continued && !torn && key == first;
        self.passed += u32::from(!clean);
        let patience = if self.chain.has_video() { KEYS_PASSED } else { PAGES_PASSED };
        if !(clean || self.passed > patience) || header.last && self.offered > 0 {
            return Role::Plain;
        }
        self.offered += 1;
        self.passed = 0;
        Role::Entry
    }

    /// Whether one may begin with this stream: the picture where there is one, else the sound, else anything.
    fn is_clock(&self, stream: usize) -> bool {
        let Some(stream) = self.chain.streams().get(stream).filter(|_| self.chain.is_ready()) else {
            return false;
        };
        let media = self.chain.streams().iter().any(|other| other.is_sound() && other.coding.is_media());
        stream.is_sound()
            && stream.coding.is_media() == media
            && (stream.coding.is_video() || !self.chain.has_video())
    }

    fn time(&mut self, header: &PageHeader, stream: usize) -> Option<Duration> {
        let at = self.chain.time(stream, header.mark()?)?;
        let back = self.latest.is_some_and(|latest| at < latest && latest - at < CLOCK_SET);
        self.latest = if back { self.latest } else { Some(at) };
        self.latest
    }
}

impl Default for Cutter {
    fn default() -> Cutter {
        Cutter::new()
    }
}

impl Cut for Cutter {
    fn push(&mut self, bytes: &[u8]) {
        self.sync.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        if let Some(page) = self.ready.pop_front() {
            return Some(page);
        }
        let (header, bytes) = self.sync.poll()?;
        let page = self.page(&header, bytes);
        self.ready.push_back(page);
        self.ready.pop_front()
    }

    fn tracks(&self) -> &[TrackInfo] {
        self.chain.tracks()
    }

    fn skipped(&self) -> u64 {
        self.sync.skipped()
    }

    fn finish(&mut self) {
        self.sync.finish();
    }
}

/// Key frames to pass over while waiting for one that begins a page.
const KEYS_PASSED: u32 = 2;
/// Pages of sound to pass over while waiting for one that does not begin inside a packet.
const PAGES_PASSED: u32 = 16;
/// Streams side by side are never that far apart, so this is another clock.
const CLOCK_SET: Duration = Duration::from_secs(10);
