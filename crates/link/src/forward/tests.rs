use super::*;
use crate::world::{Access, HostId, World};

const TALK: Room = Room(1);

// The only clock of these tests: where time begins does not matter.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4_000))
}

fn key(n: u8) -> Bytes {
    Bytes::from(vec![n; 16])
}

/// A forwarder with `members` in one room, who came with the keys of their numbers.
fn room(now: Instant, members: u8, config: Config) -> Forwarder {
    let mut forwarder = Forwarder::new(config);
    for n in 0..members {
        assert!(forwarder.invite(TALK, key(n)));
        says(&mut forwarder, now, n, key(n));
    }
    drain(&mut forwarder, now);
    forwarder
}

fn says(forwarder: &mut Forwarder, now: Instant, n: u8, bytes: Bytes) {
    forwarder.handle(now, Input::Datagram { from: address(n), bytes });
}

/// Whom it sends what, and what it tells.
fn drain(forwarder: &mut Forwarder, now: Instant) -> (Vec<(SocketAddr, Bytes)>, Vec<Event>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    loop {
        match forwarder.poll(now) {
            Output::Send(Transmit::Datagram { to, bytes }) => sent.push((to, bytes)),
            Output::Send(Transmit::Stream { .. }) => {}
            Output::Event(event) => told.push(event),
            Output::Wait(_) => return (sent, told),
        }
    }
}

#[test]
fn a_datagram_goes_to_all_others_in_the_room_and_is_one_allocation() {
    let now = start();
    let mut forwarder = room(now, 4, Config::default());
    let bytes = Bytes::from_static(b"a block of sound");
    says(&mut forwarder, now, 2, bytes.clone());
    let (sent, _) = drain(&mut forwarder, now);
    assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(0), address(1), address(3)]);
    assert!(sent.iter().all(|(_, sent)| sent.as_ptr() == bytes.as_ptr()));
}

#[test]
fn an_invitation_is_answered_and_lets_one_in() {
    let now = start();
    let mut forwarder = Forwarder::new(Config::default());
    assert!(
        forwarder.invite(TALK, key(0))
            && !forwarder.invite(TALK, key(0))
            && !forwarder.invite(TALK, Bytes::new())
    );
    says(&mut forwarder, now, 0, key(0));
    assert_eq!(
        drain(&mut forwarder, now),
        (vec![(address(0), key(0))], vec![Event::Joined(TALK, address(0))])
    );
    says(&mut forwarder, now, 0, key(0));
    assert_eq!(drain(&mut forwarder, now), (vec![(address(0), key(0))], vec![]));
    // The same key from elsewhere: the member has moved.
    says(&mut forwarder, now, 9, key(0));
    let (_, told) = drain(&mut forwarder, now);
    assert_eq!(told, [Event::Left(TALK, address(0)), Event::Joined(TALK, address(9))]);
    assert_eq!(forwarder.members(TALK), [address(9)]);
}

#[test]
fn strangers_are_counted_and_never_answered() {
    let now = start();
    let mut forwarder = room(now, 2, Config::default());
    says(&mut forwarder, now, 77, Bytes::from_static(b"hello?"));
    assert_eq!(drain(&mut forwarder, now), (vec![], vec![]));
    assert_eq!(forwarder.stats().strangers, 1);
}

#[test]
fn rooms_do_not_hear_each_other_and_fill_up() {
    let now = start();
    let mut forwarder = room(now, 2, Config { members: 2, ..Config::default() });
    forwarder.invite(Room(2), key(50));
    says(&mut forwarder, now, 50, key(50));
    drain(&mut forwarder, now);
    says(&mut forwarder, now, 50, Bytes::from_static(b"alone"));
    assert_eq!(drain(&mut forwarder, now).0, []);
    forwarder.invite(TALK, key(3));
    says(&mut forwarder, now, 3, key(3));
    assert_eq!((forwarder.stats().refused, forwarder.members(TALK).len()), (1, 2));
}

