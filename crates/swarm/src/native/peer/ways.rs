//! NTS: what a child and a parent do so that each hears the other through NATs, once the splitter has introduced them.
//!
//! Both send at about the same time, so that each one's NAT expects the other. Behind a symmetric NAT one is seen at
//! another port than the splitter's: a child there is known by its ticket, and answered where it was heard; a parent there
//! by the token of its punch, and asked where that came from. Two that meet in none of these ways are fed by the splitter.

use super::Peer;
use crate::native::wire::{Message, Token};
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
        self.say(child, &Message::Punch { token });
    }

    /// Punches again for those who did not come yet: what was sent first may have been lost before the other's NAT.
    pub(super) fn punch(&mut self, now: Instant) {
        let mut due = Vec::new();
        for known in self.introduced.0.iter_mut().filter(|known| known.next <= now) {
            (known.next, known.punches) = (now + AGAIN, known.punches.saturating_sub(1));
            due.push((known.child, known.token));
        }
        self.introduced.0.retain(|known| known.punches > 0);
        due.into_iter().for_each(|(child, token)| self.say(child, &Message::Punch { token }));
    }

    /// A child with the splitter's word is here; if elsewhere than the splitter knows, that wants to know.
    pub(super) fn arrived(&mut self, from: SocketAddr, token: Token) {
        let Some(at) = self.introduced.0.iter().position(|known| known.token == token) else { return };
        let known = self.introduced.0.remove(at);
        if known.child != from {
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
        if let Some(member) = told {
            self.say(self.config.splitter, &Message::Elsewhere { member });
        }
    }
}

const MOST: usize = 64;
const AGAIN: Duration = Duration::from_millis(100);
const PUNCHES: u32 = 8;
