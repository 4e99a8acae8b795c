//! The native peer: joins, checks what it gets, passes it on down its stripes, asks for what is missing, and plays.

mod ask;
mod cap;
mod carry;
mod head;
mod join;
mod keys;
mod lan;
mod links;
mod missing;
mod monitor;
mod moved;
mod neighbors;
mod proof;
mod read;
mod rebuild;
mod standby;
mod stats;
mod ways;

use super::{
    home::Home,
    pass::{Pass, Veil},
    playout::{Next, Playout},
    ring::Ring,
    seal::{Key, Seal},
    wire::{ENTRY, LONGEST, Message, NONE, Refusal, Sealed, Ticket, lan as lan_wire},
};
use bytes::{Bytes, BytesMut};
use cap::Cap;
use carry::Carry;
pub(in crate::native) use carry::{Carried, Upstream};
use head::Head;
use keys::Keys;
use lan::Lan;
use levada_link::{Bitrate, Chance, Input, Machine, Output};
use links::{Children, Stripe};
use missing::Missing;
pub use neighbors::Links;
use proof::Proofs;
use rebuild::Rebuild;
use standby::Probe;
pub use stats::Stats;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};
use ways::Introduced;

/// What a native peer needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the splitter is.
    pub splitter: SocketAddr,
    /// How many times one stripe it can upload: ten are 1.25 times a stream of eight.
    pub slots: u16,
    /// The most that it uploads, in any second and with all headers; as much as its `slots` ask for. A few datagrams go out
    /// at the least, 32 kbit/s.
    pub upload: Option<Bitrate>,
    /// How long a missing chunk is waited for before it is lost.
    pub patience: Duration,
    /// The chunks that came last, kept for who misses them or comes later.
    pub kept: usize,
    /// The splitter's key, where it is known already; else the first one told is believed.
    pub key: Option<Key>,
    /// What lets it into a private team.
    pub pass: Option<Pass>,
    /// What it proves with that it is a monitor, where it is one: it is less patient then, and tells what it loses.
    pub monitor: Option<Seal>,
    /// The group that its network has for the team ([`group`](super::wire::lan::group)), where it shall use one. What is
    /// heard there goes to [`Peer::heard_on_lan`].
    pub lan: Option<SocketAddr>,
    /// Whether it rebuilds missing chunks from parity, where the splitter deals that; it does.
    pub rebuilds: bool,
    /// Where it is in its own network: told to the splitter, where that is a private address, for those of the team who are
    /// behind the same NAT.
    pub near: Option<SocketAddr>,
    /// How it behaves: for simulations.
    pub conduct: Conduct,
    /// Whether what it says is encrypted.
    pub encrypt: Encrypt,
}

/// Whether a peer encrypts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encrypt {
    /// Where the team does.
    #[default]
    AsTheTeam,
    /// It joins only teams that do.
    Always,
    /// It joins only teams that do not.
    Never,
}

/// How a peer behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// By the rules.
    #[default]
    Honest,
    /// Passes nothing on.
    FreeRider,
    /// Passes on forged chunks.
    Polluter,
}

/// What it tells the program around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is in the team.
    Joined,
    /// What comes before the first chunk.
    Head(Bytes),
    /// The next chunk, the first of them one at which a player may begin.
    Play(u64, Bytes),
    /// One that did not come.
    Lost(u64),
    /// The splitter is dead, and this one goes on.
    TakenOver(SocketAddr),
    /// It is not let in: for want of a token, or for its version, which ends it; or of room, and it will try again.
    Refused(Refusal),
    /// The team encrypts and this peer shall not, or the other way round; it will try again.
    OtherTransport,
    /// It has left.
    Left,
}

