//! Time goes forward at every player, whatever a publisher's clock does.

use crate::kit::{Rig, pictures, setup};
use anyhow::{Result, ensure};
use levada_media::container::flv::tag::{Tag, Unwrap};

/// The times of pictures and sound, unwrapped, in the order they came.
fn ticks(tags: &[Tag]) -> Vec<i64> {
    let mut unwrap = Unwrap::default();
    tags.iter().filter(|tag| !tag.is_setup()).map(|tag| unwrap.unwrap(tag.timestamp).0).collect()
}

/// Reads until `count` pictures and sounds have come, setups included.
macro_rules! take {
    ($player:expr, $count:expr) => {{
        let (mut tags, mut media) = (Vec::new(), 0);
        while media < $count {
            let tag = $player.tag().await?;
            media += usize::from(!tag.is_setup());
            tags.push(tag);
        }
        tags
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrap_of_the_clock_at_two_to_the_32_is_nothing_to_players() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    let begin = u32::MAX - 1_000;
    encoder.send(&setup(begin)).await?;
    encoder.send(&pictures(begin, 9)).await?;
    rig.live("/live/tea").await?;
    let mut players = (rig.play("/live/tea?start=fast").await?, rig.get("/live/tea.flv?start=fast").await?);
    let mut native = rig.get("/live/tea").await?;
    let first = (take!(players.0, 2), take!(players.1, 2), take!(native, 2));
    encoder.send(&pictures(begin.wrapping_add(9 * 40), 100)).await?;
    for (name, mut tags, more) in [
        ("RTMP", first.0, take!(players.0, 200)),
        ("HTTP-FLV", first.1, take!(players.1, 200)),
        ("native", first.2, take!(native, 200)),
    ] {
        tags.extend(more);
        let ticks = ticks(&tags);
        let steps: Vec<i64> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        ensure!(steps.iter().all(|step| [0, 40].contains(step)), "{name}: {steps:?}");
        ensure!(ticks.len() == 202, "{name}: {}", ticks.len());
    }
    drop(encoder);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_comes_back_with_time_zero_sends_nobody_back() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/live/*'\nlinger = '10s'\n").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    encoder.send(&setup(90_000)).await?;
    encoder.send(&pictures(90_000, 9)).await?;
    rig.live("/live/tea").await?;
    let mut players = (rig.play("/live/tea").await?, rig.get("/live/tea.flv").await?);
    let mut seen = (take!(players.0, 2), take!(players.1, 2));
    encoder.send(&pictures(90_360, 40)).await?;
    seen.0.extend(take!(players.0, 80));
    seen.1.extend(take!(players.1, 80));
    encoder.finish().await?;
    for _ in 0..2 {
        let mut encoder = rig.publish("/live/tea").await?;
        encoder.send(&setup(0)).await?;
        encoder.send(&pictures(0, 1)).await?;
        // a server that is busy would begin at the newest key picture of many
        seen.0.extend(take!(players.0, 1));
        seen.1.extend(take!(players.1, 1));
        encoder.send(&pictures(40, 39)).await?;
        seen.0.extend(take!(players.0, 79));
        seen.1.extend(take!(players.1, 79));
        encoder.finish().await?;
    }
    for (name, tags) in [("RTMP", seen.0), ("HTTP-FLV", seen.1)] {
        let times: Vec<u32> = tags.iter().map(|tag| tag.timestamp).collect();
        ensure!(times.is_sorted(), "{name}: {times:?}");
    }
    rig.server.stop().await;
    Ok(())
}
