//! Our client and our server, in memory.

use crate::support::*;
use levada_media::{
    Mux,
    container::flv::tag::{Kind, View},
};
use levada_rtmp::{Address, Pages, Refusal, client, client::Role, server, server::Request};

/// Two sessions and the wire between them; what a server is asked, `decide` decides.
struct Pair<F> {
    server: server::Session,
    client: client::Session,
    decide: F,
    server_events: Vec<server::Event>,
    client_events: Vec<client::Event>,
    server_closed: Option<server::Closed>,
    client_closed: Option<client::Closed>,
}

impl<F: FnMut(&mut server::Session, &Request)> Pair<F> {
    fn new(address: &str, role: Role, decide: F) -> Pair<F> {
        Pair {
            server: server(),
            client: client(address, role),
            decide,
            server_events: Vec::new(),
            client_events: Vec::new(),
            server_closed: None,
            client_closed: None,
        }
    }

    /// Carries bytes to and fro until both are silent.
    fn settle(&mut self) {
        let mut busy = true;
        while busy {
            busy = false;
            while let Some(output) = self.client.poll() {
                busy = true;
                match output {
                    client::Output::Write(bytes) => self.server.push(START, &bytes),
                    client::Output::Event(event) => self.client_events.push(event),
                    client::Output::Close(reason) => self.client_closed = Some(reason),
                }
            }
            while let Some(output) = self.server.poll() {
                busy = true;
                match output {
                    server::Output::Write(bytes) => self.client.push(START, &bytes),
                    server::Output::Event(event) => {
                        if let server::Event::Request(request) = &event {
                            (self.decide)(&mut self.server, request);
                        }
                        self.server_events.push(event);
                    }
                    server::Output::Close(reason) => self.server_closed = Some(reason),
                }
            }
        }
    }

    fn got(&self) -> Vec<levada_media::container::flv::tag::Tag> {
        let tag = |event: &client::Event| {
            if let client::Event::Tag(tag) = event { Some(tag.clone()) } else { None }
        };
        self.client_events.iter().filter_map(tag).collect()
    }
}

fn grant(session: &mut server::Session, _: &Request) {
    session.accept();
}

fn refuse_stream(refusal: Refusal) -> impl FnMut(&mut server::Session, &Request) {
    move |session, request| match request {
        Request::Connect(_) => session.accept(),
        _ => session.refuse(refusal, "because"),
    }
}

const URL: &str = "rtmp://127.0.0.1/live/tea?key=secret";

#[test]
fn what_is_published_arrives_as_it_was() {
    let mut pair = Pair::new(URL, Role::Publish, grant);
    pair.settle();
    assert_eq!(pair.client_events, [client::Event::Started]);
    assert!(pair.client.server().any_codec && pair.client.server().reconnect);
    let metadata = [&b"\x02\0\x0aonMetaData\x08\0\0\0\0"[..], b"\0\0\x09"].concat();
    let tags = [
        tag(Kind::Script, 0, &metadata),
        tag(Kind::Video, 0, b"\x90hvc1hvcC"),
        tag(Kind::Video, 0xff_ffff, &[0x91; 200_000]),
        tag(Kind::Audio, u32::MAX, &[0xaf, 1]),
        tag(Kind::Audio, 3, b""),
    ];
    for tag in &tags {
        pair.client.send(tag).unwrap();
    }
    pair.client.finish();
    pair.settle();
    let got: Vec<_> = pair
        .server_events
        .iter()
        .filter_map(|event| if let server::Event::Tag(tag) = event { Some(tag.clone()) } else { None })
        .collect();
    assert_eq!(got, tags);
    assert_eq!(pair.server_events.last(), Some(&server::Event::Unpublished));
    assert_eq!(pair.client_closed, Some(client::Closed::Ended));
    let Some(server::Event::Request(Request::Publish(publish))) = pair.server_events.get(1) else {
        panic!("no publish")
    };
    assert_eq!((publish.address.path().as_str(), publish.address.key()), ("/live/tea", Some("secret")));
}

#[test]
fn shared_pages_are_played_and_the_end_is_told() {
    let mut pages = Pages::new(View::Old);
    let sent = [
        tag(Kind::Video, 0, b"\x17\0\0\0\0avcC"),
        tag(Kind::Audio, 0, b"\xaf\0\x12\x10"),
        tag(Kind::Video, 40, &[0x17; 100_000]),
        tag(Kind::Audio, 46, b"\xaf\x01sound"),
    ];
    let mut key = sent[2].payload.to_vec();
    key[1..5].copy_from_slice(&[1, 0, 0, 0]);
    let sent = [sent[0].clone(), sent[1].clone(), tag(Kind::Video, 40, &key), sent[3].clone()];
    sent.iter().for_each(|tag| pages.tag(tag).unwrap());
    let shared: Vec<_> = std::iter::from_fn(|| pages.poll()).map(|page| page.bytes).collect();
    for _player in 0..2 {
        let mut pair = Pair::new(URL, Role::Play, grant);
        pair.settle();
        assert_eq!(pair.client_events, [client::Event::Started]);
        for bytes in &shared {
            pair.client.push(START, bytes);
        }
        pair.settle();
        let got = pair.got();
        assert_eq!(got.len(), 4);
        assert!(got.iter().zip(&sent).all(|(got, sent)| got.payload == sent.payload));
        pair.server.end("the publisher left");
        pair.settle();
        assert_eq!(pair.client_closed, Some(client::Closed::Ended));
        assert_eq!(pair.server_closed, Some(server::Closed::Ended));
    }
}

