//! What ffmpeg 5.1 and rtmpdump 2.4 really sent to nginx-rtmp 1.2, and what that answered.

use crate::support::*;
use levada_media::container::flv::tag::{Kind, Reader, View};
use levada_media::{Codec, Item};
use levada_rtmp::{client, server, server::Request};

#[test]
fn ffmpeg_publishes_as_it_did() {
    let sent = fixture("ffmpeg_publish.c2s");
    let record = Record::of([&sent[..]]);
    let [Request::Connect(connect), Request::Publish(publish)] = record.requests()[..] else {
        panic!("{:?}", record.requests())
    };
    assert_eq!((connect.app.as_str(), connect.tc_url.as_str()), ("live", "rtmp://127.0.0.1:19351/live"));
    assert_eq!(connect.capabilities.view(), View::Old);
    assert_eq!((publish.address.path().as_str(), publish.address.token()), ("/live/cap", Some("abc")));
    assert_eq!(
        lines(&record.written),
        [
            "WindowSize(2500000)",
            "PeerBandwidth(2500000)",
            "ChunkSize(60000)",
            "0:_result 1 {} NetConnection.Connect.Success",
            "0:_result 2 - -",
            "0:_result 3 - -",
            "0:onFCPublish 0 - NetStream.Publish.Start",
            "0:_result 4 - 1",
            "1:onStatus 0 - NetStream.Publish.Start",
            "0:_result 6 - -",
            "0:onFCUnpublish 0 - NetStream.Unpublish.Success",
            "1:onStatus 0 - NetStream.Unpublish.Success",
        ]
    );
    assert_eq!((record.events.last(), record.closed), (Some(&server::Event::Unpublished), None));
}

#[test]
fn what_ffmpeg_published_is_two_tracks_and_every_frame() {
    let record = Record::of([&fixture("ffmpeg_publish.c2s")[..]]);
    let tags = record.tags();
    assert_eq!(tags[0].kind, Kind::Script);
    assert!(tags[0].payload.starts_with(b"\x02\0\x0aonMetaData"));
    let mut reader = Reader::new();
    tags.iter().for_each(|tag| reader.push(tag).unwrap());
    let (mut tracks, mut frames) = (None, [0, 0]);
    while let Some(item) = reader.poll() {
        match item {
            Item::Tracks(all) => tracks = Some(all),
            Item::Frame(frame) => frames[usize::from(frame.track.0 >= 256)] += 1,
            Item::Tags(_) => {}
        }
    }
    let codecs: Vec<_> = tracks.unwrap().iter().map(|track| track.codec).collect();
    assert_eq!(codecs, [Codec::H264, Codec::Aac]);
    // 1.5 s at 10 pictures a second; 44,100 Hz in packets of 1,024
    assert_eq!((frames[0], reader.orphans()), (15, 0));
    assert!((64..=67).contains(&frames[1]), "{frames:?}");
}

#[test]
fn ffmpeg_plays_as_it_did() {
    let record = Record::of([&fixture("ffmpeg_play.c2s")[..]]);
    let Request::Play(play) = record.requests()[1] else { panic!("no play") };
    assert_eq!((play.address.path().as_str(), play.start), ("/live/cap", -2000.0));
    assert_eq!(
        lines(&record.written)[3..],
        [
            "0:_result 1 {} NetConnection.Connect.Success",
            "0:_result 2 - 1",
            "0:_result 3 - 0",
            "User(StreamBegin(1))",
            "1:onStatus 0 - NetStream.Play.Reset",
            "1:onStatus 0 - NetStream.Play.Start",
            "1:|RtmpSampleAccess true true",
            "1:onStatus 0 - NetStream.Play.Stop",
        ]
    );
    assert_eq!(record.events.last(), Some(&server::Event::Stopped));
}

