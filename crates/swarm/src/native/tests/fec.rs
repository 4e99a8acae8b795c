//! FEC: what parity spares a team, and what it cannot do to one.

use super::*;
use crate::native::wire::Parity;
use levada_link::Percent;

impl Team {
    /// A team whose splitter deals so much parity.
    fn with_parity(access: &str, percent: f64) -> Team {
        let mut team = Team::over(access, ed25519());
        let config = super::config(HostId(0).address(), ed25519(), [3; 32]);
        let config = splitter::Config { fec: Percent::of(percent), ..config };
        let splitter = Splitter::new(team.world.instant(), config);
        *team.world.machine_mut(HostId(0)).unwrap() = Node::Splitter(Box::new(splitter));
        team
    }

    fn join_without_skill(&mut self) -> HostId {
        let config = peer::Config { rebuilds: false, ..peer::Config::new(HostId(0).address()) };
        let peer = Peer::new(self.world.instant(), config, 77);
        self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap()
    }

    fn played_right(&self, host: HostId) -> usize {
        let played = &self.played[&host];
        assert!(played.iter().all(|(number, data)| data[..8] == number.to_be_bytes()));
        played.len()
    }
}

const LOSSY: &str = "rate=20mbit delay=20ms±5ms loss=3%";

#[test]
fn with_parity_peers_rebuild_what_is_lost_and_ask_for_less() {
    let asked = [0.0, 10.0].map(|percent| {
        let mut team = Team::with_parity(LOSSY, percent);
        let peers: Vec<_> = (0..20).map(|_| team.join(Conduct::Honest)).collect();
        let stranger = team.join_without_skill();
        team.play(12 * S);
        assert_eq!(team.lost(), 0, "at {percent} %");
        let all = peers.iter().map(|peer| team.peer(*peer)).fold(peer::Stats::default(), |a, b| a + b);
        assert_eq!(all.rebuilt > 0, percent > 0.0, "{all:?}");
        assert_eq!((all.forged, team.peer(stranger).forged), (0, 0));
        // Who knows no parity plays as the others do.
        assert_eq!(team.peer(stranger).rebuilt, 0);
        assert!(team.played_right(stranger) > 1_000 && team.played_right(peers[7]) > 1_000);
        all.asked as f64 / all.received as f64
    });
    assert!(asked[1] < asked[0] * 0.75, "{asked:?}");
}

#[test]
fn parity_comes_beside_the_stream_as_much_as_was_asked_for() {
    let mut team = Team::with_parity("rate=20mbit delay=5ms", 10.0);
    let peers: Vec<_> = (0..5).map(|_| team.join(Conduct::Honest)).collect();
    team.play(2 * S);
    let before = team.splitter();
    team.play(8 * S);
    let (chunks, parity) = (team.splitter().chunks - before.chunks, team.splitter().parity - before.parity);
    assert!((9..=11).contains(&(parity * 100 / chunks)), "{parity} for {chunks}");
    // Nothing was lost, and so nothing rebuilt.
    let stats = team.peer(peers[0]);
    assert_eq!((stats.rebuilt, stats.lost, stats.asked), (0, 0, 0));
    assert!(stats.parity > 0);
}

#[test]
fn polluted_parity_reaches_nobody_and_is_held_against_who_sent_it() {
    let mut team = Team::with_parity(LOSSY, 20.0);
    let peers: Vec<_> =
        (0..16).map(|n| team.join(if n % 5 == 4 { Conduct::Polluter } else { Conduct::Honest })).collect();
    team.play(12 * S);
    for (_, peer) in peers.iter().enumerate().filter(|(n, _)| n % 5 != 4) {
        assert!(team.played_right(*peer) > 1_000);
    }
    let honest = peers.iter().enumerate().filter(|(n, _)| n % 5 != 4);
    let all = honest.map(|(_, peer)| team.peer(*peer)).fold(peer::Stats::default(), |a, b| a + b);
    assert!(all.forged > 0 && all.rebuilt > 0, "{all:?}");
}

#[test]
fn parity_that_is_none_or_not_the_splitters_changes_nothing() {
    let mut team = Team::with_parity("rate=20mbit delay=5ms", 10.0);
    let peer = team.join(Conduct::Honest);
    team.play(2 * S);
    let now = team.world.instant();
    let parity = Parity {
        first: team.fed,
        chunks: 4,
        hops: 0,
        place: (4, 5),
        siblings: vec![[1; 16]; 1],
        signature: [2; 64],
        shard: Bytes::from_static(&[3; 40]),
    };
    let whole = Message::Parity(parity.clone()).write();
    assert_eq!(Message::read(&whole), Some(Message::Parity(parity.clone())));
    let wrong = [
        Parity { place: (3, 5), ..parity.clone() },
        Parity { place: (5, 5), ..parity.clone() },
        Parity { place: (32, 33), ..parity.clone() },
        Parity { chunks: 0, ..parity.clone() },
        Parity { first: u64::MAX, ..parity.clone() },
        Parity { shard: Bytes::from_static(&[3; 39]), ..parity.clone() },
        Parity { shard: Bytes::from_static(&[3; 1_206]), ..parity.clone() },
    ];
    let before = team.peer(peer);
    let Some(Node::Peer(machine)) = team.world.machine_mut(peer) else { panic!("no peer") };
    for wrong in wrong {
        let bytes = wrong.write();
        assert_eq!(Message::read(&bytes), None, "{wrong:?}");
        machine.handle(now, Input::Datagram { from: HostId(0).address(), bytes });
    }
    for cut in 0..whole.len() - 40 {
        machine.handle(now, Input::Datagram { from: HostId(0).address(), bytes: whole.slice(..cut) });
    }
    assert_eq!(machine.stats().forged, before.forged);
    machine.handle(now, Input::Datagram { from: HostId(9).address(), bytes: whole });
    assert_eq!((machine.stats().forged, machine.stats().parity), (before.forged + 1, before.parity));
    team.play(2 * S);
    assert_eq!(team.lost(), 0);
}
