//! Exchanges of the reference implementation, recorded, with ours in the place of one of its programs.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // where time begins does not matter

use bytes::Bytes;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit, machine::Closed};
use levada_swarm::{Peer, Splitter, Wire, buffer::Pace, peer, splitter};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

const TEAM_A: &str = include_str!("recorded/team-a.txt");
const SPLITTER: u16 = 4_552;
const CHUNK: usize = 1_024;

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Open,
    Stream(Bytes),
    Close,
    Datagram(Bytes),
}

struct Line {
    at: u64,
    from: u16,
    to: u16,
    what: What,
}

fn source() -> Vec<u8> {
    let mut source = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n".to_vec();
    (0..50_000).for_each(|line| source.extend_from_slice(format!("{line:07}\n").as_bytes()));
    source
}

fn recorded() -> Vec<Line> {
    let source = source();
    let bytes = |words: &[&str]| {
        let mut bytes = Vec::new();
        for word in words {
            match word.strip_prefix('@').map(|at| at.parse::<usize>().unwrap()) {
                Some(at) => bytes.extend_from_slice(&source[at..at + CHUNK]),
                None => bytes.extend(
                    (0..word.len()).step_by(2).map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap()),
                ),
            }
        }
        Bytes::from(bytes)
    };
    let lines = TEAM_A.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let what = match words[1] {
            "open" => What::Open,
            "close" => What::Close,
            "tcp" => What::Stream(bytes(&words[4..])),
            _ => What::Datagram(bytes(&words[4..])),
        };
        let [at, from, to] = [0, 2, 3].map(|at| words[at].parse::<u64>().unwrap());
        Line { at, from: from as u16, to: to as u16, what }
    };
    lines.map(read).collect()
}

