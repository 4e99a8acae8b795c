//! Doors for fuzzers: each takes any bytes and must return.
//!
//! They say nothing; what they find is a panic, an endless loop, or memory without bound.

use crate::{Address, amf0, chunk, client, handshake, message, server};
use bytes::{Bytes, BytesMut};
use levada_media::container::flv::tag::{Kind, Lineup, Reader, Tag, View};
use message::{Aggregate, Command, Control};
use std::time::Duration;

/// The greeting of both ends.
pub fn handshake(bytes: &[u8]) {
    let mut server = handshake::Server::new(1);
    let mut input = BytesMut::from(bytes);
    while let Ok(handshake::Step::Write(_)) = server.advance(&mut input) {}
    let mut client = handshake::Client::new(handshake::Style::Digest, 1);
    let mut input = BytesMut::from(bytes);
    while let Ok(handshake::Step::Write(_)) = client.advance(&mut input) {}
}

/// The chunk reader, in pieces whose size the first byte tells, and every message that comes out.
pub fn chunks(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let limits = chunk::Limits { message: 64 * 1024, partial: 128 * 1024, streams: 8 };
    let mut reader = chunk::Reader::new(limits);
    for piece in bytes.chunks(usize::from(*piece).max(1)) {
        reader.push(piece);
        while let Ok(Some(message)) = reader.poll() {
            assert!(message.payload.len() <= limits.message);
            let _ = (Control::read(&message), Command::read(&message));
            Aggregate::new(&message).for_each(drop);
        }
        assert!(reader.partial() <= limits.partial);
    }
}

/// AMF0; what can be read is written and read again.
pub fn amf0(bytes: &[u8]) {
    let Ok(values) = amf0::read_all(&Bytes::copy_from_slice(bytes)) else { return };
    let mut out = BytesMut::new();
    values.iter().for_each(|value| amf0::write(&mut out, value));
    assert_eq!(amf0::read_all(&out.freeze()).map(|again| again.len()), Ok(values.len()));
}

/// Audio, video and script tags: the first byte chooses which.
pub fn tag(bytes: &[u8]) {
    let Some((first, payload)) = bytes.split_first() else { return };
    let kind = [Kind::Audio, Kind::Video, Kind::Script][usize::from(first % 3)];
    let tag = Tag { kind, timestamp: u32::from(*first), payload: Bytes::copy_from_slice(payload) };
    let _ = Reader::new().push(&tag);
    for view in [View::Old, View::Enhanced, View::Multitrack] {
        let _ = Lineup::new(view).push(&tag);
    }
}

/// A server session that grants everything.
pub fn server(bytes: &[u8]) {
    let mut session = server::Session::new(server::Config::default(), 1, Duration::ZERO);
    for piece in bytes.chunks(1021) {
        session.push(Duration::ZERO, piece);
        while let Some(output) = session.poll() {
            if let server::Output::Event(server::Event::Request(_)) = output {
                session.accept();
            }
        }
    }
    session.end("enough");
    while session.poll().is_some() {}
}

/// A server session whose client has been greeted: the bytes are chunks.
pub fn server_chunks(bytes: &[u8]) {
    let mut greeting = vec![0; 1 + 2 * 1536];
    greeting[0] = 3;
    greeting.extend_from_slice(bytes);
    server(&greeting);
}

/// A client session, publishing or playing as the first byte says; the server's bytes come after a greeting.
pub fn client(bytes: &[u8]) {
    let Some((role, bytes)) = bytes.split_first() else { return };
    let role = if role % 2 == 0 { client::Role::Play } else { client::Role::Publish };
    let Ok(address) = "rtmp://127.0.0.1/live/fuzz".parse::<Address>() else { return };
    let mut session = client::Session::new(address, role, client::Config::default(), 1, Duration::ZERO);
    let mut greeting = vec![0; 1 + 2 * 1536];
    greeting[0] = 3;
    for piece in [&greeting[..], bytes] {
        session.push(Duration::ZERO, piece);
        while session.poll().is_some() {}
    }
    session.finish();
    while session.poll().is_some() {}
}

/// Addresses, typed and sent.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(address) = text.parse::<Address>() {
        let _ = (address.path(), address.tc_url(), address.stream_key());
    }
    let _ = Address::from_session(&text, &text, &text).path();
}
