//! WHEP: a viewer offers a session and is answered with the mount's stream (draft-ietf-wish-whep).

use super::{
    cast::{Lineup, State},
    peer::Peer,
    resource::{created, offered},
    viewer::{Until, Viewer},
};
use crate::{
    MountName, admission,
    ordinary::{Caller, Refusal},
};
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use levada_media::Codec;
use std::time::Duration;
use str0m::RtcConfig;
use tokio::time::timeout;

/// Answers a viewer's offer.
pub(super) async fn offer(
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Err(refusal) = offered(&headers) {
        return refusal.into_response();
    }
    let Ok(name) = format!("/{name}").parse() else { return Refusal::not_found().into_response() };
    answer(&caller, &name, &body).await.unwrap_or_else(|why| why.into_response(&name))
}

/// Why there is no session.
enum No {
    /// As everywhere.
    Plain(Refusal),
    /// Over WebRTC; there may be another way.
    Unfit(String),
}

impl From<Refusal> for No {
    fn from(why: Refusal) -> No {
        No::Plain(why)
    }
}

impl No {
    fn into_response(self, name: &MountName) -> Response {
        match self {
            No::Plain(why) => why.into_response(),
            No::Unfit(why) => {
                let other =
                    format!("<{name}/index.m3u8>; rel=\"alternate\"; type=\"application/vnd.apple.mpegurl\"");
                let headers =
                    [(header::LINK, other), (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned())];
                (StatusCode::NOT_ACCEPTABLE, headers, why + "\n").into_response()
            }
        }
    }
}

async fn answer(caller: &Caller, name: &MountName, body: &str) -> Result<Response, No> {
    let station = &caller.station;
    let locals = station.webrtc.sockets().locals(&station.config().webrtc.addresses, caller.reached);
    if locals.is_empty() {
        return Err(No::Unfit("this server speaks no WebRTC (levada serve --webrtc ADDRESS)".into()));
    }
    let head = caller.head.clone();
    let guest = admission::let_in(name, &head, caller.peer, station).await.map_err(|no| match no {
        admission::No::Missing => Refusal::not_found(),
        admission::No::Turned(why) => turned(why),
        admission::No::Full => {
            let why = "this mount has all the listeners it takes";
            Refusal::Because(StatusCode::SERVICE_UNAVAILABLE, why.into())
        }
    })?;
    let followed = guest.followed(station);
    let cast = station.webrtc.casts.open(&followed, station);
    let lineup = lineup(&mut cast.watch()).await?;
    let (peer, answer) = Peer::answer(body, config(lineup), locals, &station.webrtc)
        .map_err(|why| Refusal::bad(why.to_string()))?;
    let viewer = Viewer::new(peer, cast, followed, lineup).ok_or_else(|| No::Unfit(unwanted(lineup)))?;
    let way = format!("WHEP {} WebRTC", guest.mount.name);
    let (session, expires, mount) = guest.settle(&head, caller.peer, &way, station);
    let resource = station.webrtc.resources.open(Some(session.id));
    let until = Until { kick: resource.kick.clone(), stop: station.stop.clone(), expires };
    let response = created(answer, &resource);
    let place = admission::Seat::take(session, &mount, station);
    station.webrtc.order(Box::pin(async move {
        let _resource = resource;
        let end = viewer.run(place.session(), until).await;
        place.leave(end);
    }));
    Ok(response)
}

/// What can be watched, once that is known.
async fn lineup(state: &mut tokio::sync::watch::Receiver<State>) -> Result<Lineup, No> {
    let known = timeout(PATIENCE, state.wait_for(|state| *state != State::Opening)).await;
    match known.ok().and_then(Result::ok).as_deref() {
        Some(State::Ready(lineup)) => Ok(*lineup),
        Some(State::Unfit(why)) => {
            Err(No::Unfit(format!("this stream cannot be watched over WebRTC: {why}")))
        }
        _ => {
            let why = "there is nothing yet";
            Err(Refusal::Because(StatusCode::SERVICE_UNAVAILABLE, why.into()).into())
        }
    }
}

/// What is offered back: Opus, and the one codec of the pictures.
pub(super) fn config(lineup: Lineup) -> RtcConfig {
    let mut config = RtcConfig::new().clear_codecs().enable_opus(true, false).set_rtp_mode(true);
    match lineup.video {
        Some(Codec::Vp8) => config.enable_vp8(true),
        Some(Codec::Vp9) => config.enable_vp9(true),
        Some(Codec::Av1) => config.enable_av1(true),
        Some(_) => {
            config = config.enable_h264(true);
            // High in 4:4:4 is what Chromium calls its software decoder's
            config.codec_config().add_h264(PT.into(), Some(PT_AGAIN.into()), true, 0xf4_001f);
            config
        }
        None => config,
    }
    .set_send_buffer_video(SEND_BUFFER)
}

fn unwanted(lineup: Lineup) -> String {
    let codec = lineup.video.map_or("opus", Codec::name);
    format!("this player offers to take no {codec} over WebRTC")
}

fn turned(why: crate::auth::Turned) -> Refusal {
    match why {
        crate::auth::Turned::Denied(why) => why.into(),
        why => Refusal::Because(StatusCode::FORBIDDEN, why.to_string()),
    }
}

/// How long a viewer waits for a mount's first picture.
const PATIENCE: Duration = Duration::from_secs(6);
/// Payload types that str0m has no use for.
const PT: u8 = 102;
const PT_AGAIN: u8 = 103;
/// Packets of pictures that wait inside a session; a viewer's own queue is outside.
const SEND_BUFFER: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use str0m::media::Frequency;

    #[test]
    fn every_codec_of_a_cast_can_be_answered() {
        for codec in [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1] {
            let mut config = config(Lineup { video: Some(codec), ..Lineup::default() });
            let clocks: Vec<_> =
                config.codec_config().params().iter().map(|params| params.spec().clock_rate).collect();
            assert!(clocks.contains(&Frequency::NINETY_KHZ) && clocks.contains(&Frequency::FORTY_EIGHT_KHZ));
        }
    }
}
