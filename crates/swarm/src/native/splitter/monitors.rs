//! Monitors: whose word of losses counts, and how one shows that it is one.

use super::Splitter;
use crate::native::{seal::Key, wire::monitor_statement};
use std::{net::SocketAddr, time::Instant};

impl Splitter {
    /// A member says that it is a monitor, and signs that with the key of one.
    pub(super) fn prove_monitor(
        &mut self,
        now: Instant,
        from: SocketAddr,
        time: u32,
        key: &[u8; 32],
        said: &[u8; 64],
    ) {
        let Some(member) = self.members.get_mut(&from).filter(|member| !member.monitor) else { return };
        let known = Key::from_bytes(key).filter(|key| self.config.monitors.contains(key));
        let clock = now.saturating_duration_since(self.start).as_secs() as u32;
        let statement = monitor_statement(from, &self.config.seal.key().to_bytes(), time);
        member.monitor =
            clock.abs_diff(time) <= CLOCKS_DIFFER && known.is_some_and(|key| key.verify(&statement, said));
        self.stats.disbelieved += u64::from(!member.monitor);
    }

    /// Chunks were lost, somebody says. A monitor is believed: they go down their trees once more, before others would
    /// play them, and the parent that did not bring them is complained of. Who is none is counted and not heard.
    pub(super) fn hear_losses(&mut self, now: Instant, from: SocketAddr, numbers: &[u64]) {
        if !self.members.get(&from).is_some_and(|member| member.monitor) {
            self.stats.disbelieved += 1;
            return;
        }
        self.stats.lost += numbers.len() as u64;
        self.repair(now, from, numbers);
        let stripes = u64::from(self.config.stripes);
        let missing = numbers.iter().fold(0, |bits, number| bits | 1u64 << (number % stripes));
        self.alive(now, from, missing, 0);
    }
}

/// In seconds.
const CLOCKS_DIFFER: u32 = 10;
