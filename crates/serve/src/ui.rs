//! The page: what is on, with players; whole before any script arrives.

mod assets;
mod page;

use crate::{ordinary::Caller, status};
use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// The routes of the page and of what it loads.
pub fn router() -> Router {
    Router::new()
        .route("/", get(index).fallback(status::feed::follow))
        .route("/favicon.ico", get(|caller, headers| asset(caller, Path("icon.svg".to_owned()), headers)))
        .route("/assets/{*path}", get(asset))
}

/// The mounts, their titles and where to listen.
async fn index(caller: Caller) -> Response {
    let html = page::draw(&caller).into_string();
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], html)
        .into_response()
}

async fn asset(_: Caller, Path(path): Path<String>, headers: HeaderMap) -> Response {
    assets::answer(&path, &headers)
}
