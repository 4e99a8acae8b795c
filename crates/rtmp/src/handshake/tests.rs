//! Both ends greet each other, in every style and split at every byte.

use super::*;

fn greet(style: Style, split: usize) -> (Server, Client) {
    let (mut server, mut client) = (Server::new(1), Client::new(style, 2));
    let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
    let (mut server_done, mut client_done) = (false, false);
    let mut wire = BytesMut::new();
    while !(server_done && client_done) {
        match client.advance(&mut to_client).unwrap() {
            Step::Write(bytes) => wire.extend_from_slice(&bytes),
            Step::Done => client_done = true,
            Step::More => {}
        }
        for piece in wire.split().chunks(split) {
            to_server.extend_from_slice(piece);
            match server.advance(&mut to_server).unwrap() {
                Step::Write(bytes) => to_client.extend_from_slice(&bytes),
                Step::Done => server_done = true,
                Step::More => {}
            }
        }
    }
    assert!(to_server.is_empty() && to_client.is_empty());
    (server, client)
}

#[test]
fn both_ends_greet_each_other_in_both_styles() {
    for style in [Style::Simple, Style::Digest] {
        for split in [1, 7, 1536, 1537, 10_000] {
            greet(style, split);
        }
    }
}

#[test]
fn a_signed_hello_gets_a_signed_answer_and_a_simple_one_its_echo() {
    for style in [Style::Simple, Style::Digest] {
        let mut hello = match Client::new(style, 9).advance(&mut BytesMut::new()).unwrap() {
            Step::Write(bytes) => BytesMut::from(&bytes[..]),
            other => panic!("{other:?}"),
        };
        let sent = hello.clone();
        let Step::Write(answer) = Server::new(1).advance(&mut hello).unwrap() else { panic!("no answer") };
        assert_eq!(answer.len(), 1 + 2 * 1536);
        let own: Block = *answer[1..].first_chunk().unwrap();
        let echoed = answer[1537..] == sent[1..];
        let signed = digest::find(&own, digest::SERVER_SHORT).is_some();
        assert_eq!((signed, echoed), (style == Style::Digest, style == Style::Simple));
    }
}

#[test]
fn a_damaged_signature_is_answered_simply() {
    let Step::Write(hello) = Client::new(Style::Digest, 9).advance(&mut BytesMut::new()).unwrap() else {
        panic!("no hello")
    };
    let mut hello = BytesMut::from(&hello[..]);
    hello[1500] ^= 1;
    let sent = hello.clone();
    let Step::Write(answer) = Server::new(1).advance(&mut hello).unwrap() else { panic!("no answer") };
    assert_eq!(answer[1537..], sent[1..]);
}

#[test]
fn another_protocol_is_refused_at_its_first_byte() {
    assert_eq!(Server::new(1).advance(&mut BytesMut::from("GET / HTTP")), Err(Error::Version(b'G')));
    assert_eq!(Server::new(1).advance(&mut BytesMut::from(&[22, 3, 1][..])), Err(Error::Version(22)));
}

#[test]
fn what_follows_the_echo_is_left_for_the_chunk_reader() {
    let mut server = Server::new(1);
    let mut input = BytesMut::new();
    input.extend_from_slice(&[3]);
    input.extend_from_slice(&[0; 1536 * 2]);
    input.extend_from_slice(b"connect");
    assert!(matches!(server.advance(&mut input), Ok(Step::Write(_))));
    assert_eq!(server.advance(&mut input), Ok(Step::Done));
    assert_eq!(&input[..], b"connect");
}

/// Whether `reply` proves that its sender read `signature`.
fn proves(reply: &[u8], signature: &digest::Signature, key: &[u8]) -> bool {
    let reply: Block = *reply.first_chunk().unwrap();
    let mut expected = reply;
    digest::answer(&mut expected, signature, key);
    expected == reply
}

#[test]
fn signatures_are_those_that_ffmpeg_and_nginx_exchanged() {
    let client = include_bytes!("../../tests/fixtures/ffmpeg_play.c2s");
    let server = include_bytes!("../../tests/fixtures/nginx_to_player.s2c");
    let hello: Block = *client[1..].first_chunk().unwrap();
    let answer: Block = *server[1..].first_chunk().unwrap();
    let (_, client_signature) = digest::find(&hello, digest::CLIENT_SHORT).unwrap();
    let (_, server_signature) = digest::find(&answer, digest::SERVER_SHORT).unwrap();
    assert!(proves(&server[1537..], &client_signature, digest::SERVER));
    assert!(proves(&client[1537..], &server_signature, digest::CLIENT));
    let Ok(Step::Write(ours)) = Server::new(5).advance(&mut BytesMut::from(&client[..1537])) else {
        panic!("no answer")
    };
    assert!(proves(&ours[1537..], &client_signature, digest::SERVER));
}

#[test]
fn a_client_proves_that_it_read_a_signed_answer_and_echoes_a_simple_one() {
    let nginx = include_bytes!("../../tests/fixtures/nginx_to_player.s2c");
    let reply = |answer: &[u8]| {
        let mut client = Client::new(Style::Digest, 1);
        let mut input = BytesMut::from(answer);
        assert!(matches!(client.advance(&mut input), Ok(Step::Write(_))));
        let Ok(Step::Write(reply)) = client.advance(&mut input) else { panic!("no reply") };
        reply
    };
    let signed: Block = *nginx[1..].first_chunk().unwrap();
    let (_, signature) = digest::find(&signed, digest::SERVER_SHORT).unwrap();
    assert!(proves(&reply(&nginx[..1537]), &signature, digest::CLIENT));
    let mut simple = nginx[..1537].to_vec();
    simple[700] ^= 1;
    assert_eq!(reply(&simple), simple[1..]);
}
