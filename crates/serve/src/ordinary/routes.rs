//! Which path is answered by what.

use super::{Caller, Refusal};
use crate::{admin, api, events, files, hls, metrics, multicast, playlist, status, ui, webrtc};
use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};

/// The routes of every server.
pub fn router() -> Router {
    let open = Router::new()
        .route("/status-json.xsl", get(status::public).options(preflight))
        .merge(api::router())
        .merge(events::router())
        .fallback(elsewhere)
        .layer(axum::middleware::map_response(open_to_all));
    Router::new()
        .route("/metrics", get(metrics::page))
        .route("/admin.cgi", any(admin::shoutcast))
        .route("/admin/", get(home))
        .route("/admin/{command}", any(admin::command))
        .route("/status.xsl", get(home))
        .route("/server_version.xsl", get(home))
        .route("/auth.xsl", get(home))
        .merge(ui::router())
        .merge(webrtc::router())
        .merge(open)
}

/// What other sites' pages may read: nothing here depends on who asks, unless a header says who, and that header is
/// not among those that browsers are let send.
const OPEN: &str = "*";

/// Icecast's pages for people are our page.
async fn home() -> Redirect {
    Redirect::to("/")
}

/// Playlists of mounts, their segments, and files.
async fn elsewhere(caller: Caller, request: Request) -> Response {
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        return Refusal::Because(StatusCode::METHOD_NOT_ALLOWED, "unknown request".into()).into_response();
    }
    if let Some(list) = playlist::of(&caller, request.uri().path()) {
        return list;
    }
    if let Some(session) = multicast::of(&caller, request.uri().path()) {
        return session;
    }
    if let Some(answer) = hls::of(&caller, request.uri().path()).await {
        return answer;
    }
    files::serve(&caller, request.uri().path(), request.headers()).await
}

/// Answers a browser that asks whether a page may ask (CORS).
pub(crate) async fn preflight() -> Response {
    let headers = [
        (header::ALLOW, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Accept, CMCD-Session, Content-Type, Icy-MetaData, Last-Event-ID, Range, X-Playback-Session-Id",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn open_to_all(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static(OPEN));
    response
}
