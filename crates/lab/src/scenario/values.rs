//! What stands behind the keys of a scenario.

use crate::publish::Publish;
use levada_link::trace::Edit;
use levada_link::units::time;
use levada_link::{Bitrate, Library, LinkConfig, Profile, Size};
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::time::Duration;

/// A `[[link]]`: its name, its ends, and the keys of the nicer spelling.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawLink")]
pub(super) struct LinkTable {
    pub name: String,
    pub ends: Option<[String; 2]>,
    pub profile: Profile,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLink {
    name: String,
    ends: Option<[String; 2]>,
    preset: Option<String>,
    up: Option<Edit>,
    down: Option<Edit>,
    rate: Option<Text>,
    overhead: Option<Text>,
    bucket: Option<Text>,
    trace: Option<Text>,
    queue: Option<Text>,
    aqm: Option<Text>,
    delay: Option<Text>,
    distribution: Option<Text>,
    order: Option<Text>,
    loss: Option<Text>,
    ecn: Option<Text>,
    duplicate: Option<Text>,
    corrupt: Option<Text>,
    reorder: Option<Text>,
    slot: Option<Text>,
    outage: Option<Text>,
    compat: Option<Text>,
    seed: Option<Text>,
}

impl TryFrom<RawLink> for LinkTable {
    type Error = String;

    fn try_from(raw: RawLink) -> Result<LinkTable, String> {
        let said = [
            ("rate", &raw.rate),
            ("overhead", &raw.overhead),
            ("bucket", &raw.bucket),
            ("trace", &raw.trace),
            ("queue", &raw.queue),
            ("aqm", &raw.aqm),
            ("delay", &raw.delay),
            ("distribution", &raw.distribution),
            ("order", &raw.order),
            ("loss", &raw.loss),
            ("ecn", &raw.ecn),
            ("duplicate", &raw.duplicate),
            ("corrupt", &raw.corrupt),
            ("reorder", &raw.reorder),
            ("slot", &raw.slot),
            ("outage", &raw.outage),
            ("compat", &raw.compat),
            ("seed", &raw.seed),
        ];
        let table: toml::Table = said
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), toml::Value::String(value.as_ref()?.0.clone()))))
            .collect();
        let mut profile = match &raw.preset {
            Some(name) => name.parse::<Profile>().map_err(|why| why.to_string())?,
            None => Profile::default(),
        };
        let both = Edit::deserialize(toml::Value::Table(table)).map_err(|why| why.message().to_owned())?;
        let edit = |edit: &Edit, config: &mut LinkConfig| {
            edit.apply(config, Library::EMPTY).map_err(|why| format!("link {}: {why}", raw.name))
        };
        if !both.text().is_empty() {
            edit(&both, &mut profile.up)?;
            edit(&both, &mut profile.down)?;
        }
        raw.up.iter().try_for_each(|up| edit(up, &mut profile.up))?;
        raw.down.iter().try_for_each(|down| edit(down, &mut profile.down))?;
        Ok(LinkTable { name: raw.name, ends: raw.ends, profile })
    }
}

/// A text, or a number or truth that is written without quotes.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Text(text)),
            toml::Value::Integer(number) => Ok(Text(number.to_string())),
            toml::Value::Boolean(yes) => Ok(Text(if yes { "yes" } else { "no" }.into())),
            other => Err(de::Error::custom(format!("{other} is not a quantity with its unit in quotes"))),
        }
    }
}

/// One name, or a list of them.
#[derive(Clone, Debug, Default)]
pub(super) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMany, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        Ok(OneOrMany(match Either::deserialize(deserializer)? {
            Either::One(name) => vec![name],
            Either::Many(names) => names,
        }))
    }
}

/// When a program is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// At once.
    #[default]
    Started,
    /// When somebody listens on a TCP port of its host.
    Tcp(u16),
    /// When somebody has a UDP port of its host.
    Udp(u16),
    /// When it has said something that contains this.
    Log(String),
    /// When there is a file of this name in the output folder.
    File(String),
    /// When it has ended.
    Exit,
}

impl<'de> Deserialize<'de> for Ready {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ready, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (kind, rest) = text.split_once(':').unwrap_or((&text, ""));
        let port = || rest.parse().map_err(|_| de::Error::custom(format!("{rest:?} is not a port")));
        match kind {
            "started" => Ok(Ready::Started),
            "exit" => Ok(Ready::Exit),
            "tcp" => Ok(Ready::Tcp(port()?)),
            "udp" => Ok(Ready::Udp(port()?)),
            "log" if !rest.is_empty() => Ok(Ready::Log(rest.into())),
            "file" if !rest.is_empty() => Ok(Ready::File(rest.into())),
            _ => {
                let what = "is none of tcp:PORT, udp:PORT, log:TEXT, file:NAME, exit, started";
                Err(de::Error::custom(format!("{text:?} {what}")))
            }
        }
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ready::Started => f.write_str("started"),
            Ready::Tcp(port) => write!(f, "listening on TCP port {port}"),
            Ready::Udp(port) => write!(f, "listening on UDP port {port}"),
            Ready::Log(text) => write!(f, "saying {text:?}"),
            Ready::File(name) => write!(f, "writing {name}"),
            Ready::Exit => f.write_str("done"),
        }
    }
}

/// A number, or a quantity with its unit: seconds, bits per second, bytes or a share of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    /// Its value in the base unit.
    pub value: f64,
    /// As it was written.
    pub text: String,
}

impl Amount {
    /// Reads `150ms`, `1.8mbit`, `64kb`, `25%` or `3`.
    ///
    /// # Errors
    /// That it is none of them.
    pub fn parse(text: &str) -> Result<Amount, String> {
        let share = || text.strip_suffix('%')?.parse::<f64>().ok().map(|percent| percent / 100.0);
        let seconds = || time(text, Duration::ZERO).ok().map(|time| time.as_secs_f64());
        let rate = || text.parse::<Bitrate>().ok().map(|rate| rate.0 as f64);
        let size = || text.parse::<Size>().ok().map(|size| size.0 as f64);
        let plain = text.parse::<f64>().ok().filter(|value| value.is_finite());
        let value = plain.or_else(share).or_else(seconds).or_else(rate).or_else(size);
        let value = value.ok_or_else(|| format!("{text:?} is no number, time, rate, size or share"))?;
        Ok(Amount { value, text: text.into() })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        Amount::parse(&text).map_err(de::Error::custom)
    }
}

/// From one moment to another: `0s..10s`; open at either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From.
    pub from: Duration,
    /// To.
    pub to: Duration,
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom(format!("{text:?} is not a span such as \"0s..10s\""));
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let read = |text: &str, open: Duration| match text.trim() {
            "" => Ok(open),
            text => time(text, Duration::ZERO).map_err(de::Error::custom),
        };
        let span = Span { from: read(from, Duration::ZERO)?, to: read(to, Duration::MAX)? };
        if span.from < span.to { Ok(span) } else { Err(wrong()) }
    }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    time(&String::deserialize(deserializer)?, Duration::ZERO).map_err(de::Error::custom)
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

pub(super) fn publish<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Publish>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
}
