//! `levada lab run`: scenarios, once or often, and what came of them.

use super::words::rate;
use crate::exit::{self, Exit};
use crate::output::Console;
use anyhow::{Context, Result};
use clap::Args;
use levada_lab::{Override, Place, Report, RunError, Scenario, Verdict, compare, house, netns, spread};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs a scenario.
#[derive(Debug, Args)]
pub struct Run {
    /// The scenario, a TOML file
    scenario: PathBuf,
    /// The output folder [default: the scenario's name]
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Another value: link.core.rate=2mbit
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// So many times, with seeds that follow on each other
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Let the engine be so late with one packet in a hundred before the run is INVALID
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    fidelity: Option<Duration>,
}

/// Compares two runs.
#[derive(Debug, Args)]
pub struct Diff {
    /// The folder of a run
    one: PathBuf,
    /// The folder of another
    other: PathBuf,
    /// Also metrics that are the same
    #[arg(long)]
    all: bool,
}

impl Run {
    /// A scenario and where its files go, for the tutorial.
    pub fn of(scenario: PathBuf, out: PathBuf) -> Run {
        Run { scenario, out: Some(out), set: Vec::new(), repeat: 1, fidelity: None }
    }

    /// Runs it once, in process 1.
    pub fn tutorial(&self, console: Console) -> Result<Report> {
        let folder = self.out.clone().unwrap_or_default();
        self.once(&[], &folder, &AtomicBool::new(false), console)
    }

    /// Whether it needs namespaces: what cannot be read, or waits for something, does not.
    ///
    /// # Errors
    /// What is wrong with the scenario.
    pub fn check(&self) -> Result<bool> {
        let (scenario, _) = self.read(&self.set)?;
        Ok(scenario.waits.is_none())
    }

    fn read(&self, overrides: &[Override]) -> Result<(Scenario, toml::Table)> {
        let path = self.scenario.display();
        let text = fs::read_to_string(&self.scenario)
            .map_err(|why| Exit(exit::CONFIG, format!("cannot read {path}: {why}")))?;
        Scenario::with(&text, overrides).map_err(|why| Exit(exit::CONFIG, format!("{path}: {why}")).into())
    }

    /// Says what it waits for.
    ///
    /// # Errors
    /// That, as the exit status of a test that was skipped.
    pub fn waiting(&self) -> Result<()> {
        let (scenario, _) = self.read(&self.set)?;
        let for_what = scenario.waits.unwrap_or_default();
        Err(Exit(WAITS, format!("{} is waiting: {for_what}", scenario.name)).into())
    }

    /// Runs it, in process 1.
    ///
    /// # Errors
    /// That it cannot be run, or an expectation that was not met.
    pub fn run(self, console: Console) -> Result<()> {
        house::tie()?;
        let (plain, _) = self.read(&self.set)?;
        let folder = self.out.clone().unwrap_or_else(|| PathBuf::from(plain.name.replace(' ', "-")));
        let stop = Arc::new(AtomicBool::new(false));
        stop_at_signals(stop.clone())?;
        let combinations = plain.combinations();
        let many = combinations.len() > 1 || self.repeat > 1;
        let mut reports = Vec::new();
        for (number, combination) in combinations.iter().enumerate() {
            let mut same = Vec::new();
            for turn in 0..self.repeat.max(1) {
                let mut set = self.set.clone();
                set.extend(combination.iter().cloned());
                if turn > 0 {
                    let seed = i64::try_from(plain.seed).unwrap_or(1) + i64::from(turn);
                    set.push(Override { path: "seed".into(), value: toml::Value::Integer(seed) });
                }
                let own = match many {
                    true => {
                        folder.join(format!("{}", number * self.repeat.max(1) as usize + turn as usize + 1))
                    }
                    false => folder.clone(),
                };
                if many {
                    let values = combination.iter().map(|set| format!("{} = {}", set.path, set.value));
                    console.say(format!("{}: {}", own.display(), values.collect::<Vec<_>>().join(", ")));
                }
                let report = self.once(&set, &own, &stop, console)?;
                show(&report, &own, console);
                same.push(report);
            }
            if self.repeat > 1 {
                spreads(&same);
            }
            reports.extend(same);
        }
        let worst = reports.iter().map(|report| status(report.verdict)).max().unwrap_or(0);
        super::speak::ended(worst)
    }