/// A native peer.
pub struct Peer {
    config: Config,
    phase: Phase,
    chance: Chance,
    stripes: Vec<Stripe>,
    children: Children,
    proofs: Proofs,
    missing: Missing,
    playout: Playout,
    /// The chunks that came last, for who misses them: as many as configured, the oldest leave first.
    recent: Ring<Bytes>,
    rebuild: Rebuild,
    /// Where it has one.
    cap: Option<Cap>,
    introduced: Introduced,
    /// Who of the team is behind the same NAT.
    home: Home,
    keys: Keys,
    head: Head,
    highest: u64,
    /// Where a player may begin, as the splitter said at the door.
    entry: u64,
    /// Who goes on if the splitter dies.
    standby: Option<SocketAddr>,
    /// Whether its splitter, a bridge, was asked for a sign of life.
    probe: Option<Probe>,
    /// What chunks are hidden under in a private team.
    veil: Veil,
    lan: Option<Lan>,
    /// Of one half of a bridge: what the other half takes.
    carry: Option<Carry>,
    /// What the splitter can do beside the rules.
    splitter_skills: u16,
    /// Of a monitor: what it lost and has not told yet. Emptied at every tick.
    losses: Vec<u64>,
    flows: Instant,
    tick: Instant,
    alive: Instant,
    /// When it next tells how it goes.
    reports: Instant,
    /// When its parents were shown last that it lives.
    kept: Instant,
    out: VecDeque<Output<Event>>,
    stats: Stats,
}

enum Phase {
    /// Says hello, or has a cookie and joins; tries again at this time.
    Joining {
        nonce: u64,
        cookie: Option<[u8; 16]>,
        again: Instant,
        tries: u32,
    },
    Member {
        me: SocketAddr,
        joined: Instant,
        time: u32,
    },
    Left,
}

impl Config {
    /// A peer of the team of `splitter` that uploads up to 1.25 times the stream.
    pub fn new(splitter: SocketAddr) -> Config {
        let patience = Duration::from_millis(1_200);
        let (key, pass, monitor, lan, near) = (None, None, None, None, None);
        let (conduct, encrypt) = (Conduct::Honest, Encrypt::AsTheTeam);
        let (slots, kept, rebuilds, upload) = (10, 512, true, None);
        Config {
            splitter,
            slots,
            upload,
            patience,
            kept,
            key,
            pass,
            monitor,
            lan,
            rebuilds,
            near,
            conduct,
            encrypt,
        }
    }
}

impl Peer {
    /// A peer that joins when it is first woken.
    pub fn new(now: Instant, mut config: Config, seed: u64) -> Peer {
        if config.monitor.is_some() {
            config.patience /= 2;
        }
        let mut chance = Chance::new(seed, 2);
        let nonce = chance.bits();
        Peer {
            phase: Phase::Joining { nonce, cookie: None, again: now, tries: 0 },
            chance,
            stripes: Vec::new(),
            children: Children::default(),
            proofs: Proofs::new(config.key),
            missing: Missing::default(),
            playout: Playout::new(config.patience),
            recent: Ring::new(config.kept),
            rebuild: Rebuild::default(),
            cap: config.upload.map(|limit| Cap::new(now, limit, config.slots)),
            introduced: Introduced::default(),
            home: Home::default(),
            keys: Keys::default(),
            head: Head::default(),
            highest: 0,
            entry: NONE,
            standby: None,
            probe: None,
            veil: Veil::default(),
            lan: config.lan.map(|group| Lan::new(now, group)),
            carry: None,
            splitter_skills: 0,
            losses: Vec::new(),
            flows: now,
            tick: now,
            alive: now,
            reports: now,
            kept: now,
            out: VecDeque::new(),
            stats: Stats::default(),
            config,
        }
    }