fn here(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// What a machine says until it wants to be left in peace, and until when.
fn said<M: Machine>(machine: &mut M, now: Instant) -> (Vec<Transmit>, Vec<M::Event>, Option<Instant>) {
    let (mut sends, mut events) = (Vec::new(), Vec::new());
    loop {
        match machine.poll(now) {
            Output::Send(send) => sends.push(send),
            Output::Event(event) => events.push(event),
            Output::Wait(until) => return (sends, events, until),
        }
    }
}

fn datagrams(sends: Vec<Transmit>) -> impl Iterator<Item = (u16, Bytes)> {
    sends.into_iter().filter_map(|send| match send {
        Transmit::Datagram { to, bytes } => Some((to.port(), bytes)),
        Transmit::Stream { .. } => None,
    })
}

/// Each peer of the reference but the first, in turn: ours in its place sends the same chunks to the same neighbours,
/// byte for byte, and plays what its source sent.
#[test]
fn our_peer_in_the_place_of_theirs_on_wire_a_sends_what_it_sent_and_plays_the_stream() {
    let (lines, source) = (recorded(), source());
    let mut ports: Vec<_> =
        lines.iter().filter(|line| line.what == What::Open).map(|line| line.from).collect();
    ports.remove(0);
    for port in ports {
        let start = Instant::now();
        let opens = lines.iter().position(|line| line.from == port && line.what == What::Open).unwrap();
        let config =
            peer::Config { pace: Pace::Half, ..peer::Config::new(Wire::A, here(SPLITTER), here(port)) };
        let began = start + Duration::from_millis(lines[opens].at);
        let mut peer = Peer::new(began, config, 1);
        let (mut ours, mut played, mut id) = (Vec::new(), Vec::new(), None);
        let mut note = |(sends, events, until): (Vec<Transmit>, Vec<peer::Event>, Option<Instant>)| {
            for send in &sends {
                if let Transmit::Stream { id: opened, what: StreamOutput::Open { .. } } = send {
                    id = Some(*opened);
                }
            }
            ours.extend(datagrams(sends));
            played.extend(events.into_iter().filter_map(|event| match event {
                peer::Event::Play(_, bytes) => Some(bytes),
                peer::Event::Lost(number) => panic!("{number} is lost"),
                _ => None,
            }));
            (until, id)
        };
        peer.handle(began, Input::Wake);
        let (mut until, mut stream) = note(said(&mut peer, began));
        for line in &lines[opens..] {
            let now = start + Duration::from_millis(line.at);
            while let Some(due) = until.filter(|due| *due < now) {
                peer.handle(due, Input::Wake);
                (until, stream) = note(said(&mut peer, due));
            }
            let inputs = match (&line.what, stream) {
                (What::Open, Some(id)) if line.from == port => {
                    vec![Input::Stream { id, what: StreamInput::Opened { peer: here(SPLITTER) } }]
                }
                (What::Stream(bytes), Some(id)) if line.to == port => {
                    vec![Input::Stream { id, what: StreamInput::Bytes(bytes.clone()) }]
                }
                (What::Close, Some(id)) if line.to == port => {
                    vec![Input::Stream { id, what: StreamInput::Closed(Closed::ByPeer) }]
                }
                (What::Datagram(bytes), _) if line.to == port => {
                    vec![Input::Datagram { from: here(line.from), bytes: bytes.clone() }]
                }
                _ => continue,
            };
            for input in inputs {
                peer.handle(now, input);
                (until, stream) = note(said(&mut peer, now));
            }
        }
        let is_chunk = |(_, bytes): &&(u16, Bytes)| bytes.len() == CHUNK + 12;
        let ours_sent: BTreeSet<_> = ours.iter().filter(is_chunk).cloned().collect();
        let theirs: Vec<_> = lines[opens..]
            .iter()
            .filter(|line| line.from == port)
            .filter_map(|line| match &line.what {
                What::Datagram(bytes) => Some((line.to, bytes.clone())),
                _ => None,
            })
            .collect();
        let theirs_sent: BTreeSet<_> = theirs.iter().filter(is_chunk).cloned().collect();
        // Whoever joined later is unknown to ours until it is heard, as it was to theirs; what is pending at the end differs.
        let differ = ours_sent.symmetric_difference(&theirs_sent).count();
        assert!(theirs_sent.len() > 60 && differ <= 4, "{port}: {differ} differ of {}", theirs_sent.len());
        let mut hellos = theirs.iter().filter(|(_, bytes)| bytes.len() == 4);
        assert!(hellos.all(|hello| ours.contains(hello)), "it greets whom theirs greeted");
        let bytes = played.concat();
        let first = source.windows(CHUNK).position(|window| window == &bytes[..CHUNK]).unwrap();
        assert!(
            bytes.len() > 20 * CHUNK && source[first..].starts_with(&bytes),
            "{port} plays something else"
        );
    }
}

/// The splitter of the reference, with ours in its place: the same welcomes, and the same chunks to the same peers.
#[test]
fn our_splitter_in_the_place_of_theirs_on_wire_a_deals_the_same_chunks_to_the_same_peers() {
    let (lines, source) = (recorded(), source());
    let start = Instant::now();
    let mut splitter = Splitter::new(start, splitter::Config::new(Wire::A));
    let (mut fed, mut joined, mut compared) = (0, 0u32, 0);
    let mut welcomes: Vec<(u16, Vec<u8>, Vec<u8>)> = Vec::new();
    for line in &lines {
        let now = start + Duration::from_millis(line.at);
        match &line.what {
            What::Open => {
                let id = StreamId::theirs(joined);
                joined += 1;
                let what = StreamInput::Opened { peer: here(line.from) };
                splitter.handle(now, Input::Stream { id, what });
                let written = said(&mut splitter, now).0.into_iter().filter_map(|send| match send {
                    Transmit::Stream { what: StreamOutput::Bytes(bytes), .. } => Some(bytes.to_vec()),
                    _ => None,
                });
                welcomes.push((line.from, written.flatten().collect(), Vec::new()));
                // Theirs opens its source only for the first peer, which therefore is told no header.
                splitter.set_head(Bytes::copy_from_slice(&source[..CHUNK]));
            }
            What::Stream(bytes) => {
                let welcome = welcomes.iter_mut().find(|(port, ..)| *port == line.to).unwrap();
                welcome.2.extend_from_slice(bytes);
            }
            What::Close => {
                // Theirs deals to a newcomer once it is told, ours once it is heard (defect 25): so it is heard at once.
                let bytes = Wire::A.hello();
                splitter.handle(now, Input::Datagram { from: here(line.to), bytes });
                assert_eq!(datagrams(said(&mut splitter, now).0).count(), 0);
            }
            // Its only one; whoever says more is taken for one that shows that it lives.
            What::Datagram(bytes) if line.to == SPLITTER && bytes.len() == 4 => {}
            What::Datagram(bytes) if line.to == SPLITTER => {
                splitter.handle(now, Input::Datagram { from: here(line.from), bytes: bytes.clone() });
                assert_eq!(datagrams(said(&mut splitter, now).0).count(), 0);
            }
            What::Datagram(bytes) if line.from == SPLITTER => {
                splitter.feed(now, &source[fed..fed + CHUNK]);
                fed += CHUNK;
                let dealt: Vec<_> = datagrams(said(&mut splitter, now).0).collect();
                assert_eq!(dealt, [(line.to, bytes.clone())], "chunk {}", fed / CHUNK - 1);
                compared += 1;
            }
            What::Datagram(_) => {}
        }
    }
    for (port, ours, theirs) in &welcomes {
        assert_eq!(ours, theirs, "what {port} is told");
    }
    assert!(welcomes.len() == 3 && compared > 200, "{compared}");
}
