//! What happened to packets and what was changed, as values to keep and to compare.

use crate::spelling::Library;
use crate::units::{show_time, time};
use crate::{ConfigError, LinkConfig, Why};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::time::Duration;

/// What happened to a packet at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Duration,
    /// Which packet, numbered from one in the order in which they were sent; a copy keeps the number.
    pub packet: u64,
    /// Who sent it.
    pub from: u32,
    /// Whom to.
    pub to: u32,
    /// Its length on the links, in bytes, with headers.
    pub length: u32,
    /// What happened.
    pub fate: Fate,
}

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was sent.
    Sent,
    /// It arrived.
    Arrived {
        /// As the second copy.
        copy: bool,
        /// With congestion marked on it.
        marked: bool,
    },
    /// It arrived with a flipped bit, and the checksum told.
    Corrupted,
    /// A link dropped it.
    Dropped(Why),
    /// There is nobody at its address.
    Nobody,
}

/// A change of links at a moment, in the form in which a scenario schedules it: `{ t = "10s", link = { core = "rate=2mbit" } }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When, since the start.
    #[serde(rename = "t", with = "moment")]
    pub at: Duration,
    /// What becomes of each link, by name.
    pub link: BTreeMap<String, Edit>,
}

/// A change of a link: keys of the nicer spelling with new values, or tc's words for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit(String);

impl Edit {
    /// Takes a text that [`LinkConfig::edit`] takes with the names in `library`. What it says is checked; whether it goes
    /// together with what the link has, only [`apply`](Edit::apply) knows.
    pub fn new(text: &str, library: Library<'_>) -> Result<Edit, ConfigError> {
        match LinkConfig::parse(text, library) {
            // Alone these do not go together; with the rest of a link they may.
            Ok(_) | Err(ConfigError::Impossible(_)) => Ok(Edit(text.into())),
            Err(why) => Err(why),
        }
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Changes `config`, or leaves it as it is and says why.
    pub fn apply(&self, config: &mut LinkConfig, library: Library<'_>) -> Result<(), ConfigError> {
        config.edit(&self.0, library)
    }
}

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Edit {
    /// From a string, or from a table of keys. Names of files are not looked up yet.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Edit, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Table(BTreeMap<String, crate::spelling::Scalar>),
        }
        let text = match Either::deserialize(deserializer)? {
            Either::Text(text) => text,
            Either::Table(table) => crate::spelling::join(&table).map_err(de::Error::custom)?,
        };
        match Edit::new(&text, Library::EMPTY) {
            Ok(edit) => Ok(edit),
            Err(ConfigError::Missing { .. }) => Ok(Edit(text)),
            Err(why) => Err(de::Error::custom(why)),
        }
    }
}

/// Times as `10s`.
mod moment {
    use super::*;

    pub(super) fn serialize<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show_time(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        time(&String::deserialize(deserializer)?, Duration::ZERO).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_change_replays_as_a_scheduled_one() {
        let written = "t = \"10s\"\n[link]\ncore = { delay = \"80ms 20ms 25% distribution normal\", rate = \"2mbit\" }\n";
        let change: Change = toml::from_str(written).unwrap();
        let mut link: LinkConfig = "rate=10mbit delay=10ms loss=1%".parse().unwrap();
        change.link["core"].apply(&mut link, Library::EMPTY).unwrap();
        assert_eq!(link.to_string(), "rate=2mbit delay=80ms±20ms~25% distribution=normal loss=1%");
        let again: Change = toml::from_str(&toml::to_string(&change).unwrap()).unwrap();
        assert_eq!((again, change.at), (change.clone(), Duration::from_secs(10)));
    }

    #[test]
    fn a_wrong_change_is_refused_when_it_is_read() {
        let refused = |text: &str| toml::from_str::<Change>(text).unwrap_err().to_string();
        assert!(refused("t = \"1s\"\nlink.core = \"dealy=1ms\"\n").contains("did you mean \"delay\""));
        assert!(refused("t = \"1\"\nlink.core = \"rate=1mbit\"\n").contains("unit"));
        // Together with a delay that the link has, it is fine.
        assert!(toml::from_str::<Change>("t = \"1s\"\nlink.core = \"reorder=5%\"\n").is_ok());
    }
}
