//! Runs scenarios and prints their figures: `levada swarm simulate` without the rest of levada, for profiling.
//!
//! `cargo run --release -p levada-swarm --example simulate -- bench/swarm/thousand.toml …`
#![allow(clippy::disallowed_methods)] // This measures the wall clock.

use levada_swarm::simulate::{Scenario, Simulation};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let scenario: Scenario = std::fs::read_to_string(&path)?.parse()?;
        let began = Instant::now();
        let report = Simulation::new(began, scenario)?.finish();
        println!("{path}: {} in {:.1} s, hash {}", report.name, began.elapsed().as_secs_f64(), report.hash);
        if std::env::var_os("SECONDS_TOO").is_some() {
            report.seconds.iter().for_each(|second| println!("  {second:?}"));
        }
        for (name, figure) in &report.figures {
            println!("  {name:<20} {figure:.6}");
        }
        for verdict in &report.verdicts {
            println!("  {} {verdict:?}", if verdict.holds { "good" } else { "BAD " });
        }
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("  {line}"));
        }
    }
    Ok(())
}
