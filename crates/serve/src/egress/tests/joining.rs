//! How listeners come and go.

use super::{super::*, stage::*};
use std::{io::Read, net::Shutdown, sync::atomic::Ordering::Relaxed};

#[test]
fn a_newcomer_gets_the_header_set_the_burst_and_then_every_page() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.headers();
    source.entries(20, 500);
    let burst = Start::Burst { time: Duration::from_millis(500), bytes: 1 << 20 };
    let mut client = stage.join_with(&rendition, |joining| joining.burst = burst);
    assert_eq!(client.pages(7), [('H', 0), ('H', 1), ('E', 15), ('E', 16), ('E', 17), ('E', 18), ('E', 19)]);
    source.plain(30, 700);
    assert_eq!(client.pages(30), (20..50).map(|number| ('P', number)).collect::<Vec<_>>());
}

#[test]
fn the_head_comes_at_once_and_the_first_data_as_soon_as_there_is_some() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut client =
        stage.join_with(&rendition, |joining| joining.pace = Pace::Every(Duration::from_secs(1)));
    client.head();
    let mut source = Source::of(&rendition, b'a');
    source.headers();
    source.entries(1, 100);
    let began = Instant::now();
    assert_eq!(client.pages(3), [('H', 0), ('H', 1), ('E', 0)]);
    let first = began.elapsed();
    source.entries(1, 100);
    assert_eq!(client.pages(1), [('E', 1)]);
    assert!(first < Duration::from_millis(400), "{first:?}: the first data does not wait for its turn");
}

#[test]
fn a_low_latency_listener_gets_each_page_at_once() {
    let (stage, rendition, mut source) = Stage::on_air();
    let mut low = stage.join_with(&rendition, |joining| joining.pace = Pace::Low);
    let mut slow = stage.join_with(&rendition, |joining| joining.pace = Pace::Every(Duration::from_secs(1)));
    [&mut low, &mut slow].into_iter().for_each(|client| drop(client.pages(1)));
    let delay = |client: &mut Client, source: &mut Source| {
        source.entries(1, 100);
        let began = Instant::now();
        client.pages(1);
        began.elapsed()
    };
    let (mut prompt, mut patient) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..2 {
        prompt += delay(&mut low, &mut source);
        slow.pages(1);
        patient += delay(&mut slow, &mut source);
        low.pages(1);
    }
    assert!(prompt < patient / 5, "{prompt:?} {patient:?}");
}

#[test]
fn the_intro_comes_first() {
    let (stage, rendition, _source) = Stage::on_air();
    let intro = super::numbered::Script::of(b'i').entry(200_000).bytes;
    let mut client = stage.join_with(&rendition, |joining| joining.intro = Some(intro));
    assert_eq!(client.page().unwrap().stream, b'i');
    assert_eq!(client.page().unwrap().stream, b'a');
}

#[test]
fn hundreds_of_listeners_get_every_byte_from_two_reactors() {
    let stage = Stage::with(Config { reactors: 2, ..Config::default() });
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.headers();
    source.entries(3, 1_000);
    let mut clients: Vec<_> = (0..200).map(|_| stage.join(&rendition)).collect();
    for _ in 0..20 {
        source.plain(5, 2_000);
        source.entries(1, 10);
    }
    let expected: Vec<_> = (2..123).collect();
    for client in &mut clients {
        assert_eq!(client.pages(2), [('H', 0), ('H', 1)]);
        assert_eq!(client.pages(121).iter().map(|page| page.1).collect::<Vec<_>>(), expected);
    }
    let stats = stage.egress.stats();
    assert_eq!(stats.renditions[&RenditionId(1)].listeners, 200);
    assert!(stats.reactors.iter().all(|reactor| (90..=110).contains(&reactor.listeners)), "{stats:?}");
    assert_eq!(
        clients.iter().map(|client| client.session.sent.load(Relaxed)).sum::<u64>(),
        stats.renditions[&RenditionId(1)].bytes
    );
}

#[test]
fn who_leaves_is_noticed_at_once_even_when_nothing_is_sent() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut closed = stage.join(&rendition);
    closed.head();
    let half = stage.join(&rendition);
    half.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stage.end_of(&half), End::Left);
    closed.stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(stage.end_of(&closed), End::Left);
    wait_for(|| stage.egress.stats().reactors[0].listeners == 0);
}

