//! What becomes of packets on bad paths, and whether it is found out.

use super::*;
use crate::{Interface, InterfaceId, Packet, Verdict};
use etherparse::PacketBuilder;

/// The `number`th datagram of a stream, or an answer to it.
fn datagram(number: u32, answer: bool) -> Vec<u8> {
    let (from, to) = if answer { (2, 1) } else { (1, 2) };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, from], [2, 0, 0, 0, 0, to])
        .ipv4([10, 0, 0, from], [10, 0, 0, to], 64)
        .udp(5000 + u16::from(from), 5000 + u16::from(to))
        .write(&mut frame, &[&number.to_be_bytes()[..], &[0; 100][..if answer { 0 } else { 100 }]].concat())
        .unwrap();
    frame
}

/// A trace of datagrams `(number, ms, whether it is an answer)`.
fn trace(packets: &[(u32, u64, bool)]) -> Trace {
    let mut trace = Trace::default();
    for (number, at, answer) in packets {
        let frame = datagram(*number, *answer);
        trace.push(
            &Interface::ethernet("eth0"),
            &Packet::new(InterfaceId(0), Duration::from_millis(*at), &frame),
        );
    }
    trace
}

fn stream(packets: &[(u32, u64)]) -> Trace {
    trace(&packets.iter().map(|(number, at)| (*number, *at, false)).collect::<Vec<_>>())
}

fn delays(path: &Path) -> Vec<i64> {
    path.delays().map(|(_, delay)| delay / 1_000_000).collect()
}

#[test]
fn every_fate_of_a_packet_is_found_out() {
    let server = stream(&[(0, 100), (1, 110), (2, 120), (3, 130), (4, 140), (5, 150), (6, 160)]);
    // 1 is lost, 2 and 3 change places, 4 comes twice, 6 is on its way
    let client = stream(&[(0, 110), (3, 141), (2, 142), (4, 150), (4, 151), (5, 160)]);
    let path = Path::between(&server, Some(&client), Level::Packets);
    assert_eq!(path.lost, [1]);
    assert_eq!((path.late.as_slice(), path.extra.as_slice()), (&[2][..], &[4][..]));
    assert_eq!(delays(&path), [10, 11, 22, 10, 10]);
    let summary = path.summary();
    assert_eq!((summary.sent.0, summary.arrived.0, summary.lost, summary.extra), (7, 6, 1, 1));
    assert_eq!((summary.reordering.reordered, summary.reordering.extent), (1, 1));
    assert_eq!((summary.sending.p50, summary.delay.max), (10_000_000, 22_000_000));
}

#[test]
fn jitter_is_that_of_rfc_3550() {
    let server = stream(&[(0, 0), (1, 20), (2, 40), (3, 60)]);
    let client = stream(&[(0, 10), (1, 46), (2, 50), (3, 70)]);
    let jitter = Path::between(&server, Some(&client), Level::Packets).jitter();
    // |D| is 16, 16, 0 ms
    let expected = [0.0, 1.0, 1.0 + 15.0 / 16.0, (1.0 + 15.0 / 16.0) * 15.0 / 16.0];
    for ((_, jitter), expected) in jitter.iter().zip(expected) {
        assert!((jitter / 1e6 - expected).abs() < 1e-9, "{jitter} {expected}");
    }
    assert_eq!(jitter.len(), 4);
}

#[test]
fn bursts_of_loss_do_not_confuse_the_order() {
    let sent: Vec<(u32, u64)> = (0..1000).map(|n| (n, u64::from(n))).collect();
    let arrived: Vec<(u32, u64)> =
        sent.iter().filter(|(n, _)| !(100..400).contains(n)).map(|(n, at)| (*n, at + 5)).collect();
    let path = Path::between(&stream(&sent), Some(&stream(&arrived)), Level::Packets);
    assert_eq!((path.lost.len(), path.pairs.len(), path.late.len()), (300, 700, 0));
    assert!(delays(&path).iter().all(|delay| *delay == 5));
}

#[test]
fn clocks_that_differ_are_told_and_put_right_by_the_answers() {
    // the client's clock is 1000 ms behind; each way takes 20 ms
    let server = trace(&[(0, 5000, false), (0, 5045, true), (1, 5050, false)]);
    let client = trace(&[(0, 4020, false), (0, 4025, true), (1, 4080, false)]);
    let path = Path::between(&server, Some(&client), Level::Packets);
    assert_eq!((path.clocks.correction, delays(&path)), (1_000_000_000, vec![20, 30]));
}

