//! Who is whose parent in which stripe: kept by the splitter, so that every tree stays flat and nobody uploads too much.

mod place;
mod reached;
mod search;
#[cfg(test)]
mod tests;
mod trim;

use super::reach::Reach;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// A parent: the splitter itself, or a member.
pub(super) type Parent = Option<SocketAddr>;

/// A stripe, and who has which parent in it by now; itself where it waits for one.
pub(super) type Move = (usize, SocketAddr, Parent);

/// One tree a stripe over the members.
///
/// A member carries one stripe, that whose carriers offer least: there it has children, as many as it may have, and
/// stands above those that do not carry. Who offers more is the origin of more (P2PSP's ACS), and every stripe has alike
/// room. Where a stripe has too few carriers others help out, until there are more. Where there is no room at all who
/// gives something comes before who gives nothing, and the rest waits: the splitter feeds no more than it may spare, and
/// that for as long as there is no room elsewhere.
#[derive(Debug)]
pub(super) struct Trees {
    stripes: Vec<Tree>,
    members: BTreeMap<SocketAddr, Slots>,
    /// How many members the splitter feeds itself, in each stripe.
    roots: usize,
    /// How many more it may feed over all stripes where nobody else has room.
    spare: usize,
    /// Whom it feeds beside all that since nobody else reaches them.
    relayed: BTreeSet<(usize, SocketAddr)>,
    /// How many those may be.
    relays: usize,
    reach: Reach,
    /// What the carriers of each stripe may give.
    room: Vec<usize>,
    /// Who gives nothing: at most the members.
    owing: BTreeSet<SocketAddr>,
    moves: Vec<Move>,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<SocketAddr, Node>,
    /// How many the splitter feeds, without those that it relays to.
    roots: usize,
    /// Those that could take one more child, the flattest first: carriers, and others.
    open: [BTreeSet<(u32, SocketAddr)>; 2],
    /// Carriers with a child that carries nothing, whose place a carrier may take.
    crowded: BTreeSet<(u32, SocketAddr)>,
    /// Whom the splitter feeds.
    fed: BTreeSet<SocketAddr>,
    /// Who has no parent, since nobody has room.
    waiting: BTreeSet<SocketAddr>,
    /// Whose parent is no carrier, or one member too many for the splitter.
    misplaced: BTreeSet<SocketAddr>,
}

#[derive(Debug)]
struct Node {
    parent: Parent,
    depth: u32,
    children: BTreeSet<SocketAddr>,
    /// How many of them do not carry this stripe.
    strangers: usize,
    /// What the indices of its tree say of it.
    listed: Listed,
}

/// Where a member stands in the indices of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Listed {
    depth: u32,
    /// In which of `open`.
    open: Option<usize>,
    crowded: bool,
}

#[derive(Debug)]
struct Slots {
    /// The stripe that it carries.
    stripe: usize,
    used: usize,
    most: usize,
}

impl Trees {
    /// Trees over nobody; the splitter feeds `roots` in each stripe, and where nobody else has room `spare` more over all.
    pub(super) fn new(stripes: usize, roots: usize, spare: usize) -> Trees {
        Trees {
            room: vec![0; stripes],
            stripes: (0..stripes).map(|_| Tree::default()).collect(),
            members: BTreeMap::new(),
            roots,
            spare,
            relayed: BTreeSet::new(),
            relays: 0,
            reach: Reach::default(),
            owing: BTreeSet::new(),
            moves: Vec::new(),
        }
    }

