//! Links as people know them: named pairs of up and down, each with where its figures come from.

use crate::world::Access;
use crate::{ConfigError, LinkConfig};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::str::FromStr;

/// The two directions of an access line.
///
/// Reads with serde from the name of a preset, from `{ up = …, down = … }`, or from one link, which then goes both ways.
///
/// ```
/// use levada_link::Profile;
/// let line: Profile = "dsl".parse()?;
/// assert_eq!(line.down.to_string(), "rate=1500kbit delay=25ms");
/// # Ok::<(), levada_link::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// From the host.
    pub up: LinkConfig,
    /// To it.
    pub down: LinkConfig,
}

/// A profile that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// What it stands for, and where its figures come from.
    pub about: &'static str,
    up: &'static str,
    down: &'static str,
}

/// All presets, from the best line to the worst.
pub const PRESETS: [Preset; 15] = [
    Preset { name: "perfect", about: "A wire without limits or delay.", up: "perfect", down: "perfect" },
    Preset {
        name: "lan",
        about: "Switched gigabit Ethernet: half a millisecond there and back, 5 ms of buffer.",
        up: "rate=1gbit queue=5ms delay=250us",
        down: "rate=1gbit queue=5ms delay=250us",
    },
    Preset {
        name: "fibre",
        about: "Fibre to the home as WebPageTest's \"FIOS\": 20 Mbit/s down, 5 up, 4 ms round trip.",
        up: "rate=5mbit delay=2ms",
        down: "rate=20mbit delay=2ms",
    },
    Preset {
        name: "cable",
        about: "Cable as WebPageTest's \"Cable\": 5 Mbit/s down, 1 up, 28 ms round trip.",
        up: "rate=1mbit delay=14ms",
        down: "rate=5mbit delay=14ms",
    },
    Preset {
        name: "transatlantic",
        about: "Between well-connected servers in western Europe and the eastern United States: 6,000 km of fibre at 200,000 km/s \
                are 30 ms one way, routes add a third; next to no loss.",
        up: "rate=1gbit delay=40ms±500us loss=0.01%",
        down: "rate=1gbit delay=40ms±500us loss=0.01%",
    },
    Preset {
        name: "lte",
        about: "A good mobile line, as WebPageTest's \"LTE\": 12 Mbit/s both ways, 70 ms round trip; jitter of a few scheduling \
                intervals, in order, and the deep buffers that base stations have.",
        up: "rate=12mbit queue=200ms delay=35ms±5ms~50% order=keep",
        down: "rate=12mbit queue=300ms delay=35ms±5ms~50% order=keep",
    },
    Preset {
        name: "leo",
        about: "A satellite line in low orbit: 550 km up; 100 Mbit/s down, 15 up, some 40 ms round trip with much jitter, losses in short \
                runs, and a break of 50 ms every 15 s when the satellite is assigned anew (as measurement studies of Starlink report).",
        up: "rate=15mbit queue=100ms delay=20ms±6ms~80% distribution=normal order=keep loss=0.5%~burst4 outage=50ms/15s",
        down: "rate=100mbit queue=100ms delay=20ms±6ms~80% distribution=normal order=keep loss=0.5%~burst4 outage=50ms/15s",
    },
    Preset {
        name: "dsl",
        about: "An old copper line as WebPageTest's \"DSL\": 1.5 Mbit/s down, 384 kbit/s up, 50 ms round trip.",
        up: "rate=384kbit delay=25ms",
        down: "rate=1500kbit delay=25ms",
    },
    Preset {
        name: "wifi",
        about: "A room's wireless network with little else in the air: tens of Mbit/s in bunches of a few packets each millisecond or two.",
        up: "rate=40mbit queue=50ms delay=2ms±1ms~30% order=keep slot=500us..2ms,packets=16 loss=0.1%",
        down: "rate=40mbit queue=50ms delay=2ms±1ms~30% order=keep slot=500us..2ms,packets=16 loss=0.1%",
    },
    Preset {
        name: "wifi-bad",
        about: "The same two rooms away among neighbours' networks: the channel is taken for 5 to 30 ms at a time, retransmission shows as \
                long-tailed jitter, and what it does not mend is lost in runs (a tenth of the time in a bad state that loses a quarter).",
        up: "rate=4mbit queue=200ms delay=8ms±15ms~60% distribution=pareto order=keep loss=gemodel:1.1%,10%,25%,0.1% slot=5ms..30ms,packets=32",
        down: "rate=6mbit queue=200ms delay=8ms±15ms~60% distribution=pareto order=keep loss=gemodel:1.1%,10%,25%,0.1% slot=5ms..30ms,packets=32",
    },
    Preset {
        name: "lte-driving",
        about: "A mobile line in a moving car: the rates of a crowded cell, correlated jitter, a break of 400 ms at each change of cell, about \
                every 20 s. For a recorded one, use a mahimahi trace.",
        up: "rate=2mbit queue=500ms delay=45ms±20ms~90% distribution=normal order=keep loss=0.3%~burst5 outage=400ms/20s",
        down: "rate=5mbit queue=1s delay=45ms±20ms~90% distribution=normal order=keep loss=0.3%~burst5 outage=400ms/20s",
    },
    Preset {
        name: "3g",
        about: "UMTS as WebPageTest's \"3G\": 1.6 Mbit/s down, 768 kbit/s up, 300 ms round trip.",
        up: "rate=768kbit queue=1s delay=150ms",
        down: "rate=1600kbit queue=1s delay=150ms",
    },
    Preset {
        name: "satellite",
        about: "A geostationary satellite: 35,786 km up and down again are 239 ms at the speed of light, coding and scheduling the rest of 300 \
                one way; 20 Mbit/s down, 3 up, rain takes a packet in two hundred in runs of ten.",
        up: "rate=3mbit queue=500ms delay=300ms±10ms order=keep loss=0.5%~burst10",
        down: "rate=20mbit queue=500ms delay=300ms±10ms order=keep loss=0.5%~burst10",
    },
    Preset {
        name: "edge",
        about: "The last bar of an old mobile network, as WebPageTest's \"EDGE\": 240 kbit/s down, 200 up, 840 ms round trip.",
        up: "rate=200kbit queue=3s delay=420ms",
        down: "rate=240kbit queue=3s delay=420ms",
    },
    Preset {
        name: "very-bad",
        about: "What conditioners call a very bad network: 1 Mbit/s, half a second one way, every tenth packet lost.",
        up: "rate=1mbit queue=1s delay=500ms loss=10%",
        down: "rate=1mbit queue=1s delay=500ms loss=10%",
    },
];

