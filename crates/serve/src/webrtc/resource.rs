//! The addresses of WebRTC sessions: who may be asked to end, and the routes that WHIP and WHEP share.

use super::{whep, whip};
use crate::{
    SessionId,
    ordinary::{Caller, Refusal},
};
use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, post},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// Every session's address: a secret that only who opened it knows.
#[derive(Clone, Default)]
pub(super) struct Resources {
    open: Arc<Mutex<HashMap<Box<str>, Entry>>>,
}

struct Entry {
    id: Option<SessionId>,
    kick: CancellationToken,
}

/// A session's entry; dropping it takes it out.
pub(super) struct Resource {
    all: Resources,
    secret: Box<str>,
    /// Cancelled when somebody does not want the session any more.
    pub(super) kick: CancellationToken,
}

impl Resources {
    /// Makes an entry, for a listener with its name.
    pub(super) fn open(&self, id: Option<SessionId>) -> Resource {
        let (secret, kick) = (Box::<str>::from(super::token(16)), CancellationToken::new());
        self.map().insert(secret.clone(), Entry { id, kick: kick.clone() });
        Resource { all: self.clone(), secret, kick }
    }

    /// Ends the listener called `id`.
    pub(super) fn kick(&self, id: SessionId) {
        self.map().values().filter(|entry| entry.id == Some(id)).for_each(|entry| entry.kick.cancel());
    }

    fn end(&self, secret: &str) -> bool {
        let known = self.map().get(secret).map(|entry| entry.kick.clone());
        known.inspect(CancellationToken::cancel).is_some()
    }

    fn knows(&self, secret: &str) -> bool {
        self.map().contains_key(secret)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Box<str>, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resource {
    /// Its address below this server's.
    pub(super) fn path(&self) -> String {
        format!("{BELOW}{}", self.secret)
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.all.map().remove(&self.secret);
    }
}

/// The routes of both directions. Players and publishers on other sites' pages may use them: what they may do hangs on
/// what they show, not on cookies.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/whep/{*name}", post(whep::offer).options(preflight))
        .route("/whip/{*name}", post(whip::offer).options(preflight))
        .route("/webrtc/{secret}", delete(end).patch(trickle).options(preflight))
        .layer(axum::middleware::map_response(open_to_all))
}

async fn preflight() -> Response {
    let headers = [
        (header::ALLOW, METHODS),
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        (header::HeaderName::from_static("accept-post"), SDP),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn end(caller: Caller, Path(secret): Path<String>) -> Response {
    match caller.station.webrtc.resources.end(&secret) {
        true => StatusCode::OK.into_response(),
        false => Refusal::not_found().into_response(),
    }
}

/// A peer's further addresses are not needed: it comes to ours, and is heard wherever it comes from (ICE-lite). It is
/// only told that there is no other session to be had at this address.
async fn trickle(caller: Caller, Path(secret): Path<String>, headers: HeaderMap, body: String) -> Response {
    if !caller.station.webrtc.resources.knows(&secret) {
        return Refusal::not_found().into_response();
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with(FRAGMENT) {
        let why = format!("send {FRAGMENT}");
        return Refusal::Because(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    let restarts = body.contains("a=ice-pwd:") && headers.get(header::IF_MATCH).is_some_and(|tag| tag == "*");
    match restarts {
        true => {
            let why = "ICE restarts are not done here; open another session";
            Refusal::Because(StatusCode::UNPROCESSABLE_ENTITY, why.into()).into_response()
        }
        false => StatusCode::NO_CONTENT.into_response(),
    }
}

/// 201 with the answer, and where the session can be ended.
pub(super) fn created(answer: String, resource: &Resource) -> Response {
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, resource.path()),
        (header::ETAG, format!("\"{}\"", &resource.secret[..8])),
        (header::HeaderName::from_static("accept-patch"), FRAGMENT.to_owned()),
    ];
    (StatusCode::CREATED, headers, answer).into_response()
}

/// Refuses a body that is not said to be an offer.
pub(super) fn offered(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(SDP)) {
        return Ok(());
    }
    Err(Refusal::Because(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send an offer as application/sdp".into()))
}

async fn open_to_all(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut say = |name, value| headers.insert(name, header::HeaderValue::from_static(value));
    say(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    say(header::ACCESS_CONTROL_EXPOSE_HEADERS, "Location, ETag, Link, Accept-Patch");
    response
}

const METHODS: &str = "POST, PATCH, DELETE, OPTIONS";
const BELOW: &str = "/webrtc/";
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
