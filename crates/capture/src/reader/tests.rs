//! What the reader makes of good, foreign, cut and damaged captures.

use super::*;
use crate::pcap::{self, Precision};
use crate::pcapng::{About, Statistics, Writer};
use crate::{Direction, Verdict};

fn sample() -> Vec<u8> {
    let mut writer =
        Writer::new(Vec::new(), &About { comment: "seed 42".into(), ..About::default() }).unwrap();
    let speed = Some(10_000_000);
    let server = writer.interface(&Interface { speed, ..Interface::ethernet("server-eth0") }).unwrap();
    let client = writer
        .interface(&Interface { filter: Some("port 1935".into()), ..Interface::ethernet("client-eth0") });
    let client = client.unwrap();
    writer.names([("10.0.0.1".parse().unwrap(), "server")]).unwrap();
    let frame: Vec<u8> = (0..61).collect();
    let sent = Packet { id: Some(9), direction: Some(Direction::Out), ..Packet::new(server, ms(1), &frame) };
    writer.packet(&sent).unwrap();
    writer.note(ms(2), "core: rate=2mbit").unwrap();
    let missed = Packet {
        id: Some(9),
        direction: Some(Direction::In),
        missed: 3,
        ..Packet::new(client, ms(11), &frame)
    };
    writer.packet(&missed).unwrap();
    writer
        .packet(&Packet {
            verdict: Some(Verdict::Dropped),
            comment: Some("dropped: queue full".into()),
            ..Packet::new(server, ms(12), &frame)
        })
        .unwrap();
    writer.statistics(server, ms(13), &Statistics { received: 2, missed: 0, accepted: Some(2) }).unwrap();
    writer.into_inner()
}

fn ms(ms: u64) -> Duration {
    Duration::from_secs(1_700_000_000) + Duration::from_millis(ms)
}

/// Everything in a file, pushed in pieces of `piece` bytes, as text.
fn all(file: &[u8], piece: usize) -> (Vec<String>, Result<usize, Error>) {
    let (mut reader, mut seen) = (Reader::new(), Vec::new());
    for bytes in file.chunks(piece) {
        reader.push(bytes);
        loop {
            match reader.poll() {
                Ok(Some(item)) => seen.push(format!("{item:?}")),
                Ok(None) => break,
                Err(error) => return (seen, Err(error)),
            }
        }
    }
    (seen, Ok(reader.left()))
}

#[test]
fn what_was_written_is_read_again() {
    let file = sample();
    let mut reader = Reader::new();
    reader.push(&file);
    let mut packets = Vec::new();
    let mut notes = Vec::new();
    while let Some(item) = reader.poll().unwrap() {
        match item {
            Item::Packet(packet) => packets.push(Packet {
                bytes: packet.bytes.into_owned().into(),
                comment: packet.comment.map(|comment| comment.into_owned().into()),
                ..packet
            }),
            Item::Note(note) => notes.push((note.at, note.text.into_owned())),
            Item::Interface(_) => {}
        }
    }
    assert_eq!(reader.left(), 0);
    assert_eq!(reader.interfaces()[0].speed, Some(10_000_000));
    assert_eq!(reader.interfaces()[1].filter.as_deref(), Some("port 1935"));
    assert_eq!(notes, [(ms(2), "core: rate=2mbit".to_string())]);
    assert_eq!(
        packets.iter().map(|p| (p.at, p.id, p.missed)).collect::<Vec<_>>(),
        [(ms(1), Some(9), 0), (ms(11), Some(9), 3), (ms(12), None, 0)]
    );
    assert_eq!(packets[0].bytes.as_ref(), (0..61).collect::<Vec<u8>>());
    assert_eq!(packets[0].direction, Some(Direction::Out));
    assert_eq!(packets[1].comment.as_deref(), Some("core: rate=2mbit (at 1700000000.002000000)"));
    assert_eq!(packets[2].verdict, Some(Verdict::Dropped));
    assert_eq!(packets[2].comment.as_deref(), Some("dropped: queue full"));
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let file = sample();
    let whole = all(&file, file.len());
    for piece in [1, 3, 7, 64, 100] {
        assert_eq!(all(&file, piece), whole, "{piece}");
    }
}

