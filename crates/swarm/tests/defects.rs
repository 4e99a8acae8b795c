//! The known defects of the reference implementations, by their numbers, and the tasks of P2PSP, by their names: where
//! each is shown, and what has no better place.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // where time begins does not matter

use bytes::Bytes;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, Transmit};
use levada_swarm::{
    Splitter, Wire,
    native::{self, Seal, wire::Message},
    splitter,
};
use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

/// What was wrong, and the tests that hold it.
const DEFECTS: [(&str, &[(&str, &str)]); 29] = [
    (
        "a cell is sent that holds another chunk by then",
        &[(RULES, "defect_1_a_chunk_leaves_only_while_its_cell_holds_it")],
    ),
    (
        "F is searched by neighbour",
        &[(RULES, "defect_2_and_3_a_goodbye_removes_a_peer_everywhere_and_twice_is_harmless")],
    ),
    (
        "a polite goodbye kills older peers",
        &[
            (RULES, "defect_2_and_3_a_goodbye_removes_a_peer_everywhere_and_twice_is_harmless"),
            (TEAMS, "defect_3_a_polite_goodbye_harms_nobody"),
        ],
    ),
    ("a hello forgives debts", &[(RULES, "defect_4_a_hello_does_not_forgive_a_debt")]),
    (
        "a burst expels everybody",
        &[
            (RULES, "defect_5_a_burst_of_fifty_chunks_expels_nobody"),
            (RULES, "defect_5_who_gives_nothing_waits_and_is_at_last_not_served"),
        ],
    ),
    (
        "a silent death is noticed late",
        &[
            (RULES, "defect_6_a_silent_neighbor_is_dropped_after_three_turns_and_a_second"),
            (RULES, "defect_6_a_pause_of_the_source_is_no_silence_of_peers"),
            (TEAMS, "defect_6_a_crash_costs_less_than_the_references_thirty_chunks"),
        ],
    ),
    (
        "a request brings no lost chunk",
        &[(RULES, "defect_7_a_request_brings_the_chunk_and_those_that_follow_of_its_origin")],
    ),
    (
        "a prune is ambiguous",
        &[
            (RULES, "defect_8_a_prune_names_an_origin_only_while_its_chunk_is_held"),
            (RULES, "defect_8_one_duplicate_prunes_nobody"),
        ],
    ),
    (
        "chunks go in circles",
        &[(RULES, "defect_9_nothing_goes_to_its_origin_its_sender_the_splitter_or_oneself")],
    ),
    (
        "late copies are flooded again",
        &[(RULES, "defect_10_a_late_copy_of_a_played_chunk_is_not_passed_on_again")],
    ),
    (
        "a forged number flushes the buffer",
        &[(RULES, "defect_11_a_forged_number_far_ahead_does_not_flush_the_buffer")],
    ),
    (
        "playing ends where 16 bits wrap",
        &[
            (TEAMS, "defect_12_a_team_crosses_the_wrap_of_sixteen_bits"),
            (HERE, "defect_12_a_native_team_has_numbers_that_never_wrap"),
        ],
    ),
    (
        "a slow player stops the forwarding",
        &[(PROGRAMS, "a_native_team_plays_from_the_first_byte_whoever_dies")],
    ),
    (
        "a player that closes ends its peer",
        &[(PROGRAMS, "lab_4_goes_from_ffmpeg_to_every_player_and_into_another_icecast")],
    ),
    (
        "a late joiner begins anywhere",
        &[
            (HEADS, "native_chunks_begin_where_players_may_and_nothing_is_lost"),
            (NATIVE, "sixty_peers_play_all_of_it_and_the_source_uploads_it_about_once"),
        ],
    ),
    (
        "the first joiner gets no head",
        &[(TEAMS, "defect_16_and_20_the_first_peer_gets_the_head_and_an_empty_team_is_no_end")],
    ),
    ("a hello buys a flood", &[(NATIVE, "nothing_larger_than_the_request_goes_to_an_unproven_address")]),
    (
        "anybody has a peer expelled",
        &[
            (TEAMS, "defect_18_a_stranger_cannot_have_a_peer_expelled"),
            (MONITORS, "a_report_of_a_monitor_counts_and_a_liars_is_counted_and_ignored"),
        ],
    ),
    ("pollution is not seen", &[(NATIVE, "polluters_reach_no_player_and_no_second_hop")]),
    (
        "the splitter is a single point of failure",
        &[
            (TEAMS, "defect_16_and_20_the_first_peer_gets_the_head_and_an_empty_team_is_no_end"),
            (STANDBY, "who_stands_by_goes_on_with_the_same_numbers_when_the_splitter_dies"),
        ],
    ),
    ("a slow joiner blocks all", &[(TEAMS, "defect_21_a_slow_joiner_blocks_nobody")]),
    (
        "pending grows where nothing is received",
        &[(RULES, "defect_22_pending_is_served_without_reception_and_bounded")],
    ),
    (
        "one address of one family",
        &[(HERE, "defect_23_a_peer_is_where_its_datagrams_come_from_in_either_family")],
    ),
    (
        "chunks wait to be full",
        &[(HERE, "defect_24_sound_of_a_low_rate_does_not_wait_for_a_chunk_to_be_full")],
    ),
    ("who joins is dealt chunks too early", &[(HERE, "defect_25_who_is_not_ready_is_dealt_nothing")]),
    ("a lost hello is never said again", &[(RULES, "defect_26_a_lost_hello_is_said_three_times")]),
    (
        "uploads are not fair",
        &[
            (HERE, "defect_27_who_can_give_nothing_is_nobodys_parent_and_gets_all"),
            (TREES, "trees_stay_flat_and_nobody_uploads_more_than_its_slots"),
        ],
    ),
    ("there are no trackers", &[(TRACKER, "newcomers_are_spread_over_the_teams_of_their_channel")]),
    (
        "there are no versions",
        &[(HERE, "defect_29_another_version_is_refused_by_ours_and_strange_skills_are_ignored")],
    ),
];

