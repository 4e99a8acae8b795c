//! Segments in a folder and in a store that speaks S3, and what happens while those fail.

use crate::{
    bucket::{Bucket, Mood},
    kit::{Rig, until},
};
use anyhow::{Context, Result, ensure};
use std::process::Stdio;
use tokio::process::{Child, Command};

#[tokio::test]
async fn a_folder_has_what_players_play() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().display();
    let rig = Rig::start(&format!("[[mount]]\nname = '/live/*'\nhls_store = '{place}'\n")).await?;
    let _publisher = publish(&rig).await?;
    let list = folder.path().join("live/x/index.m3u8");
    let listed = || std::fs::read_to_string(&list).unwrap_or_default().matches("#EXTINF").count();
    until_slowly("two segments", || listed() >= 2).await?;
    let text = std::fs::read_to_string(&list)?;
    let read = m3u8_rs::parse_media_playlist_res(text.as_bytes()).map_err(|why| anyhow::anyhow!("{why}"))?;
    for segment in &read.segments {
        ensure!(list.with_file_name(&segment.uri).is_file(), "{} is missing", segment.uri);
    }
    plays(&list.display().to_string()).await
}

#[tokio::test]
async fn a_disk_that_fails_is_caught_up_and_nobody_who_watches_notices() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let in_the_way = folder.path().join("live");
    std::fs::write(&in_the_way, "a file where a folder should be")?;
    let place = folder.path().display();
    let rig = Rig::start(&format!("[[mount]]\nname = '/live/*'\nhls_store = '{place}'\n")).await?;
    let _publisher = publish(&rig).await?;
    let live = rig.get("/live/x/index.m3u8").await?;
    ensure!(live.status == 200 && live.text().contains("\nseg-"), "{}", live.text());
    let first = live.text().lines().find(|line| line.starts_with("seg-")).context("no segment")?.to_owned();
    std::fs::remove_file(&in_the_way)?;
    let list = || std::fs::read_to_string(in_the_way.join("x/index.m3u8")).unwrap_or_default();
    until_slowly("the folder to have caught up", || list().matches("#EXTINF").count() >= 2).await?;
    ensure!(list().contains(&first) && !list().contains("#EXT-X-GAP"), "{}", list());
    let segment = rig.get(&format!("/live/x/{first}")).await?;
    ensure!(std::fs::read(in_the_way.join("x").join(&first))? == segment.body, "the same bytes");
    Ok(())
}

#[tokio::test]
async fn a_bucket_has_what_players_play_and_caches_keep() -> Result<()> {
    let bucket = Bucket::start("k", "not a secret").await?;
    let rig = Rig::start(&bucket.config("not a secret")).await?;
    let _publisher = publish(&rig).await?;
    let list = || bucket.text("/bucket/tv/live/x/index.m3u8");
    until_slowly("two segments", || list().matches("#EXTINF").count() >= 2).await?;
    plays(&format!("{}/bucket/tv/live/x/index.m3u8", bucket.url)).await?;
    let segment = list().lines().find(|line| line.starts_with("seg-")).context("no segment")?.to_owned();
    for (name, kind, caching) in [
        ("index.m3u8", "application/vnd.apple.mpegurl", "max-age=1"),
        (&segment, "video/mp4", "max-age=31536000, immutable"),
    ] {
        let head = bucket.head(&format!("/bucket/tv/live/x/{name}")).context("no such object")?;
        let said = |field: &str| head.lines().any(|line| line.eq_ignore_ascii_case(field));
        ensure!(said(&format!("content-type: {kind}")), "{name}: {head}");
        ensure!(said(&format!("cache-control: {caching}")), "{name}: {head}");
    }
    ensure!(bucket.unsigned() == 0, "every request that changes something is signed with the key");
    Ok(())
}

#[tokio::test]
async fn a_store_that_fails_is_caught_up_and_nobody_who_watches_notices() -> Result<()> {
    let bucket = Bucket::start("k", "not a secret").await?;
    bucket.is(Mood::Failing);
    let rig = Rig::start(&bucket.config("not a secret")).await?;
    let _publisher = publish(&rig).await?;
    until_slowly("the store to have refused", || bucket.refused() > 0).await?;
    bucket.is(Mood::Silent);
    let live = rig.get("/live/x/index.m3u8").await?;
    ensure!(live.status == 200 && live.text().contains("\nseg-"), "{}", live.text());
    let first = live.text().lines().find(|line| line.starts_with("seg-")).context("no segment")?.to_owned();
    bucket.is(Mood::Well);
    let list = || bucket.text("/bucket/tv/live/x/index.m3u8");
    until_slowly("the store to have caught up", || list().matches("#EXTINF").count() >= 2).await?;
    ensure!(list().contains(&first) && !list().contains("#EXT-X-GAP"), "{}", list());
    let segment = rig.get(&format!("/live/x/{first}")).await?;
    let stored = bucket.object(&format!("/bucket/tv/live/x/{first}"));
    ensure!(stored.is_some_and(|stored| stored == segment.body), "the same bytes");
    let metrics = rig.get("/metrics").await?.text();
    let stored =
        |line: &&str| line.starts_with("levada_mount_stored_objects_total{") && !line.ends_with(" 0");
    ensure!(metrics.lines().any(|line| stored(&line)), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_key_costs_the_live_stream_nothing() -> Result<()> {
    let bucket = Bucket::start("k", "not a secret").await?;
    let rig = Rig::start(&bucket.config("guessed")).await?;
    let _publisher = publish(&rig).await?;
    until_slowly("the store to have refused", || bucket.unsigned() > 0).await?;
    let live = rig.get("/live/x/index.m3u8").await?;
    ensure!(live.status == 200 && live.text().contains("\nseg-"), "{}", live.text());
    ensure!(bucket.object("/bucket/tv/live/x/index.m3u8").is_none());
    Ok(())
}

/// Whether ffmpeg plays what a playlist lists.
async fn plays(list: &str) -> Result<()> {
    let played = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-allowed_extensions", "ALL", "-t", "2", "-i", list])
        .args(["-f", "null", "-"])
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    Ok(())
}

async fn publish(rig: &Rig) -> Result<Child> {
    let url = format!("icecast://source:hush@{}/live/x", rig.address);
    let publisher = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
        .args(["-c:a", "aac", "-f", "adts", "-content_type", "audio/aac", &url])
        .kill_on_drop(true)
        .spawn()
        .context("ffmpeg is needed for this test")?;
    let name = "/live/x".parse()?;
    let there = || rig.server.station().mounts.find(&name).is_some_and(|mount| mount.source().is_some());
    until("the source is there", there).await?;
    Ok(publisher)
}

/// Segments take their time.
async fn until_slowly(what: &str, condition: impl Fn() -> bool) -> Result<()> {
    for _ in 0..4 {
        if until(what, &condition).await.is_ok() {
            return Ok(());
        }
    }
    until(what, condition).await
}
