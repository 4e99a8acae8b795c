mod bridge;
mod caps;
mod churn;
mod fec;
mod monitors;
mod network;
mod private;
mod standby;

use super::{
    peer::{self, Conduct},
    splitter,
    wire::{
        Message, Refusal, Sealed, Ticket,
        bridge::HeadWord,
        lan,
        standby::{Group, Word},
    },
    *,
};
use bytes::Bytes;
use levada_link::{
    Input, Machine, Output, World,
    world::{Access, HostId},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

pub(super) enum Node {
    Bridge(Box<Bridge>),
    Standby(Box<Standby>),
    Splitter(Box<Splitter>),
    Peer(Box<Peer>),
}

pub(super) enum Told {
    /// Something sent to a group.
    Cast(Bytes),
    Splitter(splitter::Event),
    Bridge,
    Peer(peer::Event),
}

impl Machine for Node {
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Node::Bridge(bridge) => bridge.handle(now, input),
            Node::Standby(standby) => standby.handle(now, input),
            Node::Splitter(splitter) => splitter.handle(now, input),
            Node::Peer(peer) => peer.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Told> {
        match self {
            Node::Bridge(bridge) => told(bridge.poll(now), |_| Told::Bridge),
            Node::Standby(standby) => told(standby.poll(now), Told::Splitter),
            Node::Splitter(splitter) => told(splitter.poll(now), Told::Splitter),
            Node::Peer(peer) => match peer.poll(now) {
                Output::Send(levada_link::Transmit::Datagram { to, bytes }) if to.ip().is_multicast() => {
                    Output::Event(Told::Cast(bytes))
                }
                output => told(output, Told::Peer),
            },
        }
    }
}

fn told<E>(output: Output<E>, wrap: impl Fn(E) -> Told) -> Output<Told> {
    match output {
        Output::Send(transmit) => Output::Send(transmit),
        Output::Event(event) => Output::Event(wrap(event)),
        Output::Wait(until) => Output::Wait(until),
    }
}

pub(super) struct Team {
    pub(super) world: World<Node>,
    access: Access,
    pub(super) played: BTreeMap<HostId, Vec<(u64, Bytes)>>,
    pub(super) lost: BTreeMap<HostId, Vec<u64>>,
    heads: BTreeMap<HostId, Bytes>,
    refused: BTreeMap<HostId, Vec<Refusal>>,
    died: usize,
    pub(super) fed: u64,
    /// Peers that share a network, and what was cast there of late.
    lan: Vec<HostId>,
    casts: Vec<(HostId, Bytes)>,
    /// Who stands by, fed with the same.
    heir: Option<HostId>,
}

const HEAD: &[u8] = &[9; 5_000];

impl Team {
    // Where time begins does not matter.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn over(access: &str, seal: Seal) -> Team {
        let start = Instant::now();
        let mut world = World::new(start, 7);
        let access = Access::both(&access.parse().unwrap());
        let mut splitter = Splitter::new(start, config(HostId(0).address(), seal, [3; 32]));
        splitter.set_head(Bytes::from_static(HEAD));
        world.add(Node::Splitter(Box::new(splitter)), &Access::default()).unwrap();
        let (played, lost, heads, refused) = Default::default();
        Team {
            world,
            access,
            played,
            lost,
            heads,
            refused,
            died: 0,
            fed: 0,
            lan: Vec::new(),
            casts: Vec::new(),
            heir: None,
        }
    }

    pub(super) fn join(&mut self, conduct: Conduct) -> HostId {
        self.join_with(conduct, 10)
    }

    /// A peer that says where it is in its own network.
    pub(super) fn join_from_home(&mut self) -> HostId {
        self.join_near(HostId(self.world.hosts().count() as u32).address())
    }

    pub(super) fn join_near(&mut self, near: std::net::SocketAddr) -> HostId {
        let config = peer::Config { near: Some(near), ..peer::Config::new(HostId(0).address()) };
        let seed = self.world.hosts().count() as u64;
        let peer = Peer::new(self.world.instant(), config, seed);
        self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap()
    }

    fn join_with(&mut self, conduct: Conduct, slots: u16) -> HostId {
        let config = peer::Config { conduct, slots, ..peer::Config::new(HostId(0).address()) };
        let seed = self.world.hosts().count() as u64;
        let peer = Peer::new(self.world.instant(), config, seed);
        self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap()
    }

    /// A chunk every ten milliseconds, every fiftieth one a player may begin with.
    pub(super) fn play(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while self.world.now() < until {
            let now = self.world.instant();
            let (entry, data) =
                (self.fed.is_multiple_of(50), [&self.fed.to_be_bytes()[..], &[1; 500]].concat());
            self.fed += 1;
            if let Some(Node::Splitter(splitter)) = self.world.machine_mut(HostId(0)) {
                splitter.feed(now, entry, &data);
            }
            let heir = self.heir.and_then(|heir| self.world.machine_mut(heir));
            if let Some(Node::Standby(standby)) = heir {
                standby.feed(now, entry, &data);
            }
            let Team { world, played, lost, heads, refused, died, casts, .. } = self;
            world.run(world.now() + Duration::from_millis(10), |_, host, told| match told {
                Told::Peer(peer::Event::Play(number, data)) => {
                    played.entry(host).or_default().push((number, data))
                }
                Told::Peer(peer::Event::Lost(number)) => lost.entry(host).or_default().push(number),
                Told::Peer(peer::Event::Head(head)) => drop(heads.insert(host, head)),
                Told::Cast(bytes) => casts.push((host, bytes)),
                Told::Peer(peer::Event::Refused(why)) => refused.entry(host).or_default().push(why),
                Told::Splitter(splitter::Event::Died(_)) => *died += 1,
                _ => {}
            });
            self.deliver_casts();
        }
    }

    pub(super) fn peer(&self, host: HostId) -> peer::Stats {
        match self.world.machine(host) {
            Some(Node::Peer(peer)) => peer.stats(),
            _ => panic!("no peer"),
        }
    }

    pub(super) fn splitter(&self) -> splitter::Stats {
        match self.world.machine(HostId(0)) {
            Some(Node::Splitter(splitter)) => splitter.stats(),
            _ => panic!("no splitter"),
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.values().map(|lost| lost.len() as u64).sum()
    }
}

/// Of a splitter whose groups are short, so that it is not their length that decides.
pub(super) fn config(here: std::net::SocketAddr, seal: Seal, secret: [u8; 32]) -> splitter::Config {
    let group_time = Duration::from_millis(20);
    splitter::Config { group_time, ..splitter::Config::new(here, seal, secret) }
}

pub(super) fn ed25519() -> Seal {
    Seal::ed25519(&[5; 32])
}

pub(super) const S: Duration = Duration::from_secs(1);

#[test]
fn sixty_peers_play_all_of_it_and_the_source_uploads_it_about_once() {
    let mut team = Team::over("rate=20mbit delay=15ms±5ms", ed25519());
    let peers: Vec<_> = (0..60).map(|_| team.join(Conduct::Honest)).collect();
    team.play(2 * S);
    let late = team.join(Conduct::Honest);
    team.play(2 * S);
    let settled = team.splitter();
    team.play(8 * S);
    for peer in &peers {
        let played = &team.played[peer];
        assert_eq!((played[0].0 % 50, team.heads[peer].as_ref()), (0, HEAD), "begins where a player may");
        assert!(played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
        assert!(played.iter().all(|(number, data)| data[..8] == number.to_be_bytes()));
        assert!(played.len() > 1_000);
    }
    assert_eq!(team.lost(), 0);
    assert_eq!(team.played[&late][0].0 % 50, 0);
    let stats = team.splitter();
    let ratio = (stats.sent_bytes - settled.sent_bytes) as f64 / (stats.fed_bytes - settled.fed_bytes) as f64;
    assert!(ratio < 1.3, "the source uploads {ratio}");
    let uploads = peers.iter().map(|peer| team.peer(*peer).sent_bytes as f64 / stats.fed_bytes as f64);
    assert!(uploads.fold(0.0, f64::max) < 2.0);
}

#[test]
fn two_percent_loss_is_repaired() {
    let mut team = Team::over("rate=20mbit delay=15ms±5ms loss=2%", Seal::StandIn);
    for _ in 0..40 {
        team.join(Conduct::Honest);
    }
    team.play(20 * S);
    let played: usize = team.played.values().map(Vec::len).sum();
    let settled = team.lost.values().flatten().filter(|number| **number >= 200).count();
    assert!(played > 70_000 && settled == 0, "{settled} of {played}: {:?}", team.lost);
    assert!(team.lost() as f64 <= played as f64 * 4e-4, "{} while forty join at once", team.lost());
}

#[test]
fn polluters_reach_no_player_and_no_second_hop() {
    let mut team = Team::over("rate=20mbit delay=10ms", ed25519());
    let honest: Vec<_> = (0..50)
        .map(|n| (n, team.join(if n % 5 == 4 { Conduct::Polluter } else { Conduct::Honest })))
        .collect();
    team.play(15 * S);
    let mut forged = 0;
    for (n, host) in &honest {
        assert!(team.played[host].iter().all(|(number, data)| data[..8] == number.to_be_bytes()), "{n}");
        forged += team.peer(*host).forged;
    }
    assert!(forged > 0 && team.splitter().distrusted > 0);
    let lost: u64 = honest
        .iter()
        .filter(|(n, _)| n % 5 != 4)
        .filter_map(|(_, host)| team.lost.get(host))
        .map(|lost| lost.len() as u64)
        .sum();
    // They all begin at once, while a polluter may still be at the top of a stripe.
    assert!(lost < 300, "{lost}: {:?}", team.lost);
}

#[test]
fn a_third_of_the_peers_vanishes_and_the_rest_goes_on() {
    let mut team = Team::over("rate=20mbit delay=10ms", Seal::StandIn);
    let peers: Vec<_> = (0..60).map(|_| team.join(Conduct::Honest)).collect();
    team.play(4 * S);
    for peer in peers.iter().step_by(3) {
        team.world.remove(*peer);
    }
    let recovered = team.fed + 300;
    team.play(8 * S);
    assert_eq!(team.died, 20, "noticed");
    let late = team.lost.values().flatten().filter(|number| **number >= recovered).count();
    assert_eq!(late, 0, "nothing of what is sent three seconds later is lost");
    let last = team.fed - 60;
    assert!(
        peers.iter().enumerate().filter(|(n, _)| n % 3 != 0).all(|(_, peer)| team.played[peer]
            .last()
            .unwrap()
            .0
            > last)
    );
}

#[test]
fn free_riders_do_not_starve_the_others() {
    let mut team = Team::over("rate=20mbit delay=10ms", Seal::StandIn);
    let peers: Vec<_> = (0..50)
        .map(|n| team.join_with(if n % 5 == 4 { Conduct::FreeRider } else { Conduct::Honest }, 12))
        .collect();
    team.play(4 * S);
    let honest: Vec<_> =
        peers.iter().enumerate().filter(|(n, _)| n % 5 != 4).map(|(_, peer)| *peer).collect();
    let count =
        |team: &Team| -> usize { honest.iter().filter_map(|peer| team.lost.get(peer)).map(Vec::len).sum() };
    let before = count(&team);
    team.play(10 * S);
    let lost = (count(&team) - before) as f64 / (1_000.0 * honest.len() as f64);
    assert!(lost <= 1e-3, "{lost}");
}

#[test]
fn nothing_larger_than_the_request_goes_to_an_unproven_address() {
    let mut team = Team::over("delay=1ms", ed25519());
    let now = team.world.instant();
    let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!() };
    let stranger = HostId(99).address();
    let ticket = Ticket { until: u32::MAX, signature: [1; 64] };
    let asks = [
        Message::Hello { nonce: 1 },
        Message::Join { nonce: 1, cookie: [0; 16], slots: 9, skills: 0, proof: [0; 16], near: None },
        Message::Subscribe { stripe: 0, ticket },
        Message::Nack((0..64).collect()),
        Message::HeadWanted { from: 0 },
        Message::Alive { missing: u64::MAX, waiting: 0 },
    ];
    for ask in asks {
        let bytes = ask.write();
        splitter.handle(now, Input::Datagram { from: stranger, bytes: bytes.clone() });
        let mut answered = 0;
        while let Output::Send(levada_link::Transmit::Datagram { bytes, .. }) = splitter.poll(now) {
            answered += bytes.len();
        }
        assert!(answered <= bytes.len(), "{ask:?} is answered with {answered} bytes");
    }
    team.join(Conduct::Honest);
    team.play(2 * S);
    let now = team.world.instant();
    let Some(Node::Peer(peer)) = team.world.machine_mut(HostId(1)) else { panic!() };
    for ask in [Message::Subscribe { stripe: 0, ticket }, Message::Nack(vec![100])] {
        peer.handle(now, Input::Datagram { from: stranger, bytes: ask.write() });
        assert!(!matches!(peer.poll(now), Output::Send(_)), "a peer gives a stranger nothing");
    }
    assert_eq!((peer.stats().refused, peer.children()), (1, 0));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut team = Team::over("rate=5mbit delay=15ms±5ms loss=3%", Seal::StandIn);
        for _ in 0..20 {
            team.join(Conduct::Honest);
        }
        team.play(5 * S);
        team.world.trace_hash()
    };
    assert_eq!(run(), run());
}

