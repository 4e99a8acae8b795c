//! When the packet that a link is sending has left it: rate, bucket, trace and outages together.

use crate::bucket::Tokens;
use crate::config::LinkConfig;
use crate::outage::When;
use crate::replay::Opportunities;
use crate::serial::{Serial, Service};

/// What limits how fast packets leave. A packet waits for its tokens, is sent at the rate, and leaves at its
/// opportunity; while the link is down all of that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Shaper {
    serial: Serial,
    more: Option<Box<More>>,
}

/// The limits that few links have.
#[derive(Clone, Debug, Default)]
struct More {
    tokens: Option<Tokens>,
    opportunities: Option<Opportunities>,
    down: When,
}

impl Shaper {
    /// Limits nothing until it is told to.
    pub(crate) fn new() -> Shaper {
        Shaper { serial: Serial::default(), more: None }
    }

    /// Goes by `config` from `now` on, with the tokens and the place in the trace it has.
    pub(crate) fn change(&mut self, config: &LinkConfig, now: u64) {
        self.serial = Serial::new(config);
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
        !self.serial.limits() && self.more.is_none()
    }

    /// Whether a packet of `length` can ever leave.
    pub(crate) fn passes(&self, length: u32) -> bool {
        let tokens = self.more.as_ref().and_then(|more| more.tokens.as_ref());
        tokens.is_none_or(|tokens| tokens.passes(length))
    }

    /// Begins to send a packet of `length` at `now`.
    pub(crate) fn send(&mut self, now: u64, length: u32) -> Service {
        let Some(more) = &mut self.more else { return self.serial.send(now, length) };
        let bits = self.serial.bits(length);
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
        let work = self.serial.duration(begins, bits);
        let mut ends = begins.saturating_add(work);
        if let Some(more) = &mut self.more {
            ends = more.down.done(begins, work);
            if let Some(opportunities) = &mut more.opportunities {
                ends = more.down.done(opportunities.take(ends, length), 0);
            }
        }
        self.serial.had_left(ends);
        Service { begins, ends, bits }
    }
}
