//! What the API tells.

use super::{ChildView, ListenerView, MountView, ParentView, Problem, RelaysView, ServerView};
use crate::{Mount, MountName, Origin, history::HistoryView, ordinary::Caller, stamp};
use axum::{Json, extract::Path};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

/// The server itself.
#[utoipa::path(get, path = "/api/v1/server", tag = "read", responses((status = 200, body = ServerView)))]
pub(super) async fn server(caller: Caller) -> Json<ServerView> {
    let station = &caller.station;
    let config = station.config();
    Json(ServerView {
        software: crate::SERVER,
        id: station.id.clone(),
        started: stamp::rfc3339(station.started),
        location: config.server.location.clone(),
        admin: config.server.admin.clone(),
        listeners: station.sessions.count(),
        sources: station.mounts.sources(),
        connections: station.counters.connections.load(Relaxed),
        sent: station.egress.stats().reactors.iter().map(|reactor| reactor.bytes).sum(),
    })
}

/// Every mount; hidden ones are shown to the administrator only.
#[utoipa::path(get, path = "/api/v1/mounts", tag = "read",
    responses((status = 200, body = Vec<MountView>), (status = 401, body = Problem)))]
pub(super) async fn list(caller: Caller) -> Result<Json<Vec<MountView>>, Problem> {
    let admin = caller.reads_as_admin().await?;
    let base = caller.named_base();
    let mounts = caller.station.mounts.list();
    let served = caller.station.egress.stats();
    let shown = mounts.iter().filter(|mount| admin || !mount.policy().hidden);
    Ok(Json(shown.map(|mount| MountView::of(&caller.station, &served, mount, &base, admin)).collect()))
}

/// One mount. Its name is one percent-encoded part of the path, with or without the slash in front.
#[utoipa::path(get, path = "/api/v1/mounts/{name}", tag = "read", params(("name" = String, Path)),
    responses((status = 200, body = MountView), (status = 404, body = Problem)))]
pub(super) async fn one(caller: Caller, Path(name): Path<String>) -> Result<Json<MountView>, Problem> {
    let admin = caller.reads_as_admin().await?;
    let mount = shown(&caller, &name, admin)?;
    let served = caller.station.egress.stats();
    Ok(Json(MountView::of(&caller.station, &served, &mount, &caller.named_base(), admin)))
}

/// Listeners and bit rates of a mount over time: every 5 s for an hour, every minute for a day.
#[utoipa::path(get, path = "/api/v1/mounts/{name}/history", tag = "read", params(("name" = String, Path)),
    responses((status = 200, body = HistoryView), (status = 404, body = Problem)))]
pub(super) async fn history(caller: Caller, Path(name): Path<String>) -> Result<Json<HistoryView>, Problem> {
    let admin = caller.reads_as_admin().await?;
    let mount = shown(&caller, &name, admin)?;
    Ok(Json(caller.station.history.view(&mount.name)))
}

/// The listeners of a mount, with their addresses. For the administrator.
#[utoipa::path(get, path = "/api/v1/mounts/{name}/listeners", tag = "administer",
    params(("name" = String, Path)), security(("basic" = []), ("token" = [])),
    responses((status = 200, body = Vec<ListenerView>), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn listeners(
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Vec<ListenerView>>, Problem> {
    caller.administers().await?;
    let mount = shown(&caller, &name, true)?;
    let now = Instant::now();
    let sessions = caller.station.sessions.of(&mount.name);
    Ok(Json(sessions.iter().map(|session| ListenerView::of(session, now)).collect()))
}

/// Who relays whom, as far as this server knows.
#[utoipa::path(get, path = "/api/v1/relays", tag = "read", responses((status = 200, body = RelaysView)))]
pub(super) async fn relays(caller: Caller) -> Result<Json<RelaysView>, Problem> {
    let admin = caller.reads_as_admin().await?;
    Ok(Json(topology(&caller, admin)))
}

/// Who relays whom, as it is told to this caller.
pub(crate) fn topology(caller: &Caller, admin: bool) -> RelaysView {
    let mut view = RelaysView { id: caller.station.id.clone(), parents: Vec::new(), children: Vec::new() };
    for mount in caller.station.mounts.list() {
        if mount.policy().hidden && !admin {
            continue;
        }
        view.parents.extend(parent(caller, &mount, admin));
        let sessions = caller.station.sessions.of(&mount.name);
        view.children.extend(
            sessions.iter().filter_map(|session| Some((session, session.relay.as_ref()?))).map(
                |(session, id)| ChildView {
                    mount: mount.name.to_string(),
                    id: id.to_string(),
                    agent: session.agent.to_string(),
                    since: stamp::rfc3339(session.since),
                    sent: session.sent.load(Relaxed),
                    peer: admin.then_some(session.peer),
                },
            ),
        );
    }
    view
}

fn parent(caller: &Caller, mount: &Mount, admin: bool) -> Option<ParentView> {
    let source = mount.source().filter(|source| source.origin == Origin::Relay)?;
    Some(ParentView {
        mount: mount.name.to_string(),
        via: source.via.names().to_vec(),
        agent: source.agent.clone(),
        since: stamp::rfc3339(source.since),
        kbits: caller.station.history.rates(&mount.name).kbits_in,
        peer: source.peer.filter(|_| admin),
    })
}

/// The mount called `name`, if the reader may see it.
pub(super) fn shown(caller: &Caller, name: &str, admin: bool) -> Result<Arc<Mount>, Problem> {
    let nothing = || Problem::not_found("there is no such mount");
    let name: MountName = format!("/{}", name.trim_start_matches('/')).parse().map_err(|_| nothing())?;
    let mount = caller.station.mounts.find(&name).ok_or_else(nothing)?;
    if mount.policy().hidden && !admin { Err(nothing()) } else { Ok(mount) }
}
