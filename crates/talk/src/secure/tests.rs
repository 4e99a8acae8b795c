#![allow(clippy::disallowed_methods)] // where a test begins

use super::*;

struct Two {
    ends: Vec<Secure>,
    now: Instant,
    /// Bytes of the longest answer, less those of what it answers.
    gain: i64,
    /// So many of them are gone.
    gone: usize,
    opened: Vec<Vec<Opened>>,
}

fn at(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n as u8], 4_444))
}

fn config(n: usize, peer: Option<usize>) -> Config {
    let identity = Identity::new([n as u8 + 1; 32]);
    Config { peer: peer.map(at), secret: Secret::none(), identity, known: None, hello: [2, n as u8, 0, 0] }
}

fn end(config: Config) -> Secure {
    let seed = *config.identity.bytes();
    Secure::new(config, seed)
}

impl Two {
    fn new(ends: Vec<Secure>) -> Two {
        let opened = ends.iter().map(|_| Vec::new()).collect();
        Two { ends, now: Instant::now(), gain: i64::MIN, gone: 0, opened }
    }

    /// Lets ten milliseconds go by, with one datagram from each end that can.
    fn turn(&mut self) {
        self.now += Duration::from_millis(10);
        for n in self.gone..self.ends.len() {
            self.ends[n].wake(self.now);
            self.ends[n].seal(Head::default(), b"sound");
            while let Some((to, datagram)) = self.ends[n].transmit() {
                self.deliver(at(n), to, &datagram, true);
            }
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], answer: bool) {
        let Some(n) = (self.gone..self.ends.len()).find(|n| at(*n) == to) else { return };
        let waiting = self.ends[n].outgoing.len();
        let mut body = Vec::new();
        if let Some(opened) = self.ends[n].arrive(self.now, from, datagram, &mut body) {
            assert_eq!(body, b"sound");
            self.opened[n].push(opened);
        }
        let answers: usize = self.ends[n].outgoing.iter().skip(waiting).map(|(_, bytes)| bytes.len()).sum();
        if answer && answers > 0 {
            self.gain = self.gain.max(answers as i64 - datagram.len() as i64);
        }
    }

    fn events(&mut self, n: usize) -> Vec<Event> {
        std::iter::from_fn(|| self.ends[n].event()).collect()
    }
}

#[test]
fn two_who_call_each_other_at_once_agree_on_one_session_and_its_words() {
    let mut two = Two::new(vec![end(config(0, Some(1))), end(config(1, Some(0)))]);
    (0..6).for_each(|_| two.turn());
    let words = [0, 1].map(|n| match two.events(n).as_slice() {
        [Event::Opened { words, hello, again: false, .. }] => (*words, hello[1]),
        other => panic!("{other:?}"),
    });
    assert_eq!(words[0].0, words[1].0);
    assert_eq!([words[0].1, words[1].1], [1, 0]);
    assert!(two.opened.iter().all(|opened| opened.len() >= 4));
    assert!(two.gain <= 0, "an answer is {} bytes longer than what it answers", two.gain);
}

#[test]
fn with_a_wrong_passphrase_nobody_comes_in_and_both_say_so() {
    let ends = [("one", Some(1)), ("another", None)].into_iter().enumerate();
    let ends = ends.map(|(n, (words, peer))| end(Config { secret: Secret::of(words), ..config(n, peer) }));
    let mut two = Two::new(ends.collect());
    (0..5).for_each(|_| two.turn());
    assert_eq!(two.events(0), [Event::Refused(Reason::Secret)]);
    assert_eq!(two.events(1), [Event::TurnedAway(at(0), Reason::Secret)]);
    assert!(two.opened.iter().all(Vec::is_empty) && !two.ends[1].is_open());
}

#[test]
fn ends_of_different_versions_of_the_call_refuse_each_other_in_one_line() {
    let speaks = |n: usize, peer, version| end(Config { hello: [version, n as u8, 0, 0], ..config(n, peer) });
    let mut two = Two::new(vec![speaks(0, Some(1), 2), speaks(1, None, 1)]);
    (0..20).for_each(|_| two.turn());
    let (caller, called) = (Versions { theirs: 1, ours: 2 }, Versions { theirs: 2, ours: 1 });
    assert_eq!(two.events(0), [Event::Refused(Reason::Call(caller))]);
    assert_eq!(two.events(1), [Event::TurnedAway(at(0), Reason::Call(called))]);
    assert_eq!(caller.to_string(), "the other end speaks version 1 of the call, we speak 2");
    assert!(two.opened.iter().all(Vec::is_empty) && !two.ends.iter().any(Secure::is_open));
    assert!(two.gain <= 0);
    // it is asked again, but seldom
    (0..300).for_each(|_| two.turn());
    assert!((2..=4).contains(&two.events(0).len()));
}

#[test]
fn a_caller_that_went_on_is_refused_when_it_says_its_version() {
    let mut two = Two::new(vec![end(config(0, Some(1))), end(config(1, None))]);
    two.ends[0].wake(two.now);
    let sent = two.ends[0].transmit().unwrap();
    two.deliver(at(0), sent.0, &sent.1, true);
    let second = two.ends[1].transmit().unwrap();
    two.deliver(at(1), second.0, &second.1, true);
    // it said 2, so the caller goes on; and is another one now
    two.ends[1].config.hello[0] = 3;
    let third = two.ends[0].transmit().unwrap();
    assert_eq!(third.1[0], 3);
    two.deliver(at(0), third.0, &third.1, true);
    assert_eq!(two.events(1), [Event::TurnedAway(at(0), Reason::Call(Versions { theirs: 2, ours: 3 }))]);
    let refusal = two.ends[1].transmit().unwrap();
    two.deliver(at(1), refusal.0, &refusal.1, true);
    assert_eq!(two.events(0), [Event::Refused(Reason::Call(Versions { theirs: 3, ours: 2 }))]);
    assert!(!two.ends[0].is_open() && !two.ends[1].is_open());
    // one of before this was said does not say its version
    let id = two.ends[0].begin(two.now, FASTEST).map(|_| two.ends[0].asking.as_ref().unwrap().id).unwrap();
    let refusal = [&[5, VERSION][..], &id.to_be_bytes(), &[4]].concat();
    two.deliver(at(1), at(0), &refusal, true);
    assert_eq!(two.events(0), [Event::Refused(Reason::Version)]);
}

