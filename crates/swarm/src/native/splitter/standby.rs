//! A splitter and the one that stands by for it: what it tells that one, and how that one becomes a splitter.

use super::{Event, Splitter};
use crate::native::{
    pass::Veil,
    seal::Hash,
    wire::{
        Message, bridge,
        standby::{Group, HIDDEN, LISTED, MARK, Word, heir_statement, standby_statement},
    },
};
use bytes::Bytes;
use levada_link::Output;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    ops::Bound,
    time::{Duration, Instant},
};

/// Who goes on if this splitter dies: at most one at a time, the first that comes.
#[derive(Clone, Debug)]
pub(super) struct Heir {
    at: SocketAddr,
    heard: Instant,
    /// The groups dealt last, each told again with those after it: at most [`TOLD`].
    groups: VecDeque<Group>,
    /// The last member that it was told of, in turn.
    listed: Option<SocketAddr>,
    /// Of its address, for the members.
    signature: [u8; 64],
}

impl Splitter {
    /// Who goes on if this one dies.
    pub fn heir(&self) -> Option<SocketAddr> {
        self.heir.as_ref().map(|heir| heir.at)
    }

    pub(super) fn hear_standby(&mut self, now: Instant, from: SocketAddr, word: &Word) {
        match word {
            Word::StandBy { nonce, cookie, signature } => {
                self.accept_heir(now, from, *nonce, cookie, signature);
            }
            Word::Follows => {
                if let Some(heir) = self.heir.as_mut().filter(|heir| heir.at == from) {
                    heir.heard = now;
                }
            }
            _ => {}
        }
    }

    /// Whoever has this splitter's key may stand by for it.
    fn accept_heir(
        &mut self,
        now: Instant,
        from: SocketAddr,
        nonce: u64,
        cookie: &[u8; 16],
        said: &[u8; 64],
    ) {
        let proven = (0..2).any(|age| self.cookie(now, from, nonce, age) == *cookie);
        let taken = self.heir.as_ref().is_some_and(|heir| heir.at != from);
        if taken || !proven || !self.config.seal.key().verify(&standby_statement(nonce, cookie), said) {
            self.stats.refused += 1;
            return;
        }
        let time = now.saturating_duration_since(self.start).as_secs() as u32;
        let (stripes, salt) = (self.config.stripes, self.salt);
        self.say(from, &Message::Standby(Word::Accepted { nonce, you: from, time, stripes, salt }));
        if self.heir.is_some() {
            return;
        }
        let signature = self.config.seal.sign(&heir_statement(from));
        self.heir = Some(Heir { at: from, heard: now, groups: VecDeque::new(), listed: None, signature });
        self.out.push_back(Output::Event(Event::StandsBy(from)));
        let members: Vec<_> = self.members.keys().copied().collect();
        members.into_iter().for_each(|member| self.tell_who_stands_by(member));
    }

    fn tell_who_stands_by(&mut self, member: SocketAddr) {
        if let Some(Heir { at, signature, .. }) = self.heir {
            self.say(member, &Message::Standby(Word::StandsBy { standby: at, signature }));
        }
    }

    fn tell_heir(&mut self, word: Word) {
        if let Some(at) = self.heir() {
            self.say(at, &Message::Standby(word));
        }
    }

    /// Somebody joined: the two hear of each other.
    pub(super) fn tell_heir_of(&mut self, member: SocketAddr, slots: u16) {
        self.tell_who_stands_by(member);
        self.tell_heir(Word::Roster(vec![(member, slots)]));
    }

    pub(super) fn tell_heir_gone(&mut self, member: SocketAddr) {
        self.tell_heir(Word::Gone(member));
    }

