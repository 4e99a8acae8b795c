//! A scenario: a lab, what happens in it and when, and what is expected of it.

use crate::journal::At;
use crate::publish::Publish;
use crate::topology::{Topology, TopologyError};
use levada_link::trace::Edit;
use levada_link::{Compat, Profile};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

mod read;
mod values;
pub use read::{Override, ScenarioError};
pub use values::{Amount, Ready, Span};
use values::{LinkTable, OneOrMany, duration, some_duration};

/// A scenario as it stands in a file.
///
/// ```
/// let text = r#"
/// lab = 1
/// name = "two pings"
/// [[link]]
/// name = "core"
/// delay = "10ms"
/// [[run]]
/// name = "ping"
/// host = "client"
/// ping = { to = "server", count = 3 }
/// [[expect]]
/// metric = "ping.rtt.mean"
/// min = "20ms"
/// "#;
/// let scenario: levada_lab::Scenario = text.parse()?;
/// assert_eq!(scenario.name, "two pings");
/// let wrong = text.replace("delay", "dealy").parse::<levada_lab::Scenario>().unwrap_err();
/// assert_eq!(wrong.to_string(), "line 6, column 1: unknown key \"dealy\"; did you mean \"delay\"?");
/// # Ok::<(), levada_lab::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The version of this form: 1.
    pub lab: u32,
    /// What it is called; also the default name of its output folder.
    pub name: String,
    /// What it shows, for people.
    #[serde(default)]
    pub about: String,
    /// From which all chance follows; 1.
    #[serde(default = "one")]
    pub seed: u64,
    /// How long it goes on once everything is ready; without it, until all that ends has ended.
    #[serde(default, deserialize_with = "some_duration")]
    pub duration: Option<Duration>,
    /// How long it may take at most; two minutes.
    #[serde(default = "two_minutes", deserialize_with = "duration")]
    pub timeout: Duration,
    /// By how much the engine may be late with one packet in a hundred before the run is INVALID; 500 µs.
    #[serde(default = "half_a_millisecond", deserialize_with = "duration")]
    pub fidelity: Duration,
    /// Whose netem tc's words mean; what they say.
    #[serde(default)]
    compat: Whose,
    /// Of packets, without their Ethernet header; 1,500 bytes.
    #[serde(default = "ethernet")]
    pub mtu: u32,
    /// What it waits for, where it cannot be run yet.
    #[serde(default)]
    pub waits: Option<String>,
    /// Hosts, in the order in which they get addresses. Without hosts and switches, the lab is the experiment's: server –
    /// s1 – s2 – client with the links server-s1, core and s2-client.
    #[serde(default)]
    hosts: Vec<String>,
    /// Switches.
    #[serde(default)]
    switches: Vec<String>,
    /// Hosts with a NAT, behind which others are.
    #[serde(default)]
    router: Vec<RouterTable>,
    /// Links.
    #[serde(default)]
    link: Vec<LinkTable>,
    /// What is changed when.
    #[serde(default)]
    pub at: Vec<At>,
    /// Programs and measurements, started in this order.
    #[serde(default)]
    pub run: Vec<Step>,
    /// What is captured.
    pub capture: Option<CaptureTable>,
    /// Ports of hosts on the real loopback.
    #[serde(default, deserialize_with = "values::publish")]
    pub publish: Vec<Publish>,
    /// What is expected.
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// Values to try, all combinations: `"link.core.delay" = ["1ms", "10ms"]`.
    #[serde(default)]
    pub matrix: BTreeMap<String, Vec<toml::Value>>,
    /// What a run has written about itself; not read.
    #[serde(default, rename = "locked")]
    _locked: Option<toml::Table>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Whose {
    #[default]
    Physical,
    Netem,
}

/// A host that lets those behind its second link (`eth1`) out by its first (`eth0`), by nftables. They have addresses
/// `192.168.n.…`, where `n` counts the routers; nobody outside reaches them but as its NAT allows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterTable {
    /// What it is called.
    name: String,
    /// What its NAT does with datagrams: `full-cone`, `restricted`, `port-restricted` or `symmetric`.
    nat: levada_link::nat::Class,
}

