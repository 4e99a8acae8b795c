//! OBS Studio's connection, message by message (plugins/obs-outputs/librtmp: what it sends, in which chunks).

use crate::support::*;
use bytes::{BufMut, BytesMut};
use levada_media::container::flv::tag::{Kind, View};
use levada_rtmp::{
    Address, Refusal,
    amf0::{self, Value},
    message::Command,
    server::{self, Output, Request},
};

/// A chunk header as librtmp writes it: full (`LARGE`) or without the stream (`MEDIUM`), then the payload in chunks.
fn packet(out: &mut BytesMut, csid: u8, medium: bool, kind: u8, stream: u32, payload: &[u8], size: usize) {
    out.put_u8(u8::from(medium) << 6 | csid);
    out.put_slice(&[0, 0, 0]);
    out.put_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.put_u8(kind);
    if !medium {
        out.put_u32_le(stream);
    }
    for (index, piece) in payload.chunks(size).enumerate() {
        if index > 0 {
            out.put_u8(0xc0 | csid);
        }
        out.put_slice(piece);
    }
}

fn values(all: &[Value]) -> Vec<u8> {
    let mut out = BytesMut::new();
    all.iter().for_each(|value| amf0::write(&mut out, value));
    out.to_vec()
}

fn call(name: &str, number: f64, arguments: &[Value]) -> Vec<u8> {
    [values(&[name.into(), number.into()]), values(arguments)].concat()
}

/// C0 C1 with zeros for a version: the simple greeting. OBS sends its echo together with what follows.
fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend([0; 8]);
    bytes.extend((0..1528u32).map(|n| (n * 7) as u8));
    bytes
}

fn connect(server: &str, app: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    // the size of its chunks comes before everything else
    packet(&mut out, 2, false, 1, 0, &4096u32.to_be_bytes(), 128);
    let properties = Value::object([
        ("app", app.into()),
        ("type", "nonprivate".into()),
        ("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)".into()),
        ("swfUrl", server.into()),
        ("tcUrl", server.into()),
    ]);
    packet(&mut out, 3, false, 20, 0, &call("connect", 1.0, &[properties]), 4096);
    out.to_vec()
}

fn create(key: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    packet(&mut out, 3, true, 20, 0, &call("releaseStream", 2.0, &[Value::Null, key.into()]), 4096);
    packet(&mut out, 3, true, 20, 0, &call("FCPublish", 3.0, &[Value::Null, key.into()]), 4096);
    packet(&mut out, 3, true, 20, 0, &call("createStream", 4.0, &[Value::Null]), 4096);
    out.to_vec()
}

fn publish(key: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    packet(&mut out, 4, false, 20, 1, &call("publish", 5.0, &[Value::Null, key.into(), "live".into()]), 4096);
    out.to_vec()
}

fn media() -> Vec<u8> {
    let mut out = BytesMut::new();
    let metadata = Value::Map(vec![
        ("duration".to_owned(), 0.0.into()),
        ("width".to_owned(), 1280.0.into()),
        ("videocodecid".to_owned(), 7.0.into()),
        ("audiocodecid".to_owned(), 10.0.into()),
        ("encoder".to_owned(), "obs-output module".into()),
    ]);
    let metadata = values(&["@setDataFrame".into(), "onMetaData".into(), metadata]);
    packet(&mut out, 4, false, 18, 1, &metadata, 4096);
    packet(&mut out, 4, true, 8, 1, &[0xaf, 0, 0x11, 0x90], 4096);
    packet(&mut out, 4, true, 9, 1, b"\x17\0\0\0\0avcC", 4096);
    packet(&mut out, 4, true, 9, 1, &[&b"\x17\x01\0\0\0"[..], &[5; 10_000]].concat(), 4096);
    out.to_vec()
}

fn address_of(server: &str, app: &str, key: &str) -> Address {
    let record =
        Record::of([&greeting()[..], &[0; 1536], &connect(server, app), &create(key), &publish(key)]);
    let Request::Publish(publish) = record.requests()[1] else { panic!("no publish") };
    publish.address.clone()
}

#[test]
fn obs_publishes_with_its_echo_and_connect_in_one_write() {
    let (mut session, mut record) = (server(), Record::default());
    let together = [vec![0; 1536], connect("rtmp://localhost/live", "live")].concat();
    let steps = [greeting(), together, create("tea"), publish("tea"), media()];
    let mut writes = Vec::new();
    for step in &steps {
        session.push(START, step);
        let before = record.written.len();
        record.drain(&mut session);
        writes.push(record.written.len() - before);
    }
    // S0 S1 S2 at once; every burst of answers at once; nothing to say to media
    assert_eq!(writes[0], GREETING);
    assert!(writes[1..4].iter().all(|size| *size > 0));
    assert_eq!(writes[4], 0);
    let Request::Connect(client) = record.requests()[0] else { panic!("no connect") };
    assert_eq!(
        (client.flash_version.as_str(), client.capabilities.view()),
        ("FMLE/3.0 (compatible; FMSc/1.0)", View::Old)
    );
    let kinds: Vec<_> = record.tags().iter().map(|tag| tag.kind).collect();
    assert_eq!(kinds, [Kind::Script, Kind::Audio, Kind::Video, Kind::Video]);
    assert_eq!(record.tags()[3].payload.len(), 10_005);
}

#[test]
fn obs_may_write_the_key_wherever_its_two_fields_allow() {
    let address = address_of("rtmp://localhost/live", "live", "tea?key=secret");
    assert_eq!((address.path().as_str(), address.key()), ("/live/tea", Some("secret")));
    let address = address_of("rtmp://localhost/live?key=secret", "live?key=secret", "tea");
    assert_eq!((address.path().as_str(), address.key()), ("/live/tea", Some("secret")));
    let address = address_of("rtmp://localhost/live/tea", "live/tea", "secret");
    assert_eq!(address.last_part_as_key(), Some(("/live/tea".to_owned(), "secret")));
}

#[test]
fn obs_is_refused_in_words_that_make_it_stop() {
    for (refusal, code) in [
        (Refusal::Denied, "NetStream.Publish.Denied"),
        (Refusal::Busy, "NetStream.Publish.BadName"),
        (Refusal::NotFound, "NetStream.Publish.Rejected"),
    ] {
        let mut session = server();
        for step in [&greeting()[..], &[0; 1536], &connect("rtmp://localhost/live", "live"), &create("tea")] {
            session.push(START, step);
            Record::default().drain(&mut session);
        }
        session.push(START, &publish("tea"));
        assert!(matches!(session.poll(), Some(Output::Event(server::Event::Request(_)))));
        session.refuse(refusal, "no");
        let Some(Output::Write(bytes)) = session.poll() else { panic!("no answer") };
        let padded = [vec![0; GREETING], bytes.to_vec()].concat();
        let messages = messages(&padded);
        let command = Command::read(&messages[0]).unwrap();
        let information = command.argument(0).unwrap();
        assert_eq!((command.name.as_str(), messages[0].stream), ("onStatus", 1));
        assert_eq!(information.get("level").and_then(Value::as_str), Some("error"));
        assert_eq!(information.get("code").and_then(Value::as_str), Some(code));
        assert!(matches!(session.poll(), Some(Output::Close(server::Closed::Refused(_)))));
        assert_eq!(session.poll(), None);
    }
}
