//! What the demo tells: a table that is redrawn, lines where nobody watches, and the summary.

use super::{show::Show, witness::Seen};
use crate::output::{self, Console};
use levada_serve::{Mount, Server};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// The table, and what it remembers from one drawing to the next.
pub struct Table {
    console: Console,
    began: Instant,
    /// Lines of the last drawing.
    lines: usize,
    /// When the last plain line was told.
    told: Instant,
    rows: HashMap<&'static str, Row>,
}

/// What is remembered of a mount.
#[derive(Clone, Debug, Default)]
struct Row {
    /// How much had been sent when, for the last ten seconds.
    sent: VecDeque<(Instant, u64)>,
    direct: Lag,
    relayed: Lag,
}

/// How late bytes arrive.
#[derive(Clone, Debug, Default)]
struct Lag {
    /// The last thousand.
    last: VecDeque<Duration>,
    largest: Duration,
}

/// What `--json` tells at the end.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    seconds: f64,
    streams: Vec<Stream>,
    lost: &'a [String],
}

#[derive(Debug, Serialize)]
struct Stream {
    mount: &'static str,
    kind: &'static str,
    listeners: usize,
    published_bytes: u64,
    verified_bytes: u64,
    lag_ms: u128,
    largest_lag_ms: u128,
    relay_lag_ms: u128,
    relay_largest_lag_ms: u128,
}

impl Table {
    /// A table for a demo that began at `began`.
    pub fn new(console: Console, began: Instant) -> Table {
        Table { console, began, lines: 0, told: began, rows: HashMap::new() }
    }

    /// Shows how things are now.
    pub fn draw(&mut self, shows: &[Show], origin: &Server, relay: &Server) {
        self.look(shows);
        if !self.console.is_live() {
            if self.told.elapsed() >= PLAIN {
                self.told = Instant::now();
                self.console.say(self.line(shows));
            }
            return;
        }
        let mut text = format!(
            "{:<15} {:<16} {:>9} {:>7} {:>13} {:>13} {:>10}  {}\n",
            "MOUNT", "STREAM", "LISTENERS", "KBIT/S", "LAG", "VIA RELAY", "VERIFIED", "RELAY"
        );
        for show in shows {
            text += &self.row(show, find(origin, show), find(relay, show));
        }
        text += &self.line(shows);
        let up = if self.lines > 0 { format!("\x1b[{}A\x1b[J", self.lines) } else { String::new() };
        self.lines = text.lines().count();
        self.console.say(up + &text);
    }

    /// Tells how it ended.
    pub fn summary(&mut self, shows: &[Show], troubles: &[String]) {
        self.look(shows);
        let lost = match troubles.len() {
            0 => "nothing lost".to_owned(),
            count => format!("{count} listener(s) lost something:\n  {}", troubles.join("\n  ")),
        };
        self.console.say(format!("\n{}\n{lost}", self.line(shows)));
        let streams = shows.iter().map(|show| self.stream(show)).collect();
        let summary = Summary { seconds: self.began.elapsed().as_secs_f64(), streams, lost: troubles };
        self.console.statistics(&summary, false);
    }

    fn look(&mut self, shows: &[Show]) {
        shows.iter().for_each(|show| self.rows.entry(show.clip.mount).or_default().look(show));
    }

    fn row(&self, show: &Show, origin: Option<Arc<Mount>>, relay: Option<Arc<Mount>>) -> String {
        let row = self.rows.get(show.clip.mount).cloned().unwrap_or_default();
        let count = |mount: &Option<Arc<Mount>>| mount.as_ref().map_or(0, |mount| mount.listeners());
        let runs = relay.as_ref().is_some_and(|mount| mount.source().is_some());
        format!(
            "{:<15} {:<16} {:>9} {:>7.0} {:>13} {:>13} {:>10}  {}\n",
            show.clip.mount,
            show.clip.kind,
            format!("{} + {}", count(&origin), count(&relay)),
            row.kbit_per_s(),
            row.direct.to_string(),
            row.relayed.to_string(),
            output::bytes(verified(show)),
            if runs { "plays" } else { "waits" },
        )
    }

    fn line(&self, shows: &[Show]) -> String {
        let all = || shows.iter().flat_map(Show::listeners);
        let playing = all().filter(|seen| seen.plays.load(Relaxed)).count();
        let bytes: u64 = shows.iter().map(verified).sum();
        let lags = || self.rows.values().flat_map(|row| [&row.direct, &row.relayed]);
        let median = lags().map(Lag::median).max().unwrap_or_default();
        let largest = lags().map(|lag| lag.largest).max().unwrap_or_default();
        format!(
            "{}  {} streams, {playing} of {} listeners play, {} verified, lag {} ms, at most {} ms",
            output::clock(self.began.elapsed()),
            shows.len(),
            all().count(),
            output::bytes(bytes),
            median.as_millis(),
            largest.as_millis(),
        )
    }

    fn stream(&self, show: &Show) -> Stream {
        let row = self.rows.get(show.clip.mount).cloned().unwrap_or_default();
        Stream {
            mount: show.clip.mount,
            kind: show.clip.kind,
            listeners: show.listeners().count(),
            published_bytes: show.ledger.published(),
            verified_bytes: verified(show),
            lag_ms: row.direct.median().as_millis(),
            largest_lag_ms: row.direct.largest.as_millis(),
            relay_lag_ms: row.relayed.median().as_millis(),
            relay_largest_lag_ms: row.relayed.largest.as_millis(),
        }
    }
}

impl Row {
    fn look(&mut self, show: &Show) {
        let now = Instant::now();
        self.sent.push_back((now, show.sent.bytes.load(Relaxed)));
        while self.sent.front().is_some_and(|(then, _)| now - *then > WINDOW) {
            self.sent.pop_front();
        }
        self.direct.look(&show.direct);
        self.relayed.look(&show.relayed);
    }

    fn kbit_per_s(&self) -> f64 {
        let (Some(old), Some(new)) = (self.sent.front(), self.sent.back()) else { return 0.0 };
        output::kbit_per_s(new.1 - old.1, new.0 - old.0)
    }
}

impl Lag {
    fn look(&mut self, listeners: &[Arc<Seen>]) {
        for lag in listeners.iter().flat_map(|seen| seen.take_lags()) {
            self.largest = self.largest.max(lag);
            self.last.push_back(lag);
        }
        let old = self.last.len().saturating_sub(LAGS);
        self.last.drain(..old);
    }

    fn median(&self) -> Duration {
        let mut lags: Vec<_> = self.last.iter().copied().collect();
        lags.sort();
        lags.get(lags.len() / 2).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Lag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ≤ {} ms", self.median().as_millis(), self.largest.as_millis())
    }
}

fn verified(show: &Show) -> u64 {
    show.listeners().map(|seen| seen.verified.load(Relaxed)).sum()
}

fn find(server: &Server, show: &Show) -> Option<Arc<Mount>> {
    server.station().mounts.find(&show.clip.mount.parse().ok()?)
}

/// Where nobody watches, a line this often is enough.
const PLAIN: Duration = Duration::from_secs(5);
/// Rates are told over this time.
const WINDOW: Duration = Duration::from_secs(10);
const LAGS: usize = 1_000;
