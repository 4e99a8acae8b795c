//! Trees where not everybody reaches everybody: whom NATs keep apart.

use super::{Parent, Trees};
use crate::native::reach::Way;
use std::{net::SocketAddr, time::Instant};

impl Trees {
    /// The same, with so many stripes for those whom nobody else reaches.
    pub(in crate::native) fn relaying(self, relays: usize) -> Trees {
        Trees { relays, ..self }
    }

    /// Whether the splitter feeds a member because nobody else reaches it.
    pub(in crate::native) fn is_relayed(&self, stripe: usize, member: SocketAddr) -> bool {
        self.relayed.contains(&(stripe, member))
    }

    /// A child and a parent do not meet.
    pub(in crate::native) fn part(&mut self, now: Instant, child: SocketAddr, parent: SocketAddr) {
        self.reach.part(now, child, parent);
    }

    /// A member sees another of those it has to do with at another port than the splitter does.
    pub(in crate::native) fn seen_elsewhere(&mut self, member: SocketAddr, by: SocketAddr) {
        let is_above =
            |child, parent| (0..self.stripes.len()).any(|stripe| self.parent(stripe, child) == Some(parent));
        if is_above(member, by) || is_above(by, member) {
            self.reach.seen_elsewhere(member, by);
        }
    }

    /// A member is behind a NAT, and told where it is there.
    pub(in crate::native) fn is_at_home(&mut self, member: SocketAddr) {
        self.reach.is_at_home(member);
    }

    /// Whether a member is behind a NAT of the worst kind.
    pub(in crate::native) fn is_hard(&self, member: SocketAddr) -> bool {
        self.reach.is_hard(member)
    }

    /// Tries once more what failed long ago.
    pub(in crate::native) fn forget(&mut self, now: Instant) {
        self.reach.forget(now);
    }

    pub(super) fn is_apart(&self, child: SocketAddr, parent: Parent) -> bool {
        parent.is_some_and(|parent| self.reach.way(child, parent) == Way::None)
    }

    /// The best of those who have room: whoever is likely to be reached, and of those whom few reach, before whom all do.
    pub(super) fn choose<I: Iterator<Item = SocketAddr>>(
        &self,
        member: SocketAddr,
        candidates: impl Fn() -> I,
    ) -> Option<SocketAddr> {
        let kinds = || self.reach.kinds();
        let mut choices =
            [Way::Likely, Way::Perhaps].into_iter().flat_map(|way| kinds().map(move |kind| (way, kind)));
        choices.find_map(|(way, kind)| {
            candidates().find(|candidate| {
                self.reach.is(*candidate, kind) && self.reach.way(member, *candidate) == way
            })
        })
    }
}