#[test]
fn messages_come_back_as_they_went_and_nonsense_is_none() {
    let ticket = Ticket { until: 7, signature: [2; 64] };
    let sealed = Sealed {
        number: 1 << 40,
        flags: 1,
        hops: 3,
        place: (1, 3),
        siblings: vec![[4; 16]; 2],
        signature: [5; 64],
        data: Bytes::from_static(b"data"),
    };
    let v6 = "[2001:db8::1]:7000".parse().unwrap();
    let mark = Bytes::from_static(b"mark");
    let group = Group { first: 1 << 40, mark, root: [6; 16], chunks: vec![(1, 1_200), (0, 7)] };
    let all = [
        Message::Hello { nonce: 1 },
        Message::Cookie { nonce: 1, cookie: [1; 16], capabilities: 1 },
        Message::Join { nonce: 1, cookie: [1; 16], slots: 2, skills: 1, proof: [3; 16], near: None },
        Message::Join { nonce: 1, cookie: [1; 16], slots: 2, skills: 1, proof: [3; 16], near: Some(v6) },
        Message::Near { member: HostId(4).address(), at: v6 },
        Message::Welcome {
            nonce: 1,
            you: v6,
            time: 3,
            key: [8; 32],
            stripes: 8,
            head: 99,
            entry: 7,
            skills: 1,
            salt: [4; 16],
            channel: None,
        },
        Message::Welcome {
            nonce: 1,
            you: v6,
            time: 3,
            key: [8; 32],
            stripes: 8,
            head: 99,
            entry: 7,
            skills: 1,
            salt: [4; 16],
            channel: Some([9; 32]),
        },
        Message::HeadIs(HeadWord { total: 9, hash: [1; 32], signature: [2; 64] }),
        Message::Refused { nonce: 1, why: Refusal::Token },
        Message::Refused { nonce: 1, why: Refusal::WrongToken },
        Message::Refused { nonce: 1, why: Refusal::Full },
        Message::Prove { time: 1, key: [2; 32], signature: [3; 64] },
        Message::Lost(vec![1, 2, 3]),
        Message::Lan(lan::Word::Here { me: v6, gates: 5 }),
        Message::Lan(lan::Word::Mute { stripes: 9 }),
        Message::Parent { stripe: 3, parent: HostId(4).address(), ticket, who: None },
        Message::Parent { stripe: 3, parent: v6, ticket, who: Some([7; 32]) },
        Message::Subscribe { stripe: 3, ticket },
        Message::Keep { stripes: 9 },
        Message::Unsubscribe { stripe: 3 },
        Message::Chunk(sealed),
        Message::Nack(vec![1, 2, 3]),
        Message::Offer { slots: 3, upload: 1_000 },
        Message::Alive { missing: 5, waiting: 6 },
        Message::Introduce { child: v6, token: [3; 8], who: Some([7; 32]) },
        Message::Punch { token: [3; 8] },
        Message::Elsewhere { member: v6 },
        Message::Goodbye,
        Message::HeadWanted { from: 5 },
        Message::HeadPart { from: 5, total: 9, bytes: Bytes::from_static(b"part") },
        Message::Backlog { stripe: 3, from: 1 << 40 },
        Message::Move { to: v6, key: [8; 32], until: 9, signature: [7; 64] },
        Message::Report(super::wire::Report { played: 1, lost: 2, sent_bytes: 3 }),
        Message::Standby(Word::StandBy { nonce: 1, cookie: [1; 16], signature: [2; 64] }),
        Message::Standby(Word::Accepted { nonce: 1, you: v6, time: 3, stripes: 8, salt: [9; 16] }),
        Message::Standby(Word::Lives),
        Message::Standby(Word::Follows),
        Message::Standby(Word::Ledger(vec![group.clone(), group])),
        Message::Standby(Word::Roster(vec![(v6, 10), (HostId(3).address(), 0)])),
        Message::Standby(Word::Gone(v6)),
        Message::Standby(Word::StandsBy { standby: v6, signature: [3; 64] }),
        Message::Standby(Word::TakeOver { standby: v6, time: 9, signature: [3; 64] }),
        Message::Standby(Word::Followed),
    ];
    for message in all {
        let bytes = message.write();
        assert_eq!(Message::read(&bytes).as_ref(), Some(&message));
        for cut in 0..bytes.len() {
            let _never_panics = Message::read(&bytes.slice(..cut));
        }
    }
    assert_eq!(Message::read(&Bytes::from_static(&[200; 300])), None);
}

