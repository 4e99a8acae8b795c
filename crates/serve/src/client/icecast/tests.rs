//! What a source client says, and what it makes of the answers.

use super::*;
use crate::client::{http::Patience, script::Script};

fn target(script: &Script) -> Target {
    format!("icecast://source:hush@{}/a%20b.ogg", script.address).parse().unwrap()
}

fn says() -> Introduction {
    Introduction {
        content_type: "application/ogg".into(),
        name: "N".into(),
        public: true,
        ..Introduction::default()
    }
}

async fn connect(script: &Script) -> Result<Sender, Error> {
    Sender::connect(&Client::new("test", Patience::default()), &target(script), &says()).await
}

const GOES_ON: &str = "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\nHTTP/1.0 200 OK\r\n\r\n";

#[tokio::test]
async fn a_stream_is_put_as_ffmpeg_does() {
    let script = Script::of(vec![Some(GOES_ON.into())]).await;
    let mut sender = connect(&script).await.unwrap();
    sender.send(b"OggS").await.unwrap();
    sender.finish().await.unwrap();
    let heard = script.heard().await.remove(0);
    let head = "PUT /a%20b.ogg HTTP/1.1\r\nHost: 127.0.0.1:";
    assert!(heard.starts_with(head) && heard.ends_with("\r\n\r\nOggS"), "{heard}");
    for field in [
        "Authorization: Basic c291cmNlOmh1c2g=",
        "Expect: 100-continue",
        "Content-Type: application/ogg",
        "ice-public: 1",
        "ice-name: N",
    ] {
        assert!(heard.contains(&format!("\r\n{field}\r\n")), "{field} in {heard}");
    }
}

#[tokio::test]
async fn a_server_that_knows_no_put_is_asked_by_source() {
    let answer = |text: &str| Some(text.to_owned());
    for first in
        [None, answer("HTTP/1.0 405 Method Not Allowed\r\n\r\n"), answer("HTTP/1.0 400 Bad Request\r\n\r\n")]
    {
        let script = Script::of(vec![first, answer("HTTP/1.0 200 OK\r\n\r\n")]).await;
        let mut sender = connect(&script).await.unwrap();
        sender.send(b"OggS").await.unwrap();
        sender.finish().await.unwrap();
        let heard = script.heard().await.remove(1);
        assert!(heard.starts_with("SOURCE /a%20b.ogg HTTP/1.0\r\n") && heard.ends_with("OggS"), "{heard}");
        assert!(!heard.contains("Expect"), "{heard}");
    }
}

#[tokio::test]
async fn refusals_say_why_and_are_told_apart() {
    let script = Script::of(vec![Some("HTTP/1.0 401 Authentication Required\r\n\r\nno\n".into())]).await;
    let why = connect(&script).await.err().unwrap();
    assert!(why.is_auth() && why.is_final(), "{why}");
    let busy = "HTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\nMountpoint in use";
    let script = Script::of(vec![Some(busy.into())]).await;
    let why = connect(&script).await.err().unwrap();
    assert_eq!(why.to_string(), "the server answered 403 Forbidden: Mountpoint in use");
    assert!(!why.is_auth() && !why.is_final(), "a dead source's place becomes free");
}

#[tokio::test]
async fn a_refusal_in_the_middle_ends_the_sending() {
    let late = format!("{GOES_ON}HTTP/1.0 503 Gone\r\n\r\nserver stops\n");
    let script = Script::of(vec![Some(late)]).await;
    let mut sender = connect(&script).await.unwrap();
    let why = sender.ended().await;
    assert_eq!(why.to_string(), "the server answered 503 Gone: server stops");
}

#[tokio::test]
async fn a_title_is_told_in_utf8_to_the_right_mount() {
    let script = Script::of(vec![Some("HTTP/1.0 200 OK\r\n\r\n<iceresponse/>".into())]).await;
    let client = Client::new("test", Patience::default());
    send_title(&client, &target(&script), "Ä & b").await.unwrap();
    let heard = script.heard().await.remove(0);
    let line =
        "GET /admin/metadata?mode=updinfo&mount=%2Fa+b.ogg&charset=UTF-8&song=%C3%84+%26+b HTTP/1.1\r\n";
    assert!(heard.starts_with(line) && heard.contains("Authorization"), "{heard}");
}

#[test]
fn targets_are_read_as_people_write_them() {
    for (text, wanted) in [
        ("icecast://source:pw@h/m", "http://source:pw@h:8000/m"),
        ("icecast://:pw@h:80/m", "http://source:pw@h/m"),
        ("icecasts://u:pw@h/m", "https://u:pw@h/m"),
        ("http://h:8001/m", "http://source@h:8001/m"),
        ("ICECAST://h/m", "http://source@h:8000/m"),
    ] {
        assert_eq!(text.parse::<Target>().unwrap().0.as_str(), wanted, "{text}");
    }
    assert_eq!("ftp://h/m".parse::<Target>(), Err(BadTarget::Scheme));
    assert_eq!("icecast://h".parse::<Target>(), Err(BadTarget::Mount));
    let shown = format!("{0} {0:?}", "icecast://u:secret@h/m".parse::<Target>().unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}
