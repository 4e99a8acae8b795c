//! Server-sent events.

use crate::kit::{Rig, Wire, mp3};
use anyhow::{Result, ensure};
use serde_json::Value;

/// Reads events until one of `kind`, and returns what it says.
async fn next(wire: &mut Wire, kind: &str) -> Result<Value> {
    for _ in 0..100 {
        let chunk = String::from_utf8(wire.chunk().await?)?;
        ensure!(chunk.ends_with("\n\n"), "a torn event: {chunk:?}");
        let Some((name, data)) = chunk.trim_end().split_once('\n') else { continue };
        if name == format!("event: {kind}") {
            return Ok(serde_json::from_str(data.trim_start_matches("data: "))?);
        }
    }
    anyhow::bail!("no {kind} came")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_told_as_it_happens() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/m.mp3'\n").await?;
    let mut wire = Wire::connect(rig.address).await?;
    wire.send("GET /api/v1/events HTTP/1.1\r\nHost: h\r\n\r\n").await?;
    let head = wire.head().await?;
    ensure!(head.field("content-type") == Some("text/event-stream"), "{head:?}");
    ensure!(head.field("cache-control").is_some_and(|value| value.contains("no-cache")));
    let hello = next(&mut wire, "hello").await?;
    assert_eq!(hello[0]["name"], "/m.mp3");
    assert_eq!(hello[0]["live"], false);
    let source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let event = next(&mut wire, "source").await?;
    assert_eq!((&event["name"], &event["live"]), (&"/m.mp3".into(), &true.into()));
    rig.admin("/admin/metadata?mount=/m.mp3&mode=updinfo&song=%3Cb%3E").await?;
    assert_eq!(next(&mut wire, "title").await?["title"]["title"], "<b>");
    let listener = rig.listen("/m.mp3").await?;
    assert_eq!(next(&mut wire, "listeners").await?["listeners"], 1);
    drop(listener);
    drop(source);
    assert_eq!(next(&mut wire, "source").await?["live"], false);
    rig.server.stop().await;
    ensure!(wire.rest().await?.ends_with(b"0\r\n\r\n"), "the server's end is a proper end");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_leaves_frees_its_connection() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut wire = Wire::connect(rig.address).await?;
    wire.send("GET /api/v1/events HTTP/1.1\r\nHost: h\r\n\r\n").await?;
    next_head(&mut wire).await?;
    let connections = &rig.server.station().counters.connections;
    crate::kit::until("it is counted", || connections.load(std::sync::atomic::Ordering::Relaxed) == 1)
        .await?;
    drop(wire);
    crate::kit::until("it is gone", || connections.load(std::sync::atomic::Ordering::Relaxed) == 0).await?;
    rig.server.stop().await;
    Ok(())
}

async fn next_head(wire: &mut Wire) -> Result<()> {
    ensure!(wire.head().await?.status == 200);
    Ok(())
}
