//! Machines that talk by QUIC in a world: what they say arrives encrypted, over lossy links, and when addresses move.
#![allow(clippy::unwrap_used)] // a test may fail so

use bytes::Bytes;
use levada_link::{
    Door, Guarded, Input, Machine, Output, Transmit, World,
    guarded::PublicKey,
    nat::Class,
    quic::{Identity, Quic},
    trace::Fate,
    world::{Access, HostId},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Says a numbered line to another every ten milliseconds, and tells what it hears.
struct Talker {
    to: Option<SocketAddr>,
    /// Who it wants to be there.
    expects: Option<PublicKey>,
    said: u64,
    next: Instant,
    heard: Vec<(SocketAddr, Bytes)>,
    met: BTreeMap<SocketAddr, PublicKey>,
    door: Door,
}

impl Machine for Talker {
    type Event = (SocketAddr, Bytes);

    fn handle(&mut self, _: Instant, input: Input) {
        if let Input::Datagram { from, bytes } = input {
            self.heard.push((from, bytes));
        }
    }

    fn poll(&mut self, now: Instant) -> Output<(SocketAddr, Bytes)> {
        if let Some(heard) = self.heard.pop() {
            return Output::Event(heard);
        }
        let Some(to) = self.to else { return Output::Wait(None) };
        if now < self.next {
            return Output::Wait(Some(self.next));
        }
        self.next = now + Duration::from_millis(10);
        self.said += 1;
        let bytes = [&b"\x07secret"[..], &self.said.to_be_bytes(), &[9; 1_300]].concat();
        Output::Send(Transmit::Datagram { to, bytes: bytes.into() })
    }
}

impl Guarded for Talker {
    fn encrypts(&self) -> bool {
        true
    }

    fn is_open(&self, datagram: &Bytes) -> bool {
        datagram.first() == Some(&0)
    }

    fn door(&self, _: SocketAddr) -> Door {
        self.door
    }

    fn admits(&mut self, address: SocketAddr, key: &PublicKey) -> bool {
        self.met.insert(address, *key);
        self.expects.is_none_or(|expected| expected == *key)
    }

    fn parted(&mut self, address: SocketAddr) {
        self.met.remove(&address);
    }
}

fn identity(n: u8) -> Identity {
    Identity::ed25519(&[n; 32]).unwrap()
}

// The only clock of these tests: where time begins does not matter.
#[allow(clippy::disallowed_methods)]
fn world() -> World<Quic<Talker>> {
    World::new(Instant::now(), 3)
}

fn add(world: &mut World<Quic<Talker>>, to: Option<HostId>, expects: Option<u8>, access: &str) -> HostId {
    let n = world.hosts().count() as u8;
    let talker = Talker {
        to: to.map(HostId::address),
        expects: expects.map(|n| identity(n).key()),
        said: 0,
        next: world.instant(),
        heard: Vec::new(),
        met: BTreeMap::new(),
        door: Door::Proof,
    };
    let quic = Quic::new(talker, identity(n), Some([n; 32]));
    world.add(quic, &Access::both(&access.parse().unwrap())).unwrap()
}

fn hear(world: &mut World<Quic<Talker>>, seconds: u64) -> BTreeMap<HostId, usize> {
    let mut heard = BTreeMap::new();
    world.run(world.now() + Duration::from_secs(seconds), |_, host, _| *heard.entry(host).or_default() += 1);
    heard
}

#[test]
fn what_is_said_arrives_and_nobody_on_the_way_can_read_it() {
    let mut world = world();
    let listener = add(&mut world, None, Some(1), "delay=20ms");
    let talker = add(&mut world, Some(listener), Some(0), "delay=20ms");
    let seen = Arc::new(Mutex::new((0, 0)));
    let count = seen.clone();
    world.watch(move |record, bytes| {
        let mut count = count.lock().unwrap();
        count.0 += u32::from(matches!(record.fate, Fate::Sent));
        count.1 += u32::from(bytes.windows(6).any(|window| window == b"secret"));
    });
    let heard = hear(&mut world, 5);
    assert!(heard[&listener] > 480, "{heard:?}");
    let seen = *seen.lock().unwrap();
    assert!(seen.0 > 480 && seen.1 == 0, "{seen:?}");
    assert_eq!(world.machine(listener).unwrap().machine().met[&talker.address()], identity(1).key());
}

#[test]
fn who_is_somebody_else_than_expected_hears_nothing() {
    let mut world = world();
    let listener = add(&mut world, None, None, "delay=5ms");
    let talker = add(&mut world, Some(listener), Some(7), "delay=5ms");
    assert_eq!(hear(&mut world, 2), BTreeMap::new());
    assert!(world.machine(talker).unwrap().stats().strangers > 0);
    assert_eq!(world.machine(talker).unwrap().stats().connected, 0);
}

#[test]
fn a_door_that_is_shut_is_not_answered_and_strangers_are_told_no_more_than_they_said() {
    let mut world = world();
    let listener = add(&mut world, None, None, "delay=5ms");
    let _talker = add(&mut world, Some(listener), None, "delay=5ms");
    world.machine_mut(listener).unwrap().machine_mut().door = Door::Shut;
    let answered = Arc::new(Mutex::new(BTreeMap::<u32, u64>::new()));
    let count = answered.clone();
    world.watch(move |record, bytes| {
        if matches!(record.fate, Fate::Sent) {
            *count.lock().unwrap().entry(record.from).or_default() += bytes.len() as u64;
        }
    });
    hear(&mut world, 2);
    assert_eq!(answered.lock().unwrap().get(&0), None, "a shut door");
    // A first packet that gets to a door that wants a proof is answered with less.
    world.machine_mut(listener).unwrap().machine_mut().door = Door::Proof;
    let first = Arc::new(Mutex::new(None));
    let answer = first.clone();
    world.watch(move |record, bytes| {
        if matches!(record.fate, Fate::Sent) && record.from == 0 {
            answer.lock().unwrap().get_or_insert(bytes.len());
        }
    });
    assert!(hear(&mut world, 20)[&listener] > 0);
    assert!(first.lock().unwrap().is_some_and(|length| length < 1_200));
}

#[test]
fn both_may_begin_at_once_and_loss_costs_what_it_costs() {
    let mut world = world();
    let one = add(&mut world, None, Some(1), "delay=20ms loss=5%");
    let other = add(&mut world, Some(one), Some(0), "delay=20ms loss=5%");
    world.machine_mut(one).unwrap().machine_mut().to = Some(other.address());
    let heard = hear(&mut world, 10);
    // Each way loses on two links.
    for host in [one, other] {
        assert!((820..=960).contains(&heard[&host]), "{heard:?}");
    }
}

#[test]
fn an_address_that_moves_is_still_the_same_end() {
    let mut world = world();
    let listener = add(&mut world, None, None, "delay=10ms");
    let talker = add(&mut world, Some(listener), None, "delay=10ms");
    world.behind(talker, Class::PortRestricted);
    assert!(hear(&mut world, 2)[&listener] > 180);
    // The NAT starts again, and gives other ports.
    world.behind(talker, Class::PortRestricted);
    let mut names = BTreeMap::<SocketAddr, usize>::new();
    world.run(Duration::from_secs(4), |_, _, (from, _)| *names.entry(from).or_default() += 1);
    assert_eq!(names.keys().collect::<Vec<_>>(), [&talker.address()], "known by where it began");
    assert!(names[&talker.address()] > 180, "{names:?}");
    let stats = world.machine(listener).unwrap().stats();
    assert!(stats.moved >= 1 && stats.connected == 1, "{stats:?}");
}

#[test]
fn what_comes_unencrypted_is_for_nobody_unless_it_is_open() {
    let mut world = world();
    let listener = add(&mut world, None, None, "delay=1ms");
    let now = world.instant();
    let quic = world.machine_mut(listener).unwrap();
    for first in [7, 0] {
        quic.handle(now, Input::Datagram { from: HostId(9).address(), bytes: vec![first; 9].into() });
    }
    assert_eq!(quic.stats().bare, 1);
    assert_eq!(hear(&mut world, 1)[&listener], 1);
}
