//! Listeners and bit rates over time, for the page's chart: every five seconds for an hour, every minute for a day.

use crate::{MountName, Station};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;

/// What every mount did lately. Holds 1,024 mounts; the one that was seen longest ago leaves first. A mount's past
/// stays when it is gone for a while: a show that comes every evening has one.
#[derive(Default)]
pub struct History {
    tracks: Mutex<HashMap<MountName, Track>>,
}

/// What a mount has counted at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Listeners now.
    pub listeners: usize,
    /// Bytes from sources, ever.
    pub received: u64,
    /// Bytes to listeners, ever.
    pub sent: u64,
}

/// How fast a mount's bytes flow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// kbit/s from the source.
    pub kbits_in: f64,
    /// kbit/s to all listeners.
    pub kbits_out: f64,
}

/// A mount's past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct HistoryView {
    /// The last hour.
    pub fine: SeriesView,
    /// The last day.
    pub coarse: SeriesView,
}

/// Columns of equal length, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SeriesView {
    /// Seconds from one to the next.
    pub every: u64,
    /// When, in seconds since 1970.
    pub at: Vec<u64>,
    /// The most listeners in that time.
    pub listeners: Vec<usize>,
    /// kbit/s from the source, on average.
    pub kbits_in: Vec<f64>,
    /// kbit/s to all listeners, on average.
    pub kbits_out: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: u64,
    listeners: usize,
    rates: Rates,
}

#[derive(Default)]
struct Track {
    before: Option<(Instant, Count)>,
    rates: Rates,
    /// The last hour: [`FINE`] samples, the oldest leave first.
    fine: VecDeque<Sample>,
    /// The last day: [`COARSE`] samples, the oldest leave first.
    coarse: VecDeque<Sample>,
    /// Samples of the minute that is not over.
    minute: Vec<Sample>,
}

/// Looks at every mount every five seconds until the server stops.
pub async fn run(station: std::sync::Arc<Station>) {
    let mut last = Instant::now();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => last = look(&station, last),
            () = station.stop.cancelled() => return,
        }
    }
}

/// Gives when that was.
fn look(station: &Station, last: Instant) -> Instant {
    let (now, wall) = (Instant::now(), unix(SystemTime::now()));
    let served = station.egress.stats();
    for mount in station.mounts.list() {
        let sent = mount.sent(&served);
        let received = mount.stats.received.load(Relaxed);
        let count = Count { listeners: mount.listeners(), received, sent };
        station.history.note(&mount.name, count, now, wall);
    }
    station.sessions.measure(last, now);
    now
}

impl History {
    /// Takes what `mount` has counted up to `now`, which is `at` seconds since 1970.
    pub fn note(&self, mount: &MountName, count: Count, now: Instant, at: u64) {
        let mut tracks = self.tracks();
        if !tracks.contains_key(mount) && tracks.len() >= MOUNTS {
            let oldest = tracks.iter().min_by_key(|(_, track)| track.seen()).map(|(name, _)| name.clone());
            oldest.and_then(|name| tracks.remove(&name));
        }
        tracks.entry(mount.clone()).or_default().note(count, now, at);
    }

    /// How fast a mount's bytes flowed between the last two looks.
    pub fn rates(&self, mount: &MountName) -> Rates {
        self.tracks().get(mount).map(|track| track.rates).unwrap_or_default()
    }

