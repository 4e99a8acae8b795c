//! A scenario: a team in virtual time, what happens to it, and what is expected of it.

use crate::native::peer::Conduct;
use levada_link::{Bitrate, Percent, Profile, units};
use serde::{Deserialize, Deserializer, de};
use std::{collections::BTreeMap, str::FromStr, time::Duration};

/// A scenario as it stands in a file.
///
/// ```
/// let text = r#"
/// swarm = 1
/// name = "ten"
/// duration = "5s"
/// [[peers]]
/// count = 10
/// link = "rate=5mbit"
/// [[expect]]
/// metric = "missed"
/// max = 0
/// "#;
/// let scenario: levada_swarm::simulate::Scenario = text.parse()?;
/// assert_eq!(scenario.peers[0].count, 10);
/// let wrong = text.replace("count", "cuont").parse::<levada_swarm::simulate::Scenario>();
/// assert!(wrong.unwrap_err().to_string().contains("unknown field `cuont`"));
/// # Ok::<(), levada_swarm::simulate::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The version of this form: 1.
    pub swarm: u32,
    /// What it is called.
    pub name: String,
    /// What it shows, for people.
    #[serde(default)]
    pub about: String,
    /// From which all chance follows; 1.
    #[serde(default = "one")]
    pub seed: u64,
    /// How long it goes on in its own time.
    #[serde(deserialize_with = "span")]
    pub duration: Duration,
    /// From when on it is measured; from the beginning.
    #[serde(default, deserialize_with = "span")]
    pub settle: Duration,
    /// How late a chunk may be played before a team counts as not yet recovered; a second and a half.
    #[serde(default = "late", deserialize_with = "span")]
    pub late: Duration,
    /// What is distributed.
    #[serde(default)]
    pub stream: Stream,
    /// The splitter's side.
    #[serde(default)]
    pub team: Team,
    /// How long the ways between hosts are, beside their links.
    #[serde(default)]
    pub latency: Latency,
    /// Further teams of the channel, each fed by a member of the first; with them there is a tracker, whom peers ask.
    #[serde(default)]
    pub bridge: Vec<Bridges>,
    /// Groups of peers that are alike.
    pub peers: Vec<Peers>,
    /// What happens and when.
    #[serde(default)]
    pub event: Vec<Event>,
    /// What is expected.
    #[serde(default)]
    pub expect: Vec<Expect>,
}

/// A stream that is distributed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    /// Chunks a second; fifty.
    pub chunks: f64,
    /// Bytes of each, 8 to 1200; a thousand.
    pub bytes: usize,
    /// How often a player may begin; every second.
    #[serde(deserialize_with = "span")]
    pub entry: Duration,
}

/// A splitter's side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// What is signed with: `ed25519`, or `stand-in` for large teams.
    pub seal: SealKind,
    /// Stripes; eight.
    pub stripes: u8,
    /// Peers that the splitter feeds in each; one.
    pub roots: usize,
    /// How long chunks wait for others of their group.
    #[serde(deserialize_with = "span")]
    pub group: Duration,
    /// How long peers wait for a missing chunk before it is lost.
    #[serde(deserialize_with = "span")]
    pub patience: Duration,
    /// The splitter's own link.
    pub link: Profile,
    /// How much parity is dealt beside the stream; none.
    #[serde(deserialize_with = "share")]
    pub fec: Percent,
    /// Whether another splitter stands by, on a link like that and with the same source.
    pub standby: bool,
    /// The most peers that a tracker sends to one team; a thousand.
    pub most: u32,
}

/// Bridges that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridges {
    /// How many; one.
    #[serde(default = "one_bridge")]
    pub count: u32,
    /// Their links.
    #[serde(default)]
    pub link: Profile,
    /// How many times one stripe each uploads in the team that it is a member of; eight.
    #[serde(default = "bridge_slots")]
    pub slots: u16,
    /// When they come.
    #[serde(default)]
    pub join: Join,
}

/// What chunks and tickets are signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealKind {
    /// Real signatures, and real hashes.
    #[default]
    Ed25519,
    /// What costs next to nothing; what the real ones would have cost is reckoned.
    StandIn,
}

/// How long the ways between hosts are, one way, beside what their links add.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Latency {
    /// On average; nothing.
    #[serde(deserialize_with = "span")]
    pub mean: Duration,
    /// How far pairs of hosts lie to either side of it, evenly spread.
    #[serde(deserialize_with = "span")]
    pub spread: Duration,
    /// What is added between two regions, either way round: `regions.europe.america = "40ms"`.
    pub regions: BTreeMap<String, BTreeMap<String, Span>>,
}

