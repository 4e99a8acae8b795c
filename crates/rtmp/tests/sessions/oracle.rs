//! The same things said and understood by `rml_rtmp`, which other people wrote.

use crate::support::*;
use bytes::{Bytes, BytesMut};
use levada_media::container::flv::tag::Kind;
use levada_rtmp::{
    amf0::{self, Value},
    chunk, client,
    client::Role,
    message::Message,
    server::{self, Request},
};
use proptest::prelude::*;
use rml_amf0::Amf0Value;
use rml_rtmp::{
    chunk_io::{ChunkDeserializer, ChunkSerializer},
    handshake::{Handshake, HandshakeProcessResult, PeerType},
    messages::MessagePayload,
    sessions::{
        ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType,
        ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult,
    },
    time::RtmpTimestamp,
};

fn any_message() -> impl Strategy<Value = Message> {
    let time = prop_oneof![0u32..200, 0xff_ff00u32..0x100_0100, any::<u32>()];
    // they write nothing at all for an empty message
    let size = prop_oneof![1usize..300, Just(5_000usize)];
    (time, size, 8u8..10, any::<u8>()).prop_map(|(timestamp, size, kind, fill)| {
        let payload = (0..size).map(|n| fill.wrapping_add(n as u8)).collect::<Vec<_>>().into();
        Message { kind, stream: 1, timestamp, payload }
    })
}

fn theirs(message: &Message) -> MessagePayload {
    MessagePayload {
        timestamp: RtmpTimestamp::new(message.timestamp),
        type_id: message.kind,
        message_stream_id: message.stream,
        data: message.payload.clone(),
    }
}

proptest! {
    #[test]
    fn they_read_our_chunks(messages in prop::collection::vec(any_message(), 1..12), size in 128u32..70_000) {
        let mut reader = ChunkDeserializer::new();
        reader.set_max_chunk_size(size as usize).unwrap();
        for message in &messages {
            let mut out = BytesMut::new();
            chunk::write(&mut out, chunk::VIDEO, size, message).unwrap();
            prop_assert_eq!(reader.get_next_message(&out).unwrap(), Some(theirs(message)));
        }
    }

    #[test]
    fn we_read_their_chunks(messages in prop::collection::vec(any_message(), 1..12), size in 128u32..70_000) {
        let mut writer = ChunkSerializer::new();
        let mut reader = chunk::Reader::new(chunk::Limits::default());
        reader.push(&writer.set_max_chunk_size(size, RtmpTimestamp::new(0)).unwrap().bytes);
        prop_assert!(reader.poll().unwrap().is_some());
        for message in &messages {
            reader.push(&writer.serialize(&theirs(message), false, false).unwrap().bytes);
            let read = reader.poll().unwrap();
            prop_assert_eq!(read.as_ref(), Some(message));
        }
    }

    #[test]
    fn values_mean_the_same_to_both(value in any_value()) {
        let mut out = BytesMut::new();
        amf0::write(&mut out, &value);
        let back = rml_amf0::deserialize(&mut &out[..]).unwrap();
        prop_assert_eq!(&back, &vec![as_theirs(&value)]);
        let again = rml_amf0::serialize(&back).unwrap();
        let ours = amf0::read_all(&Bytes::from(again)).unwrap();
        prop_assert_eq!(ours.iter().map(as_theirs).collect::<Vec<_>>(), back);
    }
}

/// What both know.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|number| Value::Number(f64::from(number) / 3.0)),
        any::<bool>().prop_map(Value::Boolean),
        "[ -~]{0,40}".prop_map(Value::String),
        prop_oneof![Just(Value::Null), Just(Value::Undefined)],
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let fields = prop::collection::btree_map("[a-z]{1,6}", inner.clone(), 0..5);
        let fields = fields.prop_map(|fields| fields.into_iter().collect::<Vec<_>>());
        prop_oneof![
            fields.clone().prop_map(Value::Object),
            fields.prop_map(Value::Map),
            prop::collection::vec(inner, 0..5).prop_map(Value::Array),
        ]
    })
}

fn as_theirs(value: &Value) -> Amf0Value {
    match value {
        Value::Number(number) => Amf0Value::Number(*number),
        Value::Boolean(yes) => Amf0Value::Boolean(*yes),
        Value::String(text) => Amf0Value::Utf8String(text.clone()),
        Value::Object(fields) | Value::Map(fields) => {
            Amf0Value::Object(fields.iter().map(|(name, value)| (name.clone(), as_theirs(value))).collect())
        }
        Value::Array(values) => Amf0Value::StrictArray(values.iter().map(as_theirs).collect()),
        Value::Null => Amf0Value::Null,
        _ => Amf0Value::Undefined,
    }
}

