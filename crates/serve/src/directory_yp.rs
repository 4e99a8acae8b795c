//! Announces public mounts to stream directories (YP): `add`, `touch` as often as the directory wants, `remove`.

mod announcer;
mod form;

pub use announcer::{Announcer, Call, Deed, Said};
pub use form::Facts;

use crate::{
    Config, Mount, Station,
    client::{Client, http::Patience},
    http::Reply,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use url::Url;

/// Keeps every directory told until the server stops, and takes everything back then.
pub async fn run(station: Arc<Station>) {
    let client = Client::new(crate::SERVER, Patience::default());
    let mut announcer = Announcer::default();
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(done) = calls.join_next() => {
                if let Ok((call, said)) = done {
                    announcer.heard(&call, said, Instant::now());
                }
                continue;
            }
            () = station.stop.cancelled() => break,
        }
        let wanted = wanted(&station);
        for call in announcer.due(&wanted, AT_ONCE.saturating_sub(calls.len()), Instant::now()) {
            calls.spawn(make(client.clone(), call));
        }
    }
    calls.abort_all();
    let farewell = async {
        let mut calls: JoinSet<_> =
            announcer.farewell().into_iter().map(|call| make(client.clone(), call)).collect();
        while calls.join_next().await.is_some() {}
    };
    let _in_time = tokio::time::timeout(FAREWELL, farewell).await;
}

/// Which mounts are to be in which directories now, and what is said of them.
fn wanted(station: &Station) -> Vec<(Url, Duration, Facts)> {
    let config = station.config();
    if config.directory.is_empty() {
        return Vec::new();
    }
    let facts: Vec<_> = station.mounts.list().iter().filter_map(|mount| facts(mount, &config)).collect();
    let each = |facts: &Facts| {
        let facts = facts.clone();
        config.directory.iter().map(move |to| (to.url.clone(), to.timeout, facts.clone())).collect::<Vec<_>>()
    };
    facts.iter().flat_map(each).collect()
}

/// What is said of a mount, if it is alive, public, and can be reached by a name.
fn facts(mount: &Mount, config: &Config) -> Option<Facts> {
    let source = mount.source().filter(|source| source.public)?;
    let policy = mount.policy();
    if policy.hidden {
        return None;
    }
    let most = policy.max_listeners.unwrap_or(config.limits.listeners);
    Some(Facts::of(mount, &source, address(config)? + mount.name.as_str(), most))
}

/// The server's address as the world knows it.
fn address(config: &Config) -> Option<String> {
    let name = config.server.hostname.as_ref()?;
    let port = config.http.listen.first().map_or(80, |address| address.port());
    let secure = config.http.certificate.is_some() || config.http.acme.is_some();
    let scheme = if secure { "https" } else { "http" };
    Some(match (name.contains(':'), secure, port) {
        (true, _, _) | (_, false, 80) | (_, true, 443) => format!("{scheme}://{name}"),
        _ => format!("{scheme}://{name}:{port}"),
    })
}

async fn make(client: Client, call: Call) -> (Call, Said) {
    let said = match client.post(&call.directory, &call.form, call.patience).await {
        Ok(reply) => said(&reply),
        Err(why) => Said::No(why.to_string()),
    };
    if let Said::No(why) = &said {
        tracing::warn!(host = call.directory.host_str(), mount = %call.mount, deed = ?call.deed, why, "not listed");
    }
    (call, said)
}

fn said(reply: &Reply) -> Said {
    let field = |name: &str| reply.field(name).map(str::trim);
    if field("ypresponse") != Some("1") {
        return Said::No(field("ypmessage").unwrap_or("no reason given").to_owned());
    }
    let seconds = field("touchfreq").and_then(|value| value.parse().ok());
    Said::Yes { sid: field("sid").map(str::to_owned), every: seconds.map(Duration::from_secs) }
}

const LOOK: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 8;
const FAREWELL: Duration = Duration::from_secs(2);
