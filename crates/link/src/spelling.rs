//! The nicer spelling of a link: `rate=10mbit delay=10ms±5ms~25% loss=1%`, read and written.

use crate::config::{ConfigError, LinkConfig};
use crate::units::nearest;
use crate::{Distribution, Replay};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

mod keys;
mod values;

/// Where what a spelling only names comes from: tables and measurements of delays, recorded links.
#[derive(Clone, Copy)]
pub struct Library<'a> {
    /// The distribution by a name that is none of the computed ones.
    pub distribution: &'a dyn Fn(&str) -> Option<Distribution>,
    /// The recorded link by its name.
    pub trace: &'a dyn Fn(&str) -> Option<Replay>,
}

impl Library<'_> {
    /// Knows no name.
    pub const EMPTY: Library<'static> = Library { distribution: &|_| None, trace: &|_| None };
}

impl LinkConfig {
    /// Reads either spelling, with the names in `library`.
    ///
    /// In the nicer one a blank separates `key=value` pairs: `rate=10mbit`, `overhead=20/48+5` (bytes a packet, a cell,
    /// beside each cell), `bucket=200kbit:128kb,peak=1mbit:1600b`, `trace=NAME`, `queue=60ms` (or `100p`, `64kb`),
    /// `aqm=codel` (or `codel:5ms,100ms,ecn`, `drophead`, `droptail`), `delay=10ms±5ms~25%` (`+-` will do),
    /// `distribution=normal`, `order=keep` (or `free`), `loss=1%~25%` (or `1%~burst3`, `state:…`, `gemodel:…`,
    /// `list:3,7-9`), `ecn=yes`, `duplicate=1%`, `corrupt=0.1%`, `reorder=25%~50%/5` (with a gap),
    /// `slot=800us..1ms,packets=42,bytes=512` (or `slot=normal:7.5ms±1.2ms`), `outage=10s..12s,30s..31s` (or `2s/30s`;
    /// `,lose` loses what comes meanwhile), `compat=netem`, `seed=7`. `none` takes back what can be absent.
    pub fn parse(text: &str, library: Library<'_>) -> Result<LinkConfig, ConfigError> {
        let mut config = LinkConfig::default();
        config.edit(text, library)?;
        Ok(config)
    }

    /// Changes what `text` names and keeps the rest; tc's words replace the whole. Nothing is changed where it is
    /// refused.
    pub fn edit(&mut self, text: &str, library: Library<'_>) -> Result<(), ConfigError> {
        let first = text.split_whitespace().next();
        if matches!(first, Some("netem" | "tbf")) {
            let table = |name: &str| match (library.distribution)(name) {
                Some(Distribution::Table(table)) => Some(table),
                Some(other) => other.table(),
                None => None,
            };
            *self = LinkConfig::from_tc(text, &table)?;
            return Ok(());
        }
        let pairs = text.split_whitespace().filter(|word| *word != PERFECT).map(|word| {
            let not_a_pair = || ConfigError::Value {
                key: word.into(),
                value: String::new(),
                expected: "a key=value pair",
            };
            word.split_once('=').ok_or_else(not_a_pair)
        });
        self.edit_pairs(pairs.collect::<Result<Vec<_>, _>>()?, library)
    }

    /// Changes each key to its value.
    fn edit_pairs<'t>(
        &mut self,
        pairs: impl IntoIterator<Item = (&'t str, &'t str)>,
        library: Library<'_>,
    ) -> Result<(), ConfigError> {
        let mut edited = self.clone();
        let mut said: Vec<&str> = Vec::new();
        for (key, value) in pairs {
            if said.contains(&key) {
                return Err(ConfigError::Twice(key.into()));
            }
            said.push(key);
            let Some((_, set, _)) = keys::KEYS.iter().find(|(known, ..)| *known == key) else {
                let known = keys::KEYS.map(|(known, ..)| known);
                return Err(ConfigError::Key { key: key.into(), nearest: nearest(key, &known) });
            };
            set(&mut edited, value.trim(), library)?;
        }
        edited.check()?;
        *self = edited;
        Ok(())
    }
}

impl FromStr for LinkConfig {
    type Err = ConfigError;

    /// Either spelling; names of files stand for nothing.
    fn from_str(text: &str) -> Result<LinkConfig, ConfigError> {
        LinkConfig::parse(text, Library::EMPTY)
    }
}

impl fmt::Display for LinkConfig {
    /// The nicer spelling, with what differs from the default; `perfect` where nothing does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = LinkConfig::default();
        let changed = keys::KEYS.iter().filter_map(|(key, _, get)| {
            let value = get(self);
            (value != get(&plain)).then(|| format!("{key}={value}"))
        });
        let words: Vec<String> = changed.collect();
        f.write_str(if words.is_empty() { PERFECT } else { "" })?;
        f.write_str(&words.join(" "))
    }
}

impl Serialize for LinkConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LinkConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LinkConfig, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = LinkConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a link such as \"rate=10mbit delay=10ms\", \"netem delay 10ms\" or a table of these keys")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LinkConfig, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<LinkConfig, A::Error> {
                let mut pairs: Vec<(String, Scalar)> = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                let mut config = LinkConfig::default();
                let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.0.as_str()));
                config.edit_pairs(pairs, Library::EMPTY).map_err(de::Error::custom)?;
                Ok(config)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A value of a table, of whatever simple type it is written in.
pub(crate) struct Scalar(String);

/// A table of keys as one line; a value in tc's words becomes one of the nicer spelling.
pub(crate) fn join(table: &BTreeMap<String, Scalar>) -> Result<String, ConfigError> {
    let mut pairs = Vec::new();
    for (key, Scalar(value)) in table {
        if !value.contains(char::is_whitespace) {
            pairs.push(format!("{key}={value}"));
            continue;
        }
        let mut said = LinkConfig::default();
        said.edit_pairs([(key.as_str(), value.as_str())], Library::EMPTY)?;
        pairs.push(said.to_string());
    }
    Ok(pairs.join(" "))
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        struct Any;
        impl de::Visitor<'_> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity with its unit in quotes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.into()))
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }

            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<Scalar, E> {
                Ok(Scalar(if yes { "yes" } else { "no" }.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

const PERFECT: &str = "perfect";

#[cfg(test)]
mod tests;
