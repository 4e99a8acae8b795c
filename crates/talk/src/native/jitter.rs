//! Holds frames that arrived early until it is time to hear them, and says when that is.

use super::wire::Rendition;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// A jitter buffer whose delay follows what the network does, in seconds and not in blocks.
///
/// How late each frame is, beside the earliest of the last ten seconds, goes into a histogram that forgets; the delay that is aimed at lets
/// all but a chosen share of frames arrive in time. A queue that grows somewhere makes even the earliest late: that is added at once.
/// Holds two seconds of frames; those further ahead are not kept. Times are seconds since any beginning.
#[derive(Debug)]
pub struct Jitter {
    rendition: Rendition,
    /// The share of frames that may come too late.
    late: f64,
    frames: BTreeMap<i64, Bytes>,
    /// Where the frame that is heard next begins, in frames of sound.
    next: Option<i64>,
    /// Arrival less media time, the earliest of each of the last seconds.
    earliest: VecDeque<(u64, f64)>,
    /// How late the last frames were, with when they came.
    lately: VecDeque<(f64, f64)>,
    histogram: [f32; BINS],
    /// What a frame adds to the histogram, which grows so that older ones weigh less; and all of the histogram.
    weight: f32,
    all: f32,
    target: f64,
    /// What a trend asks for, and until when.
    raised: (f64, f64),
    /// The frames that came, each at its place.
    known: Vec<i64>,
    newest: Option<i64>,
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
    /// Times at which the delay was made longer.
    pub stretched: u64,
    /// Times at which it was made shorter.
    pub shortened: u64,
    /// Times at which all began anew.
    pub resyncs: u64,
}

impl Jitter {
    /// For frames of this kind; so large a share of them may come too late.
    pub fn new(rendition: Rendition, late: f64) -> Jitter {
        Jitter {
            rendition,
            late: late.clamp(1e-6, 0.5),
            frames: BTreeMap::new(),
            next: None,
            earliest: VecDeque::new(),
            lately: VecDeque::new(),
            histogram: [0.0; BINS],
            weight: 1.0,
            all: 0.0,
            target: BIN,
            raised: (0.0, 0.0),
            known: vec![i64::MIN; KNOWN as usize],
            newest: None,
            counts: Counts::default(),
        }
    }

