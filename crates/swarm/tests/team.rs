//! Whole teams on the wires of the reference implementations, in virtual time.

mod kit;

use kit::{Node, Team, ms};
use levada_link::world::HostId;
use levada_swarm::{Wire, splitter};

const WIRES: [Wire; 2] = [Wire::A, Wire::B];

#[test]
fn everybody_plays_the_stream_in_order_and_the_source_uploads_it_once() {
    for wire in WIRES {
        let mut team = Team::over(wire, "rate=10mbit delay=15ms±5ms", 1);
        let mut peers = vec![team.monitor()];
        for _ in 0..8 {
            team.play(ms(200), ms(20));
            peers.push(team.peer());
        }
        team.play(ms(20_000), ms(20));
        for peer in &peers {
            let numbers = team.numbers(*peer);
            assert!(
                numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() <= 8,
                "{wire:?}: joining"
            );
            assert!(
                numbers.len() > 950 && *numbers.last().unwrap() + 10 > team.fed,
                "{wire:?}: {}",
                numbers.len()
            );
            let late: Vec<_> = numbers.iter().skip(numbers.len() - 800).collect();
            assert!(late.windows(2).all(|pair| *pair[1] == pair[0] + 1), "{wire:?}: a hole");
        }
        let stats = team.splitter().stats();
        assert_eq!((stats.peers, stats.lost - stats.repaired), (9, 0), "{wire:?}");
        let ratio = stats.sent_bytes as f64 / stats.fed_bytes as f64;
        assert!(ratio < 1.25, "{wire:?}: the source uploads {ratio} of the stream");
    }
}

#[test]
fn defect_3_a_polite_goodbye_harms_nobody() {
    for wire in WIRES {
        let mut team = Team::over(wire, "delay=5ms", 2);
        let monitor = team.monitor();
        let [stays, leaves] = [(); 2].map(|()| team.peer());
        team.play(ms(3_000), ms(20));
        let now = team.world.instant();
        team.peer_at(leaves).leave(now);
        team.play(ms(5_000), ms(20));
        assert!(team.heard[&leaves].left, "{wire:?}");
        assert_eq!(team.splitter().members().len(), 2);
        assert!(team.events.contains(&splitter::Event::Left(leaves.address())));
        for peer in [monitor, stays] {
            let numbers = team.numbers(peer);
            let last: Vec<_> = numbers.iter().skip(numbers.len() - 200).collect();
            assert!(last.windows(2).all(|pair| *pair[1] == pair[0] + 1), "{wire:?}");
        }
    }
}

#[test]
fn defect_6_a_crash_costs_less_than_the_references_thirty_chunks() {
    for wire in WIRES {
        let mut team = Team::over(wire, "delay=5ms", 3);
        let monitor = team.monitor();
        let peers = [(); 4].map(|()| team.peer());
        team.play(ms(4_000), ms(20));
        team.world.remove(peers[1]);
        let lost = |team: &Team| [monitor, peers[0], peers[2], peers[3]].map(|peer| team.heard[&peer].lost);
        let before = lost(&team);
        team.play(ms(10_000), ms(20));
        let missed: Vec<_> = lost(&team).iter().zip(before).map(|(after, before)| after - before).collect();
        let gone = [splitter::Event::Expelled, splitter::Event::Died].map(|event| event(peers[1].address()));
        assert!(gone.iter().any(|gone| team.events.contains(gone)), "{wire:?}");
        assert!(missed.iter().all(|missed| *missed <= 6), "{wire:?}: {missed:?}");
    }
}

/// On wire B nobody shows by datagrams that it lives, and where the monitor dies as well nobody complains.
#[test]
fn members_of_wire_b_that_die_at_once_are_let_go_the_monitor_among_them() {
    let mut team = Team::over(Wire::B, "delay=5ms", 13);
    let monitor = team.monitor();
    let peers: Vec<_> = (0..8).map(|_| team.peer()).collect();
    team.play(ms(5_000), ms(20));
    assert_eq!(team.splitter().members().len(), 9);
    for dead in [monitor, peers[1], peers[4], peers[5], peers[7]] {
        team.world.remove(dead);
    }
    team.play(ms(500), ms(20));
    assert_eq!(team.splitter().members().len(), 4, "{:?}", team.events);
    let before: Vec<_> = [0, 2, 3, 6].map(|at| team.heard[&peers[at]].lost).into();
    team.play(ms(5_000), ms(20));
    for (at, before) in [0, 2, 3, 6].into_iter().zip(before) {
        let heard = &team.heard[&peers[at]];
        assert!(heard.lost - before <= 30 && heard.joins == 1, "{} lost", heard.lost - before);
        assert!(team.numbers(peers[at]).last().unwrap() + 140 > team.fed);
    }
    // Who comes back is a member like any other, and so is who only leaves and returns.
    let (now, late) = (team.world.instant(), team.peer());
    team.peer_at(peers[0]).leave(now);
    team.play(ms(3_000), ms(20));
    assert_eq!(team.splitter().members().len(), 4);
    assert!(team.heard[&late].played > 50);
}

