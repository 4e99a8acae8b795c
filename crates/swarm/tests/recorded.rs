//! Exchanges of the reference implementations, recorded, with ours in the place of one of their programs.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // where time begins does not matter

use bytes::Bytes;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit, machine::Closed};
use levada_swarm::{Monitor, Peer, Splitter, Wire, buffer::Pace, peer, splitter};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

const CHUNK: usize = 1_024;
const SOURCE: u16 = 8_000;

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

/// What a team of theirs exchanged.
struct Recording {
    wire: Wire,
    splitter: u16,
    lines: Vec<Line>,
    source: Vec<u8>,
}

/// What ours did in the place of a peer.
#[derive(Default)]
struct Said {
    sent: Vec<(u16, Bytes)>,
    played: Vec<Bytes>,
    left: bool,
}

impl Recording {
    fn a() -> Recording {
        Recording::read(Wire::A, 4_552, include_str!("recorded/team-a.txt"))
    }

    fn b() -> Recording {
        Recording::read(Wire::B, 8_001, include_str!("recorded/team-b.txt"))
    }

    fn read(wire: Wire, splitter: u16, text: &str) -> Recording {
        let mut source = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n".to_vec();
        (0..50_000).for_each(|line| source.extend_from_slice(format!("{line:07}\n").as_bytes()));
        let bytes = |words: &[&str]| {
            let mut bytes = Vec::new();
            for word in words {
                match word.strip_prefix('@').map(|at| at.parse::<usize>().unwrap()) {
                    Some(at) => bytes.extend_from_slice(&source[at..at + CHUNK]),
                    None => bytes.extend(
                        (0..word.len())
                            .step_by(2)
                            .map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap()),
                    ),
                }
            }
            Bytes::from(bytes)
        };
        let line = |line: &str| {
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
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(line).collect();
        Recording { wire, splitter, lines, source }
    }

    /// Those who joined, in that order; the first is the monitor.
    fn ports(&self) -> Vec<u16> {
        self.lines.iter().filter(|line| line.what == What::Open).map(|line| line.from).collect()
    }

