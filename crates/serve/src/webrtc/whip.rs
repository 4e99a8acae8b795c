//! WHIP: a publisher offers a session and is answered with a place for its stream (RFC 9725).

use super::{
    peer::Peer,
    publisher::Publisher,
    resource::{created, offered},
};
use crate::{
    MountName, Origin, Refused, Source,
    auth::Asks,
    ordinary::{Caller, Refusal},
};
use axum::{
    extract::{Path, RawQuery},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{sync::atomic::Ordering::Relaxed, time::SystemTime};
use str0m::RtcConfig;
use url::form_urlencoded;

/// Answers a publisher's offer.
pub(super) async fn offer(
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Err(refusal) = offered(&headers) {
        return refusal.into_response();
    }
    let name = format!("/{name}").parse().ok().filter(|name: &MountName| !name.is_internal());
    let Some(name) = name else { return Refusal::not_found().into_response() };
    let query = query.unwrap_or_default();
    answer(&caller, &name, &query, &headers, &body).await.unwrap_or_else(Refusal::into_response)
}

async fn answer(
    caller: &Caller,
    name: &MountName,
    query: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Response, Refusal> {
    let station = &caller.station;
    let config = station.config();
    let locals = station.webrtc.sockets().locals(&config.webrtc.addresses, caller.reached);
    if locals.is_empty() {
        let why = "this server speaks no WebRTC (levada serve --webrtc ADDRESS)";
        return Err(Refusal::Because(StatusCode::NOT_IMPLEMENTED, why.into()));
    }
    let user = admits(caller, name, query).await?;
    let preferred = parameter(query, "codec");
    let mut source = Source::new(Origin::Whip, CONTENT_TYPE, SystemTime::now());
    source.peer = Some(caller.peer);
    source.user = user;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    source.agent = agent.unwrap_or_default().to_owned();
    let config_for = session(body, preferred.as_deref());
    let (peer, answer) = Peer::answer(body, config_for, locals, &station.webrtc)
        .map_err(|why| Refusal::bad(why.to_string()))?;
    let claim = station.mounts.claim(name, source, &config).map_err(|why| {
        station.counters.refused_sources.fetch_add(1, Relaxed);
        let status = if why == Refused::InUse { StatusCode::CONFLICT } else { StatusCode::FORBIDDEN };
        Refusal::Because(status, why.to_string())
    })?;
    let publisher = Publisher::new(peer, claim).ok_or_else(|| {
        let why = "none of your codecs is of use here; H.264, VP8, VP9, AV1 and Opus are";
        Refusal::Because(StatusCode::NOT_ACCEPTABLE, why.into())
    })?;
    station.counters.sources.fetch_add(1, Relaxed);
    tracing::info!(mount = %name, peer = %caller.peer, "source came");
    let resource = station.webrtc.resources.open(None);
    let response = created(answer, &resource);
    let running = station.clone();
    station.webrtc.order(Box::pin(async move {
        publisher.run(resource.kick.clone(), running).await;
    }));
    Ok(response)
}

/// The user that may feed the mount: by a bearer token, which is the password, by Basic credentials, or by `?key=`. What
/// a browser adds by itself does not count when another site's page asks.
async fn admits(caller: &Caller, name: &MountName, query: &str) -> Result<String, Refusal> {
    let config = caller.station.config();
    let policy = config.policy(name);
    let user = policy.source_user.as_ref().unwrap_or(&config.auth.source_user).clone();
    let key = caller.token().map(str::to_owned).or_else(|| parameter(query, "key"));
    let (user, password) = match key {
        Some(key) => (parameter(query, "user").unwrap_or(user), key),
        None if caller.is_foreign() => return Err(Refusal::foreign()),
        None => (caller.user().to_owned(), caller.password().to_owned()),
    };
    caller.may_as(Asks::Source(name), &user, &password).await?;
    Ok(user)
}

fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// What is agreed to: the one `preferred`, or else H.264 where the publisher has it, as that can be made into segments
/// and Flash video for everybody; otherwise what the publisher likes best.
pub(super) fn session(offer: &str, preferred: Option<&str>) -> RtcConfig {
    let has = |codec: &str| offer.lines().any(|line| line.starts_with("a=rtpmap:") && line.contains(codec));
    let all = RtcConfig::new().clear_codecs().enable_opus(true, false);
    match preferred {
        Some("vp8") => all.enable_vp8(true),
        Some("vp9") => all.enable_vp9(true),
        Some("av1") => all.enable_av1(true),
        _ if has(" H264/") => all.enable_h264(true),
        _ => all.enable_vp8(true).enable_vp9(true).enable_av1(true),
    }
}

const CONTENT_TYPE: &str = "video/x-flv";