    /// Leaves: tells the splitter and its parents.
    pub fn leave(&mut self) {
        if matches!(self.phase, Phase::Member { .. }) {
            self.say(self.config.splitter, &Message::Goodbye);
            for stripe in 0..self.stripes.len() {
                self.unsubscribe(stripe);
            }
        }
        if !matches!(self.phase, Phase::Left) {
            self.phase = Phase::Left;
            self.out.push_back(Output::Event(Event::Left));
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        Stats { checked: self.proofs.checked, ..self.stats }
    }

    /// Its children over all stripes.
    pub fn children(&self) -> usize {
        self.children.len()
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) {
        self.stats.received_bytes += bytes.len() as u64;
        if let Some(number) = Sealed::number(bytes) {
            if !self.is_known(now, from, number)
                && let Some(sealed) = Sealed::of(bytes)
            {
                self.receive_chunk_and_flood(now, from, sealed, bytes);
            }
            return;
        }
        let Some(message) = Message::read(bytes) else { return };
        let from_splitter = from == self.config.splitter;
        match message {
            Message::Cookie { nonce, cookie, capabilities }
                if from_splitter || self.standby == Some(from) =>
            {
                self.bring_back(now, from, (nonce, cookie), capabilities);
            }
            Message::Standby(word) => self.hear_standby(now, from, &word),
            Message::Refused { nonce, why } if from_splitter => self.refused(now, nonce, why),
            Message::Welcome { nonce, you, time, key, stripes, head, entry, salt, skills, channel }
                if from_splitter =>
            {
                (self.entry, self.splitter_skills) = (entry, skills);
                self.veil = Veil::of(self.config.pass.as_ref(), &salt);
                self.carry.iter_mut().for_each(|carry| carry.salt = salt);
                self.join_team(now, nonce, (you, time), (&key, channel.as_ref()), stripes, head as usize);
            }
            Message::Parent { stripe, parent, ticket, who } if from_splitter => {
                self.keys.learn(parent, who);
                self.accept_parent(now, stripe.into(), parent, ticket);
            }
            Message::HeadPart { from: at, total, bytes } if from_splitter => {
                self.take_head(now, at, total, &bytes)
            }
            Message::HeadIs(word) if from_splitter => self.hear_head_word(now, word),
            Message::Subscribe { stripe, ticket } => self.accept_neighbor(now, from, stripe, &ticket),
            Message::Unsubscribe { stripe } => self.children.remove(stripe, from),
            Message::Introduce { child, token, who } if from_splitter => {
                self.keys.learn(child, who);
                self.introduced(now, child, token);
            }
            Message::Near { member, at } if from_splitter => self.comes_near(member, at),
            Message::Punch { token } => self.punched(from, token),
            Message::Keep { stripes } => self.children.keep(now, from, stripes),
            Message::Lan(lan_wire::Word::Mute { stripes }) => self.children.mute(from, stripes),
            Message::Parity(parity) => self.take_parity(now, from, parity, bytes),
            Message::Nack(numbers) => self.give(now, from, &numbers),
            Message::Move { to, key, until, signature } if from_splitter => {
                self.move_on(now, to, &key, until, &signature);
            }
            Message::Backlog { stripe, from: at } => self.give_backlog(now, from, stripe, at),
            _ => {}
        }
    }

    /// Something came, or will soon: what is missed since nothing did is not late for that.
    fn flows_again(&mut self, now: Instant) {
        self.playout.pause(now.saturating_duration_since(self.flows).saturating_sub(PAUSE));
        self.flows = now;
    }

    /// A chunk that was here before is counted, and shows that who sent it lives.
    fn is_known(&mut self, now: Instant, from: SocketAddr, number: u64) -> bool {
        let known = self.recent.get(number).is_some() || self.playout.has(number);
        let stripes = self.stripes.len() as u64;
        if known && let Some(stripe) = number.checked_rem(stripes) {
            self.stats.duplicates += 1;
            self.stripes[stripe as usize].note(now, from, number, self.highest);
        }
        known
    }

    /// RECEIVE_CHUNK_AND_FLOOD: what is the splitter's and new goes to the children of its stripe, and is played.
    fn receive_chunk_and_flood(&mut self, now: Instant, from: SocketAddr, sealed: Sealed, bytes: &Bytes) {
        if self.stripes.is_empty() {
            return;
        }
        let number = sealed.number;
        let stripe = (number % self.stripes.len() as u64) as usize;
        if sealed.hops >= MOST_HOPS || !self.proofs.check(&sealed) {
            self.stats.forged += 1;
            self.stripes.iter_mut().for_each(|stripe| stripe.accuse(from));
            return;
        }
        self.stats.received += 1;
        self.stats.hops = self.stats.hops.max(sealed.hops);
        self.flows_again(now);
        self.settle(stripe, from);
        let was_fresh = self.stripes[stripe].fresh;
        let before = self.stripes[stripe].note(now, from, number, self.highest);
        if was_fresh && !self.stripes[stripe].fresh {
            self.want_backlog(now, stripe);
        }
        self.missing.found(number);
        if let Some(before) = before {
            let step = self.stripes.len();
            (before..number)
                .step_by(step)
                .skip(1)
                .take(MOST_GAP)
                .for_each(|gone| self.missing.note(self.asks_at(now, gone), gone));
        }
        self.highest = self.highest.max(number);
        self.flood(now, stripe as u8, from, bytes);
        self.cast(stripe as u8, bytes);
        self.hand_over(&sealed, bytes);
        let data = self.veil.over(number, sealed.data);
        self.playout.put(now, number, sealed.flags & ENTRY != 0, data);
        self.recent.put(number, bytes.clone());
        self.rebuild_with(now, number);
        self.play(now);
    }

    fn flood(&mut self, now: Instant, stripe: u8, from: SocketAddr, bytes: &Bytes) {
        if self.config.conduct == Conduct::FreeRider {
            return;
        }
        let children = self.children.give(now, stripe, from);
        if children.is_empty() {
            return;
        }
        let bytes = self.as_it_goes_on(bytes);
        children.into_iter().for_each(|child| self.pass_on(child, bytes.clone()));
    }

    fn as_it_goes_on(&self, bytes: &Bytes) -> Bytes {
        match self.config.conduct {
            Conduct::Polluter => Sealed::forged(bytes),
            Conduct::Honest | Conduct::FreeRider => Sealed::passed_on(bytes),
        }
    }

    fn play(&mut self, now: Instant) {
        if !self.head.told {
            if !self.has_head() {
                return;
            }
            self.head.told = true;
            if std::mem::take(&mut self.head.wanted) > 0 {
                let head = self.head.got.split().freeze();
                self.out.push_back(Output::Event(Event::Head(head)));
            }
        }
        // Nothing is late while nothing comes at all.
        let clock = now.min(self.flows + PAUSE);
        while let Some(next) = self.playout.poll(clock) {
            let event = match next {
                Next::Chunk(number, data) => {
                    self.stats.played += 1;
                    Event::Play(number, data)
                }
                Next::Lost(number) => {
                    self.stats.lost += 1;
                    self.missing.found(number);
                    if self.config.monitor.is_some() {
                        self.losses.push(number);
                    }
                    Event::Lost(number)
                }
            };
            self.out.push_back(Output::Event(event));
        }
    }

    fn wake(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Left => {}
            Phase::Joining { nonce, cookie, again, tries } if *again <= now => {
                *tries += 1;
                // A cookie is good for a while; whoever gets no answer to it begins again.
                if *tries % 4 == 0 {
                    *cookie = None;
                }
                *again = now + AGAIN * (*tries).min(8);
                let (nonce, tries) = (*nonce, *tries);
                match *cookie {
                    Some(cookie) => self.knock(nonce, cookie),
                    None => self.say(self.door(tries), &Message::Hello { nonce }),
                }
            }
            Phase::Joining { .. } => {}
            Phase::Member { .. } if self.tick <= now => self.look_around(now),
            Phase::Member { .. } => {
                self.ask(now);
                self.play(now);
            }
        }
    }

