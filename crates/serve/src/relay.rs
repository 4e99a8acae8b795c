//! Streams taken from other servers: one mount of a parent, all of them, or those that fit a pattern.

mod feed;
mod intake;
mod list;
pub mod push;
mod segments;
mod via;

pub use via::Via;

use crate::{
    MountName, Station,
    client::{Client, http::Patience},
    config::RelayConfig,
};
use feed::Feed;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use url::Url;

/// Keeps the relays of the configuration running, also when it changes, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut running: Vec<(RelayConfig, JoinSet<()>)> = Vec::new();
    let mut seen = None;
    loop {
        let config = station.config();
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &config)) {
            running.retain(|(relay, _)| config.relay.contains(relay));
            for relay in &config.relay {
                if !running.iter().any(|(known, _)| known == relay) {
                    let mut task = JoinSet::new();
                    task.spawn(follow(station.clone(), relay.clone()));
                    running.push((relay.clone(), task));
                }
            }
            seen = Some(config);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
    }
}

/// Runs one relay of the configuration.
async fn follow(station: Arc<Station>, relay: RelayConfig) {
    let whole: Vec<&Url> = relay.from.iter().filter(|url| url.path().len() > 1).collect();
    match whole.first() {
        Some(first) => {
            let path = percent_encoding::percent_decode_str(first.path()).decode_utf8_lossy();
            // the address of a playlist is that of a stream with something behind it
            let path = path.strip_suffix(".m3u8").map_or(&*path, |path| path.trim_end_matches("/index"));
            let same = path.parse().ok();
            let Some(name) = relay.mount.clone().or(same) else {
                return tracing::error!(from = %feed::shown(first), "the relay needs a mount name of its own");
            };
            let parents = whole.into_iter().map(|url| with_user(url, &relay)).collect();
            Feed::new(station, name, parents, relay.on_demand).run().await;
        }
        None => follow_all(station, relay).await,
    }
}

/// Takes what a parent lists. The first parent that answers is believed; each stream has them all to fall back on.
async fn follow_all(station: Arc<Station>, relay: RelayConfig) {
    let parents: Vec<Url> = relay.from.iter().map(|url| with_user(url, &relay)).collect();
    let Some(first) = parents.first() else { return tracing::error!("a relay without a parent") };
    let patience = feed::patience(parents.len());
    let client = Client::new(crate::SERVER, patience);
    // events may be rare; how long one waits for them is `every`
    let patient = Client::new(crate::SERVER, Patience { silence: SELDOM, ..patience });
    let every = relay.every.clamp(OFTEN, SELDOM);
    let mut feeds: BTreeMap<MountName, JoinSet<()>> = BTreeMap::new();
    let mut complained = false;
    loop {
        let next = Instant::now() + every;
        match list::mounts(&client, &parents).await {
            Ok((names, parent)) => {
                complained = false;
                let fits = |name: &MountName| crate::config::matches(&relay.pattern, name.as_str());
                keep(&station, &mut feeds, &relay, &parents, names.into_iter().filter(fits).collect());
                list::changed(&patient, parent, next).await;
            }
            Err(why) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(from = %feed::shown(first), %why, "the parent's list cannot be read");
                }
                sleep_until(next.min(Instant::now() + AGAIN)).await;
            }
        }
    }
}

/// Begins to pull what is new in `names`, which are sorted, and stops what is gone from them and silent.
fn keep(
    station: &Arc<Station>,
    feeds: &mut BTreeMap<MountName, JoinSet<()>>,
    relay: &RelayConfig,
    parents: &[Url],
    names: Vec<MountName>,
) {
    let alive = |name: &MountName| station.mounts.find(name).is_some_and(|mount| mount.source().is_some());
    feeds.retain(|name, _| names.binary_search(name).is_ok() || alive(name));
    for name in names {
        feeds.entry(name).or_insert_with_key(|name| {
            let at = |parent: &Url| {
                let mut url = parent.clone();
                url.set_path(name.as_str());
                url
            };
            let parents = parents.iter().map(at).collect();
            let mut task = JoinSet::new();
            task.spawn(Feed::new(station.clone(), name.clone(), parents, relay.on_demand).run());
            task
        });
    }
}

/// The parent's address with the relay's user and password, if it has one.
fn with_user(url: &Url, relay: &RelayConfig) -> Url {
    let mut url = url.clone();
    if let (Some(password), None) = (&relay.password, url.password()) {
        let _cannot = url.set_username(&relay.user);
        let _cannot = url.set_password(Some(password.expose()));
    }
    url
}

/// A parent's list is not read more often, whatever the configuration says,
const OFTEN: Duration = Duration::from_millis(200);
/// nor less often than this.
const SELDOM: Duration = Duration::from_secs(86_400);
/// A parent that is away is looked for this often.
const AGAIN: Duration = Duration::from_secs(1);
