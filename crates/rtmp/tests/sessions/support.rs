//! Drives sessions, and says in words what they sent.

use levada_media::container::flv::tag::{Kind, Tag};
use levada_rtmp::{
    amf0::{self, Value},
    chunk, client,
    message::{self, Command, Control, Message},
    server,
};
use std::time::Duration;

pub const START: Duration = Duration::ZERO;

pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn server() -> server::Session {
    server::Session::new(server::Config::default(), 7, START)
}

pub fn client(address: &str, role: client::Role) -> client::Session {
    client::Session::new(address.parse().unwrap(), role, client::Config::default(), 9, START)
}

pub fn tag(kind: Kind, timestamp: u32, payload: &[u8]) -> Tag {
    Tag { kind, timestamp, payload: bytes::Bytes::copy_from_slice(payload) }
}

/// What a session did.
#[derive(Debug, Default, PartialEq)]
pub struct Record {
    pub written: Vec<u8>,
    pub events: Vec<server::Event>,
    pub closed: Option<server::Closed>,
}

impl Record {
    /// Polls until there is nothing left; every request is granted.
    pub fn drain(&mut self, session: &mut server::Session) {
        while let Some(output) = session.poll() {
            match output {
                server::Output::Write(bytes) => self.written.extend_from_slice(&bytes),
                server::Output::Event(event) => {
                    if matches!(event, server::Event::Request(_)) {
                        session.accept();
                    }
                    self.events.push(event);
                }
                server::Output::Close(reason) => self.closed = Some(reason),
            }
        }
    }

    /// A session that was sent `pieces` and granted everything.
    pub fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Record {
        let (mut session, mut record) = (server(), Record::default());
        for piece in pieces {
            session.push(START, piece);
            record.drain(&mut session);
        }
        record
    }

    pub fn tags(&self) -> Vec<&Tag> {
        let events = self.events.iter();
        events
            .filter_map(|event| if let server::Event::Tag(tag) = event { Some(tag) } else { None })
            .collect()
    }

    pub fn requests(&self) -> Vec<&server::Request> {
        let requests = self.events.iter().filter_map(|event| match event {
            server::Event::Request(request) => Some(request),
            _ => None,
        });
        requests.collect()
    }
}

/// The messages in what one end wrote, without the greeting.
pub fn messages(written: &[u8]) -> Vec<Message> {
    let mut reader = chunk::Reader::new(chunk::Limits::default());
    reader.push(&written[GREETING..]);
    std::iter::from_fn(|| reader.poll().expect("good chunks")).collect()
}

/// One line for a message: what it is, and what matters of it.
pub fn line(message: &Message) -> String {
    if let Some(control) = Control::read(message) {
        return format!("{control:?}");
    }
    match message.kind {
        message::COMMAND => {
            let command = Command::read(message).expect("a good command");
            let detail = command.arguments.iter().map(value).collect::<Vec<_>>().join(" ");
            format!("{}:{} {} {detail}", message.stream, command.name, command.transaction)
        }
        message::DATA => {
            let values = amf0::read_all(&message.payload).expect("good data");
            format!("{}:{}", message.stream, values.iter().map(value).collect::<Vec<_>>().join(" "))
        }
        kind => format!("{}:type {kind} at {}", message.stream, message.timestamp),
    }
}

pub fn lines(written: &[u8]) -> Vec<String> {
    messages(written).iter().map(line).collect()
}

fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Undefined => "-".to_owned(),
        other => match other.get("code") {
            Some(code) => self::value(code),
            None => "{}".to_owned(),
        },
    }
}

/// C0 C1 C2, or S0 S1 S2.
pub const GREETING: usize = 1 + 2 * 1536;
