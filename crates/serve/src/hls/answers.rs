//! The answers to requests for playlists, segments and parts.

use super::{
    asked::{Asked, Directives, carried},
    audience::{Key, Known},
    fits, segment,
    stream::Stream,
    text::Text,
};
use crate::{
    Mount, Session, Station,
    admission::{Admission, admit},
    auth::{Knock, Turned},
    demand,
    ordinary::{Caller, Refusal},
    switch,
};
use axum::{
    body::HttpBody,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use url::Url;

/// An answer that is none.
type No = Box<Response>;

/// A request of a player, and what is known of it.
struct Visit<'a> {
    caller: &'a Caller,
    mount: Arc<Mount>,
    asked: Asked,
    query: &'a str,
    /// Whether each player has to show something, or somebody is told of it.
    guarded: bool,
    /// What lets players in, to be carried by the addresses of playlists.
    carry: String,
}

/// The answer to a request for `path`, if that is below a mount and of HLS.
pub async fn of(caller: &Caller, path: &str) -> Option<Response> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let (name, asked) = Asked::read(&path)?;
    let station = &caller.station;
    let made = || station.hls.find(&name).map(|stream| stream.mount.clone());
    let mount = station.audible(&name).or_else(made)?;
    let query = caller.head.target.split_once('?').map_or("", |(_, query)| query);
    let guarded = mount.policy().is_guarded();
    let carry = if guarded { carried(query) } else { String::new() };
    let visit = Visit { caller, mount, asked, query, guarded, carry };
    Some(visit.answer().await.unwrap_or_else(|no| *no))
}

impl Visit<'_> {
    async fn answer(&self) -> Result<Response, No> {
        let directives = Directives::read(self.query)
            .ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "these directives make no sense"))?;
        let session = self.session().await?;
        let response = match self.asked {
            Asked::Playlist => self.list(directives).await?,
            _ => self.piece().await?,
        };
        let sent = response.body().size_hint().exact().unwrap_or_default();
        if self.caller.head.method != "HEAD" {
            self.mount.stats.segments.fetch_add(sent, Relaxed);
            session.inspect(|session| session.count(usize::try_from(sent).unwrap_or_default()));
        }
        Ok(response)
    }

    /// The player's session. It begins with a playlist; where players are let in one by one, with anything.
    async fn session(&self) -> Result<Option<Arc<Session>>, No> {
        let (caller, station) = (self.caller, &self.caller.station);
        let key = Key::new(&self.mount.name, caller.peer, &caller.head, self.guarded, &self.carry);
        let known = station.hls.audience.find(&key, Instant::now());
        match known {
            Some(Known::Here(session)) => return Ok(Some(session)),
            Some(Known::Shut) => return Err(refuse(StatusCode::FORBIDDEN, "your time here is over")),
            None if self.caller.head.method == "HEAD" => return Ok(None),
            None if self.asked != Asked::Playlist && !self.guarded => return Ok(None),
            None => {}
        }
        let id = station.sessions.next_id();
        let (config, policy) = (station.config(), self.mount.policy());
        let knock =
            Knock { id, from: caller.peer, head: &caller.head, mount: &self.mount.name, policy: &policy };
        let entry = station.auth.admits(&config, knock).await.map_err(|why| turn_away(&why, station))?;
        let _waiting = demand::wake(&self.mount, None, station).await.map_err(|_| not_found())?;
        self.admit()?;
        let session = Arc::new(Session::new(id, &self.mount.name, caller.peer, &caller.head, entry.user));
        let stay = [policy.max_listener_duration, entry.stay].into_iter().flatten().min();
        let until = stay.map(|stay| session.began + stay);
        if let Err(already) = station.hls.audience.enter(key, session.clone(), until, session.began) {
            return Ok(Some(already));
        }
        if let Some(known) = entry.guest {
            station.auth.arrived(known);
        }
        station.sessions.add(session.clone());
        station.counters.listeners.fetch_add(1, Relaxed);
        self.mount.joined();
        Ok(Some(session))
    }

    /// Whether there is room, and something that HLS can carry.
    fn admit(&self) -> Result<(), No> {
        let station = &self.caller.station;
        match admit(&self.caller.head, &self.mount, station) {
            Admission::Here { playing, guest: true, .. } => {
                let there = format!("{}/index.m3u8?{}", playing.name, self.query);
                Err(Box::new(Redirect::temporary(&there).into_response()))
            }
            Admission::Here { playing, .. } => {
                let carried = playing.source().is_none() || fits(&playing);
                if carried { Ok(()) } else { Err(unfit()) }
            }
            Admission::Elsewhere(url) => Err(elsewhere(url)),
            Admission::Nothing => Err(not_found()),
            Admission::Full => {
                station.counters.full.fetch_add(1, Relaxed);
                let why = "this mount has all the listeners it takes";
                Err(refuse(StatusCode::SERVICE_UNAVAILABLE, why))
            }
        }
    }

    async fn list(&self, directives: Directives) -> Result<Response, No> {
        let station = &self.caller.station;
        let stream = match switch::audible(&self.mount, station) {
            Some(playing) if fits(&playing) => station.hls.open(&self.mount),
            Some(_) => return Err(unfit()),
            None => station.hls.find(&self.mount.name).ok_or_else(not_found)?,
        };
        stream.touch();
        let too_far = |newest: u64| directives.number.is_some_and(|number| number > newest.saturating_add(2));
        if stream.look(|window| too_far(window.open.number)) {
            return Err(refuse(StatusCode::BAD_REQUEST, "that is too far ahead"));
        }
        let told = |window: &segment::Window| {
            let begun = !window.segments.is_empty() || window.over;
            let told = directives.number.is_none_or(|number| window.tells_of(number, directives.part));
            (begun && (told || window.over)).then_some(())
        };
        stream.await_in(PATIENCE, told).await.ok_or_else(later)?;
        stream.touch();
        let text = stream.playlist(directives.skip, &self.carry);
        // what was waited for is the same for everybody who waits for it
        let seconds = if directives.number.is_some() { 6 } else { 1 };
        Ok(self.playlist(text, seconds))
    }

    fn playlist(&self, text: Text, seconds: u32) -> Response {
        let head = &self.caller.head;
        let zips = head.field("accept-encoding").is_some_and(|all| all.contains("gzip"));
        let about = [
            (header::CONTENT_TYPE, PLAYLIST.to_owned()),
            (header::CACHE_CONTROL, format!("{}, max-age={seconds}", self.whose())),
            (header::VARY, "Accept-Encoding".to_owned()),
        ];
        match zips {
            true => (about, [(header::CONTENT_ENCODING, "gzip")], text.zipped).into_response(),
            false => (about, text.plain).into_response(),
        }
    }

    async fn piece(&self) -> Result<Response, No> {
        let stream = self.caller.station.hls.find(&self.mount.name).ok_or_else(not_found)?;
        stream.touch();
        let found = find(&stream, self.asked).await?.ok_or_else(not_found)?;
        let caching = format!("{}, max-age=3600, immutable", self.whose());
        let about = [(header::CONTENT_TYPE, "video/mp4".to_owned()), (header::CACHE_CONTROL, caching)];
        Ok((about, found).into_response())
    }

    /// Whether caches may give an answer to others.
    fn whose(&self) -> &'static str {
        if self.guarded { "private" } else { "public" }
    }
}

