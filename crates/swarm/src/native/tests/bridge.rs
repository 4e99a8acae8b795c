//! Bridges: teams of one channel that are fed by members of others.

use super::*;
use crate::native::wire::bridge::head_statement;

impl Team {
    /// Another team, whose bridge is a member of the one at `of`.
    fn bridge(&mut self, of: HostId, secret: u8, pass: Option<&str>) -> HostId {
        let pass = pass.map(Pass::of);
        let at = HostId(self.world.hosts().count() as u32);
        let member = peer::Config { pass, ..peer::Config::new(of.address()) };
        let seal = Seal::ed25519(&[secret; 32]);
        let dealer = splitter::Config { pass, ..splitter::Config::new(at.address(), seal, [secret; 32]) };
        let bridge = Bridge::new(self.world.instant(), member, dealer, u64::from(at.0));
        assert_eq!(self.world.add(Node::Bridge(Box::new(bridge)), &self.access).unwrap(), at);
        at
    }

    fn at_bridge(&self, at: HostId) -> &Bridge {
        match self.world.machine(at) {
            Some(Node::Bridge(bridge)) => bridge,
            _ => panic!("no bridge"),
        }
    }

    fn join_at(&mut self, at: HostId, config: impl FnOnce(peer::Config) -> peer::Config) -> HostId {
        let seed = self.world.hosts().count() as u64;
        let config = config(peer::Config::new(at.address()));
        let peer = Peer::new(self.world.instant(), config, seed);
        self.world.add(Node::Peer(Box::new(peer)), &self.access).unwrap()
    }

    /// What these played is what was dealt, each chunk once, in order, with nothing in between that is not there.
    fn played_well(&self, peers: &[HostId]) {
        for peer in peers {
            let played = self.played.get(peer).unwrap_or_else(|| panic!("{peer:?} played nothing"));
            assert!(
                played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1),
                "{peer:?} lost {:?}",
                self.lost.get(peer)
            );
            assert!(played.iter().all(|(number, data)| data[..8] == number.to_be_bytes()), "{peer:?}");
            let last = played.last().unwrap().0;
            assert!(last + 80 > self.fed, "{peer:?} is at {last} of {}", self.fed);
            assert_eq!(self.peer(*peer).forged, 0);
        }
    }

    fn share(&self, since: splitter::Stats) -> f64 {
        let stats = self.splitter();
        (stats.sent_bytes - since.sent_bytes) as f64 / (stats.fed_bytes - since.fed_bytes) as f64
    }
}

/// A first team, a bridge to a second, and peers of each.
fn two_teams(access: &str, each: usize) -> (Team, HostId, Vec<HostId>, Vec<HostId>) {
    let mut team = Team::over(access, ed25519());
    let first: Vec<_> = (0..each).map(|_| team.join(Conduct::Honest)).collect();
    let bridge = team.bridge(HostId(0), 8, None);
    let second: Vec<_> = (0..each).map(|_| team.join_at(bridge, |config| config)).collect();
    (team, bridge, first, second)
}

#[test]
fn the_source_feeds_one_teams_worth_however_many_teams_there_are() {
    let (mut team, bridge, first, second) = two_teams("rate=20mbit delay=15ms±5ms", 20);
    // A bridge may be of a team that is another bridge's.
    let further = team.bridge(bridge, 9, None);
    let third: Vec<_> = (0..20).map(|_| team.join_at(further, |config| config)).collect();
    team.play(2 * S);
    let settled = team.splitter();
    let dealt = |team: &Team, at| team.at_bridge(at).splitter().stats();
    let before = [bridge, further].map(|at| dealt(&team, at));
    team.play(6 * S);
    for peers in [&first, &second, &third] {
        team.played_well(peers);
    }
    assert_eq!(team.lost(), 0);
    assert!(second.iter().chain(&third).all(|peer| team.heads[peer] == HEAD));
    let share = team.share(settled);
    assert!(share < 1.3, "the source uploads {share} for three teams");
    for ((at, members), before) in [(bridge, 21), (further, 20)].into_iter().zip(before) {
        let stats = dealt(&team, at);
        let sent = (stats.sent_bytes - before.sent_bytes) as f64;
        let share = sent / (stats.fed_bytes - before.fed_bytes) as f64;
        assert!(stats.peers == members && share < 1.4, "a bridge uploads {share}: {stats:?}");
    }
    let late = team.join_at(further, |config| config);
    team.play(S / 2);
    team.played_well(&[late]);
    assert_eq!((team.played[&late][0].0 % 50, team.heads[&late].as_ref()), (0, HEAD));
}

