//! The tables of a report: one for people, one for the terminal.

use super::Subject;
use crate::plot::{bit_rate, duration};
use levada_capture::metrics::Quantiles;
use levada_capture::path::Summary;

/// A table: its head, and its rows.
pub(super) struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Where the times lie, level by level.
pub(super) fn percentiles(subject: &Subject<'_>, summaries: &[Summary]) -> Table {
    let names = ["", "", "count", "min", "p5", "p50", "p95", "p99", "p99.9", "max", "mean", "sd"];
    let mut rows = Vec::new();
    for summary in summaries {
        let sending = if subject.client.is_some() { "inter-sending time" } else { "time between neighbours" };
        rows.push(row(summary, sending, &summary.sending));
        if subject.client.is_some() {
            rows.push(row(summary, "interarrival time", &summary.arrival));
            rows.push(row(summary, "one-way delay", &summary.delay));
        }
    }
    Table { head: names.map(String::from).to_vec(), rows }
}

fn row(summary: &Summary, what: &str, q: &Quantiles) -> Vec<String> {
    let times = [q.min, q.p5, q.p50, q.p95, q.p99, q.p999, q.max].map(|nanos| duration(nanos as f64));
    let [level, what] = [summary.level.to_string(), what.to_string()];
    let mut row = vec![level, what, q.count.to_string()];
    row.extend(times);
    row.extend([duration(q.mean), duration(q.deviation)]);
    row
}

/// How many, how fast, and what became of them.
pub(super) fn fates(subject: &Subject<'_>, summaries: &[Summary]) -> Table {
    let two = subject.client.is_some();
    let head: &[&str] = if two {
        &[
            "",
            "sent",
            "arrived",
            "lost",
            "reordered (extent)",
            "extra",
            "sent again",
            "offered",
            "delivered",
            "jitter",
            "its peak",
        ]
    } else {
        &["", "seen", "sent again", "rate", "jitter", "its peak"]
    };
    let rows = summaries
        .iter()
        .map(|s| {
            let jitter = [duration(s.jitter), duration(s.jitter_max)];
            let mut row = vec![s.level.to_string(), format!("{} ({} B)", s.sent.0, s.sent.1)];
            if two {
                row.push(format!("{} ({} B)", s.arrived.0, s.arrived.1));
                row.push(format!("{} ({:.3} %)", s.lost, s.loss * 100.0));
                row.push(format!("{} ({})", s.reordering.reordered, s.reordering.extent));
                row.push(s.extra.to_string());
            }
            row.push(s.retransmitted.to_string());
            row.push(bit_rate(s.rate.0));
            if two {
                row.push(bit_rate(s.rate.1));
            }
            row.extend(jitter);
            row
        })
        .collect();
    Table { head: head.iter().map(|word| (*word).into()).collect(), rows }
}
