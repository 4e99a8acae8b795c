//! What is said of recording a mount.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// Where, how, and for how long a mount is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordConfig {
    /// The files' names: `{mount}` is the mount's name, and `%Y %m %d %H %M %S %j %s` are the time at which a file begins
    /// (UTC). The format's ending is put behind it; a file that is there is never overwritten.
    pub path: String,
    /// What is written. Default `native`.
    #[serde(default)]
    pub format: RecordFormat,
    /// A file ends at the first entry after this time (`1h`) or size (`500MB`). Default when the source leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Rotate>,
    /// How many files are kept (`10`), or for how long (`7d`); older ones are deleted. Default all of them, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Whether recording begins with the source, rather than when the API says so. Default true.
    #[serde(default = "yes")]
    pub auto: bool,
}

fn yes() -> bool {
    true
}

/// What a recording is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordFormat {
    /// The source's own container, byte for byte.
    #[default]
    Native,
    /// Flash video.
    Flv,
    /// Fragmented MP4.
    Fmp4,
}

/// When a file ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rotate {
    /// After this time; at least a second.
    Time(Duration),
    /// After so many bytes; at least 64 kB.
    Bytes(u64),
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// So many files; at least one.
    Files(u64),
    /// Files written to within this time.
    Age(Duration),
}

impl FromStr for Rotate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rotate, String> {
        let bad = || {
            format!(
                "{text:?} is neither a time of at least 1s, such as 1h, nor a size of at least 64kB, such as 500MB"
            )
        };
        if let Some(bytes) = size(text) {
            return Some(Rotate::Bytes(bytes)).filter(|_| bytes >= 64_000).ok_or_else(bad);
        }
        let time = humantime(text).filter(|time| *time >= Duration::from_secs(1));
        time.map(Rotate::Time).ok_or_else(bad)
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Keep, String> {
        match text.trim().parse() {
            Ok(0) => Err("0 keeps nothing; leave record out instead".into()),
            Ok(files) => Ok(Keep::Files(files)),
            Err(_) => humantime(text)
                .map(Keep::Age)
                .ok_or_else(|| format!("{text:?} is neither a number of files nor a time, such as 7d")),
        }
    }
}

fn humantime(text: &str) -> Option<Duration> {
    let text = de::value::StrDeserializer::<de::value::Error>::new(text.trim());
    humantime_serde::deserialize(text).ok()
}

/// `500MB`: decimal units, as disks are sold.
fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_uppercase();
    let (number, unit) = [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)]
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(unit)
}

impl fmt::Display for Rotate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rotate::Time(time) => time_text(*time).fmt(f),
            Rotate::Bytes(bytes) => write!(f, "{}kB", bytes / 1_000),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::Files(files) => files.fmt(f),
            Keep::Age(age) => time_text(*age).fmt(f),
        }
    }
}

fn time_text(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// Written as text, read from text or a number.
macro_rules! as_text {
    ($kind:ty, $meant:literal) => {
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$kind, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $kind;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($meant)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$kind, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$kind, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$kind, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                }
                from.deserialize_any(Text)
            }
        }
    };
}
as_text!(Rotate, "a time such as 1h or a size such as 500MB");
as_text!(Keep, "a number of files or a time such as 7d");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sizes_and_numbers_are_told_apart() {
        let read: RecordConfig =
            toml::from_str("path = '/x/{mount}-%s'\nformat = 'fmp4'\nrotate = '500MB'\nkeep = 10").unwrap();
        assert_eq!((read.rotate, read.keep), (Some(Rotate::Bytes(500_000_000)), Some(Keep::Files(10))));
        assert_eq!(toml::from_str::<RecordConfig>(&toml::to_string(&read).unwrap()).unwrap(), read);
        assert_eq!("1h".parse(), Ok(Rotate::Time(Duration::from_secs(3600))));
        assert_eq!("7d".parse(), Ok(Keep::Age(Duration::from_secs(7 * 86_400))));
        for bad in ["", "1", "10ms", "1kB", "99999999999TB", "much"] {
            assert!(bad.parse::<Rotate>().is_err(), "{bad}");
        }
        assert!("0".parse::<Keep>().is_err() && "x".parse::<Keep>().is_err());
    }
}
