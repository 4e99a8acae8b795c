//! Runs scenarios and prints their figures: `levada swarm simulate` without the rest of levada, for profiling.
//!
//! `cargo run --release -p levada-swarm --example simulate -- [--seeds N] [--quiet] bench/swarm/thousand.toml …`
//!
//! With `--seeds` each is run with the seeds 1 to N, and of each expectation the worst figure is given; with `--quiet`
//! that is all. It fails where an expectation does.
#![allow(clippy::disallowed_methods)] // This measures the wall clock.

use levada_swarm::simulate::{Report, Scenario, Simulation, worst};
use std::{process::ExitCode, time::Instant};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (mut seeds, mut quiet, mut holds) = (None, false, true);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seeds" => seeds = Some(args.next().unwrap_or_default().parse::<u64>()?),
            "--quiet" => quiet = true,
            path => holds &= run(path, seeds, quiet)?,
        }
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(path: &str, seeds: Option<u64>, quiet: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let scenario: Scenario = std::fs::read_to_string(path)?.parse()?;
    let mut reports = Vec::new();
    for seed in seeds.map_or(scenario.seed..scenario.seed + 1, |seeds| 1..seeds + 1) {
        let began = Instant::now();
        let report = Simulation::new(began, Scenario { seed, ..scenario.clone() })?.finish();
        let seconds = began.elapsed().as_secs_f64();
        println!("{path}: {}, seed {seed}, in {seconds:.1} s, hash {}", report.name, report.hash);
        if !quiet {
            tell(&report);
        }
        reports.push(report);
    }
    for verdict in worst(&reports) {
        let name = &verdict.metric;
        let is = verdict.is.map_or_else(|| "nothing".into(), |is| format!("{is:.6}"));
        println!("  {} {name:<20} {is} {:?}", if verdict.holds { "good" } else { "BAD " }, verdict.bounds);
    }
    if let Some(seconds) = processor_time() {
        let delivered: f64 =
            reports.iter().filter_map(|report| report.figures.get("datagrams.delivered")).sum();
        println!(
            "  {seconds:.1} s of processor time, {:.2} µs a delivered datagram",
            seconds * 1e6 / delivered
        );
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("  {line}"));
    }
    Ok(reports.iter().all(Report::holds))
}

/// Of all runs until now, as Linux counts it: in hundredths of a second.
fn processor_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = [fields.get(11)?, fields.get(12)?].map(|ticks| ticks.parse::<f64>().unwrap_or_default());
    Some((ticks[0] + ticks[1]) / 100.0)
}

fn tell(report: &Report) {
    if std::env::var_os("SECONDS_TOO").is_some() {
        report.seconds.iter().for_each(|second| println!("  {second:?}"));
    }
    for (name, figure) in &report.figures {
        println!("  {name:<20} {figure:.6}");
    }
}
