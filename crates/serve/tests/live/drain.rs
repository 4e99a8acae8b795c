//! A server that stops asks those who know how to connect anew (enhanced RTMP v2), and ends the others well.

use crate::kit::{Rig, picture, pictures, setup};
use anyhow::{Result, ensure};
use levada_rtmp::client::{Closed, Event};

#[tokio::test(flavor = "multi_thread")]
async fn publishers_and_players_are_asked_to_connect_anew_when_the_server_stops() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    encoder.send(&setup(0)).await?;
    encoder.send(&pictures(0, 20)).await?;
    rig.live("/live/tea").await?;
    let (mut player, mut old) = (rig.play("/live/tea").await?, rig.play_old("/live/tea").await?);
    player.tag().await?;
    old.tag().await?;
    let stopping = tokio::spawn(rig.server.stop());
    let asked = loop {
        if let Event::Reconnect { tc_url, description } = encoder.next().await? {
            break (tc_url, description);
        }
    };
    assert_eq!(asked, (None, "the server stops".into()));
    // it goes on until it has a picture to begin with elsewhere
    encoder.send(&picture(800, true, 20, 100)).await?;
    encoder.finish().await?;
    let mut events = Vec::new();
    let end = loop {
        match player.next().await {
            Ok(Event::Tag(_)) => {}
            Ok(event) => events.push(event),
            Err(end) => break end,
        }
    };
    ensure!(matches!(events[..], [Event::Reconnect { .. }]), "{events:?}");
    assert_eq!(end.downcast_ref::<Closed>(), Some(&Closed::Ended));
    let end = loop {
        match old.next().await {
            Ok(Event::Tag(_)) => {}
            Ok(event) => panic!("an old player is told {event:?}"),
            Err(end) => break end,
        }
    };
    assert_eq!(end.downcast_ref::<Closed>(), Some(&Closed::Ended));
    stopping.await?;
    Ok(())
}