    /// A mount's past; empty where there is none.
    pub fn view(&self, mount: &MountName) -> HistoryView {
        let tracks = self.tracks();
        let track = tracks.get(mount);
        let series = |every: Duration, samples: fn(&Track) -> &VecDeque<Sample>| {
            track.map(|track| SeriesView::of(every, samples(track))).unwrap_or_default()
        };
        HistoryView { fine: series(EVERY, |t| &t.fine), coarse: series(MINUTE, |t| &t.coarse) }
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<MountName, Track>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Track {
    fn note(&mut self, count: Count, now: Instant, at: u64) {
        self.rates = self.before.map(|before| rates(before, (now, count))).unwrap_or_default();
        self.before = Some((now, count));
        let sample = Sample { at, listeners: count.listeners, rates: self.rates };
        keep(&mut self.fine, sample, FINE);
        if self.minute.first().is_some_and(|first| at / 60 != first.at / 60) {
            keep(&mut self.coarse, summary(&self.minute), COARSE);
            self.minute.clear();
        }
        if self.minute.len() < A_MINUTE {
            self.minute.push(sample);
        }
    }

    fn seen(&self) -> u64 {
        self.fine.back().map_or(0, |sample| sample.at)
    }
}

impl SeriesView {
    fn of(every: Duration, samples: &VecDeque<Sample>) -> SeriesView {
        SeriesView {
            every: every.as_secs(),
            at: samples.iter().map(|sample| sample.at).collect(),
            listeners: samples.iter().map(|sample| sample.listeners).collect(),
            kbits_in: samples.iter().map(|sample| sample.rates.kbits_in).collect(),
            kbits_out: samples.iter().map(|sample| sample.rates.kbits_out).collect(),
        }
    }
}

fn rates((then, before): (Instant, Count), (now, count): (Instant, Count)) -> Rates {
    let seconds = now.saturating_duration_since(then).as_secs_f64();
    let kbits = |before: u64, now: u64| {
        let kbits = now.saturating_sub(before) as f64 * 8.0 / 1000.0;
        if seconds > 0.0 { (kbits / seconds * 10.0).round() / 10.0 } else { 0.0 }
    };
    Rates { kbits_in: kbits(before.received, count.received), kbits_out: kbits(before.sent, count.sent) }
}

/// A minute in one sample.
fn summary(minute: &[Sample]) -> Sample {
    let mean = |rate: fn(&Rates) -> f64| {
        let sum: f64 = minute.iter().map(|sample| rate(&sample.rates)).sum();
        (sum / minute.len().max(1) as f64 * 10.0).round() / 10.0
    };
    Sample {
        at: minute.first().map_or(0, |first| first.at / 60 * 60),
        listeners: minute.iter().map(|sample| sample.listeners).max().unwrap_or_default(),
        rates: Rates { kbits_in: mean(|r| r.kbits_in), kbits_out: mean(|r| r.kbits_out) },
    }
}

fn keep(samples: &mut VecDeque<Sample>, sample: Sample, most: usize) {
    if samples.len() >= most {
        samples.pop_front();
    }
    samples.push_back(sample);
}

fn unix(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

const EVERY: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
const FINE: usize = 720;
const COARSE: usize = 1_440;
/// Looks in a minute, and one to spare.
const A_MINUTE: usize = 13;
/// About 90 KiB each when full.
const MOUNTS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MountName {
        text.parse().unwrap()
    }

    /// A mount that gets 16 kB a second and has as many listeners as minutes have passed.
    fn fed(history: &History, looks: u64) {
        let begin = Instant::now();
        for look in 0..looks {
            let seconds = look * 5;
            let count = Count {
                listeners: (seconds / 60) as usize,
                received: seconds * 16_000,
                sent: seconds * 32_000,
            };
            history.note(&name("/a"), count, begin + Duration::from_secs(seconds), 6_000 + seconds);
        }
    }

    #[test]
    fn rates_are_those_of_the_last_look() {
        let history = History::default();
        fed(&history, 2);
        assert_eq!(history.rates(&name("/a")), Rates { kbits_in: 128.0, kbits_out: 256.0 });
        assert_eq!(history.rates(&name("/b")), Rates::default());
    }

    #[test]
    fn an_hour_stays_fine_and_minutes_are_summed_up() {
        let history = History::default();
        fed(&history, 12 * 120);
        let view = history.view(&name("/a"));
        assert_eq!((view.fine.at.len(), view.fine.every), (720, 5));
        assert_eq!(view.fine.at.last(), Some(&(6_000 + 7_195)));
        assert_eq!((view.coarse.at.len(), view.coarse.every), (119, 60));
        assert_eq!((view.coarse.at[0], view.coarse.at[1]), (6_000, 6_060));
        assert_eq!((view.coarse.listeners[0], view.coarse.listeners[118]), (0, 118));
        assert_eq!(view.coarse.kbits_in[1], 128.0);
    }

    #[test]
    fn a_day_is_all_that_is_kept() {
        let history = History::default();
        fed(&history, 12 * 60 * 25);
        assert_eq!(history.view(&name("/a")).coarse.at.len(), 1_440);
    }

    #[test]
    fn the_mount_that_was_seen_longest_ago_leaves_first() {
        let history = History::default();
        let now = Instant::now();
        for at in 0..=MOUNTS as u64 {
            history.note(&name(&format!("/{at}")), Count::default(), now, at);
        }
        assert_eq!(history.view(&name("/0")), HistoryView::default());
        assert_eq!(history.view(&name("/1")).fine.at, [1]);
    }
}
