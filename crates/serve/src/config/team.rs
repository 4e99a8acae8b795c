//! What is said of a mount's team, and what is wrong with that.

use super::{Config, MountConfig, check::Findings};
use crate::MountName;
use serde::{Deserialize, Serialize};

/// How datagrams of a team travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// As they are: signed, but for all to read.
    #[default]
    Plain,
    /// Encrypted, between ends that know each other's keys.
    Quic,
}

impl Config {
    /// The team of the mount entry `index`, whose place in the configuration is `at`.
    pub(super) fn check_team(&self, at: &str, index: usize, mount: &MountConfig, found: &mut Findings) {
        let key = |name: &str| format!("{at}.{name}");
        let pattern = mount.name.contains('*');
        let alone = [
            ("swarm_port", mount.swarm_port.is_some_and(|port| port != 0)),
            ("swarm_standby_of", mount.swarm_standby_of.is_some()),
            ("swarm_channel", mount.swarm_channel.is_some()),
        ];
        for (name, _) in alone.into_iter().filter(|(_, said)| *said && pattern) {
            found.error(key(name), "needs a mount by name; this entry is a pattern");
        }
        let port = mount.swarm_port.filter(|port| *port != 0 && !pattern);
        let taken = |other: &&MountConfig| port.is_some() && other.swarm_port == port;
        if let Some(other) = self.mount.iter().take(index).find(taken) {
            found.error(key("swarm_port"), format!("is the port of {}'s team already", other.name));
        }
        for (name, place) in
            [("swarm_tracker", &mount.swarm_tracker), ("swarm_standby_of", &mount.swarm_standby_of)]
        {
            let wrong = place.as_deref().is_some_and(|place| !is_place(place));
            found.error_if(wrong, key(name), "is no host:port");
        }
        found.error_if(mount.swarm_peers == Some(0), key("swarm_peers"), "of 0 lets nobody in");
        let named = mount.swarm_channel.as_ref().map_or(1, String::len);
        found.error_if(!(1..=200).contains(&named), key("swarm_channel"), "must have 1 to 200 bytes");
        // What other entries say of it counts as well.
        let Ok(name) = mount.name.replace('*', "x").parse::<MountName>() else { return };
        let policy = self.policy(&name);
        found.error_if(
            mount.swarm_standby_of.is_some() && policy.swarm_key.is_none(),
            key("swarm_standby_of"),
            "needs swarm_key: the key of the splitter for which this one stands by",
        );
        found.error_if(
            mount.swarm_channel.is_some() && policy.swarm_tracker.is_none(),
            key("swarm_channel"),
            "needs swarm_tracker: only trackers know channels",
        );
        let said = [
            ("swarm_port", mount.swarm_port.is_some()),
            ("swarm_token", mount.swarm_token.is_some()),
            ("swarm_transport", mount.swarm_transport.is_some()),
            ("swarm_peers", mount.swarm_peers.is_some()),
            ("swarm_tracker", mount.swarm_tracker.is_some()),
            ("swarm_key", mount.swarm_key.is_some()),
            ("swarm_standby_of", mount.swarm_standby_of.is_some()),
        ];
        if let Some((name, _)) = said.iter().find(|(_, said)| *said && !policy.swarm && !pattern) {
            found.warn_if(true, key(name), "does nothing without swarm = true");
        }
    }
}

/// Whether it is a host and a port.
fn is_place(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    text.rsplit_once(':').is_some_and(|(host, at)| !host.is_empty() && port(at))
}
