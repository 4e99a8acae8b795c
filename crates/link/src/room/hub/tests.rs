use super::*;
use crate::room::wire::{COOKIE, Join};

// The only clock of these tests: where time begins does not matter.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4_000))
}

fn band() -> RoomName {
    "band".parse().unwrap()
}

fn join(cookie: [u8; COOKIE], pass: u64) -> Join {
    let (room, name) = (Some(band()), DisplayName::of("ana"));
    Join { version: wire::VERSION, nonce: 77, cookie, pass, flags: 0, room, name }
}

/// Whom it sends what, and what it tells.
fn drain(hub: &mut Hub, now: Instant) -> (Vec<(SocketAddr, Bytes)>, Vec<Event>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    loop {
        match hub.poll(now) {
            Output::Send(Transmit::Datagram { to, bytes }) => sent.push((to, bytes)),
            Output::Send(Transmit::Stream { .. }) => {}
            Output::Event(event) => told.push(event),
            Output::Wait(_) => return (sent, told),
        }
    }
}

fn says(hub: &mut Hub, now: Instant, n: u8, bytes: Bytes) -> Vec<(SocketAddr, Bytes)> {
    hub.handle(now, Input::Datagram { from: address(n), bytes });
    drain(hub, now).0
}

/// The cookie that `n` is told.
fn cookie(hub: &mut Hub, now: Instant, n: u8) -> [u8; COOKIE] {
    let sent = says(hub, now, n, join([0; COOKIE], 0).write());
    let [(to, answer)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(*to, address(n));
    let Some(Heard::Bring { nonce: 77, cookie }) = Heard::read(answer) else { panic!("{answer:?}") };
    cookie
}

fn enter(hub: &mut Hub, now: Instant, n: u8) -> Result<u64, Refusal> {
    let cookie = cookie(hub, now, n);
    let sent = says(hub, now, n, join(cookie, 0).write());
    sent.iter()
        .filter(|(to, _)| *to == address(n))
        .find_map(|(_, answer)| match Heard::read(answer) {
            Some(Heard::Welcome { nonce: 77, pass }) => Some(Ok(pass)),
            Some(Heard::Refused { nonce: 77, why }) => Some(Err(why)),
            _ => None,
        })
        .expect("an answer")
}

fn hub(members: u8) -> (Hub, Instant, Vec<u64>) {
    let (mut hub, now) = (Hub::new(Config::default(), [5; 32]), start());
    let passes = (1..=members).map(|n| enter(&mut hub, now, n).unwrap()).collect();
    (hub, now, passes)
}

#[test]
fn nothing_is_kept_of_a_stranger_and_no_answer_is_longer_than_what_it_sent() {
    let (mut hub, now) = (Hub::new(Config::default(), [5; 32]), start());
    let theirs = cookie(&mut hub, now, 2);
    let mut datagrams = vec![join(theirs, 0).write(), join([9; COOKIE], 0).write(), join(theirs, 8).write()];
    let said = [Said::Leave, Said::Known(0), Said::Frame(&[1; 30]), Said::Control { to: 1, body: b"x" }];
    datagrams.extend(said.iter().map(|said| said.datagram(4)));
    datagrams.extend((0..=255_u8).map(|kind| Bytes::from(vec![kind; 1 + usize::from(kind)])));
    for datagram in datagrams {
        let length = datagram.len();
        let answers = says(&mut hub, now, 1, datagram);
        assert!(answers.iter().map(|(_, answer)| answer.len()).sum::<usize>() <= length);
        assert!(answers.iter().all(|(to, _)| *to == address(1)));
    }
    assert_eq!((hub.members.len(), hub.rooms.len(), hub.crowds.len()), (0, 0, 0));
    let one = (0..3_000).filter(|_| !says(&mut hub, now, 1, join([0; COOKIE], 0).write()).is_empty());
    assert!(one.count() <= ANSWERS as usize);
}

#[test]
fn a_frame_goes_to_all_others_in_one_allocation_and_a_word_to_one() {
    let (mut hub, now, passes) = hub(4);
    let sent = says(&mut hub, now, 2, Said::Frame(&[9; 60]).datagram(passes[1]));
    assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 3, 4].map(address));
    assert!(sent.iter().all(|(_, bytes)| bytes.as_ptr() == sent[0].1.as_ptr()));
    assert_eq!(Heard::read(&sent[0].1), Some(Heard::Frame { from: 2, frame: &[9; 60] }));
    let sent = says(&mut hub, now, 2, Said::Control { to: 4, body: b"psst" }.datagram(passes[1]));
    assert_eq!(sent, [(address(4), Heard::Control { from: 2, body: b"psst" }.write())]);
    for nobody in [0, 2, 5, 255] {
        assert_eq!(says(&mut hub, now, 2, Said::Control { to: nobody, body: b"x" }.datagram(passes[1])), []);
    }
    // with another's pass nothing is passed on
    let others = says(&mut hub, now, 3, Said::Frame(&[9; 60]).datagram(passes[1]));
    assert!(matches!(Heard::read(&others[0].1), Some(Heard::Bring { .. })) && others.len() == 1);
}