    /// Datagrams from `port`.
    fn sent_by(&self, port: u16) -> impl Iterator<Item = (u16, Bytes)> + '_ {
        self.lines.iter().filter(move |line| line.from == port).filter_map(|line| match &line.what {
            What::Datagram(bytes) => Some((line.to, bytes.clone())),
            _ => None,
        })
    }

    fn is_chunk(&self, bytes: &Bytes) -> bool {
        bytes.len() > CHUNK
    }

    /// Puts a machine of ours in the place of the peer at `port`: it hears what that one heard, when it did, and leaves
    /// when it did.
    fn replay<M: Machine<Event = peer::Event>>(
        &self,
        port: u16,
        new: impl FnOnce(Instant, peer::Config) -> M,
        leave: impl Fn(&mut M, Instant),
    ) -> Said {
        let splitter = here(self.splitter);
        let start = Instant::now();
        let opens = self.lines.iter().position(|line| line.from == port && line.what == What::Open).unwrap();
        let config = peer::Config { pace: Pace::Half, ..peer::Config::new(self.wire, splitter, here(port)) };
        let began = start + Duration::from_millis(self.lines[opens].at);
        let mut machine = new(began, config);
        let (mut said, mut stream, mut leaves) = (Said::default(), None, false);
        let mut say = |machine: &mut M, now: Instant, input: Input| {
            let mut inputs = vec![input];
            let mut until = None;
            while let Some(input) = inputs.pop() {
                machine.handle(now, input);
                let (sends, events, wait) = polled(machine, now);
                until = wait;
                for send in &sends {
                    let Transmit::Stream { id, what: StreamOutput::Open { to } } = send else { continue };
                    if to.port() == SOURCE {
                        let head = Bytes::copy_from_slice(&self.source[..2 * CHUNK]);
                        inputs.push(Input::Stream { id: *id, what: StreamInput::Bytes(head) });
                        inputs.push(Input::Stream { id: *id, what: StreamInput::Opened { peer: *to } });
                    } else {
                        stream = Some(*id);
                    }
                }
                said.sent.extend(datagrams(sends));
                for event in events {
                    match event {
                        peer::Event::Play(_, bytes) => said.played.push(bytes),
                        peer::Event::Lost(number) => panic!("{port}: {number} is lost"),
                        peer::Event::Left => said.left = true,
                        peer::Event::Joined { .. } | peer::Event::Refused | peer::Event::Head(_) => {}
                    }
                }
            }
            (until, stream)
        };
        let (mut until, mut stream) = say(&mut machine, began, Input::Wake);
        for line in &self.lines[opens..] {
            let now = start + Duration::from_millis(line.at);
            while let Some(due) = until.filter(|due| *due < now) {
                (until, stream) = say(&mut machine, due, Input::Wake);
            }
            let input = match (&line.what, stream) {
                (What::Open, Some(id)) if line.from == port => {
                    Input::Stream { id, what: StreamInput::Opened { peer: splitter } }
                }
                (What::Stream(bytes), Some(id)) if line.to == port => {
                    Input::Stream { id, what: StreamInput::Bytes(bytes.clone()) }
                }
                (What::Close, Some(id)) if line.to == port => {
                    Input::Stream { id, what: StreamInput::Closed(Closed::ByPeer) }
                }
                (What::Datagram(bytes), _) if line.to == port => {
                    Input::Datagram { from: here(line.from), bytes: bytes.clone() }
                }
                (What::Datagram(bytes), _)
                    if line.from == port && bytes == &self.wire.dismissal() && !leaves =>
                {
                    leaves = true;
                    leave(&mut machine, now);
                    Input::Wake
                }
                _ => continue,
            };
            (until, stream) = say(&mut machine, now, input);
        }
        said
    }

    /// That ours sent the chunks that theirs sent to the same neighbours, byte for byte, greeted whom theirs greeted, and
    /// played what the source sent.
    fn assert_alike(&self, port: u16, ours: &Said) {
        let chunks = |sent: Vec<(u16, Bytes)>| -> BTreeSet<_> {
            sent.into_iter().filter(|(_, bytes)| self.is_chunk(bytes)).collect()
        };
        let ours_sent = chunks(ours.sent.clone());
        let theirs_sent = chunks(self.sent_by(port).collect());
        // Whoever joined later is unknown to ours until it is heard, as it was to theirs; what is pending at the end differs.
        let differ = ours_sent.symmetric_difference(&theirs_sent).count();
        assert!(theirs_sent.len() > 50 && differ <= 4, "{port}: {differ} differ of {}", theirs_sent.len());
        let mut hellos = self.sent_by(port).filter(|(_, bytes)| *bytes == self.wire.hello());
        assert!(hellos.all(|hello| ours.sent.contains(&hello)), "{port} greets whom theirs greeted");
        let bytes = ours.played.concat();
        let first = self.source.windows(CHUNK).position(|window| window == &bytes[..CHUNK]).unwrap();
        assert!(
            bytes.len() > 20 * CHUNK && self.source[first..].starts_with(&bytes),
            "{port} plays something else"
        );
    }
}

