//! Looking for a place for a member: who has room, who must make some.

use super::{DEEPEST, NOWHERE, Parent, Trees};
use std::collections::BTreeSet;
use std::net::SocketAddr;

impl Trees {
    /// Who gives something takes the place of one who gives nothing, where there is no other: that one is detached, and to
    /// be attached again.
    pub(super) fn evict(
        &mut self,
        stripe: usize,
        member: SocketAddr,
        not: Parent,
    ) -> Option<(Parent, SocketAddr)> {
        if self.owing.contains(&member) {
            return None;
        }
        let tree = &self.stripes[stripe];
        let seated = self.owing.iter().filter_map(|debtor| {
            let node = tree.nodes.get(debtor).filter(|node| node.depth != NOWHERE)?;
            Some((node.parent, *debtor))
        });
        let mut fitting = seated.take(TRIED).filter(|(parent, debtor)| {
            let fits =
                |parent| Some(parent) != not && parent != member && !self.is_below(stripe, parent, member);
            let apart = self.is_apart(member, *parent);
            *debtor != member
                && !apart
                && parent.is_none_or(fits)
                && !self.relayed.contains(&(stripe, *debtor))
        });
        let found = fitting.next().or_else(|| self.full(stripe, member, not))?;
        self.detach(stripe, found.1);
        Some(found)
    }

    /// Somebody who has no room, with its parent, whose place one who has room may take: then there is room below.
    fn full(&self, stripe: usize, member: SocketAddr, not: Parent) -> Option<(Parent, SocketAddr)> {
        let tree = &self.stripes[stripe];
        let has_room = |member| self.members.get(&member).is_some_and(|slots| slots.used < slots.most);
        if !has_room(member) || !tree.open.iter().all(BTreeSet::is_empty) {
            return None;
        }
        let leaves = tree.nodes.iter().filter(|(_, node)| node.depth != NOWHERE && node.children.is_empty());
        let leaves = leaves.take(SEARCHED).map(|(leaf, _)| *leaf);
        let mut full = tree.fed.iter().copied().chain(leaves).filter_map(|full| {
            let parent = tree.nodes.get(&full)?.parent;
            let fits = |parent| Some(parent) != not && !self.is_below(stripe, parent, member);
            let relayed = self.relayed.contains(&(stripe, full));
            let apart = self.is_apart(member, parent);
            (full != member && !relayed && !apart && parent.is_none_or(fits)).then_some((parent, full))
        });
        full.next()
    }

    /// A carrier takes the place of one that carries nothing, where that is flatter than any that is free: the child is
    /// detached, and to be attached again.
    pub(super) fn displace(
        &mut self,
        stripe: usize,
        member: SocketAddr,
        not: Parent,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let tree = &self.stripes[stripe];
        let free = tree.open[0].first().map_or(NOWHERE, |(depth, _)| *depth);
        let has_place = self.members.get(&member).is_some_and(|slots| slots.used < slots.most);
        if !self.carries(stripe, member) || !has_place || tree.roots < self.roots {
            return None;
        }
        let crowded = tree.crowded.iter().take(TRIED).take_while(|(depth, _)| *depth < free);
        let fits = |parent: &SocketAddr| {
            let apart = self.is_apart(member, Some(*parent));
            Some(*parent) != not && !apart && !self.is_below(stripe, *parent, member)
        };
        let parent = crowded.map(|(_, parent)| *parent).find(fits)?;
        let child = *tree.nodes.get(&parent)?.children.iter().find(|child| !self.carries(stripe, **child))?;
        self.detach(stripe, child);
        Some((parent, child))
    }

    /// The flattest member with a free slot that is not below `member`: a carrier, else any; the splitter while it has
    /// a place, or where there is no other and it has something to spare. Below one that may have a single child nobody
    /// is to hang: it may be on trial. True where others have room, but no way to it.
    pub(super) fn find(&self, stripe: usize, member: SocketAddr, not: Parent) -> (Option<Parent>, bool) {
        let tree = &self.stripes[stripe];
        let nobody = tree.open.iter().all(BTreeSet::is_empty);
        let on_trial = |parent: &SocketAddr| self.members.get(parent).is_some_and(|slots| slots.most == 1);
        let has_below = tree.nodes.get(&member).is_some_and(|node| !node.children.is_empty());
        let gives = self.carries(stripe, member) && !self.owing.contains(&member);
        if tree.roots < self.roots && (gives || nobody) {
            return (Some(None), false);
        }
        let open = || {
            let all = tree.open.iter();
            all.flat_map(|open| open.iter().map(|(_, candidate)| *candidate).take(TRIED))
                .filter(|candidate| !self.is_below(stripe, *candidate, member))
        };
        let fits = |candidate: &SocketAddr| Some(*candidate) != not && !(has_below && on_trial(candidate));
        if let Some(found) = self.choose(member, || open().filter(fits)) {
            return (Some(Some(found)), false);
        }
        if open().any(|candidate| self.is_apart(member, Some(candidate))) {
            return (None, true);
        }
        let more: usize = self.stripes.iter().map(|tree| tree.roots.saturating_sub(self.roots)).sum();
        ((more < self.spare).then_some(None), false)
    }

    pub(super) fn is_below(&self, stripe: usize, mut member: SocketAddr, top: SocketAddr) -> bool {
        let nodes = &self.stripes[stripe].nodes;
        if member != top && nodes.get(&top).is_none_or(|node| node.children.is_empty()) {
            // Nobody is below it; but who is nowhere has nobody below.
            return nodes.get(&member).is_none_or(|node| node.depth == NOWHERE);
        }
        for _ in 0..DEEPEST {
            if member == top {
                return true;
            }
            match self.stripes[stripe].nodes.get(&member).map(|node| (node.parent, node.depth)) {
                Some((_, NOWHERE)) | None => return true,
                Some((Some(parent), _)) => member = parent,
                Some((None, _)) => return false,
            }
        }
        true
    }
}

/// So many candidates are looked at before the splitter takes a member itself.
const TRIED: usize = 64;
/// So many leaves are looked at where there is no room at all.
const SEARCHED: usize = 500;
