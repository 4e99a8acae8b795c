//! Peers that share a network: what comes in is cast there once, for all of them (P2PSP's IMS, seen from the peers).
//!
//! Each says on the team's group that it is here, and which stripes it brings in: those whose parent is not here, unless
//! another with a lower address does already. It casts what it brings in; the others mute their parents, who keep them
//! as children and give them what they miss. Who hears no cast for [`STILL`] wants its parents again, so that nothing is
//! worse than without where a network loses or refuses multicast.

use super::{lan_wire::Word, *};
use crate::native::wire::Parity;
use std::collections::BTreeMap;

/// A peer on its network.
#[derive(Debug)]
pub(super) struct Lan {
    group: SocketAddr,
    /// As the splitter sees them: at most [`MOST`], further ones are not noted.
    neighbors: BTreeMap<SocketAddr, Neighbor>,
    /// The stripes that it brings in.
    gates: u64,
    /// Those that it does not want from its parents.
    muted: u64,
    /// When each was heard here last.
    heard: Vec<Option<Instant>>,
    /// Where its own casts come from.
    own: Option<SocketAddr>,
    /// Whether what is being looked at was cast.
    hearing: bool,
    says: Instant,
    tells: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Neighbor {
    gates: u64,
    heard: Instant,
}

impl Lan {
    pub(super) fn new(now: Instant, group: SocketAddr) -> Lan {
        Lan {
            group,
            neighbors: BTreeMap::new(),
            gates: 0,
            muted: 0,
            heard: Vec::new(),
            own: None,
            hearing: false,
            says: now,
            tells: now,
        }
    }

    fn flows(&self, now: Instant, stripe: usize) -> bool {
        let heard = self.heard.get(stripe).copied().flatten();
        heard.is_some_and(|heard| now.saturating_duration_since(heard) < STILL)
    }

    fn note(&mut self, now: Instant, stripe: usize) {
        if self.heard.len() <= stripe {
            self.heard.resize(stripe + 1, None);
        }
        self.heard[stripe] = Some(now);
    }

    /// Which stripes to bring in, and which not to want from `parents`.
    fn choose(&mut self, now: Instant, me: SocketAddr, parents: &[Option<SocketAddr>]) {
        self.neighbors.retain(|_, known| now.saturating_duration_since(known.heard) < GONE);
        (self.gates, self.muted) = (0, 0);
        for (stripe, parent) in parents.iter().enumerate() {
            let Some(parent) = parent.filter(|_| !self.neighbors.is_empty()) else { continue };
            let bit = 1u64 << stripe;
            let before = self.neighbors.range(..me).any(|(_, known)| known.gates & bit != 0);
            let outside = !self.neighbors.contains_key(&parent);
            if outside && !before {
                self.gates |= bit;
            } else if self.flows(now, stripe) {
                self.muted |= bit;
            }
        }
    }
}

impl Peer {
    /// Something came by the group that its network has for the team.
    pub fn heard_on_lan(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) {
        self.fill_cap(now);
        let Some(lan) = &mut self.lan else { return };
        let Phase::Member { me, .. } = self.phase else { return };
        if lan.own == Some(from) {
            return;
        }
        match Message::read(bytes) {
            Some(Message::Lan(Word::Here { me: said, .. })) if said == me => lan.own = Some(from),
            Some(Message::Lan(Word::Here { me: other, gates }))
                if lan.neighbors.len() < MOST || lan.neighbors.contains_key(&other) =>
            {
                lan.neighbors.insert(other, Neighbor { gates, heard: now });
            }
            Some(Message::Parity(parity)) => {
                self.stats.received_bytes += bytes.len() as u64;
                self.hear_cast_parity(now, parity, bytes);
            }
            Some(Message::Chunk(sealed)) if !self.stripes.is_empty() => {
                self.stats.received_bytes += bytes.len() as u64;
                self.heard_cast(now, sealed, bytes);
            }
            _ => {}
        }
    }