fn here(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// What a machine says until it wants to be left in peace, and until when.
fn polled<M: Machine>(machine: &mut M, now: Instant) -> (Vec<Transmit>, Vec<M::Event>, Option<Instant>) {
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

fn written(sends: Vec<Transmit>) -> Vec<u8> {
    let bytes = sends.into_iter().filter_map(|send| match send {
        Transmit::Stream { what: StreamOutput::Bytes(bytes), .. } => Some(bytes.to_vec()),
        _ => None,
    });
    bytes.flatten().collect()
}

/// Each peer of the reference but the first, in turn.
#[test]
fn our_peer_in_the_place_of_theirs_on_wire_a_sends_what_it_sent_and_plays_the_stream() {
    let team = Recording::a();
    for port in team.ports().into_iter().skip(1) {
        let ours = team.replay(port, |now, config| Peer::new(now, config, 1), Peer::leave);
        team.assert_alike(port, &ours);
    }
}

/// Each peer in turn; the last of them leaves.
#[test]
fn our_peer_in_the_place_of_theirs_on_wire_b_sends_what_it_sent_plays_the_stream_and_leaves() {
    let team = Recording::b();
    let ports = team.ports();
    for port in &ports[1..] {
        let ours = team.replay(*port, |now, config| Peer::new(now, config, 1), Peer::leave);
        team.assert_alike(*port, &ours);
        let goodbye = |sent: &mut dyn Iterator<Item = (u16, Bytes)>| -> BTreeSet<_> {
            sent.filter(|(_, bytes)| *bytes == team.wire.dismissal()).collect()
        };
        let theirs = goodbye(&mut team.sent_by(*port));
        assert_eq!(goodbye(&mut ours.sent.iter().cloned()), theirs, "{port} takes leave of whom theirs did");
        assert_eq!(ours.left, port == ports.last().unwrap(), "{port} is let go when theirs was");
        assert_eq!(theirs.len(), if ours.left { 4 } else { 0 }, "the splitter and three peers");
    }
}

/// Theirs never complained: in the programs of that revision nothing calls what would.
#[test]
fn our_monitor_in_the_place_of_theirs_on_wire_b_sends_what_it_sent_and_has_nothing_to_complain_of() {
    let team = Recording::b();
    let port = team.ports()[0];
    let new = |now, config| Monitor::new(now, config, 1);
    let ours = team.replay(port, new, |monitor, now| monitor.peer_mut().leave(now));
    team.assert_alike(port, &ours);
    assert!(ours.sent.iter().all(|(to, _)| *to != team.splitter), "it complains to the splitter");
}

/// The splitter of the reference, with ours in its place: the same welcomes, and the same chunks to the same peers.
#[test]
fn our_splitter_in_the_place_of_theirs_on_wire_a_deals_the_same_chunks_to_the_same_peers() {
    let team = Recording::a();
    let start = Instant::now();
    let mut splitter = Splitter::new(start, splitter::Config::new(Wire::A));
    let (mut fed, mut joined, mut compared) = (0, 0u32, 0);
    let mut welcomes: Vec<(u16, Vec<u8>, Vec<u8>)> = Vec::new();
    for line in &team.lines {
        let now = start + Duration::from_millis(line.at);
        match &line.what {
            What::Open => {
                let id = StreamId::theirs(joined);
                joined += 1;
                let what = StreamInput::Opened { peer: here(line.from) };
                splitter.handle(now, Input::Stream { id, what });
                welcomes.push((line.from, written(polled(&mut splitter, now).0), Vec::new()));
                // Theirs opens its source only for the first peer, which therefore is told no header.
                splitter.set_head(Bytes::copy_from_slice(&team.source[..CHUNK]));
            }
            What::Stream(bytes) => {
                let welcome = welcomes.iter_mut().find(|(port, ..)| *port == line.to).unwrap();
                welcome.2.extend_from_slice(bytes);
            }
            What::Close => {
                // Theirs deals to a newcomer once it is told, ours once it is heard (defect 25): so it is heard at once.
                let bytes = Wire::A.hello();
                splitter.handle(now, Input::Datagram { from: here(line.to), bytes });
                assert_eq!(datagrams(polled(&mut splitter, now).0).count(), 0);
            }
            // Its only one; whoever says more is taken for one that shows that it lives.
            What::Datagram(bytes) if line.to == team.splitter && bytes.len() == 4 => {}
            What::Datagram(bytes) if line.to == team.splitter => {
                splitter.handle(now, Input::Datagram { from: here(line.from), bytes: bytes.clone() });
                assert_eq!(datagrams(polled(&mut splitter, now).0).count(), 0);
            }
            What::Datagram(bytes) if line.from == team.splitter => {
                splitter.feed(now, &team.source[fed..fed + CHUNK]);
                fed += CHUNK;
                let dealt: Vec<_> = datagrams(polled(&mut splitter, now).0).collect();
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

/// The same on wire B, where one leaves and is answered.
#[test]
fn our_splitter_in_the_place_of_theirs_on_wire_b_tells_and_deals_the_same_and_lets_the_same_peer_go() {
    let team = Recording::b();
    let start = Instant::now();
    let source = Some((here(SOURCE), "BBB.ogv".to_owned()));
    let config = splitter::Config { buffer_size: 32, source, ..splitter::Config::new(Wire::B) };
    let mut splitter = Splitter::new(start, config);
    splitter.set_head(Bytes::copy_from_slice(&team.source[..CHUNK]));
    let (mut fed, mut compared) = (0, 0);
    let mut welcomes: Vec<(u16, StreamId, Vec<u8>, Vec<u8>)> = Vec::new();
    let (mut told, mut let_go) = (Vec::new(), BTreeSet::new());
    // Theirs closes when they have said that they are ready.
    let say = |splitter: &mut Splitter, now, id, bytes: &[u8]| {
        let what = StreamInput::Bytes(Bytes::copy_from_slice(bytes));
        splitter.handle(now, Input::Stream { id, what });
        if bytes == b"R" {
            splitter.handle(now, Input::Stream { id, what: StreamInput::Closed(Closed::ByPeer) });
        }
    };
    for line in &team.lines {
        let now = start + Duration::from_millis(line.at);
        match &line.what {
            What::Open => {
                let id = StreamId::theirs(welcomes.len() as u32);
                let what = StreamInput::Opened { peer: here(line.from) };
                splitter.handle(now, Input::Stream { id, what });
                welcomes.push((line.from, id, Vec::new(), Vec::new()));
            }
            What::Stream(bytes) if line.from == team.splitter => {
                let welcome = welcomes.iter_mut().find(|(port, ..)| *port == line.to).unwrap();
                welcome.3.extend_from_slice(bytes);
            }
            What::Stream(bytes) => {
                let welcome = welcomes.iter_mut().find(|(port, ..)| *port == line.from).unwrap();
                say(&mut splitter, now, welcome.1, bytes);
                welcome.2.extend(written(polled(&mut splitter, now).0));
            }
            What::Datagram(bytes) if line.to == team.splitter => {
                told.push(Input::Datagram { from: here(line.from), bytes: bytes.clone() });
            }
            What::Datagram(bytes) if line.from == team.splitter && team.is_chunk(bytes) => {
                // Theirs takes the first letter for the word that its peer is ready, and may deal before that is said.
                let welcome = welcomes.iter().find(|(port, ..)| *port == line.to).unwrap();
                if splitter.members().iter().all(|member| member.endpoint.port() != line.to) {
                    say(&mut splitter, now, welcome.1, b"R");
                }
                splitter.feed(now, &team.source[fed..fed + CHUNK]);
                fed += CHUNK;
                compared += 1;
                let all: Vec<_> = datagrams(polled(&mut splitter, now).0).collect();
                let (chunks, others): (Vec<_>, _) =
                    all.into_iter().partition(|(_, bytes)| team.is_chunk(bytes));
                assert_eq!(chunks, [(line.to, bytes.clone())], "chunk {}", fed / CHUNK - 1);
                let_go.extend(others);
                // Theirs looks who wants to go before it waits for a chunk, ours when that is there.
                told.drain(..).for_each(|said| splitter.handle(now, said));
                let_go.extend(datagrams(polled(&mut splitter, now).0));
            }
            What::Datagram(_) | What::Close => {}
        }
    }
    for (port, _, ours, theirs) in &welcomes {
        assert_eq!(ours, theirs, "what {port} is told");
    }
    let theirs: BTreeSet<_> =
        team.sent_by(team.splitter).filter(|(_, bytes)| !team.is_chunk(bytes)).collect();
    assert_eq!((let_go.len(), &let_go), (1, &theirs), "who left is let go");
    assert!(welcomes.len() == 4 && compared > 150, "{compared}");
}