#[test]
fn the_silent_leave_and_the_rest_stay() {
    let now = start();
    let mut forwarder = room(now, 2, Config::default());
    let Output::Wait(Some(due)) = forwarder.poll(now) else { panic!() };
    assert_eq!(due, now + Duration::from_secs(30));
    says(&mut forwarder, now + Duration::from_secs(20), 1, Bytes::from_static(b"still here"));
    drain(&mut forwarder, now);
    forwarder.handle(due, Input::Wake);
    assert_eq!(drain(&mut forwarder, due).1, [Event::Left(TALK, address(0))]);
    assert!(matches!(forwarder.poll(due), Output::Wait(Some(next)) if next == now + Duration::from_secs(50)));
    forwarder.handle(now + Duration::from_secs(50), Input::Wake);
    assert!(matches!(forwarder.poll(due), Output::Event(Event::Left(..))));
    assert!(matches!(forwarder.poll(due), Output::Wait(None)));
}

#[test]
fn a_closed_room_and_a_withdrawn_invitation_let_nobody_stay() {
    let now = start();
    let mut forwarder = room(now, 3, Config::default());
    forwarder.invite(TALK, key(9));
    forwarder.withdraw(&key(1));
    assert_eq!(forwarder.members(TALK), [address(0), address(2)]);
    forwarder.close(TALK);
    assert!(forwarder.members(TALK).is_empty());
    says(&mut forwarder, now, 9, key(9));
    assert_eq!((forwarder.stats().strangers, drain(&mut forwarder, now).1.len()), (1, 3));
}

#[test]
fn a_full_backlog_drops_the_oldest() {
    let now = start();
    let mut forwarder = room(now, 2, Config { backlog: 3, ..Config::default() });
    (0..5u8).for_each(|n| says(&mut forwarder, now, 0, Bytes::from(vec![n])));
    let (sent, _) = drain(&mut forwarder, now);
    assert_eq!(sent.iter().map(|(_, bytes)| bytes[0]).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(forwarder.stats().dropped, 2);
}

#[test]
fn members_talk_through_it_in_a_world() {
    /// Joins, and then says its number every 20 ms.
    struct Talker(u8, SocketAddr, Instant, Vec<Bytes>, Option<Bytes>);
    impl Machine for Talker {
        type Event = ();
        fn handle(&mut self, now: Instant, input: Input) {
            match input {
                Input::Wake if now >= self.2 => {
                    self.4 = Some(if self.3.is_empty() { key(self.0) } else { Bytes::from(vec![self.0]) });
                    self.2 = now + Duration::from_millis(20);
                }
                Input::Datagram { bytes, .. } => self.3.push(bytes),
                _ => {}
            }
        }
        fn poll(&mut self, _: Instant) -> Output<()> {
            match self.4.take() {
                Some(bytes) => Output::Send(Transmit::Datagram { to: self.1, bytes }),
                None => Output::Wait(Some(self.2)),
            }
        }
    }
    enum Either {
        Hub(Box<Forwarder>),
        Talker(Talker),
    }
    impl Machine for Either {
        type Event = ();
        fn handle(&mut self, now: Instant, input: Input) {
            match self {
                Either::Hub(hub) => hub.handle(now, input),
                Either::Talker(talker) => talker.handle(now, input),
            }
        }
        fn poll(&mut self, now: Instant) -> Output<()> {
            match self {
                Either::Talker(talker) => talker.poll(now),
                Either::Hub(hub) => loop {
                    match hub.poll(now) {
                        Output::Event(_) => {}
                        Output::Send(transmit) => return Output::Send(transmit),
                        Output::Wait(until) => return Output::Wait(until),
                    }
                },
            }
        }
    }
    let now = start();
    let mut world = World::new(now, 6);
    let mut hub = Forwarder::new(Config::default());
    (1..=3).for_each(|n| assert!(hub.invite(TALK, key(n))));
    let hub = world.add(Either::Hub(Box::new(hub)), &Access::default()).unwrap();
    for n in 1..=3 {
        let talker = Talker(n, hub.address(), now, Vec::new(), None);
        world.add(Either::Talker(talker), &crate::Profile::named("wifi-bad").unwrap().access()).unwrap();
    }
    world.run(Duration::from_secs(10), |_, _, ()| {});
    for n in 1..=3 {
        let Some(Either::Talker(talker)) = world.machine(HostId(n)) else { panic!() };
        for other in (1..=3u8).filter(|other| u32::from(*other) != n) {
            let heard = talker.3.iter().filter(|bytes| bytes.as_ref() == [other]).count();
            assert!((400..500).contains(&heard), "{n} heard {other} {heard} times of 500");
        }
    }
}