#[test]
fn who_moves_between_teams_of_a_channel_misses_nothing_and_a_bridge_stays() {
    let (mut team, bridge, first, second) = two_teams("rate=20mbit delay=15ms±5ms", 12);
    team.play(2 * S);
    let (now, key) = (team.world.instant(), ed25519().key());
    if let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) {
        splitter.shed(now, 99, bridge.address(), key);
    }
    team.play(3 * S);
    assert_eq!((team.splitter().peers, team.at_bridge(bridge).stats().peers), (1, 24), "the bridge stays");
    let now = team.world.instant();
    if let Some(Node::Bridge(bridge)) = team.world.machine_mut(bridge) {
        bridge.splitter_mut().shed(now, 15, HostId(0).address(), key);
    }
    team.play(3 * S);
    assert_eq!((team.splitter().peers, team.at_bridge(bridge).stats().peers), (16, 9));
    assert_eq!(team.lost(), 0);
    team.played_well(&[first, second].concat());
}

#[test]
fn when_a_bridge_dies_its_members_go_where_it_was_and_miss_nothing() {
    let (mut team, bridge, first, second) = two_teams("rate=20mbit delay=15ms±5ms", 12);
    team.play(3 * S);
    team.world.remove(bridge);
    let died = team.fed;
    team.play(3 * S);
    assert!(second.iter().all(|peer| team.played[peer].last().unwrap().0 > died + 150));
    team.play(2 * S);
    assert_eq!((team.splitter().peers, team.lost()), (24, 0), "{:?}", team.lost);
    team.played_well(&[first, second].concat());
}

#[test]
fn a_bridge_whose_parents_die_is_fed_by_others() {
    let (mut team, bridge, first, second) = two_teams("rate=20mbit delay=15ms±5ms", 12);
    team.play(3 * S);
    let parents = team.at_bridge(bridge).peer().neighbors();
    let dying: Vec<_> = first
        .iter()
        .filter(|peer| parents.get(&peer.address()).is_some_and(|links| links.gives > 0))
        .collect();
    assert!(!dying.is_empty(), "{parents:?}");
    dying.iter().for_each(|peer| drop(team.world.remove(**peer)));
    team.play(4 * S);
    assert_eq!(second.iter().filter_map(|peer| team.lost.get(peer)).flatten().count(), 0);
    team.played_well(&second);
}

#[test]
fn a_bridge_follows_the_one_that_takes_over_from_its_splitter() {
    let (mut team, bridge, _, second) = two_teams("rate=20mbit delay=15ms", 8);
    let at = HostId(team.world.hosts().count() as u32);
    let standby =
        Standby::new(team.world.instant(), config(at.address(), ed25519(), [4; 32]), HostId(0).address(), 5);
    team.heir = Some(team.world.add(Node::Standby(Box::new(standby)), &team.access).unwrap());
    team.play(3 * S);
    team.world.remove(HostId(0));
    team.play(4 * S);
    assert_eq!(team.at_bridge(bridge).peer().splitter(), at.address());
    assert_eq!(team.at_bridge(bridge).stats().peers, 8);
    assert!(second.iter().all(|peer| team.peer(*peer).joins == 1), "its own members notice nothing");
    for peer in &second {
        let played = &team.played[peer];
        assert!(played.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{peer:?}");
        assert!(played.last().unwrap().0 + 60 > team.fed);
    }
    assert_eq!(team.lost(), 0);
}

#[test]
fn a_bridge_of_a_splitter_that_begins_anew_begins_anew_as_well() {
    let (mut team, bridge, _, second) = two_teams("rate=20mbit delay=15ms", 4);
    team.play(3 * S);
    let now = team.world.instant();
    if let Some(node) = team.world.machine_mut(HostId(0)) {
        let config = config(HostId(0).address(), Seal::ed25519(&[6; 32]), [4; 32]);
        let mut splitter = Splitter::new(now, config);
        splitter.set_head(Bytes::from_static(&[3; 2_000]));
        *node = Node::Splitter(Box::new(splitter));
    }
    team.played.clear();
    team.play(9 * S);
    assert!(second.iter().all(|peer| team.played.get(peer).is_some_and(|played| played.len() > 200)));
    let late = team.join_at(bridge, |config| config);
    team.play(S);
    assert_eq!(team.heads[&late].len(), 2_000);
    // Some went to the splitter itself while the bridge had nothing for them.
    assert_eq!(team.splitter().peers + team.at_bridge(bridge).stats().peers, 10);
}

#[test]
fn newcomers_at_a_bridge_get_the_head_that_the_stream_has_by_now() {
    let (mut team, bridge, _, _) = two_teams("rate=20mbit delay=15ms loss=5%", 3);
    team.play(2 * S);
    if let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) {
        splitter.set_head(Bytes::from_static(&[4; 5_000]));
    }
    team.play(2 * S);
    let late = team.join_at(bridge, |config| config);
    team.play(S);
    assert_eq!(team.heads[&late].as_ref(), &[4; 5_000]);
}