/// Peers that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// How many.
    pub count: u32,
    /// Their links: a profile's name, one link for both ways, or `up` and `down`.
    #[serde(default)]
    pub link: Profile,
    /// How many times one stripe they can upload; ten, or what their cap allows.
    #[serde(default)]
    pub slots: Option<u16>,
    /// The most that each uploads, with all headers: a rate, or a multiple of the stream such as `0.5x`. No cap.
    #[serde(default)]
    pub upload: Option<Upload>,
    /// `honest`, `free-rider` or `polluter`.
    #[serde(default)]
    pub conduct: ConductKind,
    /// What is between them and the others.
    #[serde(default)]
    pub nat: Nat,
    /// Where they are, for `latency.regions`.
    #[serde(default)]
    pub region: String,
    /// When they come.
    #[serde(default)]
    pub join: Join,
    /// How long they stay; to the end.
    #[serde(default)]
    pub stay: Option<Stay>,
}

/// The most that somebody uploads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Upload {
    /// So fast.
    Rate(Bitrate),
    /// So many times the stream.
    Streams(f64),
}

/// How peers behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ConductKind {
    #[default]
    Honest,
    FreeRider,
    Polluter,
}

/// What is between a host and the others: which datagrams come in (RFC 4787's filtering, RFC 3489's names).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// Nothing.
    #[default]
    None,
    /// From anybody, once something went out.
    FullCone,
    /// From hosts to which something went out.
    Restricted,
    /// From addresses to which something went out.
    PortRestricted,
    /// Likewise, and every destination sees another port: only who got something can answer.
    Symmetric,
}

/// When peers come.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Join {
    /// The first.
    #[serde(deserialize_with = "span")]
    pub from: Duration,
    /// The others, spread evenly over so long.
    #[serde(deserialize_with = "span")]
    pub over: Duration,
}

/// How long peers stay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    /// On average, by Weibull's distribution.
    #[serde(default, deserialize_with = "span")]
    pub mean: Duration,
    /// Its shape: 1 is exponential, below it most leave early or late.
    #[serde(default = "exponential")]
    pub shape: f64,
    /// How many of them leave without a word; all.
    #[serde(default = "all", deserialize_with = "share")]
    pub silent: Percent,
    /// Whether another comes for each that leaves; yes.
    #[serde(default = "yes")]
    pub replaced: bool,
    /// A file with a line of two numbers a peer, in place of all that: seconds when it comes and when it leaves.
    #[serde(default)]
    pub trace: Option<String>,
    /// What is in it.
    #[serde(skip)]
    pub sessions: Vec<(Duration, Duration)>,
}

/// Something that happens at a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    #[serde(deserialize_with = "span")]
    pub at: Duration,
    /// So many of the peers vanish without a word.
    #[serde(default, deserialize_with = "some_share")]
    pub vanish: Option<Percent>,
    /// In so long a time; at once.
    #[serde(default, deserialize_with = "span")]
    pub over: Duration,
    /// Whether the splitter dies.
    #[serde(default)]
    pub splitter_dies: bool,
    /// Which bridge dies, counted from one.
    #[serde(default)]
    pub bridge_dies: Option<usize>,
}

/// What is expected of a figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Its name in the report.
    pub metric: String,
    /// At least.
    #[serde(default)]
    pub min: Option<Amount>,
    /// At most.
    #[serde(default)]
    pub max: Option<Amount>,
}

/// A number, or a time (`"1.5s"`) in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount(pub f64);

/// A time as a value of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is no scenario.
    #[error("{0}")]
    Form(#[from] Box<toml::de::Error>),
    /// It contradicts itself.
    #[error("{0}")]
    Sense(String),
    /// A link that cannot be.
    #[error("{0}")]
    Link(#[from] levada_link::ConfigError),
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = toml::from_str(text).map_err(Box::new)?;
        scenario.check()?;
        Ok(scenario)
    }
}

impl Scenario {
    /// Reads the traces that it names.
    ///
    /// # Errors
    /// One that cannot be read, or has a line that is not two numbers.
    pub fn load(
        &mut self,
        mut read: impl FnMut(&str) -> std::io::Result<String>,
    ) -> Result<(), ScenarioError> {
        for stay in self.peers.iter_mut().filter_map(|peers| peers.stay.as_mut()) {
            let Some(path) = &stay.trace else { continue };
            let text = read(path).map_err(|why| ScenarioError::Sense(format!("{path}: {why}")))?;
            stay.sessions = sessions(&text).map_err(|why| ScenarioError::Sense(format!("{path}: {why}")))?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let peers: u64 = self.peers.iter().map(|peers| u64::from(peers.count)).sum();
        let wrong = [
            (self.swarm != 1, "swarm = 1 is the only form known"),
            (self.duration.is_zero(), "duration is nothing"),
            (self.settle >= self.duration, "settle is not before the end"),
            (!(0.1..=100_000.0).contains(&self.stream.chunks), "stream.chunks is not in 0.1 to 100000"),
            (!(8..=1_200).contains(&self.stream.bytes), "stream.bytes is not in 8 to 1200"),
            (!(1..=64).contains(&self.team.stripes), "team.stripes is not in 1 to 64"),
            (peers > 4_000_000, "more than four million peers"),
            (self.bridge.iter().any(|bridge| bridge.count > 10_000), "more than ten thousand bridges"),
            (self.latency.spread > self.latency.mean, "latency.spread is more than latency.mean"),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, why)) => Err(ScenarioError::Sense((*why).into())),
            None => Ok(()),
        }
    }
}