#[test]
fn a_newcomer_begins_at_once_with_what_its_neighbours_kept() {
    let mut team = Team::over("rate=20mbit delay=15ms±5ms", ed25519());
    for _ in 0..12 {
        team.join(Conduct::Honest);
    }
    // One in fifty is an entry: the next one comes in 300 ms, the last one was here 200 ms ago.
    team.play(3_200 * S / 1_000);
    let before = team.splitter();
    let newcomer = team.join(Conduct::Honest);
    team.play(S / 4);
    let played = &team.played[&newcomer];
    assert!(played[0].0 < 320 && played.len() > 20, "{:?}", played.first());
    assert!(played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
    assert_eq!(team.splitter().repaired, before.repaired, "neighbours gave it, not the splitter");
    assert_eq!(team.lost(), 0);
}

#[test]
fn a_team_goes_on_with_another_splitter_at_the_same_place() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let peers: Vec<_> = (0..5).map(|_| team.join(Conduct::Honest)).collect();
    team.play(3 * S);
    let now = team.world.instant();
    if let Some(node) = team.world.machine_mut(HostId(0)) {
        let config = config(HostId(0).address(), Seal::ed25519(&[6; 32]), [4; 32]);
        *node = Node::Splitter(Box::new(Splitter::new(now, config)));
    }
    team.played.clear();
    team.play(7 * S);
    assert!(peers.iter().all(|peer| team.played.get(peer).is_some_and(|played| played.len() > 200)));
}

