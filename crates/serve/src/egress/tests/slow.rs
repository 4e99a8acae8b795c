//! Listeners that do not keep up.

use super::{super::*, stage::*};
use levada_channel::Bounds;
use std::sync::atomic::Ordering::Relaxed;

/// Less patience than usual, so that tests need less of it.
fn impatient() -> Config {
    Config {
        lag: Duration::from_millis(1_500),
        lag_bytes: 3 << 20,
        stall: Duration::from_secs(2),
        ..Config::default()
    }
}

/// Sends until the socket of the only listener is full.
fn fill(stage: &Stage, source: &mut Source) {
    while stage.egress.stats().reactors[0].blocked == 0 {
        source.plain(1, 100_000);
        source.entries(1, 100);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn who_is_too_far_behind_finishes_the_page_and_goes_on_at_the_newest_entry() {
    let stage = Stage::with(Config { stall: PATIENCE, ..impatient() });
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.headers();
    source.entries(1, 100);
    let mut slow = stage.join(&rendition);
    fill(&stage, &mut source);
    source.entries(40, 100);
    wait_for(|| slow.session.skips.load(Relaxed) > 0);
    stage.egress.end(RenditionId(1), End::StreamEnded, Whom::All);
    let pages = slow.rest();
    assert_eq!(pages[..3], [('H', 0), ('H', 1), ('E', 0)]);
    let gaps: Vec<_> = pages[2..].windows(2).filter(|pair| pair[0].1 + 1 != pair[1].1).collect();
    // one move, or another if the test itself is slow
    let moves = slow.session.skips.load(Relaxed) as usize;
    let entries = gaps.iter().all(|gap| gap[1].0 == 'E');
    assert!(
        (1..=moves).contains(&gaps.len()) && entries,
        "{moves} moves, and an entry after each gap: {gaps:?}"
    );
    assert_eq!(stage.end_of(&slow), End::StreamEnded);
    let tempo = slow.session.meter.tempo();
    let missed = gaps.iter().map(|gap| u64::from(gap[1].1 - gap[0].1) - 1).sum();
    assert_eq!((tempo.pages, tempo.missed), (pages.len() as u64 - 2, missed), "all but the header set");
    assert!(tempo.gaps.iter().sum::<u64>() > 1);
}

#[test]
fn one_slow_listener_takes_nothing_from_the_others() {
    let (stage, rendition, mut source) = Stage::on_air_with(Config { stall: PATIENCE, ..impatient() });
    let slow = stage.join(&rendition);
    let low = |joining: &mut Joining| joining.pace = Pace::Low;
    let mut others: Vec<_> = (0..10).map(|_| stage.join_with(&rendition, low)).collect();
    others.iter_mut().for_each(|other| assert_eq!(other.pages(1), [('E', 0)]));
    for round in 0..60 {
        source.plain(1, 100_000);
        source.entries(1, 100);
        for other in &mut others {
            assert_eq!(other.pages(2), [('P', 2 * round + 1), ('E', 2 * round + 2)]);
        }
    }
    wait_for(|| slow.session.skips.load(Relaxed) > 0);
}

#[test]
fn whose_socket_takes_nothing_for_too_long_is_dropped() {
    let (stage, rendition, mut source) = Stage::on_air_with(impatient());
    let slow = stage.join(&rendition);
    fill(&stage, &mut source);
    assert_eq!(stage.end_of(&slow), End::Slow);
}

#[test]
fn who_had_to_be_moved_too_often_is_dropped() {
    let (stage, rendition, mut source) =
        Stage::on_air_with(Config { skips: 2, stall: PATIENCE, ..impatient() });
    let slow = stage.join(&rendition);
    fill(&stage, &mut source);
    let began = Instant::now();
    while stage.ends() == 0 && began.elapsed() < PATIENCE {
        source.entries(20, 100);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stage.end_of(&slow), End::Slow);
    assert_eq!(slow.session.skips.load(Relaxed), 3);
}

#[test]
fn what_the_reel_must_let_go_of_is_skipped_before_it_is_gone() {
    let stage =
        Stage::with(Config { stall: PATIENCE, skips: 1_000, lag_bytes: 100_000, ..Config::default() });
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.headers();
    source.entries(1, 100);
    let mut slow = stage.join(&rendition);
    (0..100).for_each(|_| {
        source.plain(9, 20_000);
        source.entries(1, 100);
        std::thread::sleep(Duration::from_millis(2));
    });
    wait_for(|| slow.session.skips.load(Relaxed) > 0);
    stage.egress.end(RenditionId(1), End::StreamEnded, Whom::All);
    slow.rest();
}

#[test]
fn what_a_channel_cannot_hold_is_counted_and_listeners_go_on_at_an_entry() {
    let stage = Stage::new();
    let rendition = Rendition::bounded(RenditionId(1), Bounds { items: 100, ..Bounds::default() });
    let mut source = Source::of(&rendition, b'a');
    source.headers();
    source.entries(1, 100);
    let mut client =
        stage.join_with(&rendition, |joining| joining.pace = Pace::Every(Duration::from_secs(1)));
    assert_eq!(client.pages(3), [('H', 0), ('H', 1), ('E', 0)]);
    while stage.egress.stats().reactors[0].missed == 0 {
        source.entries(500, 10);
    }
    stage.egress.end(RenditionId(1), End::StreamEnded, Whom::All);
    assert!(client.rest().len() > 1);
}