#[test]
fn a_second_caller_is_refused_while_the_first_speaks_and_let_in_when_it_is_gone() {
    let mut two = Two::new(vec![end(config(0, Some(1))), end(config(1, None))]);
    (0..10).for_each(|_| two.turn());
    two.ends.push(end(config(2, Some(1))));
    two.opened.push(Vec::new());
    (0..10).for_each(|_| two.turn());
    assert!(two.events(2).contains(&Event::Refused(Reason::Busy)));
    assert!(two.opened[2].is_empty() && two.opened[1].len() >= 18);
    two.gone = 1;
    (0..400).for_each(|_| two.turn());
    assert!(!two.opened[2].is_empty());
}

#[test]
fn only_known_keys_are_let_in() {
    let known = |n: usize, keys: &[usize], peer| Config {
        known: Some(keys.iter().map(|n| Identity::new([*n as u8 + 1; 32]).public()).collect()),
        ..config(n, peer)
    };
    let mut two = Two::new(vec![end(known(0, &[1], Some(1))), end(known(1, &[0], None))]);
    (0..5).for_each(|_| two.turn());
    assert!(two.opened.iter().all(|opened| !opened.is_empty()));
    let mut two = Two::new(vec![end(known(0, &[1], Some(1))), end(known(1, &[5], None))]);
    (0..5).for_each(|_| two.turn());
    assert!(two.events(0).contains(&Event::Refused(Reason::Unknown)));
    assert!(two.opened.iter().all(Vec::is_empty));
}

#[test]
fn what_is_sealed_opens_once_and_only_as_it_was() {
    let mut two = Two::new(vec![end(config(0, Some(1))), end(config(1, None))]);
    (0..5).for_each(|_| two.turn());
    two.ends[0].seal(Head::default(), b"sound");
    let (to, datagram) = two.ends[0].transmit().unwrap();
    let before = two.opened[1].len();
    for bit in 0..datagram.len() * 8 {
        let mut forged = datagram.to_vec();
        forged[bit / 8] ^= 1 << (bit % 8);
        two.deliver(at(0), to, &forged, false);
    }
    assert_eq!(two.opened[1].len(), before);
    (0..3).for_each(|_| two.deliver(at(0), to, &datagram, false));
    assert_eq!(two.opened[1].len(), before + 1);
}

#[test]
fn one_who_moves_is_followed_by_what_it_sealed_and_by_nothing_else() {
    let mut two = Two::new(vec![end(config(0, Some(1))), end(config(1, None))]);
    (0..5).for_each(|_| two.turn());
    two.ends[0].seal(Head::default(), b"sound");
    let (to, old) = two.ends[0].transmit().unwrap();
    two.ends[0].seal(Head::default(), b"sound");
    let (_, datagram) = two.ends[0].transmit().unwrap();
    let mut forged = datagram.to_vec();
    forged[20] ^= 1;
    two.deliver(at(66), to, &forged, false);
    assert_eq!(two.ends[1].peer(), Some(at(0)));
    two.deliver(at(77), to, &datagram, false);
    assert_eq!(two.ends[1].peer(), Some(at(77)));
    two.deliver(at(88), to, &old, false); // overtaken: it tells nothing new about where it is
    assert_eq!(two.ends[1].peer(), Some(at(77)));
    assert!(two.events(1).contains(&Event::Moved(at(77))));
}

#[test]
fn one_who_forgot_all_is_known_again_within_a_few_turns() {
    for caller in [0, 1] {
        // whether it calls or is called
        let who = |n: usize| config(n, (n == caller).then_some(1 - n));
        let mut two = Two::new(vec![end(who(0)), end(who(1))]);
        (0..30).for_each(|_| two.turn());
        two.ends[0] = Secure::new(who(0), [99; 32]);
        let before = two.opened[0].len();
        (0..9).for_each(|_| two.turn());
        assert!(two.opened[0].len() > before, "{caller}");
    }
}

#[test]
fn a_crowd_that_knocks_costs_little_and_is_asked_for_cookies() {
    let mut door = end(config(1, None));
    let now = Instant::now();
    for n in 0..1_000_u32 {
        let mut first = vec![n as u8; FIRST];
        first[..2].copy_from_slice(&[1, VERSION]);
        first[6..22].fill(0);
        door.arrive(now, SocketAddr::from((n.to_be_bytes(), 9)), &first, &mut Vec::new());
    }
    assert!(door.stats().knocks <= 8 && door.answering.len() <= 8, "{:?}", door.stats());
    assert_eq!(door.outgoing.iter().filter(|(_, bytes)| bytes[0] == 4).count(), OUTGOING);
    // one who means it still comes in
    let mut two = Two::new(vec![end(config(0, Some(1))), door]);
    two.now = now;
    (0..20).for_each(|_| two.turn());
    assert!(two.ends[0].is_open());
}