    /// A group is dealt.
    pub(super) fn tell_ledger(&mut self, first: u64, root: Hash, chunks: &[(u8, Bytes)]) {
        let Some((_, data)) = chunks.first() else { return };
        let mark = self.veil.over(first | HIDDEN, data.slice(..data.len().min(MARK)));
        let chunks = chunks.iter().map(|(flags, data)| (*flags, data.len() as u16)).collect();
        let Some(heir) = &mut self.heir else { return };
        if heir.groups.len() == TOLD {
            heir.groups.pop_front();
        }
        heir.groups.push_back(Group { first, mark, root, chunks });
        let groups = heir.groups.iter().cloned().collect();
        self.tell_heir(Word::Ledger(groups));
    }

    /// Once a tick: shows who stands by that this splitter lives, and some of its members.
    pub(super) fn look_after_heir(&mut self, now: Instant) {
        let Some(heir) = &self.heir else { return };
        if now.saturating_duration_since(heir.heard) >= SILENT {
            let gone = heir.at;
            self.heir = None;
            self.out.push_back(Output::Event(Event::StoodDown(gone)));
            return;
        }
        self.tell_heir(Word::Lives);
        for _ in 0..LISTS {
            let after = self.heir.as_ref().and_then(|heir| heir.listed);
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.members.range((from, Bound::Unbounded)).take(LISTED);
            let next: Vec<_> = next.map(|(member, known)| (*member, known.slots)).collect();
            let last = next.last().map(|(member, _)| *member);
            if let Some(heir) = &mut self.heir {
                heir.listed = last;
            }
            if next.is_empty() {
                return;
            }
            self.tell_heir(Word::Roster(next));
        }
    }

    /// Deals a group that another has dealt before: to nobody as long as it has no members, but for repairs later.
    pub(in crate::native) fn replay(&mut self, now: Instant, first: u64, chunks: Vec<(u8, Bytes)>) {
        self.skip_to(first);
        self.stats.fed_bytes += chunks.iter().map(|(_, data)| data.len() as u64).sum::<u64>();
        (self.group, self.group_since) = (chunks, Some(now));
        self.deal(now);
    }

    /// The next chunk has this number.
    pub(in crate::native) fn skip_to(&mut self, number: u64) {
        if number != self.number {
            self.kept.clear();
            self.number = number;
        }
    }

    /// A member of another's team comes along.
    pub(in crate::native) fn adopt(&mut self, now: Instant, member: SocketAddr, slots: u16) {
        // Who stands by is not told what members can do; who cannot use parity loses nothing by it.
        self.admit(now, member, slots, !bridge::SKILL, None);
    }

    /// Has the clock of another, which began `time` seconds ago, its stripes, and what it hides its chunks with.
    pub(in crate::native) fn take_after(&mut self, now: Instant, time: u32, stripes: u8, salt: [u8; 16]) {
        (self.salt, self.veil) = (salt, Veil::of(self.config.pass.as_ref(), &salt));
        self.start = now.checked_sub(Duration::from_secs(time.into())).unwrap_or(self.start);
        self.take_stripes(stripes);
    }

    /// Has so many stripes, as long as it has no members.
    pub(super) fn take_stripes(&mut self, stripes: u8) {
        if stripes != self.config.stripes && self.members.is_empty() && (1..=64).contains(&stripes) {
            self.config.stripes = stripes;
            let trees = super::Trees::new(stripes.into(), self.config.roots.max(1), self.config.spare);
            self.trees = trees.relaying(self.config.relays);
        }
    }

    /// What its chunks are hidden under.
    pub(in crate::native) fn veil(&self) -> Veil {
        self.veil
    }

    pub(in crate::native) fn has(&self, member: SocketAddr) -> bool {
        self.members.contains_key(&member)
    }

    pub(in crate::native) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.config.seal.sign(text)
    }

    /// Seconds since it began.
    pub(in crate::native) fn seconds(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.start).as_secs() as u32
    }
}

/// Groups told at once: all of so many datagrams in a row must be lost before who stands by misses one.
const TOLD: usize = 3;
/// Datagrams with members a tick.
const LISTS: usize = 4;
/// Who stands by and is not heard for so long does not.
const SILENT: Duration = Duration::from_secs(2);