#[test]
fn defect_12_a_team_crosses_the_wrap_of_sixteen_bits() {
    for wire in WIRES {
        let mut team = Team::over(wire, "delay=5ms", 4);
        let monitor = team.monitor();
        let peer = team.peer();
        team.play(ms(67_000), ms(1));
        assert!(team.fed > 66_000);
        for host in [monitor, peer] {
            let numbers = team.numbers(host);
            assert!(*numbers.last().unwrap() > 65_600, "{wire:?} froze at {:?}", numbers.last());
            let last: Vec<_> = numbers.iter().skip(numbers.len() - 5_000).collect();
            assert!(last.windows(2).all(|pair| *pair[1] == pair[0] + 1), "{wire:?}: a hole at the wrap");
        }
    }
}

#[test]
fn defect_16_and_20_the_first_peer_gets_the_head_and_an_empty_team_is_no_end() {
    let mut team = Team::over(Wire::A, "delay=5ms", 5);
    team.play(ms(500), ms(20));
    let first = team.peer();
    team.play(ms(2_000), ms(20));
    assert_eq!(team.heard[&first].head.as_deref(), Some(&b"HTTP/1.0 200 OK\r\n\r\nhead"[..]));
    team.world.remove(first);
    team.play(ms(5_000), ms(20));
    let second = team.peer();
    team.play(ms(3_000), ms(20));
    assert!(team.heard[&second].played > 50);
}

#[test]
fn defect_18_a_stranger_cannot_have_a_peer_expelled() {
    use bytes::Bytes;
    use levada_link::{Input, Machine};
    for wire in WIRES {
        let mut team = Team::over(wire, "delay=5ms", 6);
        team.monitor();
        let victim = team.peer();
        team.play(ms(2_000), ms(20));
        let stranger = HostId(77).address();
        for number in 0..200u64 {
            let now = team.world.instant();
            let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!() };
            for from in [stranger, victim.address()] {
                let bytes = wire.lost(levada_swarm::ChunkNumber(number));
                splitter.handle(now, Input::Datagram { from, bytes });
            }
            splitter.handle(now, Input::Datagram { from: stranger, bytes: Bytes::from_static(b"odd") });
        }
        team.play(ms(1_000), ms(20));
        assert_eq!(team.splitter().members().len(), 2, "{wire:?}");
        assert_eq!(team.splitter().stats().disbelieved, 400);
    }
}

#[test]
fn defect_21_a_slow_joiner_blocks_nobody() {
    use levada_link::{Input, Machine, StreamId, StreamInput};
    let mut team = Team::over(Wire::B, "delay=5ms", 7);
    let now = team.world.instant();
    let Some(Node::Splitter(splitter)) = team.world.machine_mut(HostId(0)) else { panic!() };
    for n in 1_000..1_500 {
        let what = StreamInput::Opened { peer: HostId(n).address() };
        splitter.handle(now, Input::Stream { id: StreamId::theirs(n), what });
    }
    team.monitor();
    let peer = team.peer();
    team.play(ms(1_000), ms(20));
    assert!(team.heard[&peer].played > 10);
    team.play(ms(2_000), ms(20));
    assert_eq!(team.splitter().members().len(), 2, "who says nothing is no member");
}

#[test]
fn a_splitter_that_comes_back_finds_its_team_again() {
    let mut team = Team::over(Wire::A, "delay=5ms", 8);
    let peers = [team.monitor(), team.peer()];
    team.play(ms(3_000), ms(20));
    let now = team.world.instant();
    if let Some(node) = team.world.machine_mut(HostId(0)) {
        let config = splitter::Config { chunk_size: kit::CHUNK, ..splitter::Config::new(Wire::A) };
        *node = Node::Splitter(levada_swarm::Splitter::new(now, config));
    }
    let before = peers.map(|peer| team.heard[&peer].played);
    team.play(ms(30_000), ms(20));
    for (peer, before) in peers.iter().zip(before) {
        assert!(team.heard[peer].played > before + 500, "{:?}", team.heard[peer].played);
        assert_eq!(team.heard[peer].joins, 2);
    }
}
