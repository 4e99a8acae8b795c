//! A source client: `SOURCE`, `PUT` and SHOUTcast v1, with the probes of libshout.

use crate::{
    MountName, Origin, Refused, Source, Station,
    auth::{Asks, Denied, Who},
    conn::Conn,
    front::{After, refuse},
    http::{Answer, Body, Head, HeadReader, Status, Version},
    mounts::Claim,
};
use bytes::Buf;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

/// Serves a source from its request to its end.
pub async fn source(mut conn: Conn, head: Head, station: &Arc<Station>) -> After {
    let Some(name) =
        head.path().and_then(|path| path.parse().ok()).filter(|name: &MountName| !name.is_internal())
    else {
        return refuse(conn, head.version, Status::BAD_REQUEST, "that is no mount name").await;
    };
    let (user, password) = head.basic().unwrap_or_default();
    let from = station.peer_of(conn.peer.ip(), head.field("x-forwarded-for"));
    let who = Who { from, user: &user, password: &password };
    if let Err(why) = station.auth.allows(&station.config(), Asks::Source(&name), who).await {
        return deny(conn, &head, why, station).await;
    }
    if head.method == "SOURCE" && matches!(Body::of(&head), Body::Counted(0)) {
        return probe(conn, &head).await;
    }
    let Some(content_type) = content_type(&head) else {
        return refuse(conn, head.version, Status::FORBIDDEN, "No Content-type given").await;
    };
    let mut source = Source::new(Origin::Icecast, content_type, SystemTime::now()).described_by(&head);
    source.peer = Some(station.peer_of(conn.peer.ip(), head.field("x-forwarded-for")));
    source.user = user;
    let claim = match station.mounts.claim(&name, source, &station.config()) {
        Ok(claim) => claim,
        Err(why) => return busy(conn, head.version, why, station).await,
    };
    station.counters.sources.fetch_add(1, Relaxed);
    if conn.send(&greeting(&head)).await.is_err() {
        return After::Done;
    }
    tracing::info!(mount = %name, peer = %conn.peer, "source came");
    let end = carry(&mut conn, &claim, Body::of(&head), station).await;
    tracing::info!(mount = %name, end, "source left");
    After::Done
}

/// Serves a SHOUTcast v1 source: its password is there, its fields come after our `OK2`.
pub async fn shoutcast(mut conn: Conn, password: &str, station: &Arc<Station>) -> After {
    let config = station.config();
    let name = config.http.shoutcast_mount.clone();
    let policy = config.policy(&name);
    let user = policy.source_user.as_ref().unwrap_or(&config.auth.source_user);
    let who = Who { from: conn.peer.ip(), user, password };
    if station.auth.allows(&config, Asks::Source(&name), who).await.is_err() {
        station.counters.denied.fetch_add(1, Relaxed);
        let _gone = conn.send(b"invalid password\r\n").await;
        return After::Done;
    }
    if conn.send(b"OK2\r\nicy-caps:11\r\n\r\n").await.is_err() {
        return After::Done;
    }
    let fields =
        tokio::time::timeout(config.limits.head_timeout, fields(&mut conn, config.limits.head_bytes)).await;
    let Ok(Some(head)) = fields else { return After::Done };
    let mut source =
        Source::new(Origin::Icecast, content_type(&head).unwrap_or("audio/mpeg"), SystemTime::now())
            .described_by(&head);
    source.peer = Some(conn.peer.ip());
    source.user = user.clone();
    let Ok(claim) = station.mounts.claim(&name, source, &config) else { return After::Done };
    station.counters.sources.fetch_add(1, Relaxed);
    let end = carry(&mut conn, &claim, Body::Endless, station).await;
    tracing::info!(mount = %name, end, "SHOUTcast source left");
    After::Done
}

/// `OPTIONS`: what libshout asks to learn that it may `PUT`; the connection stays.
pub async fn options(mut conn: Conn, head: &Head) -> After {
    let answer = Answer::new(head.version, Status::OK)
        .field("Allow", METHODS)
        .field("Access-Control-Allow-Origin", "*")
        .field("Access-Control-Allow-Methods", METHODS)
        .field(
            "Access-Control-Allow-Headers",
            "Origin, Accept, X-Requested-With, Content-Type, Icy-MetaData, Range",
        )
        .field("Access-Control-Max-Age", "86400")
        .field("Connection", connection(head))
        .body("text/plain", "");
    keep(&mut conn, head, &answer).await.then_keep(conn)
}