#[test]
fn a_refusal_is_understood_for_what_it_is() {
    for role in [Role::Publish, Role::Play] {
        for refusal in [Refusal::Denied, Refusal::Busy, Refusal::NotFound] {
            let mut pair = Pair::new(URL, role, refuse_stream(refusal));
            pair.settle();
            let Some(client::Closed::Refused { refusal: understood, status }) = &pair.client_closed else {
                panic!("{:?}", pair.client_closed)
            };
            assert_eq!(status.description, "because");
            let expected = match (role, refusal) {
                (Role::Publish, Refusal::NotFound) | (Role::Play, Refusal::Denied | Refusal::Busy) => {
                    Refusal::Unsuitable
                }
                (_, refusal) => refusal,
            };
            assert_eq!(*understood, expected, "{role:?}");
            assert!(matches!(pair.server_closed, Some(server::Closed::Refused(_))));
        }
    }
}

#[test]
fn a_redirection_is_told_at_every_stage() {
    let elsewhere = "rtmp://127.0.0.2/live/tea";
    for role in [Role::Publish, Role::Play] {
        for stage in 0..2 {
            let mut asked = 0;
            let mut pair = Pair::new(URL, role, move |session: &mut server::Session, _: &Request| {
                if asked == stage {
                    session.redirect(elsewhere)
                } else {
                    session.accept()
                }
                asked += 1;
            });
            pair.settle();
            assert_eq!(pair.client_closed, Some(client::Closed::Redirected(elsewhere.into())));
            assert_eq!(pair.server_closed, Some(server::Closed::Redirected));
        }
    }
}

#[test]
fn a_client_that_knows_how_is_asked_to_reconnect_and_goes_on_meanwhile() {
    let mut pair = Pair::new(URL, Role::Publish, grant);
    pair.settle();
    assert!(pair.server.reconnect(Some("rtmp://127.0.0.2/live"), "update"));
    pair.settle();
    let asked = client::Event::Reconnect {
        tc_url: Some("rtmp://127.0.0.2/live".to_owned()),
        description: "update".to_owned(),
    };
    assert_eq!(pair.client_events.last(), Some(&asked));
    pair.client.send(&tag(Kind::Audio, 0, b"\xaf\x01x")).unwrap();
    pair.settle();
    assert!(matches!(pair.server_events.last(), Some(server::Event::Tag(_))));
    let old = client::Config { enhanced: false, ..client::Config::default() };
    pair.server = server();
    pair.client = client::Session::new(URL.parse().unwrap(), Role::Publish, old, 1, START);
    pair.settle();
    assert!(!pair.server.reconnect(None, "update"));
    assert!(!pair.client.server().is_enhanced());
}

#[test]
fn a_publisher_that_must_go_is_told() {
    let mut pair = Pair::new(URL, Role::Publish, grant);
    pair.settle();
    pair.server.end("the mount is closed");
    pair.settle();
    let Some(client::Closed::Refused { status, .. }) = pair.client_closed else { panic!("not told") };
    assert_eq!(status.description, "the mount is closed");
    assert!(pair.client.send(&tag(Kind::Audio, 0, b"")).is_err());
}

#[test]
fn nothing_can_be_sent_before_the_stream_has_started() {
    let mut client = client(URL, Role::Publish);
    assert_eq!(client.send(&tag(Kind::Audio, 0, b"")), Err(client::SendError::Idle));
}

#[test]
fn received_bytes_are_acknowledged_both_ways() {
    let mut pair = Pair::new(URL, Role::Publish, grant);
    pair.settle();
    for at in 0..6 {
        pair.client.send(&tag(Kind::Video, at, &[0x27; 1_000_000])).unwrap();
        pair.settle();
    }
    let acknowledged = pair.client.stats().acknowledged;
    assert!(acknowledged >= 5_000_000, "{acknowledged}");
    assert!(u64::from(acknowledged) <= pair.server.stats().received);
    let mut pair = Pair::new(URL, Role::Play, grant);
    pair.settle();
    let page = levada_rtmp::chunk::Serialized::new(&tag(Kind::Video, 0, &[0x27; 1_000_000])).unwrap();
    for _ in 0..3 {
        pair.client.push(START, &page.bytes);
        pair.settle();
    }
    assert!(pair.server.stats().acknowledged >= 2_500_000);
}

#[test]
fn a_path_may_be_deep_and_a_stream_without_application() {
    for (url, path) in [("rtmp://h/a/b/c/d", "/a/b/c/d"), ("rtmp://h/tea", "/tea")] {
        let mut pair = Pair::new(url, Role::Play, grant);
        pair.settle();
        let Some(server::Event::Request(Request::Play(play))) = pair.server_events.get(1) else {
            panic!("no play")
        };
        assert_eq!(play.address.path(), path);
        assert_eq!(pair.client_events, [client::Event::Started]);
        assert_eq!(url.parse::<Address>().unwrap().path(), path);
    }
}
