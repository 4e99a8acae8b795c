//! The page: what is on, with players; whole before any script arrives.

mod assets;
mod page;
mod team;
mod topology;

use crate::{api, ordinary::Caller, status};
use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// The routes of the page and of what it loads.
pub fn router() -> Router {
    Router::new()
        .route("/", get(index).fallback(status::feed::follow))
        .route("/favicon.ico", get(|caller, headers| asset(caller, Path("icon.svg".to_owned()), headers)))
        .route("/assets/relays.svg", get(relays))
        .route("/assets/team/{*name}", get(team))
        .route("/assets/{*path}", get(asset))
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
            (about, team::draw(&team).into_string()).into_response()
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn asset(_: Caller, Path(path): Path<String>, headers: HeaderMap) -> Response {
    assets::answer(&path, &headers)
}
