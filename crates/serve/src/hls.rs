//! The HLS gateway: `/NAME/index.m3u8` is mount `/NAME` as segments and parts, made once for all who ask.
//!
//! Segments are made while somebody asks, by one task for each mount. Addresses carry no state, and the bytes behind
//! one never change, so that caches may stand in between.

mod asked;
mod playlist;
mod segment;
mod stream;
#[cfg(test)]
mod tests;

use crate::{
    Mount, MountName, Station,
    config::MountPolicy,
    demand,
    ordinary::{Caller, Refusal},
    switch,
};
use asked::{Asked, Directives};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use levada_media::container::fmp4;
use percent_encoding::percent_decode_str;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use stream::Stream;
use tokio::{sync::Notify, task::JoinSet};

/// The mounts that are made into segments; one for each mount that somebody has asked for lately.
#[derive(Default)]
pub struct Hls {
    streams: Mutex<HashMap<MountName, Arc<Stream>>>,
    /// Those whose task has not begun; at most one for each stream.
    new: Mutex<Vec<Arc<Stream>>>,
    ordered: Notify,
}

impl Hls {
    /// How many mounts are made into segments now.
    pub fn count(&self) -> usize {
        self.map().len()
    }

    fn find(&self, name: &MountName) -> Option<Arc<Stream>> {
        let found = self.map().get(name).cloned();
        found.inspect(|stream| stream.touch())
    }

    /// The stream of `mount`, made from now on if it was not yet.
    fn open(&self, mount: &Arc<Mount>) -> Arc<Stream> {
        let mut map = self.map();
        if let Some(stream) = map.get(&mount.name).filter(|stream| Arc::ptr_eq(&stream.mount, mount)) {
            stream.touch();
            if !stream.look(|window| window.over) {
                return stream.clone();
            }
        }
        let stream = Arc::new(Stream::new(mount.clone(), SystemTime::now()));
        map.insert(mount.name.clone(), stream.clone());
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(stream.clone());
        self.ordered.notify_one();
        stream
    }

    /// Forgets `stream` if nobody has asked for long; whether it did, or it had been replaced.
    fn close(&self, stream: &Arc<Stream>) -> bool {
        let mut map = self.map();
        let known = map.get(&stream.mount.name).is_some_and(|known| Arc::ptr_eq(known, stream));
        let closes = stream.is_forgotten();
        if closes && known {
            map.remove(&stream.mount.name);
        }
        closes || !known
    }

    fn map(&self) -> MutexGuard<'_, HashMap<MountName, Arc<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes segments of the mounts that are asked for, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut tasks = JoinSet::new();
    loop {
        let new = std::mem::take(&mut *station.hls.new.lock().unwrap_or_else(PoisonError::into_inner));
        new.into_iter().for_each(|stream| drop(tasks.spawn(keep(stream, station.clone()))));
        tokio::select! {
            () = station.hls.ordered.notified() => {}
            Some(_) = tasks.join_next() => {}
            () = station.stop.cancelled() => return, // what is being made ends with the set
        }
    }
}

/// Makes one stream's segments, then keeps what there is for those who are still reading.
async fn keep(stream: Arc<Stream>, station: Arc<Station>) {
    let leaving = station.clone();
    stream.clone().make(station.clone(), move |stream| leaving.hls.close(stream)).await;
    while !station.hls.close(&stream) {
        tokio::time::sleep(LOOK).await;
    }
}

/// The answer to a request for `path`, if that is below a mount and of HLS.
pub async fn of(caller: &Caller, path: &str, query: &str) -> Option<Response> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let (name, asked) = Asked::read(&path)?;
    let station = &caller.station;
    let found = station.hls.find(&name);
    let mount = station.audible(&name).or_else(|| found.as_ref().map(|stream| stream.mount.clone()))?;
    if is_guarded(&mount.policy()) {
        let why = "this mount lets its listeners in one by one, which it cannot do over HLS";
        return Some(Refusal::Because(StatusCode::FORBIDDEN, why.into()).into_response());
    }
    Some(match asked {
        Asked::Playlist => list(&mount, query, station).await,
        _ => piece(found?, asked).await,
    })
}

