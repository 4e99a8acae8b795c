//! What came of a scenario: figures by name, what happened each second, and whether it is as expected.

use super::{
    book::{Book, Second},
    histogram::Histogram,
    scenario::{Amount, Expect, Scenario},
    teams::Teams,
};
use crate::native::{peer, splitter};
use levada_link::world;
use serde::Serialize;
use std::collections::BTreeMap;

/// What came of a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Its seed.
    pub seed: u64,
    /// A number made of every arrival of every datagram: two runs that differ have different ones.
    pub hash: String,
    /// Figures by name: times in seconds, uploads as multiples of the stream, shares as parts of one.
    pub figures: BTreeMap<&'static str, f64>,
    /// What was expected, and whether it is so.
    pub verdicts: Vec<Verdict>,
    /// What happened in each second.
    pub seconds: Vec<Second>,
    /// How figures of many are distributed.
    pub curves: Vec<Curve>,
}

/// An expectation, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The figure.
    pub metric: String,
    /// What it is; nothing where there is no such figure.
    pub is: Option<f64>,
    /// At least, at most.
    pub bounds: [Option<f64>; 2],
    /// Whether it is within them.
    pub holds: bool,
}

/// How a figure is distributed.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Of what.
    pub name: &'static str,
    /// Values, each with the share of all that do not exceed it.
    pub points: Vec<(f64, f64)>,
}

/// Sums over all machines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) hash: u64,
    pub(super) world: world::Stats,
    pub(super) source: splitter::Stats,
    /// What the source had sent and been fed when measuring began.
    pub(super) settled: (u64, u64),
    pub(super) peers: peer::Stats,
    pub(super) most_present: usize,
    pub(super) passed_on: u64,
    /// Where there are several.
    pub(super) teams: Option<Teams>,
}

impl Totals {
    pub(super) fn add(&mut self, peer: &peer::Stats) {
        self.peers = self.peers + *peer;
    }
}

impl Report {
    pub(super) fn new(scenario: &Scenario, book: Book, totals: Totals) -> Report {
        let figures = figures(scenario, &book, &totals);
        let verdicts = scenario.expect.iter().map(|expect| judge(expect, &figures)).collect();
        let curve = |name, histogram: &Histogram, unit: f64| Curve {
            name,
            points: histogram.steps().map(|(value, share)| (value as f64 / unit, share)).collect(),
        };
        Report {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            seed: scenario.seed,
            hash: format!("{:016x}", totals.hash),
            figures,
            verdicts,
            curves: vec![
                curve("lag", &book.lag, 1e6),
                curve("start", &book.start, 1e6),
                curve("upload", &book.upload, 1e3),
            ],
            seconds: book.seconds,
        }
    }

    /// Whether everything is as expected.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds)
    }
}

/// Of several runs of one scenario, each expectation as it came out worst: outside its bounds, or nearest to them.
pub fn worst(reports: &[Report]) -> Vec<Verdict> {
    let expected = reports.first().map_or(0, |report| report.verdicts.len());
    let of = |at: usize| reports.iter().filter_map(move |report| report.verdicts.get(at));
    (0..expected).filter_map(|at| of(at).min_by(|a, b| a.margin().total_cmp(&b.margin())).cloned()).collect()
}

impl Verdict {
    /// How far the figure is within its bounds; negative outside.
    fn margin(&self) -> f64 {
        let Some(is) = self.is else { return f64::NEG_INFINITY };
        let [min, max] = self.bounds;
        min.map_or(f64::INFINITY, |min| is - min).min(max.map_or(f64::INFINITY, |max| max - is))
    }
}

