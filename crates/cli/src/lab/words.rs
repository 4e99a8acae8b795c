//! What a lab that is up understands, at its prompt and from other terminals.

use super::glimpse::Glimpse;
use anyhow::{Context, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use levada_lab::{Lab, Ping, Stats};
use levada_link::{Library, trace::Edit};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where answers go.
pub trait Tell: Send {
    /// To the output; whether anybody still listens.
    fn out(&mut self, text: &str) -> bool;
    /// To the error output.
    fn err(&mut self, text: &str);
}

/// A line at the prompt.
#[derive(Debug, Parser)]
#[command(
    name = "lab",
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true,
    help_template = "{subcommands}\n\nHOST COMMAND… runs a program on a host; HOST alone opens a shell there; q ends the lab."
)]
pub struct Line {
    #[command(subcommand)]
    word: Word,
}

/// What a lab does.
#[derive(Debug, Subcommand)]
pub enum Word {
    /// Show links, or change one: link core rate=2mbit delay=80ms
    Link(Link),
    /// Shape a link in tc's own words: tc qdisc add dev s1-eth2 root netem delay 100ms
    Tc(Tc),
    /// Send echoes from one host to another
    Ping(PingWords),
    /// Measure how much goes from one host to another, by a large ping and by a real transfer
    Throughput(Throughput),
    /// Show packets at an interface as they pass: capture -i s2-eth1 'port 1935'
    Capture(super::speak::Capture),
    /// Show the links with sliders and live plots
    Dashboard,
    /// Show what the links have carried, and how punctual the engine is
    Stats(StatsWords),
    /// Show what was changed so far, as a scenario schedules it
    Changes,
    /// Show the hosts and their addresses
    Hosts,
    /// End the lab
    #[command(alias = "q", alias = "quit", alias = "exit")]
    Down,
}

/// Shows links, or changes one.
#[derive(Debug, Args)]
pub struct Link {
    /// The link; `core.down` or `core.up` for one direction
    name: Option<String>,
    /// New values: rate=2mbit, delay=80ms±20ms, loss=1%, queue=60ms, …; or tc's words for the whole: netem delay 100ms
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    settings: Vec<String>,
}

/// Speaks as tc.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Tc {
    /// qdisc add|change|replace|del|show dev LINK …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Shows what the links have carried.
#[derive(Debug, Args)]
pub struct StatsWords {
    /// As JSON, with what the links are
    #[arg(long)]
    json: bool,
}

/// Sends echoes.
#[derive(Debug, Args)]
pub struct PingWords {
    /// From which host
    from: String,
    /// To which host
    to: String,
    /// How many
    #[arg(short, long, default_value_t = 5)]
    count: u32,
    /// How often
    #[arg(short, long, default_value = "1s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Bytes of payload, at most 65507
    #[arg(short, long, default_value_t = 56)]
    size: usize,
    /// Only the summary
    #[arg(short, long)]
    brief: bool,
}

/// Measures throughput.
#[derive(Debug, Args)]
pub struct Throughput {
    /// From which host
    from: String,
    /// To which host
    to: String,
    /// For how long to transfer
    #[arg(long = "for", default_value = "5s", value_parser = humantime::parse_duration, value_name = "TIME")]
    time: Duration,
    /// Bytes of the ping by which to estimate, at most 65507
    #[arg(long, default_value_t = 10_000)]
    size: usize,
}

impl Line {
    /// Understands words, or says why not.
    pub fn read(words: &[String]) -> Result<Line, clap::Error> {
        Line::try_parse_from(words)
    }

    /// Whether this ends the lab.
    pub fn is_end(&self) -> bool {
        matches!(self.word, Word::Down)
    }

    /// Whether this shows the dashboard, where there is a terminal.
    pub fn is_dashboard(&self) -> bool {
        matches!(self.word, Word::Dashboard)
    }

    /// Does it, until `stop` is set; the exit status.
    pub fn run(self, lab: &Lab, tell: &mut dyn Tell, stop: &AtomicBool) -> u8 {
        let done = match self.word {
            Word::Link(link) => link.run(lab, tell),
            Word::Tc(tc) => return tc.run(lab, tell),
            Word::Ping(ping) => ping.run(lab, tell, stop),
            Word::Throughput(throughput) => throughput.run(lab, tell),
            Word::Capture(capture) => capture.run(lab, tell, stop),
            Word::Stats(words) if words.json => Glimpse::of(lab).and_then(|glimpse| {
                tell.out(&(serde_json::to_string(&glimpse)? + "\n"));
                Ok(())
            }),
            Word::Stats(_) => stats(lab, tell),
            Word::Dashboard => {
                Err(anyhow!("a dashboard needs a terminal of its own: `levada lab dashboard`"))
            }
            Word::Changes => {
                tell.out(&lab.journal().to_toml());
                Ok(())
            }
            Word::Hosts => {
                hosts(lab, tell);
                Ok(())
            }
            Word::Down => Ok(()),
        };
        match done {
            Ok(()) => 0,
            Err(why) => {
                tell.err(&format!("{why:#}\n"));
                1
            }
        }
    }
}

impl Link {
    fn run(self, lab: &Lab, tell: &mut dyn Tell) -> Result<()> {
        let Some(name) = self.name else {
            for link in lab.topology().links() {
                show(lab, &link.name, tell)?;
            }
            return Ok(());
        };
        if self.settings.is_empty() {
            let plain = name.trim_end_matches(".down").trim_end_matches(".up");
            return show(lab, plain, tell);
        }
        // `rate 5mbit delay 50ms` is `rate=5mbit delay=50ms`.
        let tc = matches!(self.settings[0].as_str(), "netem" | "tbf");
        let plain =
            !tc && self.settings.len().is_multiple_of(2) && !self.settings.iter().any(|w| w.contains('='));
        let text = match plain {
            true => self.settings.chunks(2).map(|pair| pair.join("=")).collect::<Vec<_>>().join(" "),
            false => self.settings.join(" "),
        };
        let edit = Edit::new(&text, Library::EMPTY)?;
        lab.edit(&BTreeMap::from([(name, edit)]), Library::EMPTY)?;
        Ok(())
    }
}

