//! The messages of the native wire and the tracker's, byte by byte: who changes them changes a version as well.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use levada_swarm::{
    native::wire::{
        Message, Parity, Refusal, Report, Sealed, Ticket, VERSION,
        bridge::HeadWord,
        lan,
        standby::{Group, Word},
    },
    tracker::wire::{self as tracker, Place, Team},
};
use std::fmt::Write;

/// Each message of the native wire once, and once more where it has two forms.
fn messages() -> Vec<(&'static str, Message)> {
    let (here, far) = ("192.0.2.7:8001".parse().unwrap(), "[2001:db8::9]:443".parse().unwrap());
    let (nonce, cookie, signature) = (0x0102_0304_0506_0708, [0xc0; 16], [0x51; 64]);
    let ticket = Ticket { until: 3_600, signature };
    let (time, salt, token) = (77, [0xa5; 16], [7; 8]);
    let refused = |why| Message::Refused { nonce, why };
    let sealed = Sealed {
        number: 1 << 40,
        flags: 1,
        hops: 2,
        place: (3, 16),
        siblings: vec![[0x11; 16], [0x22; 16]],
        signature,
        data: Bytes::from_static(b"tea"),
    };
    let group = Group {
        first: 256,
        mark: Bytes::from_static(b"OggS"),
        root: [0x33; 16],
        chunks: vec![(1, 1_200), (0, 7)],
    };
    let parity = Parity {
        first: 1 << 40,
        chunks: 8,
        hops: 2,
        place: (8, 10),
        siblings: vec![[0x11; 16], [0x22; 16]],
        signature,
        shard: Bytes::from_static(b"parity"),
    };
    let welcome = |channel| {
        let (you, key, stripes, head, entry, skills) = (here, [0x4b; 32], 8, 4_096, 99, 1);
        Message::Welcome { nonce, you, time, key, stripes, head, entry, skills, salt, channel }
    };
    let standby = |word| Message::Standby(word);
    vec![
        ("hello", Message::Hello { nonce }),
        ("cookie", Message::Cookie { nonce, cookie, capabilities: 1 }),
        ("join", Message::Join { nonce, cookie, slots: 10, skills: 1, proof: [0xd0; 16], near: None }),
        (
            "join-near",
            Message::Join { nonce, cookie, slots: 10, skills: 1, proof: [0xd0; 16], near: Some(here) },
        ),
        ("welcome", welcome(None)),
        ("welcome-bridge", welcome(Some([0x4c; 32]))),
        ("refused-token", refused(Refusal::Token)),
        ("refused-wrong-token", refused(Refusal::WrongToken)),
        ("refused-full", refused(Refusal::Full)),
        ("refused-version", refused(Refusal::Version(VERSION))),
        ("prove", Message::Prove { time, key: [0x4b; 32], signature }),
        ("lost", Message::Lost(vec![1, 1 << 33])),
        ("parent", Message::Parent { stripe: 3, parent: here, ticket, who: None }),
        ("parent-known", Message::Parent { stripe: 3, parent: far, ticket, who: Some([0x77; 32]) }),
        ("subscribe", Message::Subscribe { stripe: 3, ticket }),
        ("keep", Message::Keep { stripes: 0b101 }),
        ("unsubscribe", Message::Unsubscribe { stripe: 3 }),
        ("chunk", Message::Chunk(sealed)),
        ("parity", Message::Parity(parity)),
        ("offer", Message::Offer { slots: 3, upload: 1_000 }),
        ("nack", Message::Nack(vec![1, 1 << 33])),
        ("alive", Message::Alive { missing: 1, waiting: 2 }),
        ("introduce", Message::Introduce { child: here, token, who: None }),
        ("introduce-known", Message::Introduce { child: far, token, who: Some([0x77; 32]) }),
        ("punch", Message::Punch { token }),
        ("elsewhere", Message::Elsewhere { member: far }),
        ("near", Message::Near { member: far, at: here }),
        ("goodbye", Message::Goodbye),
        ("head-wanted", Message::HeadWanted { from: 1_200 }),
        ("head-part", Message::HeadPart { from: 1_200, total: 1_203, bytes: Bytes::from_static(b"end") }),
        ("head-is", Message::HeadIs(HeadWord { total: 4_096, hash: [0x48; 32], signature })),
        ("backlog", Message::Backlog { stripe: 3, from: 99 }),
        ("move", Message::Move { to: here, key: [0x4b; 32], until: 3_600, signature }),
        ("report", Message::Report(Report { played: 1, lost: 2, sent_bytes: 3 })),
        ("lan-here", Message::Lan(lan::Word::Here { me: here, gates: 4 })),
        ("lan-mute", Message::Lan(lan::Word::Mute { stripes: 4 })),
        ("stand-by", standby(Word::StandBy { nonce, cookie, signature })),
        ("accepted", standby(Word::Accepted { nonce, you: here, time, stripes: 8, salt })),
        ("lives", standby(Word::Lives)),
        ("follows", standby(Word::Follows)),
        ("ledger", standby(Word::Ledger(vec![group]))),
        ("roster", standby(Word::Roster(vec![(here, 10), (far, 0)]))),
        ("gone", standby(Word::Gone(here))),
        ("stands-by", standby(Word::StandsBy { standby: here, signature })),
        ("take-over", standby(Word::TakeOver { standby: here, time, signature })),
        ("followed", standby(Word::Followed)),
    ]
}

