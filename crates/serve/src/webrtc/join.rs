//! A browser asks to join a room: an offer with one voice to send, others to hear, and a channel for all else.

use super::{
    member::{self, Member},
    peer::Peer,
    resource::{created, offered},
};
use crate::ordinary::{Caller, Refusal};
use axum::{
    extract::{Path, RawQuery},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use levada_link::room::{
    self, RoomName,
    wire::{BROWSER, OPEN},
};
use str0m::{RtcConfig, rtp::Extension};
use url::form_urlencoded;

/// Answers a browser's offer.
pub(crate) async fn join(
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Err(refusal) = offered(&headers) {
        return refusal.into_response();
    }
    let Ok(name) = name.parse() else { return Refusal::not_found().into_response() };
    answer(&caller, &name, &query.unwrap_or_default(), &body).unwrap_or_else(Refusal::into_response)
}

fn answer(caller: &Caller, name: &RoomName, query: &str, body: &str) -> Result<Response, Refusal> {
    let station = &caller.station;
    if caller.is_foreign() {
        return Err(Refusal::foreign());
    }
    if !station.rooms.is_open() {
        let why = "this server has no rooms (levada serve --rooms ADDRESS)";
        return Err(Refusal::Because(StatusCode::NOT_FOUND, why.into()));
    }
    let locals = station.webrtc.sockets().locals(&station.config().webrtc.addresses, caller.reached);
    if locals.is_empty() {
        let why = "this server speaks no WebRTC (levada serve --webrtc ADDRESS)";
        return Err(Refusal::Because(StatusCode::NOT_IMPLEMENTED, why.into()));
    }
    let (peer, answer) = Peer::answer(body, session(), locals, &station.webrtc)
        .map_err(|why| Refusal::bad(why.to_string()))?;
    let ears = member::ears(&peer).ok_or_else(|| {
        let why = "a room takes Opus: one stream to send, and streams to receive";
        Refusal::Because(StatusCode::NOT_ACCEPTABLE, why.into())
    })?;
    let said = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    let is_open = said("open").is_some();
    let called = said("name").map(|(_, name)| name).unwrap_or_default();
    let flags = BROWSER | if is_open { OPEN } else { 0 };
    let seat = station.rooms.join(name.as_str(), &called, flags).map_err(refused)?;
    let member = Member::new(peer, ears, seat, is_open);
    tracing::info!(room = %name, peer = %caller.peer, "browser joined a room");
    let resource = station.webrtc.resources.open(None);
    let response = created(answer, &resource);
    let running = station.clone();
    station.webrtc.order(Box::pin(async move {
        member.run(resource.kick.clone(), running).await;
    }));
    Ok(response)
}

fn refused(why: room::Refusal) -> Refusal {
    let status = match why {
        room::Refusal::Unknown => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal::Because(status, why.to_string())
}

/// Opus as it comes. No extension but the streams' names: the loudness of what is sealed is nobody's business.
pub(super) fn session() -> RtcConfig {
    RtcConfig::new()
        .clear_codecs()
        .enable_opus(true, false)
        .set_rtp_mode(true)
        .clear_extension_map()
        .set_extension(1, Extension::RtpMid)
        .set_sctp_max_message_size(MESSAGE)
}

/// Bytes of a message through the channel; none that is sent is larger.
const MESSAGE: u32 = 4_096;
