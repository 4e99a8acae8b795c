//! One track on its way into a transport stream: its frames as PES packets carry them.

use super::{packet::Pid, tables};
use crate::{
    Codec, Frame, Kind, Timebase, TrackId, TrackInfo,
    codec::{aac, h264, h265, nal, opus},
};
use bytes::{BufMut, BytesMut};

/// A track, its counter, and the sound that waits for more to share a packet with.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: TrackId,
    pub(super) pid: Pid,
    pub(super) codec: Codec,
    /// Of Opus only.
    pub(super) channels: u8,
    pub(super) timebase: Timebase,
    /// Of the packet that comes next, 4 bits.
    pub(super) counter: u8,
    /// Decoding time of the last frame, in ticks of the stream.
    pub(super) last: Option<i64>,
    wrap: Wrap,
    held: BytesMut,
    /// When the first held frame is to be decoded.
    held_at: i64,
}

/// What is done to a frame.
#[derive(Debug)]
enum Wrap {
    /// Start codes in place of lengths, a delimiter in front, and the parameter sets before key pictures.
    Pictures {
        length: usize,
        sets: BytesMut,
        delimiter: &'static [u8],
        kind: fn(&[u8]) -> u8,
        own: fn(u8) -> Own,
    },
    Adts(aac::Config),
    Opus,
    Plain,
}

/// Units that a container may have among the others and that we write ourselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Delimiter,
    Set,
    None,
}

/// The payload of one PES packet.
pub(super) struct Load {
    pub(super) pts: i64,
    pub(super) dts: i64,
    pub(super) key: bool,
    pub(super) data: BytesMut,
}

impl Lane {
    /// The track, if a transport stream can carry it.
    pub(super) fn new(info: &TrackInfo, pid: Pid) -> Option<Lane> {
        tables::kind(info.codec)?;
        let pictures = |sets: Option<(usize, Vec<&[u8]>)>, delimiter, kind, own| {
            let (length, sets) = sets?;
            let mut bytes = BytesMut::new();
            sets.into_iter().for_each(|set| put_unit(&mut bytes, set));
            Some(Wrap::Pictures { length, sets: bytes, delimiter, kind, own })
        };
        let wrap = match info.codec {
            Codec::H264 => {
                pictures(h264::sets(&info.setup), &[0, 0, 0, 1, h264::AUD, 0xf0], h264::kind, own_h264)?
            }
            Codec::H265 => pictures(
                h265::sets(&info.setup),
                &[0, 0, 0, 1, h265::AUD << 1, 1, 0x50],
                h265::kind,
                own_h265,
            )?,
            Codec::Aac => {
                let config = aac::Config::parse(&info.setup)?;
                aac::Adts::header(config, 0)?;
                Wrap::Adts(config)
            }
            Codec::Opus => Wrap::Opus,
            _ => Wrap::Plain,
        };
        let channels = opus::Head::parse(&info.setup).map_or(2, |head| head.channels);
        Some(Lane {
            id: info.id,
            pid,
            codec: info.codec,
            channels,
            timebase: info.timebase,
            counter: 0,
            last: None,
            wrap,
            held: BytesMut::new(),
            held_at: 0,
        })
    }

    pub(super) fn is_video(&self) -> bool {
        self.codec.kind() == Kind::Video
    }

    /// Takes a frame that is decoded at `dts` and shown at `pts`; what is to be sent now: pictures at once, sound when
    /// there is enough of it.
    pub(super) fn push(&mut self, frame: &Frame, dts: i64, pts: i64) -> Option<Load> {
        if self.is_video() {
            let data = self.picture(frame)?;
            return Some(Load { pts, dts, key: frame.key, data });
        }
        let due = (self.held.len() + frame.data.len() > BUNDLE || dts - self.held_at > LONGEST)
            .then(|| self.flush())
            .flatten();
        if self.held.is_empty() {
            self.held_at = dts;
        }
        match &self.wrap {
            Wrap::Adts(config) => {
                if let Some(header) = aac::Adts::header(*config, frame.data.len()) {
                    self.held.put_slice(&header);
                    self.held.put_slice(&frame.data);
                }
            }
            Wrap::Opus => {
                super::opus::put_control(&mut self.held, frame.data.len());
                self.held.put_slice(&frame.data);
            }
            _ => self.held.put_slice(&frame.data),
        }
        due
    }

    /// The sound that waits, at once.
    pub(super) fn flush(&mut self) -> Option<Load> {
        let data = self.held.split();
        (!data.is_empty()).then_some(Load { pts: self.held_at, dts: self.held_at, key: true, data })
    }

    /// Sound waits since then.
    pub(super) fn waits_since(&self) -> Option<i64> {
        (!self.held.is_empty()).then_some(self.held_at)
    }

    /// The access unit with start codes; `None` where nothing of it is left.
    fn picture(&self, frame: &Frame) -> Option<BytesMut> {
        let Wrap::Pictures { length, sets, delimiter, kind, own } = &self.wrap else { return None };
        let mut out = BytesMut::with_capacity(frame.data.len() + sets.len() + 64);
        out.put_slice(delimiter);
        let whose = |unit: &&[u8]| own(kind(unit));
        // sets inside the stream are newer than those outside
        let brings = nal::by_lengths(&frame.data, *length).any(|unit| whose(&unit) == Own::Set);
        if frame.key && !brings {
            out.put_slice(sets);
        }
        let before = out.len();
        nal::by_lengths(&frame.data, *length)
            .filter(|unit| !unit.is_empty() && whose(unit) != Own::Delimiter)
            .for_each(|unit| put_unit(&mut out, unit));
        (out.len() > before).then_some(out)
    }
}

fn put_unit(out: &mut BytesMut, unit: &[u8]) {
    out.put_slice(&[0, 0, 0, 1]);
    out.put_slice(unit);
}

fn own_h264(kind: u8) -> Own {
    match kind {
        h264::AUD => Own::Delimiter,
        h264::SPS => Own::Set,
        _ => Own::None,
    }
}

fn own_h265(kind: u8) -> Own {
    match kind {
        h265::AUD => Own::Delimiter,
        h265::SPS => Own::Set,
        _ => Own::None,
    }
}

/// Sound waits until so many bytes are together: a PES packet of its own for each frame would cost half as much again.
const BUNDLE: usize = 1_400;
/// And no longer than 80 ms.
const LONGEST: i64 = 7_200;
