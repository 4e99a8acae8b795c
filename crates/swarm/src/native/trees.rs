//! Who is whose parent in which stripe: kept by the splitter, so that every tree stays flat and nobody uploads too much.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// A parent: the splitter itself, or a member.
pub(super) type Parent = Option<SocketAddr>;

/// A stripe, and who has which parent in it by now.
pub(super) type Move = (usize, SocketAddr, Parent);

/// One tree a stripe over the members.
///
/// A member carries one stripe, in turn: there it has children, and stands above those that do not carry. Where a
/// stripe has too few carriers others help out, until there are more.
#[derive(Debug)]
pub(super) struct Trees {
    stripes: Vec<Tree>,
    members: BTreeMap<SocketAddr, Slots>,
    /// How many members the splitter feeds itself, in each stripe.
    roots: usize,
    joined: u64,
    moves: Vec<Move>,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<SocketAddr, Node>,
    roots: usize,
    /// Those that could take one more child, the flattest first: carriers, and others.
    open: [BTreeSet<(u32, SocketAddr)>; 2],
    /// Carriers with a child that carries nothing, whose place a carrier may take.
    crowded: BTreeSet<(u32, SocketAddr)>,
    /// Whom the splitter feeds.
    fed: BTreeSet<SocketAddr>,
    /// Whose parent is no carrier, or one member too many for the splitter.
    misplaced: BTreeSet<SocketAddr>,
}

#[derive(Debug, Default)]
struct Node {
    parent: Parent,
    depth: u32,
    children: BTreeSet<SocketAddr>,
}

#[derive(Debug)]
struct Slots {
    /// The stripe that it carries.
    stripe: usize,
    used: usize,
    most: usize,
    /// The last child that complained.
    accused_by: Option<SocketAddr>,
}

impl Trees {
    pub(super) fn new(stripes: usize, roots: usize) -> Trees {
        let stripes = (0..stripes).map(|_| Tree::default()).collect();
        Trees { stripes, members: BTreeMap::new(), roots, joined: 0, moves: Vec::new() }
    }

    /// Takes a member in: gives it a parent in every stripe, and it may get children at once.
    pub(super) fn add(&mut self, member: SocketAddr, most: usize) -> Vec<Move> {
        let _moved = self.remove(member);
        let carried = self.joined as usize % self.stripes.len();
        self.joined += 1;
        self.members.insert(member, Slots { stripe: carried, used: 0, most, accused_by: None });
        for stripe in 0..self.stripes.len() {
            self.attach(stripe, member, None);
        }
        let misplaced: Vec<_> = self.stripes[carried].misplaced.iter().copied().take(ADOPTED).collect();
        for child in misplaced {
            let has_place = self.members.get(&member).is_some_and(|slots| slots.used < slots.most);
            if has_place && child != member && !self.is_below(carried, member, child) {
                self.detach(carried, child);
                self.attach(carried, child, None);
            }
        }
        std::mem::take(&mut self.moves)
    }

    /// Another parent for a member that hears nothing from its own.
    pub(super) fn change(&mut self, stripe: usize, member: SocketAddr) -> Vec<Move> {
        let found = self.stripes.get(stripe).and_then(|tree| tree.nodes.get(&member));
        if let Some(old) = found.map(|node| node.parent) {
            self.detach(stripe, member);
            self.attach(stripe, member, old);
        }
        std::mem::take(&mut self.moves)
    }

    /// A member hears nothing from its parent in a stripe, or worse. Once two of a parent's children say so it gets no
    /// new ones; true if that is so now.
    pub(super) fn blame(&mut self, stripe: usize, by: SocketAddr) -> bool {
        let parent = self.stripes.get(stripe).and_then(|tree| tree.nodes.get(&by)?.parent);
        let Some((parent, slots)) = parent.and_then(|parent| Some((parent, self.members.get_mut(&parent)?)))
        else {
            return false;
        };
        let accused = slots.accused_by.replace(by);
        if slots.most == 0 || accused.is_none_or(|accuser| accuser == by) {
            return false;
        }
        slots.most = 0;
        self.index_everywhere(parent);
        true
    }

    /// Takes a member out; those it fed get other parents.
    pub(super) fn remove(&mut self, member: SocketAddr) -> Vec<Move> {
        if !self.members.contains_key(&member) {
            return Vec::new();
        }
        let mut orphans = Vec::new();
        for stripe in 0..self.stripes.len() {
            self.detach(stripe, member);
            self.unindex(stripe, member);
            let node = self.stripes[stripe].nodes.remove(&member).unwrap_or_default();
            for child in node.children {
                // It is nowhere already, with all that is below it.
                if let Some(child) = self.stripes[stripe].nodes.get_mut(&child) {
                    child.parent = None;
                }
                self.stripes[stripe].misplaced.remove(&child);
                orphans.push((stripe, child));
            }
        }
        self.members.remove(&member);
        orphans.into_iter().for_each(|(stripe, child)| self.attach(stripe, child, None));
        std::mem::take(&mut self.moves)
    }

