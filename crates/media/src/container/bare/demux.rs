//! Opens bare frames: the one track, and each frame without its shell.

use super::{
    Header,
    reader::{Reader, Unit},
};
use crate::{Error, Frame, Item, Span, Timestamp, TrackInfo};
use std::sync::Arc;

/// Yields the track before the first frame and whenever it changes; each frame is a key frame. Time counts samples
/// from the first frame on, and goes on where the track changes.
pub struct Demux<H> {
    reader: Reader<H>,
    track: Option<TrackInfo>,
    next: Timestamp,
    /// The frame that came together with a new track.
    held: Option<Item>,
}

impl<H: Header> Demux<H> {
    /// A demuxer that has seen nothing.
    pub fn new() -> Demux<H> {
        Demux { reader: Reader::default(), track: None, next: Timestamp(0), held: None }
    }

    fn frame(&mut self, header: H, frame: bytes::Bytes) -> Option<Item> {
        if header.is_table(&frame) {
            return None;
        }
        let info = header.track();
        let (dts, span) = (self.rescaled(&info), Span(u64::from(header.samples())));
        self.next = dts + span;
        let data = frame.slice(header.shell().min(frame.len())..);
        let item = Item::Frame(Frame { track: info.id, dts, pts: dts, span, key: true, data });
        if self.track.as_ref() == Some(&info) {
            return Some(item);
        }
        self.held = Some(item);
        self.track = Some(info.clone());
        Some(Item::Tracks(Arc::new([info])))
    }

    /// The present time in the ticks of `info`.
    fn rescaled(&self, info: &TrackInfo) -> Timestamp {
        match &self.track {
            Some(old) if old.timebase != info.timebase => {
                info.timebase.ticks(old.timebase.duration(self.next))
            }
            _ => self.next,
        }
    }
}

impl<H: Header> Default for Demux<H> {
    fn default() -> Self {
        Demux::new()
    }
}

impl<H: Header> crate::Demux for Demux<H> {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Result<Option<Item>, Error> {
        if let Some(item) = self.held.take() {
            return Ok(Some(item));
        }
        while let Some(unit) = self.reader.poll() {
            let item = match unit {
                Unit::Tags(tags) => Some(Item::Tags(Arc::new(tags))),
                Unit::Frame(header, frame) => self.frame(header, frame),
            };
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }
    fn finish(&mut self) {
        self.reader.window.finish();
    }
}
