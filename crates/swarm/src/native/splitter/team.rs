//! What a native splitter knows of its team, and how it sends peers to another.

use super::{Splitter, TICKET_LASTS};
use crate::native::{
    seal::Key,
    wire::{Message, Report, move_statement},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A member of a native team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Where it is.
    pub endpoint: SocketAddr,
    /// Whether it proved to be a monitor.
    pub monitor: bool,
    /// In how many stripes it gets its chunks from the splitter: of those it is the origin.
    pub origin: usize,
    /// From whom it has the other stripes, and how many.
    pub parents: BTreeMap<SocketAddr, usize>,
    /// How many stripes it gives to how many others, summed.
    pub children: usize,
    /// Those of them that it gets from there because no other member reaches it.
    pub relayed: usize,
    /// How many stand between the splitter and it, at most.
    pub depth: u32,
    /// Bytes that it has sent.
    pub sent_bytes: u64,
    /// Chunks that did not come in time.
    pub lost: u64,
    /// How old the newest chunk was that it had played when it last said so, in milliseconds.
    pub lag_ms: Option<u64>,
    /// How many complaints of those whom it feeds stand against it, 0 to 4; each halves how many it may feed, and with
    /// four it feeds nobody. One is forgiven after the other.
    pub debt: u32,
}

/// What a member said of itself, and how late it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    report: Report,
    lag: Option<Duration>,
}

/// When chunks were dealt: the first of each group, at most [`GROUPS`], the oldest leave first.
#[derive(Clone, Debug, Default)]
pub(super) struct Dealt(VecDeque<(u64, Instant)>);

impl Dealt {
    pub(super) fn note(&mut self, first: u64, now: Instant) {
        if self.0.len() == GROUPS {
            self.0.pop_front();
        }
        self.0.push_back((first, now));
    }

    /// The first chunk that was dealt at that time or later.
    pub(super) fn first_since(&self, when: Instant) -> Option<u64> {
        let at = self.0.partition_point(|(_, dealt)| *dealt < when);
        self.0.get(at).map(|(first, _)| *first)
    }

    fn age(&self, number: u64, now: Instant) -> Option<Duration> {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        let (_, when) = self.0.get(after.checked_sub(1)?)?;
        Some(now.saturating_duration_since(*when))
    }
}

impl Splitter {
    /// What its chunks are checked with.
    pub fn key(&self) -> Key {
        self.config.seal.key()
    }

    /// The team.
    pub fn members(&self) -> Vec<Member> {
        let stripes = usize::from(self.config.stripes);
        let mut children = BTreeMap::<SocketAddr, usize>::new();
        let mut members: Vec<_> = self
            .members
            .iter()
            .map(|(endpoint, member)| {
                let mut parents = BTreeMap::new();
                for stripe in 0..stripes {
                    if let Some(parent) = self.trees.parent(stripe, *endpoint) {
                        *parents.entry(parent).or_default() += 1;
                        *children.entry(parent).or_default() += 1;
                    }
                }
                Member {
                    endpoint: *endpoint,
                    monitor: member.monitor,
                    origin: (0..stripes).filter(|stripe| self.trees.is_root(*stripe, *endpoint)).count(),
                    depth: (0..stripes).map(|stripe| self.trees.depth(stripe, *endpoint)).max().unwrap_or(0),
                    relayed: (0..stripes).filter(|stripe| self.trees.is_relayed(*stripe, *endpoint)).count(),
                    parents,
                    children: 0,
                    sent_bytes: member.said.report.sent_bytes,
                    lost: member.said.report.lost,
                    lag_ms: member.said.lag.map(|lag| lag.as_millis() as u64),
                    debt: self.trust.owes(*endpoint),
                }
            })
            .collect();
        for member in &mut members {
            member.children = children.get(&member.endpoint).copied().unwrap_or(0);
        }
        members
    }

    pub(super) fn told_of_itself(&mut self, now: Instant, from: SocketAddr, report: Report) {
        let lag = report.played.checked_sub(1).and_then(|newest| self.dealt.age(newest, now));
        if let Some(member) = self.members.get_mut(&from) {
            member.said = Said { report, lag };
        }
    }

    /// Sends so many of its peers to the splitter at `to`, whose chunks are checked with `key`: those first on whom the
    /// fewest others depend. They leave by themselves.
    pub fn shed(&mut self, now: Instant, peers: usize, to: SocketAddr, key: Key) {
        let mut members = self.members();
        // A whole team hangs on a bridge.
        members.retain(|member| !self.members.get(&member.endpoint).is_some_and(super::Member::is_bridge));
        members.sort_by_key(|member| member.children);
        let until = now.saturating_duration_since(self.start).as_secs() as u32 + TICKET_LASTS;
        for member in members.into_iter().take(peers) {
            let statement = move_statement(member.endpoint, to, &key.to_bytes(), until);
            let signature = self.config.seal.sign(&statement);
            self.say(member.endpoint, &Message::Move { to, key: key.to_bytes(), until, signature });
        }
    }
}

const GROUPS: usize = 1_024;