/// The tasks, and the methods that do them.
const TASKS: [(&str, &[(&str, &str)]); 5] = [
    ("SERVE_JOINING_PEERS", &[("src/splitter.rs", "serve_joining_peer"), ("src/native/splitter.rs", "join")]),
    (
        "JOIN_TEAM",
        &[
            ("src/peer.rs", "join_team"),
            ("src/dbs.rs", "join_team"),
            ("src/native/peer/join.rs", "join_team"),
        ],
    ),
    (
        "ACCEPT_NEIGHBORS",
        &[("src/dbs.rs", "accept_neighbor"), ("src/native/peer/neighbors.rs", "accept_neighbor")],
    ),
    ("CONTROL", &[("src/peer.rs", "control")]),
    (
        "RECEIVE_CHUNK_AND_FLOOD",
        &[("src/dbs.rs", "receive_chunk_and_flood"), ("src/native/peer.rs", "receive_chunk_and_flood")],
    ),
];

const HERE: &str = "tests/defects.rs";
const RULES: &str = "src/dbs/tests.rs";
const TEAMS: &str = "tests/team.rs";
const NATIVE: &str = "src/native/tests.rs";
const MONITORS: &str = "src/native/tests/monitors.rs";
const STANDBY: &str = "src/native/tests/standby.rs";
const TREES: &str = "src/native/trees.rs src/native/trees/tests.rs";
const TRACKER: &str = "src/tracker/tests.rs";
const PROGRAMS: &str = "../cli/tests/swarm.rs";
const HEADS: &str = "../cli/src/swarm/heads.rs";

/// The text of one of the files, as far as they are there.
fn text(files: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    files.split(' ').filter_map(|file| std::fs::read_to_string(root.join(file)).ok()).collect()
}

