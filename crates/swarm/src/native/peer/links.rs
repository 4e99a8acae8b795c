//! Whom a peer hears in each stripe, and who hears it.

use crate::native::wire::Ticket;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A stripe as it comes from its parent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stripe {
    /// The parent as the splitter knows it.
    pub(super) told: Option<SocketAddr>,
    /// The parent where it is reached, which is elsewhere where it punched from there.
    pub(super) parent: Option<(SocketAddr, Ticket)>,
    /// The newest number that came from the parent.
    newest: Option<u64>,
    /// How many later ones of other stripes are here before one of this, of late at most.
    late: u64,
    heard: Instant,
    /// Whether nothing came from this parent yet: the wish may be lost, and is said again.
    pub(super) fresh: bool,
    /// Forged chunks from the parent.
    forged: u32,
    /// Chunks that came from the parent.
    pub(super) got: u64,
}

impl Stripe {
    pub(super) fn new(now: Instant) -> Stripe {
        Stripe { told: None, parent: None, newest: None, late: 0, heard: now, fresh: true, forged: 0, got: 0 }
    }

    /// The same from another parent, which is not there yet.
    pub(super) fn of_another(&self, now: Instant) -> Stripe {
        Stripe { newest: self.newest, late: self.late, ..Stripe::new(now) }
    }

    /// Whether this is its parent.
    pub(super) fn is_from(&self, parent: SocketAddr) -> bool {
        self.parent.is_some_and(|(known, _)| known == parent)
    }

    /// A chunk of this stripe came, when the highest of all was `highest`. From the parent, it gives the newest before it.
    pub(super) fn note(&mut self, now: Instant, from: SocketAddr, number: u64, highest: u64) -> Option<u64> {
        let is_parent = self.parent.is_none_or(|(parent, _)| parent == from);
        if !is_parent {
            return None;
        }
        (self.heard, self.fresh) = (now, false);
        self.got += 1;
        self.late = (self.late - self.late / 8).max(highest.saturating_sub(number));
        let before = self.newest;
        self.newest = Some(before.map_or(number, |before| before.max(number)));
        before.filter(|before| *before < number)
    }

    /// A forged chunk came from `from`.
    pub(super) fn accuse(&mut self, from: SocketAddr) {
        self.forged += u32::from(self.parent.is_some_and(|(parent, _)| parent == from));
    }

    /// Whether a chunk of this stripe should be here by now, as the others go: where its parent seems to be gone, by how
    /// late it was of late.
    pub(super) fn should_have(&self, now: Instant, number: u64, highest: u64, stripes: u64) -> bool {
        let late = match self.is_doubtful(now, highest, stripes) {
            true => self.late.min(stripes * 2) + 2,
            false => stripes * 3,
        };
        number + late <= highest
    }

    /// Whether two chunks in a row did not come: to ask the parent for them is likely in vain.
    pub(super) fn is_doubtful(&self, now: Instant, highest: u64, stripes: u64) -> bool {
        self.is_quiet(now)
            && highest.saturating_sub(self.newest.unwrap_or(0)) >= 2 * stripes + self.late.min(stripes)
    }

    /// Whether the parent may have forgotten this child: the others are more than a round further, or nothing comes at all.
    /// Where chunks are dealt in groups, it is quiet between them.
    pub(super) fn is_forgotten(&self, now: Instant, highest: u64, stripes: u64) -> bool {
        let is_behind = highest.saturating_sub(self.newest.unwrap_or(0)) > stripes;
        is_behind && self.is_quiet(now) || now.saturating_duration_since(self.heard) >= STILL
    }

    /// Whether nothing came for a while.
    fn is_quiet(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= QUIET
    }

    /// Whether the parent is silent while the others are some rounds further, or forges.
    pub(super) fn is_silent(&self, now: Instant, highest: u64, stripes: u64) -> bool {
        let behind = highest.saturating_sub(self.newest.unwrap_or(0));
        let silent = now.saturating_duration_since(self.heard) >= SILENCE && behind >= ROUNDS * stripes;
        silent || self.forged >= FORGED
    }
}

/// The children of a peer, by stripe.
#[derive(Clone, Debug, Default)]
pub(super) struct Children(BTreeMap<(u8, SocketAddr), Child>);

