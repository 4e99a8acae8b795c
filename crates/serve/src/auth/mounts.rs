//! Tells other servers which mounts come alive and which are gone, and whatever else they are to be told.

use super::callback::Call;
use crate::{MountName, Source, Station, config::MountHooks};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
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

/// Who is told when a mount that is alive goes, and when its source does.
type Alive = HashMap<MountName, Watched>;

struct Watched {
    at_end: Option<(Url, Duration)>,
    source: Arc<Source>,
    hooks: Option<MountHooks>,
}

fn look(station: &Station, alive: &mut Alive) {
    let (config, hooks) = (station.config(), &station.auth.hooks);
    let mut gone = std::mem::take(alive);
    for mount in station.mounts.list() {
        let Some(source) = mount.source() else { continue };
        let policy = mount.policy();
        let to_tell = policy.url_auth.as_ref();
        let at_end = to_tell.and_then(|hooks| Some((hooks.mount_remove.clone()?, hooks.timeout)));
        let before = gone.remove(&mount.name);
        let known = before.is_some();
        before
            .filter(|before| !Arc::ptr_eq(&before.source, &source))
            .inspect(|before| before.unpublished(&mount.name, station));
        let watched = Watched { at_end, source, hooks: policy.hooks.clone() };
        alive.insert(mount.name.clone(), watched);
        if let Some((url, timeout)) = to_tell.and_then(|told| Some((told.mount_add.as_ref()?, told.timeout)))
            && !known
        {
            hooks.mount(url, "mount_add", &mount.name, timeout, &config);
        }
    }
    for (name, told) in gone {
        told.unpublished(&name, station);
        let Some((url, timeout)) = told.at_end else { continue };
        hooks.mount(&url, "mount_remove", &name, timeout, &config);
    }
}

impl Watched {
    /// Its source has gone.
    fn unpublished(&self, mount: &MountName, station: &Station) {
        let Some((hooks, url)) =
            self.hooks.as_ref().and_then(|hooks| Some((hooks, hooks.unpublish.as_ref()?)))
        else {
            return;
        };
        let stay = SystemTime::now().duration_since(self.source.since).unwrap_or_default();
        let Source { peer, user, agent, .. } = &*self.source;
        let call = Call { ip: *peer, user, agent, ..Call::new("unpublish", mount) };
        station.auth.hooks.tell(url, hooks, &Call { seconds: Some(stay.as_secs()), ..call });
    }
}

/// How long after the server's end others may still be told.
const LAST: Duration = Duration::from_secs(1);
