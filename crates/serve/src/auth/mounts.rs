//! Tells other servers which mounts come alive and which are gone, and whatever else they are to be told.

use crate::{MountName, Station};
use std::{collections::HashMap, sync::Arc, time::Duration};
use url::Url;

/// Follows the mounts and tells whoever their policies name, until the server stops.
pub async fn announce(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut alive = HashMap::new();
    loop {
        look(&station, &mut alive);
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
    }
}

/// Tells other servers what they are to be told. When the server stops, what waits already has a second more.
pub async fn deliver(station: Arc<Station>) {
    let last = async {
        station.stop.cancelled().await;
        tokio::time::sleep(LAST).await;
    };
    tokio::select! {
        () = station.auth.hooks.deliver() => {}
        () = last => {}
    }
}

/// Who is told when a mount that is alive goes.
type Alive = HashMap<MountName, Option<(Url, Duration)>>;

fn look(station: &Station, alive: &mut Alive) {
    let (config, hooks) = (station.config(), &station.auth.hooks);
    let mut gone = std::mem::take(alive);
    for mount in station.mounts.list().iter().filter(|mount| mount.source().is_some()) {
        let policy = mount.policy();
        let to_tell = policy.url_auth.as_ref();
        let at_end = to_tell.and_then(|hooks| Some((hooks.mount_remove.clone()?, hooks.timeout)));
        let known = gone.remove(&mount.name).is_some();
        alive.insert(mount.name.clone(), at_end);
        if let Some((url, timeout)) = to_tell.and_then(|told| Some((told.mount_add.as_ref()?, told.timeout)))
            && !known
        {
            hooks.mount(url, "mount_add", &mount.name, timeout, &config);
        }
    }
    for (name, told) in gone {
        let Some((url, timeout)) = told else { continue };
        hooks.mount(&url, "mount_remove", &name, timeout, &config);
    }
}

/// How long after the server's end others may still be told.
const LAST: Duration = Duration::from_secs(1);
