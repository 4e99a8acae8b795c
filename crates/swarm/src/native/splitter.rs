//! The native splitter: proves addresses, gives parents, seals chunks, and deals the stripes.

mod bridge;
mod monitors;
mod parity;
mod repair;
mod standby;
mod team;
mod trust;
mod upload;

use super::{
    home::is_private,
    pass::{NO_PROOF, Pass, Veil},
    ring::Ring,
    seal::{self, Key, Seal},
    trees::{Move, Parent, Trees},
    wire::{
        BRIDGES, ENCRYPTED, ENTRY, GROUP, LONGEST, Message, NONE, Refusal, Sealed, Ticket, VERSION,
        bridge::HeadWord, is_open, lan,
    },
};
use bridge::Carries;
use bytes::Bytes;
use levada_link::{Door, Guarded, Input, Machine, Output, Percent, Transmit, guarded::PublicKey};
use parity::Block;
use serde::Serialize;
use standby::Heir;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};
pub use team::Member as TeamMember;
use team::{Dealt, Said};
use trust::Trust;
use upload::{Offered, Pace};

/// What a native splitter needs to know.
#[derive(Clone)]
pub struct Config {
    /// Where it is, as peers see it; unspecified where it does not know.
    pub here: SocketAddr,
    /// What it signs with.
    pub seal: Seal,
    /// Secret of the cookies.
    pub secret: [u8; 32],
    /// Stripes, 1 to 64.
    pub stripes: u8,
    /// How many peers it feeds in each stripe.
    pub roots: usize,
    /// How long chunks wait for others of their group, 80 ms; sixteen never wait. Longer groups are cheaper to check and to
    /// send, and cost lag and hashes beside each chunk: `thousand.toml`'s peers upload 1.09 with 80 ms and 1.12 with 400.
    pub group_time: Duration,
    /// The most peers.
    pub most_peers: usize,
    /// How many stripes it feeds beside those where nobody else has room; as many as make the stream once more.
    pub spare: usize,
    /// How many stripes it feeds to those whom no parent reaches; eight.
    pub relays: usize,
    /// Whether all but hellos and cookies travels by QUIC.
    pub encrypts: bool,
    /// How much it sends once more to who missed it: one chunk for so many dealt, and a few that it saved up. Whom it
    /// feeds itself gets what it misses beside that.
    pub repair_share: u64,
    /// How much parity it deals beside the stream, of which peers rebuild what they miss; none. At most sixty in a hundred.
    pub fec: Percent,
    /// What members must have, where the team is private.
    pub pass: Option<Pass>,
    /// Whose reports of loss are believed.
    pub monitors: Vec<Key>,
}

impl Config {
    /// The defaults: 8 stripes, each to one peer, groups of 80 ms.
    pub fn new(here: SocketAddr, seal: Seal, secret: [u8; 32]) -> Config {
        let group_time = Duration::from_millis(80);
        Config {
            here,
            seal,
            secret,
            stripes: 8,
            roots: 1,
            group_time,
            most_peers: 20_000,
            spare: 8,
            relays: 8,
            encrypts: false,
            repair_share: 16,
            fec: Percent::ZERO,
            pass: None,
            monitors: Vec::new(),
        }
    }
}

/// What it tells the program around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A peer joined.
    Joined(SocketAddr),
    /// A peer left.
    Left(SocketAddr),
    /// A peer shows no sign of life any longer.
    Died(SocketAddr),
    /// This one goes on if the splitter dies.
    StandsBy(SocketAddr),
    /// It does not any longer.
    StoodDown(SocketAddr),
    /// The splitter died, and this one goes on with so many peers.
    TookOver(usize),
    /// The splitter for which this one would stand by speaks another version of the wire.
    OtherVersion(u8),
}

/// What it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Bytes of the stream.
    pub fed_bytes: u64,
    /// Chunks made of them.
    pub chunks: u64,
    /// Bytes of datagrams sent, all of them.
    pub sent_bytes: u64,
    /// Chunks sent once more to who missed them.
    pub repaired: u64,
    /// Chunks that were asked for beyond the budget, or are gone.
    pub unrepaired: u64,
    /// Parity dealt, in datagrams before they go to several.
    pub parity: u64,
    /// Peers in the team.
    pub peers: usize,
    /// Joins refused: a bad cookie, or too many, or without the team's token, or of another version.
    pub refused: u64,
    /// Chunks that monitors lost.
    pub lost: u64,
    /// Reports of loss, and claims to be a monitor, by who is none.
    pub disbelieved: u64,
    /// New parents given.
    pub moved: u64,
    /// Stripes for which members wait, since nobody has room.
    pub waiting: usize,
    /// How often members were left without children, since nobody heard them.
    pub distrusted: u64,
}

