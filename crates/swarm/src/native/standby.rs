//! A splitter that stands by for another: follows its stream and its team, and goes on when it dies.
//!
//! It has the other's key, and the same source. Of every group the other tells it the lengths and the root, so that it
//! finds the very same chunks in its own bytes, with the same numbers and signatures. When the other is silent for
//! [`DEAD`] it tells the members, who come along if they hear nothing either, and deals what comes next. Nobody's
//! numbers change, and no player notices more than a pause.

mod tape;

use super::{
    splitter::{Config, Event, Splitter, Stats, TeamMember},
    wire::{
        Message, Refusal,
        standby::{Group, HIDDEN, Word, standby_statement, take_over_statement},
    },
};
use bytes::Bytes;
use levada_link::{Chance, Door, Guarded, Input, Machine, Output, Transmit, guarded::PublicKey};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};
use tape::Tape;

/// A splitter that stands by.
pub struct Standby {
    /// What it becomes; without members until then.
    splitter: Splitter,
    primary: SocketAddr,
    phase: Phase,
    tape: Tape,
    /// The other's members, and how many times a stripe each can upload: at most [`MOST`].
    roster: BTreeMap<SocketAddr, u16>,
    /// How the other sees it.
    me: SocketAddr,
    chance: Chance,
    out: VecDeque<Output<Event>>,
    tick: Instant,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Has not been accepted, or not heard, yet.
    Asking { nonce: u64, again: Instant },
    /// The other lives; when it was heard last, and when it is shown next that this one lives.
    Following { heard: Instant, shows: Instant },
    /// The other is dead since then. Deals once most members are here.
    Leading { since: Instant, dealing: bool },
}

impl Standby {
    /// Stands by for the splitter at `primary`, whose key is in `config`.
    pub fn new(now: Instant, config: Config, primary: SocketAddr, seed: u64) -> Standby {
        let mut chance = Chance::new(seed, 6);
        let nonce = chance.bits();
        Standby {
            me: config.here,
            splitter: Splitter::new(now, config),
            primary,
            phase: Phase::Asking { nonce, again: now },
            tape: Tape::default(),
            roster: BTreeMap::new(),
            chance,
            out: VecDeque::new(),
            tick: now,
        }
    }

    /// See [`Splitter::set_head`].
    pub fn set_head(&mut self, head: Bytes) {
        self.splitter.set_head(head);
    }

    /// Takes the next bytes of the source: the same as the other's, however late and however cut.
    pub fn feed(&mut self, now: Instant, entry: bool, bytes: &[u8]) {
        match self.phase {
            Phase::Leading { dealing: true, .. } if !self.tape.waits() => {
                self.splitter.feed(now, entry, bytes)
            }
            _ => {
                self.tape.push(entry, bytes);
                self.wind(now);
            }
        }
    }

    /// Whether it deals.
    pub fn leads(&self) -> bool {
        matches!(self.phase, Phase::Leading { .. })
    }

    /// The splitter that it is, or becomes.
    pub fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    /// The same, to tell it something.
    pub fn splitter_mut(&mut self) -> &mut Splitter {
        &mut self.splitter
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        self.splitter.stats()
    }

    /// Its team, once it leads.
    pub fn members(&self) -> Vec<TeamMember> {
        self.splitter.members()
    }

    /// The members of the splitter that it follows, as far as it knows them.
    pub fn follows(&self) -> usize {
        self.roster.len()
    }

    /// As if it had never heard of a member.
    #[cfg(test)]
    pub(super) fn forget(&mut self, member: SocketAddr) {
        self.roster.remove(&member);
    }

    fn hear(&mut self, now: Instant, word: Word) {
        match (word, &mut self.phase) {
            (Word::Accepted { nonce: said, you, time, stripes, salt }, Phase::Asking { nonce, .. })
                if said == *nonce =>
            {
                self.me = you;
                self.splitter.take_after(now, time, stripes, salt);
                self.phase = Phase::Following { heard: now, shows: now };
                self.out.push_back(Output::Event(Event::StandsBy(you)));
            }
            (_, Phase::Asking { .. }) => {}
            (word, Phase::Following { heard, .. }) => {
                *heard = now;
                self.learn(now, word);
            }
            // It lives after all, and nobody came along: as before.
            (word, Phase::Leading { .. }) if self.splitter.stats().peers == 0 => {
                self.phase = Phase::Following { heard: now, shows: now };
                self.learn(now, word);
            }
            (_, Phase::Leading { .. }) => {}
        }
    }

    fn learn(&mut self, now: Instant, word: Word) {
        match word {
            Word::Ledger(groups) => {
                let veil = self.splitter.veil();
                for group in groups {
                    let mark = veil.over(group.first | HIDDEN, group.mark);
                    self.tape.note(Group { mark, ..group });
                }
                self.wind(now);
            }
            Word::Roster(members) => {
                let room = MOST.saturating_sub(self.roster.len());
                self.roster.extend(members.into_iter().take(room.max(1)));
            }
            Word::Gone(member) => drop(self.roster.remove(&member)),
            _ => {}
        }
    }

    /// Finds in the source what the other dealt, and deals the rest where that is this one's turn.
    fn wind(&mut self, now: Instant) {
        let (key, veil) = (self.splitter.key(), self.splitter.veil());
        while let Some((first, chunks)) = self.tape.group(key, &veil) {
            self.splitter.replay(now, first, chunks);
        }
        if !matches!(self.phase, Phase::Leading { dealing: true, .. }) || self.tape.waits() {
            return;
        }
        let (seamless, pieces) = self.tape.rest();
        if !seamless {
            self.splitter.skip_to(self.tape.next());
        }
        for (entry, bytes) in pieces {
            self.splitter.feed(now, entry, &bytes);
        }
    }

