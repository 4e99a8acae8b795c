use super::*;
use crate::http::{First, HeadReader};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers one request with `fields`; gives what it was asked.
async fn answering(fields: &'static str) -> (Url, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"END") && !whole(&text) {
            stream.read_buf(&mut text).await.unwrap();
        }
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes()).await.unwrap();
        String::from_utf8(text).unwrap()
    });
    (url, asked)
}

fn whole(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    body.len() >= length.parse().unwrap()
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

fn config() -> Config {
    toml::from_str("[http]\nlisten = ['127.0.0.1:18998']\n[server]\nhostname = 'localhost'\n").unwrap()
}

fn guest() -> Guest {
    Guest {
        id: SessionId(1),
        target: "/a.mp3?tok=1&b=2".into(),
        user: "li s".into(),
        password: "p&w".into(),
        from: [127, 0, 0, 1].into(),
        agent: "ag ent/1".into(),
    }
}

fn head() -> Head {
    let text = b"GET /a.mp3?tok=1&b=2 HTTP/1.1\r\nCookie: a=b\r\nX-Session: s1\r\n\r\n";
    match HeadReader::default().read(text) {
        Ok(Some(First::Request(head, _))) => head,
        other => panic!("{other:?}"),
    }
}

// The bodies are those that Icecast 2.4.4 sent to a recording server, but for `Authorization`.

#[tokio::test]
async fn a_listener_is_asked_for_in_icecasts_words() {
    let (url, asked) = answering("icecast-auth-user: 1\r\nIcecast-Auth-TimeLimit: 90\r\n").await;
    let hooks = HookAuth {
        listener_add: Some(url),
        headers: vec!["cookie".into(), "x-session".into(), "x-none".into()],
        ..HookAuth::default()
    };
    let word = Hooks::new().listener(&hooks, &guest(), &head(), &config()).await;
    assert_eq!(word, Word::Yes(Some(Duration::from_secs(90))));
    let request = asked.await.unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Authorization: Basic bGkgczpwJnc=\r\n"), "{request}");
    assert_eq!(
        body(&request),
        "action=listener_add&server=localhost&port=18998&client=1&mount=%2fa%2emp3%3ftok%3d1%26b%3d2&user=li%20s&pass=p%26w&ip=127%2e0%2e0%2e1&agent=ag%20ent%2f1&ClientHeader.cookie=a%3db&ClientHeader.x-session=s1"
    );
}

#[tokio::test]
async fn a_source_is_asked_for_and_refused_with_the_reason() {
    let (url, asked) = answering("icecast-auth-message: not today\r\n").await;
    let hooks = HookAuth { stream_auth: Some(url), ..HookAuth::default() };
    let who = Who { from: [127, 0, 0, 1].into(), user: "source", password: "zz" };
    let mount = "/a.mp3".parse().unwrap();
    let word = Hooks::new().source(&hooks, &mount, who, true, &config()).await;
    assert_eq!(word, Word::No("not today".into()));
    assert_eq!(
        body(&asked.await.unwrap()),
        "action=stream_auth&mount=%2fa%2emp3&ip=127%2e0%2e0%2e1&server=localhost&port=18998&user=source&pass=zz&admin=1"
    );
}

#[tokio::test]
async fn leaving_and_mounts_are_told_in_icecasts_words() {
    let (gone, told_gone) = answering("").await;
    let (mount, told_mount) = answering("").await;
    let hooks = Arc::new(Hooks::new());
    let policy = HookAuth { listener_remove: Some(gone), ..HookAuth::default() };
    hooks.listener_left(&policy, &guest(), Duration::from_millis(2_900), &config());
    hooks.mount(&mount, "mount_add", &"/a.mp3".parse().unwrap(), policy.timeout, &config());
    let postman = tokio::spawn(async move { hooks.deliver().await });
    assert_eq!(
        body(&told_gone.await.unwrap()),
        "action=listener_remove&server=localhost&port=18998&client=1&mount=%2fa%2emp3%3ftok%3d1%26b%3d2&user=li%20s&pass=p%26w&duration=2&ip=127%2e0%2e0%2e1&agent=ag%20ent%2f1"
    );
    let told = told_mount.await.unwrap();
    assert_eq!(body(&told), "action=mount_add&mount=%2fa%2emp3&server=localhost&port=18998");
    postman.abort();
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let hooks =
        HookAuth { listener_add: Some(url), timeout: Duration::from_millis(50), ..HookAuth::default() };
    assert_eq!(Hooks::new().listener(&hooks, &guest(), &head(), &config()).await, Word::Silence);
}

#[test]
fn the_agreed_field_may_have_any_value_or_be_a_status_line() {
    let reply = |text: &[u8]| Reply::read(text).unwrap().unwrap().0;
    let yes = reply(b"HTTP/1.1 200 OK\r\nX-Ok: fine\r\n\r\n");
    assert!(admits(&yes, "x-ok:") && admits(&yes, "x-ok") && admits(&yes, "X-Ok: fine"));
    assert!(admits(&yes, "HTTP/1.1 200 OK") && !admits(&yes, "HTTP/1.1 204"));
    assert!(!admits(&yes, "x-ok: no") && !admits(&yes, "icecast-auth-user: 1"));
}
