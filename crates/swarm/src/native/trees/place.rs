//! Putting members in their places and taking them away, and the lists of who has room.

use super::{Listed, NOWHERE, Node, Parent, Trees};
use std::collections::BTreeSet;
use std::net::SocketAddr;

impl Trees {
    /// Gives a member a parent, or lets it wait; `not` is not asked again.
    pub(super) fn attach(&mut self, stripe: usize, member: SocketAddr, not: Parent) {
        let waited = self.stripes[stripe].waiting.remove(&member);
        let mut displaced = self.displace(stripe, member, not).map(|(parent, child)| (Some(parent), child));
        let mut found = displaced.map(|(parent, _)| parent);
        if found.is_none() {
            let (place, cut_off) = self.find(stripe, member, not);
            if cut_off && self.relayed.len() < self.relays {
                self.relayed.insert((stripe, member));
                return self.place(stripe, member, None);
            }
            found = place;
        }
        if found.is_none() {
            displaced = self.evict(stripe, member, not);
            found = displaced.map(|(parent, _)| parent);
        }
        match found {
            Some(parent) => self.place(stripe, member, parent),
            None => {
                let tree = &mut self.stripes[stripe];
                tree.waiting.insert(member);
                tree.nodes.entry(member).or_default();
                if !waited {
                    self.moves.push((stripe, member, Some(member)));
                }
            }
        }
        if let Some((_, child)) = displaced {
            self.attach(stripe, child, None);
        }
    }

    /// A member gets this parent.
    pub(super) fn place(&mut self, stripe: usize, member: SocketAddr, parent: Parent) {
        let depth = parent.map_or(0, |parent| self.stripes[stripe].nodes[&parent].depth) + 1;
        match parent {
            Some(parent) => {
                let strange = usize::from(!self.carries(stripe, member));
                if let Some(node) = self.stripes[stripe].nodes.get_mut(&parent) {
                    node.children.insert(member);
                    node.strangers += strange;
                }
                self.use_slots(stripe, parent, 1);
            }
            None => {
                let relayed = self.relayed.contains(&(stripe, member));
                self.stripes[stripe].roots += usize::from(!relayed);
                self.stripes[stripe].fed.insert(member);
            }
        }
        let fits = match parent {
            Some(parent) => self.carries(stripe, parent),
            None => self.stripes[stripe].roots <= self.roots || self.relayed.contains(&(stripe, member)),
        };
        if !fits {
            self.stripes[stripe].misplaced.insert(member);
        }
        self.stripes[stripe].nodes.entry(member).or_default().parent = parent;
        self.sink(stripe, member, depth);
        self.moves.push((stripe, member, parent));
    }

    /// Takes a member from its parent; until it is attached again it is nowhere, with all that is below it.
    pub(super) fn detach(&mut self, stripe: usize, member: SocketAddr) {
        let strange = usize::from(!self.carries(stripe, member));
        let tree = &mut self.stripes[stripe];
        tree.misplaced.remove(&member);
        tree.waiting.remove(&member);
        let relayed = self.relayed.remove(&(stripe, member));
        let Some(node) = tree.nodes.get_mut(&member) else { return };
        match node.parent.take() {
            Some(parent) => {
                if let Some(node) = tree.nodes.get_mut(&parent)
                    && node.children.remove(&member)
                {
                    node.strangers -= strange;
                }
                self.use_slots(stripe, parent, -1);
            }
            None if tree.fed.remove(&member) => {
                tree.roots = tree.roots.saturating_sub(usize::from(!relayed));
            }
            None => {}
        }
        self.sink(stripe, member, NOWHERE);
    }

    /// A member may have so many children from now on.
    pub(super) fn offer(&mut self, member: SocketAddr, most: usize) {
        let Some(slots) = self.members.get_mut(&member) else { return };
        let room = &mut self.room[slots.stripe];
        *room = (*room + most).saturating_sub(slots.most);
        slots.most = most;
        if most == 0 {
            self.owing.insert(member);
        } else {
            self.owing.remove(&member);
        }
        (0..self.stripes.len()).for_each(|stripe| self.list(stripe, member));
    }

    /// A member has so many more children, of this stripe. The other stripes notice where it has room, or none, by that.
    fn use_slots(&mut self, stripe: usize, member: SocketAddr, more: isize) {
        let Some(slots) = self.members.get_mut(&member) else { return };
        let had_room = slots.used < slots.most;
        slots.used = slots.used.saturating_add_signed(more);
        if had_room == (slots.used < slots.most) {
            return self.list(stripe, member);
        }
        (0..self.stripes.len()).for_each(|stripe| self.list(stripe, member));
    }

    /// Notes how deep a member is by now, and all below it.
    fn sink(&mut self, stripe: usize, member: SocketAddr, depth: u32) {
        let mut todo = vec![(member, depth)];
        while let Some((member, depth)) = todo.pop() {
            if let Some(node) = self.stripes[stripe].nodes.get_mut(&member) {
                node.depth = depth;
                let below = if depth == NOWHERE { NOWHERE } else { depth + 1 };
                todo.extend(node.children.iter().map(|child| (*child, below)));
            }
            self.list(stripe, member);
        }
    }

    /// Notes where a member could take another child, if that has changed.
    fn list(&mut self, stripe: usize, member: SocketAddr) {
        let Some(slots) = self.members.get(&member) else { return };
        let tree = &mut self.stripes[stripe];
        let Some(node) = tree.nodes.get_mut(&member) else { return };
        let carries = slots.stripe == stripe;
        let seated = node.depth != NOWHERE;
        let listed = Listed {
            depth: node.depth,
            open: (seated && slots.used < slots.most).then_some(usize::from(!carries)),
            crowded: seated && carries && slots.most > 0 && node.strangers > 0,
        };
        let before = std::mem::replace(&mut node.listed, listed);
        let moved = before.depth != listed.depth;
        for (at, open) in tree.open.iter_mut().enumerate() {
            relist(open, member, [before, listed], moved, |listed| listed.open == Some(at));
        }
        relist(&mut tree.crowded, member, [before, listed], moved, |listed| listed.crowded);
    }
}

fn relist(
    set: &mut BTreeSet<(u32, SocketAddr)>,
    member: SocketAddr,
    [before, after]: [Listed; 2],
    moved: bool,
    belongs: impl Fn(&Listed) -> bool,
) {
    let (was, is) = (belongs(&before), belongs(&after));
    if was && (!is || moved) {
        set.remove(&(before.depth, member));
    }
    if is && (!was || moved) {
        set.insert((after.depth, member));
    }
}

impl Default for Node {
    fn default() -> Node {
        let listed = Listed::default();
        Node { parent: None, depth: NOWHERE, children: BTreeSet::new(), strangers: 0, listed }
    }
}