    /// The other is dead: tells its members.
    fn take_over(&mut self, now: Instant) {
        self.phase = Phase::Leading { since: now, dealing: false };
        self.out.push_back(Output::Event(Event::TookOver(self.roster.len())));
        self.call(now);
    }

    /// Calls the members that are not here yet.
    fn call(&mut self, now: Instant) {
        let (standby, time) = (self.me, self.splitter.seconds(now));
        let signature = self.splitter.sign(&take_over_statement(standby, time));
        let bytes = Message::Standby(Word::TakeOver { standby, time, signature }).write();
        let missing = self.roster.keys().filter(|member| !self.splitter.has(**member));
        let calls = missing.map(|to| Output::Send(Transmit::Datagram { to: *to, bytes: bytes.clone() }));
        self.out.extend(calls);
    }

    fn wake(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Asking { nonce, again } if *again <= now => {
                (*nonce, *again) = (self.chance.bits(), now + AGAIN);
                let hello = Message::Hello { nonce: *nonce };
                self.say(&hello);
            }
            Phase::Asking { .. } => {}
            Phase::Following { heard, .. } if now.saturating_duration_since(*heard) >= DEAD => {
                self.take_over(now);
            }
            Phase::Following { shows, .. } if *shows <= now => {
                *shows = now + SHOWS;
                self.say(&Message::Standby(Word::Follows));
            }
            Phase::Following { .. } => {}
            Phase::Leading { since, dealing } => {
                let led = now.saturating_duration_since(*since);
                let all = self.splitter.stats().peers >= self.roster.len();
                if !*dealing && (all || led >= GATHER) {
                    *dealing = true;
                    self.wind(now);
                } else if led >= GIVE_UP && self.tape.waits() {
                    self.tape.give_up();
                    self.wind(now);
                }
                if led < CALLS {
                    self.call(now);
                }
            }
        }
        if self.tick <= now {
            self.tick = now + TICK;
        }
    }

    fn say(&mut self, message: &Message) {
        let (to, bytes) = (self.primary, message.write());
        self.out.push_back(Output::Send(Transmit::Datagram { to, bytes }));
    }

    /// What is for it and not for the splitter that it becomes.
    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) -> bool {
        match Message::read(bytes) {
            Some(Message::Cookie { nonce: said, cookie, .. }) if from == self.primary => {
                if let Phase::Asking { nonce, .. } = self.phase
                    && nonce == said
                {
                    let signature = self.splitter.sign(&standby_statement(nonce, &cookie));
                    self.say(&Message::Standby(Word::StandBy { nonce, cookie, signature }));
                }
                true
            }
            Some(Message::Refused { nonce: said, why: Refusal::Version(version) })
                if from == self.primary =>
            {
                if matches!(self.phase, Phase::Asking { nonce, .. } if nonce == said) {
                    self.out.push_back(Output::Event(Event::OtherVersion(version)));
                }
                true
            }
            Some(Message::Standby(Word::Followed)) => {
                let slots = self.roster.get(&from).copied().filter(|_| self.leads());
                if let Some(slots) = slots.filter(|_| !self.splitter.has(from)) {
                    self.splitter.adopt(now, from, slots);
                }
                true
            }
            Some(Message::Standby(word)) if from == self.primary => {
                self.hear(now, word);
                true
            }
            // Nobody joins here as long as there is another.
            _ => !self.leads(),
        }
    }
}

impl Guarded for Standby {
    fn encrypts(&self) -> bool {
        self.splitter.encrypts()
    }

    fn is_open(&self, datagram: &Bytes) -> bool {
        self.splitter.is_open(datagram)
    }

    fn door(&self, from: SocketAddr) -> Door {
        self.splitter.door(from)
    }

    fn admits(&mut self, address: SocketAddr, key: &PublicKey) -> bool {
        let is_primary = address == self.primary;
        // Who stands by for a splitter has its key.
        let is_welcome = !is_primary || *key == self.splitter.key().to_bytes();
        is_welcome && self.splitter.admits(address, key)
    }

    fn parted(&mut self, address: SocketAddr) {
        self.splitter.parted(address);
    }
}

impl Machine for Standby {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => {
                if !self.receive(now, from, &bytes) {
                    self.splitter.handle(now, Input::Datagram { from, bytes });
                }
            }
            Input::Stream { .. } => {}
            Input::Wake => {
                self.wake(now);
                self.splitter.handle(now, Input::Wake);
            }
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        match self.splitter.poll(now) {
            Output::Wait(until) => {
                let due = until.map_or(self.tick, |until| until.min(self.tick));
                Output::Wait(Some(due.max(now)))
            }
            output => output,
        }
    }
}

const TICK: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(500);
/// How often the other is shown that this one lives.
const SHOWS: Duration = Duration::from_millis(300);
/// Five signs of life missed.
pub const DEAD: Duration = Duration::from_millis(600);
/// So long members have to come along before anything is dealt.
const GATHER: Duration = Duration::from_millis(300);
/// Who did not come along after so long will not.
const CALLS: Duration = Duration::from_secs(5);
/// What the other dealt and is not in the source by then never will be.
const GIVE_UP: Duration = Duration::from_secs(1);
const MOST: usize = 200_000;
