//! A peer that its splitter sends to another team.

use super::{Children, Peer, Phase};
use crate::native::{
    seal::Key,
    wire::{Message, Report, move_statement},
};
use std::{net::SocketAddr, time::Instant};

impl Peer {
    /// Its splitter, which may be another than in the beginning.
    pub fn splitter(&self) -> SocketAddr {
        self.config.splitter
    }

    /// The splitter's word, signed, that there is a better team: leaves this one and joins that.
    pub(super) fn move_on(
        &mut self,
        now: Instant,
        to: SocketAddr,
        key: &[u8; 32],
        until: u32,
        signature: &[u8; 64],
    ) {
        let Phase::Member { me, joined, time } = self.phase else { return };
        let clock = time + now.saturating_duration_since(joined).as_secs() as u32;
        let Some(other) = Key::from_bytes(key).filter(|_| until >= clock) else { return };
        if !self.proofs.verify(&move_statement(me, to, key, until), signature) {
            return;
        }
        // A bridge may send its members to other teams of the channel alone; and one stays where it is.
        let same = self.proofs.channel() == Some(other);
        if self.carry.is_some() || self.proofs.of_bridge() && !same {
            return;
        }
        self.say(self.config.splitter, &Message::Goodbye);
        for stripe in 0..self.stripes.len() {
            self.unsubscribe(stripe);
        }
        (self.config.splitter, self.config.key) = (to, Some(other));
        if !same {
            self.begin_anew();
        }
        self.stripes.clear();
        self.children = Children::default();
        let nonce = self.chance.bits();
        self.phase = Phase::Joining { nonce, cookie: None, again: now, tries: 0 };
        self.wake(now);
    }

    /// Tells the splitter how it goes, for who wants to see the team.
    pub(super) fn report(&mut self, now: Instant) {
        if self.reports > now {
            return;
        }
        self.reports = now + super::REPORTS;
        self.prove(now);
        let played = self.playout.next().unwrap_or(0);
        let report = Report { played, lost: self.stats.lost, sent_bytes: self.stats.sent_bytes };
        self.say(self.config.splitter, &Message::Report(report));
        self.offer(now);
        self.ask_for_head_word();
    }
}
