//! How requests and answers share a connection.

use crate::kit::{PATIENCE, Rig, Wire, basic, mp3};
use anyhow::{Result, ensure};
use std::time::Duration;
use tokio::{io::AsyncWriteExt, time::timeout};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_follow_a_page_on_the_same_connection() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let mut wire = Wire::connect(rig.address).await?;
    let page = "GET /status-json.xsl HTTP/1.1\r\nHost: h\r\n\r\n";
    wire.send(&format!("{page}{page}")).await?;
    for _ in 0..2 {
        let reply = wire.reply("GET").await?;
        ensure!(reply.status == 200 && reply.field("connection") == Some("Keep-Alive"), "{reply:?}");
        reply.json()?;
    }
    wire.send("HEAD /status-json.xsl HTTP/1.1\r\nHost: h\r\n\r\n").await?;
    let head = wire.reply("HEAD").await?;
    ensure!(head.field("content-length").is_some_and(|length| length != "0"), "{head:?}");
    wire.send("GET /m.mp3 HTTP/1.1\r\nHost: h\r\n\r\n").await?;
    let stream = wire.head().await?;
    ensure!((stream.status, stream.field("content-type")) == (200, Some("audio/mpeg")), "{stream:?}");
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_are_answered_in_their_version_and_closed() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut wire = Wire::connect(rig.address).await?;
    wire.send("GET /status-json.xsl HTTP/1.0\r\n\r\n").await?;
    let reply = wire.reply("GET").await?;
    ensure!(reply.version == "HTTP/1.0" && reply.field("connection") == Some("Close"), "{reply:?}");
    ensure!(wire.rest().await?.is_empty());
    let mut wire = Wire::connect(rig.address).await?;
    wire.send("GET /api/v1/events HTTP/1.0\r\n\r\n").await?;
    let reply = wire.head().await?;
    ensure!(
        reply.field("transfer-encoding").is_none() && reply.field("connection") == Some("Close"),
        "{reply:?}"
    );
    rig.server.stop().await;
    ensure!(
        wire.rest().await?.starts_with(b"event: hello\n"),
        "the end of the server is the end of the body"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_come_in_every_framing_and_oversized_ones_are_refused() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(1)).await?;
    let form = "mode=updinfo&mount=/m.mp3&song=a+b";
    let auth = basic("source", "hush") + "Content-Type: application/x-www-form-urlencoded\r\n";
    let mount = rig.server.station().mounts.find(&"/m.mp3".parse()?).expect("it is fed");
    let counted = rig.ask("POST", "/admin/metadata", &auth, form).await?;
    ensure!(counted.status == 200 && mount.tags().line() == "a b", "{counted:?}");

    let mut wire = Wire::connect(rig.address).await?;
    let post = format!("POST /admin/metadata HTTP/1.1\r\nHost: h\r\n{auth}");
    let (first, second) = form.split_at(10);
    wire.send(&format!("{post}Transfer-Encoding: chunked\r\n\r\na\r\n{first}\r\n")).await?;
    wire.send(&format!("{:x}\r\n{second}d\r\n0\r\n\r\n", second.len() + 1)).await?;
    let chunked = wire.reply("POST").await?;
    ensure!(chunked.status == 200 && mount.tags().line() == "a bd", "{chunked:?}");
    ensure!(chunked.field("connection") == Some("Close"), "what follows chunks is never guessed at");

    let mut wire = Wire::connect(rig.address).await?;
    wire.send(&format!("{post}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", form.len())).await?;
    ensure!(wire.head().await?.status == 100);
    wire.send(form).await?;
    ensure!(wire.reply("POST").await?.status == 200 && mount.tags().line() == "a b");

    for (fields, status) in [
        ("Content-Length: 70000\r\n", 413),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: x\r\n", 400),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 400),
    ] {
        let mut wire = Wire::connect(rig.address).await?;
        wire.send(&format!("{post}{fields}\r\nxx\r\n\r\n\r\n")).await?;
        let reply = wire.reply("POST").await?;
        ensure!(reply.status == status, "{fields:?} was answered {reply:?}");
    }
    let mut wire = Wire::connect(rig.address).await?;
    wire.send(&format!("{post}Transfer-Encoding: chunked\r\n\r\n")).await?;
    let flood = format!("8000\r\n{}\r\n", "a".repeat(0x8000));
    for _ in 0..3 {
        // The last of them may find the door closed already.
        let _closed = wire.stream.write_all(flood.as_bytes()).await;
    }
    ensure!(wire.head().await?.status == 413);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_fields() -> Result<()> {
    let rig = Rig::start("[http]\nframe_ancestors = [\"'self'\", 'https://radio.example']\n").await?;
    for path in
        ["/", "/status-json.xsl", "/api/v1/mounts", "/metrics", "/nothing", "/admin/stats", "/admin/x"]
    {
        let reply = rig.get(path).await?;
        let policy = reply.field("content-security-policy").unwrap_or_default();
        ensure!(policy.starts_with("default-src 'self';"), "{path}: {policy}");
        ensure!(policy.ends_with("frame-ancestors 'self' https://radio.example"), "{path}: {policy}");
        ensure!(!policy.contains("unsafe"), "{path}: {policy}");
        ensure!(reply.field("x-content-type-options") == Some("nosniff"), "{path}");
    }
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_pages_may_read_what_is_public_and_change_nothing() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(1)).await?;
    for path in ["/status-json.xsl", "/m.mp3.m3u", "/m.mp3.xspf", "/api/v1/mounts", "/api/v1/server"] {
        let reply = rig.get(path).await?;
        ensure!(
            (reply.status, reply.field("access-control-allow-origin")) == (200, Some("*")),
            "{path} {reply:?}"
        );
    }
    for path in ["/status-json.xsl", "/api/v1/mounts", "/api/v1/events", "/m.mp3"] {
        let reply = rig.ask("OPTIONS", path, "Origin: http://player.example\r\n", "").await?;
        let allowed = reply.field("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
        ensure!(matches!(reply.status, 200 | 204) && allowed.contains("icy-metadata"), "{path} {reply:?}");
        ensure!(!allowed.contains("authorization"), "{path}");
    }
    let foreign = basic("admin", "adm") + "Sec-Fetch-Site: cross-site\r\n";
    let reply = rig.ask("GET", "/admin/killsource?mount=/m.mp3", &foreign, "").await?;
    ensure!(reply.status == 403, "{reply:?}");
    let foreign = basic("admin", "adm") + "Origin: http://evil.example\r\n";
    let reply = rig.ask("DELETE", "/api/v1/mounts/m.mp3/source", &foreign, "").await?;
    ensure!(reply.status == 403, "{reply:?}");
    ensure!(
        rig.server.station().mounts.find(&"/m.mp3".parse()?).is_some_and(|mount| mount.source().is_some())
    );
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_half_a_form_is_not_waited_for_for_ever() -> Result<()> {
    let rig = Rig::start("[limits]\nhead_timeout = '300ms'\n").await?;
    let mut wire = Wire::connect(rig.address).await?;
    wire.send("POST /admin/metadata HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await?;
    let reply = timeout(PATIENCE, wire.reply("POST")).await??;
    ensure!(reply.status == 408, "{reply:?}");
    let mut wire = Wire::connect(rig.address).await?;
    wire.send("GET /status-json.xsl HTTP/1.1\r\nHost: h\r\n\r\n").await?;
    wire.reply("GET").await?;
    ensure!(
        timeout(Duration::from_secs(5), wire.rest()).await??.is_empty(),
        "an idle connection is closed silently"
    );
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_name_the_server_as_the_client_did() -> Result<()> {
    let rig = Rig::start("[server]\nhostname = 'radio.example'\n").await?;
    let _source = rig.feed("/a/m.mp3", "audio/mpeg", "ice-name: N & <m>\r\n", &mp3(1)).await?;
    let with_host =
        |host: &str| format!("GET /a/m.mp3.m3u HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for (host, address) in [
        ("here:1", "http://here:1/a/m.mp3\r\n".to_owned()),
        ("<script>", format!("http://radio.example:{}/a/m.mp3\r\n", rig.address.port())),
    ] {
        let mut wire = Wire::connect(rig.address).await?;
        wire.send(&with_host(host)).await?;
        let reply = wire.reply("GET").await?;
        ensure!((reply.status, reply.field("content-type")) == (200, Some("audio/x-mpegurl")), "{reply:?}");
        ensure!(reply.text() == address, "{}", reply.text());
    }
    let xspf = rig.get("/a/m.mp3.xspf").await?.text();
    ensure!(
        xspf.contains(&format!("<location>http://radio.example:{}/a/m.mp3</location>", rig.address.port()))
    );
    ensure!(xspf.contains("Stream Title: N &amp; &lt;m&gt;"), "{xspf}");
    ensure!(rig.get("/a/m.mp3.pls").await?.text().contains("Title1=N & <m>\n"));
    ensure!(rig.get("/b.m3u").await?.status == 404);
    rig.server.stop().await;
    Ok(())
}
