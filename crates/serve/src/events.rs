//! What changes on the mounts, told as it happens: server-sent events at `/api/v1/events`.

mod watcher;

pub use watcher::{Event, Watcher};

use crate::{
    Station,
    api::{Problem, TitleView},
    ordinary::{Caller, preflight},
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, broadcast::error::RecvError},
    time::{Instant, timeout},
};

/// Those who follow. One that is 256 events behind is told to read everything anew and goes on with the newest.
pub struct Events {
    told: broadcast::Sender<Bytes>,
    seats: Arc<Semaphore>,
}

impl Default for Events {
    fn default() -> Events {
        Events { told: broadcast::Sender::new(BEHIND), seats: Arc::new(Semaphore::new(FOLLOWERS)) }
    }
}

/// Tells the followers of `station` what changes until the server stops: at most ten times a second, numbers of
/// listeners at most once.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut watcher = Watcher::default();
    let mut counted = Instant::now();
    loop {
        let counts = counted.elapsed() >= COUNTS;
        if counts {
            counted = Instant::now();
        }
        for event in watcher.look(&station.mounts.list(), counts) {
            // Nobody follows: nothing is lost.
            let _followers = station.events.told.send(event.bytes());
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = station.stop.cancelled() => return,
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(COUNTS.saturating_sub(counted.elapsed())) => {}
            () = station.stop.cancelled() => return,
        }
    }
}

/// The route.
pub fn router() -> Router {
    Router::new().route("/api/v1/events", get(follow).options(preflight))
}

/// Everything that changes, as it happens: first `hello` with what there is, then `mount`, `gone`, `source`, `title` and
/// `listeners`; `resync` after a gap.
#[utoipa::path(get, path = "/api/v1/events", tag = "read",
    responses((status = 200, body = Event, content_type = "text/event-stream"), (status = 503, body = Problem)))]
pub(crate) async fn follow(caller: Caller) -> Result<Response, Problem> {
    let events = &caller.station.events;
    let full = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many follow the events already");
    let seat = events.seats.clone().try_acquire_owned().map_err(full)?;
    let follower = Follower { told: events.told.subscribe(), hello: Some(hello(&caller)), _seat: seat };
    let body = Body::from_stream(stream::unfold(follower, |mut follower| async move {
        Some((Ok::<_, Infallible>(follower.next().await?), follower))
    }));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

struct Follower {
    told: broadcast::Receiver<Bytes>,
    hello: Option<Bytes>,
    _seat: OwnedSemaphorePermit,
}

impl Follower {
    /// The next event, or a line that says nothing so that both ends notice when the other is gone.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(hello) = self.hello.take() {
            return Some(hello);
        }
        match timeout(SILENCE, self.told.recv()).await {
            Ok(Ok(event)) => Some(event),
            Ok(Err(RecvError::Lagged(_))) => Some(Bytes::from_static(b"event: resync\ndata: {}\n\n")),
            Ok(Err(RecvError::Closed)) => None,
            Err(_) => Some(Bytes::from_static(b":\n\n")),
        }
    }
}

#[derive(Serialize)]
struct Now {
    name: String,
    live: bool,
    listeners: usize,
    title: TitleView,
}

fn hello(caller: &Caller) -> Bytes {
    let mounts = caller.station.mounts.list();
    let shown = mounts.iter().filter(|mount| !mount.policy().hidden);
    let now: Vec<_> = shown
        .map(|mount| Now {
            name: mount.name.to_string(),
            live: mount.source().is_some(),
            listeners: mount.listeners(),
            title: TitleView::of(&mount.tags()),
        })
        .collect();
    write("hello", &now)
}

/// One event (HTML Living Standard §9.2.6); JSON has no line ends.
fn write(kind: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}

impl Event {
    fn bytes(&self) -> Bytes {
        write(self.kind(), self)
    }
}

const BEHIND: usize = 256;
const FOLLOWERS: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(100);
const COUNTS: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(15);
