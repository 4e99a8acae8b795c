//! Segments lost, doubled, late and cut, and what can be read of them.

use super::*;

fn segment(seq: u32) -> Tcp {
    Tcp { seq, ack: 0, syn: false, fin: false, rst: false, acks: true }
}

/// What a stream gives for segments of (sequence number, payload), gaps as their length in brackets.
fn read(stream: &mut Stream, segments: &[(u32, &str)]) -> String {
    let mut text = String::new();
    for (seq, payload) in segments {
        stream.push(&segment(*seq), payload.as_bytes(), payload.len() as u32, |piece| show(&mut text, piece));
    }
    text
}

fn show(text: &mut String, piece: Piece<'_>) {
    match piece {
        Piece::Bytes(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
        Piece::Gap(gap) => text.push_str(&format!("[{gap}]")),
    }
}

fn begun(seq: u32) -> Stream {
    let mut stream = Stream::default();
    stream.push(&Tcp { syn: true, ..segment(seq) }, &[], 0, |_| {});
    stream
}

#[test]
fn segments_come_out_in_order_and_once() {
    let mut stream = begun(99);
    let text =
        read(&mut stream, &[(100, "one "), (108, "three"), (104, "two "), (100, "one "), (104, "two three")]);
    assert_eq!(text, "one two three");
    assert!(stream.is_complete());
    assert_eq!(stream.counts(), Counts { segments: 5, again: 2, early: 1, gaps: 0 });
}

#[test]
fn sequence_numbers_wrap() {
    let mut stream = begun(u32::MAX - 2);
    assert_eq!(read(&mut stream, &[(u32::MAX - 1, "abcd"), (6, "ij"), (0, "cdefgh")]), "abcdefghij");
}

#[test]
fn what_was_acknowledged_and_never_seen_is_a_gap() {
    let mut stream = begun(0);
    let mut text = read(&mut stream, &[(1, "ab"), (6, "fg")]);
    stream.acknowledged(8, |piece| show(&mut text, piece));
    text += &read(&mut stream, &[(8, "hi")]);
    assert_eq!(text, "ab[3]fghi");
    assert_eq!(stream.counts().gaps, 3);
}

#[test]
fn a_hole_is_given_up_when_too_much_waits_behind_it() {
    let mut stream = begun(0);
    let big = "x".repeat(65_536);
    let mut gaps = 0;
    for number in 0..70u32 {
        let seq = 10 + number * 65_536;
        stream.push(&segment(seq), big.as_bytes(), 65_536, |piece| {
            gaps += u64::from(matches!(piece, Piece::Gap(9)));
        });
    }
    assert_eq!((gaps, stream.offset()), (1, 9 + 70 * 65_536));
}

#[test]
fn what_was_cut_off_by_the_capture_is_a_gap() {
    let mut stream = begun(0);
    let mut text = String::new();
    stream.push(&segment(1), b"abc", 10, |piece| show(&mut text, piece));
    text += &read(&mut stream, &[(11, "de")]);
    assert_eq!(text, "abc[7]de");
}

#[test]
fn a_stream_joined_midway_begins_with_what_is_seen_first() {
    let mut stream = Stream::default();
    assert_eq!(read(&mut stream, &[(1000, "ab"), (990, "old"), (1002, "c")]), "abc");
    assert!(!stream.is_complete());
}

#[test]
fn the_next_connection_on_the_same_ports_begins_anew() {
    let mut stream = begun(0);
    assert_eq!(read(&mut stream, &[(1, "first")]), "first");
    stream.push(&Tcp { syn: true, ..segment(500) }, &[], 0, |_| {});
    assert_eq!(read(&mut stream, &[(501, "second")]), "second");
}
