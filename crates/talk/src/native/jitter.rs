//! Holds frames that arrived early until it is time to hear them.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A jitter buffer whose delay follows what the network does, in milliseconds and not in blocks.
///
/// How late each frame is, beside the earliest of the last ten seconds, goes into a histogram that forgets; the delay that is
/// aimed at lets all but a chosen share of frames arrive in time. Holds two seconds of frames; those further ahead are not kept.
#[derive(Debug)]
pub struct Jitter {
    period: f64,
    /// The share of frames that may come too late.
    late: f64,
    frames: BTreeMap<i64, Bytes>,
    /// The frame that is heard next.
    next: Option<i64>,
    /// Arrival less media time, in seconds, the earliest of each of the last seconds.
    earliest: VecDeque<(u64, f64)>,
    histogram: [f32; BINS],
    /// The numbers that came, each at its place.
    known: Vec<i64>,
    seen: Option<i64>,
    /// Frames played in a row with more delay than is aimed at.
    spare: u32,
    counts: Counts,
}

/// What became of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Heard in time.
    pub heard: u64,
    /// Not there when they were to be heard.
    pub missing: u64,
    /// Came after their time, first copies only.
    pub late: u64,
    /// Made up to let the delay grow.
    pub stretched: u64,
    /// Left out to let it shrink.
    pub skipped: u64,
    /// Times at which all began anew.
    pub resyncs: u64,
}

/// What is to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody was heard yet.
    Nothing,
    /// A frame.
    Frame(Bytes),
    /// Two frames in the time of one.
    Both(Bytes, Bytes),
    /// A frame is missing.
    Missing,
    /// None is due: the delay grows.
    Stretch,
}

impl Jitter {
    /// For frames of this length; so large a share of them may come too late.
    pub fn new(period: Duration, late: f64) -> Jitter {
        Jitter {
            period: period.as_secs_f64().max(1e-4),
            late: late.clamp(1e-4, 0.5),
            frames: BTreeMap::new(),
            next: None,
            earliest: VecDeque::new(),
            histogram: [0.0; BINS],
            known: vec![i64::MIN; KNOWN as usize],
            seen: None,
            spare: 0,
            counts: Counts::default(),
        }
    }

    /// What became of frames so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a frame that came at `now`, since any beginning.
    pub fn put(&mut self, now: Duration, number: u32, frame: Bytes) {
        let number = self.unwrap(number);
        let reach = (2.0 / self.period) as i64;
        if self.next.is_some_and(|next| !(next - reach..next + reach).contains(&number)) {
            self.counts.resyncs += 1;
            *self = Jitter {
                counts: self.counts,
                ..Jitter::new(Duration::from_secs_f64(self.period), self.late)
            };
        }
        self.seen = Some(self.seen.map_or(number, |seen| seen.max(number)));
        let place = number.rem_euclid(KNOWN) as usize;
        if std::mem::replace(&mut self.known[place], number) == number {
            return; // another copy
        }
        self.learn(now, number);
        let next = *self.next.get_or_insert(number);
        if number < next {
            self.counts.late += 1;
        } else {
            self.frames.insert(number, frame);
        }
    }

    /// What is to be played at `now`.
    pub fn take(&mut self, now: Duration) -> Next {
        let Some(next) = self.next else { return Next::Nothing };
        let (target, delay) = (self.target(), now.as_secs_f64() - next as f64 * self.period - self.base());
        // it shrinks only when more than a frame is to spare, so it does not hunt
        if delay < target {
            self.spare = 0;
            self.counts.stretched += 1;
            return Next::Stretch;
        }
        self.spare = if delay > target + 1.5 * self.period { self.spare + 1 } else { 0 };
        self.next = Some(next + 1);
        let found = self.frames.remove(&next);
        let hurry = f64::from(self.spare) * self.period > 0.2 && self.frames.contains_key(&(next + 1));
        match found {
            Some(first) if hurry => {
                let second = self.frames.remove(&(next + 1)).unwrap_or_default();
                self.next = Some(next + 2);
                self.spare = 0;
                (self.counts.skipped, self.counts.heard) = (self.counts.skipped + 1, self.counts.heard + 2);
                Next::Both(first, second)
            }
            Some(frame) => {
                self.counts.heard += 1;
                Next::Frame(frame)
            }
            None => {
                self.counts.missing += 1;
                Next::Missing
            }
        }
    }

    /// How long the earliest frames wait, as it is aimed at, in seconds.
    pub fn target(&self) -> f64 {
        let all: f32 = self.histogram.iter().sum();
        let mut above = 0.0;
        let too_late = all * self.late as f32;
        let bin = self.histogram.iter().rposition(|share| {
            above += share;
            above > too_late
        });
        (bin.unwrap_or(0) + 1) as f64 * BIN
    }

    fn learn(&mut self, now: Duration, number: i64) {
        let offset = now.as_secs_f64() - number as f64 * self.period;
        let second = now.as_secs();
        match self.earliest.back_mut() {
            Some((at, earliest)) if *at == second => *earliest = earliest.min(offset),
            _ => self.earliest.push_back((second, offset)),
        }
        while self.earliest.front().is_some_and(|(at, _)| at + 10 < second) {
            self.earliest.pop_front();
        }
        let late = ((offset - self.base()) / BIN) as usize;
        let forget = (-self.period / 8.0).exp() as f32; // eight seconds
        self.histogram.iter_mut().for_each(|share| *share *= forget);
        self.histogram[late.min(BINS - 1)] += 1.0;
    }

    fn base(&self) -> f64 {
        self.earliest.iter().map(|(_, earliest)| *earliest).fold(f64::INFINITY, f64::min)
    }

    fn unwrap(&self, number: u32) -> i64 {
        let near = self.seen.unwrap_or(i64::from(number));
        near + i64::from(number.wrapping_sub(near as u32) as i32)
    }
}

/// Numbers that are remembered: more than two seconds of the shortest frames.
const KNOWN: i64 = 1_024;
/// Of the histogram, in seconds.
const BIN: f64 = 0.002;
/// Up to a second.
const BINS: usize = 500;
