//! Chunks as peers send them: shorthands, variants, limits, and any interleaving split anywhere.

use super::*;
use crate::message::{self, Message};
use bytes::{Bytes, BytesMut};
use levada_media::container::flv::tag::{Kind, Tag};
use proptest::prelude::*;
use std::collections::HashMap;

fn message(kind: u8, timestamp: u32, payload: &[u8]) -> Message {
    Message { kind, stream: 1, timestamp, payload: Bytes::copy_from_slice(payload) }
}

fn set_size(size: u32) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &size.to_be_bytes()].concat()
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let mut reader = Reader::new(Limits::default());
    reader.push(bytes);
    read_on(&mut reader)
}

fn read_on(reader: &mut Reader) -> Result<Vec<Message>, Error> {
    let mut all = Vec::new();
    while let Some(message) = reader.poll()? {
        all.push(message);
    }
    Ok(all)
}

#[test]
fn format_3_begins_a_new_message_with_everything_inherited() {
    // rtmpdump: buffer length on chunk stream 2, first in full, later as one byte of header
    let bytes = b"\x02\0\0\x05\0\0\x02\x04\0\0\0\0AB\xc2CD\x42\0\0\x07\0\0\x01\x04E\xc2F";
    let times: Vec<_> = read(bytes).unwrap().iter().map(|m| (m.timestamp, m.payload.clone())).collect();
    let expected = [(5, "AB"), (10, "CD"), (17, "E"), (24, "F")].map(|(at, text)| (at, Bytes::from(text)));
    assert_eq!(times, expected);
}

#[test]
fn chunk_streams_have_one_two_and_three_byte_forms() {
    for csid in [2, 63, 64, 319, 320, 65_599] {
        let mut out = BytesMut::new();
        write(&mut out, csid, 128, &message(9, 7, &[1; 300])).unwrap();
        let basic = if csid < 64 { 1 } else { 2 + usize::from(csid > 319) };
        assert_eq!(out.len(), 300 + 11 + 3 * basic, "{csid}");
        assert_eq!(read(&out).unwrap(), [message(9, 7, &[1; 300])], "{csid}");
    }
}

#[test]
fn an_extended_time_is_repeated_in_every_chunk_or_in_none() {
    let time = 0x0123_4567_u32.to_be_bytes();
    let payload: Vec<u8> = (0..200).collect();
    let head = b"\x04\xff\xff\xff\0\0\xc8\x09\x01\0\0\0";
    let repeated = [&head[..], &time, &payload[..128], b"\xc4", &time, &payload[128..]].concat();
    let once = [&head[..], &time, &payload[..128], b"\xc4", &payload[128..]].concat();
    for bytes in [repeated, once] {
        assert_eq!(read(&bytes).unwrap(), [message(9, 0x0123_4567, &payload)]);
    }
}

#[test]
fn a_short_last_chunk_without_repeated_time_is_not_waited_for() {
    let time = 0x0123_4567_u32.to_be_bytes();
    let bytes = [b"\x04\xff\xff\xff\0\0\x81\x09\x01\0\0\0", &time[..], &[7; 128], b"\xc4", &[9][..]].concat();
    assert_eq!(read(&bytes).unwrap().len(), 1);
}

#[test]
fn full_headers_amid_a_message_are_continuations_if_they_repeat_it() {
    let head = b"\x04\0\0\x05\0\0\xc8\x09\x01\0\0\0";
    let twice = [&head[..], &[1; 128], &head[..], &[1; 72]].concat();
    assert_eq!(read(&twice).unwrap(), [message(9, 5, &[1; 200])]);
    let other = [&head[..], &[1; 128], b"\x04\0\0\x05\0\0\xc9\x09\x01\0\0\0", &[1; 73]].concat();
    assert_eq!(read(&other), Err(Error::Interrupted(4)));
}

#[test]
fn the_size_of_chunks_changes_at_once_and_only_where_it_was_told() {
    let mut bytes = set_size(10_000);
    let big = message(9, 0, &[3; 5_000]);
    let mut out = BytesMut::new();
    write(&mut out, 6, 10_000, &big).unwrap();
    assert_eq!(out.len(), 5_012);
    bytes.extend_from_slice(&out);
    assert_eq!(read(&bytes).unwrap()[1], big);
    for bad in [0, 0x8000_0000, u32::MAX] {
        assert_eq!(read(&set_size(bad)), Err(Error::Size(bad)));
    }
}

