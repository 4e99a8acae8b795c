//! `compat = netem`: what Linux's netem does to packets, in its own integer arithmetic, flaws included.
//!
//! Written from the observed behaviour of Linux 6.6 and later. What is kept on purpose: correlation is a moving
//! average of uniform numbers (rare events vanish), tables and uniform jitter are indexed by its remainder (delays are
//! not tied), `a < x < b` tests leave gaps of one in 2^32, jitter reorders unless there is a rate, and the limit counts
//! packets in the delay line.

use crate::Percent;
use crate::chance::{Chance, Odds};
use crate::config::LinkConfig;
use crate::distribution::{SCALE, Table};
use crate::emulate::{Entry, Why};
use crate::line::{Flying, Line};
use crate::loss::{FourStates, Gilbert, Loss};
use crate::queue::{Marks, Room};
use crate::serial::Overhead;
use crate::slots::{Pause, Slots};
use crate::units::nanos;
use std::collections::VecDeque;
use std::sync::Arc;

mod taus;
use taus::Taus;

/// A netem qdisc on a device that takes every packet at once.
#[derive(Clone, Debug)]
pub(crate) struct Netem {
    latency: i64,
    jitter: i64,
    table: Option<Arc<Table>>,
    delay: Crandom,
    loss: Losing,
    ecn: bool,
    duplicate: (u32, Crandom),
    corrupt: (u32, Crandom),
    reorder: (u32, Crandom),
    gap: u32,
    counter: u32,
    /// Bytes per second; zero for none.
    rate: u64,
    overhead: Overhead,
    limit: usize,
    slot: Slot,
    prng: Taus,
    /// The kernel's other source, which no seed reaches there.
    other: Chance,
    line: Line,
    /// The latest time in the line; of no meaning while that is empty.
    latest: u64,
    /// When the line is to be looked at again.
    watchdog: Option<u64>,
    sent: VecDeque<Flying>,
    /// How many of the last in `sent` were put at the head at this moment: they count until they are dequeued.
    heads: usize,
    open: bool,
}

/// A correlated source: only its last number and the weight of that.
#[derive(Clone, Copy, Debug)]
struct Crandom {
    last: u32,
    rho: u32,
}

#[derive(Clone, Debug)]
enum Losing {
    Random(u32, Crandom),
    State(u8, FourStates),
    Gemodel(bool, Gilbert),
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// Zero without slots.
    next: u64,
    least: i64,
    most: i64,
    scattered: Option<(i64, i64, Option<Arc<Table>>)>,
    max_packets: i64,
    max_bytes: i64,
    packets_left: i64,
    bytes_left: i64,
}

impl Netem {
    pub(crate) fn new(config: &LinkConfig, now: u64, seed: u64) -> Netem {
        let none = Crandom { last: 0, rho: 0 };
        let mut netem = Netem {
            latency: 0,
            jitter: 0,
            table: None,
            delay: none,
            loss: Losing::Random(0, none),
            ecn: false,
            duplicate: (0, none),
            corrupt: (0, none),
            reorder: (0, none),
            gap: 0,
            counter: 0,
            rate: 0,
            overhead: Overhead::default(),
            limit: 0,
            slot: Slot::default(),
            prng: Taus::seeded(seed),
            other: Chance::new(seed, 0),
            line: Line::default(),
            latest: 0,
            watchdog: None,
            sent: VecDeque::new(),
            heads: 0,
            open: true,
        };
        netem.change(config, now);
        netem
    }

    /// As `tc qdisc change`: packets in the line keep their times.
    pub(crate) fn change(&mut self, config: &LinkConfig, now: u64) {
        self.open = true;
        self.latency = signed(nanos(config.delay));
        // Beyond 2.1 s the kernel cuts jitter off.
        self.jitter = signed(nanos(config.jitter)).min(i64::from(i32::MAX));
        self.table = config.distribution.table();
        self.delay = Crandom::new(config.correlation, &mut self.other);
        self.ecn = config.ecn;
        self.loss = match &config.loss {
            Loss::Random(odds) => {
                Losing::Random(odds.percent.0, Crandom::new(odds.correlation, &mut self.other))
            }
            Loss::State(states) => Losing::State(1, *states),
            Loss::Gemodel(gilbert) => Losing::Gemodel(false, *gilbert),
            Loss::None | Loss::List(_) => Losing::Random(0, Crandom::new(Percent::ZERO, &mut self.other)),
        };
        self.duplicate =
            (config.duplicate.percent.0, Crandom::new(config.duplicate.correlation, &mut self.other));
        self.corrupt = (config.corrupt.percent.0, Crandom::new(config.corrupt.correlation, &mut self.other));
        let odds = config.reorder.map_or(Odds::default(), |reorder| reorder.odds);
        self.reorder = (odds.percent.0, Crandom::new(odds.correlation, &mut self.other));
        self.gap = config.reorder.map_or(0, |reorder| reorder.gap);
        self.counter = 0;
        self.rate = config.rate.map_or(0, |rate| rate.bytes().max(1));
        self.overhead = config.overhead;
        self.limit = match config.queue {
            Room::Packets(n) => n as usize,
            Room::Bytes(_) | Room::Time(_) => 1_000,
        };
        self.slot = config.slots.as_ref().map_or(Slot::default(), |slots| Slot::new(slots, now));
    }