/// Carries the body into the mount until one of them ends; says which.
async fn carry(conn: &mut Conn, claim: &Claim, mut body: Body, station: &Arc<Station>) -> &'static str {
    loop {
        let mut taken = Ok(());
        let ahead = conn.ahead.split();
        let going = body.feed(&ahead, |bytes| taken = taken.and_then(|()| claim.push(bytes)));
        match (going, taken) {
            (Err(_), _) => return "malformed chunk",
            (_, Err(_)) => return "taken over",
            (Ok(false), _) => return "finished",
            (Ok(true), _) => {}
        }
        let timeout = claim.mount().policy().source_timeout;
        let read = tokio::select! {
            read = tokio::time::timeout(timeout, conn.read_more()) => read,
            () = claim.let_go() => return "let go",
            () = station.stop.cancelled() => return "server stops",
        };
        match read {
            Ok(Ok(0)) => return "disconnected",
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return "connection failed",
            Err(_) => return "silent",
        }
    }
}

/// Both answers at once where `100` was asked for: clients of Icecast 2.4 wait for it, those of 2.5 ignore the rest.
fn greeting(head: &Head) -> bytes::Bytes {
    let mut text = Vec::new();
    if head.version == Version::Http11 && head.has_token("expect", "100-continue") {
        text.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    text.extend_from_slice(&Answer::new(head.version, Status::OK).field("Server", crate::SERVER).head());
    text.into()
}

async fn deny(mut conn: Conn, head: &Head, why: Denied, station: &Arc<Station>) -> After {
    station.counters.denied.fetch_add(1, Relaxed);
    let (name, value) = why.field();
    let answer = Answer::new(head.version, why.status())
        .field(name, value)
        .field("Connection", connection(head))
        .body("text/plain; charset=utf-8", &format!("{why}\n"));
    keep(&mut conn, head, &answer).await.then_keep(conn)
}

/// libshout looks whether it may come before it does: an empty `SOURCE` with the right password.
async fn probe(mut conn: Conn, head: &Head) -> After {
    let answer = Answer::new(head.version, Status::OK)
        .field("Allow", METHODS)
        .field("Connection", connection(head))
        .body("text/plain", "");
    keep(&mut conn, head, &answer).await.then_keep(conn)
}

async fn busy(conn: Conn, version: Version, why: Refused, station: &Station) -> After {
    station.counters.refused_sources.fetch_add(1, Relaxed);
    refuse(conn, version, Status::FORBIDDEN, &why.to_string()).await
}

/// The content type said; `SOURCE` without one is an MP3 source of the oldest kind.
fn content_type(head: &Head) -> Option<&str> {
    match head.field("content-type") {
        Some(said) if !said.is_empty() => Some(said),
        _ if head.method == "SOURCE" => Some("audio/mpeg"),
        _ => None,
    }
}

fn connection(head: &Head) -> &'static str {
    if stays(head) { "Keep-Alive" } else { "Close" }
}

/// A connection stays only where no body of unknown length follows on it.
fn stays(head: &Head) -> bool {
    let no_body = match Body::of(head) {
        Body::Counted(length) => length == 0,
        Body::Endless => matches!(head.method.as_str(), "OPTIONS" | "GET" | "HEAD"),
        Body::Chunked(_) => false,
    };
    let waits = head.has_token("expect", "100-continue");
    (head.keep_alive() || head.has_token("connection", "upgrade")) && (no_body || waits)
}

struct Kept(bool);

impl Kept {
    fn then_keep(self, conn: Conn) -> After {
        if self.0 { After::Keep(conn) } else { After::Done }
    }
}

async fn keep(conn: &mut Conn, head: &Head, answer: &[u8]) -> Kept {
    Kept(conn.send(answer).await.is_ok() && stays(head))
}

async fn fields(conn: &mut Conn, longest: usize) -> Option<Head> {
    loop {
        if let Some((head, used)) = (HeadReader { longest }).read_fields(&conn.ahead).ok()? {
            conn.ahead.advance(used);
            return Some(head);
        }
        if conn.read_more().await.ok()? == 0 {
            return None;
        }
    }
}

const METHODS: &str = "GET, PUT, OPTIONS, SOURCE, HEAD";