fn trackers() -> Vec<(&'static str, tracker::Message)> {
    use tracker::Message;
    let (nonce, cookie, proof, key) = (0x0102_0304_0506_0708, [0xc0; 16], [0xd0; 16], [0x4b; 32]);
    let place = Place { splitter: "192.0.2.7:8001".parse().unwrap(), wire: b'n', key };
    let team = Team { channel: "bbb".into(), wire: b'n', key, peers: 5, most: 1_000 };
    vec![
        ("announce", Message::Announce { nonce, cookie, proof, team }),
        ("noted", Message::Noted { nonce, cookie }),
        ("find", Message::Find { nonce, proof, channel: "bbb".into() }),
        ("found", Message::Found { nonce, place: Some(place) }),
        ("nowhere", Message::Found { nonce, place: None }),
        ("shed", Message::Shed { nonce, peers: 9, to: place }),
        ("refused", Message::Refused { nonce }),
        ("other-version", Message::OtherVersion { version: tracker::VERSION, nonce }),
    ]
}

/// Compares with what is kept; with LEVADA_GOLDEN=write keeps what is there.
fn is_golden(kept: &str, lines: Vec<(&str, Bytes)>) {
    let mut text = String::new();
    for (name, bytes) in lines {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        writeln!(text, "{name} {hex}").unwrap();
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kept);
    if std::env::var("LEVADA_GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (golden, line) in golden.lines().zip(text.lines()) {
        assert_eq!(golden, line, "the wire is another: raise VERSION and keep the new bytes");
    }
    assert_eq!(golden.lines().count(), text.lines().count());
}

#[test]
fn the_native_wire_is_of_version_2_to_the_byte() {
    assert_eq!(VERSION, 2);
    let messages = messages();
    is_golden("native.txt", messages.iter().map(|(name, message)| (*name, message.write())).collect());
    for (name, message) in messages {
        assert_eq!(Message::read(&message.write()), Some(message), "{name}");
    }
}

#[test]
fn the_trackers_wire_is_of_version_2_to_the_byte() {
    assert_eq!(tracker::VERSION, 2);
    let messages = trackers();
    is_golden("tracker.txt", messages.iter().map(|(name, message)| (*name, message.write())).collect());
    for (name, message) in messages {
        assert_eq!(tracker::Message::read(&message.write()), Some(message), "{name}");
    }
}

/// What is read of another version: that somebody asks, and that somebody is refused.
#[test]
fn of_another_version_no_more_is_read_than_who_asks_and_who_is_refused() {
    let other = |bytes: &Bytes| {
        let mut bytes = bytes.to_vec();
        if bytes.len() > 1 {
            bytes[1] = 9;
        }
        Bytes::from(bytes)
    };
    for (name, message) in messages() {
        let read = Message::read(&other(&message.write()));
        match name {
            "hello" => assert!(matches!(read, Some(Message::Stranger { version: 9, .. }))),
            "refused-version" => {
                assert!(matches!(read, Some(Message::Refused { why: Refusal::Version(9), .. })));
            }
            // These come later than any that say their version.
            "parent" | "parent-known" | "subscribe" | "keep" | "unsubscribe" | "chunk" | "parity"
            | "nack" | "alive" | "introduce" | "introduce-known" | "punch" | "elsewhere" | "near"
            | "goodbye" | "head-wanted" | "head-part" | "backlog" | "move" | "report" | "offer" => {}
            _ => assert_eq!(read, None, "{name}"),
        }
    }
    for (name, message) in trackers() {
        let read = tracker::Message::read(&other(&message.write()));
        match name {
            "announce" | "find" => {
                assert!(matches!(read, Some(tracker::Message::Stranger { version: 9, .. })));
            }
            "other-version" => {
                assert!(matches!(read, Some(tracker::Message::OtherVersion { version: 9, .. })));
            }
            _ => assert_eq!(read, None, "{name}"),
        }
    }
}
