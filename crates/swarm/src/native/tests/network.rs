//! Peers that share a network, and cast there what comes in.

use super::*;

impl Team {
    /// What was cast is heard by all on the network, but for what a network loses: one in so many.
    pub(super) fn deliver_casts(&mut self) {
        let now = self.world.instant();
        for (from, bytes) in std::mem::take(&mut self.casts) {
            for host in self.lan.clone() {
                let loses = host != from && self.fed.wrapping_mul(u64::from(host.0) + 7).is_multiple_of(40);
                if let Some(Node::Peer(peer)) = self.world.machine_mut(host).filter(|_| !loses) {
                    peer.heard_on_lan(now, from.address(), &bytes);
                }
            }
        }
    }

    fn join_lan(&mut self) -> HostId {
        let here = HostId(0).address();
        let config = peer::Config { lan: Some(lan::group(here)), ..peer::Config::new(here) };
        let seed = self.world.hosts().count() as u64;
        let peer = Peer::new(self.world.instant(), config, seed);
        let host = self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap();
        self.lan.push(host);
        host
    }

    fn sent(&self, hosts: &[HostId]) -> u64 {
        hosts.iter().map(|host| self.peer(*host).sent_bytes).sum()
    }
}

#[test]
fn what_comes_into_a_network_is_cast_there_once_for_all_on_it() {
    let mut team = Team::over("rate=50mbit delay=5ms", Seal::StandIn);
    let outside: Vec<_> = (0..4).map(|_| team.join(Conduct::Honest)).collect();
    let inside: Vec<_> = (0..20).map(|_| team.join_lan()).collect();
    team.play(4 * S);
    let (before, dealt) = (team.sent(&inside), team.splitter().fed_bytes);
    let cast = |team: &Team| inside.iter().map(|host| team.peer(*host).cast).sum::<u64>();
    let (casts, number) = (cast(&team), team.fed);
    team.play(6 * S);
    let stream = (team.splitter().fed_bytes - dealt) as f64;
    let upload = (team.sent(&inside) - before) as f64 / stream;
    let share = (cast(&team) - casts) as f64 / (team.fed - number) as f64;
    // Without it twenty peers upload the stream nineteen times; each of the other four still wants it from somebody.
    assert!(upload < 6.0, "they upload the stream {upload} times");
    assert!((0.95..1.15).contains(&share), "each chunk is cast {share} times");
    for host in outside.iter().chain(&inside) {
        let played = &team.played[host];
        assert!(played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
        assert!(played.last().unwrap().0 + 60 > team.fed);
    }
    assert_eq!(team.lost(), 0, "what the network loses is asked for as always");
}

#[test]
fn when_who_brings_it_in_dies_or_casts_are_not_heard_all_is_as_without() {
    let mut team = Team::over("rate=50mbit delay=5ms", Seal::StandIn);
    let inside: Vec<_> = (0..10).map(|_| team.join_lan()).collect();
    team.play(3 * S);
    let gate = *inside.iter().max_by_key(|host| team.peer(**host).cast).unwrap();
    team.world.remove(gate);
    team.lan.retain(|host| *host != gate);
    team.play(4 * S);
    // And then the network carries no multicast any more.
    team.lan.clear();
    let fed = team.fed;
    team.play(4 * S);
    for host in inside.iter().filter(|host| **host != gate) {
        assert!(team.played[host].last().unwrap().0 > fed + 300, "{host:?} stands still");
    }
    assert_eq!(team.lost(), 0);
}