    fn look_around(&mut self, now: Instant) {
        self.tick = now + TICK;
        if self.is_bridge_dead(now) || now.saturating_duration_since(self.flows) >= self.forgotten() {
            // The splitter is another by now, or knows this peer no longer.
            let nonce = self.chance.bits();
            self.phase = Phase::Joining { nonce, cookie: None, again: now, tries: 0 };
            self.stripes.clear();
            return self.wake(now);
        }
        if self.head.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= AGAIN) {
            self.want_head(now);
        }
        let stripes = self.stripes.len() as u64;
        let highest = self.highest;
        let silent = |stripe: &Stripe| stripe.is_silent(now, highest, stripes);
        let missing = (0..)
            .zip(&self.stripes)
            .filter(|(_, stripe)| silent(stripe))
            .fold(0, |bits, (at, _)| bits | 1u64 << at);
        let due = now.saturating_duration_since(self.alive);
        // The splitter is to notice soon if one dies on whom a whole stripe hangs.
        let is_root = self.stripes.iter().any(|stripe| stripe.is_from(self.config.splitter));
        let often = if is_root { ALIVE_AT_THE_TOP } else { ALIVE };
        if due >= often || missing != 0 && due >= COMPLAIN {
            self.alive = now;
            let fresh = (0..).zip(&self.stripes).filter(|(_, stripe)| stripe.fresh);
            let waiting = fresh.fold(0, |bits, (at, _)| bits | 1u64 << at);
            self.say(self.config.splitter, &Message::Alive { missing, waiting });
        }
        if now.saturating_duration_since(self.kept) >= KEEP {
            self.kept = now;
            self.keep_parents();
        }
        for stripe in 0..self.stripes.len() {
            self.take_turns(now, stripe);
            let known = &self.stripes[stripe];
            if known.fresh || known.is_forgotten(now, highest, stripes) {
                self.subscribe(stripe);
            }
        }
        self.children.forget_silent(now);
        self.look_around_lan(now);
        self.punch(now);
        self.report(now);
        let late = |stripe: &Stripe| stripe.may_be_late(now, highest, stripes);
        let soonest = self.stripes.iter().map(late).min().unwrap_or_default();
        if let Some(next) = self.playout.next().filter(|next| next.saturating_add(soonest) <= highest) {
            // What no later chunk of its stripe tells is noticed by the other stripes.
            let stripe = |number: u64| self.stripes.get(number.checked_rem(stripes)? as usize);
            let should_be_here = |number: u64| {
                stripe(number).is_some_and(|stripe| number.saturating_add(late(stripe)) <= highest)
            };
            let gone: Vec<_> = (next..highest.max(next))
                .filter(|number| should_be_here(*number) && !self.playout.has(*number))
                .take(MOST_GAP)
                .collect();
            gone.into_iter().for_each(|number| self.missing.note(self.asks_at(now, number), number));
        }
        self.ask(now);
        self.play(now);
        self.complain();
    }

    fn say(&mut self, to: SocketAddr, message: &Message) {
        self.send(to, message.write());
    }
}

