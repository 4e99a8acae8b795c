//! Who reaches whom: what a splitter learns of the NATs before its members, from what they see of each other.
//!
//! Two members meet unless one sits behind a symmetric NAT, which nobody can send to before it has spoken, and the other
//! lets in only those ports that it spoke to. A member that is seen at another port than the splitter's is the first kind
//! (*hard*), and who sees it there is not the second (*easy*); else what failed tells.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What is known; at most [`MOST`] pairs that failed, for two minutes each, and members while they are.
#[derive(Debug, Default)]
pub(super) struct Reach {
    hard: BTreeSet<SocketAddr>,
    /// Who told where it is in its own network.
    homes: BTreeSet<SocketAddr>,
    easy: BTreeSet<SocketAddr>,
    /// Both ways.
    apart: BTreeMap<SocketAddr, BTreeSet<SocketAddr>>,
    /// When pairs failed, the oldest first.
    failed: VecDeque<(Instant, SocketAddr, SocketAddr)>,
}

/// Whether a child is likely to reach a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// It is not.
    None,
    /// It depends on what is not known.
    Perhaps,
    /// As far as is known.
    Likely,
}

/// What a member is to those who want to reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing is known of anybody.
    Any,
    /// Few reach it.
    Hard,
    /// Most do.
    Other,
    /// All do.
    Easy,
}

impl Reach {
    /// `by` heard from `member` at another port than the splitter does.
    pub(super) fn seen_elsewhere(&mut self, member: SocketAddr, by: SocketAddr) {
        self.hard.insert(member);
        self.easy.insert(by);
    }

    /// A member is behind a NAT, and told where it is there.
    pub(super) fn is_at_home(&mut self, member: SocketAddr) {
        self.homes.insert(member);
    }

    /// Whether two are behind the same NAT, as far as is known.
    fn are_near(&self, one: SocketAddr, other: SocketAddr) -> bool {
        one.ip() == other.ip() && self.homes.contains(&one) && self.homes.contains(&other)
    }

    /// Introduced to each other, they did not meet.
    pub(super) fn part(&mut self, now: Instant, child: SocketAddr, parent: SocketAddr) {
        if self.failed.len() >= MOST {
            self.forget_oldest();
        }
        let (child_is_hard, parent_is_hard) = (self.is_hard(child), self.is_hard(parent));
        // Of two behind one NAT, or a NAT's NAT, that tells nothing of how others reach them.
        let are_near = self.are_near(child, parent);
        self.note(child, parent, parent_is_hard || are_near);
        self.note(parent, child, child_is_hard || are_near);
        self.failed.push_back((now, child, parent));
    }

    fn note(&mut self, one: SocketAddr, other: SocketAddr, expected: bool) {
        let apart = self.apart.entry(one).or_default();
        apart.insert(other);
        if apart.len() >= FAILURES && !expected && !self.easy.contains(&one) {
            self.hard.insert(one);
        }
    }

    /// A member is gone.
    pub(super) fn remove(&mut self, member: SocketAddr) {
        self.hard.remove(&member);
        self.easy.remove(&member);
        self.homes.remove(&member);
        for other in self.apart.remove(&member).unwrap_or_default() {
            if let Some(apart) = self.apart.get_mut(&other) {
                apart.remove(&member);
            }
        }
    }

    /// What failed may not fail for ever.
    pub(super) fn forget(&mut self, now: Instant) {
        while self.failed.front().is_some_and(|(since, ..)| now.saturating_duration_since(*since) >= LASTS) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, child, parent)) = self.failed.pop_front() else { return };
        for (one, other) in [(child, parent), (parent, child)] {
            if let Some(apart) = self.apart.get_mut(&one) {
                apart.remove(&other);
            }
        }
    }

    pub(super) fn is_hard(&self, member: SocketAddr) -> bool {
        self.hard.contains(&member)
    }

    /// The kinds of members there are, in the order in which they are to be made parents.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let kinds: &[Kind] =
            if self.hard.is_empty() { &[Kind::Any] } else { &[Kind::Hard, Kind::Other, Kind::Easy] };
        kinds.iter().copied()
    }

    /// Whether a member is of a kind.
    pub(super) fn is(&self, member: SocketAddr, kind: Kind) -> bool {
        let (hard, easy) = (self.is_hard(member), self.easy.contains(&member));
        match kind {
            Kind::Any => true,
            Kind::Hard => hard && !easy,
            Kind::Other => !hard && !easy,
            Kind::Easy => easy,
        }
    }

    /// Whether one may be introduced to the other.
    pub(super) fn way(&self, child: SocketAddr, parent: SocketAddr) -> Way {
        if self.hard.is_empty() && self.apart.is_empty() {
            return Way::Likely;
        }
        if self.apart.get(&child).is_some_and(|apart| apart.contains(&parent)) {
            return Way::None;
        }
        if self.easy.contains(&child) || self.easy.contains(&parent) || self.are_near(child, parent) {
            return Way::Likely;
        }
        let failures = self.apart.get(&child).map_or(0, BTreeSet::len);
        match (self.is_hard(child), self.is_hard(parent)) {
            (false, false) => Way::Likely,
            (true, true) => Way::None,
            (true, false) if failures >= FAILURES => Way::None,
            _ => Way::Perhaps,
        }
    }
}

const MOST: usize = 65_536;
/// One that fails so often with those that are not known to be hard is so itself.
const FAILURES: usize = 3;
const LASTS: Duration = Duration::from_secs(120);