    fn once(&self, set: &[Override], folder: &Path, stop: &AtomicBool, console: Console) -> Result<Report> {
        let (scenario, table) = self.read(set)?;
        let topology = scenario.topology().map_err(|why| Exit(exit::CONFIG, why.to_string()))?;
        netns::furnish(&topology.names()).context("cannot set the hosts' names")?;
        let base =
            self.scenario.parent().filter(|base| !base.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let say = |text: &str| console.say(text);
        let place =
            Place { folder: &folder, base: base.canonicalize()?, say: &say, stop, fidelity: self.fidelity };
        match scenario.run(&table, &place) {
            Ok(report) => Ok(report),
            Err(why @ RunError::Stopped) => Err(Exit(130, why.to_string()).into()),
            Err(why) => Err(why.into()),
        }
    }
}

impl Diff {
    /// Shows what differs.
    ///
    /// # Errors
    /// That one of them is no run.
    pub fn run(self) -> Result<()> {
        let read = |folder: &Path| {
            Report::read(folder).with_context(|| format!("{} is not the folder of a run", folder.display()))
        };
        let compared = compare(&read(&self.one)?, &read(&self.other)?);
        println!("{:<36} {:>16} {:>16} {:>9}", "metric", "one", "other", "change");
        for one in compared.iter().filter(|one| self.all || one.values[0] != one.values[1]) {
            let shown = one.values.map(|value| value.map_or("–".into(), figure));
            let change = match one.values {
                [Some(a), Some(b)] if a != 0.0 => format!("{:+.1}%", (b / a - 1.0) * 100.0),
                _ => String::new(),
            };
            println!("{:<36} {:>16} {:>16} {:>9}", one.metric, shown[0], shown[1], change);
        }
        Ok(())
    }
}

/// The exit status of a verdict.
pub fn status(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => exit::FAILED,
        Verdict::Invalid => INVALID,
    }
}

/// Says what came of a run: data for programs, sentences for people.
pub fn show(report: &Report, folder: &Path, console: Console) {
    console.statistics(report, false);
    if console.json() {
        return;
    }
    for checked in report.expectations.iter().filter(|checked| checked.passed) {
        let about = if checked.about.is_empty() { String::new() } else { format!("  ({})", checked.about) };
        let value = checked.value.unwrap_or_default();
        println!(
            "ok      {} is {}, {}{about}",
            checked.metric,
            shown(&checked.metric, value),
            checked.wanted
        );
    }
    for problem in report.problems() {
        println!("FAILED  {}: {}", problem.what, problem.why);
    }
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let late =
        format!("p99 {:.0} µs, bound {:.0} µs", micros(report.lateness.p99_ns), micros(report.bound_ns));
    let word = match report.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::Invalid => "INVALID",
    };
    let why = match report.verdict {
        Verdict::Invalid => "; the machine was too busy for its figures to mean anything",
        _ => "",
    };
    let priority = super::up::priority(report.priority);
    println!(
        "{word}  {} in {:.1} s, {}{why}; lateness {late}, {priority}",
        report.scenario,
        report.seconds,
        folder.display()
    );
}

/// A metric's value as its name suggests.
fn shown(metric: &str, value: f64) -> String {
    if metric.contains(" / ") {
        return figure(value);
    }
    match metric.rsplit('.').next().unwrap_or_default() {
        "rate" | "estimate" => rate(value),
        "delay" => format!("{:.3} ms", value * 1e3),
        _ if metric.contains(".rtt.") || metric.contains("lateness") => format!("{:.3} ms", value * 1e3),
        _ if metric.starts_with("stream.") && metric.matches('.').count() == 2 => {
            format!("{:.3} ms", value * 1e3)
        }
        _ => figure(value),
    }
}

fn figure(value: f64) -> String {
    match value {
        value if value == value.round() && value.abs() < 1e15 => format!("{value:.0}"),
        value if value.abs() >= 1.0 => format!("{value:.3}"),
        value => format!("{value:.6}"),
    }
}

fn spreads(reports: &[Report]) {
    println!("{:<36} {:>16} {:>16} {:>14}", "metric", "median", "mean", "± (95 %)");
    let all: BTreeMap<String, [f64; 3]> = spread(reports);
    for (metric, [median, mean, half]) in all {
        println!("{metric:<36} {:>16} {:>16} {:>14}", figure(median), figure(mean), figure(half));
    }
}

fn stop_at_signals(stop: Arc<AtomicBool>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = move || {
        runtime.block_on(crate::run::stopped());
        stop.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".into()).spawn(body)?;
    Ok(())
}

/// The exit status of a run whose figures mean nothing.
const INVALID: u8 = 6;
/// The exit status of a scenario that waits for something, as of tests that are skipped.
pub const WAITS: u8 = 77;
