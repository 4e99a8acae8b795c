//! Cuts bare frames into pages: one page a frame.

use super::{
    Header,
    reader::{Reader, Unit},
};
use crate::{Cut, Page, Role, Tags, TrackInfo, container::clock::SampleClock};
use std::sync::Arc;

/// One page a frame; a newcomer may begin with any, or, where the encoder leaves its bit reservoir empty often, with
/// those frames that need nothing from the ones before. Tags around the frames and encoders' tables are skipped.
pub struct Cutter<H> {
    reader: Reader<H>,
    clock: SampleClock,
    tags: Option<Arc<Tags>>,
    tracks: Vec<TrackInfo>,
    reservoir: Reservoir,
    /// Bytes of frames that are left out, beyond what the reader skips.
    tables: u64,
}

impl<H: Header> Cutter<H> {
    /// A cutter that has seen nothing.
    pub fn new() -> Cutter<H> {
        Cutter {
            reader: Reader::default(),
            clock: SampleClock::default(),
            tags: None,
            tracks: Vec::new(),
            reservoir: Reservoir::default(),
            tables: 0,
        }
    }

    /// The bytes begin anew while time goes on: the next round of a loop.
    pub(super) fn restart(&mut self) {
        self.reader.restart();
    }
}

impl<H: Header> Default for Cutter<H> {
    fn default() -> Self {
        Cutter::new()
    }
}

impl<H: Header> Cut for Cutter<H> {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        loop {
            let (header, frame) = match self.reader.poll()? {
                Unit::Frame(header, frame) => (header, frame),
                Unit::Tags(tags) => {
                    self.tags = Some(Arc::new(tags));
                    continue;
                }
            };
            if header.is_table(&frame) {
                self.tables += frame.len() as u64;
                continue;
            }
            let track = header.track();
            if self.tracks.first() != Some(&track) {
                self.tracks = vec![track];
            }
            let at = self.clock.advance(header.samples(), header.rate());
            let entry = self.reservoir.is_entry(header.reservoir(&frame) == 0);
            let role = if entry { Role::Entry } else { Role::Plain };
            return Some(Page { tags: self.tags.take(), ..Page::new(frame, role).at(at) });
        }
    }

    fn tracks(&self) -> &[TrackInfo] {
        &self.tracks
    }

    fn skipped(&self) -> u64 {
        self.reader.window.skipped() + self.tables
    }

    fn finish(&mut self) {
        self.reader.window.finish();
    }
}

/// How often frames stand alone, which decides where a newcomer begins.
///
/// LAME fills the reservoir for minutes; decoders mute the one frame that misses its beginning and say nothing
/// (ffmpeg 5.1 over every frame of three clips), so waiting for an empty reservoir pays only where it is short.
#[derive(Default)]
struct Reservoir {
    /// Frames since the last one that stands alone.
    since: u32,
    often: bool,
}

impl Reservoir {
    fn is_entry(&mut self, alone: bool) -> bool {
        if alone {
            self.often = self.since <= OFTEN;
            self.since = 0;
            return true;
        }
        self.since = self.since.saturating_add(1);
        !self.often || self.since > OFTEN
    }
}

/// A quarter of a second of frames at 44.1 kHz: a newcomer does not notice the wait.
const OFTEN: u32 = 10;
