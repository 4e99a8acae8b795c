//! Segments in a folder, and one that fails for a while.

use crate::kit::{Rig, until};
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
    let played = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-allowed_extensions", "ALL", "-t", "2", "-i"])
        .arg(&list)
        .args(["-f", "null", "-"])
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    Ok(())
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