#[test]
fn an_abort_drops_the_unfinished_message_and_its_bytes() {
    let mut reader = Reader::new(Limits::default());
    reader.push(&[b"\x04\0\0\0\0\0\xc8\x09\x01\0\0\0", &[1; 128][..]].concat());
    assert_eq!(reader.poll(), Ok(None));
    assert_eq!(reader.partial(), 128);
    reader.push(b"\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x04");
    assert_eq!(reader.poll().unwrap().map(|m| m.kind), Some(message::ABORT));
    assert_eq!(reader.partial(), 0);
    reader.push(b"\x04\0\0\0\0\0\x01\x08\x01\0\0\0X");
    assert_eq!(reader.poll(), Ok(Some(message(8, 0, b"X"))));
}

#[test]
fn a_header_without_a_beginning_is_refused_except_format_1() {
    assert_eq!(read(b"\xc4"), Err(Error::NoBeginning(4)));
    assert_eq!(read(b"\x84\0\0\0"), Err(Error::NoBeginning(4)));
    assert_eq!(read(b"\x42\0\0\x01\0\0\x01\x04X").unwrap()[0].timestamp, 1);
}

#[test]
fn messages_and_chunk_streams_and_unfinished_bytes_are_limited() {
    let limits = Limits { message: 1_000, partial: 300, streams: 3 };
    let head = |csid: u8, length: u16| {
        let [high, low] = length.to_be_bytes();
        vec![csid, 0, 0, 0, 0, high, low, 9, 1, 0, 0, 0]
    };
    let read = |bytes: &[u8]| {
        let mut reader = Reader::new(limits);
        reader.push(bytes);
        (read_on(&mut reader).map(|all| all.len()), reader.partial())
    };
    assert_eq!(read(&head(4, 1_001)).0, Err(Error::TooLong { length: 1_001, limit: 1_000 }));
    let half = |csid| [head(csid, 1_000), vec![0; 128]].concat();
    let (result, held) = read(&[half(4), half(5), half(6)].concat());
    assert_eq!(result, Err(Error::Partial(300)));
    assert!(held <= 300);
    let (result, _) = read(&[head(4, 0), head(5, 0), head(6, 0), head(7, 0)].concat());
    assert_eq!(result, Err(Error::Streams(3)));
}

#[test]
fn announcing_sixteen_megabytes_reserves_next_to_nothing() {
    let mut reader = Reader::new(Limits { message: 0xff_ffff, ..Limits::default() });
    for csid in 3..60 {
        reader.push(&[csid, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 1]);
        assert_eq!(reader.poll(), Ok(None));
        reader.push(&[0; 127]);
        assert_eq!(reader.poll(), Ok(None));
    }
    assert_eq!(reader.partial(), 57 * 128);
    assert_eq!(reader.unread(), 0);
}

#[test]
fn one_serialisation_is_good_for_every_player_at_every_boundary() {
    let tags: Vec<_> = [10, 70_000, 200_000]
        .into_iter()
        .zip([0, 0xff_ffff, u32::MAX])
        .map(|(size, timestamp)| Tag { kind: Kind::Video, timestamp, payload: vec![7; size].into() })
        .collect();
    let pages: Vec<_> = tags.iter().map(|tag| Serialized::new(tag).unwrap().bytes).collect();
    for order in [[0, 1, 2], [2, 0, 1], [1, 1, 1]] {
        let mut reader = Reader::new(Limits::default());
        reader.push(&set_size(OUT_SIZE));
        order.iter().for_each(|at| reader.push(&pages[*at]));
        let got: Vec<_> = read_on(&mut reader).unwrap()[1..].to_vec();
        let times: Vec<_> = got.iter().map(|m| (m.timestamp, m.payload.len())).collect();
        assert_eq!(times, order.map(|at| (tags[at].timestamp, tags[at].payload.len())));
    }
}

/// A chunk, and the message that it ends.
type Chunk = (Vec<u8>, Option<Message>);

/// Sends messages with as short a header as `prefer` allows, as encoders do.
#[derive(Default)]
struct Sender {
    lanes: HashMap<u32, Sent>,
}

#[derive(Clone)]
struct Sent {
    message: Message,
    delta: u32,
}

