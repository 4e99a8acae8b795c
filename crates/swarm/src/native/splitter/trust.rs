//! Whom children complain of: who is helped, whose parent is to blame, and debts that time forgives.
//!
//! A member says in its [`Alive`](crate::native::wire::Message::Alive) in which stripes it hears nothing, and by not
//! saying it any longer that all is well. A complaint is held against its parent only where nobody above that complains
//! as well, was moved or complained a moment ago: else the fault lies further up, and below it all is well again with it.
//! Whoever is above is heard first, unless it has fallen silent itself.
//!
//! A complaint that stands is a debt of the parent's (P2PSP's D, soft as in FCS): each halves how many children it may
//! have. A parent that other children hear is never left without any, whoever complains. One that nobody hears has none
//! from the second complaint on: it is a leaf, and where there is not room for all it waits. Debts are forgiven one by
//! one, so that each comes back, at first with a single child that nobody hangs on; who was left without children
//! before is forgiven more slowly and falls at the first complaint.

use super::{Member, Splitter};
use crate::native::trees::Trees;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What the splitter knows of who hears whom.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Who hears nothing in which stripe: at most the members, times the stripes.
    wants: BTreeMap<(usize, SocketAddr), Want>,
    /// Who was given another parent in the last moments, likewise.
    moved: BTreeMap<(usize, SocketAddr), Moved>,
    /// Whom the splitter feeds since no parent reached them: as many as configured.
    relayed: BTreeMap<(usize, SocketAddr), Instant>,
    /// Who owes: at most the members.
    debts: BTreeMap<SocketAddr, Debt>,
}

/// That somebody hears nothing in a stripe, since when it complains of its parent, and since when all is well again.
#[derive(Clone, Copy, Debug, Default)]
struct Want {
    complains: Option<Instant>,
    cleared: Option<Instant>,
    /// Whether nothing came from its parent ever.
    unreached: bool,
}

/// When somebody was given another parent, and how often without having heard one since.
#[derive(Clone, Copy, Debug)]
struct Moved {
    at: Instant,
    times: u32,
}

#[derive(Clone, Copy, Debug)]
struct Debt {
    owes: u32,
    /// How often it was left without children.
    falls: u32,
    /// Who complained last, while that is remembered.
    accuser: Option<SocketAddr>,
    /// When one is forgiven next.
    forgiven: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Not everybody above was heard since.
    Wait,
    /// Somebody above is helped, and this one with it.
    Helped,
    /// Its parent is to blame.
    Stands,
}

impl Debt {
    fn new(now: Instant) -> Debt {
        Debt { owes: 0, falls: 0, accuser: None, forgiven: now }
    }
}

impl Trust {
    /// A member was given another parent, or none.
    pub(super) fn note_move(&mut self, now: Instant, place: (usize, SocketAddr)) {
        let moved = self.moved.entry(place).or_insert(Moved { at: now, times: 0 });
        *moved = Moved { at: now, times: moved.times + 1 };
    }

    pub(super) fn forget(&mut self, stripes: usize, member: SocketAddr) {
        for stripe in 0..stripes {
            self.wants.remove(&(stripe, member));
            self.moved.remove(&(stripe, member));
            self.relayed.remove(&(stripe, member));
        }
        self.debts.remove(&member);
    }

    fn was_moved(&self, now: Instant, place: (usize, SocketAddr)) -> bool {
        let moved = self.moved.get(&place);
        moved.is_some_and(|moved| now.saturating_duration_since(moved.at) < MOVING)
    }

    fn times_moved(&self, place: (usize, SocketAddr)) -> u32 {
        self.moved.get(&place).map_or(0, |moved| moved.times)
    }

    /// Whether somebody hears nothing itself, did so a moment ago, or has a new parent that it may not have heard yet. Who
    /// says so after many moves is no longer believed.
    fn is_helped(&self, now: Instant, trees: &Trees, place: (usize, SocketAddr)) -> bool {
        self.was_moved(now, place)
            || !trees.is_seated(place.0, place.1)
            || self.wanted(now, place) && self.times_moved(place) < BELIEVED
    }

    fn wanted(&self, now: Instant, place: (usize, SocketAddr)) -> bool {
        let lately = |cleared| now.saturating_duration_since(cleared) < CLEARS;
        self.wants.get(&place).is_some_and(|want| want.cleared.is_none_or(lately))
    }

    /// Whether somebody hears its parent, which it has had for a while.
    fn is_content(&self, now: Instant, place: (usize, SocketAddr)) -> bool {
        !self.wanted(now, place) && !self.was_moved(now, place)
    }

    /// A complaint of `parent` stands; whether it may have no children now, and could until now.
    fn charge(&mut self, now: Instant, trees: &Trees, by: SocketAddr, parent: SocketAddr) -> bool {
        let heard = trees
            .children(parent)
            .any(|(stripe, child)| child != by && self.is_content(now, (stripe, child)));
        let debt = self.debts.entry(parent).or_insert(Debt::new(now));
        let before = debt.owes;
        let another = debt.accuser.replace(by).is_some_and(|accuser| accuser != by);
        debt.owes = match heard {
            true if another => (before + 1).min(MOST_OWED - 1).max(before),
            true => before,
            false if another || debt.falls > 0 => MOST_OWED,
            false => before.max(1),
        };
        let falls = debt.owes == MOST_OWED && before < MOST_OWED;
        debt.falls += u32::from(falls);
        debt.forgiven = now + FORGIVES * (1 << debt.falls.saturating_sub(1).min(6));
        falls
    }

