//! Captures over links: what arrives, when, and the same each time.

use super::*;
use crate::report::{Captures, Choice};
use levada_capture::path::{Level, Path};

/// A hundred packets of a thousand bytes, one a millisecond.
fn input() -> Vec<u8> {
    let mut writer =
        pcap::Writer::new(Vec::new(), levada_capture::LinkType::ETHERNET, Precision::Nano, 0).unwrap();
    for number in 0..100u64 {
        let mut frame = Vec::new();
        etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(5000, if number % 10 == 0 { 53 } else { 5000 })
            .write(&mut frame, &[number as u8; 958])
            .unwrap();
        writer
            .packet(&Packet::new(
                InterfaceId(0),
                Duration::from_secs(100) + Duration::from_millis(number),
                &frame,
            ))
            .unwrap();
    }
    writer.into_inner()
}

fn over(words: &str, both: bool) -> (Vec<u8>, Counts) {
    let mut out = Vec::new();
    let link = words.parse().unwrap();
    let options = Options { link, words: words.into(), seed: 7, filter: None, both };
    let counts = run(&input()[..], &mut out, &options).unwrap();
    (out, counts)
}

fn times(file: &[u8]) -> Vec<Duration> {
    let mut reader = Reader::new();
    reader.push(file);
    let mut times = Vec::new();
    while let Some(item) = reader.poll().unwrap() {
        if let Item::Packet(packet) = item {
            times.push(packet.at);
        }
    }
    times
}

#[test]
fn packets_arrive_when_the_link_says() {
    let (out, counts) = over("rate=4mbit delay=10ms queue=1000p", false);
    assert_eq!((counts.sent, counts.delivered), (100, 100));
    // 1000 bytes take 2 ms, and they come faster than that
    let expected: Vec<Duration> =
        (0..100).map(|n| Duration::from_secs(100) + Duration::from_millis(12 + 2 * n)).collect();
    assert_eq!(times(&out), expected);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let words = "rate=6mbit delay=20ms±10ms order=free loss=10% duplicate=5% corrupt=2% queue=20p";
    assert_eq!(over(words, true), over(words, true));
    let (out, counts) = over(words, true);
    assert!(counts.lost > 0 && counts.delivered + counts.lost + counts.queue >= 100, "{counts:?}");
    assert!(times(&out).len() as u64 == counts.sent + counts.delivered);
}

#[test]
fn both_sides_make_a_report() {
    let (out, counts) = over("rate=4mbit delay=5ms queue=10p", true);
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join("both.pcapng");
    std::fs::write(&file, out).unwrap();
    let mut captures = Captures::open(&Choice { server: file, ..Choice::default() }).unwrap();
    captures.read().unwrap();
    let [server, client] = captures.traces();
    let path = Path::between(server, Some(client), Level::Packets);
    assert_eq!((path.sent.len() as u64, path.lost.len() as u64), (counts.sent, counts.queue));
    assert!(counts.queue > 20 && path.lost.iter().all(|lost| path.sent[*lost as usize].dropped));
    let delays: Vec<i64> = path.delays().map(|(_, delay)| delay).collect();
    assert_eq!(
        (delays.iter().min(), delays.iter().max().map(|max| *max <= 27_000_000)),
        (Some(&7_000_000), Some(true))
    );
}

#[test]
fn a_filter_leaves_out_and_damage_ends_it() {
    let mut out = Vec::new();
    let mut options = Options {
        link: LinkConfig::default(),
        words: String::new(),
        seed: 1,
        filter: Some("dst port 53".parse().unwrap()),
        both: false,
    };
    assert_eq!(run(&input()[..], &mut out, &options).unwrap().delivered, 10);
    options.filter = None;
    let cut = &input()[..30_000];
    let counts = run(cut, Vec::new(), &options).unwrap();
    assert_eq!((counts.sent, counts.problem.is_some()), (29, true));
    assert!(run(&b"no capture"[..], Vec::new(), &options).is_err());
}
