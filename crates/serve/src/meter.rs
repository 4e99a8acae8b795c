//! How regularly a stream comes or goes: pages, and the time from each to the next.

use serde::Serialize;
use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use utoipa::ToSchema;

/// Counts pages and gaps. Costs a few additions and takes no lock, so that it may stand in the way of every write.
#[derive(Debug, Default)]
pub struct Meter {
    pages: AtomicU64,
    missed: AtomicU64,
    /// When something happened last, in µs and one more; 0 before the first time.
    last: AtomicU64,
    gaps: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What a [`Meter`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tempo {
    /// Pages that passed: messages of RTMP, tags of Flash video, pages of Ogg, frames of bare audio.
    pub pages: u64,
    /// Pages that were left out because there was no room for them in time.
    pub missed: u64,
    /// How many gaps were at most as long as each of [`BOUNDS`] but not as its neighbour before; the last counts the
    /// longer ones.
    pub gaps: [u64; BOUNDS.len() + 1],
    /// How long all gaps were together, in µs.
    pub micros: u64,
}

/// A histogram of gaps.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GapsView {
    /// Upper bounds in milliseconds.
    pub up_to_ms: Vec<u64>,
    /// Gaps up to each bound, and those longer than all; not summed up.
    pub count: Vec<u64>,
    /// How long a gap was on average, in milliseconds; 0 before the second time.
    pub mean_ms: f64,
}

impl Meter {
    /// Something happened at `at`, counted from wherever the owner likes; gives the time since the last time.
    pub fn beat(&self, at: Duration) -> Option<Duration> {
        let now = micros(at).saturating_add(1);
        let last = self.last.swap(now, Relaxed);
        let gap = Duration::from_micros(now.saturating_sub(last));
        (last > 0).then(|| self.gap(gap)).map(|()| gap)
    }

    /// Counts a gap that another meter saw.
    pub fn gap(&self, gap: Duration) {
        let index = BOUNDS.partition_point(|bound| Duration::from_millis(*bound) < gap);
        self.gaps[index].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros(gap), Relaxed);
    }

    /// Counts pages that passed and such that were left out.
    pub fn pages(&self, passed: u64, missed: u64) {
        self.pages.fetch_add(passed, Relaxed);
        self.missed.fetch_add(missed, Relaxed);
    }

    /// Adds what another has counted.
    pub fn absorb(&self, tempo: &Tempo) {
        self.pages(tempo.pages, tempo.missed);
        for (count, more) in self.gaps.iter().zip(tempo.gaps) {
            count.fetch_add(more, Relaxed);
        }
        self.micros.fetch_add(tempo.micros, Relaxed);
    }

    /// What it has counted.
    pub fn tempo(&self) -> Tempo {
        Tempo {
            pages: self.pages.load(Relaxed),
            missed: self.missed.load(Relaxed),
            gaps: std::array::from_fn(|index| self.gaps[index].load(Relaxed)),
            micros: self.micros.load(Relaxed),
        }
    }
}

impl AddAssign for Tempo {
    fn add_assign(&mut self, other: Tempo) {
        self.pages += other.pages;
        self.missed += other.missed;
        self.gaps.iter_mut().zip(other.gaps).for_each(|(count, more)| *count += more);
        self.micros += other.micros;
    }
}

impl GapsView {
    /// The gaps of `tempo`.
    pub fn of(tempo: &Tempo) -> GapsView {
        let count: u64 = tempo.gaps.iter().sum();
        let mean = tempo.micros as f64 / 1000.0 / count.max(1) as f64;
        GapsView {
            up_to_ms: BOUNDS.to_vec(),
            count: tempo.gaps.to_vec(),
            mean_ms: (mean * 1000.0).round() / 1000.0,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds: fine where pictures and sound follow each other, up to where a stream counts as silent.
pub const BOUNDS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_counted_up_to_its_bound_and_the_first_time_has_none() {
        let meter = Meter::default();
        let beats = [0, 1_000, 3_001, 23_001, 9_023_001].map(|at| meter.beat(Duration::from_micros(at)));
        assert_eq!((beats[0], beats[1]), (None, Some(Duration::from_millis(1))));
        let tempo = meter.tempo();
        let mut expected = [0; BOUNDS.len() + 1];
        (expected[0], expected[2], expected[4], expected[12]) = (1, 1, 1, 1);
        assert_eq!((tempo.gaps, tempo.micros), (expected, 9_023_001));
        assert_eq!(GapsView::of(&tempo).mean_ms, 2_255.75);
    }

    #[test]
    fn what_is_absorbed_adds_up() {
        let (meter, other) = (Meter::default(), Meter::default());
        other.pages(7, 2);
        other.gap(Duration::from_millis(40));
        meter.absorb(&other.tempo());
        meter.absorb(&other.tempo());
        let mut twice = other.tempo();
        twice += other.tempo();
        assert_eq!(meter.tempo(), twice);
    }
}