    /// What became of frames so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The same, to be added to.
    pub fn counts_mut(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Lets another share of frames come too late from now on.
    pub fn set_late(&mut self, late: f64) {
        self.late = late.clamp(1e-6, 0.5);
    }

    /// Forgets frames and times, since the other end begins anew; not what the network is like.
    pub fn restart(&mut self, rendition: Rendition) {
        let late = self.late;
        let old = std::mem::replace(self, Jitter::new(rendition, late));
        (self.histogram, self.weight, self.all) = (old.histogram, old.weight, old.all);
        (self.target, self.counts) = (old.target, old.counts);
        self.counts.resyncs += 1;
    }

    /// Frames of this kind from now on, on the same timeline.
    pub fn rendition(&mut self, rendition: Rendition) {
        if rendition.rate != self.rendition.rate {
            return self.restart(rendition);
        }
        self.rendition = rendition;
    }

    /// Takes the frame that begins at `time`, modulo 2^32, and came at `now`.
    pub fn put(&mut self, now: f64, time: u32, frame: Bytes) {
        let mut time = self.unwrap(time);
        let reach = 2 * i64::from(self.rendition.rate);
        if self.next.is_some_and(|next| !(next - reach..next + reach).contains(&time)) {
            self.restart(self.rendition);
            time = i64::from(time as u32);
        }
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        let place = time.div_euclid(i64::from(self.rendition.frames)).rem_euclid(KNOWN) as usize;
        if std::mem::replace(&mut self.known[place], time) == time {
            return; // another copy
        }
        self.learn(now, time);
        let next = *self.next.get_or_insert(time);
        if time + i64::from(self.rendition.frames) <= next {
            self.counts.late += 1;
        } else {
            self.frames.insert(time, frame);
        }
    }

    /// Whether somebody was heard.
    pub fn has_begun(&self) -> bool {
        self.next.is_some()
    }

    /// Where the frame that is heard next begins.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// How long before now the earliest frame would have come that begins where the next one does, were none that is after it heard yet;
    /// less `waiting` seconds that are.
    pub fn delay(&self, now: f64, waiting: f64) -> f64 {
        let next = self.next.unwrap_or(0) as f64 / f64::from(self.rendition.rate);
        now - (next - waiting) - self.base()
    }

    /// How long that should be.
    pub fn target(&self, now: f64) -> f64 {
        let (raised, until) = self.raised;
        let over = ((now - until) / 3.0).max(0.0);
        (self.target + self.rise()).max(raised * (-over).exp())
    }

    /// How late one in twenty frames is.
    pub fn spread(&self) -> f64 {
        self.quantile(0.05)
    }

    /// How late even the earliest of the last frames were.
    pub fn rise(&self) -> f64 {
        let earliest = self.lately.iter().map(|(_, late)| *late).fold(f64::INFINITY, f64::min);
        if earliest.is_finite() { earliest } else { 0.0 }
    }

    /// The next frame, if it is there; nothing waits for it any longer.
    pub fn take(&mut self) -> Option<Bytes> {
        let next = self.next?;
        let frames = i64::from(self.rendition.frames);
        // where blocks changed their size on the way, the one that begins soonest
        let found = self.frames.range(..next + frames).next().map(|(time, _)| *time);
        self.next = Some(found.map_or(next, |time| time.max(next)) + frames);
        let frame = found.and_then(|time| self.frames.remove(&time));
        match frame {
            Some(_) => self.counts.heard += 1,
            None => self.counts.missing += 1,
        }
        frame
    }

    /// Whether the next frame is there.
    pub fn is_ready(&self) -> bool {
        let frames = i64::from(self.rendition.frames);
        self.next.is_some_and(|next| self.frames.range(..next + frames).next().is_some())
    }

    fn learn(&mut self, now: f64, time: i64) {
        let offset = now - time as f64 / f64::from(self.rendition.rate);
        let second = now.max(0.0) as u64;
        match self.earliest.back_mut() {
            Some((at, earliest)) if *at == second => *earliest = earliest.min(offset),
            _ => self.earliest.push_back((second, offset)),
        }
        while self.earliest.front().is_some_and(|(at, _)| at + 10 < second) {
            self.earliest.pop_front();
        }
        let late = offset - self.base();
        self.trend(now, late);
        let window = (0.05 + 2.0 * self.target).min(1.0);
        self.lately.push_back((now, late));
        while self.lately.front().is_some_and(|(at, _)| at + window < now) || self.lately.len() > LATELY {
            self.lately.pop_front();
        }
        let bin = ((late - self.rise()).max(0.0) / BIN) as usize;
        // long enough to see a few of those that may be late, at least eight seconds
        let memory = (12.0 * self.rendition.period() / self.late).clamp(8.0, 40.0);
        self.weight *= (self.rendition.period() / memory).exp() as f32;
        self.histogram[bin.min(BINS - 1)] += self.weight;
        self.all += self.weight;
        if self.weight > 1e6 {
            self.histogram.iter_mut().for_each(|share| *share /= self.weight);
            self.all = self.histogram.iter().sum();
            self.weight = 1.0;
        }
        self.target = self.quantile(self.late);
    }

    /// Two in a row that are later than nearly all were, each later than the one before: a queue fills.
    fn trend(&mut self, now: f64, late: f64) {
        let Some((_, before)) = self.lately.back() else { return };
        let step = late - before;
        if *before > self.target && step > 0.000_3 && step < 0.1 {
            let wanted = late + 4.0 * step + 0.5 * self.rendition.period();
            self.raised = (wanted.max(self.raised.0), now + 1.0);
        } else if now > self.raised.1 + 10.0 {
            self.raised.0 = 0.0;
        }
    }

    /// How late all but so large a share of frames are, at most.
    fn quantile(&self, share: f64) -> f64 {
        let (all, weight) = (f64::from(self.all), f64::from(self.weight));
        let at = |share: f64| {
            let mut above = 0.0;
            let bin = self.histogram.iter().rposition(|count| {
                above += f64::from(*count);
                above > all * share
            });
            (bin.unwrap_or(0) + 1) as f64 * BIN
        };
        // beyond what was seen, the tail goes on as it did
        let seen = (4.0 * weight / all.max(weight)).min(0.02);
        if share >= seen || all < 200.0 * weight {
            return at(share);
        }
        let slope = (at(seen) - at(0.1)) / (0.1_f64 / seen).ln();
        at(seen) + slope * (seen / share).ln()
    }

    fn base(&self) -> f64 {
        let earliest = self.earliest.iter().map(|(_, earliest)| *earliest).fold(f64::INFINITY, f64::min);
        if earliest.is_finite() { earliest } else { 0.0 }
    }

    fn unwrap(&self, time: u32) -> i64 {
        let near = self.newest.unwrap_or(i64::from(time));
        near + i64::from(time.wrapping_sub(near as u32) as i32)
    }
}

/// Frames that are remembered: more than two seconds of the shortest.
const KNOWN: i64 = 1_024;
/// Frames of which it is known how late they were.
const LATELY: usize = 512;
/// Of the histogram, in seconds.
const BIN: f64 = 0.000_25;
/// Up to a second.
const BINS: usize = 4_000;

/// The share of frames that may come too late, for a safety from 0 (quick) to 10 (safe): one in twenty, one in two hundred at 5, one in fifty
/// thousand at 10.
///
/// ```
/// use levada_talk::native::late;
/// assert!(late(0.0) == 0.05 && (late(5.0) - 0.005).abs() < 1e-9 && (late(10.0) - 2e-5).abs() < 1e-9);
/// ```
pub fn late(safety: f64) -> f64 {
    let safety = safety.clamp(0.0, 10.0);
    0.05 * 10_f64.powf(-0.2 * safety.min(5.0)) * 250_f64.powf(-0.2 * (safety - 5.0).max(0.0))
}