fn figures(scenario: &Scenario, book: &Book, totals: &Totals) -> BTreeMap<&'static str, f64> {
    let Totals { world, source, settled, peers, .. } = totals;
    let quantile = |histogram: &Histogram, share, unit: f64| histogram.quantile(share) as f64 / unit;
    let ratio = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
    let lag = |share| quantile(&book.lag, share, 1e6);
    let start = |share| quantile(&book.start, share, 1e6);
    let upload = |share| quantile(&book.upload, share, 1e3);
    let recovered = book.since.map_or(0.0, |since| book.harmed.saturating_sub(since) as f64 / 1e9);
    let payload = peers.received * scenario.stream.bytes as u64;
    let mut figures = BTreeMap::from([
        ("peers.all", book.stays.len() as f64),
        ("peers.most", totals.most_present as f64),
        ("peers.never_began", book.never_began as f64),
        (
            "source.upload",
            ratio(
                source.sent_bytes - settled.0.min(source.sent_bytes),
                source.fed_bytes - settled.1.min(source.fed_bytes),
            ),
        ),
        ("source.repaired", source.repaired as f64),
        ("source.unrepaired", source.unrepaired as f64),
        ("source.moved", source.moved as f64),
        ("source.distrusted", source.distrusted as f64),
        ("source.waiting", source.waiting as f64),
        ("peer.upload.mean", book.upload.mean() / 1e3),
        ("peer.upload.p50", upload(0.5)),
        ("peer.upload.p99", upload(0.99)),
        ("peer.upload.over-cap", book.caps.0 as f64),
        ("peer.upload.of-cap", book.caps.1),
        ("peer.upload.withheld", peers.withheld as f64),
        ("peer.upload.max", book.upload.most() as f64 / 1e3),
        ("lag.p1", lag(0.01)),
        ("lag.p50", lag(0.5)),
        ("lag.p95", lag(0.95)),
        ("lag.p99", lag(0.99)),
        ("lag.max", book.lag.most() as f64 / 1e6),
        ("start.p50", start(0.5)),
        ("start.p95", start(0.95)),
        ("start.p99", start(0.99)),
        ("start.count", book.start.count() as f64),
        ("played", book.played as f64),
        ("lost", book.lost as f64),
        ("missed", ratio(book.lost, book.lost + book.played)),
        ("old.missed", ratio(book.old.1, book.old.0 + book.old.1)),
        ("recovered", recovered),
        ("forged.received", peers.forged as f64),
        ("forged.played", book.forged_played as f64),
        ("forged.second_hop", totals.passed_on as f64),
        ("duplicates", ratio(peers.duplicates, peers.received)),
        ("overhead", ratio(peers.received_bytes, payload) - if payload == 0 { 0.0 } else { 1.0 }),
        ("hops.most", f64::from(peers.hops)),
        ("joins", peers.joins as f64),
        ("signatures.checked", peers.checked as f64),
        ("asked", peers.asked as f64),
        ("given", peers.given as f64),
        ("asked.share", ratio(peers.asked, peers.received)),
        ("rebuilt", peers.rebuilt as f64),
        ("parity", peers.parity as f64),
        ("source.parity", source.parity as f64),
        ("refused", peers.refused as f64),
        ("datagrams.sent", world.sent as f64),
        ("datagrams.delivered", world.delivered as f64),
        ("datagrams.dropped", world.dropped as f64),
    ]);
    if let Some(Teams { count, uneven, moves, upload }) = totals.teams {
        figures.extend([
            ("teams", count as f64),
            ("teams.uneven", uneven),
            ("teams.moves", moves as f64),
            ("bridge.upload.max", upload),
        ]);
    }
    figures
}

fn judge(expect: &Expect, figures: &BTreeMap<&'static str, f64>) -> Verdict {
    let is = figures.get(expect.metric.as_str()).copied();
    let bounds = [expect.min, expect.max].map(|bound| bound.map(|Amount(bound)| bound));
    let holds =
        is.is_some_and(|is| bounds[0].is_none_or(|min| is >= min) && bounds[1].is_none_or(|max| is <= max));
    Verdict { metric: expect.metric.clone(), is, bounds, holds }
}
