use super::*;
use crate::buffer::Pace;
use bytes::Bytes;

fn at(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 7000).into()
}

const S: u8 = 100;
const M0: u8 = 0;
const P1: u8 = 1;
const P2: u8 = 2;

// The only clock of these tests: where time begins does not matter.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

fn peer(host: u8) -> Dbs {
    Dbs::new(at(host), at(S), ChunkBuffer::new(32, Pace::Half), 128)
}

fn chunk(number: u64, origin: u8) -> Chunk {
    Chunk { number: ChunkNumber(number), data: Bytes::from_static(b"x"), origin: at(origin) }
}

/// A team whose messages are carried at once, chunk by chunk.
struct Example {
    peers: Vec<Dbs>,
    now: Instant,
    /// `(from, to, number)` of each chunk that travelled in this tick.
    traffic: Vec<(u8, u8, u64)>,
    /// Hellos that get lost: `(from, to)`.
    deaf: Vec<(u8, u8)>,
}

impl Example {
    fn new() -> Example {
        Example { peers: Vec::new(), now: start(), traffic: Vec::new(), deaf: Vec::new() }
    }

    fn join(&mut self, host: u8, list: &[u8]) {
        let mut dbs = peer(host);
        list.iter().for_each(|other| dbs.join_team(self.now, at(*other), false));
        self.peers.push(dbs);
        self.carry(host);
    }

    fn deal(&mut self, number: u64, to: u8) {
        self.traffic.clear();
        self.traffic.push((S, to, number));
        let dealt = chunk(number, to);
        self.peers[usize::from(to)].receive_chunk_and_flood(self.now, at(S), dealt);
        self.carry(to);
    }

