//! What a channel does for those at its ends.

use levada_channel::{Bounds, Channel, Flow, Publisher, Role, Start, Subscriber, Taken};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    time::Duration,
};

/// An item: `H`eader, `E`ntry, `P`lain or `N`ote, its number, its weight, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Thing(char, u32, usize, Option<Duration>);

impl Flow for Thing {
    fn weight(&self) -> usize {
        self.2
    }

    fn role(&self) -> Role {
        match self.0 {
            'H' => Role::Header,
            'E' => Role::Entry,
            _ => Role::Plain,
        }
    }

    fn at(&self) -> Option<Duration> {
        self.3
    }

    fn note(&self) -> Option<Thing> {
        (self.0 == 'N').then_some(*self)
    }
}

/// Items without time: a letter and a number each, as in `"H0 E1 P2"`.
fn send(publisher: &mut Publisher<Thing>, items: &str) {
    for item in items.split_whitespace() {
        let (kind, number) = (item.chars().next().expect("a letter"), item[1..].parse().expect("a number"));
        publisher.send(Thing(kind, number, if kind == 'N' { 0 } else { 10 }, None));
    }
}

/// One entry of ten bytes per 100 ms.
fn send_timed(publisher: &mut Publisher<Thing>, numbers: std::ops::Range<u32>) {
    for number in numbers {
        publisher.send(Thing('E', number, 10, Some(Duration::from_millis(100) * number)));
    }
}

/// All there is now.
fn read(subscriber: &mut Subscriber<Thing>) -> String {
    let mut all = Vec::new();
    while let Taken::Item(Thing(kind, number, ..)) = subscriber.try_next() {
        all.push(format!("{kind}{number}"));
    }
    all.join(" ")
}

fn channel() -> (Publisher<Thing>, Channel<Thing>) {
    Channel::new(Bounds::default())
}

fn burst(millis: u64, bytes: usize) -> Start {
    Start::Burst { time: Duration::from_millis(millis), bytes }
}

#[test]
fn everybody_gets_everything_in_order_from_where_they_began() {
    let (mut publisher, channel) = channel();
    let mut first = channel.subscribe(Start::Live);
    send(&mut publisher, "H0 H1 E2 P3");
    let mut second = channel.subscribe(Start::Entry);
    send(&mut publisher, "E4 P5");
    let mut third = channel.subscribe(Start::Entry);
    let mut live = channel.subscribe(Start::Live);
    send(&mut publisher, "P6 E7");
    assert_eq!(read(&mut first), "H0 H1 E2 P3 E4 P5 P6 E7");
    assert_eq!(read(&mut second), "H0 H1 E2 P3 E4 P5 P6 E7");
    assert_eq!(read(&mut third), "H0 H1 E4 P5 P6 E7");
    assert_eq!(read(&mut live), "H0 H1 E7");
}