impl Profile {
    /// The same link both ways.
    pub fn both(link: LinkConfig) -> Profile {
        Profile { up: link.clone(), down: link }
    }

    /// The preset called `name`.
    pub fn named(name: &str) -> Option<Profile> {
        let preset = PRESETS.iter().find(|preset| preset.name == name)?;
        // Each of them reads, as a test sees to.
        Some(Profile { up: preset.up.parse().ok()?, down: preset.down.parse().ok()? })
    }

    /// As a host's links in a [`World`](crate::World); a perfect one is none.
    pub fn access(&self) -> Access {
        let some = |link: &LinkConfig| (!link.is_perfect()).then(|| link.clone());
        Access { up: some(&self.up), down: some(&self.down) }
    }
}

impl FromStr for Profile {
    type Err = ConfigError;

    /// The name of a preset, or a link in either spelling, which goes both ways.
    fn from_str(text: &str) -> Result<Profile, ConfigError> {
        if let Some(profile) = Profile::named(text) {
            return Ok(profile);
        }
        if text.contains(['=', ' ']) {
            return text.parse().map(Profile::both);
        }
        let nearest = crate::units::nearest(text, &PRESETS.map(|preset| preset.name));
        Err(ConfigError::Key { key: text.into(), nearest })
    }
}

impl Serialize for Profile {
    /// The name, where it is a preset.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let preset = PRESETS.iter().find(|preset| Profile::named(preset.name).as_ref() == Some(self));
        if let Some(preset) = preset {
            return serializer.serialize_str(preset.name);
        }
        Sides { up: self.up.clone(), down: self.down.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Sides(Box<Sides>),
        }
        match Either::deserialize(deserializer)? {
            Either::Text(text) => text.parse().map_err(de::Error::custom),
            Either::Sides(sides) => Ok(Profile { up: sides.up, down: sides.down }),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    #[serde(default)]
    up: LinkConfig,
    #[serde(default)]
    down: LinkConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Link;
    use std::collections::BTreeMap;

    #[test]
    fn every_preset_reads_and_makes_links() {
        for preset in PRESETS {
            let profile = Profile::named(preset.name).unwrap_or_else(|| panic!("{}", preset.name));
            assert!(Link::new(&profile.up, 1).is_ok() && Link::new(&profile.down, 1).is_ok());
            assert!(preset.about.ends_with('.'), "{}", preset.name);
            assert_eq!(profile.up.to_string().parse(), Ok(profile.up), "{}", preset.name);
            assert_eq!(profile.down.to_string().parse(), Ok(profile.down), "{}", preset.name);
        }
    }

    #[test]
    fn a_profile_is_a_name_two_links_or_one() {
        let read = |text: &str| {
            toml::from_str::<BTreeMap<String, Profile>>(text).map(|mut all| all.remove("line").unwrap())
        };
        assert_eq!(read("line = \"3g\"").unwrap(), Profile::named("3g").unwrap());
        let one = read("line = \"netem delay 10ms\"").unwrap();
        assert_eq!(one, Profile::both("delay=10ms".parse().unwrap()));
        let two = read("[line]\nup = \"rate=1mbit\"\n[line.down]\nrate = \"2mbit\"\n").unwrap();
        assert_eq!((two.up.to_string(), two.down.to_string()), ("rate=1mbit".into(), "rate=2mbit".into()));
        let misspelt = "wify".parse::<Profile>().unwrap_err();
        assert_eq!(misspelt.to_string(), "unknown key \"wify\"; did you mean \"wifi\"?");
        for profile in [Profile::named("lte").unwrap(), two] {
            let json = serde_json::to_string(&profile).unwrap();
            assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
        }
        assert!(Profile::named("perfect").unwrap().access() == Access::default());
    }
}