#[test]
fn rosters_are_told_until_they_are_known() {
    let (mut hub, now, passes) = hub(2);
    let later = now + Duration::from_millis(300);
    hub.handle(later, Input::Wake);
    let (sent, _) = drain(&mut hub, later);
    assert_eq!(sent.len(), 2);
    let Some(Heard::Roster(roster)) = Heard::read(&sent[0].1) else { panic!("no roster") };
    assert_eq!(roster.participants.iter().map(|one| one.number).collect::<Vec<_>>(), [1, 2]);
    for (n, pass) in passes.iter().enumerate() {
        let answer = says(&mut hub, later, n as u8 + 1, Said::Known(roster.version).datagram(*pass));
        assert_eq!(answer, [(address(n as u8 + 1), Heard::Still(roster.version).write())]);
    }
    let quiet = later + Duration::from_millis(300);
    hub.handle(quiet, Input::Wake);
    assert_eq!(drain(&mut hub, quiet).0, []);
    says(&mut hub, quiet, 1, Said::Leave.datagram(passes[0]));
    assert_eq!(hub.roster(&band()).unwrap().participants.len(), 1);
    let gone = says(&mut hub, quiet, 1, Said::Known(1).datagram(passes[0]));
    assert_eq!(gone, [(address(1), Heard::Gone(passes[0]).write())]);
}

#[test]
fn a_seventeenth_is_refused_and_comes_in_when_one_has_left() {
    let (mut hub, now, passes) = hub(16);
    assert_eq!(enter(&mut hub, now, 17), Err(Refusal::Full));
    assert_eq!(hub.join(now, &band(), DisplayName::of("web"), 0, Entrant::Handle(7)), Err(Refusal::Full));
    says(&mut hub, now, 5, Said::Leave.datagram(passes[4]));
    assert!(enter(&mut hub, now, 17).is_ok());
    assert_eq!(hub.roster(&band()).unwrap().participants.len(), 16);
    assert!(hub.roster(&band()).unwrap().find(5).is_some(), "the number is used again");
}

#[test]
fn who_is_silent_has_left_and_an_empty_room_is_none() {
    let (mut hub, now, passes) = hub(2);
    let mut at = now;
    for _ in 0..70 {
        at += Duration::from_millis(100);
        says(&mut hub, at, 1, Said::Known(2).datagram(passes[0]));
    }
    assert_eq!(hub.roster(&band()).unwrap().participants.len(), 1);
    at += Duration::from_secs(6);
    hub.handle(at, Input::Wake);
    let (_, told) = drain(&mut hub, at);
    assert!(matches!(&told[..], [Event::Left(_, 1, _, Why::Silent)]), "{told:?}");
    assert_eq!((hub.rooms().len(), hub.crowds.len(), hub.addresses.len()), (0, 0, 0));
}

#[test]
fn a_member_that_moved_shows_where_it_is_before_anything_is_sent_there() {
    let (mut hub, now, passes) = hub(2);
    let bring = says(&mut hub, now, 9, Said::Frame(&[3; 60]).datagram(passes[0]));
    let Some(Heard::Bring { nonce, cookie }) = Heard::read(&bring[0].1) else { panic!("{bring:?}") };
    assert_eq!(nonce, passes[0]);
    let stays = says(&mut hub, now, 2, Said::Frame(&[3; 60]).datagram(passes[1]));
    assert_eq!(stays[0].0, address(1), "not yet there");
    says(&mut hub, now, 9, join(cookie, passes[0]).write());
    let moved = says(&mut hub, now, 2, Said::Frame(&[3; 60]).datagram(passes[1]));
    assert_eq!(moved.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(9)]);
    assert_eq!(hub.roster(&band()).unwrap().participants.len(), 2);
}