    /// Takes no more packets; those in it leave in their time.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn len(&self) -> usize {
        self.line.len() + self.sent.len()
    }

    pub(crate) fn push(&mut self, now: u64, ticket: u32, length: u32) -> Entry {
        self.catch_up(now);
        let flying = Flying { at: now, ticket, length, marks: Marks::default() };
        let mut fates = [None, None];
        let mut count =
            1 + u8::from(self.duplicate.0 != 0 && self.duplicate.0 >= self.duplicate.1.draw(&mut self.prng));
        let copied = count > 1;
        let mut marks = Marks::default();
        if self.loses() {
            marks.congestion = self.ecn;
            count -= u8::from(!self.ecn);
        }
        if count == 0 {
            return Entry::of([Some(Err(Why::Loss)), None]);
        }
        // A copy that survives enters first, with a loss of its own to fear; one lost and one not is one.
        if copied && count > 1 {
            let lost = self.loses();
            let copy = Marks { copy: true, congestion: marks.congestion || lost && self.ecn, ..marks };
            let copy = Flying { marks: copy, ..flying };
            fates[1] = Some(if lost && !self.ecn { Err(Why::Loss) } else { self.enqueue(now, copy) });
        }
        fates[0] = Some(self.enqueue(now, Flying { marks, ..flying }));
        self.dequeue(now);
        Entry::of(fates)
    }

    /// A packet that has left by `now`.
    pub(crate) fn poll(&mut self, now: u64) -> Option<Flying> {
        self.catch_up(now);
        self.sent.pop_front()
    }

    pub(crate) fn due(&self) -> Option<u64> {
        self.sent.front().map(|sent| sent.at).or(self.watchdog)
    }

    /// What follows duplication and loss: corruption, the limit, and a place in the line.
    fn enqueue(&mut self, now: u64, mut flying: Flying) -> Result<(), Why> {
        if self.corrupt.0 != 0 && self.corrupt.0 >= self.corrupt.1.draw(&mut self.prng) {
            flying.marks.flipped = 1 + self.other.below(flying.length * 8);
        }
        if self.line.len() + self.heads >= self.limit {
            return Err(Why::Full);
        }
        let delayed = self.gap == 0
            || self.counter < self.gap - 1
            || self.reorder.0 < self.reorder.1.draw(&mut self.prng);
        if !delayed {
            self.counter = 0;
            // The head is taken before what was put there earlier.
            self.sent.insert(self.sent.len() - self.heads, flying);
            self.heads += 1;
            return Ok(());
        }
        let mut delay = self.tabledist();
        let mut from = signed(now);
        if self.rate != 0 {
            if self.line.len() > 0 {
                delay = (delay - (signed(self.latest) - from)).max(0);
                from = signed(self.latest);
            } else if self.heads > 0 {
                delay = delay.max(0);
            }
            delay = delay.saturating_add(self.packet_time(flying.length));
        }
        flying.at = from.saturating_add(delay).max(0).unsigned_abs();
        self.latest = if self.line.len() == 0 { flying.at } else { self.latest.max(flying.at) };
        self.counter = self.counter.saturating_add(1);
        self.line.push(flying);
        Ok(())
    }

    /// Runs the watchdog as often as it was due by `now`.
    fn catch_up(&mut self, now: u64) {
        while let Some(at) = self.watchdog.filter(|at| *at <= now) {
            self.watchdog = None;
            self.dequeue(at);
        }
    }

    /// Sends what may leave at `now`, and sets the watchdog for the rest.
    fn dequeue(&mut self, now: u64) {
        self.watchdog = None;
        self.heads = 0;
        while let Some(first) = self.line.first().copied() {
            if self.slot.next != 0 && self.slot.next < first.at {
                self.next_slot(now);
            }
            if first.at > now || self.slot.next > now {
                self.watchdog = Some(first.at.max(self.slot.next));
                return;
            }
            self.line.pop();
            if self.slot.next != 0 {
                self.slot.packets_left -= 1;
                self.slot.bytes_left -= i64::from(first.length);
                if self.slot.packets_left <= 0 || self.slot.bytes_left <= 0 {
                    self.next_slot(now);
                }
            }
            self.sent.push_back(Flying { at: now, ..first });
        }
    }

    fn next_slot(&mut self, now: u64) {
        let pause = match &self.slot.scattered {
            None => {
                let drawn =
                    i128::from(self.other.bits() >> 32) * i128::from(self.slot.most - self.slot.least);
                self.slot.least + i64::try_from(drawn >> 32).unwrap_or(0)
            }
            Some((delay, jitter, table)) => {
                let drawn = if *jitter == 0 { 0 } else { self.prng.next() };
                spread(*delay, *jitter, drawn, table.as_deref())
            }
        };
        self.slot.next = signed(now).saturating_add(pause).max(1).unsigned_abs();
        (self.slot.packets_left, self.slot.bytes_left) = (self.slot.max_packets, self.slot.max_bytes);
    }

    fn loses(&mut self) -> bool {
        let prng = &mut self.prng;
        match &mut self.loss {
            Losing::Random(share, source) => *share != 0 && *share >= source.draw(prng),
            Losing::State(state, p) => four_states(state, p, prng.next()),
            Losing::Gemodel(bad, gilbert) => {
                let turn = if *bad { gilbert.r.0 } else { gilbert.p.0 };
                let was_bad = *bad;
                *bad ^= prng.next() < turn;
                let drawn = prng.next();
                // The kernel keeps h, the share that gets through a bad state.
                if was_bad { drawn > gilbert.bad.rest().0 } else { drawn < gilbert.good.0 }
            }
        }
    }

    fn tabledist(&mut self) -> i64 {
        if self.jitter == 0 {
            return self.latency;
        }
        let drawn = self.delay.draw(&mut self.prng);
        spread(self.latency, self.jitter, drawn, self.table.as_deref())
    }

    fn packet_time(&self, length: u32) -> i64 {
        let Overhead { packet, cell, per_cell } = self.overhead;
        let mut bytes = u64::from(length).wrapping_add_signed(i64::from(packet));
        if cell != 0 {
            let cells = (bytes as u32).div_ceil(cell);
            bytes = u64::from(cells.wrapping_mul(cell.wrapping_add_signed(per_cell)));
        }
        signed(bytes.wrapping_mul(1_000_000_000) / self.rate)
    }
}