/// What they want to say next, and what is left of what we said.
fn greet(handshake: &mut Handshake, bytes: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    match handshake.process_bytes(bytes).unwrap() {
        HandshakeProcessResult::InProgress { response_bytes } => (response_bytes, None),
        HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
            (response_bytes, Some(remaining_bytes))
        }
    }
}

/// Their client at our server.
struct TheirClient {
    session: ClientSession,
    ours: server::Session,
    record: Record,
    events: Vec<ClientSessionEvent>,
}

impl TheirClient {
    fn connect() -> TheirClient {
        let mut handshake = Handshake::new(PeerType::Client);
        let (mut ours, mut record) = (server(), Record::default());
        let mut said = handshake.generate_outbound_p0_and_p1().unwrap();
        loop {
            ours.push(START, &said);
            let before = record.written.len();
            record.drain(&mut ours);
            let (next, done) = greet(&mut handshake, &record.written[before..]);
            said = next;
            if done.is_some() {
                ours.push(START, &said);
                break;
            }
        }
        let (session, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut them = TheirClient { session, ours, record, events: Vec::new() };
        them.settle(results);
        let connect = them.session.request_connection("live".to_owned()).unwrap();
        them.settle(vec![connect]);
        them
    }

    fn settle(&mut self, mut results: Vec<ClientSessionResult>) {
        while !results.is_empty() {
            for result in results.drain(..) {
                match result {
                    ClientSessionResult::OutboundResponse(packet) => self.ours.push(START, &packet.bytes),
                    ClientSessionResult::RaisedEvent(event) => self.events.push(event),
                    ClientSessionResult::UnhandleableMessageReceived(_) => {}
                }
            }
            let before = self.record.written.len();
            self.record.drain(&mut self.ours);
            let answer = self.record.written[before..].to_vec();
            if !answer.is_empty() {
                results = self.session.handle_input(&answer).unwrap();
            }
        }
    }
}

#[test]
fn their_client_publishes_to_our_server() {
    let mut them = TheirClient::connect();
    let publish = them.session.request_publishing("tea".to_owned(), PublishRequestType::Live).unwrap();
    them.settle(vec![publish]);
    assert!(them.events.contains(&ClientSessionEvent::ConnectionRequestAccepted));
    assert!(them.events.contains(&ClientSessionEvent::PublishRequestAccepted));
    for at in 0..100 {
        let data = Bytes::from(vec![at as u8; 5_000]);
        let time = RtmpTimestamp::new(at * 40);
        let result = them.session.publish_video_data(data, time, false).unwrap();
        them.settle(vec![result]);
    }
    let tags = them.record.tags();
    assert_eq!(tags.len(), 100);
    let same = |(at, got): (usize, &&_)| **got == tag(Kind::Video, at as u32 * 40, &[at as u8; 5_000]);
    assert!(tags.iter().enumerate().all(same));
    let Request::Publish(publish) = them.record.requests()[1] else { panic!("no publish") };
    assert_eq!(publish.address.path(), "/live/tea");
}

#[test]
fn their_client_plays_what_our_server_shares() {
    let mut them = TheirClient::connect();
    let play = them.session.request_playback("tea".to_owned()).unwrap();
    them.settle(vec![play]);
    assert!(them.events.contains(&ClientSessionEvent::PlaybackRequestAccepted));
    them.events.clear();
    for at in 0..100u32 {
        let page = chunk::Serialized::new(&tag(Kind::Audio, at * 23, &vec![at as u8; 70_000])).unwrap();
        let results = them.session.handle_input(&page.bytes).unwrap();
        them.settle(results);
    }
    let expected = (0..100u32).map(|at| ClientSessionEvent::AudioDataReceived {
        timestamp: RtmpTimestamp::new(at * 23),
        data: Bytes::from(vec![at as u8; 70_000]),
    });
    assert!(them.events.iter().eq(expected.collect::<Vec<_>>().iter()));
    them.ours.end("over");
    them.settle(Vec::new());
    them.record.drain(&mut them.ours);
    assert_eq!(them.record.closed, Some(server::Closed::Ended));
}

/// Our client at their server.
struct TheirServer {
    session: ServerSession,
    ours: client::Session,
    handshake: Option<Handshake>,
    events: Vec<ServerSessionEvent>,
    our_events: Vec<client::Event>,
    said: Vec<u8>,
}

impl TheirServer {
    fn connect(role: Role) -> TheirServer {
        let (session, results) = ServerSession::new(ServerSessionConfig::new()).unwrap();
        let mut them = TheirServer {
            session,
            ours: client("rtmp://127.0.0.1/live/tea", role),
            handshake: Some(Handshake::new(PeerType::Server)),
            events: Vec::new(),
            our_events: Vec::new(),
            said: Vec::new(),
        };
        let first: Vec<u8> = results.iter().flat_map(outbound).collect();
        them.settle(first);
        them
    }