    /// From whom a member has a stripe; nothing where that is the splitter.
    pub(super) fn parent(&self, stripe: usize, member: SocketAddr) -> Parent {
        self.stripes.get(stripe).and_then(|tree| tree.nodes.get(&member)?.parent)
    }

    /// How far a member is from the splitter: 1 where it is fed by that; 0 where it has no way to it at the moment.
    pub(super) fn depth(&self, stripe: usize, member: SocketAddr) -> u32 {
        let depth = self.stripes.get(stripe).and_then(|tree| Some(tree.nodes.get(&member)?.depth));
        depth.filter(|depth| *depth != NOWHERE).unwrap_or(0)
    }

    /// Whom the splitter feeds.
    pub(super) fn roots(&self, stripe: usize) -> impl Iterator<Item = SocketAddr> + '_ {
        self.stripes.get(stripe).into_iter().flat_map(|tree| tree.fed.iter().copied())
    }

    fn carries(&self, stripe: usize, member: SocketAddr) -> bool {
        self.members.get(&member).is_some_and(|slots| slots.stripe == stripe)
    }

    fn attach(&mut self, stripe: usize, member: SocketAddr, not: Parent) {
        let displaced = self.displace(stripe, member, not);
        let parent =
            displaced.map(|(parent, _)| Some(parent)).unwrap_or_else(|| self.find(stripe, member, not));
        let depth = parent.map_or(0, |parent| self.stripes[stripe].nodes[&parent].depth) + 1;
        match parent {
            Some(parent) => {
                if let Some(node) = self.stripes[stripe].nodes.get_mut(&parent) {
                    node.children.insert(member);
                }
                self.use_slots(parent, 1);
            }
            None => {
                self.stripes[stripe].roots += 1;
                self.stripes[stripe].fed.insert(member);
            }
        }
        let fits = match parent {
            Some(parent) => self.carries(stripe, parent),
            None => self.stripes[stripe].roots <= self.roots,
        };
        if !fits {
            self.stripes[stripe].misplaced.insert(member);
        }
        self.stripes[stripe].nodes.entry(member).or_default().parent = parent;
        self.sink(stripe, member, depth);
        self.moves.push((stripe, member, parent));
        if let Some((_, child)) = displaced {
            self.attach(stripe, child, None);
        }
    }

    /// A carrier takes the place of one that carries nothing, where that is flatter than any that is free: the child is
    /// detached, and to be attached again.
    fn displace(
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
        let fits = |parent: &SocketAddr| Some(*parent) != not && !self.is_below(stripe, *parent, member);
        let parent = crowded.map(|(_, parent)| *parent).find(fits)?;
        let child = *tree.nodes[&parent].children.iter().find(|child| !self.carries(stripe, **child))?;
        self.detach(stripe, child);
        Some((parent, child))
    }

    /// The flattest member with a free slot that is not below `member`: a carrier, else any; the splitter while it has
    /// a place, and where there is no other.
    fn find(&self, stripe: usize, member: SocketAddr, not: Parent) -> Parent {
        let tree = &self.stripes[stripe];
        let nobody = tree.open.iter().all(BTreeSet::is_empty);
        if tree.roots < self.roots && (self.carries(stripe, member) || nobody) {
            return None;
        }
        let candidates = tree.open.iter().flat_map(|open| open.iter().map(|(_, candidate)| *candidate));
        candidates
            .take(TRIED)
            .find(|candidate| Some(*candidate) != not && !self.is_below(stripe, *candidate, member))
    }

    fn is_below(&self, stripe: usize, mut member: SocketAddr, top: SocketAddr) -> bool {
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

    /// Takes a member from its parent; until it is attached again it is nowhere, with all that is below it.
    fn detach(&mut self, stripe: usize, member: SocketAddr) {
        let tree = &mut self.stripes[stripe];
        tree.misplaced.remove(&member);
        let Some(node) = tree.nodes.get_mut(&member) else { return };
        let was_nowhere = node.depth == NOWHERE;
        match node.parent.take() {
            Some(parent) => {
                if let Some(node) = tree.nodes.get_mut(&parent) {
                    node.children.remove(&member);
                }
                self.use_slots(parent, -1);
            }
            None if !was_nowhere => {
                tree.roots = tree.roots.saturating_sub(1);
                tree.fed.remove(&member);
            }
            None => {}
        }
        self.sink(stripe, member, NOWHERE);
    }

    /// Notes how deep a member is by now, and all below it.
    fn sink(&mut self, stripe: usize, member: SocketAddr, depth: u32) {
        let mut todo = vec![(member, depth)];
        while let Some((member, depth)) = todo.pop() {
            self.unindex(stripe, member);
            if let Some(node) = self.stripes[stripe].nodes.get_mut(&member) {
                node.depth = depth;
                let below = if depth == NOWHERE { NOWHERE } else { depth + 1 };
                todo.extend(node.children.iter().map(|child| (*child, below)));
            }
            self.index(stripe, member);
        }
    }

    fn use_slots(&mut self, member: SocketAddr, more: isize) {
        if let Some(slots) = self.members.get_mut(&member) {
            slots.used = slots.used.saturating_add_signed(more);
            self.index_everywhere(member);
        }
    }

    fn index_everywhere(&mut self, member: SocketAddr) {
        for stripe in 0..self.stripes.len() {
            self.unindex(stripe, member);
            self.index(stripe, member);
        }
    }

    /// Notes where a member could take another child.
    fn index(&mut self, stripe: usize, member: SocketAddr) {
        let Some(slots) = self.members.get(&member) else { return };
        let carries = slots.stripe == stripe;
        let Some(node) = self.stripes[stripe].nodes.get(&member).filter(|node| node.depth != NOWHERE) else {
            return;
        };
        let entry = (node.depth, member);
        let free = slots.used < slots.most;
        let crowded =
            carries && slots.most > 0 && node.children.iter().any(|child| !self.carries(stripe, *child));
        let tree = &mut self.stripes[stripe];
        if free {
            tree.open[usize::from(!carries)].insert(entry);
        }
        if crowded {
            tree.crowded.insert(entry);
        }
    }

    fn unindex(&mut self, stripe: usize, member: SocketAddr) {
        let tree = &mut self.stripes[stripe];
        let Some(entry) = tree.nodes.get(&member).map(|node| (node.depth, member)) else { return };
        let [carriers, others] = &mut tree.open;
        for set in [carriers, others, &mut tree.crowded] {
            set.remove(&entry);
        }
    }
}

