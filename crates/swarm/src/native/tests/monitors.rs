//! Monitors: whose word of losses counts.

use super::*;

/// A team with one monitor, whose key the splitter knows.
fn watched() -> (Team, HostId) {
    let mut team = Team::over("rate=20mbit delay=5ms", ed25519());
    let now = team.world.instant();
    let seal = Seal::ed25519(&[8; 32]);
    let config = super::config(HostId(0).address(), ed25519(), [3; 32]);
    let config = splitter::Config { monitors: vec![seal.key()], ..config };
    *team.world.machine_mut(HostId(0)).unwrap() = Node::Splitter(Box::new(Splitter::new(now, config)));
    let config = peer::Config { monitor: Some(seal), ..peer::Config::new(HostId(0).address()) };
    let peer = Peer::new(now, config, 1);
    let monitor = team.world.add(Node::Peer(Box::new(peer)), &team.access).unwrap();
    (team, monitor)
}

fn report(team: &mut Team, from: HostId, message: &Message) {
    let now = team.world.instant();
    let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!() };
    splitter.handle(now, Input::Datagram { from: from.address(), bytes: message.write() });
}

fn parents(team: &Team, of: HostId) -> BTreeMap<std::net::SocketAddr, usize> {
    let Some(Node::Splitter(splitter)) = team.world.machine(HostId(0)) else { panic!() };
    let members = splitter.members();
    members.into_iter().find(|member| member.endpoint == of.address()).unwrap().parents
}

#[test]
fn a_report_of_a_monitor_counts_and_a_liars_is_counted_and_ignored() {
    let (mut team, monitor) = watched();
    let others: Vec<_> = (0..12).map(|_| team.join(Conduct::Honest)).collect();
    team.play(3 * S);
    let monitors = |team: &Team| {
        let Some(Node::Splitter(splitter)) = team.world.machine(HostId(0)) else { panic!() };
        let members = splitter.members();
        members.iter().filter(|member| member.monitor).map(|member| member.endpoint).collect::<Vec<_>>()
    };
    assert_eq!(monitors(&team), [monitor.address()]);

    // The liar is a member like all, and says that nothing comes; then that it is a monitor.
    let (liar, before) = (others[3], team.splitter());
    let its_parents = parents(&team, liar);
    let lost = Message::Lost((before.chunks - 40..before.chunks).collect());
    (0..50).for_each(|_| report(&mut team, liar, &lost));
    report(&mut team, liar, &Message::Prove { time: 3, key: [7; 32], signature: [1; 64] });
    report(&mut team, HostId(90), &lost);
    team.play(S);
    let after = team.splitter();
    assert_eq!((after.disbelieved - before.disbelieved, after.lost), (51, 0));
    assert_eq!((after.repaired, after.distrusted), (before.repaired, before.distrusted));
    assert_eq!((monitors(&team), parents(&team, liar)), (vec![monitor.address()], its_parents));

    // The same from the monitor: the chunks are dealt again, and it gets other parents where it has any.
    let lost = Message::Lost((after.chunks - 8..after.chunks).collect());
    report(&mut team, monitor, &lost);
    team.play(S);
    let end = team.splitter();
    assert_eq!((end.lost, end.disbelieved), (8, after.disbelieved));
    assert!(end.repaired >= after.repaired + 8, "{} after {}", end.repaired, after.repaired);
}

#[test]
fn a_monitor_tells_what_it_loses_by_itself() {
    let (mut team, monitor) = watched();
    let peers: Vec<_> = (0..6).map(|_| team.join(Conduct::Honest)).collect();
    team.play(3 * S);
    let Some(Node::Peer(peer)) = team.world.machine_mut(monitor) else { panic!() };
    peer.lose_for_test(&[200, 201]);
    team.play(S / 5);
    assert_eq!(team.splitter().lost, 2);
    assert!(peers.iter().all(|peer| !team.lost.contains_key(peer)));
}