/// What is asked for; the part that comes next is waited for.
async fn find(stream: &Stream, asked: Asked) -> Result<Option<Bytes>, No> {
    Ok(match asked {
        Asked::Init(number) => stream.look(|window| window.init(number)),
        Asked::Segment(number) => {
            stream.look(|window| window.segment(number).map(|segment| segment.bytes.clone()))
        }
        Asked::Part(number, index) => {
            let look = |window: &segment::Window| match window.part_of(number, index) {
                None if window.comes_next(number, index) => None,
                part => Some(part),
            };
            stream.await_in(PATIENCE, look).await.ok_or_else(later)?
        }
        Asked::Playlist => None,
    })
}

fn turn_away(why: &Turned, station: &Station) -> No {
    station.counters.denied.fetch_add(1, Relaxed);
    let status = StatusCode::from_u16(why.status().0).unwrap_or(StatusCode::FORBIDDEN);
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let mut response = (status, text, format!("{why}\n")).into_response();
    if let Some((name, value)) = why.field()
        && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
    {
        response.headers_mut().insert(name, value);
    }
    Box::new(response)
}

fn elsewhere(mut url: Url) -> No {
    let path = format!("{}/index.m3u8", url.path());
    url.set_path(&path);
    Box::new(Redirect::temporary(url.as_str()).into_response())
}

fn unfit() -> No {
    refuse(StatusCode::NOT_FOUND, "HLS cannot carry this stream")
}

fn not_found() -> No {
    Box::new(Refusal::not_found().into_response())
}

fn refuse(status: StatusCode, why: &str) -> No {
    Box::new(Refusal::Because(status, why.into()).into_response())
}

fn later() -> No {
    let why = refuse(StatusCode::SERVICE_UNAVAILABLE, "there is nothing yet");
    Box::new(([(header::RETRY_AFTER, "2")], *why).into_response())
}

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
/// How long a request waits for what it asks for; longer than any part and most segments.
const PATIENCE: Duration = Duration::from_secs(12);
