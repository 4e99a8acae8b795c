use super::*;
use crate::tls::tests::pair;
use std::sync::Arc;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// A socket that takes so many bytes and then blocks; what it took is the other end's to read.
#[derive(Default)]
struct Narrow {
    room: usize,
    took: Vec<u8>,
    coming: Vec<u8>,
    closed: bool,
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= taken;
        self.took.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Narrow {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.coming.is_empty() {
            return if self.closed { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let taken = bytes.len().min(self.coming.len());
        bytes[..taken].copy_from_slice(&self.coming[..taken]);
        self.coming.drain(..taken);
        Ok(taken)
    }
}

/// A listener that has shaken hands, and our end of it.
fn shaken() -> (ClientConnection, TlsWire<Narrow>) {
    let provider = || Arc::new(ring::default_provider());
    let (certificate, key) = pair();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let server =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let server = server
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        client.write_tls(&mut up).unwrap();
        server.read_tls(&mut &up[..]).unwrap();
        server.process_new_packets().unwrap();
        server.write_tls(&mut down).unwrap();
        client.read_tls(&mut &down[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    (client, TlsWire::new(Box::new(server), Narrow::default()))
}

/// What the listener makes of all that the socket took.
fn heard(client: &mut ClientConnection, took: &mut Vec<u8>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = &took[..];
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        client.process_new_packets().unwrap();
        let _would_block = client.reader().read_to_end(&mut text);
    }
    took.clear();
    text
}

#[test]
fn a_narrow_socket_gets_every_byte_once_and_in_order() {
    let (mut client, mut wire) = shaken();
    let stream: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    for room in (1..).map(|turn| turn * 37 % 9_000 + 1) {
        wire.stream.room = room;
        let next = &stream[sent..];
        let halves = [IoSlice::new(&next[..next.len() / 2]), IoSlice::new(&next[next.len() / 2..])];
        match if next.is_empty() { wire.push().map(|()| 0) } else { wire.write(&halves) } {
            Ok(0) => break,
            Ok(taken) => sent += taken,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        got.extend(heard(&mut client, &mut wire.stream.took));
    }
    got.extend(heard(&mut client, &mut wire.stream.took));
    assert!(got == stream, "{} of {} bytes, or others", got.len(), stream.len());
}

#[test]
fn what_waits_is_bounded() {
    let (_client, mut wire) = shaken();
    let much = vec![7; 1 << 20];
    let taken = wire.write(&[IoSlice::new(&much)]).unwrap();
    assert!((1..=LIMIT).contains(&taken), "{taken}");
    assert_eq!(wire.write(&[IoSlice::new(&much)]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(wire.push().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_listener_that_says_goodbye_vanishes_or_babbles_is_noticed() {
    for (mut last_words, closes, gone) in [
        (ClientWords::Goodbye, false, true),
        (ClientWords::Nothing, true, true),
        (ClientWords::Garbage, false, true),
        (ClientWords::Chatter, false, false),
        (ClientWords::Nothing, false, false),
    ] {
        let (mut client, mut wire) = shaken();
        wire.stream.coming = last_words.said_by(&mut client);
        wire.stream.closed = closes;
        assert_eq!(wire.discard(1 << 20), gone, "{last_words:?}");
    }
}

#[derive(Debug)]
enum ClientWords {
    Nothing,
    Goodbye,
    Garbage,
    Chatter,
}

impl ClientWords {
    fn said_by(&mut self, client: &mut ClientConnection) -> Vec<u8> {
        let mut wire = Vec::new();
        match self {
            ClientWords::Nothing => {}
            ClientWords::Garbage => return vec![0xff; 100],
            ClientWords::Goodbye => client.send_close_notify(),
            ClientWords::Chatter => client.writer().write_all(&[1; 20_000]).unwrap(),
        }
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        wire
    }
}