#[test]
fn a_splitter_sends_peers_to_another_team_and_nobody_else_can() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let peers: Vec<_> = (0..6).map(|_| team.join(Conduct::Honest)).collect();
    let other = Seal::ed25519(&[6; 32]);
    let there = HostId(7).address();
    let now = team.world.instant();
    let second = Splitter::new(now, config(there, other.clone(), [4; 32]));
    team.world.add(Node::Splitter(Box::new(second)), &Access::default()).unwrap();
    team.play(2 * S);
    let now = team.world.instant();
    let Some(Node::Peer(peer)) = team.world.machine_mut(peers[0]) else { panic!() };
    let key = other.key().to_bytes();
    let forged = Message::Move { to: there, key, until: u32::MAX, signature: [1; 64] };
    peer.handle(now, Input::Datagram { from: HostId(0).address(), bytes: forged.write() });
    assert_eq!(peer.splitter(), HostId(0).address());
    let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!() };
    let before = splitter.members();
    assert!(
        before.iter().all(|member| member.depth > 0 && member.lag_ms.is_some_and(|lag| lag < 500)),
        "{before:?}"
    );
    splitter.shed(now, 2, there, other.key());
    team.play(2 * S);
    let count = |team: &Team, at| match team.world.machine(at) {
        Some(Node::Splitter(splitter)) => splitter.stats().peers,
        _ => panic!("no splitter"),
    };
    assert_eq!((count(&team, HostId(0)), count(&team, HostId(7))), (4, 2));
}

#[test]
fn whose_chunks_come_in_groups_does_not_ask_for_its_stripes_again() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let at = HostId(0).address();
    let slow = Splitter::new(team.world.instant(), splitter::Config::new(at, ed25519(), [3; 32]));
    *team.world.machine_mut(HostId(0)).unwrap() = Node::Splitter(Box::new(slow));
    team.join(Conduct::Honest);
    let leaf = team.join_with(Conduct::Honest, 0);
    let step = |team: &mut Team| {
        // as slow as 0.42 Mbit/s: a group of sixteen every 370 ms
        let quiet = Duration::from_millis(13);
        team.play(Duration::from_millis(10));
        team.world.run(team.world.now() + quiet, |_, _, _| {});
    };
    (0..200).for_each(|_| step(&mut team));
    let before = team.peer(leaf);
    (0..200).for_each(|_| step(&mut team));
    let after = team.peer(leaf);
    // Signs of life: some twelve words a second would be wishes, of 70 bytes each, beside them.
    let sent = after.sent_bytes - before.sent_bytes;
    assert!(sent < 200 * 23 * 400 / 1_000, "{sent} bytes in 4.6 s");
    assert_eq!((after.lost, after.asked), (before.lost, before.asked));
}
