//! `levada lab replay`: a stored capture sent over an emulated link, in virtual time.

use crate::{
    exit::{Exit, USAGE},
    output::Console,
};
use anyhow::{Context, Result};
use levada_lab::replay::{self, Options};
use levada_link::LinkConfig;
use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::PathBuf,
};

/// Send the packets of a capture over an emulated link, in no time: what would have arrived, and when
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// The capture (pcap or pcapng)
    input: PathBuf,
    /// The link, in our words or tc's: 'rate=2mbit delay=40ms queue=100ms loss=1%'
    #[arg(short, long, value_name = "WORDS")]
    link: String,
    /// Where to write what arrives: pcap, or with both sides, numbers and reasons where the name ends in pcapng
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Which packets go over the link; others are left out
    #[arg(short, long, value_name = "WORDS")]
    filter: Option<String>,
    /// The seed of the link's chance
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

impl Replay {
    /// Reads, sends and writes.
    ///
    /// # Errors
    /// Words that make no sense; files that cannot be read or written.
    pub fn run(self, console: Console) -> Result<()> {
        let link: LinkConfig = self.link.parse().map_err(|error| Exit(USAGE, format!("--link: {error}")))?;
        let filter = self.filter.as_deref().map(str::parse).transpose();
        let filter = filter.map_err(|error| Exit(USAGE, format!("--filter: {error}")))?;
        let input = File::open(&self.input).with_context(|| format!("{}", self.input.display()))?;
        let output = File::create(&self.output).with_context(|| format!("{}", self.output.display()))?;
        let mut output = BufWriter::with_capacity(1 << 20, output);
        let both = self.output.extension().is_some_and(|extension| extension == "pcapng");
        let options = Options { link, words: self.link.clone(), seed: self.seed, filter, both };
        let counts = replay::run(BufReader::new(input), &mut output, &options)
            .with_context(|| format!("{}", self.input.display()))?;
        output.flush().with_context(|| format!("{}", self.output.display()))?;
        if let Some(problem) = &counts.problem {
            console.say(format!("levada: {}: {problem}", self.input.display()));
        }
        console.statistics(&counts, false);
        console.say(format!(
            "{}: {} sent, {} arrived, {} dropped ({} by chance, {} by the queue)",
            self.output.display(),
            counts.sent,
            counts.delivered,
            counts.lost + counts.queue + counts.other,
            counts.lost,
            counts.queue
        ));
        Ok(())
    }
}
