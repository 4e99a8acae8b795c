use super::*;
use crate::native::Rendition;
use levada_codec::packet::Codec;

// The only clock of these tests: where time begins does not matter.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

fn own(n: u8, passphrase: Option<&str>) -> Own {
    let room: RoomName = "band".parse().unwrap();
    let psk = passphrase.map_or_else(Psk::none, |said| Psk::of(said, &room));
    Own {
        room,
        name: DisplayName::of(["Ana", "Ben"][usize::from(n)]),
        identity: Identity::new([n + 1; 32]),
        psk,
        known: None,
    }
}

fn key(generation: u8) -> SenderKey {
    let rendition = Rendition { codec: Codec::Opus, frames: 960, rate: 48_000 };
    SenderKey { generation, key: [generation; 32], rendition }
}

/// Both sides; what `lost` says of the nth body is lost, or what `bent` does with it done.
struct Both {
    owns: [Own; 2],
    pairs: [Pair; 2],
    now: Instant,
    brought: [Vec<Brought>; 2],
    bodies: usize,
}

impl Both {
    fn new(owns: [Own; 2]) -> Both {
        let now = start();
        let pairs = [Pair::new(now, true, &owns[0], [7; 32]), Pair::new(now, false, &owns[1], [8; 32])];
        Both { owns, pairs, now, brought: Default::default(), bodies: 0 }
    }

    fn run(&mut self, time: Duration, mut way: impl FnMut(usize, &mut Vec<u8>) -> bool) {
        let end = self.now + time;
        while self.now < end {
            for from in 0..2 {
                let mut waiting: Vec<(usize, Vec<u8>)> =
                    self.pairs[from].wake(self.now).into_iter().map(|body| (1 - from, body)).collect();
                while let Some((to, mut body)) = waiting.pop() {
                    self.bodies += 1;
                    if !way(self.bodies - 1, &mut body) {
                        continue;
                    }
                    let mut answers = Vec::new();
                    let chance = [self.bodies as u8 + 9; 32];
                    let brought =
                        self.pairs[to].arrive(self.now, &body, &self.owns[to], chance, &mut answers);
                    self.brought[to].extend(brought);
                    waiting.extend(answers.into_iter().map(|answer| (1 - to, answer)));
                }
            }
            self.now += Duration::from_millis(10);
        }
    }

    fn met(&self, side: usize) -> Vec<(&str, Words)> {
        let met = |brought: &Brought| match &brought.happened {
            Some(Happened::Met { name, words, .. }) => Some((name.as_str().to_owned(), *words)),
            _ => None,
        };
        let all: Vec<_> = self.brought[side].iter().filter_map(met).collect();
        all.into_iter().map(|(name, words)| (if name == "Ana" { "Ana" } else { "Ben" }, words)).collect()
    }

    fn refused(&self, side: usize) -> Vec<Reason> {
        let refused = |brought: &Brought| match brought.happened {
            Some(Happened::Refused(reason)) => Some(reason),
            _ => None,
        };
        self.brought[side].iter().filter_map(refused).collect()
    }

    fn keys(&self, side: usize) -> Vec<u8> {
        self.brought[side].iter().filter_map(|brought| brought.key.map(|key| key.generation)).collect()
    }
}

#[test]
fn two_meet_whatever_is_lost_and_have_each_others_keys() {
    for lost in 0..64_usize {
        let mut both = Both::new([own(0, None), own(1, None)]);
        let now = both.now;
        both.pairs.iter_mut().enumerate().for_each(|(n, pair)| pair.offer(now, key(n as u8 + 1)));
        both.run(Duration::from_secs(6), |n, _| n >= 6 || lost >> n & 1 == 0);
        let [ana, ben] = [both.met(0), both.met(1)];
        assert_eq!((ana.len(), ben.len(), ana[0].0, ben[0].0), (1, 1, "Ben", "Ana"), "{lost:b}");
        assert_eq!(ana[0].1, ben[0].1);
        assert!(both.keys(0).contains(&2) && both.keys(1).contains(&1), "{lost:b}");
        assert_eq!([both.pairs[0].has(), both.pairs[1].has()], [Some(1), Some(2)], "{lost:b}");
        assert_eq!(both.pairs[0].due().or(both.pairs[1].due()), None, "nothing more to say");
    }
}

#[test]
fn one_who_meddles_with_a_body_keeps_two_apart_at_most_a_while() {
    for bent in 0..4 {
        for at in [0, 2, 7, 30, 60] {
            let mut both = Both::new([own(0, None), own(1, None)]);
            let now = both.now;
            both.pairs.iter_mut().for_each(|pair| pair.offer(now, key(1)));
            both.run(Duration::from_secs(6), |n, body| {
                if n == bent && at < body.len() {
                    body[at] ^= 1;
                }
                true
            });
            // what is bent in the third message cannot be told from another passphrase, and a refusal is sealed by nobody
            let refused = !both.refused(0).is_empty() || !both.refused(1).is_empty();
            let met = both.met(0).len() == 1 && both.met(1).len() == 1;
            assert!(met || refused && bent >= 2, "{bent} {at}");
            if met {
                assert_eq!(both.met(0)[0].1, both.met(1)[0].1);
            }
        }
    }
}

#[test]
fn another_passphrase_is_refused_on_both_sides() {
    for words in [[Some("seven quiet words"), None], [None, Some("x")], [Some("x"), Some("y")]] {
        let mut both = Both::new([own(0, words[0]), own(1, words[1])]);
        both.run(Duration::from_secs(2), |_, _| true);
        assert_eq!([both.refused(0), both.refused(1)], [[Reason::Secret], [Reason::Secret]]);
        assert!(!both.pairs[0].is_met() && !both.pairs[1].is_met() && both.keys(0).is_empty());
    }
}

#[test]
fn a_key_that_is_not_known_is_refused_and_told() {
    for side in 0..2 {
        let mut owns = [own(0, None), own(1, None)];
        owns[side].known = Some(vec![owns[side].identity.public()]);
        let mut both = Both::new(owns);
        both.run(Duration::from_secs(2), |_, _| true);
        assert_eq!(both.refused(side), [Reason::Unknown]);
        assert_eq!(both.refused(1 - side), [Reason::Stranger]);
    }
}

#[test]
fn later_keys_are_told_and_what_was_heard_is_not_heard_again() {
    let mut both = Both::new([own(0, None), own(1, None)]);
    let now = both.now;
    both.pairs.iter_mut().for_each(|pair| pair.offer(now, key(1)));
    let mut all: Vec<Vec<u8>> = Vec::new();
    both.run(Duration::from_secs(1), |_, body| {
        all.push(body.clone());
        true
    });
    let now = both.now;
    both.pairs[0].offer(now, key(2));
    both.run(Duration::from_secs(1), |_, _| true);
    assert_eq!((both.keys(1), both.pairs[0].has()), (vec![1, 2], Some(2)));
    for side in 0..2 {
        for body in &all {
            let mut answers = Vec::new();
            let own = both.owns[side].clone();
            assert!(both.pairs[side].arrive(now, body, &own, [1; 32], &mut answers).is_none());
            assert!(answers.is_empty());
        }
    }
}