impl Crandom {
    fn new(rho: Percent, other: &mut Chance) -> Crandom {
        Crandom { last: (other.bits() >> 32) as u32, rho: rho.0 }
    }

    fn draw(&mut self, prng: &mut Taus) -> u32 {
        let value = u64::from(prng.next());
        if self.rho == 0 {
            return value as u32;
        }
        let rho = u64::from(self.rho) + 1;
        // At most (2^32 − 1) · 2^32: it fits.
        self.last = ((value * ((1 << 32) - rho) + u64::from(self.last) * rho) >> 32) as u32;
        self.last
    }
}

impl Slot {
    fn new(slots: &Slots, now: u64) -> Slot {
        let any = |n: u32| if n == 0 { i64::from(i32::MAX) } else { i64::from(n) };
        let mut slot =
            Slot { max_packets: any(slots.packets), max_bytes: any(slots.bytes), ..Slot::default() };
        match &slots.pause {
            Pause::Between(least, most) => {
                (slot.least, slot.most) = (signed(nanos(*least)), signed(nanos(*most)))
            }
            Pause::Scattered { delay, jitter, distribution } => {
                let jitter = signed(nanos(*jitter)).min(i64::from(i32::MAX));
                slot.scattered = Some((signed(nanos(*delay)), jitter, distribution.table()));
            }
        }
        (slot.packets_left, slot.bytes_left) = (slot.max_packets, slot.max_bytes);
        // Zero would mean no slots; the kernel's clock is never at zero.
        slot.next = now.max(1);
        slot
    }
}

/// One step of the four-state chain: whether the packet is lost.
fn four_states(state: &mut u8, p: &FourStates, drawn: u32) -> bool {
    let sum = |a: u32, b: u32| a.wrapping_add(b);
    let next = match *state {
        1 if drawn < p.p14.0 => 4,
        1 if p.p14.0 < drawn && drawn < sum(p.p13.0, p.p14.0) => 3,
        2 if drawn < p.p23.0 => 3,
        3 if drawn < p.p32.0 => 2,
        3 if p.p32.0 < drawn && drawn < sum(p.p31.0, p.p32.0) => 1,
        3 if sum(p.p31.0, p.p32.0) < drawn => 3,
        3 => {
            // Neither: the state stays, and this packet gets through.
            return false;
        }
        2 => 2,
        _ => 1,
    };
    *state = next;
    next >= 3
}

/// `mu` and a jitter of `sigma` by the number drawn, from the table or uniformly.
fn spread(mu: i64, sigma: i64, drawn: u32, table: Option<&Table>) -> i64 {
    if sigma == 0 {
        return mu;
    }
    let Some(entries) = table.map(Table::entries) else {
        return i64::from(drawn % (2 * sigma as u32)) + mu - sigma;
    };
    let scale = SCALE as i64;
    let t = i64::from(entries[drawn as usize % entries.len()]);
    let x = (sigma % scale) * t;
    let rounded = if x >= 0 { x + scale / 2 } else { x - scale / 2 };
    rounded / scale + (sigma / scale) * t + mu
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