#[test]
fn captures_given_the_other_way_round_are_turned() {
    let server = trace(&[(0, 100, false), (0, 125, true), (1, 130, false)]);
    let client = trace(&[(0, 110, false), (0, 115, true), (1, 145, false)]);
    let path = Path::between(&client, Some(&server), Level::Packets);
    assert!(path.turned);
    assert_eq!(delays(&path), [10, 15]);
}

#[test]
fn numbers_of_the_lab_are_believed_and_drops_have_their_reason() {
    let frame = datagram(0, false); // every packet is the same
    let mut sides = [Trace::default(), Trace::default()];
    for number in 0..6u64 {
        let at = Duration::from_millis(10 * number);
        let dropped = number == 2 || number == 5;
        sides[0].push(
            &Interface::ethernet("server-eth0"),
            &Packet {
                id: Some(number),
                verdict: dropped.then_some(Verdict::Dropped),
                comment: dropped.then_some("core: rate=1mbit\ndropped: queue full".into()),
                ..Packet::new(InterfaceId(0), at, &frame)
            },
        );
        if !dropped {
            let at = at + Duration::from_millis(3 + number);
            sides[1].push(
                &Interface::ethernet("client-eth0"),
                &Packet { id: Some(number), ..Packet::new(InterfaceId(1), at, &frame) },
            );
        }
    }
    let path = Path::between(&sides[0], Some(&sides[1]), Level::Packets);
    assert_eq!((path.lost.as_slice(), delays(&path)), (&[2, 5][..], vec![3, 4, 6, 7]));
    assert_eq!(sides[0].reason(&sides[0].packets()[5]), Some("dropped: queue full"));
}

#[test]
fn segments_that_a_network_card_has_cut_or_joined_find_each_other() {
    let segment = |seq: u32, length: usize, id: u64| {
        let mut frame = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(1935, 40000, seq, 1000)
            .write(&mut frame, &vec![id as u8; length])
            .unwrap();
        frame
    };
    let raw = Interface { link: crate::LinkType::RAW, ..Interface::ethernet("eth0") };
    let mut sides = [Trace::default(), Trace::default()];
    let mut see = |side: usize, at: u64, seq, length| {
        let frame = segment(seq, length, at);
        sides[side].push(&raw, &Packet::new(InterfaceId(0), Duration::from_millis(at), &frame));
    };
    see(0, 0, 1, 3000);
    see(0, 10, 3001, 500);
    see(0, 20, 3501, 500);
    see(1, 5, 1, 1500);
    see(1, 6, 1501, 1500);
    see(1, 27, 3001, 1000);
    let path = Path::between(&sides[0], Some(&sides[1]), Level::Data);
    assert_eq!((path.lost.len(), path.extra.len(), delays(&path)), (0, 0, vec![5, 6, 7]));
}

#[test]
fn one_trace_alone_has_gaps_and_nothing_lost() {
    let path = Path::between(&stream(&[(0, 0), (1, 10), (2, 30)]), None, Level::Packets);
    let summary = path.summary();
    assert_eq!((summary.sending.max, summary.lost, summary.arrived.0), (20_000_000, 0, 0));
    assert!(Path::between(&Trace::default(), None, Level::Messages).sent.is_empty());
}

#[test]
fn a_packet_dropped_on_its_way_is_one_packet_even_if_it_is_told_of_twice() {
    let frame = datagram(0, false);
    let mut side = Trace::default();
    let interface = Interface::ethernet("server-eth0");
    for (id, at, verdict) in
        [(1, 0, None), (2, 1, None), (1, 5, Some(Verdict::Dropped)), (3, 6, Some(Verdict::Dropped))]
    {
        let packet = Packet::new(InterfaceId(0), Duration::from_millis(at), &frame);
        side.push(&interface, &Packet { id: Some(id), verdict, ..packet });
    }
    let path = Path::between(&side, None, Level::Packets);
    assert_eq!(path.sent.iter().map(|event| event.dropped).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(path.sent[0].at, Duration::ZERO);
}
