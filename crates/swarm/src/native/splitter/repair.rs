//! Chunks that the splitter sends once more, and what that takes out of its budget.

use super::{BACKLOG, REPAIR_RESTS, Splitter};
use bytes::Bytes;
use std::{net::SocketAddr, time::Instant};

impl Splitter {
    /// Chunks are missed: where nobody missed one before, its tree may have lost it at the top, so it goes there too. Then
    /// others who miss it wait a moment for what comes of that.
    pub(super) fn repair(&mut self, now: Instant, from: SocketAddr, numbers: &[u64]) {
        for number in numbers {
            let within = self.credit >= self.config.repair_share;
            let stripe = (number % u64::from(self.config.stripes)) as usize;
            // Whom it feeds itself has it from nobody else, and all below wait for it.
            let is_root = self.trees.is_root(stripe, from);
            let Some(kept) = self.kept.get_mut(*number).filter(|_| within || is_root) else {
                self.stats.unrepaired += 1;
                continue;
            };
            let before = kept.again;
            if before.is_some_and(|again| now.saturating_duration_since(again) < REPAIR_RESTS) {
                continue;
            }
            kept.again = Some(now);
            let bytes = kept.bytes.clone();
            let mut to = vec![from];
            if before.is_none() {
                to.extend(self.trees.roots(stripe).filter(|root| *root != from));
            }
            self.count_repairs(to.len() as u64);
            to.into_iter().for_each(|to| self.send(to, bytes.clone()));
        }
    }

    /// A newcomer whom the splitter feeds has nobody else to tell it what came before; out of the budget of repairs.
    pub(super) fn tell_backlog(&mut self, to: SocketAddr, stripe: usize, at: u64) {
        let stripes = u64::from(self.config.stripes);
        if !self.trees.is_root(stripe, to) {
            return;
        }
        let wanted = |number: u64| number >= at && number % stripes == stripe as u64;
        let backlog: Vec<_> = self.kept_where(wanted).take(BACKLOG).collect();
        for bytes in backlog {
            if self.credit < self.config.repair_share {
                return;
            }
            self.count_repairs(1);
            self.send(to, bytes);
        }
    }

    /// Sends those whom it feeds in a stripe once more what it dealt since then.
    pub(super) fn feed_again(&mut self, stripe: usize, since: Instant) {
        let Some(first) = self.dealt.first_since(since) else { return };
        let stripes = u64::from(self.config.stripes);
        let wanted = |number: u64| number >= first && number % stripes == stripe as u64;
        let again: Vec<_> = self.kept_where(wanted).collect();
        let roots: Vec<_> = self.trees.roots(stripe).collect();
        self.count_repairs((again.len() * roots.len()) as u64);
        for root in roots {
            again.iter().for_each(|bytes| self.send(root, bytes.clone()));
        }
    }

    fn kept_where(&self, wanted: impl Fn(u64) -> bool) -> impl Iterator<Item = Bytes> {
        let found = self.kept.iter().filter(move |(number, _)| wanted(*number));
        found.map(|(_, kept)| kept.bytes.clone())
    }

    pub(super) fn count_repairs(&mut self, chunks: u64) {
        self.stats.repaired += chunks;
        self.credit = self.credit.saturating_sub(chunks * self.config.repair_share);
    }
}