#[test]
fn rtmpdump_plays_as_it_did_with_buffer_lengths_as_bare_format_3() {
    let record = Record::of([&fixture("rtmpdump_play.c2s")[..]]);
    let Request::Play(play) = record.requests()[1] else { panic!("no play") };
    assert_eq!((play.address.path().as_str(), play.start), ("/live/cap", -1000.0));
    assert_eq!(
        lines(&record.written)[4..],
        [
            "0:_result 2 - 1",
            "0:_result 3 - -",
            "0:onFCSubscribe 0 - NetStream.Play.Start",
            "User(StreamBegin(1))",
            "1:onStatus 0 - NetStream.Play.Reset",
            "1:onStatus 0 - NetStream.Play.Start",
            "1:|RtmpSampleAccess true true",
            "1:onStatus 0 - NetStream.Play.Stop",
        ]
    );
    assert_eq!((record.events.last(), record.closed), (Some(&server::Event::Stopped), None));
}

#[test]
fn a_capture_means_the_same_byte_by_byte() {
    for name in ["ffmpeg_publish.c2s", "ffmpeg_play.c2s", "rtmpdump_play.c2s"] {
        let sent = fixture(name);
        assert_eq!(Record::of(sent.chunks(1)), Record::of([&sent[..]]), "{name}");
    }
}

#[test]
fn a_capture_means_the_same_split_anywhere() {
    for name in ["ffmpeg_publish.c2s", "ffmpeg_play.c2s", "rtmpdump_play.c2s"] {
        let sent = fixture(name);
        // the conversation is in the first five thousand bytes; after them come only media
        let sent = &sent[..sent.len().min(5_000)];
        let whole = Record::of([sent]);
        for at in 1..sent.len() {
            let (before, after) = sent.split_at(at);
            assert_eq!(Record::of([before, after]), whole, "{name} at {at}");
        }
    }
}

fn replay(role: client::Role, pieces: &[&[u8]]) -> (Vec<u8>, Vec<client::Event>) {
    let mut session = client("rtmp://127.0.0.1:19350/live/cap?token=abc", role);
    let (mut written, mut events) = (Vec::new(), Vec::new());
    for piece in [&b""[..]].iter().chain(pieces) {
        session.push(START, piece);
        while let Some(output) = session.poll() {
            match output {
                client::Output::Write(bytes) => written.extend_from_slice(&bytes),
                client::Output::Event(event) => events.push(event),
                client::Output::Close(reason) => panic!("{reason}"),
            }
        }
    }
    (written, events)
}

#[test]
fn nginx_lets_our_client_publish_as_it_let_ffmpeg() {
    // nginx answers the fourth call; ours has the same numbers as ffmpeg's
    let answers = fixture("nginx_to_publisher.s2c");
    let (written, events) = replay(client::Role::Publish, &[&answers]);
    assert_eq!(events, [client::Event::Started]);
    let lines = lines(&written);
    assert_eq!(
        lines,
        [
            "0:connect 1 {}",
            "WindowSize(5000000)",
            "ChunkSize(60000)",
            "0:releaseStream 2 - cap?token=abc",
            "0:FCPublish 3 - cap?token=abc",
            "0:createStream 4 -",
            "1:publish 5 - cap?token=abc live",
        ]
    );
}

#[test]
fn nginx_plays_to_our_client_as_it_played_to_ffmpeg() {
    let sent = fixture("nginx_to_player.s2c");
    let (_, whole) = replay(client::Role::Play, &[&sent]);
    assert_eq!(whole[0], client::Event::Started);
    let tags: Vec<_> =
        whole.iter().filter_map(|e| if let client::Event::Tag(tag) = e { Some(tag) } else { None }).collect();
    assert!(tags[0].payload.starts_with(b"\x02\0\x0aonMetaData"));
    assert_eq!(tags.iter().filter(|tag| tag.is_setup()).count(), 2);
    assert!(tags.iter().filter(|tag| tag.kind == Kind::Video).count() > 5);
    let pieces: Vec<_> = sent.chunks(1).collect();
    assert_eq!(replay(client::Role::Play, &pieces).1, whole);
    for at in (1..5_000).step_by(3) {
        let (before, after) = sent.split_at(at);
        assert_eq!(replay(client::Role::Play, &[before, after]).1, whole, "at {at}");
    }
}
