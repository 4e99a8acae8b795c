//! The RTMP gateway: encoders publish to mounts, players play them.

mod play;
mod publish;
mod talk;

use crate::{Station, conn::Stream};
use levada_rtmp::server::{Event, Request};
pub(crate) use publish::Tape;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use talk::Talk;

/// Serves one connection until it ends, or until it is a player's and egress has it. Its failures are its own.
pub async fn welcome(stream: Stream, peer: SocketAddr, station: &Arc<Station>) {
    let Ok(mut talk) = Talk::new(stream, peer) else { return };
    loop {
        let event = tokio::select! {
            event = talk.next() => event,
            () = station.stop.cancelled() => return talk.end("the server stops").await,
        };
        match event {
            Ok(Event::Request(Request::Connect(_))) => talk.session.accept(),
            Ok(Event::Request(Request::Publish(asked))) => match publish::admit(&asked, &talk, station).await
            {
                Ok(claim) => publish::carry(&mut talk, claim, station).await,
                Err(no) => talk.session.refuse(no.0, &no.1),
            },
            Ok(Event::Request(Request::Play(asked))) => match play::admit(&asked, &talk, station).await {
                Ok(admitted) => return play::enter(talk, admitted, station).await,
                Err(no) => talk.session.refuse(no.0, &no.1),
            },
            Ok(_) => {}
            Err(why) => return log(&why, peer, station),
        }
    }
}

/// Those who leave are no news; what cannot be read is.
fn log(why: &talk::Gone, peer: SocketAddr, station: &Station) {
    match why {
        talk::Gone::Closed(levada_rtmp::server::Closed::Malformed(why)) => {
            station.counters.bad_requests.fetch_add(1, Relaxed);
            tracing::info!(%peer, %why, "RTMP connection closed");
        }
        why => tracing::debug!(%peer, %why, "RTMP connection closed"),
    }
}
