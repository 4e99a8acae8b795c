//! OBS Studio's connection, message by message (plugins/obs-outputs/librtmp: what it sends, in which chunks).

mod script;

use crate::support::*;
use levada_media::container::flv::tag::{Kind, View};
use levada_rtmp::{
    Address, Refusal,
    amf0::Value,
    message::Command,
    server::{self, Output, Request},
};
use script::*;

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
