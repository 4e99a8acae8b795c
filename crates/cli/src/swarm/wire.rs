//! The wires as they are called on the command line.

use std::str::FromStr;

/// How datagrams of a native team travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// As they are: signed, but for all to read.
    Plain,
    /// Encrypted, between ends that know each other's keys.
    Quic,
}

/// What a team speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// As the reference implementations do.
    Old(levada_swarm::Wire),
    /// Our own.
    Native,
}

impl Wire {
    /// The name that [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Wire::Old(levada_swarm::Wire::A) => "a",
            Wire::Old(levada_swarm::Wire::B) => "b",
            Wire::Native => "native",
        }
    }

    /// The letter that trackers know it by.
    pub fn letter(self) -> u8 {
        match self {
            Wire::Old(levada_swarm::Wire::A) => b'a',
            Wire::Old(levada_swarm::Wire::B) => b'b',
            Wire::Native => b'n',
        }
    }

    /// The wire of a tracker's letter.
    pub fn from_letter(letter: u8) -> Option<Wire> {
        match letter {
            b'a' => Some(Wire::Old(levada_swarm::Wire::A)),
            b'b' => Some(Wire::Old(levada_swarm::Wire::B)),
            b'n' => Some(Wire::Native),
            _ => None,
        }
    }
}

impl FromStr for Wire {
    type Err = levada_swarm::wire::UnknownWire;

    fn from_str(text: &str) -> Result<Wire, Self::Err> {
        match text {
            "native" => Ok(Wire::Native),
            old => old.parse().map(Wire::Old),
        }
    }
}