/// Whether each listener has to show something, or is told of to somebody: requests without a session cannot.
fn is_guarded(policy: &MountPolicy) -> bool {
    let hooks = policy.url_auth.as_ref();
    policy.htpasswd.is_some()
        || policy.signing_key.is_some()
        || hooks.is_some_and(|hooks| hooks.listener_add.is_some() || hooks.listener_remove.is_some())
}

async fn list(mount: &Arc<Mount>, query: &str, station: &Arc<Station>) -> Response {
    let Some(directives) = Directives::read(query) else {
        return Refusal::bad("these directives make no sense").into_response();
    };
    let Ok(_waiting) = demand::wake(mount, None, station).await else {
        return Refusal::not_found().into_response();
    };
    let stream = match switch::audible(mount, station) {
        Some(playing) if fits(&playing) => station.hls.open(mount),
        Some(_) => return refuse("HLS cannot carry this stream"),
        None => match station.hls.find(&mount.name) {
            Some(stream) => stream,
            None => return Refusal::not_found().into_response(),
        },
    };
    let too_far = |newest: u64| directives.number.is_some_and(|number| number > newest.saturating_add(2));
    if stream.look(|window| too_far(window.open.number)) {
        return Refusal::bad("that is too far ahead").into_response();
    }
    let blocks = directives.number.is_some();
    let text = stream
        .await_in(PATIENCE, |window| {
            let begun = !window.segments.is_empty() || window.over;
            let told = directives.number.is_none_or(|number| window.tells_of(number, directives.part));
            (begun && (told || window.over)).then(|| playlist::write(window, directives.skip))
        })
        .await;
    match text {
        // what was waited for is the same for everybody who waits for it
        Some(text) if blocks => answer(PLAYLIST, "public, max-age=6", text.into()),
        Some(text) => answer(PLAYLIST, "public, max-age=1", text.into()),
        None => later(),
    }
}

/// Whether anything of what plays can be carried, as far as is known.
fn fits(playing: &Mount) -> bool {
    let tracks = playing.tracks();
    let opens = playing.source().is_some_and(|source| source.format.demuxer().is_some());
    opens && (tracks.is_empty() || tracks.iter().any(|track| fmp4::carries(track.codec)))
}

async fn piece(stream: Arc<Stream>, asked: Asked) -> Response {
    let found = match asked {
        Asked::Init(number) => stream.look(|window| window.init(number)),
        Asked::Segment(number) => {
            stream.look(|window| window.segment(number).map(|segment| segment.bytes.clone()))
        }
        Asked::Part(number, index) if stream.look(|window| window.comes_next(number, index)) => {
            let look = |window: &segment::Window| match window.part_of(number, index) {
                None if window.comes_next(number, index) => None,
                part => Some(part),
            };
            match stream.await_in(PATIENCE, look).await {
                Some(part) => part,
                None => return later(),
            }
        }
        Asked::Part(number, index) => stream.look(|window| window.part_of(number, index)),
        Asked::Playlist => None,
    };
    match found {
        Some(bytes) => answer("video/mp4", "public, max-age=3600, immutable", bytes),
        None => Refusal::not_found().into_response(),
    }
}

fn answer(content_type: &'static str, caching: &'static str, bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, caching)], bytes).into_response()
}

fn refuse(why: &str) -> Response {
    Refusal::Because(StatusCode::NOT_FOUND, why.into()).into_response()
}

fn later() -> Response {
    let why = Refusal::Because(StatusCode::SERVICE_UNAVAILABLE, "there is nothing yet".into());
    ([(header::RETRY_AFTER, "2")], why).into_response()
}

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
/// How long a request waits for what it asks for; longer than any part and most segments.
const PATIENCE: Duration = Duration::from_secs(12);
/// How often it is looked whether anybody still reads a stream that has ended.
const LOOK: Duration = Duration::from_secs(1);
