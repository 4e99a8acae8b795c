//! Mounts that are published on other servers by RTMP: the big video sites, nginx-rtmp, another levada.

use crate::{
    Mount, MountName, Piece, Station,
    client::{
        Client,
        backoff::Backoff,
        http::Patience,
        rtmp::{Error, Feeder, Line, Role, sent_to},
    },
    renditions::{Merge, Output},
};
use levada_channel::{Start, Subscriber};
use levada_rtmp::Address;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

type Key = (MountName, String);

/// Keeps what the configuration says pushed while it has a source, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut running: HashMap<Key, JoinSet<()>> = HashMap::new();
    loop {
        running.retain(|(name, to), task| {
            let wanted = station.mounts.find(name).is_some_and(|mount| wants(&mount, to));
            task.try_join_next();
            wanted && !task.is_empty()
        });
        for mount in station.mounts.list().into_iter().filter(|mount| mount.source().is_some()) {
            for to in mount.policy().push.iter().flatten() {
                let to = to.expose().to_owned();
                running.entry((mount.name.clone(), to.clone())).or_insert_with(|| {
                    let mut task = JoinSet::new();
                    task.spawn(push(mount.clone(), to, station.clone()));
                    task
                });
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep(LOOK) => {}
            () = station.stop.cancelled() => return,
        }
    }
}

fn wants(mount: &Mount, to: &str) -> bool {
    mount.policy().push.iter().flatten().any(|known| known.expose() == to)
}

/// Pushes one mount to one address until the mount has been silent for longer than its listeners are kept.
async fn push(mount: Arc<Mount>, to: String, station: Arc<Station>) {
    let Ok(home) = to.parse::<Address>() else { return };
    let mut address = home.clone();
    let client = Client::new(crate::SERVER, Patience::default());
    let rendition = station.renditions.open(&mount, Output::Flv, Merge::Never, &station);
    let mut live = rendition.watch();
    let channel = loop {
        if let Some(channel) = live.borrow_and_update().clone() {
            break channel;
        }
        if live.changed().await.is_err() {
            return;
        }
    };
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        let why = match Line::connect(&client, &address, Role::Publish).await {
            Ok(mut line) => {
                tracing::info!(mount = %mount.name, to = %address, "push begins");
                match carry(&mut line, &address, channel.subscribe(Start::Entry)).await {
                    Ok(()) => {
                        line.finish().await;
                        return tracing::info!(mount = %mount.name, to = %address, "push ends");
                    }
                    Err(why) => why,
                }
            }
            Err(why) => why,
        };
        if let Error::Moved(to) = why {
            tracing::info!(mount = %mount.name, from = %address, %to, "push moves");
            address = *to;
            continue;
        }
        address.clone_from(&home);
        tracing::warn!(mount = %mount.name, to = %address, %why, "push lost");
        if began.elapsed() > STEADY {
            backoff.reset();
        }
        sleep(if why.is_final() { REFUSED } else { backoff.wait() }).await;
    }
}

/// Sends what is published until the channel ends. One that is too slow loses what the channel cannot hold, and goes
/// on at a key picture.
async fn carry(line: &mut Line, address: &Address, mut subscriber: Subscriber<Piece>) -> Result<(), Error> {
    let mut feeder = Feeder::default();
    let mut skipped = 0;
    loop {
        let piece = tokio::select! {
            piece = subscriber.next() => piece,
            event = line.next() => {
                match sent_to(&event?, address) {
                    Some(to) => return Err(Error::Moved(Box::new(to))),
                    None => continue,
                }
            }
        };
        let Some(Piece(page)) = piece else { return Ok(()) };
        if std::mem::replace(&mut skipped, subscriber.skipped()) != subscriber.skipped() {
            feeder.restart();
        }
        for tag in feeder.feed(&page) {
            line.send(&tag).await?;
        }
    }
}

/// How often it is looked whether a push that ended has to begin again.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that lived so long was a good one.
const STEADY: Duration = Duration::from_secs(30);
/// Whoever refused a key is asked again, since keys are renewed, but not often.
const REFUSED: Duration = Duration::from_secs(60);