/// The native splitter.
pub struct Splitter {
    config: Config,
    start: Instant,
    trees: Trees,
    members: BTreeMap<SocketAddr, Member>,
    trust: Trust,
    /// Who waits for the first chunk from its parent, since when, and the next number then: at most the members, times the
    /// stripes.
    waits: BTreeMap<(usize, SocketAddr), (Instant, u64)>,
    /// The keys of those who are connected, in an encrypted team: at most the connections.
    shown: BTreeMap<SocketAddr, PublicKey>,
    head: Bytes,
    number: u64,
    /// The newest chunk that a player may begin with.
    entry: u64,
    group: Vec<(u8, Bytes)>,
    group_since: Option<Instant>,
    /// The chunks dealt last, for repairs: at most [`KEPT`], the oldest leave first.
    kept: Ring<Kept>,
    /// What it may repair, in chunks dealt: each repair takes as many as its share says.
    credit: u64,
    dealt: Dealt,
    /// Of which parity is dealt next.
    block: Block,
    pace: Pace,
    heir: Option<Heir>,
    /// Of a bridge: what it carries.
    carries: Option<Carries>,
    /// What the head is, by the channel's key.
    head_word: Option<HeadWord>,
    /// What the stream is hidden with in a private team, and under what.
    salt: [u8; 16],
    veil: Veil,
    out: VecDeque<Output<Event>>,
    tick: Instant,
    stats: Stats,
}

/// A chunk that was dealt, and when it was sent again.
struct Kept {
    bytes: Bytes,
    again: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Member {
    heard: Instant,
    /// How many times a stripe it may give by what it offered.
    slots: u16,
    offered: Offered,
    /// What it can do beside the rules.
    skills: u16,
    /// Whether it proved to be a monitor.
    monitor: bool,
    /// The stripes that it has from elsewhere at present.
    muted: u64,
    /// The stripes of which it wanted for something when it was heard last.
    wants: u64,
    said: Said,
    /// Its key, in an encrypted team.
    who: Option<PublicKey>,
    /// Where it is behind its NAT, where it said that.
    near: Option<SocketAddr>,
}

impl Splitter {
    /// A splitter without a team.
    pub fn new(now: Instant, config: Config) -> Splitter {
        let stripes = config.stripes.clamp(1, 64);
        let mut salt = [0; 16];
        salt.copy_from_slice(&blake3::derive_key("levada swarm 2026 salt", &config.secret)[..16]);
        Splitter {
            veil: Veil::of(config.pass.as_ref(), &salt),
            salt,
            trees: Trees::new(stripes.into(), config.roots.max(1), config.spare).relaying(config.relays),
            config: Config { stripes, ..config },
            start: now,
            members: BTreeMap::new(),
            trust: Trust::default(),
            waits: BTreeMap::new(),
            shown: BTreeMap::new(),
            head: Bytes::new(),
            number: 0,
            entry: NONE,
            group: Vec::new(),
            group_since: None,
            kept: Ring::new(KEPT),
            credit: SAVED * config.repair_share,
            dealt: Dealt::default(),
            block: Block::default(),
            pace: Pace::default(),
            heir: None,
            carries: None,
            head_word: None,
            out: VecDeque::new(),
            tick: now + TICK,
            stats: Stats::default(),
        }
    }

    /// What players get before anything else from now on; at most a mebibyte.
    pub fn set_head(&mut self, head: Bytes) {
        self.head = head.slice(..head.len().min(1 << 20));
        self.sign_head();
    }