#[derive(Clone, Copy, Debug)]
struct Child {
    heard: Instant,
    ticket: Ticket,
    /// Whether it was given what came before it.
    has_backlog: bool,
    /// Whether it has the stripe from elsewhere at present.
    muted: bool,
    /// Chunks that it was given.
    given: u64,
}

impl Children {
    /// A child goes on wanting a stripe with the ticket that is known already.
    pub(super) fn renew(&mut self, now: Instant, stripe: u8, child: SocketAddr, ticket: &Ticket) -> bool {
        match self.0.get_mut(&(stripe, child)) {
            Some(known) if known.ticket == *ticket => {
                known.heard = now;
                true
            }
            _ => false,
        }
    }

    /// A child lives and goes on wanting stripes.
    pub(super) fn keep(&mut self, now: Instant, child: SocketAddr, stripes: u64) {
        for stripe in (0..64).filter(|stripe| stripes >> stripe & 1 == 1) {
            if let Some(known) = self.0.get_mut(&(stripe, child)) {
                known.heard = now;
            }
        }
    }

    /// A child has these of its stripes from elsewhere, and the others not.
    pub(super) fn mute(&mut self, child: SocketAddr, stripes: u64) {
        for ((stripe, known), state) in &mut self.0 {
            if *known == child {
                state.muted = stripes >> stripe & 1 == 1;
            }
        }
    }

    pub(super) fn add(&mut self, now: Instant, stripe: u8, child: SocketAddr, ticket: Ticket) {
        self.0.insert(
            (stripe, child),
            Child { heard: now, ticket, has_backlog: false, muted: false, given: 0 },
        );
    }

    /// Whether a child may be given what came before it: once.
    pub(super) fn may_have_backlog(&mut self, now: Instant, stripe: u8, child: SocketAddr) -> bool {
        let known = self.0.get_mut(&(stripe, child)).filter(|child| child.lives(now));
        known.is_some_and(|child| !std::mem::replace(&mut child.has_backlog, true))
    }

    pub(super) fn remove(&mut self, stripe: u8, child: SocketAddr) {
        self.0.remove(&(stripe, child));
    }

    /// Those who are to be given a chunk of a stripe that came from `from`: it is counted as given.
    pub(super) fn give(&mut self, now: Instant, stripe: u8, from: SocketAddr) -> Vec<SocketAddr> {
        let first = (stripe, SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0));
        let children = self.0.range_mut(first..).take_while(|((found, _), _)| *found == stripe);
        let wants = |child: &Child| child.lives(now) && !child.muted;
        let wanting = children.filter(|((_, at), child)| *at != from && wants(child));
        wanting
            .map(|((_, at), child)| {
                child.given += 1;
                *at
            })
            .collect()
    }

    /// All of them, each as often as it has a stripe, and the chunks that it was given of that.
    pub(super) fn all(&self) -> impl Iterator<Item = (SocketAddr, u64)> + '_ {
        self.0.iter().map(|((_, at), child)| (*at, child.given))
    }

    pub(super) fn has(&self, now: Instant, child: SocketAddr) -> bool {
        self.0.iter().any(|((_, known), state)| *known == child && state.lives(now))
    }

    pub(super) fn forget_silent(&mut self, now: Instant) {
        self.0.retain(|_, child| child.lives(now));
    }

    /// The child that was not heard for longest is one no more.
    pub(super) fn drop_quietest(&mut self) {
        let quietest = self.0.iter().min_by_key(|(_, child)| child.heard).map(|(child, _)| *child);
        quietest.and_then(|child| self.0.remove(&child));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Child {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < DEAD
    }
}

const SILENCE: Duration = Duration::from_millis(400);
const QUIET: Duration = Duration::from_millis(250);
/// So long it is quiet only where the whole stream is.
const STILL: Duration = Duration::from_millis(1_000);
/// Where packets are lost here and there, so many chunks of a stripe in a row are not.
const ROUNDS: u64 = 5;
const FORGED: u32 = 2;
/// A child that does not renew its wish for so long is gone: three times missed.
const DEAD: Duration = Duration::from_millis(2_000);
