//! Our own interface: JSON below `/api/v1`, described by `/api/v1/openapi.json`.
//!
//! Everybody may read what listeners can know anyway. What changes something or shows an address needs the
//! administrator's Basic credentials or the API's token; there are no cookies, so no other site's page has them.

mod changes;
mod model;
mod mounts;
mod openapi;
mod problem;
mod record;

pub use model::*;
pub(crate) use mounts::topology;
pub use openapi::description;
pub use problem::Problem;

use crate::ordinary::{Caller, preflight};
use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, delete, get, post},
};

/// The routes below `/api/v1`.
pub fn router() -> Router {
    let open = |read: MethodRouter| read.options(preflight);
    Router::new()
        .route("/api/v1/openapi.json", open(get(openapi)))
        .route("/api/v1/server", open(get(mounts::server)))
        .route("/api/v1/mounts", open(get(mounts::list)))
        .route("/api/v1/mounts/{name}", open(get(mounts::one)))
        .route("/api/v1/mounts/{name}/history", open(get(mounts::history)))
        .route("/api/v1/mounts/{name}/listeners", get(mounts::listeners))
        .route("/api/v1/mounts/{name}/listeners/{id}", delete(changes::kick))
        .route("/api/v1/mounts/{name}/source", delete(changes::kill_source))
        .route("/api/v1/mounts/{name}/title", post(changes::retitle))
        .route("/api/v1/mounts/{name}/fallback", post(changes::follow_up))
        .route("/api/v1/mounts/{name}/move", post(changes::move_all))
        .route("/api/v1/mounts/{name}/record", get(record::look).post(record::set))
        .route("/api/v1/reload", post(changes::reload))
        .route("/api/v1/relays", open(get(mounts::relays)))
        .route("/api/{*rest}", any(nothing))
        .method_not_allowed_fallback(not_so)
}

async fn openapi(_: Caller) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], description()).into_response()
}

async fn not_so() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here; openapi.json says what can")
}

async fn nothing() -> Problem {
    Problem::not_found("there is nothing at this address")
}
