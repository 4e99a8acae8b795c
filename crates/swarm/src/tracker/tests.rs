//! Trackers, splitters and peers in virtual time.
#![allow(clippy::disallowed_methods)] // where time begins does not matter

use super::*;

fn at(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 8_001).into()
}

fn team(channel: &str, peers: u32, most: u32) -> Team {
    Team { channel: channel.into(), wire: b'n', key: [7; 32], peers, most }
}

struct World {
    tracker: Tracker,
    now: Instant,
    events: Vec<Event>,
}

impl World {
    fn new() -> World {
        let now = Instant::now();
        World { tracker: Tracker::new(now, [1; 32], None), now, events: Vec::new() }
    }

    /// What the tracker answers.
    fn hears(&mut self, from: SocketAddr, bytes: Bytes) -> Vec<(SocketAddr, Bytes)> {
        self.tracker.handle(self.now, Input::Datagram { from, bytes });
        self.said()
    }

    fn said(&mut self) -> Vec<(SocketAddr, Bytes)> {
        let mut said = Vec::new();
        loop {
            match self.tracker.poll(self.now) {
                Output::Send(Transmit::Datagram { to, bytes }) => said.push((to, bytes)),
                Output::Send(_) => {}
                Output::Event(event) => self.events.push(event),
                Output::Wait(_) => return said,
            }
        }
    }

    /// A splitter announces itself until it has nothing more to say now; the orders it got.
    fn announce(&mut self, splitter: &mut Announcer, from: SocketAddr, team: &Team) {
        while let Some(Transmit::Datagram { bytes, .. }) = splitter.say(self.now, || team.clone()) {
            for (_, bytes) in self.hears(from, bytes) {
                splitter.receive(self.now, at(0), &bytes);
            }
        }
    }

    fn find(&mut self, channel: &str) -> Option<SocketAddr> {
        match self.ask(channel, None) {
            Answer::Place(place) => Some(place.splitter),
            _ => None,
        }
    }

    fn ask(&mut self, channel: &str, pass: Option<Pass>) -> Answer {
        let finder = Finder::new(channel, pass, 9);
        let ask = finder.ask();
        let said = self.hears(at(99), ask.clone());
        assert!(said.iter().all(|(_, bytes)| bytes.len() <= ask.len()), "no amplification");
        finder.hear(&said[0].1).unwrap()
    }

    fn wait(&mut self, time: Duration) -> Vec<(SocketAddr, Bytes)> {
        self.now += time;
        self.tracker.handle(self.now, Input::Wake);
        self.said()
    }
}

#[test]
fn newcomers_are_spread_over_the_teams_of_their_channel() {
    let mut world = World::new();
    let mut splitters: Vec<_> = (1..=3).map(|n| Announcer::new(world.now, at(0), None, n)).collect();
    for (n, splitter) in (1u8..).zip(&mut splitters) {
        let channel = if n == 3 { "other" } else { "tea" };
        world.announce(splitter, at(n), &team(channel, 0, 2));
    }
    let found: Vec<_> = (0..5).map(|_| world.find("tea")).collect();
    assert_eq!(found.iter().flatten().filter(|place| **place == at(1)).count(), 2);
    assert_eq!(found.iter().flatten().filter(|place| **place == at(2)).count(), 2);
    assert_eq!((found[4], world.find("other"), world.find("none")), (None, Some(at(3)), None));
}

#[test]
fn who_only_claims_to_be_a_splitter_is_not_believed() {
    let mut world = World::new();
    let forged = Message::Announce { nonce: 1, cookie: [9; 16], proof: [0; 16], team: team("tea", 0, 9) };
    let ask = forged.write();
    let said = world.hears(at(5), ask.clone());
    assert!(said.iter().all(|(_, bytes)| bytes.len() <= ask.len()));
    assert_eq!((world.find("tea"), world.tracker.teams().len()), (None, 0));
}

#[test]
fn a_splitter_that_dies_is_forgotten_and_peers_go_to_another() {
    let mut world = World::new();
    let [mut one, mut two] = [1, 2].map(|n| Announcer::new(world.now, at(0), None, n));
    world.announce(&mut one, at(1), &team("tea", 0, 9));
    world.announce(&mut two, at(2), &team("tea", 5, 9));
    assert_eq!(world.find("tea"), Some(at(1)));
    for _ in 0..6 {
        world.wait(Duration::from_secs(1));
        world.announce(&mut two, at(2), &team("tea", 5, 9));
    }
    assert_eq!(world.find("tea"), Some(at(2)));
    assert!(world.events.contains(&Event::Gone(at(1), "tea".into())));
}

#[test]
fn peers_move_from_a_full_team_to_a_new_one() {
    let mut world = World::new();
    let [mut full, mut new] = [1, 2].map(|n| Announcer::new(world.now, at(0), None, n));
    world.announce(&mut full, at(1), &team("tea", 60, 64));
    world.announce(&mut new, at(2), &team("tea", 0, 64));
    let orders: Vec<_> = world.wait(Duration::from_secs(1));
    let (to, bytes) = &orders[0];
    let order = full.receive(world.now, at(0), bytes).flatten().unwrap();
    assert_eq!((*to, order.peers, order.to.splitter, order.to.key), (at(1), 30, at(2), [7; 32]));
    assert!(full.receive(world.now, at(3), bytes).is_none(), "only the tracker gives orders");
    world.announce(&mut full, at(1), &team("tea", 60, 64));
    world.announce(&mut new, at(2), &team("tea", 0, 64));
    assert!(world.wait(Duration::from_secs(1)).is_empty(), "one order at a time");
}

#[test]
fn a_private_tracker_hears_those_alone_who_have_its_token() {
    let mut world = World::new();
    world.tracker = Tracker::new(world.now, [1; 32], Some(Pass::of("tea")));
    for (host, pass, known) in [(1, None, 0), (2, Some(Pass::of("te")), 0), (3, Some(Pass::of("tea")), 1)] {
        let mut splitter = Announcer::new(world.now, at(0), pass, host.into());
        world.announce(&mut splitter, at(host), &team("x", 0, 9));
        assert_eq!((world.tracker.teams().len(), splitter.refused().is_some()), (known, known == 0));
    }
    assert_eq!(world.ask("x", None), Answer::Refused);
    assert_eq!(world.ask("x", Some(Pass::of("coffee"))), Answer::Refused);
    assert!(matches!(world.ask("x", Some(Pass::of("tea"))), Answer::Place(place) if place.splitter == at(3)));
    assert_eq!(world.tracker.refused(), 4);
}

#[test]
fn messages_come_back_as_they_went() {
    let place = Place { splitter: "[2001:db8::1]:7".parse().unwrap(), wire: b'a', key: [3; 32] };
    let all = [
        Message::Announce { nonce: 1, cookie: [2; 16], proof: [4; 16], team: team("Tee für alle", 3, 9) },
        Message::Noted { nonce: 1, cookie: [2; 16] },
        Message::Find { nonce: 1, proof: [4; 16], channel: String::new() },
        Message::Refused { nonce: 1 },
        Message::Found { nonce: 1, place: None },
        Message::Found { nonce: 1, place: Some(place) },
        Message::Shed { nonce: 1, peers: 9, to: place },
    ];
    for message in all {
        let bytes = message.write();
        assert_eq!(Message::read(&bytes), Some(message));
        for cut in 0..bytes.len() {
            let _never_panics = Message::read(&bytes[..cut]);
        }
    }
}
