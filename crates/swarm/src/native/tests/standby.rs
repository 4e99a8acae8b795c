//! A splitter that stands by, and what it is not let do.

use super::*;
use crate::native::wire::standby::take_over_statement;

impl Team {
    /// One that stands by for the splitter with this key.
    fn stands_by(&mut self, seal: Seal) -> HostId {
        let at = HostId(self.world.hosts().count() as u32);
        let config = super::config(at.address(), seal, [4; 32]);
        let standby = Standby::new(self.world.instant(), config, HostId(0).address(), 5);
        let host = self.world.add(Node::Standby(Box::new(standby)), &self.access).unwrap();
        assert_eq!(at, host);
        self.heir = Some(host);
        host
    }

    fn heir(&self) -> &Standby {
        match self.heir.and_then(|heir| self.world.machine(heir)) {
            Some(Node::Standby(standby)) => standby,
            _ => panic!("nobody stands by"),
        }
    }
}

#[test]
fn who_stands_by_goes_on_with_the_same_numbers_when_the_splitter_dies() {
    let mut team = Team::over("rate=20mbit delay=15ms±5ms", ed25519());
    let peers: Vec<_> = (0..40).map(|_| team.join(Conduct::Honest)).collect();
    team.play(S);
    team.stands_by(ed25519());
    team.play(3 * S);
    assert_eq!((team.heir().follows(), team.heir().leads()), (40, false));
    let known = team.heir().stats().chunks;
    assert!((280..=300).contains(&known), "{known} found of those dealt since it came");
    let died = team.fed;
    team.world.remove(HostId(0));
    team.play(2 * S);
    assert!(team.heir().leads() && team.heir().stats().peers == 40, "{:?}", team.heir().stats());
    for peer in &peers {
        let last = team.played[peer].last().unwrap().0;
        assert!(last > died + 100, "{peer:?} is at {last} of {} two seconds after {died}", team.fed);
    }
    team.play(4 * S);
    for peer in &peers {
        let played = &team.played[peer];
        assert!(played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "nobody's numbers change");
        // What came while nobody dealt is cut anew.
        let before = played.iter().filter(|(number, _)| *number < died);
        assert!(before.clone().count() > 200 && before.clone().all(|(n, data)| data[..8] == n.to_be_bytes()));
        assert!(played.last().unwrap().0 + 60 > team.fed);
    }
    assert_eq!(team.lost(), 0);
    let late = team.join(Conduct::Honest);
    team.play(S);
    assert!(!team.played.contains_key(&late), "the old address is nobody's");
    let config = peer::Config::new(team.heir.unwrap().address());
    let node = Node::Peer(Box::new(Peer::new(team.world.instant(), config, 77)));
    let late = team.world.add(node, &team.access).unwrap();
    team.play(2 * S);
    assert!(team.played[&late].len() > 100);
}

#[test]
fn a_peer_that_the_heir_never_heard_of_finds_it() {
    let mut team = Team::over("rate=20mbit delay=15ms", Seal::StandIn);
    let peers: Vec<_> = (0..5).map(|_| team.join(Conduct::Honest)).collect();
    team.stands_by(Seal::StandIn);
    team.play(3 * S);
    if let Some(Node::Standby(standby)) = team.world.machine_mut(team.heir.unwrap()) {
        standby.forget(peers[0].address());
    }
    team.world.remove(HostId(0));
    let died = team.fed;
    team.play(5 * S);
    assert!(team.played[&peers[0]].last().unwrap().0 > died + 200);
    assert_eq!(team.heir().stats().peers, 5);
}

#[test]
fn nobody_stands_by_without_the_key_and_nobody_follows_while_the_stream_flows() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let peers: Vec<_> = (0..5).map(|_| team.join(Conduct::Honest)).collect();
    let thief = team.stands_by(Seal::ed25519(&[9; 32]));
    team.play(2 * S);
    assert_eq!(team.heir().follows(), 0);
    assert!(team.splitter().refused > 0);
    // The thief, and somebody who has the key but no reason.
    let now = team.world.instant();
    for seal in [Seal::ed25519(&[9; 32]), ed25519()] {
        let signature = seal.sign(&take_over_statement(thief.address(), 2));
        let word = Word::TakeOver { standby: thief.address(), time: 2, signature };
        let Some(Node::Peer(peer)) = team.world.machine_mut(peers[0]) else { panic!() };
        let bytes = Message::Standby(word).write();
        peer.handle(now, Input::Datagram { from: thief.address(), bytes });
        assert_eq!(peer.splitter(), HostId(0).address());
    }
    team.play(S);
    assert_eq!(team.lost(), 0);
}

#[test]
fn an_heir_whose_splitter_was_only_away_follows_it_again() {
    let mut team = Team::over("rate=20mbit delay=15ms", Seal::StandIn);
    team.stands_by(Seal::StandIn);
    team.play(2 * S);
    let heir = team.heir.unwrap();
    let (now, later) = (team.world.instant(), team.world.instant() + S);
    if let Some(Node::Standby(standby)) = team.world.machine_mut(heir) {
        standby.handle(later, Input::Wake);
        assert!(standby.leads());
        let bytes = Message::Standby(Word::Lives).write();
        standby.handle(now, Input::Datagram { from: HostId(0).address(), bytes });
        assert!(!standby.leads());
    }
    team.play(S);
    assert!(!team.heir().leads());
}