    /// Takes the next bytes of the stream; `entry` where a player may begin with them.
    pub fn feed(&mut self, now: Instant, entry: bool, bytes: &[u8]) {
        self.stats.fed_bytes += bytes.len() as u64;
        for (at, part) in bytes.chunks(LONGEST).enumerate() {
            let flags = if entry && at == 0 { ENTRY } else { 0 };
            self.group_since.get_or_insert(now);
            self.group.push((flags, Bytes::copy_from_slice(part)));
            if self.group.len() == GROUP {
                self.deal(now);
            }
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        Stats { peers: self.members.len(), waiting: self.trees.waiting(), ..self.stats }
    }

    /// Seals the group and sends each chunk down its stripe.
    fn deal(&mut self, now: Instant) {
        let since = self.group_since.take();
        let group = std::mem::take(&mut self.group);
        let first = self.number;
        since.iter().for_each(|since| self.dealt.note(first, *since));
        let open = self.heir.as_ref().map(|_| group.clone());
        let veiled = |(at, (flags, data)): (u64, (u8, Bytes))| (flags, self.veil.over(at, data));
        let group: Vec<_> = (first..).zip(group).map(veiled).collect();
        let key = self.config.seal.key();
        let leaves =
            group.iter().enumerate().map(|(at, (flags, data))| key.leaf(first + at as u64, *flags, data));
        let levels = seal::tree(leaves.collect());
        let Some(root) = levels.last().and_then(|top| top.first()) else { return };
        let count = group.len() as u8;
        let root = *root;
        open.iter().for_each(|open| self.tell_ledger(first, root, open));
        let signature = self.config.seal.sign(&seal::statement(first, count, &root));
        for (at, (flags, data)) in group.into_iter().enumerate() {
            let number = first + at as u64;
            let siblings = seal::path(&levels, at);
            let sealed =
                Sealed { number, flags, hops: 0, place: (at as u8, count), siblings, signature, data };
            self.hand_out(now, number, flags, sealed.write(0));
            self.note_for_parity(now, number, flags, sealed.data);
        }
        self.number = first + u64::from(count);
        self.credit = (self.credit + u64::from(count)).min(SAVED * self.config.repair_share);
    }

    /// A chunk goes down its stripe, and is kept for who misses it.
    fn hand_out(&mut self, now: Instant, number: u64, flags: u8, bytes: Bytes) {
        if flags & ENTRY != 0 && (self.entry == NONE || self.entry < number) {
            self.entry = number;
        }
        let stripe = (number % u64::from(self.config.stripes)) as usize;
        let wants =
            |root: &SocketAddr| self.members.get(root).is_none_or(|member| member.muted >> stripe & 1 == 0);
        let roots: Vec<_> = self.trees.roots(stripe).filter(wants).collect();
        roots.into_iter().for_each(|root| self.send(root, bytes.clone()));
        self.stats.chunks += 1;
        self.pace.note(now, bytes.len());
        self.kept.put(number, Kept { bytes, again: None });
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) {
        let Some(message) = Message::read(bytes) else { return };
        match message {
            Message::Hello { nonce } => {
                let cookie = self.cookie(now, from, nonce, 0);
                let encrypts = if self.config.encrypts { ENCRYPTED } else { 0 };
                let capabilities = encrypts | if self.carries.is_some() { BRIDGES } else { 0 };
                self.say(from, &Message::Cookie { nonce, cookie, capabilities });
            }
            Message::Stranger { nonce, .. } => {
                self.stats.refused += 1;
                self.say(from, &Message::Refused { nonce, why: Refusal::Version(VERSION) });
            }
            Message::Join { nonce, cookie, slots, proof, skills, near } => {
                self.join(now, from, (nonce, cookie, proof), slots, skills, near);
            }
            Message::Standby(word) => self.hear_standby(now, from, &word),
            _ if !self.members.contains_key(&from) => {}
            Message::Alive { missing, waiting } => self.alive(now, from, missing, waiting),
            Message::Nack(numbers) => self.repair(now, from, &numbers),
            Message::HeadWanted { from: at } => self.tell_head(from, at as usize),
            Message::Lan(lan::Word::Mute { stripes }) => {
                if let Some(member) = self.members.get_mut(&from) {
                    member.muted = stripes;
                }
            }
            Message::Prove { time, key, signature } => self.prove_monitor(now, from, time, &key, &signature),
            Message::Lost(numbers) => self.hear_losses(now, from, &numbers),
            Message::Offer { slots, upload } => self.hear_offer(now, from, slots, upload),
            Message::Report(report) => self.told_of_itself(now, from, report),
            Message::Backlog { stripe, from: at } => self.tell_backlog(from, stripe.into(), at),
            Message::Elsewhere { member } => self.trees.seen_elsewhere(member, from),
            Message::Goodbye => {
                self.let_go(now, from);
                self.out.push_back(Output::Event(Event::Left(from)));
            }
            _ => {}
        }
    }

    /// SERVE_JOINING_PEERS: whoever brings the cookie back has the address it says; who has no right to be in the team,
    /// or no room there, is told so.
    fn join(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (nonce, cookie, proof): (u64, [u8; 16], [u8; 16]),
        slots: u16,
        skills: u16,
        near: Option<SocketAddr>,
    ) {
        let good = (0..2).any(|age| self.cookie(now, from, nonce, age) == cookie);
        if !good || self.config.encrypts && !self.shown.contains_key(&from) {
            self.stats.refused += 1;
            return;
        }
        let full = self.members.len() >= self.config.most_peers && !self.members.contains_key(&from);
        let may = |pass: &Pass| pass.is_proof(&proof, "join", &[&nonce.to_be_bytes(), &cookie]);
        let refusal = match &self.config.pass {
            Some(_) if proof == NO_PROOF => Some(Refusal::Token),
            Some(pass) if !may(pass) => Some(Refusal::WrongToken),
            _ => full.then_some(Refusal::Full),
        };
        if let Some(why) = refusal {
            self.stats.refused += 1;
            return self.say(from, &Message::Refused { nonce, why });
        }
        let key = self.config.seal.key().to_bytes();
        let (stripes, head) = (self.config.stripes, self.head.len() as u32);
        let time = now.saturating_duration_since(self.start).as_secs() as u32;
        let (entry, salt) = (self.entry, self.salt);
        let (skills_here, channel) = (lan::SKILL | self.parity_skill(), self.channel());
        let welcome = Message::Welcome {
            nonce,
            you: from,
            time,
            key,
            stripes,
            head,
            entry,
            skills: skills_here,
            salt,
            channel,
        };
        self.say(from, &welcome);
        let near = near.filter(|near| is_private(near.ip()) && *near != from);
        self.admit(now, from, slots, skills, near);
        self.tell_heir_of(from, slots);
        self.tell_way_back(from);
    }

    /// Has a member from now on; once more where it was one.
    fn admit(&mut self, now: Instant, member: SocketAddr, slots: u16, skills: u16, near: Option<SocketAddr>) {
        if self.members.contains_key(&member) {
            self.let_go(now, member);
        }
        let (said, who) = (Said::default(), self.shown.get(&member).copied());
        let new = Member {
            heard: now,
            slots,
            offered: Offered::slots(slots),
            skills,
            wants: 0,
            monitor: false,
            muted: 0,
            said,
            who,
            near,
        };
        self.members.insert(member, new);
        near.iter().for_each(|_| self.trees.is_at_home(member));
        let moves = self.trees.add(member, usize::from(slots).min(MOST_SLOTS));
        self.give_parents(now, moves);
        self.out.push_back(Output::Event(Event::Joined(member)));
    }

    /// Tells children their parents; of several for one and the same, the last.
    fn give_parents(&mut self, now: Instant, moves: Vec<Move>) {
        let last: BTreeMap<_, _> =
            moves.into_iter().map(|(stripe, child, parent)| ((stripe, child), parent)).collect();
        for ((stripe, child), parent) in last {
            self.stats.moved += 1;
            if parent != Some(child) {
                self.trust.note_move(now, (stripe, child));
            }
            self.waits.remove(&(stripe, child));
            self.give_parent(now, child, stripe, parent);
        }
    }

    fn give_parent(&mut self, now: Instant, child: SocketAddr, stripe: usize, parent: Parent) {
        let parent = parent.unwrap_or(self.config.here);
        let until = now.saturating_duration_since(self.start).as_secs() as u32 + TICKET_LASTS;
        let key_of = |member: &SocketAddr| self.members.get(member).and_then(|member| member.who);
        let (childs, parents) = (key_of(&child), key_of(&parent));
        let statement = Ticket::statement(child, childs.as_ref(), parent, stripe as u8, until);
        let ticket = Ticket { until, signature: self.config.seal.sign(&statement) };
        if parent != child && parent.ip() == child.ip() {
            self.tell_near(child, parent);
            self.tell_near(parent, child);
        }
        self.say(child, &Message::Parent { stripe: stripe as u8, parent, ticket, who: parents });
        if parent != self.config.here && parent != child {
            self.say(parent, &Message::Introduce { child, token: ticket.token(), who: childs });
        }
    }

    /// EMS: tells one of two behind the same NAT where the other is there.
    fn tell_near(&mut self, to: SocketAddr, member: SocketAddr) {
        if let Some(at) = self.members.get(&member).and_then(|member| member.near) {
            self.say(to, &Message::Near { member, at });
        }
    }

    fn tell_head(&mut self, to: SocketAddr, at: usize) {
        self.tell_head_word(to, at);
        let total = self.head.len() as u32;
        for from in (at.min(self.head.len())..self.head.len()).step_by(LONGEST).take(8) {
            let bytes = self.head.slice(from..(from + LONGEST).min(self.head.len()));
            self.say(to, &Message::HeadPart { from: from as u32, total, bytes });
        }
    }

    fn let_go(&mut self, now: Instant, member: SocketAddr) {
        self.members.remove(&member);
        self.tell_heir_gone(member);
        self.trust.forget(self.config.stripes.into(), member);
        self.waits.retain(|(_, child), _| *child != member);
        let moves = self.trees.remove(member);
        self.give_parents(now, moves);
    }

    fn wake(&mut self, now: Instant) {
        if self
            .group_since
            .is_some_and(|since| now.saturating_duration_since(since) >= self.config.group_time)
        {
            self.deal(now);
        }
        if self.tick > now {
            return;
        }
        self.tick = now + TICK;
        self.trees.forget(now);
        self.look_at_pace(now);
        self.tidy(now);
        self.replace_silent_roots(now);
        self.hear_complaints(now);
        self.look_after_heir(now);
        let is_dead = |member: &Member| now.saturating_duration_since(member.heard) >= DEAD;
        let dead: Vec<_> =
            self.members.iter().filter(|(_, member)| is_dead(member)).map(|(peer, _)| *peer).collect();
        for peer in dead {
            self.let_go(now, peer);
            self.out.push_back(Output::Event(Event::Died(peer)));
        }
    }

    /// What only who is at `from` can know, for ten seconds and the ten before (`age`).
    fn cookie(&self, now: Instant, from: SocketAddr, nonce: u64, age: u64) -> [u8; 16] {
        let epoch = (now.saturating_duration_since(self.start).as_secs() / 10).wrapping_sub(age);
        let mut hasher = blake3::Hasher::new_keyed(&self.config.secret);
        hasher.update(from.to_string().as_bytes());
        hasher.update(&nonce.to_be_bytes());
        hasher.update(&epoch.to_be_bytes());
        let mut cookie = [0; 16];
        cookie.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        cookie
    }

    fn say(&mut self, to: SocketAddr, message: &Message) {
        self.send(to, message.write());
    }

    fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        self.stats.sent_bytes += bytes.len() as u64;
        self.out.push_back(Output::Send(Transmit::Datagram { to, bytes }));
    }
}

impl Machine for Splitter {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { from, bytes } => self.receive(now, from, &bytes),
            Input::Stream { .. } => {}
            Input::Wake => self.wake(now),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Event> {
        self.out.pop_front().unwrap_or_else(|| {
            let group = self.group_since.map(|since| since + self.config.group_time);
            let due = [Some(self.tick), group].into_iter().flatten().min();
            Output::Wait(due.map(|due| due.max(now)))
        })
    }
}

impl Guarded for Splitter {
    fn encrypts(&self) -> bool {
        self.config.encrypts
    }

    fn is_open(&self, datagram: &Bytes) -> bool {
        is_open(datagram)
    }

    fn door(&self, _: SocketAddr) -> Door {
        if self.config.encrypts { Door::Proof } else { Door::Shut }
    }

    fn admits(&mut self, address: SocketAddr, key: &PublicKey) -> bool {
        self.shown.insert(address, *key);
        true
    }

    fn parted(&mut self, address: SocketAddr) {
        self.shown.remove(&address);
    }
}

const TICK: Duration = Duration::from_millis(50);
/// Three signs of life missed.
const DEAD: Duration = Duration::from_millis(900);
const KEPT: usize = 2_048;
const MOST_SLOTS: usize = 64;
/// A ticket is good for so many seconds.
const TICKET_LASTS: u32 = 3_600;
/// Chunks of a stripe that a newcomer gets at once, at most.
const BACKLOG: usize = 256;
/// So many repairs it saves up where none are wanted.
const SAVED: u64 = 128;
const REPAIR_RESTS: Duration = Duration::from_millis(60);