impl Sender {
    fn chunks(&mut self, csid: u32, message: &Message, size: usize, prefer: u8) -> Vec<Vec<u8>> {
        let last = self.lanes.get(&csid);
        let step = last.map_or(0, |last| message.timestamp.wrapping_sub(last.message.timestamp));
        let format = match last {
            Some(last) if last.message.stream == message.stream => {
                let same =
                    last.message.payload.len() == message.payload.len() && last.message.kind == message.kind;
                if same && last.delta == step { 3 } else { 1 + u8::from(same) }
            }
            _ => 0,
        };
        let format = format.min(prefer);
        let time = if format == 0 { message.timestamp } else { step };
        self.lanes.insert(csid, Sent { message: message.clone(), delta: time });
        let extended: &[u8] = if time >= 0xff_ffff { &time.to_be_bytes() } else { &[] };
        let fields = header::Fields {
            time: time.min(0xff_ffff),
            length: message.payload.len(),
            kind: message.kind,
            stream: message.stream,
        };
        let pieces = message.payload.chunks(size);
        let pieces: Vec<_> = if message.payload.is_empty() { vec![&[][..]] } else { pieces.collect() };
        let chunk = |(index, piece): (usize, &&[u8])| {
            let format = if index == 0 { format } else { 3 };
            let (basic, basic_size) = header::Basic::write(format, csid);
            let rest = &fields.write()[..header::Fields::size(format)];
            [&basic[..basic_size], rest, extended, piece].concat()
        };
        pieces.iter().enumerate().map(chunk).collect()
    }
}

fn any_message() -> impl Strategy<Value = (u32, Message, u8)> {
    let csid = prop_oneof![3u32..8, 62u32..66, 318u32..322];
    let time = prop_oneof![0u32..100, 0xff_fff0u32..0x100_0010, u32::MAX - 20..=u32::MAX, any::<u32>()];
    let payload = prop_oneof![3 => 0usize..10, 2 => 100usize..400, 1 => Just(1000usize)];
    (csid, time, payload, 8u8..10, 0u32..2, 0u8..4, any::<u8>()).prop_map(
        |(csid, timestamp, size, kind, stream, prefer, fill)| {
            (csid, Message { kind, stream, timestamp, payload: vec![fill; size].into() }, prefer)
        },
    )
}

proptest! {
    #[test]
    fn whatever_a_sender_abbreviates_and_interleaves_is_read_again(
        messages in prop::collection::vec(any_message(), 1..20),
        size in 1u32..500,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 64),
        splits in prop::collection::vec(1usize..90, 1..20),
    ) {
        let mut sender = Sender::default();
        let mut lanes: Vec<(u32, Vec<Chunk>)> = Vec::new();
        for (csid, message, prefer) in &messages {
            let mut chunks: Vec<_> = sender
                .chunks(*csid, message, size as usize, *prefer)
                .into_iter()
                .map(|chunk| (chunk, None))
                .collect();
            chunks.last_mut().unwrap().1 = Some(message.clone());
            match lanes.iter_mut().find(|(known, _)| known == csid) {
                Some((_, lane)) => lane.extend(chunks),
                None => lanes.push((*csid, chunks)),
            }
        }
        let (mut wire, mut expected) = (set_size(size), Vec::new());
        let mut pick = picks.iter().cycle();
        while !lanes.is_empty() {
            let at = pick.next().unwrap().index(lanes.len());
            let (chunk, done) = lanes[at].1.remove(0);
            wire.extend(chunk);
            expected.extend(done);
            lanes.retain(|(_, lane)| !lane.is_empty());
        }
        let mut reader = Reader::new(Limits::default());
        let (mut rest, mut got) = (&wire[..], Vec::new());
        for split in splits.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*split));
            reader.push(now);
            got.extend(read_on(&mut reader).unwrap());
            rest = later;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(&got[1..], &expected[..]);
        prop_assert_eq!((reader.partial(), reader.unread()), (0, 0));
    }

    #[test]
    fn what_we_write_is_read_again(message in any_message(), size in 1u32..100_000) {
        let (csid, message, _) = message;
        let mut out = BytesMut::from(&set_size(size)[..]);
        write(&mut out, csid, size, &message).unwrap();
        prop_assert_eq!(&read(&out).unwrap()[1..], &[message]);
    }

    #[test]
    fn any_bytes_are_read_within_the_limits(bytes: Vec<u8>) {
        let limits = Limits { message: 500, partial: 600, streams: 4 };
        let mut reader = Reader::new(limits);
        for piece in bytes.chunks(7) {
            reader.push(piece);
            while let Ok(Some(message)) = reader.poll() {
                prop_assert!(message.payload.len() <= 500);
            }
            prop_assert!(reader.partial() <= 600);
        }
    }
}