#[test]
fn a_capture_that_was_cut_is_read_as_far_as_it_goes() {
    let file = sample();
    let (whole, _) = all(&file, file.len());
    let mut most = 0;
    for end in 0..file.len() {
        let (seen, left) = all(&file[..end], end.max(1));
        assert!(left.is_ok(), "{end}: {left:?}");
        assert_eq!(seen, whole[..seen.len()]);
        assert!(seen.len() >= most);
        most = seen.len();
    }
}

#[test]
fn both_byte_orders_and_precisions_of_classic_captures_are_read() {
    for nano in [false, true] {
        for big_endian in [false, true] {
            let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
            let mut file = Vec::new();
            for value in [if nano { NANO } else { MICRO }, 0, 0, 0, 96, 101, 5, 123_456, 3, 1500] {
                file.extend_from_slice(&word(value));
            }
            file.extend_from_slice(b"abc");
            let mut reader = Reader::new();
            reader.push(&file);
            assert_eq!(reader.poll(), Ok(Some(Item::Interface(InterfaceId(0)))));
            let Some(Item::Packet(packet)) = reader.poll().unwrap() else { panic!("no packet") };
            let fraction = if nano { 123_456 } else { 123_456_000 };
            assert_eq!((packet.at, packet.length), (Duration::new(5, fraction), 1500));
            assert_eq!(packet.bytes.as_ref(), b"abc");
            assert_eq!(reader.interfaces()[0].link, LinkType::RAW);
        }
    }
}

#[test]
fn blocks_of_the_other_byte_order_with_other_clocks_are_read() {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u32]| {
        let length = 12 + 4 * body.len() as u32;
        for word in [kind, length].iter().chain(body).chain([&length]) {
            file.extend_from_slice(&word.to_be_bytes());
        }
    };
    block(0x0a0d_0d0a, &[0x1a2b_3c4d, 0x0001_0000, u32::MAX, u32::MAX]);
    // Linux cooked; 2^-10 s; 100 s later
    block(1, &[0x0071_0000, 0, 0x0009_0001, 0x8a00_0000, 0x000e_0008, 0, 100, 0]);
    block(6, &[0, 0, 2048 + 512, 4, 9, 0x6162_6364, 0x0001_0002, 0x6869_0000, 0]);
    block(4711, &[1, 2, 3]);
    let mut reader = Reader::new();
    reader.push(&file);
    assert_eq!(reader.poll(), Ok(Some(Item::Interface(InterfaceId(0)))));
    let Ok(Some(Item::Packet(packet))) = reader.poll() else { panic!("no packet") };
    assert_eq!((packet.at, packet.length), (Duration::from_millis(102_500), 9));
    assert_eq!((packet.bytes.as_ref(), packet.comment.as_deref()), (&b"abcd"[..], Some("hi")));
    assert_eq!(reader.poll(), Ok(None));
    assert_eq!((reader.interfaces()[0].link, reader.left()), (LinkType::LINUX_SLL, 0));
}

#[test]
fn damage_is_told_with_its_place() {
    let mut file = sample();
    let (whole, _) = all(&file, 4096);
    let last = file.len() - 1;
    file[last] ^= 0xff;
    let (seen, error) = all(&file, 4096);
    assert_eq!(seen, whole);
    assert!(matches!(error, Err(Error::Damaged { offset, .. }) if offset > 400), "{error:?}");
    assert_eq!(all(b"hello, world", 5).1, Err(Error::Unknown("")));
    assert_eq!(
        all(&[0x1f, 0x8b, 8, 0], 4).1.unwrap_err().to_string(),
        "this is neither pcap nor pcapng but gzip: unpack it first"
    );
}

#[test]
fn classic_writing_keeps_what_it_has_a_place_for() {
    for (precision, at) in
        [(Precision::Nano, Duration::new(3, 7)), (Precision::Micro, Duration::from_secs(3))]
    {
        let mut writer = pcap::Writer::new(Vec::new(), LinkType::ETHERNET, precision, 40).unwrap();
        writer.packet(&Packet::new(InterfaceId(5), Duration::new(3, 7), &[1; 60])).unwrap();
        let mut reader = Reader::new();
        reader.push(&writer.into_inner());
        assert_eq!(reader.poll(), Ok(Some(Item::Interface(InterfaceId(0)))));
        let Ok(Some(Item::Packet(packet))) = reader.poll() else { panic!("no packet") };
        assert_eq!((packet.at, packet.bytes.len(), packet.length), (at, 40, 60));
    }
}
