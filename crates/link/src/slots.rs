//! Packets released in bunches, as a medium shared in turns does (netem's `slot`).

use crate::chance::Chance;
use crate::distribution::{Distribution, Scatter};
use crate::units::nanos;
use std::time::Duration;

/// When the next turn comes, and how much leaves in one.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots {
    /// How long from one turn to the next.
    pub pause: Pause,
    /// At most so many packets a turn; zero for any number.
    pub packets: u32,
    /// A turn ends with the packet that brings it to so many bytes; zero for any number.
    pub bytes: u32,
}

/// How long from one turn to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Pause {
    /// Anything between the two, alike.
    Between(Duration, Duration),
    /// A mean and a jitter with a distribution.
    Scattered {
        /// The mean.
        delay: Duration,
        /// The jitter.
        jitter: Duration,
        /// Its distribution.
        distribution: Distribution,
    },
}

/// [`Slots`] at work: a gate at the end of a link that opens for moments.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    slots: Slots,
    chance: Chance,
    scatter: Scatter,
    /// The turn that is, or is to come.
    turn: u64,
    packets_left: u32,
    bytes_left: u32,
}

impl Gate {
    pub(crate) fn new(slots: &Slots, now: u64, seed: u64, purpose: u64) -> Gate {
        let mut gate = Gate {
            slots: slots.clone(),
            chance: Chance::new(seed, purpose),
            scatter: Scatter::new(Chance::new(seed, purpose + 1)),
            turn: now,
            packets_left: 0,
            bytes_left: 0,
        };
        gate.change(slots);
        gate
    }

    /// Other turns after the next one.
    pub(crate) fn change(&mut self, slots: &Slots) {
        self.slots = slots.clone();
        if let Pause::Scattered { delay, jitter, distribution } = &slots.pause {
            self.scatter.change(nanos(*delay), nanos(*jitter), 0.0, distribution);
        }
        self.refill();
    }

    /// When to ask again about a packet that is ready at `ready`.
    pub(crate) fn due(&self, ready: u64) -> u64 {
        ready.max(self.turn)
    }

    /// In which turn a packet that was ready at `ready` leaves; turns before that are gone unused.
    pub(crate) fn leaves(&mut self, ready: u64) -> u64 {
        for _ in 0..TURNS {
            if self.turn >= ready {
                return self.turn;
            }
            self.next();
        }
        // After a long silence the next turn is anywhere within a pause.
        let pause = self.pause() as f64;
        self.turn = ready.saturating_add((self.chance.unit() * pause) as u64);
        self.turn
    }

    /// A packet of `length` left in this turn.
    pub(crate) fn passed(&mut self, length: u32) {
        self.packets_left = self.packets_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(length);
        if self.packets_left == 0 || self.bytes_left == 0 {
            self.next();
        }
    }

    fn next(&mut self) {
        self.turn = self.turn.saturating_add(self.pause());
        self.refill();
    }

    fn pause(&mut self) -> u64 {
        let pause = match &self.slots.pause {
            Pause::Between(least, most) => {
                let (least, most) = (nanos(*least), nanos(*most));
                least + (self.chance.unit() * most.saturating_sub(least) as f64) as u64
            }
            Pause::Scattered { .. } => self.scatter.draw(),
        };
        pause.max(1)
    }

    fn refill(&mut self) {
        let any = |n: u32| if n == 0 { u32::MAX } else { n };
        (self.packets_left, self.bytes_left) = (any(self.slots.packets), any(self.slots.bytes));
    }
}

/// How many turns are gone through one by one before a silence counts as long.
const TURNS: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn gate(packets: u32, bytes: u32) -> Gate {
        let pause = Pause::Between(Duration::from_millis(10), Duration::from_millis(10));
        Gate::new(&Slots { pause, packets, bytes }, 0, 1, 0)
    }

    #[test]
    fn packets_leave_in_turns() {
        let mut gate = gate(0, 0);
        let leave = |gate: &mut Gate, ready: u64| {
            let turn = gate.leaves(ready * MS);
            gate.passed(1_000);
            turn / MS
        };
        let turns: Vec<u64> = [0, 1, 9, 10, 10, 11, 29].map(|ready| leave(&mut gate, ready)).to_vec();
        assert_eq!(turns, [0, 10, 10, 10, 10, 20, 30]);
    }

    #[test]
    fn a_turn_ends_with_its_packets_or_its_bytes() {
        for mut gate in [gate(2, 0), gate(0, 2_000)] {
            let turns: Vec<u64> = (0..6)
                .map(|_| {
                    let turn = gate.leaves(5 * MS);
                    gate.passed(1_000);
                    turn / MS
                })
                .collect();
            assert_eq!(turns, [10, 10, 20, 20, 30, 30]);
        }
    }

    #[test]
    fn a_long_silence_costs_no_time() {
        let mut gate = gate(0, 0);
        let turn = gate.leaves(u64::MAX / 2);
        assert!((u64::MAX / 2..u64::MAX / 2 + 10 * MS).contains(&turn));
    }
}
