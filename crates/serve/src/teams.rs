//! Teams of peers that carry mounts of this server on, as told by whoever runs them.

use crate::MountName;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The teams by mount. Whoever runs one tells how it is, and takes it out at its end.
#[derive(Debug, Default)]
pub struct Teams(Mutex<BTreeMap<MountName, Arc<Team>>>);

/// A team that carries a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Team {
    /// Where it is joined; unspecified where that is at every address of this server.
    pub place: SocketAddr,
    /// Whether only who has its token is let in.
    pub private: bool,
    /// Bytes of the stream so far.
    pub fed_bytes: u64,
    /// Bytes that this server sent for it.
    pub sent_bytes: u64,
    /// Chunks dealt.
    pub chunks: u64,
    /// Chunks sent once more to who missed them.
    pub repaired: u64,
    /// Its peers, in an order that stays while they do.
    pub peers: Vec<TeamPeer>,
}

/// A peer of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TeamPeer {
    /// Where it is; not for everybody's eyes.
    #[serde(skip)]
    pub endpoint: String,
    /// Of how many parts of the stream it is the origin: it has those from this server.
    pub origin: usize,
    /// From which peers of the list it has the others.
    pub parents: Vec<usize>,
    /// To how many, summed over the parts, it passes them on.
    pub children: usize,
    /// How many stand between this server and it at most, itself included.
    pub depth: u32,
    /// What it uploads.
    pub upload_kbit_per_s: u64,
    /// How old chunks are when it plays them.
    pub lag_ms: Option<u64>,
    /// Chunks that did not come in time.
    pub lost: u64,
    /// How many complaints of those whom it feeds stand against it, 0 to 4; they are forgiven one by one.
    pub debt: u32,
}

impl Team {
    /// Its address for somebody who knows this server as `host`, which may have a port.
    pub fn address(&self, host: &str) -> String {
        if !self.place.ip().is_unspecified() {
            return format!("p2psp://{}", self.place);
        }
        let name =
            host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(host, |(name, _)| name);
        format!("p2psp://{name}:{}", self.place.port())
    }
}

impl Teams {
    /// How the team of a mount is now.
    pub fn set(&self, mount: &MountName, team: Team) {
        self.map().insert(mount.clone(), Arc::new(team));
    }

    /// The mount has no team any longer.
    pub fn remove(&self, mount: &MountName) {
        self.map().remove(mount);
    }

    /// The team of a mount.
    pub fn find(&self, mount: &MountName) -> Option<Arc<Team>> {
        self.map().get(mount).cloned()
    }

    fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<MountName, Arc<Team>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_where_the_server_is_known() {
        let team = |place: &str| Team {
            place: place.parse().unwrap(),
            private: false,
            fed_bytes: 0,
            sent_bytes: 0,
            chunks: 0,
            repaired: 0,
            peers: Vec::new(),
        };
        assert_eq!(team("127.0.0.1:9").address("radio.example:8000"), "p2psp://127.0.0.1:9");
        for (host, address) in [
            ("radio.example:8000", "p2psp://radio.example:9"),
            ("radio.example", "p2psp://radio.example:9"),
            ("[2001:db8::1]:8000", "p2psp://[2001:db8::1]:9"),
            ("[2001:db8::1]", "p2psp://[2001:db8::1]:9"),
        ] {
            assert_eq!(team("[::]:9").address(host), address);
        }
    }
}
