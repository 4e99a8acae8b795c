//! JOIN_TEAM: hello, cookie, join, and what the splitter says to it.

use super::{
    AGAIN, Encrypt, Event, Head, LONG_AGAIN, LONGEST_HEAD, MOST_GAP, Missing, Peer, Phase, Playout, Proofs,
    Rebuild, Stripe,
};
use crate::native::{
    home::is_private,
    pass::{NO_PROOF, Pass},
    seal::Key,
    wire::{BRIDGES, ENCRYPTED, Message, PARITY_SKILL, Refusal, bridge, lan},
};
use levada_link::Output;
use std::{net::SocketAddr, time::Instant};

impl Peer {
    pub(super) fn bring_back(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (said, brought): (u64, [u8; 16]),
        capabilities: u8,
    ) {
        let encrypted = capabilities & ENCRYPTED != 0;
        let refused = match self.config.encrypt {
            Encrypt::AsTheTeam => false,
            Encrypt::Always => !encrypted,
            Encrypt::Never => encrypted,
        };
        if self.probe_answered(said) {
            return;
        }
        let Phase::Joining { nonce, cookie, again, .. } = &mut self.phase else { return };
        if *nonce != said || cookie.is_some() {
            return;
        }
        if refused {
            // It may be another one the next time.
            *again = now + 5 * AGAIN;
            return self.out.push_back(Output::Event(Event::OtherTransport));
        }
        self.answered(from);
        let Phase::Joining { cookie, again, .. } = &mut self.phase else { return };
        (*cookie, *again) = (Some(brought), now + AGAIN);
        (self.keys.encrypts, self.keys.of_bridge) = (encrypted, capabilities & BRIDGES != 0);
        self.knock(said, brought);
    }

    /// Says that its address is proven, and that it may come in.
    pub(super) fn knock(&mut self, nonce: u64, cookie: [u8; 16]) {
        let proof = |pass: &Pass| pass.proof("join", &[&nonce.to_be_bytes(), &cookie]);
        let proof = self.config.pass.as_ref().map_or(NO_PROOF, proof);
        // What is said before the stream's rate is known counts for little where there is a cap.
        let slots = self.config.slots.min(if self.config.upload.is_some() { 2 } else { u16::MAX });
        let rebuilds = if self.config.rebuilds { PARITY_SKILL } else { 0 };
        let skills = lan::SKILL | rebuilds | if self.carry.is_some() { bridge::SKILL } else { 0 };
        let near = self.config.near.filter(|near| is_private(near.ip()));
        let join = Message::Join { nonce, cookie, slots, skills, proof, near };
        self.say(self.config.splitter, &join);
    }

    pub(super) fn refused(&mut self, now: Instant, said: u64, why: Refusal) {
        let Phase::Joining { nonce, again, .. } = &mut self.phase else { return };
        if *nonce != said {
            return;
        }
        match why {
            Refusal::Full => *again = now + LONG_AGAIN,
            Refusal::Token | Refusal::WrongToken | Refusal::Version(_) => self.phase = Phase::Left,
        }
        self.out.push_back(Output::Event(Event::Refused(why)));
    }

    /// JOIN_TEAM, at its end: the splitter lets this peer in.
    pub(super) fn join_team(
        &mut self,
        now: Instant,
        said: u64,
        (me, time): (SocketAddr, u32),
        (key, channel): (&[u8; 32], Option<&[u8; 32]>),
        stripes: u8,
        head: usize,
    ) {
        let Phase::Joining { nonce, .. } = &self.phase else { return };
        if *nonce != said || !(1..=64).contains(&stripes) || head > LONGEST_HEAD {
            return;
        }
        if self.keys.encrypts && self.keys.of(self.config.splitter) != Some(key) {
            return;
        }
        let channel = channel.map(Key::from_bytes);
        let (Some(own), Some(channel)) =
            (Key::from_bytes(key), channel.map_or(Some(None), |key| key.map(Some)))
        else {
            return;
        };
        if !self.proofs.learn(own, channel) {
            if self.config.key.is_some() {
                // It is not the channel that it wants; nobody shall count on it there.
                if let Phase::Joining { again, .. } = &mut self.phase {
                    *again = now + LONG_AGAIN;
                }
                return self.say(self.config.splitter, &Message::Goodbye);
            }
            self.begin_anew();
            self.proofs.learn(own, channel);
        }
        self.phase = Phase::Member { me, joined: now, time };
        let (count, highest) = (u64::from(stripes), self.highest);
        let stripe = |at| match highest {
            0 => Stripe::new(now),
            highest => Stripe::of_channel(now, at, count, highest),
        };
        self.stripes = (0..count).map(stripe).collect();
        self.probe = None;
        self.alive = now;
        self.flows_again(now);
        self.stats.joins += 1;
        self.out.push_back(Output::Event(Event::Joined));
        self.prove(now);
        self.offer(now);
        self.miss_what_is_on_its_way(now);
        if !self.head.told && head > 0 {
            self.head = Head { wanted: head, ..Head::default() };
            self.want_head(now);
        }
    }

    /// What was on its way to it in another team of the channel will not come from there any more: asked for as soon as there
    /// are parents.
    fn miss_what_is_on_its_way(&mut self, now: Instant) {
        let Some(next) = self.playout.next() else { return };
        let gone = (next..self.highest).filter(|number| !self.playout.has(*number)).take(MOST_GAP);
        gone.for_each(|number| self.missing.note(now + AGAIN, number));
    }

    /// The splitter is another than before: nothing of the old stream belongs to its own.
    pub(super) fn begin_anew(&mut self) {
        self.proofs = Proofs::new(self.config.key);
        self.missing = Missing::default();
        self.playout = Playout::new(self.config.patience);
        self.recent.clear();
        self.rebuild = Rebuild::default();
        self.head = Head::default();
        self.highest = 0;
    }
}
