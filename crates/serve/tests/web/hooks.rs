//! Who may publish and play: tokens, and hooks that another server answers.

use crate::kit::{PATIENCE, Rig, Wire, mp3, put, until};
use anyhow::{Context, Result, ensure};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
    time::timeout,
};

/// Another server that is asked, with what it was sent; it answers by the action.
struct Other {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Other {
    async fn start(answer: fn(&str) -> &'static str) -> Result<Other> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let all = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = Vec::new();
                while !is_whole(&text) && stream.read_buf(&mut text).await.is_ok_and(|read| read > 0) {}
                let text = String::from_utf8_lossy(&text).into_owned();
                let said = format!("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", answer(&text));
                all.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                let _gone = stream.write_all(said.as_bytes()).await;
            }
        });
        Ok(Other { url, heard, task })
    }

    fn heard(&self, action: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let action = format!("\"action\":\"{action}\"");
        heard.iter().filter(|text| text.contains(&action)).cloned().collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_whole(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).split_once("\r\n\r\n").is_some_and(|(_, body)| body.ends_with('}'))
}

/// The status of a listener's answer.
async fn status(rig: &Rig, target: &str, fields: &str) -> Result<u16> {
    let mut wire = Wire::connect(rig.address).await?;
    wire.send(&format!("GET {target} HTTP/1.0\r\n{fields}\r\n")).await?;
    Ok(wire.head().await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_every_face_of_a_mount_and_nothing_else_does() -> Result<()> {
    let rig = Rig::start(
        "[[mount]]\nname = '/plain.mp3'\nplay_token = 'tea'\n[[mount]]\nname = '/signed.mp3'\nsigning_key = 'key'\n",
    )
    .await?;
    let mut plain = rig.feed("/plain.mp3", "audio/mpeg", "", &mp3(200)).await?;
    let feeding = tokio::spawn(async move {
        while plain.write_all(&mp3(40)).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let _signed = rig.feed("/signed.mp3", "audio/mpeg", "", &mp3(200)).await?;
    let query = levada_serve::auth::sign(b"key", &"/signed.mp3".parse()?, 4_000_000_000);
    let token = query.replace("exp=", "").replace("&sig=", ".");
    for (target, fields, expected) in [
        ("/plain.mp3", "", 403),
        ("/plain.mp3?token=coffee", "", 403),
        ("/plain.mp3?token=tea", "", 200),
        ("/plain.mp3", "Authorization: Bearer tea\r\n", 200),
        ("/plain.mp3.flv?token=tea", "", 200),
        ("/plain.mp3/index.m3u8", "", 403),
        ("/plain.mp3/index.m3u8?token=tea", "", 200),
        ("/signed.mp3?token=tea", "", 403),
        (&format!("/signed.mp3?{query}"), "", 200),
        (&format!("/signed.mp3?token={token}"), "", 200),
        ("/signed.mp3", &format!("Authorization: Bearer {token}\r\n"), 200),
        (&format!("/plain.mp3?token={token}"), "", 403),
    ] {
        assert_eq!(status(&rig, target, fields).await?, expected, "{target} {fields}");
    }
    let list = rig.get("/plain.mp3/index.m3u8?token=tea").await?.text();
    ensure!(list.lines().any(|line| line.contains(".m") && line.contains("token=tea")), "{list}");
    feeding.abort();
    rig.server.stop().await;
    Ok(())
}

/// Admits the key `right` and the token `tea`, for a while.
fn doorkeeper(call: &str) -> &'static str {
    match call.contains("\"key\":\"right\"") || call.contains("\"key\":\"tea\"") {
        true => "204 No Content\r\nLevada-Stay: 3600",
        false => "403 Forbidden\r\nLevada-Reason: no such key",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_asked_in_signed_json_and_told_when_it_is_over() -> Result<()> {
    let other = Other::start(doorkeeper).await?;
    let url = &other.url;
    let rig = Rig::start(&format!(
        "[[mount]]\nname = '/*'\nhooks = {{ publish = '{url}', unpublish = '{url}', play = '{url}', stop = '{url}', \
         secret = 'hush-hush' }}\n"
    ))
    .await?;
    let fields = "Content-Type: audio/mpeg\r\n";
    ensure!(put(rig.address, "/m.mp3", fields, b"").await.is_err(), "the key is asked for, not our password");
    let login = format!("{fields}{}", crate::kit::basic("source", "right"));
    let mut source = tokio::net::TcpStream::connect(rig.address).await?;
    source.write_all(format!("PUT /m.mp3 HTTP/1.1\r\nHost: x\r\n{login}\r\n").as_bytes()).await?;
    let mut answer = [0; 512];
    let read = timeout(PATIENCE, source.read(&mut answer)).await??;
    ensure!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
    source.write_all(&mp3(50)).await?;
    let name = "/m.mp3".parse()?;
    let mounts = &rig.server.station().mounts;
    until("the source is there", || mounts.find(&name).is_some_and(|mount| !mount.tracks().is_empty()))
        .await?;
    let refused = rig.get("/m.mp3?token=coffee&x=y").await?;
    ensure!(refused.status == 401 && refused.text().contains("no such key"), "{refused:?}");
    let mut player = Wire::connect(rig.address).await?;
    player.send("GET /m.mp3?token=tea&x=y HTTP/1.0\r\nUser-Agent: p\"1\r\n\r\n").await?;
    assert_eq!(player.head().await?.status, 200);
    drop(player);
    until("the player's end is told", || !other.heard("stop").is_empty()).await?;
    drop(source);
    until("the source's end is told", || !other.heard("unpublish").is_empty()).await?;
    let play = other.heard("play").pop().context("a call")?;
    for part in [
        r#""mount":"/m.mp3","ip":"127.0.0.1""#,
        r#""key":"tea","agent":"p\"1","query":"token=tea&x=y","session":"#,
        "Content-Type: application/json\r\n",
    ] {
        ensure!(play.contains(part), "{part} is not in {play}");
    }
    let field = |name: &str| play.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let (time, signature) = (field("Levada-Timestamp: "), field("Levada-Signature: "));
    let body = play.split_once("\r\n\r\n").context("a body")?.1;
    ensure!(
        signature.context("signed")? == hmac(b"hush-hush", &format!("{}.{body}", time.context("dated")?))?
    );
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_refuses_and_says_why() -> Result<()> {
    let other = Other::start(|_| "500 Oh No").await?;
    let rig = Rig::start(&format!(
        "[[mount]]\nname = '/m.mp3'\nhooks = {{ play = '{}', secret = 's' }}\n",
        other.url
    ))
    .await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let reply = rig.get("/m.mp3").await?;
    ensure!(reply.status == 503 && reply.text().contains("does not answer"), "{reply:?}");
    rig.server.stop().await;
    Ok(())
}

/// What `openssl dgst -sha256 -hmac` says.
fn hmac(key: &[u8], text: &str) -> Result<String> {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };
    let key = std::str::from_utf8(key)?;
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("openssl")?;
    openssl.stdin.take().context("a pipe")?.write_all(text.as_bytes())?;
    let out = String::from_utf8(openssl.wait_with_output()?.stdout)?;
    Ok(out.rsplit(' ').next().unwrap_or_default().trim().to_owned())
}