    /// How many children a member with so many places may have.
    fn allowed(&self, member: SocketAddr, slots: usize) -> usize {
        match self.owes(member) {
            MOST_OWED.. => 0,
            owes => (slots >> owes).max(slots.min(1)),
        }
    }

    /// How many complaints stand against a member.
    pub(super) fn owes(&self, member: SocketAddr) -> u32 {
        self.debts.get(&member).map_or(0, |debt| debt.owes)
    }

    /// Forgives who is to be forgiven something; those.
    fn forgive(&mut self, now: Instant) -> Vec<SocketAddr> {
        let mut forgiven = Vec::new();
        self.debts.retain(|member, debt| {
            if debt.forgiven > now {
                return true;
            }
            if debt.owes == 0 {
                return false;
            }
            (debt.owes, debt.accuser) = (debt.owes - 1, None);
            // That it was left without children is remembered for a while.
            let rest = if debt.owes == 0 { REMEMBERED * debt.falls } else { FORGIVES };
            debt.forgiven = now + rest;
            forgiven.push(*member);
            true
        });
        forgiven
    }
}

impl Splitter {
    /// A member lives, and perhaps hears nothing in some stripes.
    pub(super) fn alive(&mut self, now: Instant, from: SocketAddr, missing: u64, waiting: u64) {
        let Some(member) = self.members.get_mut(&from) else { return };
        let before = std::mem::replace(&mut member.wants, missing | waiting);
        member.heard = now;
        for stripe in
            (0..self.config.stripes).filter(|stripe| (before | missing | waiting) >> stripe & 1 == 1)
        {
            let place = (usize::from(stripe), from);
            if (missing | waiting) >> stripe & 1 == 0 {
                self.waits.remove(&place);
                if let Some(want) = self.trust.wants.get_mut(&place) {
                    *want = Want { complains: None, cleared: Some(now), unreached: false };
                }
                continue;
            }
            // What told it its parent may be lost.
            let told = self.trust.moved.get(&place).map(|moved| now.saturating_duration_since(moved.at));
            if told.is_some_and(|told| (TOLD..MOVING).contains(&told)) && self.trees.is_seated(place.0, from)
            {
                self.give_parent(now, from, place.0, self.trees.parent(place.0, from));
            }
            let unreached = waiting >> stripe & 1 == 1 && self.is_unreached(now, place);
            let want = self.trust.wants.entry(place).or_default();
            (want.cleared, want.unreached) = (None, unreached);
            want.complains =
                if missing >> stripe & 1 == 1 || unreached { want.complains.or(Some(now)) } else { None };
        }
    }

    /// Whether a member that waits for the first chunk from its parent should have it: some were dealt meanwhile.
    fn is_unreached(&mut self, now: Instant, place: (usize, SocketAddr)) -> bool {
        let (since, next) = *self.waits.entry(place).or_insert((now, self.number));
        let dealt = self.number.saturating_sub(next);
        now.saturating_duration_since(since) >= UNREACHED && dealt >= 2 * u64::from(self.config.stripes)
    }

    /// Gives other parents to those who hear nothing, but not to those above whom somebody hears nothing either: they
    /// are helped with that one.
    pub(super) fn hear_complaints(&mut self, now: Instant) {
        let told = self.trust.wants.iter();
        let told: Vec<_> = told.filter_map(|(place, want)| Some((*place, want.complains?))).collect();
        let mut moves = Vec::new();
        for (place, since) in told {
            let (stripe, child) = place;
            let verdict = self.verdict(now, place, since);
            if verdict == Verdict::Wait {
                continue;
            }
            if let Some(want) = self.trust.wants.get_mut(&place) {
                want.complains = None;
            }
            if verdict == Verdict::Helped {
                continue;
            }
            let times = self.trust.times_moved(place);
            let unreached = self.trust.wants.get(&place).is_some_and(|want| want.unreached);
            let parent = self.trees.parent(stripe, child);
            parent.filter(|_| unreached).into_iter().for_each(|parent| self.trees.part(now, child, parent));
            // Behind a NAT of the worst kind it is no wonder.
            let believed = times < BELIEVED && !(unreached && self.trees.is_hard(child));
            if let Some(parent) = parent.filter(|_| believed) {
                let falls = self.trust.charge(now, &self.trees, child, parent);
                self.stats.distrusted += u64::from(falls);
                moves.extend(self.allow(parent));
            }
            if moves.iter().any(|(at, who, _)| (*at, *who) == place) {
                continue;
            }
            let mut given = Vec::new();
            if times >= ALONE {
                given = self.trees.relay(stripe, child, self.config.relays);
                self.trust.relayed.insert(place, now);
            }
            if given.is_empty() {
                self.trust.relayed.remove(&place);
                given = self.trees.change(stripe, child);
            }
            moves.extend(given);
        }
        self.give_parents(now, moves);
    }

