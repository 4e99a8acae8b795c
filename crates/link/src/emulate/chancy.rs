//! What chance does to the packets of a link.

use super::Why;
use crate::Percent;
use crate::chance::{Chance, Coin, Odds, mix};
use crate::config::{LinkConfig, Reorder};
use crate::distribution::{Distribution, Scatter};
use crate::loss::{Loss, Losses};
use crate::outage::When;
use crate::queue::Packet;
use crate::slots::Gate;
use crate::units::nanos;

/// The parts of a link that draw. Each has its own stream, so that none disturbs another.
#[derive(Clone, Debug)]
pub(crate) struct Chancy {
    seed: u64,
    /// How often the link was changed: parts that begin anew do not repeat themselves.
    changes: u64,
    /// When packets that arrive are lost to an outage.
    down: When,
    loss: Loss,
    losses: Option<Losses>,
    ecn: bool,
    duplicate: Option<Coin>,
    corrupt: Option<Coin>,
    scatter: Option<Scatter>,
    overtake: Option<Overtake>,
    gate: Option<Gate>,
}

/// Reordering at work.
#[derive(Clone, Debug)]
struct Overtake {
    coin: Coin,
    gap: u32,
    /// Packets since the last that overtook.
    since: u32,
}

/// What is to become of a packet: it goes on, or not and why; `None` where there is none.
pub(crate) type Fate = Option<Result<Packet, Why>>;

impl Chancy {
    /// Whether chance has a part in such a link.
    pub(crate) fn is_needed(config: &LinkConfig) -> bool {
        config.outages.lose
            || config.loss != Loss::None
            || config.duplicate.percent != Percent::ZERO
            || config.corrupt.percent != Percent::ZERO
            || scatters(config)
            || config.reorder.is_some()
            || config.slots.is_some()
    }

    pub(crate) fn new(config: &LinkConfig, now: u64, seed: u64) -> Chancy {
        let mut chancy = Chancy {
            seed,
            changes: 0,
            down: When::Never,
            loss: Loss::None,
            losses: None,
            ecn: false,
            duplicate: None,
            corrupt: None,
            scatter: None,
            overtake: None,
            gate: None,
        };
        chancy.change(config, now);
        chancy
    }

    pub(crate) fn change(&mut self, config: &LinkConfig, now: u64) {
        self.down = if config.outages.lose { config.outages.when.clone() } else { When::Never };
        self.ecn = config.ecn;
        if self.loss != config.loss {
            self.losses = Losses::new(&config.loss, self.stream(Purpose::Loss));
            self.loss = config.loss.clone();
        }
        self.duplicate = self.coin(self.duplicate.clone(), config.duplicate, Purpose::Duplicate);
        self.corrupt = self.coin(self.corrupt.clone(), config.corrupt, Purpose::Corrupt);
        self.scatter = scatters(config).then(|| self.scattered(config));
        self.overtake = config.reorder.map(|reorder| self.overtaking(reorder));
        self.gate = config.slots.as_ref().map(|slots| match self.gate.take() {
            Some(mut gate) => {
                gate.change(slots);
                gate
            }
            None => Gate::new(slots, now, mix(self.seed, self.changes), Purpose::Slots as u64),
        });
        self.changes += 1;
    }

    /// What becomes of a packet that arrives, and of the copy of it, if one is made.
    pub(crate) fn judge(&mut self, packet: Packet) -> [Fate; 2] {
        let copied = self.duplicate.as_mut().is_some_and(Coin::draw);
        let original = self.pass(packet);
        let copy = copied.then(|| {
            let mut copy = packet;
            copy.marks.copy = true;
            self.pass(copy)
        });
        [Some(original), copy]
    }

    /// How long a packet that leaves now is under way, the mean being `delay`.
    pub(crate) fn delay(&mut self, delay: u64) -> u64 {
        if self.overtake.as_mut().is_some_and(Overtake::next) {
            return 0;
        }
        self.scatter.as_mut().map_or(delay, Scatter::draw)
    }

    /// Whether packets may be under way for different times.
    pub(crate) fn scatters(&self) -> bool {
        self.scatter.is_some() || self.overtake.is_some()
    }

    pub(crate) fn gate(&mut self) -> Option<&mut Gate> {
        self.gate.as_mut()
    }

    pub(crate) fn gate_now(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    fn pass(&mut self, mut packet: Packet) -> Result<Packet, Why> {
        if self.losses.as_mut().is_some_and(Losses::next) {
            if !self.ecn {
                return Err(Why::Loss);
            }
            packet.marks.congestion = true;
        }
        if let Some(coin) = &mut self.corrupt
            && coin.draw()
        {
            packet.marks.flipped = 1 + coin.chance().below(packet.length * 8);
        }
        if self.down.is_down(packet.arrived) {
            return Err(Why::Outage);
        }
        Ok(packet)
    }

    fn coin(&self, old: Option<Coin>, odds: Odds, purpose: Purpose) -> Option<Coin> {
        if odds.percent == Percent::ZERO {
            return None;
        }
        let Some(mut coin) = old else { return Some(Coin::new(odds, self.stream(purpose))) };
        coin.change(odds);
        Some(coin)
    }

    fn scattered(&mut self, config: &LinkConfig) -> Scatter {
        let mut scatter = self.scatter.take().unwrap_or_else(|| Scatter::new(self.stream(Purpose::Delay)));
        let tie = config.correlation.share();
        scatter.change(nanos(config.delay), nanos(config.jitter), tie, &config.distribution);
        scatter
    }

    fn overtaking(&mut self, Reorder { odds, gap }: Reorder) -> Overtake {
        let mut overtake = self.overtake.take().unwrap_or_else(|| Overtake {
            coin: Coin::new(odds, self.stream(Purpose::Reorder)),
            gap,
            since: 0,
        });
        overtake.coin.change(odds);
        overtake.gap = gap;
        overtake
    }

    fn stream(&self, purpose: Purpose) -> Chance {
        Chance::new(mix(self.seed, self.changes), purpose as u64)
    }
}

impl Overtake {
    /// Whether the next packet overtakes.
    fn next(&mut self) -> bool {
        let overtakes = self.since + 1 >= self.gap && self.coin.draw();
        self.since = if overtakes { 0 } else { self.since.saturating_add(1) };
        overtakes
    }
}

fn scatters(config: &LinkConfig) -> bool {
    !config.jitter.is_zero() || matches!(config.distribution, Distribution::Measured(_))
}

/// What a stream of chance is for; the numbers are pinned.
#[derive(Clone, Copy)]
enum Purpose {
    Loss = 0,
    Duplicate = 1,
    Corrupt = 2,
    Delay = 3,
    Reorder = 4,
    /// And the next.
    Slots = 5,
}
