//! A peer whose splitter has another that goes on when it dies.

use super::*;
use crate::native::wire::standby::{Word, heir_statement, take_over_statement};

impl Peer {
    pub(super) fn hear_standby(&mut self, now: Instant, from: SocketAddr, word: &Word) {
        match word {
            Word::StandsBy { standby, signature }
                if from == self.config.splitter
                    && self.proofs.verify(&heir_statement(*standby), signature) =>
            {
                self.standby = Some(*standby);
            }
            Word::TakeOver { standby, time, signature } if *standby == from => {
                self.come_along(now, from, *time, signature);
            }
            _ => {}
        }
    }

    /// Somebody says that the splitter is dead, and can prove to be its heir. It is believed where nothing is heard.
    fn come_along(&mut self, now: Instant, from: SocketAddr, said: u32, signature: &[u8; 64]) {
        let Phase::Member { joined, time, .. } = self.phase else { return };
        let clock = time + now.saturating_duration_since(joined).as_secs() as u32;
        if clock.abs_diff(said) > CLOCKS_DIFFER
            || !self.proofs.verify(&take_over_statement(from, said), signature)
        {
            return;
        }
        let dead = self.config.splitter;
        if dead != from {
            if now.saturating_duration_since(self.flows) < STILL {
                return;
            }
            self.config.splitter = from;
            self.standby = None;
            self.out.push_back(Output::Event(Event::TakenOver(from)));
            // The stream pauses meanwhile.
            self.flows_again(now);
            for stripe in &mut self.stripes {
                if let Some((parent, _)) = stripe.parent.as_mut().filter(|(parent, _)| *parent == dead) {
                    *parent = from;
                }
            }
        }
        self.say(from, &Message::Standby(Word::Followed));
    }

    /// Where it knocks next: in turn at the splitter's, and where it knows who stands by for that one, there; there first
    /// where a bridge gave no sign of life.
    pub(super) fn door(&self, tries: u32) -> SocketAddr {
        let turn = tries + u32::from(self.probe.is_some_and(|probe| !probe.answered));
        self.standby.filter(|_| turn.is_multiple_of(2)).unwrap_or(self.config.splitter)
    }

    /// Who answers from where the heir is has taken over.
    pub(super) fn answered(&mut self, from: SocketAddr) {
        if self.standby == Some(from) {
            (self.config.splitter, self.standby) = (from, None);
            self.out.push_back(Output::Event(Event::TakenOver(from)));
        }
    }

    /// Where nothing comes from a bridge it may be dead, and another team of the channel is near: asks it for a sign of
    /// life. Whether there is none.
    pub(super) fn is_bridge_dead(&mut self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.flows);
        if quiet < DOUBTS || self.standby.is_none() || !self.proofs.of_bridge() {
            self.probe = None;
            return false;
        }
        let (nonce, since, answered) = match self.probe {
            Some(Probe { nonce, since, answered }) => (nonce, since, answered),
            None => (self.chance.bits(), now, false),
        };
        self.probe = Some(Probe { nonce, since, answered });
        let asked = now.saturating_duration_since(since);
        if !answered && asked < BELIEVES {
            self.say(self.config.splitter, &Message::Hello { nonce });
        }
        !answered && asked >= BELIEVES
    }

    /// A splitter answered that was asked whether it lives.
    pub(super) fn probe_answered(&mut self, said: u64) -> bool {
        let probe = self.probe.as_mut().filter(|probe| probe.nonce == said);
        probe.map(|probe| probe.answered = true).is_some()
    }

    /// How long nothing may come before it knocks at doors again.
    pub(super) fn forgotten(&self) -> Duration {
        if self.standby.is_some() && !self.proofs.of_bridge() { FORGOTTEN / 2 } else { FORGOTTEN }
    }
}

/// A question whether a bridge lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    nonce: u64,
    since: Instant,
    answered: bool,
}

/// Nothing came for so long: then a bridge is asked whether it lives, at every tick.
const DOUBTS: Duration = Duration::from_millis(600);
/// So long it has to answer.
const BELIEVES: Duration = Duration::from_millis(350);
/// In seconds.
const CLOCKS_DIFFER: u32 = 10;
/// Nothing came for so long: then a splitter may be dead.
const STILL: Duration = Duration::from_millis(300);
