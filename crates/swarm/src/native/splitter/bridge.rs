//! A splitter that is one half of a bridge: it deals what the other half, a member of another team of the channel, got.
//!
//! It has a key of its own, for tickets, and not the channel's: chunks, and the word of what the head is, go on as they
//! came.

use super::{Member, SAVED, Splitter};
use crate::native::{
    pass::Veil,
    peer::{Carried, Upstream},
    seal::Key,
    wire::{
        Message, NONE, Parity,
        bridge::{self, HeadWord, head_statement},
        standby::{Word, heir_statement},
    },
};
use bytes::Bytes;
use std::{net::SocketAddr, time::Instant};

/// What a bridge carries, and where its members go when it dies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carries {
    /// The team that it is a member of.
    from: Upstream,
    /// Of the address of its splitter, for the members.
    signature: [u8; 64],
}

impl Member {
    /// Whether it carries another team of the channel.
    pub(super) fn is_bridge(&self) -> bool {
        self.skills & bridge::SKILL != 0
    }
}

impl Splitter {
    /// What its chunks are checked with.
    pub fn channel_key(&self) -> Key {
        self.carries.map_or_else(|| self.key(), |carries| carries.from.channel)
    }

    /// The same as a newcomer is told it: where it is not this splitter's own key.
    pub(super) fn channel(&self) -> Option<[u8; 32]> {
        self.carries.map(|carries| carries.from.channel.to_bytes())
    }

    /// From now on it deals the stream that another splitter deals.
    pub(in crate::native) fn carry_from(&mut self, upstream: &Upstream) {
        let before = self.carries.map(|carries| carries.from);
        if before == Some(*upstream) {
            return;
        }
        if before.is_some_and(|before| before.channel != upstream.channel) {
            // Another stream by another splitter: its members notice as those of that one do.
            (self.number, self.entry) = (0, NONE);
            self.kept.clear();
            self.dealt = Default::default();
            (self.head, self.head_word) = (Bytes::new(), None);
        }
        self.config.encrypts = upstream.encrypts;
        self.take_stripes(upstream.stripes);
        (self.salt, self.veil) = (upstream.salt, Veil::of(self.config.pass.as_ref(), &upstream.salt));
        let signature = self.config.seal.sign(&heir_statement(upstream.splitter));
        self.carries = Some(Carries { from: *upstream, signature });
        let members: Vec<_> = self.members.keys().copied().collect();
        members.into_iter().for_each(|member| self.tell_way_back(member));
    }

    /// Deals a chunk as it came.
    pub(in crate::native) fn carry(&mut self, now: Instant, chunk: Carried) {
        if chunk.begins_group && chunk.number >= self.number {
            self.dealt.note(chunk.number, now);
        }
        self.number = self.number.max(chunk.number.saturating_add(1));
        self.stats.fed_bytes += chunk.length as u64;
        self.credit = (self.credit + 1).min(SAVED * self.config.repair_share);
        self.hand_out(now, chunk.number, chunk.flags, chunk.bytes);
    }

    /// The same for parity of a block.
    pub(in crate::native) fn carry_parity(&mut self, now: Instant, parity: &Parity) {
        self.stats.parity += 1;
        self.send_parity(now, parity);
    }

    /// Whether parity comes.
    pub(super) fn carries_parity(&self) -> bool {
        self.carries.is_some_and(|carries| carries.from.parity)
    }

    /// What players get before anything else from now on, and the channel's word for it.
    pub(in crate::native) fn carry_head(&mut self, head: Bytes, word: Option<HeadWord>) {
        (self.head, self.head_word) = (head, word);
        self.tell_bridges();
    }

    /// Says by its own key what its head is, for those who get it from others.
    pub(super) fn sign_head(&mut self) {
        let (total, hash) = (self.head.len() as u32, *blake3::hash(&self.head).as_bytes());
        let signature = self.config.seal.sign(&head_statement(total, &hash));
        self.head_word = Some(HeadWord { total, hash, signature });
        self.tell_bridges();
    }

    /// Bridges hear at once of another head.
    fn tell_bridges(&mut self) {
        let Some(word) = self.head_word else { return };
        let bridges = self.members.iter().filter(|(_, member)| member.is_bridge()).map(|(at, _)| *at);
        let bridges: Vec<_> = bridges.collect();
        bridges.into_iter().for_each(|at| self.say(at, &Message::HeadIs(word)));
    }

    /// Before the head, for those who do not take it from this splitter's word, and to whoever asks for more than there is:
    /// what it is.
    pub(super) fn tell_head_word(&mut self, to: SocketAddr, at: usize) {
        let wants = self.carries.is_some() || self.members.get(&to).is_some_and(Member::is_bridge);
        if let Some(word) = self.head_word.filter(|_| at >= self.head.len() || at == 0 && wants) {
            self.say(to, &Message::HeadIs(word));
        }
    }

    /// A member hears where to go if this bridge dies.
    pub(super) fn tell_way_back(&mut self, member: SocketAddr) {
        if let Some(Carries { from, signature }) = self.carries {
            let standby = from.splitter;
            self.say(member, &Message::Standby(Word::StandsBy { standby, signature }));
        }
    }
}
