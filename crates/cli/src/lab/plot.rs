//! `levada lab plot`: what happened to a stream between two captures, as a page with figures.

use crate::{
    exit::{Exit, USAGE},
    output::Console,
};
use anyhow::{Context, Result};
use levada_capture::{Filter, path::Level};
use levada_lab::report::{Captures, Choice, Report};
use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Draw what happened to a stream between two captures: report.html, which opens from disk, and its figures as SVG and PNG
#[derive(Debug, clap::Args)]
pub struct Plot {
    /// The capture where the stream is sent (pcap or pcapng); or one of both sides, or of one
    server: PathBuf,
    /// The capture where it arrives
    client: Option<PathBuf>,
    /// The folder to write into
    #[arg(short, long, default_value = "report", value_name = "DIR")]
    output: PathBuf,
    /// Which packets, in tcpdump's words: 'tcp port 1935'
    #[arg(short, long, value_name = "WORDS")]
    filter: Option<String>,
    /// What is looked at: packets, data (segments that carry something), chunks or messages (of RTMP)
    #[arg(short, long, default_value = "packets", value_name = "LEVEL")]
    level: Level,
    /// The interfaces of the two sides, where one capture has more: server-eth0,client-eth0
    #[arg(short, long, value_name = "A,B")]
    interfaces: Option<String>,
    /// Draw again as the captures grow, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// How often to look for more
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration, requires = "follow", value_name = "TIME")]
    every: Duration,
    /// End when the captures have not grown for so long
    #[arg(long, value_parser = humantime::parse_duration, requires = "follow", value_name = "TIME")]
    idle: Option<Duration>,
    /// Leave out the PNGs
    #[arg(long)]
    no_png: bool,
}

impl Plot {
    /// Draws, once or again and again.
    ///
    /// # Errors
    /// Words that make no sense; files that cannot be read or written, or are no captures.
    pub fn run(self, console: Console) -> Result<()> {
        let mut captures = Captures::open(&self.choice()?).with_context(|| self.named())?;
        captures.read().with_context(|| self.named())?;
        if captures.is_hopeless() {
            anyhow::bail!("{}", captures.problems().join("; "));
        }
        self.draw(&captures, console)?;
        let mut grown = Instant::now();
        while self.follow && self.idle.is_none_or(|idle| grown.elapsed() < idle) {
            thread::sleep(self.every.max(Duration::from_millis(50)));
            if captures.read().with_context(|| self.named())? > 0 {
                grown = Instant::now();
                self.draw(&captures, console)?;
            }
        }
        Ok(())
    }

    fn choice(&self) -> Result<Choice> {
        let filter = self.filter.as_deref().map(str::parse::<Filter>).transpose();
        let filter = filter.map_err(|error| Exit(USAGE, format!("--filter: {error}")))?;
        let mut interfaces = [None, None];
        if let Some(names) = &self.interfaces {
            let mut names =
                names.split(',').map(|name| Some(name.trim().to_string()).filter(|name| !name.is_empty()));
            interfaces = [names.next().flatten(), names.next().flatten()];
        }
        Ok(Choice { server: self.server.clone(), client: self.client.clone(), filter, interfaces })
    }

    fn draw(&self, captures: &Captures, console: Console) -> Result<()> {
        let title = match &self.filter {
            Some(filter) => format!("{}: {filter}", self.named()),
            None => self.named(),
        };
        let mut subject = captures.subject(title, self.level, None);
        if let Some(filter) = &self.filter {
            subject.about.push(("filter".into(), filter.clone()));
        }
        let report = Report::of(&subject);
        let files =
            report.save(&self.output, !self.no_png).with_context(|| format!("{}", self.output.display()))?;
        for problem in captures.problems() {
            console.say(format!("levada: {problem}"));
        }
        let Some(summary) = report.summaries.first() else {
            console.say("levada: the captures have no packets of IP that the filter lets in");
            return Ok(());
        };
        console.statistics(&report.summaries, false);
        let page = files.first().map(|page| page.display().to_string()).unwrap_or_default();
        let arrived = match captures.traces()[1].packets().is_empty() {
            true => String::new(),
            false => format!(", {} arrived, {} lost", summary.arrived.0, summary.lost),
        };
        console.say(format!("{page}: {} {}{arrived}", summary.sent.0, summary.level));
        Ok(())
    }

    fn named(&self) -> String {
        let name = |path: &PathBuf| path.display().to_string();
        match &self.client {
            Some(client) => format!("{} and {}", name(&self.server), name(client)),
            None => name(&self.server),
        }
    }
}
