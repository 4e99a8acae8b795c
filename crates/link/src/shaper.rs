//! When the packet that a link is sending has left it: rate, bucket, trace and outages together.

use crate::bucket::Tokens;
use crate::config::LinkConfig;
use crate::outage::When;
use crate::replay::Opportunities;

/// What limits how fast packets leave. A packet waits for its tokens, is sent at the rate, and leaves at its
/// opportunity; while the link is down all of that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Shaper {
    /// Bits per second; zero for no limit.
    rate: u64,
    /// What is left of a nanosecond when the last packet had left, in `rate`ths; so a rate never drifts.
    carry: u64,
    /// When the last packet had left.
    left: u64,
    overhead: Overhead,
    more: Option<Box<More>>,
}

/// The limits that few links have.
#[derive(Clone, Debug, Default)]
struct More {
    tokens: Option<Tokens>,
    opportunities: Option<Opportunities>,
    down: When,
}

/// What the wire adds to each packet (netem's `rate … PACKETOVERHEAD CELLSIZE CELLOVERHEAD`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// Bytes a packet, less than nothing where the lengths given count more than the wire does.
    pub packet: i32,
    /// Packets are sent in cells of so many bytes; zero for none.
    pub cell: u32,
    /// Bytes a cell.
    pub per_cell: i32,
}

/// A packet being sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// When its first bit goes out.
    pub(crate) begins: u64,
    /// When its last bit is out; `u64::MAX` for never.
    pub(crate) ends: u64,
    /// How many bits go out in between.
    bits: u64,
}

impl Overhead {
    /// How many bytes a packet of `length` is on the wire.
    pub(crate) fn wire(&self, length: u32) -> u64 {
        let bytes = (i64::from(length) + i64::from(self.packet)).max(0) as u64;
        if self.cell == 0 {
            return bytes;
        }
        let per_cell = (i64::from(self.cell) + i64::from(self.per_cell)).max(0) as u64;
        bytes.div_ceil(u64::from(self.cell)).saturating_mul(per_cell)
    }
}

impl Shaper {
    /// Limits nothing until it is told to.
    pub(crate) fn new() -> Shaper {
        Shaper { rate: 0, carry: 0, left: 0, overhead: Overhead::default(), more: None }
    }

    /// Goes by `config` from `now` on, with the tokens and the place in the trace it has.
    pub(crate) fn change(&mut self, config: &LinkConfig, now: u64) {
        self.rate = config.rate.map_or(0, |rate| rate.0.max(1));
        self.carry = 0;
        self.overhead = config.overhead;
        let More { tokens, opportunities, .. } = self.more.take().map_or_else(More::default, |more| *more);
        let tokens = config.bucket.as_ref().map(|bucket| match tokens {
            Some(mut tokens) => {
                tokens.change(bucket, now);
                tokens
            }
            None => Tokens::new(bucket, now),
        });
        let opportunities = config.trace.as_ref().map(|replay| match opportunities {
            Some(old) if old.plays(replay) => old,
            _ => Opportunities::new(replay),
        });
        let down = config.outages.when.clone();
        if tokens.is_some() || opportunities.is_some() || down != When::Never {
            self.more = Some(Box::new(More { tokens, opportunities, down }));
        }
    }

    /// Whether every packet leaves at once.
    pub(crate) fn is_open(&self) -> bool {
        self.rate == 0 && self.more.is_none()
    }

    /// Whether a packet of `length` can ever leave.
    pub(crate) fn passes(&self, length: u32) -> bool {
        let tokens = self.more.as_ref().and_then(|more| more.tokens.as_ref());
        tokens.is_none_or(|tokens| tokens.passes(length))
    }

    /// Begins to send a packet of `length` at `now`.
    pub(crate) fn send(&mut self, now: u64, length: u32) -> Service {
        let bits = self.overhead.wire(length).min(LONGEST_WIRE) * 8;
        let Some(more) = &mut self.more else {
            let ends = now.saturating_add(self.duration(now, bits));
            self.left = ends;
            return Service { begins: now, ends, bits };
        };
        let paid = more.tokens.as_mut().map_or(now, |tokens| tokens.take(now, length));
        let begins = more.down.done(paid, 0);
        self.finish(begins, bits, length)
    }

    /// Goes on at `now`, after a change, with a packet of `length` whose `service` under `before` was not over.
    pub(crate) fn resume(&mut self, now: u64, length: u32, service: Service) -> Service {
        if service.begins >= now || service.ends == u64::MAX {
            return self.send(now, length);
        }
        // What is out stays out.
        let whole = u128::from((service.ends - service.begins).max(1));
        let rest = u128::from(service.ends.saturating_sub(now));
        let bits = (u128::from(service.bits) * rest).div_ceil(whole);
        let begins = self.more.as_ref().map_or(now, |more| more.down.done(now, 0));
        self.finish(begins, u64::try_from(bits).unwrap_or(service.bits), length)
    }

    /// Takes back what was granted to a packet that had not left.
    pub(crate) fn give_back(&mut self, now: u64, service: Service) {
        let Some(more) = &mut self.more else { return };
        if let Some(tokens) = more.tokens.as_mut().filter(|_| service.begins >= now) {
            tokens.give_back();
        }
        if let Some(opportunities) = &mut more.opportunities {
            opportunities.give_back();
        }
    }

    fn finish(&mut self, begins: u64, bits: u64, length: u32) -> Service {
        let work = self.duration(begins, bits);
        let mut ends = begins.saturating_add(work);
        if let Some(more) = &mut self.more {
            ends = more.down.done(begins, work);
            if let Some(opportunities) = &mut more.opportunities {
                ends = more.down.done(opportunities.take(ends, length), 0);
            }
        }
        self.left = ends;
        Service { begins, ends, bits }
    }

    /// How long `bits` take from `now` on; of what is left of a nanosecond account is kept while packets follow on
    /// each other.
    fn duration(&mut self, now: u64, bits: u64) -> u64 {
        if self.rate == 0 {
            return 0;
        }
        let carry = if now == self.left { self.carry } else { 0 };
        // Bits times a billion fit 64 bits; only with a carry of a rate beyond all wires the sum does not.
        match (bits * 1_000_000_000).checked_add(carry) {
            Some(parts) => {
                self.carry = parts % self.rate;
                parts / self.rate
            }
            None => 0,
        }
    }
}

/// The longest packet on the wire, in bytes: 2^30, so that its bits times a billion fit 64 bits.
const LONGEST_WIRE: u64 = 1 << 30;
