//! One elementary stream: from the payload of a PES packet to frames as other containers have them.

use super::{
    opus,
    picture::Pictures,
    psi::{Stream, StreamKind},
    sound::Sounds,
};
use crate::{Frame, Span, Timebase, Timestamp, TrackId, TrackInfo, codec};
use bytes::Bytes;

/// A PES packet's times and payload.
pub(super) struct Unit {
    pub(super) pts: Timestamp,
    pub(super) dts: Timestamp,
    /// The container says that a decoder may begin here.
    pub(super) key: bool,
    pub(super) data: Bytes,
}

/// What is known of a stream.
pub(super) struct Elementary {
    id: TrackId,
    kind: StreamKind,
    /// What a decoder must know first, once it has come.
    setup: Option<Bytes>,
    opener: Opener,
}

enum Opener {
    Pictures(Pictures),
    Adts(Sounds<codec::aac::Adts>),
    Mpa(Sounds<codec::mpa::Header>),
    Opus,
    /// Each PES packet is taken for a frame.
    None,
}

impl Elementary {
    pub(super) fn new(stream: Stream) -> Elementary {
        let opener = match stream.kind {
            StreamKind::H264 => Opener::Pictures(Pictures::h264()),
            StreamKind::H265 => Opener::Pictures(Pictures::h265()),
            StreamKind::Adts => Opener::Adts(Sounds::default()),
            StreamKind::Mpa => Opener::Mpa(Sounds::default()),
            StreamKind::Opus(_) => Opener::Opus,
            _ => Opener::None,
        };
        let setup = match stream.kind {
            StreamKind::Opus(channels) => Some(opus::head(channels)),
            _ => matches!(opener, Opener::None).then(Bytes::new),
        };
        Elementary { id: TrackId(u32::from(stream.pid)), kind: stream.kind, setup, opener }
    }

    /// The track, once its decoder's configuration has come.
    pub(super) fn info(&self) -> Option<TrackInfo> {
        let setup = self.setup.clone()?;
        Some(TrackInfo { id: self.id, codec: self.kind.codec(), timebase: Timebase::MPEG, setup })
    }

    /// Bytes are missing before the next unit: the beginning of a frame is worth nothing.
    pub(super) fn forget(&mut self) {
        match &mut self.opener {
            Opener::Adts(sounds) => sounds.forget(),
            Opener::Mpa(sounds) => sounds.forget(),
            Opener::Pictures(_) | Opener::Opus | Opener::None => {}
        }
    }

    /// The frames in `unit`, also before the configuration; [`Elementary::info`] may say another thing afterwards.
    pub(super) fn open(&mut self, unit: Unit) -> Vec<Frame> {
        let track = self.id;
        let frame = |pts, dts, span, key, data| Frame { track, pts, dts, span: Span(span), key, data };
        let sound = |(at, span, data)| frame(at, at, span, true, data);
        match &mut self.opener {
            Opener::Pictures(pictures) => {
                let (key, data) = pictures.open(&unit.data);
                self.setup = pictures.config().or(self.setup.take());
                let frame = (!data.is_empty()).then(|| frame(unit.pts, unit.dts, 0, key || unit.key, data));
                frame.into_iter().collect()
            }
            Opener::Adts(sounds) => {
                let frames = sounds.open(&unit);
                self.setup = sounds.setup();
                frames.into_iter().map(sound).collect()
            }
            Opener::Mpa(sounds) => {
                let frames = sounds.open(&unit);
                self.setup = sounds.setup();
                frames.into_iter().map(sound).collect()
            }
            Opener::Opus => opus::open(&unit).into_iter().map(sound).collect(),
            Opener::None => vec![frame(unit.pts, unit.dts, 0, unit.key, unit.data)],
        }
    }
}