/// A program, a measurement or a change, on hosts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What metrics, logs and other steps call it.
    pub name: String,
    /// Where: one host, or several, each of which does it. Not needed for changes.
    #[serde(default)]
    host: OneOrMany,
    /// A command line for `/bin/sh`; `levada` is this program, `$LAB` the folder of the scenario, and it runs in the output
    /// folder.
    pub cmd: Option<String>,
    /// Sends echoes.
    pub ping: Option<PingTable>,
    /// Measures throughput.
    pub throughput: Option<ThroughputTable>,
    /// Changes links.
    #[serde(default)]
    pub link: BTreeMap<String, Edit>,
    /// Changes qdiscs, by the words after `tc`.
    #[serde(default)]
    pub tc: Vec<String>,
    /// Begins only when these are ready; measurements, changes and `ready = "exit"` are so when they are done.
    #[serde(default)]
    pub after: Vec<String>,
    /// When the program is ready; at once.
    #[serde(default)]
    pub ready: Ready,
    /// How long that may take; 20 s.
    #[serde(default = "twenty_seconds", deserialize_with = "duration")]
    pub ready_within: Duration,
    /// The exit status that is expected of it: one that it must end with by itself. Without it, it goes on until it is
    /// stopped at the end.
    pub exit: Option<u8>,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// Variables of its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// Echoes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingTable {
    /// To which host.
    pub to: String,
    /// How many; 10.
    #[serde(default = "ten")]
    pub count: u32,
    /// How often; every 200 ms.
    #[serde(default = "fifth", deserialize_with = "duration")]
    pub interval: Duration,
    /// Bytes of payload; 56.
    #[serde(default = "usual_size")]
    pub size: usize,
}

/// A measurement of throughput.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThroughputTable {
    /// To which host.
    pub to: String,
    /// For how long to transfer; 5 s.
    #[serde(default = "five_seconds", rename = "for", deserialize_with = "duration")]
    pub time: Duration,
    /// Bytes of the ping by which to estimate; 10,000.
    #[serde(default = "ten_thousand")]
    pub size: usize,
}

/// How a program is stopped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// By which signal: `INT`, `TERM`, `HUP` or `KILL`; `TERM`.
    #[serde(default = "term")]
    pub signal: String,
    /// Lower ones first; those of one order together. 10.
    #[serde(default = "tenth")]
    pub order: i32,
    /// After how long it is killed; 5 s.
    #[serde(default = "five_seconds", deserialize_with = "duration")]
    pub grace: Duration,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { signal: term(), order: 10, grace: five_seconds() }
    }
}

/// What is captured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureTable {
    /// At which interfaces; those of all hosts.
    #[serde(default)]
    pub points: Vec<String>,
    /// Which packets, in tcpdump's words; all.
    #[serde(default)]
    pub filter: String,
    /// At most so many bytes of each; all.
    #[serde(default)]
    pub snaplen: u32,
}

/// What is expected of a metric.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Its name in `metrics.json`.
    pub metric: String,
    /// Divided by this other one.
    pub per: Option<String>,
    /// At least.
    pub min: Option<Amount>,
    /// At most.
    pub max: Option<Amount>,
    /// Only from one time to another: `0s..10s`. For what links carry.
    #[serde(rename = "in")]
    pub within: Option<Span>,
    /// What it means, for people.
    #[serde(default)]
    pub about: String,
}

impl Scenario {
    /// The lab that it wants.
    ///
    /// # Errors
    /// A topology that cannot be.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        let mut topology = Topology::new();
        if self.hosts.is_empty() && self.switches.is_empty() && self.router.is_empty() {
            topology = Topology::seminar(Profile::default());
        }
        topology.mtu = self.mtu;
        self.hosts.iter().try_for_each(|name| topology.host(name))?;
        self.switches.iter().try_for_each(|name| topology.switch(name))?;
        self.router.iter().try_for_each(|router| topology.router(&router.name, router.nat))?;
        for link in &self.link {
            match &link.ends {
                Some([first, second]) => {
                    topology.link(&link.name, [first, second], link.profile.clone())?;
                }
                None => topology.set(&link.name, link.profile.clone())?,
            }
        }
        topology.settle()?;
        topology.check()?;
        Ok(topology)
    }

    /// Whose netem tc's words mean.
    pub fn compat(&self) -> Compat {
        match self.compat {
            Whose::Physical => Compat::Physical,
            Whose::Netem => Compat::Netem,
        }
    }
}

impl Step {
    /// On which hosts it is done; none for changes.
    pub fn hosts(&self) -> &[String] {
        &self.host.0
    }
}

fn one() -> u64 {
    1
}

fn ten() -> u32 {
    10
}

fn tenth() -> i32 {
    10
}

fn ethernet() -> u32 {
    1500
}

fn usual_size() -> usize {
    56
}

fn ten_thousand() -> usize {
    10_000
}

fn term() -> String {
    "TERM".into()
}

fn fifth() -> Duration {
    Duration::from_millis(200)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn twenty_seconds() -> Duration {
    Duration::from_secs(20)
}

fn two_minutes() -> Duration {
    Duration::from_secs(120)
}

fn half_a_millisecond() -> Duration {
    Duration::from_micros(500)
}

#[cfg(test)]
mod tests;
