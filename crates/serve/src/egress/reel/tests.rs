//! The reel alone: what is held, where one may begin, what goes.

use super::*;
use crate::egress::tests::numbered::{Numbered, Script};
use levada_media::Tags;

const SECOND: Duration = Duration::from_secs(1);

/// Holds two seconds and 300,000 bytes.
fn reel() -> Reel {
    Reel::new(Keep { time: 2 * SECOND, bytes: 300_000 }, Instant::now())
}

fn push(reel: &mut Reel, pages: impl IntoIterator<Item = Page>) {
    pages.into_iter().for_each(|page| reel.push(&page, Instant::now()));
}

/// The number of the page at an entry.
fn number(reel: &Reel, entry: Entry) -> u32 {
    Numbered::read(&reel.copy(entry.offset, reel.page_end(entry.offset + 1))).unwrap().0.number
}

fn joined(reel: &Reel, time: Duration, bytes: usize) -> Option<u32> {
    reel.join(Start::Burst { time, bytes }).map(|entry| number(reel, entry))
}

#[test]
fn a_burst_begins_at_the_newest_entry_that_is_old_enough() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    for _ in 0..5 {
        push(&mut reel, [script.entry(100), script.plain(100), script.plain(100)]);
    }
    let tenths = |n: u32| SECOND / 10 * n;
    assert_eq!(joined(&reel, tenths(3), 1 << 20), Some(12), "the entry is as old as its beginning");
    assert_eq!(joined(&reel, tenths(4), 1 << 20), Some(9));
    assert_eq!(joined(&reel, tenths(600), 1 << 20), Some(0), "if none is that old, the oldest");
    assert_eq!(joined(&reel, Duration::ZERO, 1 << 20), Some(12));
    assert_eq!(joined(&reel, tenths(600), 112 * 6), Some(9), "but no more bytes than allowed");
    assert_eq!(joined(&reel, tenths(600), 0), Some(12), "the newest entry is taken whatever it takes");
    assert_eq!(reel.join(Start::Entry).map(|entry| number(&reel, entry)), Some(12));
    assert_eq!(reel.join(Start::Live), None);
}

#[test]
fn without_times_bursts_are_measured_in_bytes() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    let now = Instant::now();
    (0..10).for_each(|_| reel.push(&Page { at: None, ..script.entry(88) }, now));
    assert_eq!(joined(&reel, SECOND, 350), Some(7));
    assert_eq!(joined(&reel, SECOND, 1 << 20), Some(0));
}

#[test]
fn without_times_of_its_own_a_stream_is_as_old_as_its_arrival() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    let began = Instant::now();
    (0..100).for_each(|n| reel.push(&Page { at: None, ..script.entry(988) }, began + SECOND / 10 * n));
    assert_eq!(reel.lag(90_000), SECOND);
    assert!((9_000.0..12_000.0).contains(&reel.rate().unwrap()), "{:?}", reel.rate());
    let due = reel.due().unwrap();
    assert!((70_000..=81_000).contains(&due), "two seconds stay: {due}");
}

#[test]
fn nothing_goes_before_it_is_worth_the_trouble() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    (0..600).for_each(|_| push(&mut reel, [script.entry(88)]));
    assert_eq!(reel.due(), None, "a minute of it is less than a block");
    (0..600).for_each(|_| push(&mut reel, [script.entry(88)]));
    let due = reel.due().unwrap();
    assert_eq!(due, 118_000, "two seconds stay");
    reel.evict(due);
    assert!(reel.slice(0, due).is_empty());
    assert_eq!(joined(&reel, 60 * SECOND, 1 << 20), Some(1_180));
}

#[test]
fn the_newest_entry_stays_whatever_its_age_but_not_whatever_its_size() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    push(&mut reel, [script.plain(100_000), script.entry(100)]);
    (0..100).for_each(|_| push(&mut reel, [script.plain(988)]));
    assert_eq!(reel.due(), Some(100_012), "ten seconds old, and it stays");
    (0..300).for_each(|_| push(&mut reel, [script.plain(988)]));
    let due = reel.due().unwrap();
    assert!(reel.end() - due <= 300_000 && reel.end() - due > 298_000);
    reel.evict(due);
    assert_eq!(reel.join(Start::Entry), None);
}

#[test]
fn pages_end_where_the_next_begins() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    push(&mut reel, [script.entry(88), script.plain(188)]);
    let ends: Vec<_> = [0, 1, 99, 100, 101, 299, 300].map(|offset| reel.page_end(offset)).into();
    assert_eq!(ends, [0, 100, 100, 100, 300, 300, 300]);
}

#[test]
fn each_entry_keeps_the_header_set_that_was_in_force() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    let first = script.headers();
    push(&mut reel, first.clone());
    push(&mut reel, [script.entry(100)]);
    let second = script.headers();
    push(&mut reel, second.clone());
    push(&mut reel, [script.entry(100)]);
    let joined = |pages: &[Page]| pages.iter().flat_map(|page| page.bytes.to_vec()).collect::<Vec<_>>();
    let (old, new) = (reel.entry_from(0).unwrap(), reel.newest().unwrap());
    assert_eq!(reel.header_of(old), joined(&first));
    assert_eq!(reel.header_of(new), joined(&second));
    assert_eq!(reel.header_before(new.offset), joined(&second));
    assert_eq!(reel.header_before(new.offset - 1), joined(&first), "the second set is not all passed");
    reel.evict(new.offset);
    assert_eq!(reel.header_of(new), joined(&second));
    assert_eq!(reel.header_before(reel.end()), joined(&second));
}

#[test]
fn a_header_set_that_never_ends_is_not_remembered_whole() {
    let mut reel = reel();
    for _ in 0..6 {
        push(&mut reel, [Page::new(vec![1; 1 << 20].into(), Role::Header)]);
    }
    push(&mut reel, [Script::of(b'a').entry(1)]);
    assert_eq!(reel.header_of(reel.newest().unwrap()).len(), 4 << 20);
}

#[test]
fn titles_stay_as_long_as_they_are_in_force() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    let titled = |title: &str| Page::tags(Tags::titled(title));
    let title_at = |reel: &Reel, offset| reel.title_at(offset).map(|title| title.number);
    push(&mut reel, [script.entry(88), titled("one"), script.entry(88), titled("two"), titled("two")]);
    assert_eq!([99, 100, 199, 200].map(|offset| title_at(&reel, offset)), [None, Some(1), Some(1), Some(2)]);
    push(&mut reel, [script.entry(988)]);
    reel.evict(1_200);
    assert_eq!(title_at(&reel, 1_200), Some(2));
    assert!(reel.title(1).is_none(), "a title that is over for everybody is let go of");
}

#[test]
fn a_flood_of_titles_is_bounded() {
    let mut reel = reel();
    push(&mut reel, (0..10_000).map(|n| Page::tags(Tags::titled(n.to_string()))));
    assert!(reel.title(10_000 - 64).is_none());
    assert!(reel.title(10_000 - 63).is_some());
}

#[test]
fn a_source_whose_clock_begins_anew_makes_nobody_late() {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    script.next = 50;
    push(&mut reel, [script.entry(88), script.entry(88)]);
    reel.restart();
    push(&mut reel, [Script { next: 250, ..Script::of(b'b') }.entry(88)]);
    assert_eq!(reel.lag(100), SECOND / 10);
}
