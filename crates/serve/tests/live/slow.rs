//! Players that do not read, and publishers that send more than anybody asked for.

use crate::kit::{Rig, picture, setup, until};
use anyhow::{Context, Result, ensure};
use levada_serve::Tempo;
use std::{
    fs,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// Bytes that this process has in memory.
fn memory() -> Result<usize> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages: usize = text.split(' ').nth(1).context("resident pages")?.parse()?;
    Ok(pages * 4096)
}

/// One after the other: what they measure is the whole process. The publisher is twenty times as fast as its clock.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_skipped_to_key_frames_then_dropped_and_a_flood_is_bounded() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    encoder.send(&setup(0)).await?;
    encoder.send(&picture(0, true, 0, 12_500)).await?;
    rig.live("/live/tea").await?;
    let mut reader = rig.play("/live/tea").await?;
    let reading = tokio::spawn(async move {
        let (mut pictures, mut last) = (0u32, 0);
        while let Ok(tag) = reader.tag().await {
            assert!(tag.timestamp >= last, "time goes forward");
            last = tag.timestamp;
            pictures += u32::from(tag.payload.len() > 10_000);
        }
        pictures
    });
    // fill the window that everybody shares before it is measured
    let mut number = 1;
    feed(&mut encoder, &mut number, 500).await?;
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let mut player = rig.play("/live/tea").await?;
        player.tag().await?;
        stalled.push(player);
    }
    let name = "/live/tea".parse()?;
    let mount = rig.server.station().mounts.find(&name).context("a mount")?;
    until("all are there", || mount.listeners() == STALLED + 1).await?;
    let sessions = rig.server.station().sessions.of(&name);
    let before = memory()?;
    let (mut most, late) = (0, Instant::now() + Duration::from_secs(60));
    while mount.stats.slow.load(Relaxed) < STALLED as u64 {
        ensure!(Instant::now() < late, "{} dropped", mount.stats.slow.load(Relaxed));
        feed(&mut encoder, &mut number, 50).await?;
        most = most.max(memory()?);
    }
    let grown = most.saturating_sub(before);
    ensure!(grown < STALLED * (4 << 20), "{grown} bytes for {STALLED} players that do not read");
    for session in sessions.iter().filter(|session| session.skips.load(Relaxed) > 0) {
        let Tempo { pages, missed, .. } = session.meter.tempo();
        ensure!(missed > 100 && pages > 0, "{missed} missed, {pages} sent");
    }
    let skipped = sessions.iter().filter(|session| session.skips.load(Relaxed) > 0).count();
    ensure!(skipped >= STALLED, "{skipped} were skipped first");
    ensure!(mount.listeners() == 1, "who reads stays");
    // 300 MB at once, by a publisher that knows no bounds
    let before = memory()?;
    let began = Instant::now();
    for _ in 0..100 {
        let flood: Vec<_> = (0..3).flat_map(|_| picture(number * 40, true, number, 1_000_000)).collect();
        encoder.send(&flood).await?;
        most = most.max(memory()?);
        ensure!(began.elapsed() < Duration::from_secs(60), "the server does not read");
    }
    let grown = most.saturating_sub(before);
    ensure!(grown < FLOODED, "{grown} bytes of 300 MB are kept");
    encoder.finish().await?;
    rig.server.stop().await;
    ensure!(reading.await? > 500, "who reads is not disturbed");
    Ok(())
}

/// Sends `count` pictures, a key each second, 800 a second at most.
async fn feed(encoder: &mut crate::kit::Client, number: &mut u32, count: u32) -> Result<()> {
    for _ in 0..count {
        encoder.send(&picture(*number * 40, number.is_multiple_of(25), *number, 12_500)).await?;
        *number += 1;
        if number.is_multiple_of(20) {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    Ok(())
}

const STALLED: usize = 10;
/// The channel, a reel for each reactor and rendition, and what is on its way.
const FLOODED: usize = 150 << 20;
