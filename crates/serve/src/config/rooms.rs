//! The rooms of a server, as they are configured.

use levada_link::room::{self, PARTICIPANTS};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Duration};

/// Rooms in which people talk (`levada talk --room NAME@server`): the server passes what they say on, and cannot listen in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomsConfig {
    /// Addresses to listen on, a UDP port each; `levada talk` looks for a server at port 4445. Default none. Whoever reaches one may open
    /// rooms, unless `names` says which there are.
    pub listen: Vec<SocketAddr>,
    /// The rooms that there may be: names, or what names begin with, and `*`. Default `["*"]`, which is any.
    pub names: Vec<String>,
    /// Participants of a room, 1 to 16. Default 16. What one says is sent to all others.
    pub participants: usize,
    /// Rooms at once; one is there while somebody is in it. Default 256.
    pub most: usize,
    /// Participants from one address, over all rooms. Default 64. Less may turn away people behind one router.
    pub each: usize,
    /// Who says nothing for so long has left. Default 5 s. Less puts out those whose network pauses; more lets others wait for the dead.
    #[serde(with = "humantime_serde")]
    pub silence: Duration,
}

impl Default for RoomsConfig {
    fn default() -> RoomsConfig {
        let room::Config { participants, rooms, each, names, silence, .. } = room::Config::default();
        RoomsConfig { listen: Vec::new(), names, participants, most: rooms, each, silence }
    }
}

impl RoomsConfig {
    /// What a hub is told.
    pub(crate) fn of_hub(&self) -> room::Config {
        let RoomsConfig { names, participants, most, each, silence, .. } = self.clone();
        room::Config { participants, rooms: most, each, names, silence, ..room::Config::default() }
    }

    /// What is wrong, with its key.
    pub(crate) fn findings(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if !(1..=PARTICIPANTS).contains(&self.participants) {
            found.push(("rooms.participants", format!("must be between 1 and {PARTICIPANTS}")));
        }
        if self.most == 0 || self.each == 0 {
            let key = if self.most == 0 { "rooms.most" } else { "rooms.each" };
            found.push((key, "of 0 lets nobody in; leave rooms.listen out instead".into()));
        }
        if self.silence < LEAST_SILENCE {
            found.push((
                "rooms.silence",
                "must be at least 3s: participants say once a second that they are there".into(),
            ));
        }
        for name in &self.names {
            // the least name that fits it
            let least = name.strip_suffix('*').map_or_else(|| name.clone(), |begin| format!("{begin}x"));
            if least.parse::<room::RoomName>().is_err() {
                let text = format!(
                    "{name:?} is no name of a room: letters, digits, `-`, `_`, `.`, and `*` at the end"
                );
                found.push(("rooms.names", text));
            }
        }
        for (at, address) in self.listen.iter().enumerate() {
            if address.port() != 0 && self.listen[..at].contains(address) {
                found.push(("rooms.listen", format!("names {address} twice")));
            }
        }
        found
    }
}

const LEAST_SILENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_told_by_its_key() {
        let config = |text: &str| toml::from_str::<RoomsConfig>(text).unwrap();
        assert!(config("").findings().is_empty());
        assert!(
            config("names = ['band', 'team-*']\nlisten = ['[::]:4445']\nsilence = '9s'")
                .findings()
                .is_empty()
        );
        for (text, key) in [
            ("participants = 17", "rooms.participants"),
            ("participants = 0", "rooms.participants"),
            ("most = 0", "rooms.most"),
            ("each = 0", "rooms.each"),
            ("silence = '1s'", "rooms.silence"),
            ("names = ['a b']", "rooms.names"),
            ("names = ['a*b']", "rooms.names"),
            ("listen = ['[::]:4445', '[::]:4445']", "rooms.listen"),
        ] {
            let found = config(text).findings();
            assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
