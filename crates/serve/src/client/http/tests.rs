//! What the client makes of the answers that servers of media give.

use super::*;
use crate::client::{Received, Receiver, script::Script};

fn client() -> Client {
    Client::new("test", Patience::default())
}

fn answers(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

async fn get(script: &Script, path: &str) -> Result<String, Error> {
    let url = format!("http://a:b%20c@{}{path}", script.address).parse().unwrap();
    client().get(&url, &[]).await?.text(1_000).await
}

#[tokio::test]
async fn bodies_of_every_kind_come_whole() {
    for head in [
        "HTTP/1.0 200 OK\r\n\r\nabcdef",
        "ICY 200 OK\r\nicy-name:x\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdefgh",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n",
    ] {
        let script = Script::of(answers(&[head])).await;
        assert_eq!(get(&script, "/m?x=1").await.unwrap(), "abcdef", "{head}");
        let heard = script.heard().await.remove(0);
        assert!(heard.starts_with("GET /m?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{heard}");
        assert!(heard.contains("\r\nAuthorization: Basic YTpiIGM=\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
    ] {
        let script = Script::of(answers(&[head])).await;
        assert!(matches!(get(&script, "/").await, Err(Error::CutShort)), "{head}");
    }
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_limit_and_keep_secrets_at_home() {
    let there = "HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n";
    let away = "HTTP/1.1 301 Moved\r\nLocation: http://localhost:PORT/c\r\n\r\n";
    let far = Script::of(answers(&["HTTP/1.0 200 OK\r\n\r\nfound"])).await;
    let away = away.replace("PORT", &far.address.port().to_string());
    let near = Script::of(answers(&[there, &away])).await;
    assert_eq!(get(&near, "/a").await.unwrap(), "found");
    let heard = near.heard().await;
    assert!(heard[1].starts_with("GET /b ") && heard[1].contains("Authorization"), "{heard:?}");
    assert!(!far.heard().await[0].contains("Authorization"), "another host must not see the password");

    let circle =
        Script::of(vec![Some("HTTP/1.1 302 Found\r\nLocation: http://HOST/\r\n\r\n".into()); 11]).await;
    assert!(matches!(get(&circle, "/").await, Err(Error::Redirects)));
}

#[tokio::test]
async fn refusals_tell_the_sentence_of_the_page() {
    let page = "HTTP/1.0 404 File Not Found\r\n\r\n<html><title></title>\n<b>The source is gone</b>\n</html>";
    let script = Script::of(answers(&[page])).await;
    let why = get(&script, "/").await.unwrap_err();
    assert_eq!(why.to_string(), "the server answered 404 File Not Found: The source is gone");
    assert!(!why.is_auth() && !why.is_final());
    let script = Script::of(vec![None]).await;
    assert!(matches!(get(&script, "/").await, Err(Error::Closed)));
    let nobody = "http://127.0.0.1:1/".parse().unwrap();
    assert!(matches!(client().get(&nobody, &[]).await, Err(Error::Connect { .. })));
}

#[tokio::test]
async fn titles_are_taken_out_of_the_stream() {
    let body = "HTTP/1.0 200 OK\r\nicy-metaint:4\r\n\r\nabcd\x01StreamTitle='x';efgh\0ij";
    let script = Script::of(answers(&[body])).await;
    let url = format!("http://{}/", script.address).parse().unwrap();
    let mut receiver = Receiver::connect(&client(), &url, &[]).await.unwrap();
    let (mut bytes, mut titles) = (Vec::new(), Vec::new());
    while let Some(received) = receiver.next().await.unwrap() {
        match received {
            Received::Bytes(part) => bytes.extend_from_slice(&part),
            Received::Title(tags) => titles.push(tags.line()),
        }
    }
    assert_eq!((&bytes[..], titles), (&b"abcdefghij"[..], vec!["x".to_owned()]));
    assert!(script.heard().await[0].contains("\r\nIcy-MetaData: 1\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    assert!(matches!(client().get(&url, &[]).await, Err(Error::Patience("answer"))));
}

#[tokio::test]
async fn a_playlist_leads_to_its_stream() {
    let list = "HTTP/1.0 200 OK\r\nContent-Type: audio/x-mpegurl\r\n\r\n#EXTM3U\r\n/b.mp3\r\n";
    let hls =
        "HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n#EXTM3U\n#EXT-X-VERSION:3\n";
    let script = Script::of(answers(&[list, "HTTP/1.0 200 OK\r\n\r\nabc", hls])).await;
    let url = format!("http://{}/a.m3u", script.address).parse().unwrap();
    let mut receiver = Receiver::connect(&client(), &url, &[]).await.unwrap();
    assert_eq!(receiver.next().await.unwrap(), Some(Received::Bytes(Bytes::from_static(b"abc"))));
    assert_eq!(receiver.url().path(), "/b.mp3");
    assert!(matches!(Receiver::connect(&client(), &url, &[]).await, Err(Error::NoStream(_))));
}

#[tokio::test]
async fn a_foreign_server_leads_nobody_into_our_own_network() {
    let client = Client::new("test", Patience::default());
    let inside = Url::parse("http://127.0.0.1:9/latest/meta-data").unwrap();
    let stranger = Some("8.8.8.8".parse().unwrap());
    let refused = client.get_led(&inside, &[], stranger).await;
    assert!(matches!(refused, Err(Error::Inside(host)) if host == "127.0.0.1"));
    let neighbour = Some("192.168.1.7".parse().unwrap());
    let tried = client.get_led(&inside, &[], neighbour).await;
    assert!(matches!(tried, Err(Error::Connect { .. })), "one of us may");
}
