//! The most that a peer uploads: in no second more than its cap, headers of IP and UDP included.
//!
//! What a bucket holds and what flows into it in a second are together the cap, so that no second sees more, wherever it
//! begins. What the rules want said takes what is there; chunks for children wait for what that leaves, and answers to who
//! misses chunks for what those leave. The splitter is told the cap, and of less than that where it was too much still.

use super::{Event, Peer};
use crate::native::wire::Message;
use bytes::Bytes;
use levada_link::{Bitrate, Output, Transmit};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What may leave by now, and what waits for it.
#[derive(Clone, Debug)]
pub(super) struct Cap {
    /// Bytes that flow in within a second, that fit in, and that are there.
    rate: f64,
    depth: f64,
    there: f64,
    filled: Instant,
    /// For children: at most [`CHUNKS`]; the oldest leave, and those that are older than [`STALE`].
    chunks: VecDeque<Waiting>,
    /// For who asked: at most [`ANSWERS`]; further ones are not taken, and older ones leave likewise.
    answers: VecDeque<Waiting>,
    /// Chunks for children that did not leave since the splitter was told last.
    missed: u32,
    /// How many stripes it says that it can give.
    offers: u16,
    /// When it offers one more.
    raises: Instant,
    /// What every datagram has beside its bytes.
    beside: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    to: SocketAddr,
    bytes: Bytes,
    since: Instant,
}

impl Cap {
    pub(super) fn new(now: Instant, limit: Bitrate, offers: u16) -> Cap {
        let most = (limit.bytes() as f64).max(LEAST);
        let depth = (most / 16.0).max(DEPTH).min(most / 2.0);
        Cap {
            rate: most - depth,
            depth,
            there: depth,
            filled: now,
            chunks: VecDeque::new(),
            answers: VecDeque::new(),
            missed: 0,
            offers,
            raises: now,
            beside: HEADERS,
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.there = (self.there + passed * self.rate).min(self.depth);
    }

    fn cost(&self, to: SocketAddr, bytes: &Bytes) -> f64 {
        let longer = if to.is_ipv6() { IPV6 } else { 0 };
        (bytes.len() + self.beside + longer) as f64
    }

    /// Takes what a datagram costs, where `rest` stays there.
    fn takes(&mut self, cost: f64, rest: f64) -> bool {
        let may = self.there >= cost + rest;
        if may {
            self.there -= cost;
        }
        may
    }

    /// The next that waits and may leave; and how many became too old.
    fn next(&mut self) -> (Option<Waiting>, u64) {
        let stale = |waiting: &Waiting, now: Instant| now.saturating_duration_since(waiting.since) >= STALE;
        let mut gone = 0;
        while self.chunks.front().is_some_and(|first| stale(first, self.filled)) {
            self.chunks.pop_front();
            (gone, self.missed) = (gone + 1, self.missed + 1);
        }
        while self.answers.front().is_some_and(|first| stale(first, self.filled)) {
            self.answers.pop_front();
            gone += 1;
        }
        let first = self.chunks.front().or(self.answers.front());
        let cost = first.map(|first| self.cost(first.to, &first.bytes));
        if !cost.is_some_and(|cost| self.takes(cost, RESERVE)) {
            return (None, gone);
        }
        (self.chunks.pop_front().or_else(|| self.answers.pop_front()), gone)
    }

    /// When the first that waits may leave.
    fn due(&self) -> Option<Instant> {
        let first = self.chunks.front().or(self.answers.front())?;
        let lacks = (self.cost(first.to, &first.bytes) + RESERVE - self.there).max(0.0);
        Some(self.filled + Duration::from_secs_f64(lacks / self.rate) + ROUNDED)
    }

    /// What it offers from now on, once a second: one child fewer where chunks did not leave, and later one more.
    fn reckon(&mut self, now: Instant, children: usize, most: u16) -> u16 {
        let fewer = u16::try_from(children).unwrap_or(u16::MAX).saturating_sub(1);
        if std::mem::take(&mut self.missed) >= SOME {
            self.offers = self.offers.min(fewer);
            self.raises = now + RAISES;
        } else if self.raises <= now && self.offers < most {
            self.offers += 1;
            self.raises = now + RAISES;
        }
        self.offers
    }
}

impl Peer {
    /// Its cap's clock goes on, and what waits leaves as far as it may.
    pub(super) fn fill_cap(&mut self, now: Instant) {
        if let Some(cap) = &mut self.cap {
            cap.fill(now);
            cap.beside = HEADERS + if self.keys.encrypts { QUIC } else { 0 };
            if !cap.chunks.is_empty() || !cap.answers.is_empty() {
                self.let_wait_leave();
            }
        }
    }

    /// When something that waits for its cap may leave.
    pub(super) fn cap_due(&self) -> Option<Instant> {
        self.cap.as_ref().and_then(Cap::due)
    }

