//! A peer as a source: carries its mount on to another server.

use crate::output::Console;
use levada_serve::{
    MountName, Station,
    client::{Client, Target, Uplink, backoff::Backoff, http::Patience, icecast::Introduction},
};
use std::{sync::Arc, time::Duration};

/// Sends what is on `mount` to `target`, whenever something is, until it is dropped.
pub async fn carry(station: Arc<Station>, mount: MountName, target: Target, console: Console) {
    let mut changes = station.mounts.watch();
    let mut backoff = Backoff::default();
    loop {
        let found = station.mounts.find(&mount);
        let live = found.and_then(|mount| Some((mount.source()?, mount.rendition.channel()?)));
        let Some((source, channel)) = live else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let says = Introduction {
            content_type: source.content_type.clone(),
            name: source.name.clone(),
            ..Introduction::default()
        };
        let client = Client::new(super::AGENT, Patience::default());
        let uplink = Uplink::new(client, target.clone(), says, source.format);
        match uplink.connect().await {
            Ok(first) => {
                console.say(format!("feeding {target}"));
                backoff.reset();
                if let Err(why) = uplink.run(first, channel, PATIENCE).await {
                    console.say(format!("{target} is lost: {why}"));
                }
            }
            Err(why) => console.say(format!("{target} does not take the stream: {why}")),
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// A server that is away for longer is asked for the mount from the beginning.
const PATIENCE: Duration = Duration::from_secs(60);