    /// A chunk that was cast is as good as one from its parent. Nobody is to blame for a forged one.
    fn heard_cast(&mut self, now: Instant, sealed: Sealed, bytes: &Bytes) {
        let stripe = (sealed.number % self.stripes.len() as u64) as usize;
        let known = self.recent.get(sealed.number).is_some() || self.playout.has(sealed.number);
        if !known && !self.proofs.check(&sealed) {
            self.stats.forged += 1;
            return;
        }
        let parent = self.stripes[stripe].parent.map_or(self.config.splitter, |(parent, _)| parent);
        if let Some(lan) = &mut self.lan {
            lan.note(now, stripe);
            lan.hearing = true;
        }
        if !self.is_known(now, parent, sealed.number) {
            self.stats.heard_on_lan += 1;
            self.receive_chunk_and_flood(now, parent, sealed, bytes);
        }
        if let Some(lan) = &mut self.lan {
            lan.hearing = false;
        }
    }

    /// Parity that was cast is passed on to children, and nobody is to blame for a forged one.
    fn hear_cast_parity(&mut self, now: Instant, parity: Parity, bytes: &Bytes) {
        if let Some(lan) = &mut self.lan {
            lan.hearing = true;
        }
        self.take_parity(now, self.config.splitter, parity, bytes);
        if let Some(lan) = &mut self.lan {
            lan.hearing = false;
        }
    }

    /// Casts a chunk of a stripe that it brings in.
    pub(super) fn cast(&mut self, stripe: u8, bytes: &Bytes) {
        let Some(lan) = self.lan.as_ref().filter(|lan| !lan.hearing && lan.gates >> stripe & 1 == 1) else {
            return;
        };
        let group = lan.group;
        self.stats.cast += 1;
        self.pass_on(group, Sealed::passed_on(bytes));
    }

    /// Once a tick: says that it is here, and tells its parents what it does not want of them.
    pub(super) fn look_around_lan(&mut self, now: Instant) {
        let Phase::Member { me, .. } = self.phase else { return };
        if self.lan.is_none() {
            return;
        }
        let parents: Vec<_> =
            self.stripes.iter().map(|stripe| stripe.parent.map(|(parent, _)| parent)).collect();
        // What is encrypted for one cannot be cast for all.
        let Some(lan) = self.lan.as_mut().filter(|_| !self.keys.encrypts) else { return };
        let muted = lan.muted;
        lan.choose(now, me, &parents);
        let changed = muted != lan.muted;
        let (group, gates, muted) = (lan.group, lan.gates, lan.muted);
        if lan.says <= now {
            lan.says = now + SAYS;
            self.say(group, &Message::Lan(Word::Here { me, gates }));
        }
        let Some(lan) = self.lan.as_mut().filter(|lan| changed || muted != 0 && lan.tells <= now) else {
            return;
        };
        lan.tells = now + TELLS;
        for (first, parent) in parents.iter().enumerate() {
            let Some(to) = parent.filter(|_| !parents[..first].contains(parent)) else { continue };
            let same = parents.iter().enumerate().filter(|(_, other)| *other == parent);
            let stripes = same.fold(0, |bits, (at, _)| bits | 1u64 << at) & muted;
            if to != self.config.splitter || self.splitter_skills & lan_wire::SKILL != 0 {
                self.say(to, &Message::Lan(Word::Mute { stripes }));
            }
        }
    }
}

/// How often it says that it is here.
const SAYS: Duration = Duration::from_millis(250);
/// How often what is muted is told again.
const TELLS: Duration = Duration::from_millis(600);
/// A neighbour that is not heard for so long is none.
const GONE: Duration = Duration::from_millis(1_000);
/// A stripe that was not cast for so long comes from its parent again.
pub(super) const STILL: Duration = Duration::from_millis(400);
const MOST: usize = 1_024;