/// The depth of who has no way to the splitter at the moment.
const NOWHERE: u32 = u32::MAX;
const DEEPEST: usize = 1_000;
/// So many misplaced children a new carrier takes at once.
const ADOPTED: usize = 12;
/// So many candidates are looked at before the splitter takes a member itself.
const TRIED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u32) -> SocketAddr {
        let [_, a, b, c] = n.to_be_bytes();
        ([10, a, b, c], 1).into()
    }

    fn depth(trees: &Trees) -> u32 {
        trees.stripes.iter().flat_map(|tree| tree.nodes.values().map(|node| node.depth)).max().unwrap_or(0)
    }

    fn used(trees: &Trees) -> usize {
        trees.members.values().map(|slots| slots.used).sum()
    }

    #[test]
    fn trees_stay_flat_and_nobody_uploads_more_than_its_slots() {
        let mut trees = Trees::new(8, 1);
        for n in 0..5_000 {
            trees.add(at(n), 10);
            let fed: usize = (0..8).map(|stripe| trees.roots(stripe).count()).sum();
            assert!(fed <= 10, "the splitter feeds {fed} where there are {n}");
        }
        assert!(depth(&trees) <= 10, "{}", depth(&trees));
        assert!(trees.members.values().all(|slots| slots.used <= 10));
    }

    #[test]
    fn everybody_keeps_a_way_to_the_splitter_while_members_come_and_go() {
        let mut trees = Trees::new(8, 2);
        let mut chance = 1u64;
        let mut next = |end: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 33) % end
        };
        for _ in 0..3_000 {
            let member = at(next(300) as u32);
            match next(3) {
                0 => drop(trees.remove(member)),
                1 if trees.members.contains_key(&member) => drop(trees.change(next(8) as usize, member)),
                _ if !trees.members.contains_key(&member) => drop(trees.add(member, next(12) as usize)),
                _ => {}
            }
            for stripe in 0..8 {
                let tree = &trees.stripes[stripe];
                assert_eq!(tree.nodes.len(), trees.members.len());
                let roots = tree.nodes.values().filter(|node| node.parent.is_none()).count();
                assert_eq!(roots, tree.roots);
                for (member, node) in &tree.nodes {
                    let above = node.parent.map_or(0, |parent| tree.nodes[&parent].depth);
                    assert_eq!(node.depth, above + 1, "{member}");
                }
            }
            let fed: usize = trees.stripes.iter().map(|tree| tree.roots).sum();
            assert_eq!(used(&trees) + fed, 8 * trees.members.len());
        }
    }
}
