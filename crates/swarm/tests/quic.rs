//! Native teams whose datagrams travel by QUIC, in virtual time: as whole as plain ones, also through NATs and with loss.

#![allow(clippy::unwrap_used)] // also in what tests share

use bytes::Bytes;
use levada_link::{
    Input, Machine, Output, World,
    nat::Class,
    quic::{Identity, Quic},
    world::{Access, HostId},
};
use levada_swarm::native::{
    Key, Peer, Seal, Splitter,
    peer::{self, Encrypt},
    splitter,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

enum Node {
    Splitter(Box<Quic<Splitter>>),
    Peer(Box<Quic<Peer>>),
}

impl Machine for Node {
    type Event = Option<peer::Event>;

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Node::Splitter(splitter) => splitter.handle(now, input),
            Node::Peer(peer) => peer.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Option<peer::Event>> {
        match self {
            Node::Splitter(splitter) => told(splitter.poll(now), |_| None),
            Node::Peer(peer) => told(peer.poll(now), Some),
        }
    }
}

fn told<E>(output: Output<E>, wrap: impl Fn(E) -> Option<peer::Event>) -> Output<Option<peer::Event>> {
    match output {
        Output::Send(transmit) => Output::Send(transmit),
        Output::Event(event) => Output::Event(wrap(event)),
        Output::Wait(until) => Output::Wait(until),
    }
}

#[derive(Default)]
struct Heard {
    played: Vec<u64>,
    lost: usize,
    refused: usize,
}

struct Team {
    world: World<Node>,
    access: Access,
    heard: BTreeMap<HostId, Heard>,
    fed: u64,
}

impl Team {
    // Where time begins does not matter.
    #[allow(clippy::disallowed_methods)]
    fn over(access: &str) -> Team {
        let start = Instant::now();
        let mut world = World::new(start, 7);
        let seal = Seal::ed25519(&[5; 32]);
        let defaults = splitter::Config::new(HostId(0).address(), seal, [3; 32]);
        let group_time = Duration::from_millis(20);
        let splitter = Splitter::new(start, splitter::Config { encrypts: true, group_time, ..defaults });
        let quic = Quic::new(splitter, Identity::ed25519(&[5; 32]).unwrap(), Some([0; 32]));
        world.add(Node::Splitter(Box::new(quic)), &Access::default()).unwrap();
        Team { world, access: Access::both(&access.parse().unwrap()), heard: BTreeMap::new(), fed: 0 }
    }

    fn join(&mut self, encrypt: Encrypt, key: Option<Key>) -> HostId {
        let n = self.world.hosts().count() as u8;
        let config = peer::Config { encrypt, key, ..peer::Config::new(HostId(0).address()) };
        let peer = Peer::new(self.world.instant(), config, n.into());
        let quic = Quic::new(peer, Identity::ed25519(&[100 + n; 32]).unwrap(), Some([n; 32]));
        self.world.add(Node::Peer(Box::new(quic)), &self.access).unwrap()
    }

    /// A chunk every ten milliseconds.
    fn play(&mut self, seconds: u64) {
        let until = self.world.now() + Duration::from_secs(seconds);
        while self.world.now() < until {
            let now = self.world.instant();
            if let Some(Node::Splitter(splitter)) = self.world.machine_mut(HostId(0)) {
                splitter.machine_mut().feed(now, self.fed.is_multiple_of(50), &b"secret".repeat(199));
            }
            self.fed += 1;
            let Team { world, heard, .. } = self;
            world.run(world.now() + Duration::from_millis(10), |_, host, event| {
                let heard = heard.entry(host).or_default();
                match event {
                    Some(peer::Event::Play(number, _)) => heard.played.push(number),
                    Some(peer::Event::Lost(_)) => heard.lost += 1,
                    Some(peer::Event::OtherTransport) => heard.refused += 1,
                    _ => {}
                }
            });
        }
    }
}

#[test]
fn an_encrypted_team_plays_all_of_it_and_nobody_on_the_way_can_read_it() {
    let mut team = Team::over("rate=20mbit delay=15ms loss=0.5%");
    let peers: Vec<_> = (0..8).map(|_| team.join(Encrypt::AsTheTeam, None)).collect();
    team.world.watch(|_, bytes: &Bytes| {
        assert!(!bytes.windows(12).any(|window| window == b"secretsecret"), "read on the way");
    });
    team.play(10);
    for peer in &peers {
        let heard = &team.heard[peer];
        assert!(heard.played.last() > Some(&(team.fed - 40)) && heard.played.len() > 800, "{peer:?}");
        assert_eq!(heard.lost, 0);
    }
}

#[test]
fn encrypted_peers_meet_through_nats_and_the_rest_is_relayed() {
    for [one, other] in [
        [Class::PortRestricted; 2],
        [Class::Restricted, Class::Symmetric],
        [Class::PortRestricted, Class::Symmetric],
    ] {
        let mut team = Team::over("rate=20mbit delay=15ms");
        for class in [one, other] {
            let peer = team.join(Encrypt::Always, None);
            team.world.behind(peer, class);
        }
        team.play(8);
        let Some(Node::Splitter(splitter)) = team.world.machine(HostId(0)) else { panic!("no splitter") };
        let members = splitter.machine().members();
        let relayed: usize = members.iter().map(|member| member.relayed).sum();
        assert_eq!(relayed == 0, one.meets(other), "{one:?} and {other:?}: {members:?}");
        for heard in team.heard.values().filter(|heard| !heard.played.is_empty()) {
            assert!(heard.played.last() > Some(&(team.fed - 40)), "{one:?} and {other:?}");
            assert_eq!(heard.lost, 0, "{one:?} and {other:?}");
        }
        assert_eq!(team.heard.values().filter(|heard| heard.played.len() > 500).count(), 2);
    }
}

#[test]
fn a_peer_that_knows_another_key_or_shall_not_encrypt_stays_outside() {
    let mut team = Team::over("rate=20mbit delay=5ms");
    let other = Seal::ed25519(&[6; 32]).key();
    let (wary, bare) = (team.join(Encrypt::Always, Some(other)), team.join(Encrypt::Never, None));
    let known = team.join(Encrypt::Always, Some(Seal::ed25519(&[5; 32]).key()));
    team.play(3);
    let heard =
        |host: HostId| team.heard.get(&host).map_or((0, 0), |heard| (heard.played.len(), heard.refused));
    assert_eq!(heard(wary), (0, 0));
    assert!(heard(bare).0 == 0 && heard(bare).1 > 0);
    assert!(heard(known).0 > 100);
}
