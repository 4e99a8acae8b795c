//! A peer that is a monitor: proves it, and tells the splitter what it lost.

use super::*;
use crate::native::wire::monitor_statement;

impl Peer {
    /// Shows that it has a monitor's key: once it is in, and now and then, since that may be lost.
    pub(super) fn prove(&mut self, now: Instant) {
        let (Some(seal), Some(key)) = (&self.config.monitor, self.proofs.key()) else { return };
        let Phase::Member { me, joined, time } = self.phase else { return };
        let time = time + now.saturating_duration_since(joined).as_secs() as u32;
        let signature = seal.sign(&monitor_statement(me, &key.to_bytes(), time));
        let key = seal.key().to_bytes();
        self.say(self.config.splitter, &Message::Prove { time, key, signature });
    }

    /// Tells what was lost since it told last.
    pub(super) fn complain(&mut self) {
        while !self.losses.is_empty() {
            let numbers: Vec<_> = self.losses.drain(..self.losses.len().min(GIVEN)).collect();
            self.say(self.config.splitter, &Message::Lost(numbers));
        }
    }
}

#[cfg(test)]
impl Peer {
    /// As if these had not come in time.
    pub(in crate::native) fn lose_for_test(&mut self, numbers: &[u64]) {
        self.losses.extend(numbers);
    }
}
