//! `levada bench swarm`: how many peers of a native team a core carries.

use super::process;
use anyhow::{Result, ensure};
use std::time::Duration;

mod crowd;
mod team;

/// A team of native peers in this process, each with a socket of its own on loopback.
#[derive(Debug, clap::Args)]
pub struct Swarm {
    /// How many peers
    #[arg(short, long, default_value_t = 500)]
    pub n: usize,
    /// Bit rate of the stream
    #[arg(long, default_value_t = 420)]
    pub kbps: u32,
    /// Encrypt by QUIC
    #[arg(long)]
    pub quic: bool,
    /// How long chunks wait for others to be signed together, default 80ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub group_time: Option<Duration>,
    /// Threads for peers
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Joins a second
    #[arg(long, default_value_t = 100)]
    pub joins: u32,
    /// Measure for so many seconds, once all have joined and three more have passed
    #[arg(long, default_value_t = 10.0)]
    pub secs: f64,
}

impl Swarm {
    pub(super) fn run(self) -> Result<()> {
        let Swarm { n, kbps, quic, group_time, threads, joins, secs } = self;
        let seen = team::Team { peers: n, kbps, quic, group_time, threads, joins, secs }.run()?;
        println!("{}", serde_json::to_string(&seen)?);
        ensure!(seen.silent == 0, "{} peers played nothing", seen.silent);
        Ok(())
    }
}
