//! A peer's parents and children: taking them, keeping them, letting them go.

use super::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// Whom a peer gets stripes from, or gives them to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    /// How many it gives.
    pub gives: usize,
    /// How many it gets.
    pub gets: usize,
    /// Chunks that it got less those that it gave (P2PSP's D), since it is a neighbour in these stripes.
    pub debt: i64,
}

impl Peer {
    /// Its neighbours, the splitter among them where that feeds it.
    pub fn neighbors(&self) -> BTreeMap<SocketAddr, Links> {
        let mut found = BTreeMap::<_, Links>::new();
        for stripe in &self.stripes {
            let Some((parent, _)) = stripe.parent else { continue };
            let links = found.entry(parent).or_default();
            (links.gives, links.debt) = (links.gives + 1, links.debt - stripe.got as i64);
        }
        for (child, given) in self.children.all() {
            let links = found.entry(child).or_default();
            (links.gets, links.debt) = (links.gets + 1, links.debt + given as i64);
        }
        found
    }

    /// The splitter says from whom a stripe is to be had.
    pub(super) fn accept_parent(&mut self, now: Instant, stripe: usize, parent: SocketAddr, ticket: Ticket) {
        if stripe >= self.stripes.len() {
            return;
        }
        let parent = if parent.ip().is_unspecified() { self.config.splitter } else { parent };
        let known = &mut self.stripes[stripe];
        if let (Some((_, old)), true) = (&mut known.parent, known.told == Some(parent)) {
            // Told again, since nothing came yet: the way to it that was found meanwhile stays.
            *old = ticket;
            return self.subscribe(stripe);
        }
        self.unsubscribe(stripe);
        self.stripes[stripe] = self.stripes[stripe].of_another(now);
        if matches!(self.phase, Phase::Member { me, .. } if me == parent) {
            return;
        }
        let known = &mut self.stripes[stripe];
        let reached = self.home.inside(parent).unwrap_or(parent);
        (known.told, known.parent) = (Some(parent), Some((reached, ticket)));
        self.subscribe(stripe);
        self.missing
            .ask_again(now, |number| number.checked_rem(self.stripes.len() as u64) == Some(stripe as u64));
        self.want_backlog(now, stripe);
    }

    /// A newcomer that plays nothing yet asks its parent for what came since players may begin; once for each way to it.
    pub(super) fn want_backlog(&mut self, now: Instant, stripe: usize) {
        let parent = self.stripes.get(stripe).and_then(|stripe| stripe.parent);
        if let Some((parent, _)) = parent.filter(|_| self.entry != NONE && self.playout.next().is_none()) {
            // The entry itself is asked for again where that does not help.
            self.say(parent, &Message::Backlog { stripe: stripe as u8, from: self.entry });
            self.missing.note(now, self.entry);
        }
    }

    pub(super) fn subscribe(&mut self, stripe: usize) {
        if let Some((parent, ticket)) =
            self.stripes[stripe].parent.filter(|(parent, _)| *parent != self.config.splitter)
        {
            self.say(parent, &Message::Subscribe { stripe: stripe as u8, ticket });
        }
    }

    /// Shows its parents that it lives.
    pub(super) fn keep_parents(&mut self) {
        let parents: Vec<_> =
            self.stripes.iter().map(|stripe| stripe.parent.map(|(parent, _)| parent)).collect();
        for (first, parent) in parents.iter().enumerate() {
            let Some(to) = parent.filter(|parent| *parent != self.config.splitter) else { continue };
            if parents[..first].contains(parent) {
                continue;
            }
            let same = parents.iter().enumerate().filter(|(_, other)| *other == parent);
            let stripes = same.fold(0, |bits, (at, _)| bits | 1u64 << at);
            self.say(to, &Message::Keep { stripes });
        }
    }

    pub(super) fn unsubscribe(&mut self, stripe: usize) {
        if let Some((parent, _)) =
            self.stripes[stripe].parent.take().filter(|(parent, _)| *parent != self.config.splitter)
        {
            self.say(parent, &Message::Unsubscribe { stripe: stripe as u8 });
        }
    }

    /// ACCEPT_NEIGHBORS: a child wants a stripe, and has the splitter's word for it.
    pub(super) fn accept_neighbor(&mut self, now: Instant, from: SocketAddr, stripe: u8, ticket: &Ticket) {
        let Phase::Member { me, joined, time } = self.phase else { return };
        if self.children.renew(now, stripe, from, ticket) {
            return;
        }
        let clock = time + now.saturating_duration_since(joined).as_secs() as u32;
        let who = self.keys.of(from).filter(|_| self.keys.encrypts);
        let child = self.home.member(from).unwrap_or(from);
        let statement = Ticket::statement(child, who, me, stripe, ticket.until);
        if ticket.until < clock || !self.proofs.verify(&statement, &ticket.signature) {
            self.stats.refused += 1;
            return;
        }
        self.arrived(from, ticket.token());
        if self.children.len() >= usize::from(self.config.slots) + SPARE_SLOTS {
            // Where some died, the splitter knows sooner.
            self.children.drop_quietest();
        }
        self.children.add(now, stripe, from, *ticket);
    }
}
