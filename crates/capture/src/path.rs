//! What a stream looked like where it was sent and where it arrived, and what became of it in between.

mod events;
mod pair;

use crate::metrics::{Jitter, Quantiles, Reordering, gaps, nanos};
use crate::rtmp_lane::Kind;
use crate::trace::Trace;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use events::Event;
pub use pair::Clocks;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every packet that goes the way of the stream.
    #[default]
    Packets,
    /// Those that carry something: no bare acknowledgements.
    Data,
    /// RTMP chunks, each when its last byte passed.
    Chunks,
    /// RTMP messages, likewise.
    Messages,
}

/// A stream between two traces, or seen by one.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// What is looked at.
    pub level: Level,
    /// What was sent; where there is one trace only, what that saw.
    pub sent: Vec<Event>,
    /// What arrived, in the order of arrival; empty where there is one trace only.
    pub arrived: Vec<Event>,
    /// What arrived and when it was sent: indices into `sent` and `arrived`, in the order of arrival.
    pub pairs: Vec<(u32, u32)>,
    /// What was sent and did not arrive, as indices into `sent`. What may still be on its way is not among them.
    pub lost: Vec<u32>,
    /// What arrived more often than it was sent, or was never seen where it was sent: indices into `arrived`.
    pub extra: Vec<u32>,
    /// What arrived after something that was sent later: indices into `arrived`.
    pub late: Vec<u32>,
    /// How the two clocks differ.
    pub clocks: Clocks,
    /// Whether the second trace is where the stream was sent.
    pub turned: bool,
}

/// The figures of a path; times in nanoseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// What was looked at.
    pub level: Level,
    /// How many were sent, and their bytes.
    pub sent: (usize, u64),
    /// How many arrived, and their bytes; zero where there is one trace only.
    pub arrived: (usize, u64),
    /// What was lost, and of what was sent the part.
    pub lost: usize,
    /// `lost` over `sent`, from 0 to 1.
    pub loss: f64,
    /// What arrived twice, or from nowhere.
    pub extra: usize,
    /// What arrived after something that was sent later.
    pub reordering: Reordering,
    /// TCP: what was sent again.
    pub retransmitted: usize,
    /// From one to the next, where they were sent.
    pub sending: Quantiles,
    /// From one to the next, where they arrived.
    pub arrival: Quantiles,
    /// From sending to arrival.
    pub delay: Quantiles,
    /// RFC 3550, at the end: by the times of sending, or by RTMP's own timestamps where there is one trace.
    pub jitter: f64,
    /// The same, at its largest.
    pub jitter_max: f64,
    /// Bit/s sent and delivered, over the whole.
    pub rate: (f64, f64),
}

/// A level that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no level: it is packets, data, chunks or messages")]
pub struct NoLevel(String);

impl FromStr for Level {
    type Err = NoLevel;

    fn from_str(text: &str) -> Result<Level, NoLevel> {
        match text {
            "packets" | "all" => Ok(Level::Packets),
            "data" | "segments" => Ok(Level::Data),
            "chunks" => Ok(Level::Chunks),
            "messages" => Ok(Level::Messages),
            _ => Err(NoLevel(text.into())),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Packets => "packets",
            Level::Data => "data segments",
            Level::Chunks => "RTMP chunks",
            Level::Messages => "RTMP messages",
        })
    }
}

impl Path {
    /// What `server` saw of the stream and, where it is given, `client`. The stream is everything that goes from one host to
    /// another, between whom most is carried, whichever of the two has sent it.
    pub fn between(server: &Trace, client: Option<&Trace>, level: Level) -> Path {
        let Some(hosts) = server.main_hosts().or_else(|| client?.main_hosts()) else {
            return Path { level, ..Path::default() };
        };
        let mut sent = events::of(server, hosts, level);
        let Some(client) = client else { return Path { level, sent, ..Path::default() } };
        let mut arrived = events::of(client, hosts, level);
        let clocks = pair::clocks(server, client, hosts);
        if clocks.turned {
            std::mem::swap(&mut sent, &mut arrived);
        }
        let mut path = Path { level, sent, arrived, turned: clocks.turned, clocks, ..Path::default() };
        pair::join(&mut path);
        path
    }

