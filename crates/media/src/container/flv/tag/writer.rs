//! Turns tracks and frames into tags.

use super::{FourCc, Kind, Packet, Tag, View, What, metadata};
use crate::{Codec, Error, Frame, Item, Kind as TrackKind, Timebase, Timestamp, TrackId, TrackInfo};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// Writes items as the tags of one stream, for players of one [`View`].
///
/// Tracks that the view cannot show are left out, together with their frames. Metadata that announce the tracks, and
/// the sequence headers of all of them, are written whenever the tracks change.
#[derive(Debug)]
pub struct Writer {
    view: View,
    tracks: Vec<Lane>,
    newest: u32,
    ready: VecDeque<Tag>,
}

/// A track and its place among the tracks of its kind.
#[derive(Debug)]
struct Lane {
    id: TrackId,
    timebase: Timebase,
    kind: Kind,
    codec: Codec,
    number: u8,
}

impl Writer {
    /// A writer for players of `view`.
    pub fn new(view: View) -> Writer {
        Writer { view, tracks: Vec::new(), newest: 0, ready: VecDeque::new() }
    }

    /// Takes the next item.
    ///
    /// # Errors
    /// When not one of the tracks can be shown.
    pub fn push(&mut self, item: &Item) -> Result<(), Error> {
        match item {
            Item::Tracks(tracks) => self.tracks(tracks),
            Item::Frame(frame) => {
                self.frame(frame);
                Ok(())
            }
            Item::Tags(_) => Ok(()),
        }
    }

    /// The next tag.
    pub fn poll(&mut self) -> Option<Tag> {
        self.ready.pop_front()
    }

    fn tracks(&mut self, tracks: &Arc<[TrackInfo]>) -> Result<(), Error> {
        self.tracks.clear();
        let mut setups = Vec::new();
        for info in tracks.iter() {
            let Some(lane) = self.lane(info) else { continue };
            let setup = lane.packet(What::Setup, info.setup.clone());
            if self.view.write(lane.kind, &lane.packet(FRAME, Bytes::new())).is_none() {
                continue;
            }
            if let (false, Some(payload)) = (info.setup.is_empty(), self.view.write(lane.kind, &setup)) {
                setups.push(Tag { kind: lane.kind, timestamp: self.newest, payload });
            }
            self.tracks.push(lane);
        }
        let first = |kind| self.tracks.iter().find(|lane| lane.kind == kind).map(|lane| lane.codec);
        self.ready.push_back(metadata::write(self.newest, first(Kind::Video), first(Kind::Audio)));
        self.ready.extend(setups);
        match (tracks.first(), self.tracks.is_empty()) {
            (Some(first), true) => Err(Error::Carry { container: "flv", codec: first.codec.name() }),
            _ => Ok(()),
        }
    }

    fn lane(&self, info: &TrackInfo) -> Option<Lane> {
        let kind = match info.codec.kind() {
            TrackKind::Video => Kind::Video,
            TrackKind::Audio => Kind::Audio,
            TrackKind::Data => return None,
        };
        let number = self.tracks.iter().filter(|lane| lane.kind == kind).count();
        let number = u8::try_from(number).ok()?;
        Some(Lane { id: info.id, timebase: info.timebase, kind, codec: info.codec, number })
    }

    fn frame(&mut self, frame: &Frame) {
        let Some(lane) = self.tracks.iter().find(|lane| lane.id == frame.track) else { return };
        let (dts, pts) = (millis(lane.timebase, frame.dts), millis(lane.timebase, frame.pts));
        let composition = (pts - dts).clamp(-COMPOSITION_LIMIT, COMPOSITION_LIMIT) as i32;
        let packet = lane.packet(What::Frame { key: frame.key, composition }, frame.data.clone());
        let Some(payload) = self.view.write(lane.kind, &packet) else { return };
        // the counter wraps at 2^32 by design
        let timestamp = dts.max(0) as u32;
        self.newest = timestamp;
        self.ready.push_back(Tag { kind: lane.kind, timestamp, payload });
    }
}

impl Lane {
    fn packet(&self, what: What, data: Bytes) -> Packet {
        Packet { track: self.number, codec: self.codec, fourcc: FourCc::of(self.codec), what, nanos: 0, data }
    }
}

fn millis(timebase: Timebase, at: Timestamp) -> i64 {
    let millis = i128::from(at.0) * i128::from(timebase.num) * 1_000 / i128::from(timebase.den.max(1));
    millis.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4)) as i64
}

const FRAME: What = What::Frame { key: true, composition: 0 };
/// 24 bits signed.
const COMPOSITION_LIMIT: i64 = (1 << 23) - 1;
