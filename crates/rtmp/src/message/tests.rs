//! Messages as they are on the wire.

use super::*;
use crate::amf0::Value;

#[test]
fn control_messages_are_read_as_they_were_written() {
    for control in [
        Control::ChunkSize(60_000),
        Control::Acknowledgement(u32::MAX),
        Control::WindowSize(5_000_000),
        Control::PeerBandwidth(2_500_000),
        Control::User(UserControl::StreamBegin(1)),
        Control::User(UserControl::StreamEof(1)),
        Control::User(UserControl::BufferLength { stream: 1, millis: 3_000 }),
        Control::User(UserControl::PingRequest(7)),
        Control::User(UserControl::PingResponse(7)),
    ] {
        assert_eq!(Control::read(&control.message()), Some(control));
    }
}

#[test]
fn short_control_messages_are_nothing() {
    for kind in 0..30 {
        for size in 0..2 {
            let payload = Bytes::from(vec![0; size]);
            assert_eq!(Control::read(&Message { kind, stream: 0, timestamp: 0, payload }), None);
        }
    }
}

#[test]
fn a_command_in_amf3_dress_is_read_too() {
    let command = Command::new("play", 4.0, [Value::from("name"), Value::from(-2000.0)]);
    let mut message = command.message(1);
    assert_eq!(Command::read(&message), Ok(command.clone()));
    message.kind = COMMAND_AMF3;
    assert_eq!(Command::read(&message), Ok(command.clone()));
    message.payload = [&[0][..], &message.payload].concat().into();
    assert_eq!(Command::read(&message), Ok(command));
}

#[test]
fn a_command_without_name_or_number_is_refused() {
    for payload in [&b""[..], b"\x05", b"\x02\0\x01a", b"\x02\0\x01a\x05"] {
        let message =
            Message { kind: COMMAND, stream: 0, timestamp: 0, payload: Bytes::from_static(payload) };
        assert_eq!(Command::read(&message), Err(Error::Anonymous));
    }
}

#[test]
fn an_aggregate_comes_apart_at_its_own_times() {
    let tag = |kind: u8, time: u8, data: &[u8]| {
        let head = [kind, 0, 0, data.len() as u8, 0, 0, time, 0, 0, 0, 0];
        [&head[..], data, &(11 + data.len() as u32).to_be_bytes()].concat()
    };
    let payload = [tag(9, 100, b"AB"), tag(8, 123, b"C"), tag(9, 140, b"cut off")[..14].to_vec()].concat();
    let message = Message { kind: AGGREGATE, stream: 1, timestamp: 5_000, payload: payload.into() };
    let all: Vec<_> = Aggregate::new(&message).map(|m| (m.kind, m.timestamp, m.payload)).collect();
    assert_eq!(all, [(9, 5_000, Bytes::from("AB")), (8, 5_023, Bytes::from("C"))]);
}