    /// When the first of it was seen, by the clock of the first trace.
    pub fn begin(&self) -> Option<Duration> {
        let first = |events: &[Event]| events.iter().map(|event| event.at).min();
        first(&self.sent).into_iter().chain(first(&self.arrived)).min()
    }

    /// When the last of it was seen.
    pub fn end(&self) -> Option<Duration> {
        let last = |events: &[Event]| events.iter().map(|event| event.at).max();
        last(&self.sent).into_iter().chain(last(&self.arrived)).max()
    }

    /// How long each pair was on its way, in nanoseconds, in the order of arrival.
    pub fn delays(&self) -> impl Iterator<Item = (&Event, i64)> {
        self.pairs.iter().map(|(sent, arrived)| {
            let sent = &self.sent[*sent as usize];
            (
                sent,
                (nanos(self.arrived[*arrived as usize].at) - nanos(sent.at))
                    .saturating_add(self.clocks.correction),
            )
        })
    }

    /// RFC 3550's jitter after each arrival, in nanoseconds, with when that was.
    pub fn jitter(&self) -> Vec<(Duration, f64)> {
        let mut jitter = Jitter::default();
        if !self.pairs.is_empty() {
            let arrivals = self.pairs.iter().map(|(_, arrived)| self.arrived[*arrived as usize].at);
            return arrivals.zip(self.delays()).map(|(at, (_, delay))| (at, jitter.push(delay))).collect();
        }
        let media = |event: &&Event| matches!(event.kind, Some(Kind::Audio | Kind::Video | Kind::Key));
        let stamped = self.sent.iter().filter(media).filter_map(|event| Some((event.at, event.timestamp?)));
        let transits = stamped.map(|(at, timestamp)| (at, nanos(at) - i64::from(timestamp) * 1_000_000));
        transits.map(|(at, transit)| (at, jitter.push(transit))).collect()
    }

    /// Its figures.
    pub fn summary(&self) -> Summary {
        let total = |events: &[Event]| (events.len(), events.iter().map(|event| u64::from(event.size)).sum());
        let between = |events: &[Event]| {
            let mut gaps: Vec<i64> = gaps(events.iter().map(|event| event.at)).collect();
            Quantiles::of(&mut gaps)
        };
        let mut delays: Vec<i64> = self.delays().map(|(_, delay)| delay).collect();
        let jitter = self.jitter();
        let mut reordering = Reordering::default();
        self.pairs.iter().for_each(|(sent, _)| {
            reordering.push(*sent as usize);
        });
        let rate = |events: &[Event]| {
            let (Some(first), Some(last)) = (events.first(), events.last()) else { return 0.0 };
            let span = last.at.saturating_sub(first.at).as_secs_f64();
            if span > 0.0 { total(events).1 as f64 * 8.0 / span } else { 0.0 }
        };
        Summary {
            level: self.level,
            sent: total(&self.sent),
            arrived: total(&self.arrived),
            lost: self.lost.len(),
            loss: if self.sent.is_empty() { 0.0 } else { self.lost.len() as f64 / self.sent.len() as f64 },
            extra: self.extra.len(),
            reordering,
            retransmitted: self.sent.iter().filter(|event| event.again).count(),
            sending: between(&self.sent),
            arrival: between(&self.arrived),
            delay: Quantiles::of(&mut delays),
            jitter: jitter.last().map_or(0.0, |(_, jitter)| *jitter),
            jitter_max: jitter.iter().map(|(_, jitter)| *jitter).fold(0.0, f64::max),
            rate: (rate(&self.sent), rate(&self.arrived)),
        }
    }
}

#[cfg(test)]
mod tests;
