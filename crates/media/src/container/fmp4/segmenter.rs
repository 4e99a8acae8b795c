//! Cuts items into segments and parts (RFC 8216bis 3).

use super::{
    carries,
    event::Event,
    fragment::fragment,
    init::init,
    lane::{LONGEST_STEP, Lane, begins},
};
use crate::{Frame, Item, Kind, Tags, TrackId, TrackInfo};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// How long segments and parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// A segment of pictures ends at the first key frame after this; one of sound at the first frame. Default 2 s.
    pub segment: Duration,
    /// A segment that has no key frame for so long, or has more than `most_bytes`, ends anywhere. Default 10 s.
    pub longest: Duration,
    /// Bytes of one segment at which it ends anywhere. Default 16 MiB.
    pub most_bytes: usize,
    /// A part has as many frames as come nearest to this, at least one; the first may be longer. Default 200 ms.
    pub part: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            segment: Duration::from_secs(2),
            longest: Duration::from_secs(10),
            most_bytes: 16 << 20,
            part: Duration::from_millis(200),
        }
    }
}

/// What comes out of a [`Segmenter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The initialization of what follows.
    Init(Bytes),
    /// What follows has nothing to do with what was: other tracks, or another time.
    Break,
    /// The next part of the segment.
    Part(Part),
    /// The segment ends here.
    End,
}

/// A part of a segment: one fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The fragment; all parts of a segment one after the other are the segment.
    pub bytes: Bytes,
    /// Media time at which it begins, on the track that leads.
    pub at: Duration,
    /// How long it lasts.
    pub duration: Duration,
    /// Whether a player may begin with it.
    pub independent: bool,
}

/// Makes segments of items. Holds at most one part and one frame of every track; a track that has nothing for ten seconds
/// is left out until it comes back.
#[derive(Debug)]
pub struct Segmenter {
    config: Config,
    tracks: Arc<[TrackInfo]>,
    lanes: Vec<Lane>,
    /// Seconds added so that no time is below zero.
    shift: Option<i64>,
    /// What the segment has so far: ticks of the track that leads, and bytes.
    lasted: u64,
    filled: usize,
    sequence: u32,
    init: Option<Bytes>,
    broken: bool,
    /// What is playing, told at the beginning of every segment and when it changes.
    event: Option<Event>,
    told: bool,
    titles: u32,
    out: VecDeque<Output>,
}

impl Segmenter {
    /// A segmenter that has seen nothing.
    pub fn new(config: Config) -> Segmenter {
        Segmenter {
            config,
            tracks: Arc::new([]),
            lanes: Vec::new(),
            shift: None,
            lasted: 0,
            filled: 0,
            sequence: 0,
            init: None,
            broken: false,
            event: None,
            told: true,
            titles: 0,
            out: VecDeque::new(),
        }
    }

    /// Takes the next item. Tracks that cannot be carried are left out.
    pub fn push(&mut self, item: &Item) {
        match item {
            Item::Tracks(tracks) => self.tracks(tracks),
            Item::Frame(frame) => self.frame(frame),
            Item::Tags(tags) => self.title(tags),
        }
    }

    /// Another source follows, whose time is its own: what there is of this one ends.
    pub fn restart(&mut self) {
        self.flush();
        self.tracks = Arc::new([]);
        self.lanes.clear();
    }