impl Peers {
    /// The cap of each where the stream is this one, and how many times a stripe it can upload.
    pub(super) fn upload(&self, stream: &Stream) -> (Option<Bitrate>, u16) {
        let bits = stream.chunks * stream.bytes as f64 * 8.0;
        let cap = self.upload.map(|upload| match upload {
            Upload::Rate(rate) => rate,
            Upload::Streams(times) => Bitrate((times * bits) as u64),
        });
        (cap, self.slots.unwrap_or(if cap.is_some() { 64 } else { 10 }))
    }
}

impl<'de> Deserialize<'de> for Upload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Upload, D::Error> {
        let text = String::deserialize(deserializer)?;
        let times = text.strip_suffix('x').and_then(|times| times.parse::<f64>().ok());
        match times.filter(|times| (0.0..=1_000.0).contains(times)) {
            Some(times) => Ok(Upload::Streams(times)),
            None => text.parse().map(Upload::Rate).map_err(de::Error::custom),
        }
    }
}

impl From<ConductKind> for Conduct {
    fn from(kind: ConductKind) -> Conduct {
        match kind {
            ConductKind::Honest => Conduct::Honest,
            ConductKind::FreeRider => Conduct::FreeRider,
            ConductKind::Polluter => Conduct::Polluter,
        }
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream { chunks: 50.0, bytes: 1_000, entry: Duration::from_secs(1) }
    }
}

impl Default for Team {
    fn default() -> Team {
        Team {
            seal: SealKind::Ed25519,
            stripes: 8,
            roots: 1,
            group: Duration::from_millis(20),
            patience: Duration::from_millis(1_200),
            link: Profile::default(),
            fec: Percent::ZERO,
            standby: false,
            most: 1_000,
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        span(deserializer).map(Span)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Amount(number)),
            Either::Text(text) => units::time(&text, Duration::from_secs(1))
                .map(|time| Amount(time.as_secs_f64()))
                .map_err(de::Error::custom),
        }
    }
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::time(&text, Duration::from_secs(1)).map_err(de::Error::custom)
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Percent, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn some_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Percent>, D::Error> {
    share(deserializer).map(Some)
}

fn sessions(text: &str) -> Result<Vec<(Duration, Duration)>, String> {
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let read = |(at, line): (usize, &str)| {
        let numbers: Vec<_> = line
            .split_whitespace()
            .filter_map(|word| Duration::try_from_secs_f64(word.parse().ok()?).ok())
            .collect();
        match numbers[..] {
            [comes, leaves] if comes <= leaves => Ok((comes, leaves)),
            _ => Err(format!("line {} is not two times in order: {line:?}", at + 1)),
        }
    };
    lines.map(read).collect()
}

fn one() -> u64 {
    1
}

fn late() -> Duration {
    Duration::from_millis(1_500)
}

fn one_bridge() -> u32 {
    1
}

fn bridge_slots() -> u16 {
    8
}

fn exponential() -> f64 {
    1.0
}

fn all() -> Percent {
    Percent::of(100.0)
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_two_times_a_line() {
        let read = sessions("# come and go\n0 10.5\n\n 3 4\n").unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].1, Duration::from_millis(10_500));
        for wrong in ["5 4", "1", "a b", "-1 3", "1 2 3"] {
            assert!(sessions(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let text = "swarm = 1\nname = \"x\"\nduration = \"5s\"\n[[peers]]\ncount = 1\n";
        assert!(text.parse::<Scenario>().is_ok());
        for (from, to) in [("swarm = 1", "swarm = 2"), ("\"5s\"", "\"0s\""), ("\"5s\"", "\"5 parsecs\"")] {
            assert!(text.replace(from, to).parse::<Scenario>().is_err(), "{to}");
        }
        assert!(format!("{text}[stream]\nbytes = 4\n").parse::<Scenario>().is_err());
    }
}
