//! What a run came to: its metrics, and whether they are as expected.

use super::folder::{Checked, Finding, Report, Verdict};
use super::{Happened, Place, Sample};
use crate::fabric::Totals;
use crate::lab::Lab;
use crate::report::Captures;
use crate::scenario::{Expect, Scenario, Span};
use levada_capture::metrics::Quantiles;
use levada_capture::path::{Level, Path as Stream};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) fn judge(
    scenario: &Scenario,
    lab: &Lab,
    happened: &Happened,
    place: &Place<'_>,
    captures: Option<&Captures>,
) -> Report {
    let mut metrics = happened.metrics.clone();
    links(lab, happened, None, &mut metrics);
    let late = happened.stats.lateness;
    for (name, nanos) in
        [("p50", late.p50_ns), ("p99", late.p99_ns), ("p999", late.p999_ns), ("max", late.max_ns)]
    {
        metrics.insert(format!("lab.lateness.{name}"), nanos as f64 / 1e9);
    }
    metrics.insert("lab.packets".into(), happened.stats.packets as f64);
    metrics.insert("lab.missed".into(), happened.stats.overruns as f64);
    metrics.insert("lab.cpu".into(), happened.stats.cpu_seconds);
    if let Some(recorded) = happened.recorded {
        metrics.insert("capture.packets".into(), recorded.packets as f64);
        metrics.insert("capture.missed".into(), recorded.missed as f64);
    }
    if let Some(captures) = captures {
        stream(captures, &mut metrics);
    }
    let mut checked: Vec<Checked> = Vec::new();
    for expect in &scenario.expect {
        checked.push(check(expect, lab, happened, &metrics));
    }
    let bound = place.fidelity.unwrap_or(scenario.fidelity);
    let invalid = Duration::from_nanos(late.p99_ns) > bound || happened.stats.overruns > 0;
    let failed = !happened.failures.is_empty() || checked.iter().any(|checked| !checked.passed);
    let verdict = match (failed, invalid) {
        (_, true) => Verdict::Invalid,
        (true, false) => Verdict::Failed,
        (false, false) => Verdict::Passed,
    };
    Report {
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        verdict,
        priority: lab.priority(),
        lateness: late,
        bound_ns: u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX),
        seconds: happened.stats.seconds,
        metrics,
        expectations: checked,
        failures: happened.failures.clone(),
    }
}

/// What each direction of each link has carried, in a span since the start where one is given.
fn links(lab: &Lab, happened: &Happened, span: Option<Span>, metrics: &mut BTreeMap<String, f64>) {
    let (first, last) = match span {
        None => (None, happened.samples.last()),
        Some(span) => {
            let at = |time: Duration| {
                let time = time.saturating_add(happened.start);
                let next = happened.samples.partition_point(|sample| sample.at <= time);
                happened.samples.get(next.saturating_sub(1))
            };
            (at(span.from), at(span.to))
        }
    };
    let Some(last) = last else { return };
    let start = span.map_or(happened.start, |span| span.from.saturating_add(happened.start));
    let seconds = last.at.saturating_sub(first.map_or(start, |first| first.at)).as_secs_f64();
    for (index, link) in lab.topology().links().iter().enumerate() {
        for (side, word) in ["down", "up"].into_iter().enumerate() {
            let direction = 2 * index + side;
            let of = |sample: &Sample| sample.totals.get(direction).copied().unwrap_or_default();
            let totals = minus(of(last), first.map(of).unwrap_or_default());
            let mut set = |name: &str, value: f64| {
                metrics.insert(format!("{}.{word}.{name}", link.name), value);
            };
            set("packets", totals.packets as f64);
            set("bytes", totals.bytes as f64);
            set("delivered", totals.delivered as f64);
            set("delivered_bytes", totals.delivered_bytes as f64);
            set("delay", totals.delay_ns as f64 / 1e9 / (totals.delivered as f64).max(1.0));
            set("lost", totals.lost as f64);
            set("drops", (totals.queue + totals.other) as f64);
            set("rate", if seconds > 0.0 { totals.delivered_bytes as f64 * 8.0 / seconds } else { 0.0 });
        }
    }
}

fn minus(a: Totals, b: Totals) -> Totals {
    Totals {
        packets: a.packets - b.packets,
        bytes: a.bytes - b.bytes,
        delivered: a.delivered - b.delivered,
        delivered_bytes: a.delivered_bytes - b.delivered_bytes,
        delay_ns: a.delay_ns - b.delay_ns,
        lost: a.lost - b.lost,
        queue: a.queue - b.queue,
        other: a.other - b.other,
    }
}