#[test]
fn what_a_client_says_is_thrown_away() {
    let (stage, rendition, mut source) = Stage::on_air();
    let mut client = stage.join(&rendition);
    client.pages(1);
    (0..64).for_each(|_| client.say(&[7; 16_384]));
    source.entries(1, 100);
    assert_eq!(client.pages(1), [('E', 1)]);
    assert_eq!(stage.ends(), 0);
}

#[test]
fn whose_time_is_up_ends_at_a_page() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.entries(3, 100);
    let mut client = stage.join_with(&rendition, |joining| {
        joining.expires = Some(Instant::now() + Duration::from_millis(100));
    });
    assert_eq!(client.rest(), [('E', 2)]);
    assert_eq!(stage.end_of(&client), End::Expired);
}

#[test]
fn who_is_kicked_goes_alone() {
    let (stage, rendition, mut source) = Stage::on_air();
    let (mut one, mut other) = (stage.join(&rendition), stage.join(&rendition));
    [&mut one, &mut other].into_iter().for_each(|client| drop(client.pages(1)));
    stage.egress.kick(one.session.id);
    assert_eq!(stage.end_of(&one), End::Kicked);
    assert!(one.rest().is_empty());
    source.entries(1, 100);
    assert_eq!(other.pages(1), [('E', 1)]);
}

#[test]
fn the_end_of_a_stream_lets_out_what_is_there() {
    let (stage, rendition, mut source) = Stage::on_air();
    let mut client = stage.join(&rendition);
    client.pages(1);
    source.plain(50, 5_000);
    stage.egress.end(RenditionId(1), End::StreamEnded, Whom::All);
    assert_eq!(client.rest(), (1..51).map(|number| ('P', number)).collect::<Vec<_>>());
    assert_eq!(stage.end_of(&client), End::StreamEnded);
}

#[test]
fn a_shutdown_waits_for_those_who_read_and_not_for_those_who_do_not() {
    let (stage, rendition, mut source) = Stage::on_air();
    let (mut reader, sleeper) = (stage.join(&rendition), stage.join(&rendition));
    reader.pages(1);
    source.plain(100, 50_000);
    let reading = std::thread::spawn(move || (reader.rest().len(), reader));
    stage.egress.shutdown(Duration::from_secs(3));
    let (pages, reader) = reading.join().unwrap();
    assert_eq!(pages, 100);
    assert_eq!((stage.end_of(&reader), stage.end_of(&sleeper)), (End::Shutdown, End::Shutdown));
    let late = stage.join(&rendition);
    assert_eq!(stage.end_of(&late), End::Shutdown);
    assert_eq!((&late.stream).read(&mut [0]).unwrap(), 0);
}

#[test]
fn dropping_egress_ends_everybody() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let clients: Vec<_> = (0..10).map(|_| stage.join(&rendition)).collect();
    let Stage { egress, ended, .. } = stage;
    drop(egress);
    assert_eq!(ended.lock().unwrap().len(), clients.len());
}

#[test]
fn a_reactor_that_panics_ends_its_listeners_is_counted_and_goes_on() {
    let (stage, rendition, _source) = Stage::on_air();
    let mut client = stage.join(&rendition);
    client.pages(1);
    stage.panic_at_next_end();
    let victim = stage.join(&rendition);
    stage.egress.kick(victim.session.id);
    assert_eq!(stage.end_of(&client), End::Shutdown);
    let mut next = stage.join(&rendition);
    assert_eq!(next.pages(1), [('E', 0)]);
    assert_eq!(stage.egress.stats().reactors[0].failures, 1);
}

#[test]
fn no_number_is_too_large() {
    let most = Config {
        reactors: 1,
        lag: Duration::MAX,
        lag_bytes: usize::MAX,
        skips: u32::MAX,
        stall: Duration::MAX,
        unsent: u32::MAX,
        send_buffer: usize::MAX,
    };
    let (stage, rendition, mut source) = Stage::on_air_with(most);
    let mut client = stage.join_with(&rendition, |joining| {
        joining.burst = Start::Burst { time: Duration::MAX, bytes: usize::MAX };
        joining.pace = Pace::Every(Duration::MAX);
        joining.framing = Framing::Icy { metaint: usize::MAX };
    });
    source.entries(1, 100);
    assert_eq!(client.pages(2), [('E', 0), ('E', 1)]);
}
