//! The page: what is on, with players; whole before any script arrives.

mod assets;
mod page;
mod room;
mod team;
mod topology;

use crate::{
    api,
    ordinary::{Caller, Refusal},
    status, webrtc,
};
use axum::{
    Router,
    extract::{Path, RawQuery},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use levada_link::room::RoomName;
use url::form_urlencoded;

/// The routes of the page and of what it loads.
pub fn router() -> Router {
    Router::new()
        .route("/", get(index).fallback(status::feed::follow))
        .route("/favicon.ico", get(|caller, headers| asset(caller, Path("icon.svg".to_owned()), headers)))
        .route("/assets/relays.svg", get(relays))
        .route("/assets/team/{*name}", get(team))
        .route("/assets/{*path}", get(asset))
        .route("/rooms/", get(rooms))
        .route("/rooms/{name}", get(room).post(webrtc::join))
}

/// The mounts, their titles and where to listen.
async fn index(caller: Caller) -> Response {
    let html = page::draw(&caller).into_string();
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], html)
        .into_response()
}

/// The tree of relays as it is now; nothing where nobody relays.
async fn relays(caller: Caller) -> Response {
    match topology::draw(&api::topology(&caller, false), &caller.host_name()) {
        Some(tree) => {
            let about = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-cache")];
            (about, tree.into_string()).into_response()
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The team of a mount as it is now.
async fn team(caller: Caller, Path(name): Path<String>) -> Response {
    let found = format!("/{name}").parse::<crate::MountName>().ok().and_then(|name| {
        let mount = caller.station.mounts.find(&name).filter(|mount| !mount.policy().hidden)?;
        caller.station.teams.find(&mount.name)
    });
    match found {
        Some(team) => {
            let about =
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
            (about, team::draw(&team, &page::host(&caller)).into_string()).into_response()
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The page of a room, whether anybody is in it or not.
async fn room(caller: Caller, Path(name): Path<String>) -> Response {
    let Ok(name) = name.parse::<RoomName>() else { return Refusal::not_found().into_response() };
    let roster = caller.station.rooms.roster(name.as_str());
    let present = roster.iter().flat_map(|roster| &roster.participants);
    let present: Vec<String> = present.map(|member| member.name.to_string()).collect();
    let html = room::draw(&caller, &name, &present).into_string();
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], html)
        .into_response()
}

/// Where the form of the page leads that asks for a room's name.
async fn rooms(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
    match named.and_then(|(_, name)| name.trim().parse::<RoomName>().ok()) {
        Some(name) => Redirect::to(&format!("/rooms/{name}")).into_response(),
        None => Refusal::bad(levada_link::room::BadName.to_string()).into_response(),
    }
}

async fn asset(_: Caller, Path(path): Path<String>, headers: HeaderMap) -> Response {
    assets::answer(&path, &headers)
}