#[test]
fn a_private_teams_bridge_needs_its_token_and_so_do_those_at_its_door() {
    let mut team = Team::over("rate=20mbit delay=5ms", ed25519());
    let now = team.world.instant();
    let config = config(HostId(0).address(), ed25519(), [3; 32]);
    let config = splitter::Config { pass: Some(Pass::of("tea")), ..config };
    *team.world.machine_mut(HostId(0)).unwrap() = Node::Splitter(Box::new(Splitter::new(now, config)));
    let with = |token: &'static str| {
        move |config: peer::Config| peer::Config { pass: Some(Pass::of(token)), ..config }
    };
    let bridge = team.bridge(HostId(0), 8, Some("tea"));
    let stranger = team.bridge(HostId(0), 9, Some("coffee"));
    let member = team.join_at(bridge, with("tea"));
    let wrong = team.join_at(bridge, with("coffee"));
    let lost = team.join_at(stranger, with("coffee"));
    team.play(3 * S);
    team.played_well(&[member]);
    assert_eq!(team.refused.get(&wrong), Some(&vec![Refusal::WrongToken]));
    assert!(!team.at_bridge(stranger).is_open() && !team.played.contains_key(&lost));
    assert_eq!(team.splitter().peers, 1);
}

#[test]
fn a_bridge_cannot_make_its_members_take_another_channel_or_head() {
    let (mut team, bridge, _, second) = two_teams("rate=20mbit delay=15ms", 3);
    team.play(2 * S);
    let (now, thief) = (team.world.instant(), Seal::ed25519(&[8; 32]));
    // It sends its members to a channel of its own: they stay.
    let other = Seal::ed25519(&[7; 32]).key();
    if let Some(Node::Bridge(bridge)) = team.world.machine_mut(bridge) {
        bridge.splitter_mut().shed(now, 3, HostId(0).address(), other);
    }
    team.play(S);
    assert_eq!(team.at_bridge(bridge).stats().peers, 3);
    team.played_well(&second);
    // A member that knows the channel's key does not come in where another is said.
    let elsewhere = |config| peer::Config { key: Some(other), ..config };
    let pinned = team.join_at(bridge, elsewhere);
    let known = team.join_at(bridge, |config| peer::Config { key: Some(ed25519().key()), ..config });
    team.play(2 * S);
    assert!(!team.played.contains_key(&pinned));
    team.played_well(&[known]);
    // A head that the bridge signed itself is none.
    let late = team.join_at(bridge, |config| config);
    let forged = [6; 3_000];
    let word = |seal: &Seal| {
        let (total, hash) = (forged.len() as u32, *blake3::hash(&forged).as_bytes());
        HeadWord { total, hash, signature: seal.sign(&head_statement(total, &hash)) }
    };
    if let Some(Node::Bridge(bridge)) = team.world.machine_mut(bridge) {
        bridge.splitter_mut().carry_head(Bytes::from_static(&[6; 3_000]), Some(word(&thief)));
    }
    team.play(S);
    assert!(!team.heads.contains_key(&late) && !team.played.contains_key(&late));
}

#[test]
fn a_welcome_to_a_bridges_team_is_no_longer_than_what_it_answers() {
    let (you, channel) = ("[2001:db8::1]:7000".parse().unwrap(), Some([9; 32]));
    let (key, salt) = ([8; 32], [4; 16]);
    let (nonce, time, stripes, head, entry, skills) = (1, 3, 8, 9, 7, 1);
    let welcome =
        Message::Welcome { nonce, you, time, key, stripes, head, entry, skills, salt, channel }.write();
    let join =
        Message::Join { nonce, cookie: [0; 16], slots: 9, skills: 0, proof: [0; 16], near: None }.write();
    assert!(welcome.len() <= join.len(), "{} to {}", welcome.len(), join.len());
}
