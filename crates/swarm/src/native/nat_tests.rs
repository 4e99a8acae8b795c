//! Native teams behind NATs of every class, in virtual time.

use super::{
    Seal,
    peer::Conduct,
    splitter::TeamMember,
    tests::{Node, S, Team, ed25519},
};
use levada_link::{nat::Class, world::HostId};

fn members(team: &Team) -> Vec<TeamMember> {
    match team.world.machine(HostId(0)) {
        Some(Node::Splitter(splitter)) => splitter.members(),
        _ => panic!("no splitter"),
    }
}

fn join(team: &mut Team, class: Class) -> HostId {
    let peer = team.join(Conduct::Honest);
    team.world.behind(peer, class);
    peer
}

#[test]
fn two_peers_behind_nats_of_any_classes_play_all_and_pass_on_wherever_they_can_meet() {
    for one in Class::ALL {
        for other in Class::ALL {
            let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
            let pair = [join(&mut team, one), join(&mut team, other)];
            team.play(6 * S);
            let members = members(&team);
            let relayed: usize = members.iter().map(|member| member.relayed).sum();
            let passed_on: usize = members.iter().map(|member| member.children).sum();
            let expected = if one.meets(other) { (0, 8) } else { (8, 0) };
            assert_eq!((relayed, passed_on), expected, "{one:?} and {other:?}: {members:?}");
            for peer in pair {
                let last = team.played[&peer].last().map(|(number, _)| *number);
                assert!(last > Some(team.fed - 30), "{one:?} and {other:?}: {last:?} of {}", team.fed);
                assert_eq!(team.lost.get(&peer), None, "{one:?} and {other:?}: {:?}", team.peer(peer));
            }
        }
    }
}

#[test]
fn a_team_of_all_classes_is_fed_by_those_who_can_be_reached() {
    let mut team = Team::over("rate=20mbit delay=15ms±5ms", Seal::StandIn);
    let peers: Vec<_> = (0..40)
        .map(|n| {
            team.play(S / 20);
            // As found among homes: most let in only whom they spoke to, some are worse, some better.
            let class = [Class::PortRestricted, Class::Restricted, Class::PortRestricted, Class::Symmetric];
            join(&mut team, if n % 10 == 0 { Class::FullCone } else { class[n % 4] })
        })
        .collect();
    team.play(5 * S);
    let (settled, lost) = (team.splitter(), team.lost());
    team.play(10 * S);
    let played: usize = peers.iter().map(|peer| team.played[peer].len()).sum();
    assert!(played > 40 * 1_000 && team.lost() == lost, "{} of {played} lost", team.lost() - lost);
    let stats = team.splitter();
    let relayed: usize = members(&team).iter().map(|member| member.relayed).sum();
    let ratio = (stats.sent_bytes - settled.sent_bytes) as f64 / (stats.fed_bytes - settled.fed_bytes) as f64;
    assert!(relayed <= 16 && ratio < 4.5, "the source uploads {ratio}, {relayed} stripes are relayed");
}

#[test]
fn the_splitter_relays_within_its_budget() {
    let mut team = Team::over("rate=20mbit delay=15ms", Seal::StandIn);
    for _ in 0..8 {
        join(&mut team, Class::Symmetric);
    }
    team.play(8 * S);
    let relayed: usize = members(&team).iter().map(|member| member.relayed).sum();
    assert_eq!(relayed, 8, "once the whole stream, for eight peers");
}

#[test]
fn nobody_without_the_splitters_word_becomes_a_parent_by_punching() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let peers = [team.join(Conduct::Honest), team.join(Conduct::Honest)];
    team.play(S);
    let now = team.world.instant();
    let before = members(&team);
    for peer in peers {
        let Some(Node::Peer(peer)) = team.world.machine_mut(peer) else { panic!() };
        let bytes = super::wire::Message::Punch { token: [0; 8] }.write();
        levada_link::Machine::handle(
            &mut **peer,
            now,
            levada_link::Input::Datagram { from: HostId(99).address(), bytes },
        );
        assert_eq!(peer.stats().punched, 0);
    }
    team.play(S);
    assert_eq!(members(&team).len(), before.len());
    assert_eq!(team.lost(), 0);
}

/// Peers behind one NAT, which know where they are there.
fn at_home(team: &mut Team, count: usize, class: Class) -> Vec<HostId> {
    let peers: Vec<_> = (0..count).map(|_| team.join_from_home()).collect();
    team.world.together(&peers, class);
    peers
}

#[test]
fn peers_behind_one_nat_of_any_class_meet_inside_and_nothing_is_relayed_to_them() {
    for class in Class::ALL {
        let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
        let pair = at_home(&mut team, 2, class);
        team.play(6 * S);
        let members = members(&team);
        let relayed: usize = members.iter().map(|member| member.relayed).sum();
        let passed_on: usize = members.iter().map(|member| member.children).sum();
        assert_eq!((relayed, passed_on), (0, 8), "{class:?}: {members:?}");
        for (peer, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            let last = team.played[&peer].last().map(|(number, _)| *number);
            assert!(last > Some(team.fed - 30), "{class:?}: {last:?} of {}", team.fed);
            assert_eq!(team.lost.get(&peer), None, "{class:?}: {:?}", team.peer(peer));
            let Some(Node::Peer(peer)) = team.world.machine(peer) else { panic!() };
            let knows = peer.neighbors().contains_key(&other.address());
            assert!(knows, "{class:?}: they meet elsewhere: {:?}", peer.neighbors());
        }
    }
}

#[test]
fn peers_behind_one_nat_that_do_not_say_where_they_are_there_are_relayed_to() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let pair = [team.join(Conduct::Honest), team.join(Conduct::Honest)];
    team.world.together(&pair, Class::PortRestricted);
    team.play(6 * S);
    let relayed: usize = members(&team).iter().map(|member| member.relayed).sum();
    assert_eq!(relayed, 8);
}

#[test]
fn where_somebody_is_at_home_is_told_to_nobody_elsewhere() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    let home = at_home(&mut team, 2, Class::FullCone);
    let others = [join(&mut team, Class::FullCone), team.join_from_home(), team.join(Conduct::Honest)];
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = told.clone();
    team.world.watch(move |record, bytes| {
        if let Some(super::wire::Message::Near { at, .. }) = super::wire::Message::read(bytes) {
            seen.lock().unwrap().push((HostId(record.to), at));
        }
    });
    team.play(6 * S);
    let told = told.lock().unwrap();
    let inside = [home[0].address(), home[1].address()];
    assert!(
        !told.is_empty() && told.iter().all(|(to, at)| home.contains(to) && inside.contains(at)),
        "{told:?}"
    );
    assert!(others.iter().all(|peer| team.played[peer].len() > 400));
}

#[test]
fn a_liar_about_its_home_leads_nobody_to_strangers_and_costs_its_neighbours_nothing() {
    let mut team = Team::over("rate=20mbit delay=15ms", ed25519());
    // One says that it is where a stranger is, and another where nobody is; one NAT lets all in.
    let stranger = team.join(Conduct::Honest);
    let mut peers = vec![team.join_near(stranger.address()), team.join_near(([8, 8, 8, 8], 53).into())];
    peers.push(team.join_from_home());
    team.world.together(&peers, Class::FullCone);
    team.play(8 * S);
    assert!(peers.iter().all(|peer| team.played[peer].len() > 500), "{:?}", team.lost);
    assert_eq!(team.lost.get(&stranger), None);
}