    /// The next thing finished.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn title(&mut self, tags: &Tags) {
        self.titles = self.titles.wrapping_add(1);
        let event = Event::new(self.titles, tags);
        self.event = (!tags.is_empty()).then_some(event);
        self.told = false;
    }

    fn tracks(&mut self, tracks: &[TrackInfo]) {
        let carried: Arc<[TrackInfo]> =
            tracks.iter().filter(|track| carries(track.codec)).take(MOST_TRACKS).cloned().collect();
        if carried == self.tracks {
            return;
        }
        // a source that tells of its tracks one by one is not broken by that before anything was said
        let mut known = Vec::new();
        if self.sequence == 0 {
            known = std::mem::take(&mut self.lanes);
        } else {
            self.flush();
        }
        self.tracks = carried;
        let lane = |track: &TrackInfo| {
            let place = known.iter().position(|lane| lane.track == *track);
            place.map_or_else(|| Lane::new(track.clone()), |place| known.swap_remove(place))
        };
        self.lanes = self.tracks.iter().map(lane).collect();
    }

    fn frame(&mut self, frame: &Frame) {
        if !self.lanes.iter().any(|lane| lane.id() == frame.track) && !self.comes_back(frame) {
            return;
        }
        let Some(place) = self.lanes.iter().position(|lane| lane.id() == frame.track) else { return };
        let leads = self.lead() == Some(place);
        let shift = *self.shift.get_or_insert(if frame.dts.0 < 0 { FROM_BELOW_ZERO } else { 0 });
        let lane = &mut self.lanes[place];
        let fresh = lane.newest().is_none();
        if leads && fresh && !begins(lane.track.codec, frame) {
            return;
        }
        let Some(sample) = lane.sample(frame, shift) else { return };
        if leads && !fresh {
            return match self.lanes[place].push(sample) {
                Ok(()) => self.cut(place, frame.key),
                Err(_) => self.again(frame),
            };
        }
        if self.lanes[place].push(sample).is_err() {
            return self.again(frame);
        }
        self.leave_silent(place);
    }

    /// Time jumped: begins anew with `frame`.
    fn again(&mut self, frame: &Frame) {
        self.flush();
        self.lanes = self.tracks.iter().cloned().map(Lane::new).collect();
        self.frame(frame);
    }

    /// Whether `frame` is of a track that had been left out and is taken in again.
    fn comes_back(&mut self, frame: &Frame) -> bool {
        let known = self.tracks.iter().find(|track| track.id == frame.track);
        let comes = known.is_some_and(|track| begins(track.codec, frame));
        if comes {
            self.flush();
            self.lanes = self.tracks.iter().cloned().map(Lane::new).collect();
        }
        comes
    }

    /// The track by which is cut: pictures before sound.
    fn lead(&self) -> Option<usize> {
        let pictures = self.lanes.iter().position(|lane| lane.kind() == Kind::Video);
        pictures.or((!self.lanes.is_empty()).then_some(0))
    }

    /// Leaves the track that leads out if it has had nothing for long while the one at `place` went on.
    fn leave_silent(&mut self, place: usize) {
        let Some(lead) = self.lead().filter(|lead| *lead != place) else { return };
        let lane = &self.lanes[place];
        let Some((first, last)) = lane.reach() else { return };
        let lasts = last.saturating_sub(first);
        if lasts > LONGEST_STEP.saturating_mul(lane.timescale()) || lane.bytes() > self.config.most_bytes {
            self.flush();
            let silent = self.lanes[lead].id();
            self.restart_without(silent);
        }
    }

    fn restart_without(&mut self, silent: TrackId) {
        let others = self.tracks.iter().filter(|track| track.id != silent);
        self.lanes = others.cloned().map(Lane::new).collect();
    }

    /// Decides whether a part or the segment ends before the newest frame of the track that leads.
    fn cut(&mut self, lead: usize, key: bool) {
        let lane = &self.lanes[lead];
        let (Some((first, last)), scale) = (lane.reach(), lane.timescale()) else { return };
        let ticks =
            |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(scale) / 1000;
        let part = last.saturating_sub(first);
        let whole = self.lasted.saturating_add(part);
        let held = self.lanes.iter().fold(0usize, |sum, lane| sum.saturating_add(lane.bytes()));
        let ends = key && whole.saturating_add(ticks(TOLERANCE)) >= ticks(self.config.segment)
            || whole >= ticks(self.config.longest)
            || self.filled.saturating_add(held) > self.config.most_bytes;
        if ends {
            self.part();
            self.end();
        } else if part.saturating_add(u64::from(lane.last_span()) / 2) >= ticks(self.least()) {
            self.part();
        }
    }

    /// How long a part is. The very first waits for tracks that transport streams tell of one by one.
    fn least(&self) -> Duration {
        if self.sequence == 0 { self.config.part.max(FIRST) } else { self.config.part }
    }

    /// Everything there is becomes the last part of a segment.
    fn flush(&mut self) {
        self.lanes.iter_mut().for_each(Lane::finish);
        self.part();
        if self.filled > 0 {
            self.end();
        }
        self.broken |= self.init.is_some();
        self.shift = None;
    }

    fn end(&mut self) {
        (self.lasted, self.filled) = (0, 0);
        self.told = false;
        self.out.push_back(Output::End);
    }

    fn part(&mut self) {
        // who has not said what it is by now is not waited for
        self.lanes.retain(|lane| lane.entry.is_some());
        let Some(lead) = self.lead() else { return };
        let lane = &self.lanes[lead];
        let Some((first, last)) = lane.reach() else { return };
        let independent = lane.is_key();
        let time = |ticks: u64| Duration::from_nanos(nanos(ticks, lane.timescale()));
        let (at, duration) = (time(first), time(last).saturating_sub(time(first)));
        let scale = u32::try_from(lane.timescale()).unwrap_or(1);
        self.introduce();
        self.sequence = self.sequence.wrapping_add(1);
        let samples: Vec<_> = (1..).zip(self.lanes.iter_mut().map(Lane::drain)).collect();
        let mut before = BytesMut::new();
        if !std::mem::replace(&mut self.told, true)
            && let Some(event) = &self.event
        {
            event.put(&mut before, first, scale);
        }
        let bytes = fragment(before, self.sequence, &samples);
        self.lasted = self.lasted.saturating_add(last.saturating_sub(first));
        self.filled = self.filled.saturating_add(bytes.len());
        self.out.push_back(Output::Part(Part { bytes, at, duration, independent }));
    }

    /// Says what follows, where that is something new.
    fn introduce(&mut self) {
        let entries = self.lanes.iter().filter_map(|lane| lane.entry.as_ref());
        let init = init(entries);
        if std::mem::take(&mut self.broken) {
            self.out.push_back(Output::Break);
        }
        if self.init.as_ref() != Some(&init) {
            self.out.push_back(Output::Init(init.clone()));
            self.init = Some(init);
        }
    }
}

fn nanos(ticks: u64, scale: u64) -> u64 {
    let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(scale.max(1));
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// Key frames come when they are due by milliseconds.
const TOLERANCE: Duration = Duration::from_millis(50);
/// Seconds that a stream is later which begins before its zero, as Opus does by its pre-skip.
const FROM_BELOW_ZERO: i64 = 10;
/// At least so much is in the first part.
const FIRST: Duration = Duration::from_millis(500);
/// More tracks of one source are left out.
const MOST_TRACKS: usize = 8;
