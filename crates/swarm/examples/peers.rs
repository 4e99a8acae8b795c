//! `levada bench swarm` without the rest of levada, for profiling.
//!
//! `cargo run --release -p levada-swarm --example peers -- 500 [quic] [GROUP MILLISECONDS]`
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // It has a clock and sockets.

#[path = "../../cli/src/bench/swarm/crowd.rs"]
mod crowd;
#[path = "../../cli/src/bench/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../../cli/src/bench/swarm/team.rs"]
mod team;

use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (quic, numbers): (Vec<_>, Vec<_>) = args.iter().partition(|arg| *arg == "quic");
    let numbers = numbers.into_iter().map(|number| number.parse()).collect::<Result<Vec<u64>, _>>()?;
    let seen = team::Team {
        peers: numbers.first().copied().unwrap_or(500) as usize,
        kbps: 420,
        quic: !quic.is_empty(),
        group_time: numbers.get(1).copied().map(Duration::from_millis),
        threads: 1,
        joins: if quic.is_empty() { 100 } else { 20 },
        secs: 10.0,
    };
    println!("{}", serde_json::to_string(&seen.run()?)?);
    Ok(())
}