impl Machine for Peer {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        self.fill_cap(now);
        match input {
            Input::Datagram { from, bytes } if !matches!(self.phase, Phase::Left) => {
                self.receive(now, from, &bytes)
            }
            Input::Datagram { .. } | Input::Stream { .. } => {}
            Input::Wake => self.wake(now),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        self.fill_cap(now);
        self.out.pop_front().unwrap_or_else(|| {
            let due = match &self.phase {
                Phase::Joining { again, .. } => Some(*again),
                Phase::Member { .. } => {
                    Some(self.missing.soonest().map_or(self.tick, |ask| ask.min(self.tick)))
                }
                Phase::Left => None,
            };
            let due = [due, self.cap_due()].into_iter().flatten().min();
            Output::Wait(due.map(|due| due.max(now)))
        })
    }

    fn read_ahead(&self, step: u32, datagram: Option<&Bytes>) -> u64 {
        self.read(step, datagram)
    }
}

const TICK: Duration = Duration::from_millis(100);
/// How often a member shows its parents that it lives.
const KEEP: Duration = Duration::from_millis(650);
/// How often a member shows the splitter that it lives.
const ALIVE: Duration = Duration::from_millis(300);
/// The same of one that the splitter feeds.
const ALIVE_AT_THE_TOP: Duration = Duration::from_millis(100);
/// How soon it complains of a silent parent after that.
const COMPLAIN: Duration = Duration::from_millis(100);
/// How often a member tells how it goes.
const REPORTS: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(200);
/// How soon it asks for room again where there was none.
const LONG_AGAIN: Duration = Duration::from_secs(2);
/// A stream from which nothing came for so long has another splitter.
const FORGOTTEN: Duration = Duration::from_secs(3);
/// Where nothing at all came for so long the stream pauses; groups of slow ones are nearly as long.
const PAUSE: Duration = Duration::from_millis(450);
const MOST_HOPS: u8 = 64;
const MOST_GAP: usize = 64;
const SPARE_SLOTS: usize = 4;
/// A question for the head is answered with so many parts of it.
const HEAD_PARTS: usize = 8;
const LONGEST_HEAD: usize = 1 << 20;
/// Chunks given for one message.
const GIVEN: usize = 16;
