//! What was changed in a lab and when, in the form in which a scenario schedules it.

use levada_link::trace::Edit;
use levada_link::units::{show_time, time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::time::Duration;

/// Changes at one moment: of links by the nicer spelling, of qdiscs by tc's.
///
/// ```
/// use levada_lab::At;
/// let at: At = toml::from_str("t = \"10s\"\nlink.core = { rate = \"2mbit\" }\ntc = [\"qdisc del dev lo root\"]")?;
/// assert_eq!((at.t.as_secs(), at.link["core"].text()), (10, "rate=2mbit"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// When, since the start.
    #[serde(with = "moment")]
    pub t: Duration,
    /// What becomes of each link: `core`, or one direction of it as `core.down`, `core.up`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub link: BTreeMap<String, Edit>,
    /// The words after `tc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tc: Vec<String>,
}

/// All changes of a session, in order.
///
/// Holds the last ten thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The changes.
    #[serde(default)]
    pub at: Vec<At>,
}

impl Journal {
    pub(crate) fn add(&mut self, at: At) {
        if self.at.len() >= MOST {
            self.at.remove(0);
        }
        self.at.push(at);
    }

    /// As TOML, to be put into a scenario.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

/// Times as `10s`.
pub(crate) mod moment {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show_time(*at))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        time(&String::deserialize(deserializer)?, Duration::ZERO).map_err(de::Error::custom)
    }
}

const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_reads_as_what_is_scheduled() {
        let text = "[[at]]\nt = \"1500ms\"\ntc = [\"qdisc add dev s1-eth2 root netem delay 100ms\"]\n\n\
                    [[at]]\nt = \"3s\"\n[at.link]\n\"core.down\" = \"rate=2mbit\"\n";
        let journal: Journal = toml::from_str(text).unwrap();
        assert_eq!(toml::from_str::<Journal>(&journal.to_toml()).unwrap(), journal);
        assert!(journal.to_toml().contains("\"core.down\" = \"rate=2mbit\""), "{}", journal.to_toml());
    }
}
