//! The quick way through a link: when a packet arrives is known as it enters.
//!
//! It is so where the queue is a plain one before a plain rate, or there is neither: then nothing that comes later changes
//! what becomes of a packet. A lane does exactly what [`Link`] does for such a configuration (a test holds them against
//! each other), but is touched once a packet and is small, which is what counts with two hundred thousand of them. The
//! first change of its parameters makes it a link.

use crate::chance::mix;
use crate::emulate::{Chancy, LONGEST_PACKET};
use crate::queue::{Marks, Packet};
use crate::serial::{Serial, Service};
use crate::{Compat, Discipline, Link, LinkConfig, Outages, Why};
use std::collections::VecDeque;

/// A link whose every verdict is immediate.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    serial: Serial,
    delay: u64,
    /// The latest arrival of any packet, and of those that have been sent.
    latest: u64,
    latest_sent: u64,
    /// The packet being sent, and those that wait: at most as many as the queue holds.
    sending: Option<Unsent>,
    waiting: VecDeque<Unsent>,
    /// Bytes of those that wait.
    bytes: u64,
    most_packets: u64,
    most_bytes: u64,
    latest_sure: u64,
    chancy: Option<Box<Chancy>>,
    keeps_order: bool,
}

/// A packet that has not been sent.
#[derive(Clone, Copy, Debug)]
struct Unsent {
    /// When its first bit goes out, and when its last is out.
    begins: u64,
    ends: u64,
    at: u64,
    ticket: u32,
    length: u32,
    sure: bool,
}

/// When a packet arrives, and what is done to it on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) at: u64,
    pub(super) marks: Marks,
}

impl Lane {
    /// Of such a link; `None` where verdicts are not immediate.
    pub(super) fn new(config: &LinkConfig, seed: u64) -> Option<Lane> {
        let seed = config.seed.unwrap_or(seed);
        let immediate = config.bucket.is_none()
            && config.trace.is_none()
            && config.outages == Outages::default()
            && config.slots.is_none()
            && config.discipline == Discipline::DropTail
            && config.compat == Compat::Physical;
        let (most_packets, most_bytes) = config.queue.limits(config.slowest());
        immediate.then(|| Lane {
            serial: Serial::new(config),
            delay: crate::units::nanos(config.delay),
            latest: 0,
            latest_sent: 0,
            sending: None,
            waiting: VecDeque::new(),
            bytes: 0,
            most_packets,
            most_bytes,
            latest_sure: 0,
            chancy: Chancy::is_needed(config).then(|| Box::new(Chancy::new(config, 0, seed))),
            keeps_order: config.keeps_order(),
        })
    }

    /// What becomes of a packet that enters now, and of the copy of it, if one is made.
    pub(super) fn pass(&mut self, now: u64, ticket: u32, length: u32) -> [Option<Result<Passage, Why>>; 2] {
        let length = length.min(LONGEST_PACKET);
        self.advance(now);
        let packet = Packet { arrived: now, ticket, length, marks: Marks::default() };
        let Some(chancy) = &mut self.chancy else { return [Some(self.enter(packet)), None] };
        chancy.judge(packet).map(|fate| fate.map(|fate| fate.and_then(|packet| self.enter(packet))))
    }

    /// When a packet that is never lost arrives.
    pub(super) fn pass_sure(&mut self, now: u64, ticket: u32, length: u32) -> u64 {
        self.advance(now);
        let marks = Marks { sure: true, ..Marks::default() };
        self.send(Packet { arrived: now, ticket, length: length.min(LONGEST_PACKET), marks }).at
    }

    /// Reads a little from each of its cache lines.
    pub(super) fn read(&self) -> u64 {
        let sending = self.sending.map_or(0, |sending| sending.ends);
        self.delay ^ self.latest_sent ^ sending ^ self.most_packets ^ self.waiting.len() as u64
    }

    /// The delay of a packet that nothing else delays.
    pub(super) fn base_delay(&self) -> u64 {
        self.delay
    }

    /// The packets that have not been sent in a link that limits nothing yet, and their tickets; what is under way is
    /// not in it. What chance decided stays decided, and what it decides from now on comes from another stream.
    pub(super) fn into_link(mut self, now: u64, seed: u64) -> (Link, Vec<u32>) {
        self.advance(now);
        let tickets = self.sending.iter().chain(&self.waiting).map(|unsent| unsent.ticket).collect();
        let packet = |unsent: &Unsent| {
            let marks = Marks { sure: unsent.sure, ..Marks::default() };
            Packet { arrived: now, ticket: unsent.ticket, length: unsent.length, marks }
        };
        let serving = self.sending.map(|first| {
            let bits = self.serial.bits(first.length);
            (packet(&first), Service { begins: first.begins, ends: first.ends, bits })
        });
        let latest = if self.serial.limits() { self.latest_sent } else { self.latest };
        let latest = (latest, latest.min(self.latest_sure));
        (Link::resumed(now, serving, self.waiting.iter().map(packet), latest, mix(seed, now)), tickets)
    }

    /// How many packets have not been sent, and their bytes.
    pub(super) fn unsent(&self, now: u64) -> (usize, u64) {
        let unsent = self.sending.iter().chain(&self.waiting).filter(|unsent| unsent.ends > now);
        unsent.fold((0, 0), |(packets, bytes), unsent| (packets + 1, bytes + u64::from(unsent.length)))
    }

    fn enter(&mut self, packet: Packet) -> Result<Passage, Why> {
        let waits = self.sending.is_some();
        let has_room = (self.waiting.len() as u64) < self.most_packets
            && self.bytes + u64::from(packet.length) <= self.most_bytes;
        if waits && !has_room { Err(Why::Full) } else { Ok(self.send(packet)) }
    }