    /// What is to become of a complaint that is there since `since`.
    fn verdict(&self, now: Instant, place: (usize, SocketAddr), since: Instant) -> Verdict {
        let (stripe, child) = place;
        // What it says may be older than its last move; and who waits knows why it hears nothing.
        if self.trust.was_moved(now, place) || !self.trees.is_seated(stripe, child) {
            return Verdict::Helped;
        }
        for (at, above) in self.trees.above(stripe, child).enumerate() {
            if self.trust.is_helped(now, &self.trees, (stripe, above)) {
                return Verdict::Helped;
            }
            let heard = self.members.get(&above).map_or(now, |member| member.heard);
            if now.saturating_duration_since(heard) >= QUIET {
                return if at == 0 { Verdict::Stands } else { Verdict::Helped };
            }
            if heard < since {
                return Verdict::Wait;
            }
        }
        match now.saturating_duration_since(since) >= RIPE {
            true => Verdict::Stands,
            false => Verdict::Wait,
        }
    }

    /// Forgets moves of which nothing is to be heard any longer, forgives, and seats who waits.
    pub(super) fn tidy(&mut self, now: Instant) {
        let Trust { wants, moved, .. } = &mut self.trust;
        wants.retain(|_, want| {
            want.cleared.is_none_or(|cleared| now.saturating_duration_since(cleared) < CLEARS)
        });
        moved.retain(|place, moved| {
            now.saturating_duration_since(moved.at) < MOVING || wants.contains_key(place)
        });
        let mut moves = Vec::new();
        for member in self.trust.forgive(now) {
            moves.extend(self.allow(member));
        }
        moves.extend(self.trees.seat());
        moves.extend(self.trees.tuck_in());
        let relayed = &self.trust.relayed;
        let again = relayed.iter().filter(|(_, since)| now.saturating_duration_since(**since) >= RELAYED);
        let again: Vec<_> = again.map(|(place, _)| *place).collect();
        for (stripe, member) in again {
            self.trust.relayed.remove(&(stripe, member));
            moves.extend(self.trees.change(stripe, member));
        }
        self.give_parents(now, moves);
    }

    /// Who feeds a whole stripe shows ten times a second that it lives. If one does not, its children take its place at
    /// once, and get what it may have missed.
    pub(super) fn replace_silent_roots(&mut self, now: Instant) {
        for stripe in 0..usize::from(self.config.stripes) {
            let heard = |root: SocketAddr| self.members.get(&root).map_or(now, |member| member.heard);
            let silent = self.trees.roots(stripe).map(|root| (root, heard(root)));
            let silent: Vec<_> =
                silent.filter(|(_, heard)| now.saturating_duration_since(*heard) >= GONE).collect();
            for (root, heard) in silent {
                let has_children = self.trees.children(root).any(|(of, _)| of == stripe);
                if !has_children {
                    continue;
                }
                let debt = self.trust.debts.entry(root).or_insert(Debt::new(now));
                (debt.owes, debt.forgiven) = (MOST_OWED, now + FORGIVES);
                let moves = self.trees.allow(root, 0);
                self.give_parents(now, moves);
                self.feed_again(stripe, heard - GONE / 4);
            }
        }
    }

    pub(super) fn allow(&mut self, member: SocketAddr) -> Vec<crate::native::trees::Move> {
        let Some(Member { slots, .. }) = self.members.get(&member) else { return Vec::new() };
        let allowed = self.trust.allowed(member, usize::from(*slots).min(super::MOST_SLOTS));
        self.trees.allow(member, allowed)
    }
}

/// So long others may say that they hear nothing either, and a parent that lives may be heard again.
const RIPE: Duration = Duration::from_millis(300);
/// Who was not heard for so long has missed a sign of life, and is not waited for.
const QUIET: Duration = Duration::from_millis(450);
/// Who has missed four at the top of a stripe is gone.
const GONE: Duration = Duration::from_millis(400);
/// So long after all is well with somebody what those below say may be older.
const CLEARS: Duration = Duration::from_millis(800);
/// After so long a member that heard nothing from its parent is told again who that is.
const TOLD: Duration = Duration::from_millis(150);
/// So long it takes until the children of one with a new parent hear something again.
const MOVING: Duration = Duration::from_millis(600);
/// Who owes so much has no children.
const MOST_OWED: u32 = 4;
/// So long until a debt is forgiven; twice as long for each time that it was left without children.
const FORGIVES: Duration = Duration::from_secs(6);
/// So long it is remembered that a member was left without children.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Who did not hear so many parents one after the other reaches nobody.
const ALONE: u32 = 5;
/// So long the splitter feeds them before parents are tried again.
const RELAYED: Duration = Duration::from_secs(20);
/// So long after it first said so a member that still waits is not reached by its parent.
const UNREACHED: Duration = Duration::from_millis(300);
/// After so many moves nobody hears nothing.
const BELIEVED: u32 = 6;
