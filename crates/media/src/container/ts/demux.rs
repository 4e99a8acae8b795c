//! Opens transport streams into tracks and frames.

use super::{frames::Frames, sync::Sync};
use crate::{Error, Frame, Item, TrackInfo};
use std::collections::VecDeque;

/// Yields each track once its decoder's configuration has come, and its frames. Pictures come with lengths instead of
/// start codes (avcC, hvcC), AAC without its ADTS headers; times count 90 kHz.
///
/// A picture whose PES packet does not tell its length comes out when the next begins.
#[derive(Default)]
pub struct Demux {
    sync: Sync,
    frames: Frames,
    told: Vec<TrackInfo>,
    ready: VecDeque<Item>,
}

impl Demux {
    /// A demuxer that has seen nothing.
    pub fn new() -> Demux {
        Demux::default()
    }

    fn tell(&mut self, frames: Vec<Frame>) {
        if frames.is_empty() {
            return;
        }
        let tracks = self.frames.tracks();
        if tracks != self.told {
            self.ready.push_back(Item::Tracks(tracks.clone().into()));
            self.told = tracks;
        }
        let is_told = |frame: &Frame| self.told.iter().any(|track| track.id == frame.track);
        self.ready.extend(frames.into_iter().filter(is_told).map(Item::Frame));
    }
}

impl crate::Demux for Demux {
    fn push(&mut self, bytes: &[u8]) {
        self.sync.window.push(bytes);
    }

    fn poll(&mut self) -> Result<Option<Item>, Error> {
        while self.ready.is_empty() {
            let Some(packet) = self.sync.poll() else { return Ok(None) };
            let frames = self.frames.take(&packet);
            self.tell(frames);
        }
        Ok(self.ready.pop_front())
    }

    fn finish(&mut self) {
        self.sync.window.finish();
        while let Some(packet) = self.sync.poll() {
            let frames = self.frames.take(&packet);
            self.tell(frames);
        }
        let frames = self.frames.finish();
        self.tell(frames);
    }
}