    fn send(&mut self, packet: Packet) -> Passage {
        let Packet { arrived, ticket, length, marks } = packet;
        if !self.serial.limits() {
            return Passage { at: self.there(arrived, marks.sure), marks };
        }
        let from = self.waiting.back().or(self.sending.as_ref()).map_or(arrived, |last| last.ends);
        let Service { begins, ends, .. } = self.serial.send(from, length);
        let at = self.there(ends, marks.sure);
        let unsent = Unsent { begins, ends, at, ticket, length, sure: marks.sure };
        if self.sending.is_some() {
            self.bytes += u64::from(length);
            self.waiting.push_back(unsent);
            return Passage { at, marks };
        }
        self.sending = Some(unsent);
        // What takes no time is sent at once.
        self.advance(arrived);
        Passage { at, marks }
    }

    fn there(&mut self, sent: u64, sure: bool) -> u64 {
        let delay = match &mut self.chancy {
            Some(chancy) if !sure => chancy.delay(self.delay),
            _ => self.delay,
        };
        let mut at = sent.saturating_add(delay);
        if self.keeps_order {
            at = at.max(self.latest);
        }
        if sure {
            at = at.max(self.latest_sure);
            self.latest_sure = at;
        }
        self.latest = self.latest.max(at);
        at
    }

    /// Lets packets leave until `now`.
    fn advance(&mut self, now: u64) {
        while let Some(first) = self.sending.filter(|first| first.ends <= now) {
            self.latest_sent = self.latest_sent.max(first.at);
            self.sending = self.waiting.pop_front();
            self.bytes -= self.sending.map_or(0, |next| u64::from(next.length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::emulate::tests::odd::any_valid;
    use proptest::prelude::*;
    use std::time::Duration;

    fn emptied(link: &mut Link) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(due) = link.due_at() {
            outcomes.extend(std::iter::from_fn(|| link.poll_at(due)));
        }
        outcomes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_lane_does_what_its_link_does(
            config in any_valid(),
            steps in proptest::collection::vec((0u64..3_000_000, 0u32..2_000, 0u8..8), 1..120),
        ) {
            let mut config = config;
            (config.bucket, config.trace, config.slots, config.outages) = (None, None, None, Outages::default());
            (config.discipline, config.compat) = (Discipline::DropTail, Compat::Physical);
            let (mut link, mut lane) = (Link::new(&config, 9).unwrap(), Lane::new(&config, 9).unwrap());
            let (mut now, mut expected, mut refused) = (0, Vec::new(), Vec::new());
            for (ticket, (later, length, kind)) in steps.iter().enumerate() {
                now += later;
                let ticket = ticket as u32;
                if *kind == 0 {
                    link.push_sure(now, ticket, *length);
                    expected.push((lane.pass_sure(now, ticket, *length), ticket, Marks::default()));
                    continue;
                }
                let fates = lane.pass(now, ticket, *length);
                let entry = link.push_at(now, ticket, *length);
                prop_assert_eq!(usize::from(entry.taken), fates.iter().filter(|fate| matches!(fate, Some(Ok(_)))).count());
                refused.push((entry.refused, fates.iter().find_map(|fate| fate.and_then(Result::err))));
                expected.extend(fates.iter().filter_map(|fate| (*fate)?.ok()).map(|p| (p.at, ticket, p.marks)));
            }
            prop_assert!(refused.iter().all(|(link, lane)| link == lane));
            let mut seen = Vec::new();
            for outcome in emptied(&mut link) {
                let Outcome::Delivered(d) = outcome else { panic!("drop-tail drops on entry") };
                let flipped = d.flipped.map_or(0, |bit| bit + 1);
                let marks = Marks { flipped, copy: d.copy, congestion: d.marked, sure: false };
                seen.push((d.at.as_nanos() as u64, d.ticket, marks));
            }
            let key = |passage: &(u64, u32, Marks)| (passage.0, passage.1, passage.2.copy);
            expected.retain(|(at, ..)| *at <= crate::units::LONGEST);
            expected.sort_by_key(key);
            seen.sort_by_key(key);
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_lane_is_small() {
        // Three cache lines.
        assert!(size_of::<Lane>() <= 192, "{}", size_of::<Lane>());
    }

    #[test]
    fn a_lane_that_becomes_a_link_loses_nothing() {
        let config: LinkConfig = "rate=80kbit delay=5ms".parse().unwrap();
        let mut lane = Lane::new(&config, 1).unwrap();
        // 100 ms each.
        let times: Vec<u64> =
            (0..10).map(|i| lane.pass(0, i, 1_000)[0].unwrap().unwrap().at / 1_000_000).collect();
        assert_eq!(times, (1..=10).map(|i| i * 100 + 5).collect::<Vec<_>>());
        let (mut link, tickets) = lane.into_link(150_000_000, 1);
        assert_eq!(tickets, (1..10).collect::<Vec<_>>());
        link.change(Duration::from_millis(150), &"rate=800kbit".parse().unwrap()).unwrap();
        let mut times = Vec::new();
        for outcome in emptied(&mut link) {
            let Outcome::Delivered(d) = outcome else { panic!("drop-tail drops on entry") };
            times.push((d.ticket, d.at.as_millis() as u64));
        }
        // As if it had been a link all along.
        assert_eq!(times, (1..10).map(|i| (i, 145 + 10 * u64::from(i))).collect::<Vec<_>>());
    }
}
