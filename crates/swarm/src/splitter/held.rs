//! The streams that members of wire B leave open after joining: where one ends, its peer is dead.
//!
//! Peers of the C++ implementation close theirs when they have said that they are ready, and so tell nothing. Ours leave
//! them open, which a splitter of that implementation does not mind, since it closes them itself.

use levada_link::StreamId;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Streams by members, at most one for each.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<StreamId, (SocketAddr, Instant)>);

impl Held {
    /// A member is in, and its stream open.
    pub(super) fn hold(&mut self, now: Instant, id: StreamId, peer: SocketAddr) {
        self.0.insert(id, (peer, now));
    }

    /// A stream ended: gives its peer, unless that closed it by joining.
    pub(super) fn ended(&mut self, now: Instant, id: StreamId) -> Option<SocketAddr> {
        let (peer, since) = self.0.remove(&id)?;
        (now.saturating_duration_since(since) >= JOINS).then_some(peer)
    }

    /// A peer is no member any longer: the streams that it has left open.
    pub(super) fn release(&mut self, peer: SocketAddr) -> Vec<StreamId> {
        let of_it = self.0.iter().filter(|(_, (known, _))| *known == peer);
        let ids: Vec<_> = of_it.map(|(id, _)| *id).collect();
        self.0.retain(|_, (known, _)| *known != peer);
        ids
    }
}

/// Who closes within this has only joined.
const JOINS: Duration = Duration::from_secs(2);
