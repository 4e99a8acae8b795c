//! Everything at once: listeners that are slow, leave, are moved, skipped and told titles, while sources come and go.

use super::{
    super::*,
    deframed::deframe,
    numbered::{Numbered, check_story},
    stage::*,
};
use std::{
    sync::atomic::Ordering::Relaxed,
    thread::{self, JoinHandle},
};

/// Reads to the end of the stream, with a rest after each read; gives what it got, and whether it broke off itself.
fn read(
    mut client: Client,
    rest: Duration,
    metaint: Option<usize>,
    breaks_off: bool,
) -> JoinHandle<Vec<Numbered>> {
    thread::spawn(move || {
        client.head();
        let mut got = client.take_body();
        while client.read_some() {
            got.extend_from_slice(&client.take_body());
            if breaks_off && got.len() > 100_000 {
                return Vec::new();
            }
            thread::sleep(rest);
        }
        let body = metaint.map_or_else(|| got.to_vec(), |metaint| deframe(&got, metaint).body);
        let (pages, left) = Numbered::read_all(&body);
        assert!(left.is_empty(), "{} bytes of a page", left.len());
        check_story(&pages);
        pages
    })
}

#[test]
fn whatever_happens_at_once_every_byte_of_every_listener_makes_sense() {
    let config = Config {
        reactors: 2,
        lag: Duration::from_millis(500),
        lag_bytes: 1 << 20,
        skips: u32::MAX,
        send_buffer: 16 << 10,
        ..Config::default()
    };
    let stage = Stage::with(config);
    let renditions = [rendition(1), rendition(2)];
    let mut sources = [Source::of(&renditions[0], b'a'), Source::of(&renditions[1], b'b')];
    let mut readers = Vec::new();
    let mut random = 12_345_u32;
    let mut dice = |sides: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 16) % sides
    };
    for turn in 0..400u32 {
        if turn % 4 == 0 {
            let metaint = (dice(2) == 0).then_some(1_000 + dice(3_000) as usize);
            let pace = if dice(3) == 0 { Pace::Low } else { Pace::Every(Duration::from_millis(250)) };
            let client = stage.join_with(&renditions[dice(2) as usize], |joining| {
                joining.framing = metaint.map_or(Framing::Raw, |metaint| Framing::Icy { metaint });
                joining.pace = pace;
                joining.burst = Start::Burst { time: Duration::from_secs(2), bytes: 100_000 };
            });
            let rest = Duration::from_millis(u64::from(dice(4) * dice(30)));
            readers.push(read(client, rest, metaint, dice(5) == 0));
        }
        let which = dice(2) as usize;
        match dice(12) {
            0 => sources[which].headers(),
            1 => sources[which].title(&turn.to_string()),
            2 => stage.egress.shift(renditions[which].id, &renditions[1 - which], Whom::All),
            3 => stage.egress.shift(
                renditions[which].id,
                &renditions[1 - which],
                Whom::One(SessionId(dice(100).into())),
            ),
            4 => sources[which].reopen(&renditions[which]),
            _ => sources[which].plain(dice(4) as usize, dice(30_000) as usize),
        }
        sources[which].entries(1, dice(500) as usize);
        thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    stage.egress.shutdown(PATIENCE);
    assert!(began.elapsed() < PATIENCE, "somebody was never served to the end");
    let pages: usize = readers.into_iter().map(|reader| reader.join().unwrap().len()).sum();
    let stats = stage.egress.stats();
    let sum = |of: fn(&ReactorStats) -> u64| stats.reactors.iter().map(of).sum::<u64>();
    assert!(pages > 5_000, "{pages}");
    assert!(sum(|reactor| reactor.skips) > 0 && sum(|reactor| reactor.blocked) > 0, "{stats:?}");
    assert_eq!((sum(|reactor| reactor.failures), sum(|reactor| reactor.listeners)), (0, 0));
    assert_eq!(stage.ends(), 100);
    assert_eq!(stage.sent.load(Relaxed), sum(|reactor| reactor.bytes));
}
