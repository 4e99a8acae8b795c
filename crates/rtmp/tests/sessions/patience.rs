//! Clients that are slow, silent, in a hurry, or out of order.

use crate::support::*;
use levada_media::container::flv::tag::Kind;
use levada_rtmp::{
    chunk, client,
    client::Role,
    message::{Command, Control, UserControl},
    server::{self, Closed, Output},
};
use std::time::Duration;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn closed(session: &mut server::Session) -> Option<Closed> {
    let mut record = Record::default();
    record.drain(session);
    record.closed
}

/// A server session whose client did what `fixture` says.
fn after(name: &str, bytes: usize) -> server::Session {
    let mut session = server();
    let sent = fixture(name);
    session.push(START, &sent[..sent.len().min(bytes)]);
    Record::default().drain(&mut session);
    session
}

fn greeted() -> server::Session {
    after("ffmpeg_publish.c2s", GREETING)
}

/// A session that has let ffmpeg publish and has got nothing yet.
fn publishing() -> server::Session {
    let sent = fixture("ffmpeg_publish.c2s");
    let name = b"@setDataFrame";
    let first = sent.windows(name.len()).position(|window| window == name).expect("it sends metadata");
    // before it a chunk header of twelve bytes, a marker and a length
    after("ffmpeg_publish.c2s", first - 15)
}

fn say(session: &mut server::Session, stream: u32, command: &Command) {
    let mut out = bytes::BytesMut::new();
    chunk::write(&mut out, chunk::COMMAND, chunk::DEFAULT_SIZE, &command.message(stream)).unwrap();
    session.push(START, &out);
}

#[test]
fn who_does_nothing_in_time_is_closed() {
    for mut session in [server(), greeted()] {
        assert_eq!(session.wake(seconds(1)).map(|due| due <= seconds(15)), Some(true));
        assert_eq!(session.wake(seconds(15)), None);
        assert_eq!(closed(&mut session), Some(Closed::Slow(seconds(15))));
        assert_eq!(session.poll(), None);
    }
}

#[test]
fn a_silent_publisher_is_asked_once_and_then_taken_for_dead() {
    let mut session = publishing();
    assert_eq!(session.wake(seconds(1)), Some(seconds(30)));
    assert_eq!(session.wake(seconds(30)), Some(seconds(90)));
    let Some(Output::Write(bytes)) = session.poll() else { panic!("no ping") };
    let ping = [vec![0; GREETING], bytes.to_vec()].concat();
    assert_eq!(lines(&ping), ["User(PingRequest(30000))"]);
    assert_eq!(session.wake(seconds(31)), Some(seconds(90)));
    assert_eq!(session.poll(), None);
    session.wake(seconds(90));
    assert_eq!(closed(&mut session), Some(Closed::Silent(seconds(90))));
}

#[test]
fn a_player_may_be_silent_for_ever() {
    let play = fixture("ffmpeg_play.c2s");
    // without its last command, `deleteStream`
    let mut session = after("ffmpeg_play.c2s", play.len() - 42);
    session.wake(seconds(30));
    assert!(matches!(session.poll(), Some(Output::Write(_))));
    assert_eq!(session.wake(seconds(100_000)), None);
    assert_eq!(session.poll(), None);
}

#[test]
fn a_ping_is_answered_with_its_number() {
    let mut session = greeted();
    let mut out = bytes::BytesMut::new();
    let ping = Control::User(UserControl::PingRequest(77)).message();
    chunk::write(&mut out, chunk::CONTROL, chunk::DEFAULT_SIZE, &ping).unwrap();
    session.push(START, &out);
    let Some(Output::Write(bytes)) = session.poll() else { panic!("no answer") };
    let answer = [vec![0; GREETING], bytes.to_vec()].concat();
    assert_eq!(lines(&answer), ["User(PingResponse(77))"]);
}

#[test]
fn while_a_request_waits_nothing_else_is_read_and_a_flood_ends_it() {
    let sent = fixture("ffmpeg_publish.c2s");
    let mut session = server();
    session.push(START, &sent);
    while !matches!(session.poll(), Some(Output::Event(_))) {}
    assert!(session.is_waiting());
    assert!(matches!(session.poll(), Some(Output::Write(_)) | None));
    session.wake(seconds(100));
    assert!(session.is_waiting());
    session.push(START, &[0; 64 * 1024]);
    assert_eq!(closed(&mut session), Some(Closed::Flood));
}

