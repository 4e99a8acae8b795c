//! The head of the stream: asked for in parts, until all of it is here.

use super::*;
use crate::native::wire::bridge::HeadWord;

#[derive(Default)]
pub(super) struct Head {
    pub(super) wanted: usize,
    pub(super) got: BytesMut,
    pub(super) asked: Option<Instant>,
    pub(super) told: bool,
    /// The channel's word for it, which a member of a bridge's team needs.
    pub(super) word: Option<HeadWord>,
}

impl Peer {
    pub(super) fn want_head(&mut self, now: Instant) {
        if self.head.got.len() < self.head.wanted || self.head.wanted > 0 && self.wants_head_word() {
            self.head.asked = Some(now);
            let from = self.head.got.len() as u32;
            self.say(self.config.splitter, &Message::HeadWanted { from });
        }
    }

    pub(super) fn take_head(&mut self, now: Instant, at: u32, total: u32, bytes: &[u8]) {
        if self.head.told || total as usize > LONGEST_HEAD || bytes.len() > LONGEST {
            return;
        }
        if total as usize != self.head.wanted {
            // Another head by now.
            self.head = Head { wanted: total as usize, word: self.head.word, ..Head::default() };
        }
        if at as usize == self.head.got.len() {
            self.head.got.extend_from_slice(bytes);
            self.head.asked = None;
            self.prove_head();
            if self.head.got.len().is_multiple_of(HEAD_PARTS * LONGEST) {
                // All that one question is answered with is here.
                self.want_head(now);
            }
        }
    }

    /// Whether all of it is here that there is; from a bridge, by the channel's word.
    pub(super) fn has_head(&self) -> bool {
        let Head { wanted, got, word, .. } = &self.head;
        let proven = || !self.needs_head_word() || word.is_some_and(|word| word.is_of(got));
        *wanted == 0 || got.len() >= *wanted && proven()
    }

    /// What a bridge says of the head is to be shown by what the channel's own splitter signed; and a bridge passes that on.
    fn needs_head_word(&self) -> bool {
        self.carry.is_some() || self.proofs.of_bridge()
    }

    fn wants_head_word(&self) -> bool {
        !self.head.told && self.head.word.is_none() && self.needs_head_word()
    }

    /// The channel's word of what the head is. To a bridge it may be another than before.
    pub(super) fn hear_head_word(&mut self, now: Instant, word: HeadWord) {
        let Phase::Member { .. } = self.phase else { return };
        let told = self.head.told && self.carry.is_none();
        let signed = |key: Key| key.verify(&word.statement(), &word.signature);
        if told || self.head.word == Some(word) || word.total as usize > LONGEST_HEAD {
            return;
        }
        if !self.needs_head_word() || !self.proofs.channel().is_some_and(signed) {
            return;
        }
        if self.head.told || self.head.wanted != word.total as usize {
            self.head = Head { wanted: word.total as usize, ..Head::default() };
        }
        self.head.word = Some(word);
        self.prove_head();
        self.want_head(now);
        self.play(now);
    }

    /// Where all of the head is here and is not what it should be it is asked for once more.
    fn prove_head(&mut self) {
        let Head { wanted, got, word, .. } = &self.head;
        if got.len() >= *wanted && self.needs_head_word() && word.is_some_and(|word| !word.is_of(got)) {
            self.stats.forged += 1;
            self.head.got.clear();
        }
    }
}