    /// `first` is what they say once greeted.
    fn settle(&mut self, mut first: Vec<u8>) {
        loop {
            let said = std::mem::take(&mut self.said);
            self.ours.push(START, &said);
            let mut written = Vec::new();
            while let Some(output) = self.ours.poll() {
                match output {
                    client::Output::Write(bytes) => written.extend_from_slice(&bytes),
                    client::Output::Event(event) => self.our_events.push(event),
                    client::Output::Close(reason) => panic!("{reason}"),
                }
            }
            if written.is_empty() {
                break;
            }
            self.hear(written, &mut first);
        }
    }

    fn hear(&mut self, mut bytes: Vec<u8>, first: &mut Vec<u8>) {
        if let Some(mut handshake) = self.handshake.take() {
            let (answer, rest) = greet(&mut handshake, &bytes);
            self.said.extend(answer);
            let Some(rest) = rest else {
                self.handshake = Some(handshake);
                return;
            };
            self.said.append(first);
            bytes = rest;
        }
        let mut results = self.session.handle_input(&bytes).unwrap();
        while !results.is_empty() {
            let mut next = Vec::new();
            for result in results {
                self.said.extend(outbound(&result));
                if let ServerSessionResult::RaisedEvent(event) = result {
                    if let Some(request) = request(&event) {
                        next.extend(self.session.accept_request(request).unwrap());
                    }
                    self.events.push(event);
                }
            }
            results = next;
        }
    }
}

fn outbound(result: &ServerSessionResult) -> Vec<u8> {
    match result {
        ServerSessionResult::OutboundResponse(packet) => packet.bytes.clone(),
        _ => Vec::new(),
    }
}

fn request(event: &ServerSessionEvent) -> Option<u32> {
    match event {
        ServerSessionEvent::ConnectionRequested { request_id, .. }
        | ServerSessionEvent::ReleaseStreamRequested { request_id, .. }
        | ServerSessionEvent::PublishStreamRequested { request_id, .. }
        | ServerSessionEvent::PlayStreamRequested { request_id, .. } => Some(*request_id),
        _ => None,
    }
}

#[test]
fn our_client_publishes_to_their_server() {
    let mut them = TheirServer::connect(Role::Publish);
    assert_eq!(them.our_events, [client::Event::Started]);
    for at in 0..100u32 {
        them.ours.send(&tag(Kind::Audio, at * 23, &vec![at as u8; 9_000])).unwrap();
        them.settle(Vec::new());
    }
    let got: Vec<_> = them
        .events
        .iter()
        .filter_map(|event| match event {
            ServerSessionEvent::AudioDataReceived { data, timestamp, stream_key, app_name } => {
                assert_eq!((app_name.as_str(), stream_key.as_str()), ("live", "tea"));
                Some((timestamp.value, data.len()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(got, (0..100).map(|at| (at * 23, 9_000)).collect::<Vec<_>>());
}

#[test]
fn our_client_plays_from_their_server() {
    let mut them = TheirServer::connect(Role::Play);
    assert_eq!(them.our_events, [client::Event::Started]);
    let stream = them.events.iter().find_map(|event| match event {
        ServerSessionEvent::PlayStreamRequested { stream_id, .. } => Some(*stream_id),
        _ => None,
    });
    for at in 0..100u32 {
        let data = Bytes::from(vec![at as u8; 9_000]);
        let time = RtmpTimestamp::new(at * 40);
        let packet = them.session.send_video_data(stream.unwrap(), data, time, false).unwrap();
        them.said.extend(packet.bytes);
    }
    them.settle(Vec::new());
    let expected: Vec<_> =
        (0..100u32).map(|at| client::Event::Tag(tag(Kind::Video, at * 40, &vec![at as u8; 9_000]))).collect();
    assert_eq!(them.our_events[1..], expected);
}
