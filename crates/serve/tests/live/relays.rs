//! An RTMP publisher's mount on another levada, which takes it in its native form.

use crate::kit::{Rig, pictures, setup, until};
use anyhow::{Result, ensure};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_by_rtmp_is_relayed_and_seen_everywhere() -> Result<()> {
    let origin = Rig::start_as("origin", "").await?;
    let edge = format!("[[relay]]\nfrom = ['http://{}/live/tea']\n", origin.http);
    let edge = Rig::start_as("edge", &edge).await?;
    let mut encoder = origin.publish("/live/tea").await?;
    encoder.send(&setup(0)).await?;
    let feeding = tokio::spawn(async move {
        for at in (0..).step_by(320) {
            if encoder.send(&pictures(at, 8)).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    origin.live("/live/tea").await?;
    edge.live("/live/tea").await?;
    let (mut by_rtmp, mut by_http) = (edge.play("/live/tea").await?, edge.get("/live/tea.flv").await?);
    for _ in 0..40 {
        by_rtmp.tag().await?;
        by_http.tag().await?;
    }
    for rig in [&origin, &edge] {
        for path in ["/status-json.xsl", "/", "/api/v1/mounts"] {
            ensure!(rig.text(path).await?.contains("/live/tea"), "{path}");
        }
    }
    let relays = (origin.text("/api/v1/relays").await?, edge.text("/api/v1/relays").await?);
    ensure!(relays.0.contains("\"children\":[{\"mount\":\"/live/tea\",\"id\":\"edge\""), "{}", relays.0);
    ensure!(relays.1.contains("\"via\":[\"origin\"]"), "{}", relays.1);
    // its children at the edge are listeners there, and one listener here
    let name = "/live/tea".parse()?;
    let mount = origin.server.station().mounts.find(&name);
    until("one relay", || mount.as_ref().is_some_and(|mount| mount.listeners() == 1)).await?;
    feeding.abort();
    edge.server.stop().await;
    origin.server.stop().await;
    Ok(())
}
