//! Caps: what a member says that it will upload is the most that it ever does.

use super::*;
use levada_link::Bitrate;

impl Team {
    fn join_with_cap(&mut self, kbit: u64) -> HostId {
        let upload = Some(Bitrate::kbps(kbit));
        let config = peer::Config { upload, slots: 64, ..peer::Config::new(HostId(0).address()) };
        let seed = self.world.hosts().count() as u64;
        let peer = Peer::new(self.world.instant(), config, seed);
        self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap()
    }

    fn children(&self, host: HostId) -> usize {
        match self.world.machine(host) {
            Some(Node::Peer(peer)) => peer.children(),
            _ => panic!("no peer"),
        }
    }
}

#[test]
fn nobody_uploads_more_than_its_cap_and_those_who_may_carry_the_rest() {
    // The stream has some 400 kbit/s.
    let mut team = Team::over("rate=20mbit delay=15ms±5ms", ed25519());
    let caps = [80, 400, 1_200, 1_200];
    let peers: Vec<_> = (0..24).map(|n| (team.join_with_cap(caps[n % 4]), caps[n % 4])).collect();
    // It takes a while until everybody has as many children as fit.
    team.play(8 * S);
    let (settled, harmed) = (team.splitter(), team.lost());
    let mut before: Vec<_> = peers.iter().map(|(peer, _)| team.peer(*peer).sent_bytes).collect();
    for _ in 0..40 {
        team.play(S / 4);
        for ((peer, cap), before) in peers.iter().zip(&mut before) {
            let sent = team.peer(*peer).sent_bytes;
            // In a quarter of a second what the bucket holds may leave too.
            let most = cap * 125 / 4 + (cap * 125 / 16).max(1_800);
            assert!(sent - *before <= most, "{peer:?} sent {} of {most}", sent - *before);
            *before = sent;
        }
    }
    let lost = team.lost() - harmed;
    assert!(lost < 240, "{lost} of 24,000 are lost");
    let end = team.splitter();
    let ratio = (end.sent_bytes - settled.sent_bytes) as f64 / (end.fed_bytes - settled.fed_bytes) as f64;
    assert!(ratio < 2.0, "the source uploads {ratio}");
    let children = |cap| {
        let those = peers.iter().filter(|(_, is)| *is == cap);
        those.map(|(peer, _)| team.children(*peer)).sum::<usize>()
    };
    assert!(children(80) <= 6 && children(1_200) > 2 * children(400), "{:?}", caps.map(children));
}

#[test]
fn who_is_told_too_much_of_offers_less_and_its_children_find_others() {
    let mut team = Team::over("rate=20mbit delay=15ms±5ms", ed25519());
    let peers: Vec<_> = (0..12).map(|_| team.join(Conduct::Honest)).collect();
    team.play(4 * S);
    let most = |team: &Team| *peers.iter().max_by_key(|peer| team.children(**peer)).unwrap();
    let (busy, now) = (most(&team), team.world.instant());
    let had = team.children(busy);
    let offer = Message::Offer { slots: 2, upload: 0 }.write();
    let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!("no splitter") };
    splitter.handle(now, Input::Datagram { from: busy.address(), bytes: offer });
    team.play(4 * S);
    assert!(had > 2 && team.children(busy) <= 2, "{had}, then {}", team.children(busy));
    assert_eq!(team.lost(), 0);
}