    /// Something that the rules want said. Beyond the cap it is as good as lost, which they live with.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        if let Some(cap) = &mut self.cap {
            let cost = cap.cost(to, &bytes);
            if !cap.takes(cost, 0.0) {
                self.stats.withheld += 1;
                return;
            }
        }
        self.put_out(to, bytes);
    }

    /// A chunk for a child.
    pub(super) fn pass_on(&mut self, to: SocketAddr, bytes: Bytes) {
        let Some(cap) = &mut self.cap else { return self.put_out(to, bytes) };
        if cap.chunks.len() == CHUNKS {
            cap.chunks.pop_front();
            cap.missed += 1;
            self.stats.withheld += 1;
        }
        cap.chunks.push_back(Waiting { to, bytes, since: cap.filled });
        self.let_wait_leave();
    }

    /// A chunk for who asked for it.
    pub(super) fn answer(&mut self, to: SocketAddr, bytes: Bytes) {
        let Some(cap) = &mut self.cap else { return self.put_out(to, bytes) };
        if cap.answers.len() == ANSWERS {
            self.stats.withheld += 1;
            return;
        }
        cap.answers.push_back(Waiting { to, bytes, since: cap.filled });
        self.let_wait_leave();
    }

    fn let_wait_leave(&mut self) {
        while let Some(cap) = &mut self.cap {
            let (next, gone) = cap.next();
            self.stats.withheld += gone;
            let Some(next) = next else { return };
            self.put_out(next.to, next.bytes);
        }
    }

    fn put_out(&mut self, to: SocketAddr, bytes: Bytes) {
        self.stats.sent_bytes += bytes.len() as u64;
        self.out.push_back(Output::<Event>::Send(Transmit::Datagram { to, bytes }));
    }

    /// Tells the splitter what it can upload.
    pub(super) fn offer(&mut self, now: Instant) {
        let Some(limit) = self.config.upload else { return };
        let (children, most) = (self.children.len(), self.config.slots);
        let Some(cap) = &mut self.cap else { return };
        let slots = cap.reckon(now, children, most);
        // Nothing said is another word for no cap; who may send nothing says so by its places.
        let upload = u32::try_from(limit.0 / 1_000).unwrap_or(u32::MAX).max(1);
        self.say(self.config.splitter, &Message::Offer { slots, upload });
    }
}

/// Of a cap, in bytes a second: less does not do for the rules alone.
const LEAST: f64 = 4_000.0;
/// For the longest datagram, and what is left for the rules.
const DEPTH: f64 = 1_800.0;
const RESERVE: f64 = 300.0;
/// Of IPv4 and UDP; and what IPv6 has more.
const HEADERS: usize = 28;
const IPV6: usize = 20;
/// What QUIC has beside a datagram, and acknowledges.
const QUIC: usize = 60;
const CHUNKS: usize = 256;
const ANSWERS: usize = 64;
/// What waited so long comes too late.
const STALE: Duration = Duration::from_millis(500);
/// So that what is due is there.
const ROUNDED: Duration = Duration::from_micros(100);
/// So many chunks a second are no accident.
const SOME: u32 = 4;
/// So long after chunks did not leave it offers one more.
const RAISES: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(limit: u64) -> f64 {
        (limit as f64 / 8.0).max(LEAST)
    }

    proptest! {
        #[test]
        #[allow(clippy::disallowed_methods)] // where time begins does not matter
        fn no_second_sees_more_than_the_cap(
            limit in 0u64..2_000_000,
            steps in proptest::collection::vec((0u64..40, 20usize..1_372, any::<bool>()), 1..400),
        ) {
            let (start, to) = (Instant::now(), ([10, 0, 0, 1], 1).into());
            let mut cap = Cap::new(start, Bitrate(limit), 9);
            let (mut at, mut sent) = (0, Vec::<(u64, f64)>::new());
            for (passes, size, waits) in steps {
                at += passes;
                cap.fill(start + Duration::from_millis(at));
                let bytes = Bytes::from(vec![0; size]);
                let cost = cap.cost(to, &bytes);
                if waits {
                    cap.chunks.push_back(Waiting { to, bytes, since: cap.filled });
                } else if cap.takes(cost, 0.0) {
                    sent.push((at, cost));
                }
                while let (Some(next), _) = cap.next() {
                    sent.push((at, cap.cost(next.to, &next.bytes)));
                }
                prop_assert!(cap.due().is_none_or(|due| due > cap.filled));
            }
            for (first, (from, _)) in sent.iter().enumerate() {
                let second = sent[first..].iter().take_while(|(at, _)| at - from < 1_000);
                let sum: f64 = second.map(|(_, cost)| cost).sum();
                prop_assert!(sum <= whole(limit) + 1e-3, "{sum} of {}", whole(limit));
            }
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // where time begins does not matter
    fn children_come_before_who_asks_and_what_is_late_does_not_leave() {
        let (start, to) = (Instant::now(), ([10, 0, 0, 1], 1).into());
        let mut cap = Cap::new(start, Bitrate::kbps(80), 9);
        let waiting = |size| Waiting { to, bytes: Bytes::from(vec![0; size]), since: start };
        cap.answers.push_back(waiting(1_000));
        cap.chunks.extend([waiting(1_001), waiting(1_002)]);
        let mut left = Vec::new();
        for at in 0..40 {
            cap.fill(start + Duration::from_millis(at * 10));
            left.extend(cap.next().0.map(|next| next.bytes.len()));
        }
        assert_eq!(left, [1_001, 1_002, 1_000]);
        cap.chunks.push_back(waiting(500));
        cap.fill(start + Duration::from_secs(9));
        assert!(matches!(cap.next(), (None, 1)));
        cap.missed = SOME;
        let offers = [9, 10, 25].map(|at| cap.reckon(start + Duration::from_secs(at), 4, 9));
        assert_eq!(offers, [3, 3, 4]);
    }
}