fn show(lab: &Lab, name: &str, tell: &mut dyn Tell) -> Result<()> {
    let [down, up] = lab.link(name)?;
    let ends = lab.topology().links().iter().find(|link| link.name == name);
    let ends = ends.map_or(String::new(), |link| format!("{} – {}", link.ends[0].name, link.ends[1].name));
    if down == up {
        tell.out(&format!("{name} ({ends}): {down}\n"));
    } else {
        tell.out(&format!("{name} ({ends}): down {down}, up {up}\n"));
    }
    Ok(())
}

impl Tc {
    fn run(self, lab: &Lab, tell: &mut dyn Tell) -> u8 {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match lab.tc(&words) {
            Ok(reply) => {
                tell.out(&reply.out);
                tell.err(&reply.err);
                reply.status
            }
            Err(why) => {
                tell.err(&format!("{why}\n"));
                1
            }
        }
    }
}

impl PingWords {
    fn run(self, lab: &Lab, tell: &mut dyn Tell, stop: &AtomicBool) -> Result<()> {
        let ping = Ping { count: self.count, interval: self.interval, size: self.size, ..Ping::default() };
        let address = lab.address(&self.to)?;
        let (to, size) = (self.to.clone(), self.size);
        tell.out(&format!("PING {to} ({address}) {size}({}) bytes of data.\n", size + 28));
        let brief = self.brief;
        let answers = lab.ping(&self.from, &self.to, ping, |pong| {
            let line = pong.to_string().replacen(" bytes: ", &format!(" bytes from {to} ({address}): "), 1);
            !stop.load(Ordering::Relaxed) && (brief || tell.out(&format!("{line}\n")))
        })?;
        tell.out(&format!("\n--- {} ping statistics ---\n{answers}\n", self.to));
        if answers.rtts.is_empty() { Err(anyhow!("there was no answer")) } else { Ok(()) }
    }
}

impl Throughput {
    fn run(self, lab: &Lab, tell: &mut dyn Tell) -> Result<()> {
        match lab.estimate(&self.from, &self.to, self.size) {
            Ok(estimate) => tell.out(&format!(
                "one ping of {} bytes took {:.1} ms longer than a small one: about {}\n",
                estimate.size,
                estimate.rtt.as_secs_f64() * 1e3,
                rate(estimate.rate()),
            )),
            Err(why) => tell.out(&format!("no estimate: {:#}\n", anyhow!(why))),
        };
        let transfer = lab.transfer(&self.from, &self.to, self.time).context("no transfer")?;
        tell.out(&format!(
            "one TCP connection carried {} bytes in {:.2} s: {}\n",
            transfer.bytes,
            transfer.time.as_secs_f64(),
            rate(transfer.rate()),
        ));
        Ok(())
    }
}

fn hosts(lab: &Lab, tell: &mut dyn Tell) {
    for interface in lab.topology().interfaces() {
        if let Some(address) = interface.address {
            tell.out(&format!("{:<10} {address:<15} {}\n", interface.node, interface.name));
        }
    }
}

fn stats(lab: &Lab, tell: &mut dyn Tell) -> Result<()> {
    let stats = lab.stats()?;
    tell.out(&format!(
        "{:<16} {:>12} {:>14} {:>12} {:>14} {:>8} {:>8} {:>8}\n",
        "link", "sent", "bytes", "delivered", "bytes", "lost", "dropped", "queued"
    ));
    for (index, link) in lab.topology().links().iter().enumerate() {
        for (side, word) in ["down", "up"].into_iter().enumerate() {
            let (totals, queue) = (stats.directions[2 * index + side], stats.queues[2 * index + side]);
            tell.out(&format!(
                "{:<16} {:>12} {:>14} {:>12} {:>14} {:>8} {:>8} {:>8}\n",
                format!("{}.{word}", link.name),
                totals.packets,
                totals.bytes,
                totals.delivered,
                totals.delivered_bytes,
                totals.lost,
                totals.queue + totals.other,
                queue.0,
            ));
        }
    }
    tell.out(&fidelity(lab, &stats));
    Ok(())
}

/// How punctual the engine is, and with what priority.
pub fn fidelity(lab: &Lab, stats: &Stats) -> String {
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let late = stats.lateness;
    let per_packet = if stats.packets > 0 { stats.cpu_seconds * 1e6 / stats.packets as f64 } else { 0.0 };
    format!(
        "lateness of {} packets: p50 {:.1} µs, p99 {:.1} µs, max {:.1} µs; {}; {:.1} µs of processor a packet; \
         changes within {:.0} µs; {} missed, {} refused\n",
        late.packets,
        micros(late.p50_ns),
        micros(late.p99_ns),
        micros(late.max_ns),
        super::up::priority(lab.priority()),
        per_packet,
        micros(stats.slowest_change_ns),
        stats.overruns,
        stats.refused,
    )
}

/// `1.25 Mbit/s`.
pub fn rate(bits: f64) -> String {
    match bits {
        1e9.. => format!("{:.2} Gbit/s", bits / 1e9),
        1e6.. => format!("{:.2} Mbit/s", bits / 1e6),
        _ => format!("{:.1} kbit/s", bits / 1e3),
    }
}