    fn carry(&mut self, from: u8) {
        while let Some(say) = self.peers[usize::from(from)].poll() {
            match say {
                Say::Chunk(to, chunk) => {
                    let host = host(to);
                    self.traffic.push((from, host, chunk.number.0));
                    self.peers[usize::from(host)].receive_chunk_and_flood(self.now, at(from), chunk);
                    self.carry(host);
                }
                Say::Hello(to) if !self.deaf.contains(&(from, host(to))) => {
                    self.peers[usize::from(host(to))].accept_neighbor(self.now, at(from));
                }
                Say::Hello(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn forward(&self, host: u8) -> Vec<u8> {
        self.peers[usize::from(host)].forward().of(at(host)).iter().map(|to| self::host(*to)).collect()
    }

    fn pending(&self, host: u8, to: u8) -> Vec<u64> {
        self.peers[usize::from(host)].pending().of(at(to)).map(|number| number.0).collect()
    }

    /// What a buffer of three holds: the last three numbers up to its highest, without the holes.
    fn holds(&self, host: u8) -> Vec<u64> {
        let dbs = &self.peers[usize::from(host)];
        let highest = dbs.buffer.highest().unwrap_or_default().0;
        (highest.saturating_sub(2)..=highest).filter(|n| dbs.chunk(ChunkNumber(*n)).is_some()).collect()
    }

    fn travelled(&mut self) -> Vec<(u8, u8, u64)> {
        let mut traffic = self.traffic.clone();
        traffic.sort_unstable();
        traffic
    }
}

fn host(address: SocketAddr) -> u8 {
    let std::net::IpAddr::V4(ip) = address.ip() else { panic!() };
    ip.octets()[3]
}

fn sorted(mut traffic: Vec<(u8, u8, u64)>) -> Vec<(u8, u8, u64)> {
    traffic.sort_unstable();
    traffic
}

/// The figures of the slides of December 2017, team_0 to team_13.
#[test]
fn the_worked_example_goes_step_by_step() {
    let mut team = Example::new();
    team.join(M0, &[]);
    team.deal(0, M0);
    team.deal(1, M0);
    assert_eq!((team.holds(M0), team.forward(M0)), (vec![0, 1], vec![]));

    team.join(P1, &[M0]);
    team.deal(2, M0);
    assert_eq!(team.travelled(), sorted(vec![(S, M0, 2), (M0, P1, 2)]));
    assert_eq!((team.holds(M0), team.forward(M0)), (vec![0, 1, 2], vec![P1]));
    assert_eq!((team.holds(P1), team.forward(P1)), (vec![2], vec![M0]));

    team.join(P2, &[M0, P1]);
    team.deal(3, P1);
    assert_eq!(team.travelled(), sorted(vec![(S, P1, 3), (P1, P2, 3)]));
    assert_eq!((team.holds(P1), team.forward(P1)), (vec![2, 3], vec![M0, P2]));
    assert_eq!((team.pending(P1, M0), team.pending(P1, P2)), (vec![3], vec![]));
    assert_eq!((team.forward(P2), team.forward(M0)), (vec![P1], vec![P1, P2]));

    team.deal(4, P2);
    assert_eq!(team.travelled(), sorted(vec![(S, P2, 4), (P2, P1, 4), (P1, M0, 3)]));
    assert_eq!(team.holds(M0), [1, 2, 3]);
    assert_eq!((team.holds(P1), team.holds(P2)), (vec![2, 3, 4], vec![3, 4]));

    team.deal(5, M0);
    assert_eq!(team.travelled(), sorted(vec![(S, M0, 5), (M0, P2, 5)]));
    assert_eq!((team.holds(M0), team.holds(P2)), (vec![3, 5], vec![3, 4, 5]));
    assert_eq!((team.pending(M0, P1), team.pending(M0, P2)), (vec![5], vec![]));
    let mut of_p2 = team.forward(P2);
    of_p2.sort_unstable();
    assert_eq!(of_p2, [M0, P1], "P2 learned M0 by receiving from it");

    team.deal(6, P1);
    assert_eq!(team.travelled(), sorted(vec![(S, P1, 6), (P1, P2, 6)]));
    assert_eq!((team.holds(P1), team.holds(P2), team.holds(M0)), (vec![4, 6], vec![4, 5, 6], vec![3, 5]));
    assert_eq!(team.pending(P1, M0), [6]);

    team.deal(7, P2);
    assert_eq!(team.travelled(), sorted(vec![(S, P2, 7), (P2, P1, 7), (P1, M0, 6), (M0, P1, 5)]));
    assert_eq!((team.holds(M0), team.holds(P1), team.holds(P2)), (vec![5, 6], vec![5, 6, 7], vec![5, 6, 7]));
    assert_eq!(team.pending(P2, M0), [7]);

    team.deal(8, M0);
    assert_eq!(team.travelled(), sorted(vec![(S, M0, 8), (M0, P2, 8), (M0, P1, 8), (P2, M0, 7)]));
    let _ = [M0, P1, P2].map(|host| assert_eq!(team.holds(host), [6, 7, 8]));

    team.deal(9, P1);
    assert_eq!(team.travelled(), sorted(vec![(S, P1, 9), (P1, P2, 9)]));
    team.deal(10, P2);
    assert_eq!(team.travelled(), sorted(vec![(S, P2, 10), (P2, M0, 10)]));
    assert_eq!((team.holds(P2), team.holds(M0)), (vec![8, 9, 10], vec![8, 10]));
    assert_eq!((team.pending(P2, P1), team.pending(P1, M0)), (vec![10], vec![9]));

    team.deal(11, M0);
    let all = vec![(S, M0, 11), (M0, P2, 11), (M0, P1, 11), (P2, P1, 10), (P1, M0, 9)];
    assert_eq!(team.travelled(), sorted(all));
    let _ = [M0, P1, P2].map(|host| assert_eq!(team.holds(host), [9, 10, 11]));

    team.deal(12, P1);
    assert_eq!(team.travelled(), sorted(vec![(S, P1, 12), (P1, M0, 12)]), "M0's turn comes first");
    assert_eq!((team.pending(P1, P2), team.holds(P2)), (vec![12], vec![9, 10, 11]));
    team.deal(13, P2);
    assert_eq!(team.travelled(), sorted(vec![(S, P2, 13), (P2, M0, 13)]));
    assert_eq!((team.holds(M0), team.holds(P2)), (vec![11, 12, 13], vec![11, 13]));
    team.deal(14, M0);
    assert_eq!(team.travelled(), sorted(vec![(S, M0, 14), (M0, P1, 14), (P1, P2, 12), (P2, P1, 13)]));
    assert_eq!(
        (team.holds(M0), team.holds(P1), team.holds(P2)),
        (vec![12, 13, 14], vec![12, 13, 14], vec![11, 12, 13])
    );
}

/// A peer with two neighbours, and what it says.
fn between() -> (Dbs, Instant) {
    let mut dbs = Dbs::new(at(9), at(S), ChunkBuffer::new(16, Pace::Eager), 8);
    let now = start();
    let _ = [1, 2].map(|host| dbs.join_team(now, at(host), true));
    while dbs.poll().is_some() {}
    (dbs, now)
}

fn said(dbs: &mut Dbs) -> Vec<Say> {
    std::iter::from_fn(|| dbs.poll()).collect()
}

#[test]
fn defect_1_a_chunk_leaves_only_while_its_cell_holds_it() {
    let mut pending = PendingTable::new(64);
    pending.add(at(1), ChunkNumber(5));
    let (mut dbs, now) = between();
    dbs.pending = pending;
    dbs.receive_chunk_and_flood(now, at(S), chunk(200, 9));
    dbs.wake(now + Duration::from_secs(1));
    let sent = said(&mut dbs);
    assert!(sent.iter().all(|say| !matches!(say, Say::Chunk(_, chunk) if chunk.number.0 == 5)), "{sent:?}");
    assert_eq!(dbs.stats().stale, 1);
}

#[test]
fn defect_2_and_3_a_goodbye_removes_a_peer_everywhere_and_twice_is_harmless() {
    let (mut dbs, now) = between();
    dbs.receive_chunk_and_flood(now, at(2), chunk(1, 2));
    dbs.request(at(1), ChunkNumber(1));
    dbs.receive_chunk_and_flood(now, at(S), chunk(2, 9));
    for _ in 0..2 {
        dbs.goodbye(at(1));
        dbs.goodbye(at(77));
    }
    assert!(dbs.forward().iter().all(|(_, neighbors)| !neighbors.contains(&at(1))));
    assert_eq!(dbs.pending().of(at(1)).count(), 0);
    assert!(dbs.team().eq([at(2)]));
}

#[test]
fn defect_4_a_hello_does_not_forgive_a_debt() {
    let (mut dbs, now) = between();
    for number in 0..6 {
        dbs.receive_chunk_and_flood(now, at(S), chunk(number, 9));
    }
    let owed = dbs.debts().of(at(1));
    assert!(owed > 0);
    dbs.accept_neighbor(now, at(1));
    dbs.request(at(1), ChunkNumber(3));
    assert_eq!(dbs.debts().of(at(1)), owed);
}

#[test]
fn defect_5_a_burst_of_fifty_chunks_expels_nobody() {
    let (mut dbs, mut now) = between();
    for burst in 0..20u64 {
        for number in 0..50 {
            let number = burst * 50 + number;
            let (from, origin) = [(S, 9), (1, 1), (2, 2)][number as usize % 3];
            dbs.receive_chunk_and_flood(now, at(from), chunk(number, origin));
            while dbs.buffer().play().is_some() {}
        }
        now += Duration::from_secs(1);
        dbs.wake(now);
    }
    assert_eq!((dbs.stats().expelled, dbs.team().count()), (0, 2));
}

#[test]
fn defect_5_who_gives_nothing_waits_and_is_at_last_not_served() {
    let (mut dbs, mut now) = between();
    let mut to = [0, 0];
    // Neighbour 2 gives what is fair, neighbour 1 only shows that it lives.
    for number in 0..4_000u64 {
        now += Duration::from_millis(10);
        let (from, origin) = if number % 2 == 0 { (S, 9) } else { (2, 2) };
        dbs.receive_chunk_and_flood(now, at(from), chunk(number, origin));
        if number % 50 == 0 {
            dbs.heard.note(now, at(1));
            dbs.wake(now);
        }
        for say in said(&mut dbs) {
            if let Say::Chunk(peer, _) = say {
                to[usize::from(host(peer) - 1)] += 1;
            }
        }
        while dbs.buffer().play().is_some() {}
    }
    assert!(to[0] < to[1] * 9 / 10, "{to:?}");
    assert_eq!(dbs.stats().expelled, 1);
}

#[test]
fn defect_6_a_silent_neighbor_is_dropped_after_three_turns_and_a_second() {
    let (mut dbs, mut now) = between();
    for number in 0..12u64 {
        now += Duration::from_millis(100);
        let (from, origin) = if number % 2 == 0 { (S, 9) } else { (2, 2) };
        dbs.receive_chunk_and_flood(now, at(from), chunk(number, origin));
        dbs.wake(now);
    }
    assert!(dbs.team().eq([at(2)]), "{:?}", dbs.team().collect::<Vec<_>>());
    assert_eq!(dbs.stats().silent, 1);
}

#[test]
fn defect_6_a_pause_of_the_source_is_no_silence_of_peers() {
    let (mut dbs, now) = between();
    dbs.receive_chunk_and_flood(now, at(S), chunk(1, 9));
    dbs.wake(now + Duration::from_secs(60));
    assert_eq!(dbs.team().count(), 2);
}

#[test]
fn defect_7_a_request_brings_the_chunk_and_those_that_follow_of_its_origin() {
    let (mut dbs, now) = between();
    dbs.receive_chunk_and_flood(now, at(2), chunk(1, 2));
    said(&mut dbs);
    dbs.request(at(1), ChunkNumber(1));
    assert_eq!(dbs.forward().of(at(2)), [at(1)]);
    dbs.receive_chunk_and_flood(now, at(2), chunk(2, 2));
    dbs.wake(now + Duration::from_secs(1));
    let chunks: Vec<_> = said(&mut dbs)
        .into_iter()
        .filter_map(|say| match say {
            Say::Chunk(to, chunk) => Some((host(to), chunk.number.0)),
            _ => None,
        })
        .collect();
    assert_eq!(chunks, [(1, 1), (1, 2)]);
}

#[test]
fn defect_8_a_prune_names_an_origin_only_while_its_chunk_is_held() {
    let (mut dbs, now) = between();
    dbs.receive_chunk_and_flood(now, at(S), chunk(5, 9));
    dbs.receive_chunk_and_flood(now, at(S), chunk(5 + 32, 9));
    dbs.prune(at(1), ChunkNumber(5));
    assert_eq!(dbs.forward().of(at(9)), [at(1), at(2)], "cell 5 holds 37 by now");
    dbs.prune(at(1), ChunkNumber(37));
    assert_eq!(dbs.forward().of(at(9)), [at(2)]);
}

#[test]
fn defect_8_one_duplicate_prunes_nobody() {
    let (mut dbs, now) = between();
    for number in 1..=2 {
        dbs.receive_chunk_and_flood(now, at(3), chunk(number, 3));
    }
    said(&mut dbs);
    dbs.receive_chunk_and_flood(now, at(2), chunk(1, 3));
    assert!(said(&mut dbs).is_empty());
    dbs.receive_chunk_and_flood(now, at(2), chunk(2, 3));
    assert_eq!(said(&mut dbs), [Say::Prune(at(2), ChunkNumber(2))]);
}

#[test]
fn defect_9_nothing_goes_to_its_origin_its_sender_the_splitter_or_oneself() {
    let (mut dbs, now) = between();
    let _ = [1, 2, 3, 9, S].map(|host| dbs.forward.add(at(3), at(host)));
    let _ = [1, 2, 3].map(|host| dbs.accept_neighbor(now, at(host)));
    dbs.receive_chunk_and_flood(now, at(1), chunk(1, 3));
    dbs.wake(now + Duration::from_secs(1));
    let to: Vec<_> = said(&mut dbs)
        .into_iter()
        .filter_map(|say| if let Say::Chunk(to, _) = say { Some(host(to)) } else { None })
        .collect();
    assert_eq!(to, [2]);
}

#[test]
fn defect_10_a_late_copy_of_a_played_chunk_is_not_passed_on_again() {
    let (mut dbs, now) = between();
    for number in 0..40 {
        dbs.receive_chunk_and_flood(now, at(S), chunk(number, 9));
        while dbs.buffer().play().is_some() {}
    }
    dbs.wake(now + Duration::from_millis(50));
    said(&mut dbs);
    for number in [0, 20, 39] {
        assert_ne!(dbs.receive_chunk_and_flood(now, at(1), chunk(number, 9)), Put::New);
    }
    assert!(said(&mut dbs).iter().all(|say| !matches!(say, Say::Chunk(..))));
}

#[test]
fn defect_11_a_forged_number_far_ahead_does_not_flush_the_buffer() {
    let (mut dbs, now) = between();
    dbs.receive_chunk_and_flood(now, at(S), chunk(1, 9));
    assert_eq!(dbs.receive_chunk_and_flood(now, at(1), chunk(1_000_000, 1)), Put::Early);
    assert!(matches!(dbs.buffer().play(), Some(crate::buffer::Played::Chunk(chunk)) if chunk.number.0 == 1));
    assert_eq!(dbs.buffer().play(), None);
}

#[test]
fn defect_22_pending_is_served_without_reception_and_bounded() {
    let (mut dbs, now) = between();
    dbs.receive_chunk_and_flood(now, at(S), chunk(1, 9));
    assert_eq!(said(&mut dbs).len(), 1, "one neighbour for one reception");
    let due = dbs.due().expect("somebody waits");
    dbs.wake(due);
    assert_eq!(said(&mut dbs).iter().filter(|say| matches!(say, Say::Chunk(..))).count(), 1);
    let mut pending = PendingTable::new(16);
    let dropped: u64 = (0..100).map(|number| pending.add(at(1), ChunkNumber(number))).sum();
    assert_eq!((pending.len(), dropped), (16, 84));
}

#[test]
fn defect_26_a_lost_hello_is_said_three_times() {
    let mut dbs = peer(9);
    let mut now = start();
    dbs.join_team(now, at(1), true);
    let mut hellos = 0;
    for _ in 0..100 {
        hellos += said(&mut dbs).len();
        now += Duration::from_millis(20);
        dbs.wake(now);
    }
    assert_eq!(hellos, 3);
    let mut heard = peer(9);
    heard.join_team(now, at(1), true);
    heard.receive_chunk_and_flood(now, at(1), chunk(1, 1));
    said(&mut heard);
    heard.wake(now + Duration::from_secs(1));
    assert!(said(&mut heard).is_empty(), "a chunk is as good as an answer");
}
