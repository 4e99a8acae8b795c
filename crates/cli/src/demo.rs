//! `levada demo`: shows what levada does, on this machine, verified byte by byte.

use crate::output::Console;
use anyhow::Result;
use std::time::Duration;

/// Show what levada does on this machine, verified byte by byte
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// End after this time, with a summary
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

impl Demo {
    pub async fn run(self, _console: Console) -> Result<()> {
        Ok(())
    }
}
