//! NTS: what a child and a parent do so that each hears the other through NATs, once the splitter has introduced them.
//!
//! Both send at about the same time, so that each one's NAT expects the other. Behind a symmetric NAT one is seen at
//! another port than the splitter's: a child there is known by its ticket, and answered where it was heard; a parent there
//! by the token of its punch, and asked where that came from. Two that meet in none of these ways are fed by the splitter.

use super::Peer;
use crate::native::{
    home::is_private,
    wire::{Message, Token},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Children that the splitter announced and that did not come yet: at most [`MOST`], the oldest leave first.
#[derive(Clone, Debug, Default)]
pub(super) struct Introduced(Vec<Announced>);

#[derive(Clone, Copy, Debug)]
struct Announced {
    child: SocketAddr,
    token: Token,
    /// When it is punched for next, and how often more.
    next: Instant,
    punches: u32,
}

impl Peer {
    /// The splitter says who is about to come.
    pub(super) fn introduced(&mut self, now: Instant, child: SocketAddr, token: Token) {
        let known = &mut self.introduced.0;
        known.retain(|known| known.token != token);
        if known.len() == MOST {
            known.remove(0);
        }
        known.push(Announced { child, token, next: now + AGAIN, punches: PUNCHES });
        self.punch_for(child, token);
    }

    /// Punches again for those who did not come yet: what was sent first may have been lost before the other's NAT.
    pub(super) fn punch(&mut self, now: Instant) {
        let mut due = Vec::new();
        for known in self.introduced.0.iter_mut().filter(|known| known.next <= now) {
            (known.next, known.punches) = (now + AGAIN, known.punches.saturating_sub(1));
            due.push((known.child, known.token));
        }
        self.introduced.0.retain(|known| known.punches > 0);
        due.into_iter().for_each(|(child, token)| self.punch_for(child, token));
    }

    fn punch_for(&mut self, child: SocketAddr, token: Token) {
        [Some(child), self.home.inside(child)].into_iter().flatten().for_each(|to| {
            self.say(to, &Message::Punch { token });
        });
    }

    /// EMS: a member is behind the same NAT, and has this address there. Whoever it is to be heard from is tried there first.
    pub(super) fn comes_near(&mut self, member: SocketAddr, at: SocketAddr) {
        if !is_private(at.ip()) || Some(at) == self.config.near || self.home.inside(member) == Some(at) {
            return;
        }
        self.home.learn(member, at);
        let children = self.introduced.0.iter().filter(|known| known.child == member);
        let tokens: Vec<_> = children.map(|known| known.token).collect();
        tokens.into_iter().for_each(|token| self.say(at, &Message::Punch { token }));
        for stripe in 0..self.stripes.len() {
            let known = &mut self.stripes[stripe];
            if let (true, Some((parent, _))) = (known.fresh && known.told == Some(member), &mut known.parent)
            {
                *parent = at;
                self.subscribe(stripe);
            }
        }
    }

    /// The first chunk of a stripe from its parent shows by which of the two ways that is heard.
    pub(super) fn settle(&mut self, stripe: usize, from: SocketAddr) {
        let known = &mut self.stripes[stripe];
        let (true, Some(told), Some((parent, _))) = (known.fresh, known.told, &mut known.parent) else {
            return;
        };
        if from == told || self.home.inside(told) == Some(from) {
            *parent = from;
        }
    }

    /// A parent behind the same NAT from which nothing came yet is asked there and by the splitter's address in turns.
    pub(super) fn take_turns(&mut self, now: Instant, stripe: usize) {
        let known = &mut self.stripes[stripe];
        let (Some(told), Some(waits), Some((parent, _))) = (known.told, known.waits(now), &mut known.parent)
        else {
            return;
        };
        let Some(inside) = self.home.inside(told).filter(|inside| [*inside, told].contains(parent)) else {
            return;
        };
        let turn = waits.as_millis() / TURN.as_millis();
        *parent = if turn.is_multiple_of(2) { inside } else { told };
    }

    /// A child with the splitter's word is here; if elsewhere than the splitter knows, that wants to know.
    pub(super) fn arrived(&mut self, from: SocketAddr, token: Token) {
        let Some(at) = self.introduced.0.iter().position(|known| known.token == token) else { return };
        let known = self.introduced.0.remove(at);
        if known.child != from && self.home.inside(known.child) != Some(from) {
            self.say(self.config.splitter, &Message::Elsewhere { member: known.child });
        }
    }

    /// Who knows the token is the parent, wherever it is.
    pub(super) fn punched(&mut self, from: SocketAddr, token: Token) {
        let waits = |stripe: &&super::Stripe| {
            stripe.fresh
                && stripe.parent.is_some_and(|(parent, ticket)| ticket.token() == token && parent != from)
        };
        let Some(stripe) = self.stripes.iter().position(|stripe| waits(&stripe)) else { return };
        let known = &mut self.stripes[stripe];
        let told = known.told;
        if let Some((parent, _)) = &mut known.parent {
            *parent = from;
        }
        self.stats.punched += 1;
        self.subscribe(stripe);
        let is_elsewhere = |member: &SocketAddr| *member != from && self.home.inside(*member) != Some(from);
        if let Some(member) = told.filter(is_elsewhere) {
            self.say(self.config.splitter, &Message::Elsewhere { member });
        }
    }
}

const MOST: usize = 64;
const AGAIN: Duration = Duration::from_millis(100);
const PUNCHES: u32 = 8;
/// So long each of two ways is tried.
const TURN: Duration = Duration::from_millis(600);