#[test]
fn every_defect_has_its_tests_and_every_task_its_methods() {
    for (number, (what, tests)) in (1..).zip(DEFECTS) {
        assert!(!tests.is_empty());
        for (files, test) in tests {
            assert!(text(files).contains(&format!("fn {test}(")), "{number}, {what}: no {test} in {files}");
        }
    }
    for (task, methods) in TASKS {
        for (file, method) in methods {
            let text = text(file);
            assert!(text.contains(&format!("fn {method}(")), "{task}: no {method} in {file}");
            assert!(text.contains(task), "{file} does not say which method does {task}");
        }
    }
}

fn start() -> Instant {
    Instant::now()
}

fn datagrams<M: Machine>(machine: &mut M, now: Instant) -> Vec<(SocketAddr, Bytes)> {
    let mut found = Vec::new();
    loop {
        match machine.poll(now) {
            Output::Send(Transmit::Datagram { to, bytes }) => found.push((to, bytes)),
            Output::Wait(_) => return found,
            _ => {}
        }
    }
}

fn dealer(now: Instant) -> native::Splitter {
    let nowhere = ([0, 0, 0, 0], 0).into();
    native::Splitter::new(now, native::splitter::Config::new(nowhere, Seal::StandIn, [3; 32]))
}

fn at(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 7_000).into()
}

/// Joins a native team from an address; what is said to it.
fn join(
    dealer: &mut native::Splitter,
    now: Instant,
    from: SocketAddr,
    slots: u16,
    skills: u16,
) -> Vec<Message> {
    let hello = Message::Hello { nonce: 7 }.write();
    dealer.handle(now, Input::Datagram { from, bytes: hello });
    let said = datagrams(dealer, now);
    let Some(Message::Cookie { nonce, cookie, .. }) = Message::read(&said[0].1) else { panic!("{said:?}") };
    let proof = native::pass::NO_PROOF;
    let join = Message::Join { nonce, cookie, slots, skills, proof, near: None }.write();
    dealer.handle(now, Input::Datagram { from, bytes: join });
    datagrams(dealer, now).iter().filter_map(|(_, bytes)| Message::read(bytes)).collect()
}

#[test]
fn defect_12_a_native_team_has_numbers_that_never_wrap() {
    let far = 1u64 << 48;
    let chunk = native::wire::Sealed {
        number: far + 1,
        flags: 0,
        hops: 0,
        place: (0, 1),
        siblings: Vec::new(),
        signature: [1; 64],
        data: Bytes::from_static(b"far"),
    };
    let bytes = Message::Chunk(chunk.clone()).write();
    assert_eq!(native::wire::Sealed::number(&bytes), Some(far + 1));
    assert_eq!(Message::read(&bytes), Some(Message::Chunk(chunk)));
    // And a splitter goes over 65,536 without a word of it.
    let now = start();
    let mut dealer = dealer(now);
    join(&mut dealer, now, at(1), 10, 0);
    (0..70_000).for_each(|n: u32| dealer.feed(now, n.is_multiple_of(50), &n.to_be_bytes()));
    let numbers =
        datagrams(&mut dealer, now).into_iter().filter_map(|(_, bytes)| native::wire::Sealed::number(&bytes));
    assert!(numbers.eq(0..70_000));
}

#[test]
fn defect_23_a_peer_is_where_its_datagrams_come_from_in_either_family() {
    let now = start();
    let mut dealer = dealer(now);
    for from in [at(1), "[2001:db8::7]:9".parse().unwrap()] {
        let said = join(&mut dealer, now, from, 10, 0);
        assert!(
            said.iter().any(|said| matches!(said, Message::Welcome { you, .. } if *you == from)),
            "{said:?}"
        );
    }
    assert_eq!(dealer.stats().peers, 2);
}