    /// Takes a member in: gives it a parent in every stripe, and it may get children at once.
    pub(super) fn add(&mut self, member: SocketAddr, most: usize) -> Vec<Move> {
        let _moved = self.remove(member);
        let room = self.room.iter().enumerate().min_by_key(|(_, room)| **room);
        let carried = room.map_or(0, |(stripe, _)| stripe);
        self.members.insert(member, Slots { stripe: carried, used: 0, most: 0 });
        self.owing.insert(member);
        self.offer(member, most);
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

    /// A member may have so many children from now on. Those that it has beyond that stay, but of one that may have none
    /// all get other parents.
    pub(super) fn allow(&mut self, member: SocketAddr, most: usize) -> Vec<Move> {
        self.offer(member, most);
        for stripe in 0..self.stripes.len() {
            let node = self.stripes[stripe].nodes.get(&member).filter(|_| most == 0);
            let Some(node) = node else { continue };
            let children: Vec<_> = node.children.iter().copied().collect();
            let is_fed = node.parent.is_none() && node.depth != NOWHERE;
            children.iter().for_each(|child| self.detach(stripe, *child));
            if is_fed {
                self.detach(stripe, member);
            }
            children.into_iter().for_each(|child| self.attach(stripe, child, Some(member)));
            if is_fed {
                self.attach(stripe, member, None);
            }
        }
        std::mem::take(&mut self.moves)
    }

    /// Looks once more for a parent for those who have none, first for those who give something.
    pub(super) fn seat(&mut self) -> Vec<Move> {
        for stripe in 0..self.stripes.len() {
            let waiting = self.stripes[stripe].waiting.iter().copied();
            let (owing, giving): (Vec<_>, Vec<_>) =
                waiting.take(SEATED).partition(|member| self.owing.contains(member));
            giving.into_iter().chain(owing).for_each(|member| self.attach(stripe, member, None));
        }
        std::mem::take(&mut self.moves)
    }

    /// Where the splitter feeds more than it should, one of those gets another parent, if one has room.
    pub(super) fn tuck_in(&mut self) -> Vec<Move> {
        for stripe in 0..self.stripes.len() {
            let tree = &self.stripes[stripe];
            if tree.roots <= self.roots || tree.open.iter().all(BTreeSet::is_empty) {
                continue;
            }
            let fed = tree.fed.iter().filter(|member| !self.relayed.contains(&(stripe, **member)));
            let light = fed.min_by_key(|member| tree.nodes.get(member).map_or(0, |node| node.children.len()));
            if let Some(member) = light.copied() {
                self.detach(stripe, member);
                self.attach(stripe, member, None);
            }
        }
        std::mem::take(&mut self.moves)
    }

    /// The splitter itself for a member that reaches nobody else in a stripe; nothing where it relays to `most` already.
    pub(super) fn relay(&mut self, stripe: usize, member: SocketAddr, most: usize) -> Vec<Move> {
        let is_there = self.stripes.get(stripe).is_some_and(|tree| tree.nodes.contains_key(&member));
        if is_there && self.relayed.len() < most && !self.relayed.contains(&(stripe, member)) {
            self.detach(stripe, member);
            self.relayed.insert((stripe, member));
            self.place(stripe, member, None);
        }
        std::mem::take(&mut self.moves)
    }

    /// Takes a member out; those it fed get other parents.
    pub(super) fn remove(&mut self, member: SocketAddr) -> Vec<Move> {
        if !self.members.contains_key(&member) {
            return Vec::new();
        }
        self.offer(member, 0);
        self.owing.remove(&member);
        let mut orphans = Vec::new();
        for stripe in 0..self.stripes.len() {
            self.detach(stripe, member);
            let Some(node) = self.stripes[stripe].nodes.remove(&member) else { continue };
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
        self.reach.remove(member);
        orphans.into_iter().for_each(|(stripe, child)| self.attach(stripe, child, None));
        std::mem::take(&mut self.moves)
    }

    /// From whom a member has a stripe; nothing where that is the splitter, or nobody.
    pub(super) fn parent(&self, stripe: usize, member: SocketAddr) -> Parent {
        self.stripes.get(stripe).and_then(|tree| tree.nodes.get(&member)?.parent)
    }

    /// Its parent in a stripe, that one's, and so on.
    pub(super) fn above(&self, stripe: usize, member: SocketAddr) -> impl Iterator<Item = SocketAddr> + '_ {
        std::iter::successors(self.parent(stripe, member), move |above| self.parent(stripe, *above))
            .take(DEEPEST)
    }

    /// A member's children, with the stripe of each.
    pub(super) fn children(&self, member: SocketAddr) -> impl Iterator<Item = (usize, SocketAddr)> + '_ {
        let of = move |(stripe, tree): (usize, &'_ Tree)| {
            let children = tree.nodes.get(&member).map(|node| &node.children);
            children.into_iter().flatten().map(|child| (stripe, *child)).collect::<Vec<_>>()
        };
        self.stripes.iter().enumerate().flat_map(of)
    }

    /// For how many stripes members wait.
    pub(super) fn waiting(&self) -> usize {
        self.stripes.iter().map(|tree| tree.waiting.len()).sum()
    }

    /// Whether a member has a way to the splitter.
    pub(super) fn is_seated(&self, stripe: usize, member: SocketAddr) -> bool {
        self.depth(stripe, member) > 0
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

    /// Whether the splitter feeds a member in a stripe.
    pub(super) fn is_root(&self, stripe: usize, member: SocketAddr) -> bool {
        self.stripes.get(stripe).is_some_and(|tree| tree.fed.contains(&member))
    }

    fn carries(&self, stripe: usize, member: SocketAddr) -> bool {
        self.members.get(&member).is_some_and(|slots| slots.stripe == stripe)
    }
}

/// The depth of who has no way to the splitter at the moment.
const NOWHERE: u32 = u32::MAX;
const DEEPEST: usize = 1_000;
/// So many misplaced children a new carrier takes at once.
const ADOPTED: usize = 12;
/// So many who wait are looked at each time, in each stripe.
const SEATED: usize = 32;
