//! Asking neighbours for what is missing, and giving them what they miss.

use super::*;
use std::collections::BTreeMap;

impl Peer {
    /// Somebody misses chunks: gets those that are here, if it is a neighbour.
    pub(super) fn give(&mut self, now: Instant, to: SocketAddr, numbers: &[u64]) {
        let is_parent =
            self.stripes.iter().any(|stripe| stripe.parent.is_some_and(|(parent, _)| parent == to));
        if self.config.conduct == Conduct::FreeRider || !is_parent && !self.children.has(now, to) {
            return;
        }
        for number in numbers.iter().take(GIVEN) {
            let Some(bytes) = self.recent.get(*number).map(|bytes| self.as_it_goes_on(bytes)) else {
                continue;
            };
            self.stats.given += 1;
            self.answer(to, bytes);
        }
    }

    /// A newcomer that became a child wants what came before it; once.
    pub(super) fn give_backlog(&mut self, now: Instant, to: SocketAddr, stripe: u8, at: u64) {
        if self.config.conduct == Conduct::FreeRider || !self.children.may_have_backlog(now, stripe, to) {
            return;
        }
        let stripes = self.stripes.len() as u64;
        let wanted = |number: u64| number >= at && number % stripes == u64::from(stripe);
        let backlog: Vec<_> = self
            .recent
            .iter()
            .filter(|(number, _)| wanted(*number))
            .map(|(_, bytes)| self.as_it_goes_on(bytes))
            .collect();
        self.stats.given += backlog.len() as u64;
        backlog.into_iter().for_each(|bytes| self.answer(to, bytes));
    }

    /// Asks for what is missing: first the parent in its stripe, which has it where it was lost on the last of its ways
    /// and passes it on by itself where it was lost before; then others by chance, and the splitter in turn with them
    /// once two of them did not help.
    pub(super) fn ask(&mut self, now: Instant) {
        if self.missing.soonest().is_none_or(|soonest| soonest > now) {
            return;
        }
        let (playout, splitter) = (&self.playout, self.config.splitter);
        self.missing.forget(|number| playout.has(number));
        let (highest, stripes) = (self.highest, self.stripes.len() as u64);
        let parents: Vec<_> =
            self.stripes.iter().map(|stripe| stripe.parent.map(|(parent, _)| parent)).collect();
        let others: Vec<_> = parents.iter().flatten().copied().filter(|parent| *parent != splitter).collect();
        let mut asks = BTreeMap::<SocketAddr, Vec<u64>>::new();
        for (number, tries) in self.missing.due(now) {
            let stripe = number.checked_rem(stripes).map_or(0, |stripe| stripe as usize);
            let own = parents.get(stripe).copied().flatten();
            let doubtful = || self.stripes[stripe].is_doubtful(now, highest, stripes);
            let own = own.filter(|own| *own == splitter || !doubtful());
            let any = others.get(self.chance.below(others.len() as u32) as usize).copied();
            let asked = match tries {
                // Nobody else has what the splitter did not get here, and many may hang on it.
                _ if own == Some(splitter) => own,
                0 => own.or(any),
                tries if tries % 2 == 1 && tries > 1 => Some(splitter),
                _ => any,
            };
            asks.entry(asked.unwrap_or(splitter)).or_default().push(number);
        }
        for (asked, numbers) in asks {
            self.stats.asked += numbers.len() as u64;
            for numbers in numbers.chunks(GIVEN) {
                self.say(asked, &Message::Nack(numbers.to_vec()));
            }
        }
    }
}
