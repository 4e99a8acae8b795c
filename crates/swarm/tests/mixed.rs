//! Teams that mix our programs and the reference implementations', on both of their wires and both ways round.

mod kit;

use kit::{Node, Team, ms, old::Old};
use levada_link::world::HostId;
use levada_swarm::Wire;

const WIRES: [(Wire, kit::old::Wire); 2] = [(Wire::A, kit::old::Wire::A), (Wire::B, kit::old::Wire::B)];

fn old_peer(team: &mut Team, wire: kit::old::Wire) -> HostId {
    team.add(Node::Old(Old::peer(wire, HostId(0).address())))
}

/// All the last `count` chunks but those still under way, and nothing that an old program dies of.
fn has_all(team: &Team, host: HostId, count: u64) {
    let (got, duplicates, crashed) = team.old(host).got();
    assert_eq!(crashed, None, "{host:?}");
    let wanted = team.fed - count..team.fed - 10;
    let missing: Vec<_> = wanted.filter(|number| !got.contains(&(*number as u16))).collect();
    assert!(missing.is_empty(), "{host:?} of {:?} misses {missing:?}", team.wire);
    assert!(duplicates as usize * 50 <= got.len(), "{host:?}: {duplicates} twice of {}", got.len());
}

#[test]
fn old_peers_and_ours_share_a_team_of_our_splitter() {
    for (wire, old) in WIRES {
        let mut team = Team::over(wire, "delay=5ms", 11);
        let monitor = team.monitor();
        team.play(ms(300), ms(20));
        let olds = [old_peer(&mut team, old), old_peer(&mut team, old)];
        let ours = [team.peer(), team.peer()];
        team.play(ms(8_000), ms(20));
        for host in olds {
            has_all(&team, host, 250);
        }
        for host in [monitor, ours[0], ours[1]] {
            let numbers = team.numbers(host);
            let last: Vec<_> = numbers.iter().skip(numbers.len() - 200).collect();
            assert!(last.windows(2).all(|pair| *pair[1] == pair[0] + 1), "{wire:?}: a hole at {host:?}");
        }
        // One of ours leaves politely: the old ones live, and miss nothing later.
        let now = team.world.instant();
        team.peer_at(ours[1]).leave(now);
        team.play(ms(8_000), ms(20));
        olds.into_iter().for_each(|host| has_all(&team, host, 250));
        assert_eq!(team.splitter().members().len(), 4, "{wire:?}");
    }
}

#[test]
fn our_peers_and_old_ones_share_a_team_of_an_old_splitter() {
    for (wire, old) in WIRES {
        let mut team = Team::over(wire, "delay=5ms", 12);
        *team.world.machine_mut(HostId(0)).unwrap() = Node::Old(Old::splitter(old));
        let monitor = team.monitor();
        team.play(ms(200), ms(20));
        // One after the other: of two who join an old splitter of wire B at once, neither is told of the other.
        let olds = [(); 2].map(|()| {
            team.play(ms(300), ms(20));
            old_peer(&mut team, old)
        });
        team.play(ms(300), ms(20));
        let ours = team.peer();
        team.play(ms(8_000), ms(20));
        for host in olds {
            has_all(&team, host, 250);
        }
        for host in [monitor, ours] {
            let numbers = team.numbers(host);
            let last: Vec<_> = numbers.iter().skip(numbers.len().saturating_sub(200)).collect();
            let holes: Vec<_> = last.windows(2).filter(|pair| *pair[1] != pair[0] + 1).collect();
            assert!(
                last.len() == 200 && holes.is_empty(),
                "{wire:?} {host:?}: {} with {holes:?}, joined {}",
                last.len(),
                team.heard[&host].joins
            );
        }
        let now = team.world.instant();
        team.peer_at(ours).leave(now);
        team.play(ms(3_000), ms(20));
        assert!(team.heard[&ours].left, "{wire:?}: its goodbye is answered");
        assert_eq!(team.old(HostId(0)).team(), 3, "{wire:?}");
    }
}