/// What the captures say of the stream between their first two points.
fn stream(captures: &Captures, metrics: &mut BTreeMap<String, f64>) {
    let [server, client] = captures.traces();
    let path = Stream::between(server, Some(client), Level::Data);
    let summary = path.summary();
    let mut all = |name: &str, quantiles: &Quantiles| {
        let of = [
            ("p50", quantiles.p50 as f64),
            ("p95", quantiles.p95 as f64),
            ("p99", quantiles.p99 as f64),
            ("mean", quantiles.mean),
            ("max", quantiles.max as f64),
        ];
        for (which, nanos) in of {
            metrics.insert(format!("stream.{name}.{which}"), nanos / 1e9);
        }
    };
    all("sending", &summary.sending);
    all("arrival", &summary.arrival);
    all("delay", &summary.delay);
    metrics.insert("stream.sent".into(), summary.sent.0 as f64);
    metrics.insert("stream.arrived".into(), summary.arrived.0 as f64);
    metrics.insert("stream.loss".into(), summary.loss);
    metrics.insert("stream.jitter".into(), summary.jitter / 1e9);
}

fn check(expect: &Expect, lab: &Lab, happened: &Happened, all: &BTreeMap<String, f64>) -> Checked {
    let mut inside;
    let metrics = match expect.within {
        None => all,
        Some(span) => {
            inside = all.clone();
            links(lab, happened, Some(span), &mut inside);
            &inside
        }
    };
    let of = |name: &str| {
        let known: Vec<&str> = metrics.keys().map(String::as_str).collect();
        let meant = || crate::did_you_mean(levada_link::units::nearest(name, &known));
        metrics.get(name).copied().ok_or_else(|| format!("there is no metric {name:?}{}", meant()))
    };
    let value = of(&expect.metric).and_then(|value| match &expect.per {
        None => Ok(value),
        Some(per) => of(per).map(|per| value / per),
    });
    let name = expect.per.as_ref().map_or(expect.metric.clone(), |per| format!("{} / {per}", expect.metric));
    let limits = [
        expect.min.as_ref().map(|m| format!("at least {}", m.text)),
        expect.max.as_ref().map(|m| format!("at most {}", m.text)),
    ];
    let wanted = limits.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let (value, passed, why) = match value {
        Ok(value) => {
            let low = expect.min.as_ref().is_none_or(|min| value >= min.value);
            let high = expect.max.as_ref().is_none_or(|max| value <= max.value);
            (Some(value), low && high && value.is_finite(), String::new())
        }
        Err(why) => (None, false, why),
    };
    Checked { metric: name, value, wanted, passed, why, about: expect.about.clone() }
}

/// A metric in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its name.
    pub metric: String,
    /// In the one, and in the other.
    pub values: [Option<f64>; 2],
}

/// Two runs side by side, metric by metric.
pub fn compare(one: &Report, other: &Report) -> Vec<Compared> {
    let mut names: Vec<&String> = one.metrics.keys().chain(other.metrics.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let of = |name: &str| [one, other].map(|report| report.metrics.get(name).copied());
    names.into_iter().map(|name| Compared { metric: name.clone(), values: of(name) }).collect()
}

/// Of several runs, each metric's median, mean, and half of the mean's 95 % confidence interval (normal approximation).
pub fn spread(reports: &[Report]) -> BTreeMap<String, [f64; 3]> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, value) in reports.iter().flat_map(|report| &report.metrics) {
        values.entry(name).or_default().push(*value);
    }
    let figures = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let square: f64 = all.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = if all.len() > 1 { (square / (count - 1.0)).sqrt() } else { 0.0 };
        [all[all.len() / 2], mean, 1.96 * deviation / count.sqrt()]
    };
    values.into_iter().map(|(name, all)| (name.to_owned(), figures(all))).collect()
}

impl Report {
    /// What went wrong, in words.
    pub fn problems(&self) -> Vec<Finding> {
        let mut all = self.failures.clone();
        for checked in self.expectations.iter().filter(|checked| !checked.passed) {
            let why = match checked.value {
                Some(value) => format!("is {}, expected {}", figure(value), checked.wanted),
                None => checked.why.clone(),
            };
            all.push(Finding { what: checked.metric.clone(), why });
        }
        all
    }
}

/// A number to be read by a person.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        1e6.. => format!("{value:.0}"),
        1.0.. => format!("{value:.3}"),
        _ => format!("{value:.6}"),
    }
}
