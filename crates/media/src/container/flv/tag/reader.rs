//! Turns tags into tracks and frames.

use super::{Error, Kind, Packet, Tag, Timeline, What, packets};
use crate::{Codec, Frame, Item, Span, Timebase, Timestamp, TrackId, TrackInfo};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Reads the tags of one stream.
///
/// Sequence headers become [`Item::Tracks`], whenever one is new or has changed; frames are placed on one timeline
/// of milliseconds that neither wraps nor goes back within a track. Script tags are not read. Frames that came
/// before the configuration that their codec needs are left out and counted.
#[derive(Debug, Default)]
pub struct Reader {
    tracks: BTreeMap<TrackId, Track>,
    timeline: Timeline,
    ready: VecDeque<Item>,
    orphans: u64,
}

#[derive(Debug)]
struct Track {
    info: TrackInfo,
    last: Option<Timestamp>,
}

impl Reader {
    /// A reader that has seen nothing.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes the next tag.
    ///
    /// # Errors
    /// When the payload cannot be read; the reader may go on with the next tag.
    pub fn push(&mut self, tag: &Tag) -> Result<(), Error> {
        let mut at = None;
        for packet in packets(tag) {
            let packet = packet?;
            let id = track_id(tag.kind, packet.track);
            match packet.what {
                What::Setup => self.setup(id, packet.codec, packet.data)?,
                What::Frame { key, composition } => {
                    let at = *at.get_or_insert_with(|| self.timeline.place(tag.timestamp));
                    self.frame(id, &packet, at, key, composition)?;
                }
                What::End | What::Metadata | What::Command(_) => {}
            }
        }
        Ok(())
    }

    /// The next item, `None` when more tags are needed.
    pub fn poll(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// The tags that follow come from a source that begins again.
    pub fn restart(&mut self) {
        self.timeline.restart();
    }

    /// Frames left out because their decoder configuration had not come.
    pub fn orphans(&self) -> u64 {
        self.orphans
    }

    fn setup(&mut self, id: TrackId, codec: Codec, setup: Bytes) -> Result<(), Error> {
        if setup.len() > MAX_SETUP {
            return Err(Error::Setup(setup.len()));
        }
        let known = self.tracks.get(&id).is_some_and(|t| t.info.codec == codec && t.info.setup == setup);
        if known {
            return Ok(());
        }
        if self.tracks.len() >= MAX_TRACKS && !self.tracks.contains_key(&id) {
            return Err(Error::Tracks);
        }
        let last = self.tracks.get(&id).and_then(|track| track.last);
        // a copy: the configuration must not keep a large message alive for as long as the stream lives
        let setup = Bytes::copy_from_slice(&setup);
        let info = TrackInfo { id, codec, timebase: Timebase::MILLIS, setup };
        self.tracks.insert(id, Track { info, last });
        self.ready.push_back(Item::Tracks(self.tracks.values().map(|track| track.info.clone()).collect()));
        Ok(())
    }

    fn frame(
        &mut self,
        id: TrackId,
        packet: &Packet,
        at: Timestamp,
        key: bool,
        composition: i32,
    ) -> Result<(), Error> {
        let known = self.tracks.get(&id).is_some_and(|track| track.info.codec == packet.codec);
        if !known {
            if needs_setup(packet.codec) {
                self.orphans += 1;
                return Ok(());
            }
            self.setup(id, packet.codec, Bytes::new())?;
        }
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        let dts = track.last.map_or(at, |last| last.max(at));
        track.last = Some(dts);
        let pts = Timestamp(dts.0.saturating_add(i64::from(composition)));
        let data = packet.data.clone();
        self.ready.push_back(Item::Frame(Frame { track: id, dts, pts, span: Span(0), key, data }));
        Ok(())
    }
}

/// The id of track `number` of its kind: video counts from 0, audio from 256.
pub fn track_id(kind: Kind, number: u8) -> TrackId {
    match kind {
        Kind::Video => TrackId(u32::from(number)),
        Kind::Audio | Kind::Script => TrackId(256 + u32::from(number)),
    }
}

/// Whether nothing can be decoded before the sequence header.
pub(super) fn needs_setup(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::H265 | Codec::Aac | Codec::Opus | Codec::Flac)
}

/// Tracks of one stream, pictures and sound together; more are refused.
pub const MAX_TRACKS: usize = 32;
/// Bytes of one decoder configuration; a larger one is refused (avcC with all its sets stays below 64 KiB).
pub const MAX_SETUP: usize = 256 * 1024;
