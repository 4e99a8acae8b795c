//! One track on its way into fragments.

use super::{
    entry::{self, Entry},
    fragment::Sample,
};
use crate::{Codec, Frame, Kind, Timebase, Timestamp, TrackId, TrackInfo};
use std::mem::take;

/// One track: its frames in ticks, of which the last waits for the next to know how long it lasts.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) track: TrackInfo,
    /// Known from the setup, or from the first frame.
    pub(super) entry: Option<Entry>,
    pending: Option<Sample>,
    ready: Vec<Sample>,
    bytes: usize,
    span: u32,
}

impl Lane {
    pub(super) fn new(track: TrackInfo) -> Lane {
        let entry = Entry::new(&track, &[]);
        Lane { track, entry, pending: None, ready: Vec::new(), bytes: 0, span: 0 }
    }

    pub(super) fn id(&self) -> TrackId {
        self.track.id
    }

    pub(super) fn kind(&self) -> Kind {
        self.track.codec.kind()
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When its newest frame is decoded, in seconds' parts of its timebase.
    pub(super) fn newest(&self) -> Option<u64> {
        self.pending.as_ref().map(|sample| sample.dts)
    }

    /// Whether its first frame that waits may be begun with.
    pub(super) fn is_key(&self) -> bool {
        self.kind() == Kind::Audio || self.ready.first().is_some_and(|sample| sample.key)
    }

    /// Ticks of a second.
    pub(super) fn timescale(&self) -> u64 {
        self.entry.as_ref().map_or(1, |entry| u64::from(entry.timescale))
    }

    /// `frame` in the lane's ticks, `shift` seconds later; `None` where the track has not said what it is.
    pub(super) fn sample(&mut self, frame: &Frame, shift: i64) -> Option<Sample> {
        if self.entry.is_none() {
            self.entry = Entry::new(&self.track, &frame.data);
        }
        let to = self.entry.as_ref()?.timebase();
        let shift = shift.saturating_mul(i64::from(to.den));
        let ticks = |at| convert(at, self.track.timebase, to).saturating_add(shift);
        let (dts, pts) = (ticks(frame.dts), ticks(frame.pts));
        let ahead = i32::try_from(pts.saturating_sub(dts)).unwrap_or(0);
        let at = self.smoothed(u64::try_from(dts).unwrap_or(0));
        Some(Sample { dts: at, ahead, span: 0, key: frame.key, data: frame.data.clone() })
    }

    /// Takes the next sample. `Err` if its time does not follow the last one's, which goes on as it was.
    pub(super) fn push(&mut self, sample: Sample) -> Result<(), Sample> {
        let step = match &self.pending {
            None => 0,
            Some(last) => match sample.dts.checked_sub(last.dts) {
                Some(step) if step <= LONGEST_STEP.saturating_mul(self.timescale()) => step,
                _ => return Err(sample),
            },
        };
        self.bytes = self.bytes.saturating_add(sample.data.len());
        if let Some(mut last) = self.pending.replace(sample) {
            last.span = u32::try_from(step).unwrap_or(u32::MAX);
            self.span = last.span;
            self.ready.push(last);
        }
        Ok(())
    }

    /// Lets the last frame go too, as long as it says or as the one before.
    pub(super) fn finish(&mut self) {
        let Some(mut last) = self.pending.take() else { return };
        last.span = entry::span(&self.track, &last.data).unwrap_or(self.span);
        self.ready.push(last);
    }

    /// How long the newest whole frame lasts.
    pub(super) fn last_span(&self) -> u32 {
        self.span
    }

    /// Where the frames that are ready begin and end.
    pub(super) fn reach(&self) -> Option<(u64, u64)> {
        let (first, last) = (self.ready.first()?, self.ready.last()?);
        Some((first.dts, last.dts.saturating_add(u64::from(last.span))))
    }

    /// The frames that are ready.
    pub(super) fn drain(&mut self) -> Vec<Sample> {
        self.bytes = self.pending.as_ref().map_or(0, |sample| sample.data.len());
        take(&mut self.ready)
    }

    /// Containers count milliseconds, decoders samples: a frame of sound that lies where the last one ends but for that
    /// lies there.
    fn smoothed(&self, at: u64) -> u64 {
        let Some(last) = self.pending.as_ref().filter(|_| self.track.codec.kind() == Kind::Audio) else {
            return at;
        };
        let Some(span) = entry::span(&self.track, &last.data) else { return at };
        let due = last.dts.saturating_add(u64::from(span));
        if due.abs_diff(at) <= self.timescale() / ROUGH { due } else { at }
    }
}

/// Whether `codec` begins anywhere.
pub(super) fn begins(codec: Codec, frame: &Frame) -> bool {
    codec.kind() == Kind::Audio || frame.key
}

/// `at` in another timebase, to the nearest tick.
fn convert(at: Timestamp, from: Timebase, to: Timebase) -> i64 {
    let ticks = i128::from(at.0) * i128::from(from.num) * i128::from(to.den);
    let unit = i128::from(from.den.max(1)) * i128::from(to.num);
    let nearest = (2 * ticks + unit).div_euclid(2 * unit.max(1));
    i64::try_from(nearest).unwrap_or(if nearest < 0 { i64::MIN } else { i64::MAX })
}

/// Seconds between two frames of one track; more is a jump.
pub(super) const LONGEST_STEP: u64 = 10;
/// 1 / seconds that a time may be beside what sound that flows has: two milliseconds.
const ROUGH: u64 = 500;