#[test]
fn one_who_says_too_much_is_heard_in_part_and_others_are_not_hindered() {
    let (mut hub, now, passes) = hub(3);
    let passed = |hub: &mut Hub, n: u8, pass| says(hub, now, n, Said::Frame(&[3; 60]).datagram(pass)).len();
    let loud: usize = (0..5_000).map(|_| passed(&mut hub, 1, passes[0])).sum();
    assert!((1_000..=2_000).contains(&loud), "{loud}");
    assert_eq!(passed(&mut hub, 2, passes[1]), 2);
}

#[test]
fn limits_of_rooms_names_addresses_and_versions_are_told_apart() {
    let config = Config { rooms: 1, each: 2, names: vec!["band*".into(), "b".into()], ..Config::default() };
    let (mut hub, now) = (Hub::new(config, [5; 32]), start());
    let mut ask = |room: &str, port: u16, version| {
        let from = SocketAddr::from(([192, 0, 2, 1], port));
        let cookie = hub.cookies.bake(now, from);
        let bytes = Join { version, room: room.parse().ok(), ..join(cookie, 0) }.write();
        hub.handle(now, Input::Datagram { from, bytes });
        let (sent, _) = drain(&mut hub, now);
        sent.iter().find_map(|(to, answer)| match Heard::read(answer) {
            Some(Heard::Refused { why, .. }) if *to == from => Some(why),
            _ => None,
        })
    };
    assert_eq!(ask("band", 1, wire::VERSION), None);
    assert_eq!(ask("band2", 2, wire::VERSION), Some(Refusal::NoRoom));
    assert_eq!(ask("choir", 2, wire::VERSION), Some(Refusal::Unknown));
    assert_eq!(ask("a b", 2, wire::VERSION), Some(Refusal::Unknown));
    assert_eq!(ask("band", 2, 9), Some(Refusal::Version));
    assert_eq!(ask("band", 2, wire::VERSION), None);
    assert_eq!(ask("band", 3, wire::VERSION), Some(Refusal::Crowd));
}

#[test]
fn members_by_handles_and_by_datagrams_hear_each_other() {
    let (mut hub, now, passes) = hub(1);
    let web = hub.join(now, &band(), DisplayName::of("web"), wire::BROWSER | wire::OPEN, Entrant::Handle(7));
    let web = web.unwrap();
    let (sent, told) = drain(&mut hub, now);
    assert_eq!((sent.len(), web.number), (1, 2));
    let Some(Heard::Roster(roster)) = Heard::read(&sent[0].1) else { panic!("no roster") };
    assert_eq!(roster.mode, Mode { opus: true, open: true });
    assert!(matches!(&told[..], [Event::Joined(..), Event::Deliver(Deliver { handle: 7, .. })]), "{told:?}");
    assert!(hub.said(now, web.pass, &Said::Frame(&[1; 30])));
    assert_eq!(drain(&mut hub, now).0[0].0, address(1));
    hub.handle(now, Input::Datagram { from: address(1), bytes: Said::Frame(&[2; 30]).datagram(passes[0]) });
    let message = Heard::Frame { from: 1, frame: &[2; 30] }.write();
    assert_eq!(drain(&mut hub, now).1, [Event::Deliver(Deliver { handle: 7, message })]);
    // it has no silence of its own
    let late = now + Duration::from_secs(60);
    hub.handle(late, Input::Wake);
    assert_eq!(hub.roster(&band()).unwrap().participants.len(), 1);
    hub.leave(late, web.pass);
    assert!(hub.rooms().is_empty() && !hub.said(late, web.pass, &Said::Known(0)));
}

#[test]
fn a_crowd_comes_in_one_after_the_other() {
    let (mut hub, now) = (Hub::new(Config::default(), [5; 32]), start());
    let answered = |hub: &mut Hub, now, n: u16| {
        let from = SocketAddr::from(([192, 0, (n >> 8) as u8, n as u8], 4_000));
        let cookie = hub.cookies.bake(now, from);
        hub.handle(now, Input::Datagram { from, bytes: join(cookie, 0).write() });
        drain(hub, now).0.iter().any(|(to, _)| *to == from)
    };
    let all = (0..800).filter(|n| answered(&mut hub, now, *n)).count();
    assert_eq!(all, ENTRIES as usize);
    assert!(answered(&mut hub, now + Duration::from_secs(1), 799));
    assert_eq!(hub.roster(&band()).unwrap().participants.len(), 16);
}