#[test]
fn a_stranger_cannot_make_us_hold_more_than_a_command() {
    let mut session = greeted();
    let header = |csid: u8, length: u32| {
        let [_, a, b, c] = length.to_be_bytes();
        vec![csid, 0, 0, 0, a, b, c, 9, 1, 0, 0, 0]
    };
    session.push(START, &header(4, chunk::MAX_STRANGER_MESSAGE as u32 + 1));
    let Some(Closed::Malformed(error)) = closed(&mut session) else { panic!("held") };
    assert_eq!(error.to_string(), "bad chunk: a message of 32769 bytes is longer than 32768");
    let mut session = greeted();
    for csid in 4..20 {
        session.push(START, &[header(csid, 30_000), vec![0; 128]].concat());
        for _ in 0..200 {
            session.push(START, &[&[0xc0 | csid][..], &[0; 128]].concat());
        }
    }
    assert!(matches!(closed(&mut session), Some(Closed::Malformed(_))));
}

#[test]
fn a_publisher_may_send_what_a_stranger_may_not() {
    let mut session = publishing();
    let mut out = bytes::BytesMut::new();
    let (csid, message) = levada_rtmp::tag::write(&tag(Kind::Video, 0, &[0x27; 1_000_000]), 1);
    // the publisher of the capture cuts into 4,096 bytes
    chunk::write(&mut out, csid, 4096, &message).unwrap();
    session.push(START, &out);
    let mut record = Record::default();
    record.drain(&mut session);
    assert_eq!(record.closed, None);
}

#[test]
fn commands_out_of_order_end_the_connection_with_their_name() {
    let mut session = greeted();
    say(&mut session, 1, &Command::new("publish", 1.0, ["x".into()]));
    let Some(Closed::Malformed(error)) = closed(&mut session) else { panic!("let in") };
    assert_eq!(error.to_string(), "the command \"publish\" came out of order");
}

#[test]
fn commands_of_clients_of_old_are_answered_or_ignored_but_never_fatal() {
    let mut session = greeted();
    say(&mut session, 0, &Command { name: "connect".into(), transaction: 1.0, arguments: vec![] });
    Record::default().drain(&mut session);
    for name in [
        "_checkbw",
        "seek",
        "pause",
        "receiveAudio",
        "receiveVideo",
        "setPeerInfo",
        "FCUnsubscribe",
        "_result",
        "_error",
        "onStatus",
        "closeStream",
        "deleteStream",
        "getStreamLength",
        "FCSubscribe",
        "call",
        "",
    ] {
        say(&mut session, 1, &Command::new(name, 9.0, [true.into()]));
    }
    let mut record = Record::default();
    record.drain(&mut session);
    assert_eq!(record.closed, None);
    let padded = [vec![0; GREETING], record.written].concat();
    let mut reader = chunk::Reader::new(chunk::Limits::default());
    // its chunks have their new size by now
    let mut size = bytes::BytesMut::new();
    let told = Control::ChunkSize(chunk::OUT_SIZE).message();
    chunk::write(&mut size, chunk::CONTROL, chunk::DEFAULT_SIZE, &told).unwrap();
    reader.push(&size);
    reader.push(&padded[GREETING..]);
    let names: Vec<_> =
        std::iter::from_fn(|| reader.poll().unwrap()).skip(1).map(|message| line(&message)).collect();
    assert_eq!(
        names,
        ["0:_result 9 - -", "0:_result 9 - 0", "0:_result 9 - -", "0:onFCSubscribe 0 - NetStream.Play.Start",]
    );
}

#[test]
fn a_second_stream_of_a_connection_cannot_play() {
    let mut session = greeted();
    say(&mut session, 0, &Command { name: "connect".into(), transaction: 1.0, arguments: vec![] });
    Record::default().drain(&mut session);
    say(&mut session, 2, &Command::new("play", 0.0, ["tea".into()]));
    let mut record = Record::default();
    record.drain(&mut session);
    assert!(record.requests().is_empty() && !session.is_waiting());
    assert!(!record.written.is_empty());
}

#[test]
fn a_client_waits_neither_for_a_slow_server_nor_for_a_silent_one() {
    let mut session = client("rtmp://127.0.0.1/live/tea", Role::Play);
    while session.poll().is_some() {}
    assert_eq!(session.wake(seconds(1)), Some(seconds(15)));
    session.wake(seconds(15));
    assert_eq!(session.poll(), Some(client::Output::Close(client::Closed::Slow(seconds(15)))));
    let mut session = client("rtmp://127.0.0.1/live/cap", Role::Play);
    session.push(START, &fixture("nginx_to_player.s2c"));
    while session.poll().is_some() {}
    assert_eq!(session.wake(seconds(1)), Some(seconds(30)));
    session.wake(seconds(30));
    assert_eq!(session.poll(), Some(client::Output::Close(client::Closed::Silent(seconds(30)))));
}
