//! Runs a scenario: brings peers, feeds the splitter, and lets things happen when they are due.

use super::{
    book::{Book, Stay},
    cast::{Session, cast, nanos, region_names, ways},
    node::{Guard, Node, Role, Told},
    report::{Report, Totals},
    scenario::{ConductKind, Nat, Scenario, ScenarioError, SealKind},
    teams::{Announces, Seeker, Teams, bridges},
};
use crate::{
    native::{Bridge, Peer, Seal, Splitter, Standby, peer, splitter},
    tracker::{self, Tracker},
};
use levada_link::{
    Chance, World,
    world::{Access, HostId},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A scenario that is being run.
pub struct Simulation {
    scenario: Scenario,
    world: World<Node>,
    cast: Vec<Session>,
    kinds: Arc<[Nat]>,
    guard: Option<Arc<Guard>>,
    /// The host of the first peer: before it are the splitter and, where they are, who stands by, the tracker and bridges.
    first: u32,
    tracker: Option<HostId>,
    /// What each had sent when measuring began.
    bridges: Vec<(HostId, u64)>,
    moves: u64,
    access: Vec<Access>,
    agenda: BinaryHeap<Reverse<(u64, u64, Act)>>,
    noted: u64,
    chance: Chance,
    book: Book,
    present: usize,
    chunk: Vec<u8>,
    totals: Totals,
    /// What the source had sent and been fed when the last second began.
    source: (u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Settle,
    Second,
    Join(u32),
    Leave(u32),
    Vanish(u32),
    Event(u32),
    Feed(u64),
}

impl Simulation {
    /// The scenario before anything happened. Where its clock begins changes nothing.
    ///
    /// # Errors
    /// A link that cannot be.
    pub fn new(start: Instant, scenario: Scenario) -> Result<Simulation, ScenarioError> {
        let cast = cast(&scenario);
        let group = |session: &Session| &scenario.peers[session.group];
        let bridges = bridges(&scenario);
        let before = 1 + u32::from(scenario.team.standby);
        let tracker = (!bridges.is_empty()).then_some(HostId(before));
        let first = before + u32::from(tracker.is_some()) + bridges.len() as u32;
        let from = first - bridges.len() as u32;
        let mut kinds: Arc<[Nat]> = std::iter::repeat_n(Nat::None, first as usize)
            .chain(cast.iter().map(|session| group(session).nat))
            .collect();
        if kinds.iter().all(|kind| *kind == Nat::None) {
            // Everybody looks through them.
            kinds = Arc::default();
        }
        let forges = |session: &Session| group(session).conduct == ConductKind::Polluter;
        let honest: Vec<_> = std::iter::repeat_n(true, first as usize)
            .chain(cast.iter().map(|session| !forges(session)))
            .collect();
        let guard = honest.contains(&false).then(|| Arc::new(Guard { honest, passed_on: AtomicU64::new(0) }));
        let names = region_names(&scenario);
        let region = |session: &Session| {
            names.iter().position(|name| *name == group(session).region).unwrap_or_default() as u8
        };
        let regions = std::iter::repeat_n(0, first as usize).chain(cast.iter().map(region)).collect();
        let mut world = World::new(start, scenario.seed);
        world.core(ways(&scenario, regions));
        let mut simulation = Simulation {
            access: scenario.peers.iter().map(|peers| peers.link.access()).collect(),
            first,
            tracker,
            bridges: (from..first).map(|host| (HostId(host), 0)).collect(),
            moves: 0,
            agenda: BinaryHeap::new(),
            noted: 0,
            chance: Chance::new(scenario.seed, 99),
            book: Book { settle: nanos(scenario.settle), late: nanos(scenario.late), ..Book::default() },
            present: 0,
            chunk: vec![1; scenario.stream.bytes],
            totals: Totals::default(),
            source: (0, 0),
            world,
            cast,
            kinds,
            guard,
            scenario,
        };
        simulation.open(start, &bridges)?;
        Ok(simulation)
    }

    /// Brings the splitter, and notes what is sure to happen.
    fn open(&mut self, start: Instant, bridges: &[(usize, Duration)]) -> Result<(), ScenarioError> {
        let team = &self.scenario.team;
        let seal = match team.seal {
            SealKind::Ed25519 => Seal::ed25519(&[5; 32]),
            SealKind::StandIn => Seal::StandIn,
        };
        let config = |at: HostId| splitter::Config {
            stripes: team.stripes,
            roots: team.roots,
            group_time: team.group,
            most_peers: usize::MAX,
            fec: team.fec,
            ..splitter::Config::new(at.address(), seal.clone(), [3; 32])
        };
        let standby =
            team.standby.then(|| Standby::new(start, config(HEIR), SOURCE.address(), self.scenario.seed));
        let dealt = config(SOURCE);
        let splitter = Role::Splitter(Box::new(Splitter::new(start, dealt.clone())));
        let mut node = Node::new(splitter, SOURCE, &self.kinds, self.guard.clone());
        node.announces = self.announces(start, 0);
        self.world.add(node, &team.link.access())?;
        if let Some(standby) = standby {
            let node = Node::new(Role::Standby(Box::new(standby)), HEIR, &self.kinds, self.guard.clone());
            self.world.add(node, &team.link.access())?;
        }
        self.open_teams(start, &dealt, bridges)?;
        self.note(nanos(self.scenario.settle), Act::Settle);
        self.note(SECOND, Act::Second);
        self.note(0, Act::Feed(0));
        if !self.cast.is_empty() {
            self.note(self.cast[0].comes, Act::Join(0));
        }
        for at in 0..self.scenario.event.len() {
            self.note(nanos(self.scenario.event[at].at), Act::Event(at as u32));
        }
        Ok(())
    }

    /// Brings the tracker, and the bridges that will come.
    fn open_teams(
        &mut self,
        start: Instant,
        dealt: &splitter::Config,
        bridges: &[(usize, Duration)],
    ) -> Result<(), ScenarioError> {
        let Some(tracker) = self.tracker else { return Ok(()) };
        let role = Role::Tracker(Box::new(Tracker::new(start, [7; 32], None)));
        let node = Node::new(role, tracker, &self.kinds, self.guard.clone());
        self.world.add(node, &Access::default())?;
        for (number, (group, after)) in (1u8..).zip(bridges) {
            let kind = &self.scenario.bridge[*group];
            let access = kind.link.access();
            let at = HostId(tracker.0 + u32::from(number));
            let seal = match self.scenario.team.seal {
                SealKind::Ed25519 => Seal::ed25519(&[number.wrapping_add(100); 32]),
                SealKind::StandIn => Seal::StandIn,
            };
            let secret = [number.wrapping_add(10); 32];
            let deals = splitter::Config { here: at.address(), seal, secret, ..dealt.clone() };
            let member = peer::Config { slots: kind.slots, ..self.peer_config() };
            let (begins, seed) = (start + *after, self.scenario.seed << 32 | u64::from(u32::MAX - at.0));
            let bridge = Bridge::new(begins, member, deals, seed);
            let mut node = Node::new(Role::Bridge(Box::new(bridge)), at, &self.kinds, self.guard.clone());
            node.announces = self.announces(begins, number.into());
            self.world.add(node, &access)?;
        }
        Ok(())
    }

    fn announces(&self, start: Instant, number: u64) -> Option<Box<Announces>> {
        let seed = self.scenario.seed << 8 | number;
        let announces =
            |at: HostId| Box::new(Announces::new(start, at.address(), self.scenario.team.most, seed));
        self.tracker.map(announces)
    }

    fn peer_config(&self) -> peer::Config {
        peer::Config {
            patience: self.scenario.team.patience,
            kept: (self.scenario.stream.chunks * KEPT).clamp(64.0, 4_096.0) as usize,
            ..peer::Config::new(SOURCE.address())
        }
    }

    /// Lets it go on for a second of its own time, or to the end; how much has passed, and nothing once it is over.
    pub fn step(&mut self) -> Option<Duration> {
        let end = nanos(self.scenario.duration);
        let now = nanos(self.world.now());
        if now >= end {
            return None;
        }
        let until = (now + SECOND).min(end);
        while let Some(Reverse((at, _, act))) = self.agenda.peek().copied().filter(|next| next.0.0 <= until) {
            self.agenda.pop();
            self.let_go_on(at);
            self.act(at, act);
        }
        self.let_go_on(until);
        Some(Duration::from_nanos(until))
    }

    /// How many peers are there.
    pub fn present(&self) -> usize {
        self.present
    }

    /// What came of it.
    pub fn finish(mut self) -> Report {
        while self.step().is_some() {}
        let now = nanos(self.world.now());
        for at in 0..self.book.stays.len() as u32 {
            self.settle_accounts(now, at);
        }
        if let Some(Role::Splitter(splitter)) = self.world.machine(SOURCE).map(|node| &node.role) {
            self.totals.source = splitter.stats();
        }
        let totals = Totals {
            hash: self.world.trace_hash(),
            world: self.world.stats(),
            teams: self.tracker.is_some().then(|| self.teams()),
            passed_on: self.guard.map_or(0, |guard| guard.passed_on.load(Ordering::Relaxed)),
            ..self.totals
        };
        Report::new(&self.scenario, self.book, totals)
    }

    fn teams(&self) -> Teams {
        let mut sizes = BTreeMap::new();
        let peers = self.world.hosts().filter_map(|(_, node)| match &node.role {
            Role::Peer(peer) => Some(peer.splitter()),
            _ => None,
        });
        peers.for_each(|at| *sizes.entry(at).or_default() += 1);
        let fed = self.totals.source.fed_bytes.saturating_sub(self.totals.settled.1).max(1);
        let sent = |(at, before): &(HostId, u64)| self.bridge_sent(*at).saturating_sub(*before);
        let most = self.bridges.iter().map(sent).max().unwrap_or(0);
        Teams::of(&sizes, self.moves, most as f64 / fed as f64)
    }

    fn bridge_sent(&self, at: HostId) -> u64 {
        match self.world.machine(at).map(|node| &node.role) {
            Some(Role::Bridge(bridge)) => bridge.stats().sent_bytes,
            _ => 0,
        }
    }

    fn note(&mut self, at: u64, act: Act) {
        self.noted += 1;
        self.agenda.push(Reverse((at, self.noted, act)));
    }

    fn let_go_on(&mut self, until: u64) {
        let Simulation { world, book, moves, .. } = self;
        let first = self.first as usize;
        world.run(Duration::from_nanos(until), |now, host, told| {
            let (now, seat) = (nanos(now), (host.0 as usize).wrapping_sub(first));
            match told {
                Told::Peer(peer::Event::Play(number, data)) => book.played(now, seat, number, &data),
                Told::Peer(peer::Event::Lost(number)) => book.lost(seat, number),
                Told::Tracker(tracker::Event::Moved { peers, .. }) => *moves += u64::from(peers),
                Told::Peer(_) | Told::Splitter | Told::Tracker(_) => {}
            }
        });
    }

    fn act(&mut self, now: u64, act: Act) {
        match act {
            Act::Feed(number) => self.feed(now, number),
            Act::Join(at) => self.join(now, at),
            Act::Leave(at) => self.leave(now, at),
            Act::Vanish(at) => self.vanish(now, at),
            Act::Event(at) => self.event(now, at as usize),
            Act::Settle => self.settle(),
            Act::Second => self.second(now),
        }
    }

    fn feed(&mut self, now: u64, number: u64) {
        let stream = &self.scenario.stream;
        let every = ((stream.entry.as_secs_f64() * stream.chunks).round() as u64).max(1);
        let next = ((number + 1) as f64 * 1e9 / stream.chunks) as u64;
        self.chunk[..8].copy_from_slice(&number.to_be_bytes());
        self.book.fed.push(now);
        let instant = self.world.instant();
        if let Some(Role::Splitter(splitter)) = self.world.machine_mut(SOURCE).map(|node| &mut node.role) {
            splitter.feed(instant, number.is_multiple_of(every), &self.chunk);
        }
        if self.scenario.team.standby
            && let Some(Role::Standby(standby)) = self.world.machine_mut(HEIR).map(|node| &mut node.role)
        {
            standby.feed(instant, number.is_multiple_of(every), &self.chunk);
        }
        self.note(next.max(now + 1), Act::Feed(number + 1));
    }

    fn join(&mut self, now: u64, at: u32) {
        let session = self.cast[at as usize];
        let peers = &self.scenario.peers[session.group];
        let (upload, slots) = peers.upload(&self.scenario.stream);
        let config = peer::Config { slots, upload, conduct: peers.conduct.into(), ..self.peer_config() };
        let host = self.host(at);
        let (now_there, seed) = (self.world.instant(), self.scenario.seed << 32 | u64::from(at));
        let role = match self.tracker {
            None => Role::Peer(Box::new(Peer::new(now_there, config, seed))),
            Some(tracker) => Role::Seeker(Box::new(Seeker::new(now_there, tracker.address(), config, seed))),
        };
        let node = Node::new(role, host, &self.kinds, self.guard.clone());
        let honest = peers.conduct == ConductKind::Honest;
        // The link was looked at when the scenario was read.
        let _host = self.world.add(node, &self.access[session.group]);
        let cap = upload.map(|cap| cap.bytes().max(1));
        self.book.enter(honest, Stay { joined: now, cap, ..Stay::default() });
        self.present += 1;
        self.totals.most_present = self.totals.most_present.max(self.present);
        if let Some(leaves) = session.leaves {
            self.note(leaves.max(now + 1), Act::Leave(at));
        }
        if let Some(next) = self.cast.get(at as usize + 1) {
            self.note(next.comes, Act::Join(at + 1));
        }
    }

    fn leave(&mut self, now: u64, at: u32) {
        if self.cast[at as usize].silent {
            return self.vanish(now, at);
        }
        if let Some(Role::Peer(peer)) = self.world.machine_mut(self.host(at)).map(|node| &mut node.role) {
            peer.leave();
            self.note(now + FAREWELL, Act::Vanish(at));
        }
    }

    fn vanish(&mut self, now: u64, at: u32) {
        self.settle_accounts(now, at);
        self.present -= usize::from(self.world.remove(self.host(at)).is_some());
    }

    fn event(&mut self, now: u64, at: usize) {
        let event = self.scenario.event[at].clone();
        (self.book.since, self.book.harmed) = (Some(now), 0);
        if event.splitter_dies {
            self.totals.source = match self.world.remove(SOURCE).map(|node| node.role) {
                Some(Role::Splitter(splitter)) => splitter.stats(),
                _ => self.totals.source,
            };
        }
        if let Some((dies, _)) = event.bridge_dies.and_then(|at| self.bridges.get(at.checked_sub(1)?)) {
            self.world.remove(*dies);
        }
        let Some(share) = event.vanish else { return };
        let there: Vec<_> =
            self.world.hosts().map(|(host, _)| host.0).filter(|host| *host >= self.first).collect();
        for host in there {
            if self.chance.happens(share.share()) {
                let after = (self.chance.unit() * nanos(event.over) as f64) as u64;
                self.note(now + after, Act::Vanish(host - self.first));
            }
        }
    }

    /// From now on it is measured.
    fn settle(&mut self) {
        self.totals.settled = self.source_now();
        let sent: Vec<_> = self.bridges.iter().map(|(at, _)| self.bridge_sent(*at)).collect();
        self.bridges.iter_mut().zip(sent).for_each(|((_, before), sent)| *before = sent);
        let Simulation { world, book, first, .. } = self;
        for (seat, known) in book.stays.iter_mut().enumerate() {
            if let Some(Role::Peer(peer)) = world.machine(HostId(seat as u32 + *first)).map(|node| &node.role)
            {
                known.sent = peer.stats().sent_bytes;
            }
        }
    }

    fn second(&mut self, now: u64) {
        self.look_at_caps();
        let (sent, fed) = self.source_now();
        let (sent, fed) = (sent - self.source.0.min(sent), fed - self.source.1.min(fed));
        self.book.turn(now, self.present, if fed == 0 { 0.0 } else { sent as f64 / fed as f64 });
        self.source = self.source_now();
        self.note(now + SECOND, Act::Second);
    }

    /// What every peer with a cap has sent in the second that is over.
    fn look_at_caps(&mut self) {
        let Simulation { world, book, first, .. } = self;
        for (seat, known) in book.stays.iter_mut().enumerate().filter(|(_, known)| known.cap.is_some()) {
            let node = world.machine(HostId(seat as u32 + *first)).map(|node| &node.role);
            if let (Some(Role::Peer(peer)), Some(cap)) = (node, known.cap) {
                let sent = peer.stats().sent_bytes;
                let part = (sent - std::mem::replace(&mut known.counted, sent)) as f64 / cap as f64;
                book.caps.0 += u64::from(part > 1.0);
                book.caps.1 = book.caps.1.max(part);
            }
        }
    }

    /// Where a peer is.
    fn host(&self, at: u32) -> HostId {
        HostId(at + self.first)
    }

    fn source_now(&self) -> (u64, u64) {
        match self.world.machine(SOURCE).map(|node| &node.role) {
            Some(Role::Splitter(splitter)) => (splitter.stats().sent_bytes, splitter.stats().fed_bytes),
            Some(_) => (0, 0),
            None => match self.world.machine(HEIR).map(|node| &node.role) {
                Some(Role::Standby(heir)) => (heir.stats().sent_bytes, heir.stats().fed_bytes),
                _ => (0, 0),
            },
        }
    }

    /// A peer leaves, or all is over: what it did goes into the account.
    fn settle_accounts(&mut self, now: u64, at: u32) {
        let peer = match self.world.machine(self.host(at)).map(|node| &node.role) {
            Some(Role::Peer(peer)) => peer,
            Some(Role::Seeker(_)) => return self.book.close(now, at as usize),
            _ => return,
        };
        let stats = peer.stats();
        self.totals.add(&stats);
        self.book.close(now, at as usize);
        let Stay { joined, sent, .. } = self.book.stays[at as usize];
        let stayed = now.saturating_sub(joined.max(self.book.settle));
        if stayed < STAYED {
            return;
        }
        let stream = self.scenario.stream.chunks * self.scenario.stream.bytes as f64;
        let ratio = (stats.sent_bytes - sent) as f64 / (stream * stayed as f64 / 1e9);
        self.book.upload.add((ratio * 1e3) as u64);
    }
}

/// The splitter is the first host, and who stands by the second.
const SOURCE: HostId = HostId(0);
const HEIR: HostId = HostId(1);
/// So many seconds of the stream a peer keeps for others.
const KEPT: f64 = 3.0;
const SECOND: u64 = 1_000_000_000;
/// So long who leaves politely is still there, for what is under way.
const FAREWELL: u64 = 50_000_000;
/// Whose upload is counted stayed at least so long.
const STAYED: u64 = 3_000_000_000;
