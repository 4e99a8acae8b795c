//! Taking from a member what it has beyond what it may have.

use super::{Move, Trees};
use std::net::SocketAddr;

impl Trees {
    /// Those of a member's children that are too many get other parents: first those outside the stripe that it carries,
    /// and on whom the fewest hang.
    pub(in crate::native) fn trim(&mut self, member: SocketAddr) -> Vec<Move> {
        let Some(slots) = self.members.get(&member) else { return Vec::new() };
        let (surplus, carried) = (slots.used.saturating_sub(slots.most), slots.stripe);
        if surplus == 0 {
            return Vec::new();
        }
        let below = |stripe: usize, child: SocketAddr| {
            self.stripes[stripe].nodes.get(&child).map_or(0, |node| node.children.len())
        };
        let children = self
            .children(member)
            .map(|(stripe, child)| (stripe == carried, below(stripe, child), stripe, child));
        let mut children: Vec<_> = children.collect();
        children.sort_unstable();
        let children: Vec<_> =
            children.into_iter().take(surplus).map(|(_, _, stripe, child)| (stripe, child)).collect();
        children.iter().for_each(|(stripe, child)| self.detach(*stripe, *child));
        children.into_iter().for_each(|(stripe, child)| self.attach(stripe, child, Some(member)));
        std::mem::take(&mut self.moves)
    }
}