#[test]
fn a_new_header_set_replaces_the_old_one() {
    let (mut publisher, channel) = channel();
    send(&mut publisher, "H0 H1 E2 H3 E4");
    assert_eq!(read(&mut channel.subscribe(Start::Entry)), "H3 E4");
    assert_eq!(read(&mut channel.subscribe(burst(0, 1_000))), "H3 E4");
    assert_eq!(read(&mut channel.subscribe(burst(9_000, 1_000))), "H0 H1 E2 H3 E4", "the set in force there");
    assert_eq!(channel.header().iter().map(|header| header.1).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_subscriber_knows_the_header_set_that_it_has_read() {
    let (mut publisher, channel) = channel();
    send(&mut publisher, "H0 E1");
    let mut subscriber = channel.subscribe(Start::Entry);
    let numbers =
        |subscriber: &Subscriber<Thing>| subscriber.header().iter().map(|item| item.1).collect::<Vec<_>>();
    assert_eq!(numbers(&subscriber), [0]);
    send(&mut publisher, "H2 H3 E4");
    assert_eq!(numbers(&subscriber), [0], "what is still to come is not yet in force");
    read(&mut subscriber);
    assert_eq!(numbers(&subscriber), [2, 3]);
}

#[test]
fn who_comes_amid_a_header_set_gets_all_of_it_once() {
    let (mut publisher, channel) = channel();
    send(&mut publisher, "H0 H1");
    let mut subscriber = channel.subscribe(Start::Entry);
    send(&mut publisher, "H2 P3 E4");
    assert_eq!(read(&mut subscriber), "H0 H1 H2 E4");
}

#[test]
fn the_last_note_is_told_to_newcomers() {
    let (mut publisher, channel) = channel();
    send(&mut publisher, "N0 H1 N2 H3 E4 N5");
    assert_eq!(
        read(&mut channel.subscribe(Start::Entry)),
        "H1 H3 N2 E4 N5",
        "the note in force at the entry"
    );
    assert_eq!(read(&mut channel.subscribe(Start::Live)), "H1 H3 N5");
}

#[test]
fn a_burst_is_measured_in_time_and_begins_at_an_entry() {
    let (mut publisher, channel) = channel();
    send_timed(&mut publisher, 0..50);
    let first = |start| read(&mut channel.subscribe(start)).split(' ').next().unwrap().to_owned();
    assert_eq!(first(burst(1_000, 1_000)), "E40");
    assert_eq!(first(burst(1_001, 1_000)), "E39", "at least as much as was asked for");
    assert_eq!(first(burst(1_000, 50)), "E45", "but not more bytes");
    assert_eq!(first(burst(1_000, 0)), "E49", "the newest entry is taken whatever it takes");
    assert_eq!(first(burst(60_000, 10_000)), "E0", "if nothing is that old, the oldest");
}

#[test]
fn the_ring_is_bounded_in_bytes_items_and_time() {
    let no_bound = Bounds { bytes: usize::MAX, time: Duration::MAX, items: usize::MAX };
    for bounds in [
        Bounds { bytes: 100, ..no_bound },
        Bounds { items: 10, ..no_bound },
        Bounds { time: Duration::from_millis(1_000), ..no_bound },
    ] {
        let (mut publisher, channel) = Channel::new(bounds);
        send_timed(&mut publisher, 0..1_000);
        let stats = channel.stats();
        assert!((10..=11).contains(&stats.held_items), "{bounds:?}: {stats:?}");
        assert_eq!((stats.items, stats.bytes), (1_000, 10_000));
    }
}

#[test]
fn an_item_larger_than_the_ring_is_held_alone() {
    let (mut publisher, channel) = Channel::new(Bounds { bytes: 100, ..Bounds::default() });
    send(&mut publisher, "E0 E1");
    publisher.send(Thing('E', 2, 1_000_000, None));
    assert_eq!(read(&mut channel.subscribe(burst(0, 0))), "E2");
    assert_eq!(channel.stats().held_items, 1);
}

#[test]
fn a_header_set_without_end_is_bounded() {
    let (mut publisher, channel) = channel();
    (0..100).for_each(|number| publisher.send(Thing('H', number, 1 << 20, None)));
    assert_eq!(channel.header().len(), 4);
    let (mut publisher, channel) = self::channel();
    (0..10_000).for_each(|number| publisher.send(Thing('H', number, 1, None)));
    assert_eq!(channel.header().len(), 4_096);
}

#[test]
fn a_slow_subscriber_is_moved_to_the_newest_entry_and_counted() {
    let (mut publisher, channel) = Channel::new(Bounds { items: 10, ..Bounds::default() });
    send(&mut publisher, "H0 E1");
    let mut slow = channel.subscribe(Start::Entry);
    assert_eq!(read(&mut slow), "H0 E1");
    send(&mut publisher, "P2 E3 P4 P5 P6 P7 P8 P9 P10 P11 E12 P13");
    assert_eq!(slow.lag(), 12);
    assert_eq!(read(&mut slow), "E12 P13", "the header set is still the same");
    assert_eq!(slow.skipped(), 10);
    assert_eq!(channel.stats().overtaken, 1);
}

#[test]
fn a_slow_subscriber_gets_the_header_set_that_it_missed() {
    let (mut publisher, channel) = Channel::new(Bounds { items: 10, ..Bounds::default() });
    send(&mut publisher, "H0 E1");
    let mut slow = channel.subscribe(Start::Entry);
    let mut slower = channel.subscribe(Start::Entry);
    assert_eq!(read(&mut slow), "H0 E1");
    assert_eq!(slower.try_next(), Taken::Item(Thing('H', 0, 10, None)));
    send(&mut publisher, "H2 H3 E4 P5 P6 P7 P8 P9 P10 P11 P12 E13 P14");
    assert_eq!(read(&mut slow), "H2 H3 E13 P14");
    assert_eq!(read(&mut slower), "H2 H3 E13 P14");
}

#[test]
fn who_is_overtaken_amid_a_header_set_gets_it_from_its_beginning() {
    let (mut publisher, channel) = Channel::new(Bounds { items: 10, ..Bounds::default() });
    let mut slow = channel.subscribe(Start::Live);
    send(&mut publisher, "H0");
    assert_eq!(read(&mut slow), "H0");
    send(&mut publisher, "H1 E2 P3 P4 P5 P6 P7 P8 P9 P10 P11 E12");
    assert_eq!(read(&mut slow), "H0 H1 E12");
}

#[test]
fn without_an_entry_left_the_slow_wait_for_the_next() {
    let (mut publisher, channel) = Channel::new(Bounds { items: 4, ..Bounds::default() });
    let mut slow = channel.subscribe(Start::Live);
    send(&mut publisher, "E0 P1 P2 P3 P4 P5 P6");
    assert_eq!(read(&mut slow), "");
    send(&mut publisher, "P7 E8");
    assert_eq!(read(&mut slow), "E8");
}

#[test]
fn the_end_comes_after_all_that_was_sent() {
    let (mut publisher, channel) = channel();
    let mut subscriber = channel.subscribe(Start::Live);
    send(&mut publisher, "E0 P1");
    publisher.finish();
    assert!(channel.has_ended());
    assert_eq!(read(&mut subscriber), "E0 P1");
    assert_eq!(subscriber.try_next(), Taken::Ended);
    assert_eq!(read(&mut channel.subscribe(Start::Entry)), "E0 P1", "what is left can still be read");
}

#[test]
fn draining_stops_when_told_and_goes_on_where_it_stopped() {
    let (mut publisher, channel) = channel();
    let mut subscriber = channel.subscribe(Start::Live);
    send(&mut publisher, "E0 P1 P2");
    let mut taken = Vec::new();
    let more = |taken: &mut Vec<u32>, item: Thing, most: usize| {
        taken.push(item.1);
        taken.len() < most
    };
    assert_eq!(subscriber.drain(|item| more(&mut taken, item, 2)), Taken::Item(()));
    assert_eq!(subscriber.drain(|item| more(&mut taken, item, 9)), Taken::Empty);
    assert_eq!(taken, [0, 1, 2]);
    drop(publisher);
    assert_eq!(subscriber.drain(|_| true), Taken::Ended);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_waker_is_woken_once_per_registration() {
    let (mut publisher, channel) = channel();
    let count = Arc::<Count>::default();
    let waker = Waker::from(count.clone());
    let mut subscriber = channel.subscribe(Start::Live);
    assert!(subscriber.on_wake(&waker));
    assert!(subscriber.on_wake(&waker), "asking twice counts once");
    send(&mut publisher, "E0 E1");
    assert_eq!(count.0.load(Relaxed), 1);
    assert!(!subscriber.on_wake(&waker), "there is something already");
    read(&mut subscriber);
    assert!(subscriber.on_wake(&waker));
    drop(publisher);
    assert_eq!(count.0.load(Relaxed), 2, "the end wakes too");
    assert!(!subscriber.on_wake(&waker));
}

#[test]
fn a_subscriber_that_is_gone_is_not_woken() {
    let (mut publisher, channel) = channel();
    let count = Arc::<Count>::default();
    let mut gone = channel.subscribe(Start::Live);
    let mut stays = channel.subscribe(Start::Live);
    assert!(gone.on_wake(&count.clone().into()) && stays.on_wake(&count.clone().into()));
    drop(gone);
    let mut newcomer = channel.subscribe(Start::Live);
    send(&mut publisher, "E0");
    assert_eq!(count.0.load(Relaxed), 1);
    assert_eq!(read(&mut newcomer), "E0");
    assert_eq!(channel.stats().subscribers, 2);
}

#[test]
fn sending_many_at_once_wakes_once() {
    let (mut publisher, channel) = channel();
    let count = Arc::<Count>::default();
    let mut subscriber = channel.subscribe(Start::Live);
    subscriber.on_wake(&count.clone().into());
    publisher.send_all((0..100).map(|number| Thing('E', number, 1, None)));
    assert_eq!(count.0.load(Relaxed), 1);
    assert_eq!(subscriber.lag(), 100);
}

#[tokio::test]
async fn tasks_wait_for_the_next_item_and_the_end() {
    let (mut publisher, channel) = channel();
    let mut subscriber = channel.subscribe(Start::Live);
    let reading = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while let Some(item) = subscriber.next().await {
            numbers.push(item.1);
        }
        numbers
    });
    for number in 0..1_000 {
        publisher.send(Thing('E', number, 1, None));
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(publisher);
    assert_eq!(reading.await.unwrap(), (0..1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let (mut publisher, channel) = channel();
    let mut subscriber = channel.subscribe(Start::Live);
    for number in 0..50 {
        let given_up = tokio::time::timeout(Duration::ZERO, subscriber.next()).await;
        assert!(given_up.is_err());
        publisher.send(Thing('E', number, 1, None));
        assert_eq!(subscriber.next().await.unwrap().1, number);
    }
}

#[test]
fn threads_that_read_at_their_own_speed_all_get_everything() {
    let (mut publisher, channel) = channel();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut subscriber = channel.subscribe(Start::Live);
            std::thread::spawn(move || {
                let mut numbers = Vec::new();
                loop {
                    match subscriber.try_next() {
                        Taken::Item(item) => numbers.push(item.1),
                        Taken::Empty => std::thread::yield_now(),
                        Taken::Ended => return numbers,
                    }
                }
            })
        })
        .collect();
    (0..20_000).for_each(|number| publisher.send(Thing('E', number, 1, None)));
    drop(publisher);
    let all: Vec<_> = (0..20_000).collect();
    readers.into_iter().for_each(|reader| assert_eq!(reader.join().unwrap(), all));
}
