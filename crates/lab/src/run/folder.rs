//! What a run leaves behind: the folder with its lock file, metrics, JUnit results, changes.

use super::judge::figure;
use super::{Place, RunError};
use crate::engine::Priority;
use crate::journal::Journal;
use crate::lab::Lab;
use crate::lateness::Summary;
use crate::report::{Captures, Fidelity};
use crate::scenario::Scenario;
use levada_capture::path::Level;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// `metrics.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Of which scenario.
    pub scenario: String,
    /// With which seed.
    pub seed: u64,
    /// What came of it.
    pub verdict: Verdict,
    /// What scheduling the engine got.
    pub priority: Priority,
    /// How late it was.
    pub lateness: Summary,
    /// How late it might be, for 99 packets in a hundred.
    pub bound_ns: u64,
    /// How long it took.
    pub seconds: f64,
    /// Times in seconds, rates in bits per second, sizes in bytes, shares of one.
    pub metrics: BTreeMap<String, f64>,
    /// What was expected.
    pub expectations: Vec<Checked>,
    /// What went wrong beside.
    pub failures: Vec<Finding>,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All was as expected.
    Passed,
    /// Something was not.
    Failed,
    /// The machine was too busy for the figures to mean anything.
    Invalid,
}

/// An expectation, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Of what.
    pub metric: String,
    /// What it was; `None` where there is no such metric.
    pub value: Option<f64>,
    /// What it should be.
    pub wanted: String,
    /// Whether it was.
    pub passed: bool,
    /// Why there is no value.
    pub why: String,
    /// What it means.
    pub about: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// With what.
    pub what: String,
    /// How.
    pub why: String,
}

impl Report {
    /// Reads the `metrics.json` of a run's folder.
    ///
    /// # Errors
    /// That there is none.
    pub fn read(folder: &Path) -> io::Result<Report> {
        let text = fs::read_to_string(folder.join("metrics.json"))?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }
}

/// Makes a new folder, or empties one that a run has made.
pub(super) fn prepare(folder: &Path) -> Result<(), RunError> {
    let failed = |why| RunError::Folder { folder: folder.into(), why };
    if folder.join(LOCK).exists() {
        for entry in fs::read_dir(folder).map_err(failed)?.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
    } else if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let why = io::Error::new(io::ErrorKind::AlreadyExists, "there are files that no run has made");
        return Err(failed(why));
    }
    fs::create_dir_all(folder).map_err(failed)?;
    // So that an interrupted run can be taken back, too.
    fs::write(folder.join(LOCK), "").map_err(failed)
}

pub(super) fn write(
    scenario: &Scenario,
    resolved: &toml::Table,
    lab: &Lab,
    report: &Report,
    journal: &Journal,
    place: &Place<'_>,
) -> Result<(), RunError> {
    let put = |name: &str, text: String| {
        let failed = |why| RunError::Folder { folder: place.folder.into(), why };
        fs::write(place.folder.join(name), text).map_err(failed)
    };
    put(LOCK, lock(resolved, lab))?;
    put("metrics.json", serde_json::to_string_pretty(report).unwrap_or_default() + "\n")?;
    put("junit.xml", junit(scenario, report))?;
    put("changes.toml", journal.to_toml())
}

/// The page with what was captured, and its figures beside it.
pub(super) fn draw(report: &Report, captures: &Captures, place: &Place<'_>) -> Result<(), RunError> {
    let late = report.lateness;
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let words = format!(
        "lateness of {} packets: p50 {:.1} µs, p99 {:.1} µs, bound {:.0} µs",
        late.packets,
        micros(late.p50_ns),
        micros(late.p99_ns),
        micros(report.bound_ns)
    );
    let fidelity = match report.verdict {
        Verdict::Invalid => Fidelity::Invalid(words),
        _ => Fidelity::Valid(words),
    };
    let mut subject = captures.subject(report.scenario.clone(), Level::default(), Some(fidelity));
    subject.about.push(("seed".into(), report.seed.to_string()));
    let page = crate::report::Report::of(&subject);
    let failed = |why| RunError::Folder { folder: place.folder.into(), why };
    page.save(place.folder, true).map_err(failed).map(drop)
}

/// The scenario as it was run, with what it was run on.
fn lock(resolved: &toml::Table, lab: &Lab) -> String {
    let mut table = resolved.clone();
    let kernel = rustix::system::uname();
    let mut locked = toml::Table::new();
    let mut set = |key: &str, value: String| locked.insert(key.into(), toml::Value::String(value));
    set("levada", env!("CARGO_PKG_VERSION").into());
    set("kernel", format!("{} {}", kernel.release().to_string_lossy(), kernel.machine().to_string_lossy()));
    set("processors", std::thread::available_parallelism().map_or(1, usize::from).to_string());
    set("priority", serde_json::to_string(&lab.priority()).unwrap_or_default());
    table.insert("locked".into(), toml::Value::Table(locked));
    toml::to_string_pretty(&table).unwrap_or_default()
}

/// JUnit's form: a case for each expectation, for the programs and for fidelity.
fn junit(scenario: &Scenario, report: &Report) -> String {
    let mut cases: Vec<(String, Option<String>)> = Vec::new();
    let run = report.failures.iter().map(|finding| format!("{}: {}", finding.what, finding.why));
    cases.push((
        "everything ran".into(),
        Some(run.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty()),
    ));
    for checked in &report.expectations {
        let value = checked.value.map_or(checked.why.clone(), |value| format!("is {}", figure(value)));
        let name = format!("{} {}", checked.metric, checked.wanted);
        cases.push((name, (!checked.passed).then_some(value)));
    }
    let late = (report.verdict == Verdict::Invalid).then(|| "INVALID: the machine was too busy".to_owned());
    cases.push(("the engine was punctual".into(), late));
    let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _in_memory = writeln!(
        xml,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" time=\"{:.3}\">",
        escape(&scenario.name),
        cases.len(),
        report.seconds
    );
    for (name, failure) in cases {
        let _in_memory = match failure {
            None => writeln!(xml, "  <testcase name=\"{}\"/>", escape(&name)),
            Some(why) => writeln!(
                xml,
                "  <testcase name=\"{}\"><failure message=\"{}\"/></testcase>",
                escape(&name),
                escape(&why)
            ),
        };
    }
    xml + "</testsuite>\n"
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

const LOCK: &str = "scenario.lock.toml";
