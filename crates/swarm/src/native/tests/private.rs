//! Private teams: who is let in, and what others see of them.

use super::*;

impl Team {
    /// A team that wants this token.
    fn private(token: &str) -> Team {
        let mut team = Team::over("rate=20mbit delay=5ms", ed25519());
        let now = team.world.instant();
        let config = super::config(HostId(0).address(), ed25519(), [3; 32]);
        let config = splitter::Config { pass: Some(Pass::of(token)), ..config };
        let mut splitter = Splitter::new(now, config);
        splitter.set_head(Bytes::from_static(HEAD));
        *team.world.machine_mut(HostId(0)).unwrap() = Node::Splitter(Box::new(splitter));
        team
    }

    fn join_as(&mut self, config: peer::Config) -> HostId {
        let seed = self.world.hosts().count() as u64;
        let peer = Peer::new(self.world.instant(), config, seed);
        self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap()
    }
}

#[test]
fn who_has_no_token_is_told_so_once_and_gets_not_one_chunk() {
    let mut team = Team::private("seven quiet words");
    let config = peer::Config::new(HostId(0).address());
    let with = |token: &str| peer::Config { pass: Some(Pass::of(token)), ..config.clone() };
    let inside: Vec<_> = (0..4).map(|_| team.join_as(with("seven quiet words"))).collect();
    let none = team.join_as(config.clone());
    let wrong = team.join_as(with("seven loud words"));
    team.play(3 * S);
    for (host, why) in [(none, Refusal::Token), (wrong, Refusal::WrongToken)] {
        assert_eq!(team.refused.get(&host), Some(&vec![why]));
        let stats = team.peer(host);
        assert_eq!((stats.received, stats.duplicates, stats.joins), (0, 0, 0));
    }
    assert_eq!((team.splitter().peers, team.splitter().refused), (4, 2));
    for host in inside {
        let played = &team.played[&host];
        assert!(played.len() > 200 && played.iter().all(|(number, data)| data[..8] == number.to_be_bytes()));
    }
}

#[test]
fn a_chunk_of_a_private_team_is_hidden_on_its_way() {
    let mut team = Team::private("tea");
    let config = peer::Config { pass: Some(Pass::of("tea")), ..peer::Config::new(HostId(0).address()) };
    team.join_as(config);
    team.play(S);
    let now = team.world.instant();
    let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!() };
    splitter.feed(now, true, &[0x55; 600]);
    splitter.handle(now + S, Input::Wake);
    let mut chunks = 0;
    while let Output::Send(levada_link::Transmit::Datagram { bytes, .. }) = splitter.poll(now) {
        assert!(!bytes.windows(8).any(|window| window == [0x55; 8]), "the stream can be read by anybody");
        chunks += usize::from(Sealed::number(&bytes).is_some());
    }
    assert!(chunks > 0);
}

#[test]
fn who_stands_by_for_a_private_team_goes_on_with_it() {
    let mut team = Team::private("tea");
    let config = peer::Config { pass: Some(Pass::of("tea")), ..peer::Config::new(HostId(0).address()) };
    let peers: Vec<_> = (0..4).map(|_| team.join_as(config.clone())).collect();
    let at = HostId(team.world.hosts().count() as u32);
    let config = super::config(at.address(), ed25519(), [4; 32]);
    let config = splitter::Config { pass: Some(Pass::of("tea")), ..config };
    let standby = Standby::new(team.world.instant(), config, HostId(0).address(), 5);
    team.heir = team.world.add(Node::Standby(Box::new(standby)), &team.access).ok();
    team.play(2 * S);
    team.world.remove(HostId(0));
    team.play(3 * S);
    for host in peers {
        let played = &team.played[&host];
        assert!(played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
        assert!(played.iter().all(|(number, data)| data[..8] == number.to_be_bytes()));
        assert!(played.last().unwrap().0 + 60 > team.fed);
    }
}
