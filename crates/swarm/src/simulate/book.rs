//! What is noted while a scenario runs: who played what when, and what it cost.

use super::histogram::Histogram;
use serde::Serialize;

/// The account of a run.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// When each chunk was fed, in nanoseconds.
    pub(super) fed: Vec<u64>,
    pub(super) seats: Vec<Seat>,
    /// Of each seat.
    pub(super) stays: Vec<Stay>,
    /// From when on it counts.
    pub(super) settle: u64,
    /// How late a chunk may be before its team counts as not recovered.
    pub(super) late: u64,
    /// Of chunks that honest peers played, in microseconds.
    pub(super) lag: Histogram,
    /// From coming to the first chunk played, likewise.
    pub(super) start: Histogram,
    pub(super) played: u64,
    pub(super) lost: u64,
    /// Of those who were there when measuring began: played, lost.
    pub(super) old: (u64, u64),
    pub(super) never_began: u64,
    pub(super) forged_played: u64,
    /// When the last chunk was fed that somebody missed or got late, after `since`.
    pub(super) harmed: u64,
    /// When the last event happened.
    pub(super) since: Option<u64>,
    /// Upload of peers in parts of a thousand of the stream.
    pub(super) upload: Histogram,
    /// How often somebody sent more than its cap in a second, and the most in terms of its cap.
    pub(super) caps: (u64, f64),
    pub(super) second: Second,
    pub(super) second_lag: Histogram,
    pub(super) seconds: Vec<Second>,
}

/// A peer in the account, as often as it plays something: eight bytes, so that a hundred thousand fit a cache.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seat {
    /// The number after that which it was told last, once it has begun.
    next: u32,
    began: bool,
    honest: bool,
    /// Whether it was there when measuring began.
    old: bool,
}

/// The same, as it is seldom looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stay {
    pub(super) joined: u64,
    /// What it had sent when measuring began.
    pub(super) sent: u64,
    /// The most that it may send in a second, and what it had sent when the last was over: in bytes.
    pub(super) cap: Option<u64>,
    /// See `cap`.
    pub(super) counted: u64,
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Second {
    /// When it was over, in seconds.
    pub time: f64,
    /// Peers that were there.
    pub peers: usize,
    /// Chunks that honest peers played.
    pub played: u64,
    /// Chunks that they missed.
    pub lost: u64,
    /// The median of the lag of those played, in seconds.
    pub lag_p50: f64,
    /// What one in a hundred of them exceeded.
    pub lag_p99: f64,
    /// What the source uploaded, as a multiple of the stream.
    pub source_upload: f64,
}

impl Book {
    /// A peer comes.
    pub(super) fn enter(&mut self, honest: bool, stay: Stay) {
        self.seats.push(Seat { honest, old: stay.joined < self.settle, ..Seat::default() });
        self.stays.push(stay);
    }

    pub(super) fn played(&mut self, now: u64, seat: usize, number: u64, data: &[u8]) {
        let Some(fed) = self.fed.get(number as usize).copied() else {
            self.forged_played += 1;
            return;
        };
        if data.get(..8) != Some(&number.to_be_bytes()[..]) {
            self.forged_played += 1;
        }
        let known = &mut self.seats[seat];
        known.next = next(number);
        if !std::mem::replace(&mut known.began, true) && known.honest && !known.old {
            self.start.add((now - self.stays[seat].joined) / 1_000);
        }
        let seat = *known;
        if !seat.honest || fed < self.settle {
            return;
        }
        let lag = now.saturating_sub(fed);
        self.old.0 += u64::from(seat.old);
        self.played += 1;
        self.lag.add(lag / 1_000);
        self.second.played += 1;
        self.second_lag.add(lag / 1_000);
        if lag > self.late {
            self.harm(fed);
        }
    }

    pub(super) fn lost(&mut self, seat: usize, number: u64) {
        let seat = &mut self.seats[seat];
        seat.next = next(number);
        let fed = self.fed.get(number as usize).copied().unwrap_or_default();
        if seat.honest && fed >= self.settle {
            self.lost += 1;
            self.old.1 += u64::from(seat.old);
            self.second.lost += 1;
            self.harm(fed);
        }
    }

    fn harm(&mut self, fed: u64) {
        if self.since.is_some_and(|since| fed >= since) {
            self.harmed = self.harmed.max(fed);
        }
    }

    /// A peer leaves, or all is over: what it should have played by now and did not counts as missed.
    pub(super) fn close(&mut self, now: u64, seat: usize) {
        let Seat { honest, began, next, .. } = self.seats[seat];
        let Stay { joined, .. } = self.stays[seat];
        if !honest {
            return;
        }
        let due = now.saturating_sub(self.late.max(GRACE));
        if !began {
            self.never_began += u64::from(joined + PATIENCE < now);
            return;
        }
        let owed = self.fed.partition_point(|fed| *fed < due) as u64;
        for number in u64::from(next)..owed {
            self.lost(seat, number);
        }
    }

    /// A second is over.
    pub(super) fn turn(&mut self, now: u64, peers: usize, source_upload: f64) {
        let lag = std::mem::take(&mut self.second_lag);
        let second = Second {
            time: now as f64 / 1e9,
            peers,
            lag_p50: lag.quantile(0.5) as f64 / 1e6,
            lag_p99: lag.quantile(0.99) as f64 / 1e6,
            source_upload,
            ..std::mem::take(&mut self.second)
        };
        self.seconds.push(second);
    }
}

/// Four thousand million chunks do not fit a run.
fn next(number: u64) -> u32 {
    u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX)
}

/// What may be under way when all is over.
const GRACE: u64 = 2_000_000_000;
/// Who has not begun after so long never will.
const PATIENCE: u64 = 8_000_000_000;
