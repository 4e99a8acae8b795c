//! Those who are joining: each has two seconds, and none waits for another.

use levada_link::StreamId;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Newcomers by their streams, at most [`MOST`].
#[derive(Debug, Default)]
pub(super) struct Door(BTreeMap<StreamId, Newcomer>);

#[derive(Clone, Copy, Debug)]
struct Newcomer {
    peer: SocketAddr,
    told: bool,
    until: Instant,
}

/// What a newcomer said.
pub(super) enum Said {
    /// Its first letter (wire B).
    Letter(SocketAddr),
    /// That it is ready.
    Ready,
    Nothing,
}

impl Door {
    pub(super) fn open(&mut self, now: Instant, id: StreamId, peer: SocketAddr) -> bool {
        if self.0.len() >= MOST {
            return false;
        }
        self.0.insert(id, Newcomer { peer, told: false, until: now + PATIENCE });
        true
    }

    /// It was told all.
    pub(super) fn told(&mut self, now: Instant, id: StreamId) {
        if let Some(newcomer) = self.0.get_mut(&id) {
            (newcomer.told, newcomer.until) = (true, now + PATIENCE);
        }
    }

    pub(super) fn heard(&self, id: StreamId, bytes: &[u8]) -> Said {
        match self.0.get(&id) {
            Some(newcomer) if !newcomer.told && bytes.len() == 1 => Said::Letter(newcomer.peer),
            // A peer that has the head already may say both letters at once.
            Some(newcomer) if !newcomer.told => Said::Letter(newcomer.peer),
            Some(_) => Said::Ready,
            None => Said::Nothing,
        }
    }

    /// The stream of `peer`, if it was told all: a hello by datagram says that it is ready.
    pub(super) fn is_ready(&self, peer: SocketAddr) -> Option<StreamId> {
        self.0.iter().find(|(_, newcomer)| newcomer.told && newcomer.peer == peer).map(|(id, _)| *id)
    }

    /// Those who were told all, and are not ready yet.
    pub(super) fn told_peers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.0.values().filter(|newcomer| newcomer.told).map(|newcomer| newcomer.peer)
    }

    pub(super) fn was_told(&self, id: StreamId) -> bool {
        self.0.get(&id).is_some_and(|newcomer| newcomer.told)
    }

    pub(super) fn finish(&mut self, id: StreamId) -> Option<SocketAddr> {
        self.0.remove(&id).map(|newcomer| newcomer.peer)
    }

    pub(super) fn forget(&mut self, id: StreamId) {
        self.0.remove(&id);
    }

    pub(super) fn overdue(&self, now: Instant) -> Vec<StreamId> {
        self.0.iter().filter(|(_, newcomer)| newcomer.until <= now).map(|(id, _)| *id).collect()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().map(|newcomer| newcomer.until).min()
    }
}

const PATIENCE: Duration = Duration::from_secs(2);
const MOST: usize = 1_024;
