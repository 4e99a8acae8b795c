//! The front door: looks at what a connection begins with, and leads it to the right gateway.

use crate::{
    MountName, Station,
    conn::{BadFirst, Conn, Stream},
    http::{Answer, BadHead, First, Head, HeadReader, Status, Version},
    icecast, ordinary,
    renditions::Output,
    rtmp, tls, websocket,
};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::net::TcpStream;

/// What is awaited on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTP of every kind, TLS by its first byte.
    Http,
    /// SHOUTcast v1 sources.
    Shoutcast,
    /// RTMP encoders and players, TLS by its first byte.
    Rtmp,
}

/// What becomes of a connection after a request.
pub enum After {
    /// The next request may come on it.
    Keep(Conn),
    /// It is closed, or somebody else's now.
    Done,
}

/// Serves one connection to its end. Its failures are its own.
pub async fn welcome(stream: TcpStream, peer: SocketAddr, door: Door, station: Arc<Station>) {
    let _counted = Counted::new(&station);
    if station.counters.connections.load(Relaxed) > station.config().limits.connections {
        return;
    }
    let stream = match door {
        Door::Http | Door::Rtmp => tls::welcome(stream, &station).await,
        Door::Shoutcast => Some(Stream::Plain(stream)),
    };
    let Some(stream) = stream else { return };
    if door == Door::Rtmp {
        return rtmp::welcome(stream, peer, &station).await;
    }
    let mut conn = Conn::new(stream, peer);
    while let Some(first) = first(&mut conn, &station).await {
        let after = match (first, door) {
            (First::Request(head, _), Door::Http) => route(conn, head, &station).await,
            (First::Shoutcast(password, _), _) => icecast::shoutcast(conn, &password, &station).await,
            (First::Request(head, _), Door::Shoutcast | Door::Rtmp) => {
                refuse(
                    conn,
                    head.version,
                    Status::BAD_REQUEST,
                    "only SHOUTcast sources are served on this port",
                )
                .await
            }
        };
        match after {
            After::Keep(kept) => conn = kept,
            After::Done => return,
        }
    }
}

/// The next request within its time, or `None` when there is none to answer; bad ones are answered here.
async fn first(conn: &mut Conn, station: &Arc<Station>) -> Option<First> {
    let config = station.config();
    let reader = HeadReader { longest: config.limits.head_bytes };
    let read = tokio::select! {
        read = tokio::time::timeout(config.limits.head_timeout, conn.first(&reader)) => read,
        () = station.stop.cancelled() => return None,
    };
    let (status, why) = match read {
        Ok(Ok(first)) => return first,
        Ok(Err(BadFirst::Io(_))) => return None,
        Ok(Err(BadFirst::Head(why @ BadHead::Malformed(_)))) => (Status::BAD_REQUEST, why.to_string()),
        Ok(Err(BadFirst::Head(why))) => (Status::HEAD_TOO_LARGE, why.to_string()),
        Err(_) if conn.ahead.is_empty() => return None,
        Err(_) => (Status::TIMEOUT, "the request did not arrive in time".to_owned()),
    };
    station.counters.bad_requests.fetch_add(1, Relaxed);
    let _gone = conn.send(&Answer::refuse(Version::Http10, status, &why)).await;
    None
}

async fn route(conn: Conn, head: Head, station: &Arc<Station>) -> After {
    match head.method.as_str() {
        "SOURCE" => icecast::source(conn, head, station).await,
        "PUT" if !is_ours(&head) => icecast::source(conn, head, station).await,
        "OPTIONS" if !is_ours(&head) => icecast::options(conn, &head).await,
        "GET" | "HEAD" if let Some(mount) = home(&head, station) => {
            icecast::listener(conn, head, mount, None, station).await
        }
        "GET" | "HEAD" if !is_ours(&head) => match listenable(&head, station) {
            Some((mount, output)) => icecast::listener(conn, head, mount, output, station).await,
            None => ordinary::answer(conn, head, station).await,
        },
        _ => ordinary::answer(conn, head, station).await,
    }
}

/// The mount that is meant by `/`, where that is one: a browser asks for a page.
fn home(head: &Head, station: &Arc<Station>) -> Option<Arc<crate::Mount>> {
    let asks_for_page = head.field("accept").is_some_and(|accept| accept.contains("text/html"));
    if head.path()?.as_str() != "/" || asks_for_page {
        return None;
    }
    station.audible(station.config().http.home.as_ref()?)
}

/// Paths that are never mounts.
fn is_ours(head: &Head) -> bool {
    let path = head.target.split('?').next().unwrap_or_default();
    OURS.contains(&path) || OURS_BELOW.iter().any(|prefix| path.starts_with(prefix))
}

/// The mount that is meant, and the format where that is another than the source's: what has no mount of its own but
/// ends with `.flv` is Flash video of the mount before that.
fn listenable(head: &Head, station: &Arc<Station>) -> Option<(Arc<crate::Mount>, Option<Output>)> {
    let name = head.path()?.parse().ok().filter(|name: &MountName| !name.is_internal())?;
    let socket = websocket::key(head).map(|_| Output::FlvSocket);
    if let Some(mount) = station.audible(&name) {
        return Some((mount, socket));
    }
    let stem = name.as_str().strip_suffix(".flv")?.parse().ok()?;
    Some((station.audible(&stem)?, socket.or(Some(Output::Flv))))
}

/// Answers with a refusal and closes.
pub async fn refuse(mut conn: Conn, version: Version, status: Status, why: &str) -> After {
    let _gone = conn.send(&Answer::refuse(version, status, why)).await;
    After::Done
}

/// Counts a connection for as long as it is here.
struct Counted(Arc<Station>);

impl Counted {
    fn new(station: &Arc<Station>) -> Counted {
        station.counters.connections.fetch_add(1, Relaxed);
        Counted(station.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters.connections.fetch_sub(1, Relaxed);
    }
}

const OURS: [&str; 7] =
    ["/", "/admin.cgi", "/auth.xsl", "/metrics", "/server_version.xsl", "/status-json.xsl", "/status.xsl"];
const OURS_BELOW: [&str; 7] = ["/admin/", "/api/", "/assets/", "/rooms/", "/webrtc/", "/whep/", "/whip/"];