#[test]
fn defect_24_sound_of_a_low_rate_does_not_wait_for_a_chunk_to_be_full() {
    let mut now = start();
    let mut dealer = dealer(now);
    join(&mut dealer, now, at(1), 10, 0);
    // 16 kbit/s in frames of 104 milliseconds: a chunk of 1024 bytes would wait for five of them, a group does for 80 ms.
    for frame in 0..50u64 {
        now += Duration::from_millis(24);
        dealer.feed(now, true, &[7; 208]);
        now += Duration::from_millis(80);
        dealer.handle(now, Input::Wake);
        let dealt = datagrams(&mut dealer, now);
        let numbers: Vec<_> =
            dealt.iter().filter_map(|(_, bytes)| native::wire::Sealed::number(bytes)).collect();
        assert_eq!(numbers, [frame]);
        if frame % 5 == 0 {
            let bytes = Message::Alive { missing: 0, waiting: 0 }.write();
            dealer.handle(now, Input::Datagram { from: at(1), bytes });
        }
    }
}

#[test]
fn defect_25_who_is_not_ready_is_dealt_nothing() {
    let now = start();
    let config = splitter::Config { chunk_size: 4, ..splitter::Config::new(Wire::B) };
    let mut splitter = Splitter::new(now, config);
    let id = StreamId::theirs(1);
    let say = |splitter: &mut Splitter, what| splitter.handle(now, Input::Stream { id, what });
    say(&mut splitter, StreamInput::Opened { peer: at(1) });
    say(&mut splitter, StreamInput::Bytes(Bytes::from_static(b"P")));
    splitter.feed(now, &[1; 40]);
    assert_eq!((datagrams(&mut splitter, now).len(), splitter.stats().peers), (0, 0));
    say(&mut splitter, StreamInput::Bytes(Bytes::from_static(b"R")));
    splitter.feed(now, &[1; 40]);
    assert_eq!((datagrams(&mut splitter, now).len(), splitter.stats().peers), (10, 1));
}

#[test]
fn defect_27_who_can_give_nothing_is_nobodys_parent_and_gets_all() {
    let now = start();
    let mut dealer = dealer(now);
    let mut parents = Vec::new();
    for host in 1..=12 {
        let slots = if host == 3 { 0 } else { 12 };
        let said = join(&mut dealer, now, at(host), slots, 0);
        parents.extend(said.into_iter().filter_map(|said| match said {
            Message::Parent { parent, .. } => Some(parent),
            _ => None,
        }));
    }
    assert!(parents.len() >= 8 * 12 && !parents.contains(&at(3)));
    let leech = dealer.members().into_iter().find(|member| member.endpoint == at(3)).unwrap();
    assert_eq!((leech.children, leech.origin + leech.parents.values().sum::<usize>()), (0, 8));
}

#[test]
fn defect_29_another_version_is_refused_by_ours_and_strange_skills_are_ignored() {
    let now = start();
    let mut dealer = dealer(now);
    let hello = Message::Stranger { version: 9, nonce: 7 }.write();
    dealer.handle(now, Input::Datagram { from: at(1), bytes: hello.clone() });
    let said = datagrams(&mut dealer, now);
    let why = native::wire::Refusal::Version(native::wire::VERSION);
    assert_eq!(said, [(at(1), Message::Refused { nonce: 7, why }.write())]);
    assert!(said[0].1.len() < hello.len() && native::wire::is_open(&said[0].1));
    // Whoever is refused so hears it whatever its own version is, and stops asking.
    let mut peer = native::Peer::new(now, native::peer::Config::new(at(0)), 1);
    peer.handle(now, Input::Wake);
    let asked = datagrams(&mut peer, now);
    let Some(Message::Hello { nonce }) = Message::read(&asked[0].1) else { panic!("{asked:?}") };
    let why = native::wire::Refusal::Version(9);
    let bytes = Message::Refused { nonce, why }.write();
    peer.handle(now, Input::Datagram { from: at(0), bytes });
    assert_eq!(peer.poll(now), levada_link::Output::Event(native::peer::Event::Refused(why)));
    assert_eq!(peer.poll(now), levada_link::Output::Wait(None));
    let said = join(&mut dealer, now, at(1), 10, u16::MAX);
    assert!(said.iter().any(|said| matches!(said, Message::Welcome { .. })));
}
