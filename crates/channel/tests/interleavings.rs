//! Every interleaving of a publisher and those who wait for it, tried out by loom:
//! `RUSTFLAGS="--cfg levada_loom" cargo test --release -p levada-channel --test interleavings`
#![cfg(levada_loom)]

use levada_channel::{Bounds, Channel, Flow, Role, Start, Taken};
use loom::{future::block_on, thread};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(u32);

impl Flow for Number {
    fn weight(&self) -> usize {
        1
    }

    fn role(&self) -> Role {
        Role::Entry
    }

    fn at(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn no_wake_up_is_lost_and_no_item_either() {
    loom::model(|| {
        let (mut publisher, channel) = Channel::<Number>::new(Bounds::default());
        let mut subscriber = channel.subscribe(Start::Live);
        let sending = thread::spawn(move || {
            publisher.send(Number(1));
            publisher.send(Number(2));
        });
        assert_eq!(block_on(subscriber.next()), Some(Number(1)));
        assert_eq!(block_on(subscriber.next()), Some(Number(2)));
        assert_eq!(block_on(subscriber.next()), None, "the publisher is dropped with its thread");
        sending.join().unwrap();
    });
}

#[test]
fn two_who_wait_are_both_woken() {
    loom::model(|| {
        let (mut publisher, channel) = Channel::<Number>::new(Bounds::default());
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let mut subscriber = channel.subscribe(Start::Live);
                thread::spawn(move || block_on(subscriber.next()))
            })
            .collect();
        publisher.send(Number(1));
        for thread in waiting {
            assert_eq!(thread.join().unwrap(), Some(Number(1)));
        }
    });
}

#[test]
fn who_subscribes_while_something_is_sent_misses_nothing_after_it() {
    loom::model(|| {
        let (mut publisher, channel) = Channel::<Number>::new(Bounds::default());
        let late = thread::spawn(move || {
            let mut subscriber = channel.subscribe(Start::Entry);
            let mut numbers = Vec::new();
            while let Some(number) = block_on(subscriber.next()) {
                numbers.push(number.0);
            }
            numbers
        });
        (1..=3).for_each(|number| publisher.send(Number(number)));
        drop(publisher);
        let numbers = late.join().unwrap();
        assert_eq!(numbers, (4 - numbers.len() as u32..=3).collect::<Vec<_>>());
        assert!(!numbers.is_empty());
    });
}

#[test]
fn leaving_while_something_is_sent_disturbs_nobody() {
    loom::model(|| {
        let (mut publisher, channel) = Channel::<Number>::new(Bounds::default());
        let mut stays = channel.subscribe(Start::Live);
        let leaving = channel.subscribe(Start::Live);
        let leaves = thread::spawn(move || drop(leaving));
        publisher.send(Number(1));
        assert!(matches!(stays.try_next(), Taken::Item(Number(1))));
        leaves.join().unwrap();
        assert_eq!(channel.stats().subscribers, 1);
    });
}
