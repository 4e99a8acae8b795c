//! Whom a peer hears in each stripe, and who hears it.

use crate::native::wire::Ticket;
use std::{
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

    /// One of so many, of which those up to `highest` came from another team of the channel, or should have.
    pub(super) fn of_channel(now: Instant, stripe: u64, stripes: u64, highest: u64) -> Stripe {
        let rounds = highest.checked_sub(stripe).map(|above| above / stripes * stripes);
        Stripe { newest: rounds.map(|rounds| rounds + stripe), ..Stripe::new(now) }
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

    /// How far behind the highest a chunk of this stripe may be that is not missing: where its parent seems to be gone, as
    /// late as it was of late.
    pub(super) fn may_be_late(&self, now: Instant, highest: u64, stripes: u64) -> u64 {
        match self.is_doubtful(now, highest, stripes) {
            true => self.late.min(stripes * 2) + 2,
            false => stripes * 3,
        }
    }

    /// Reads a little from each of its cache lines that a chunk needs.
    pub(super) fn read(&self) -> u64 {
        let parent = self.parent.as_ref().map_or(0, |(parent, _)| u64::from(parent.port()));
        parent ^ self.late ^ u64::from(self.fresh) ^ self.newest.unwrap_or_default()
    }

    /// Whether two chunks in a row did not come: to ask the parent for them is likely in vain.
    pub(super) fn is_doubtful(&self, now: Instant, highest: u64, stripes: u64) -> bool {
        self.is_quiet(now)
            && highest.saturating_sub(self.newest.unwrap_or(0)) >= 2 * stripes + self.late.min(stripes)
    }

    /// How long nothing came from this parent yet.
    pub(super) fn waits(&self, now: Instant) -> Option<Duration> {
        self.fresh.then(|| now.saturating_duration_since(self.heard))
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

/// The children of a peer, by stripe and address. There are few, and they are looked at for every chunk: side by side they
/// come from memory together.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    all: Vec<Child>,
    /// Of each; they are looked at seldom.
    tickets: Vec<Ticket>,
    /// The stripes in which there are any.
    stripes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    /// The stripe, and who it is.
    place: (u8, SocketAddr),
    /// Whether it was given what came before it.
    has_backlog: bool,
    /// Whether it has the stripe from elsewhere at present.
    muted: bool,
    /// Chunks that it was given.
    given: u64,
    heard: Instant,
}

impl Children {
    /// A child goes on wanting a stripe with the ticket that is known already.
    pub(super) fn renew(&mut self, now: Instant, stripe: u8, child: SocketAddr, ticket: &Ticket) -> bool {
        match self.find(stripe, child) {
            Ok(at) if self.tickets[at] == *ticket => {
                self.all[at].heard = now;
                true
            }
            _ => false,
        }
    }

    /// A child lives and goes on wanting stripes.
    pub(super) fn keep(&mut self, now: Instant, child: SocketAddr, stripes: u64) {
        for known in &mut self.all {
            if known.place.1 == child && stripes >> known.place.0 & 1 == 1 {
                known.heard = now;
            }
        }
    }

    /// A child has these of its stripes from elsewhere, and the others not.
    pub(super) fn mute(&mut self, child: SocketAddr, stripes: u64) {
        for known in self.all.iter_mut().filter(|known| known.place.1 == child) {
            known.muted = stripes >> known.place.0 & 1 == 1;
        }
    }

    /// Takes one in. There are at most 64 stripes, whatever a splitter signs.
    pub(super) fn add(&mut self, now: Instant, stripe: u8, child: SocketAddr, ticket: Ticket) {
        if stripe >= 64 {
            return;
        }
        let new = Child { place: (stripe, child), heard: now, has_backlog: false, muted: false, given: 0 };
        match self.find(stripe, child) {
            Ok(at) => (self.all[at], self.tickets[at]) = (new, ticket),
            Err(at) => {
                self.all.insert(at, new);
                self.tickets.insert(at, ticket);
            }
        }
        self.stripes |= 1 << stripe;
    }

    /// Whether a child may be given what came before it: once.
    pub(super) fn may_have_backlog(&mut self, now: Instant, stripe: u8, child: SocketAddr) -> bool {
        let known = self.find(stripe, child).ok().map(|at| &mut self.all[at]);
        let known = known.filter(|child| child.lives(now));
        known.is_some_and(|child| !std::mem::replace(&mut child.has_backlog, true))
    }

    pub(super) fn remove(&mut self, stripe: u8, child: SocketAddr) {
        if let Ok(at) = self.find(stripe, child) {
            self.all.remove(at);
            self.tickets.remove(at);
            self.count_stripes();
        }
    }

    /// Those who are to be given a chunk of a stripe that came from `from`: it is counted as given.
    pub(super) fn give(&mut self, now: Instant, stripe: u8, from: SocketAddr) -> Vec<SocketAddr> {
        if self.stripes >> stripe & 1 == 0 {
            return Vec::new();
        }
        let wants = |child: &Child| child.place.0 == stripe && child.lives(now) && !child.muted;
        let wanting = self.all.iter_mut().filter(|child| child.place.1 != from && wants(child));
        wanting
            .map(|child| {
                child.given += 1;
                child.place.1
            })
            .collect()
    }

    /// All of them, each as often as it has a stripe, and the chunks that it was given of that.
    pub(super) fn all(&self) -> impl Iterator<Item = (SocketAddr, u64)> + '_ {
        self.all.iter().map(|child| (child.place.1, child.given))
    }

    pub(super) fn has(&self, now: Instant, child: SocketAddr) -> bool {
        self.all.iter().any(|known| known.place.1 == child && known.lives(now))
    }

    pub(super) fn forget_silent(&mut self, now: Instant) {
        if self.all.iter().all(|child| child.lives(now)) {
            return;
        }
        let mut lives = self.all.iter().map(|child| child.lives(now));
        self.tickets.retain(|_| lives.next().unwrap_or_default());
        self.all.retain(|child| child.lives(now));
        self.count_stripes();
    }

    /// The child that was not heard for longest is one no more.
    pub(super) fn drop_quietest(&mut self) {
        let quietest = self.all.iter().min_by_key(|child| child.heard).map(|child| child.place);
        quietest.into_iter().for_each(|(stripe, child)| self.remove(stripe, child));
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The stripes in which there are any.
    pub(super) fn stripes(&self) -> u64 {
        self.stripes
    }

    /// Reads a little of each.
    pub(super) fn read(&self) -> u64 {
        self.all.iter().fold(0, |read, child| read ^ u64::from(child.place.0) ^ u64::from(child.muted))
    }

    /// Where a child stands, or would.
    fn find(&self, stripe: u8, child: SocketAddr) -> Result<usize, usize> {
        self.all.binary_search_by_key(&(stripe, child), |child| child.place)
    }

    fn count_stripes(&mut self) {
        self.stripes = self.all.iter().fold(0, |stripes, child| stripes | 1 << child.place.0);
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
