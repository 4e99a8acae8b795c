//! Ordinary requests: the page, the API, administration. They have a length and an end.
//!
//! The connection stays ours: what comes next on it may be a stream, which no general HTTP server would let go of.
//! A request that is whole becomes an [`axum::http::Request`], the routes make a response of it, and that is written
//! in the client's own version.

mod body;
mod caller;
mod refusal;
mod reply;
mod routes;

pub use caller::Caller;
pub use refusal::Refusal;
pub(crate) use refusal::denied;
pub(crate) use routes::preflight;
pub use routes::router;

use crate::{
    Station,
    access::Visit,
    conn::Conn,
    front::{After, refuse},
    http::{Head, Status},
};
use axum::{Router, body::Body, http::Request};
use bytes::Bytes;
use std::{
    sync::{Arc, LazyLock, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};
use tower::ServiceExt;

/// Answers one ordinary request.
pub async fn answer(mut conn: Conn, head: Head, station: &Arc<Station>) -> After {
    let read = match body::read(&mut conn, &head, &station.config().limits).await {
        Ok(read) => read,
        Err(body::Bad::Gone) => return After::Done,
        Err(why) => {
            station.counters.bad_requests.fetch_add(1, Relaxed);
            return refuse(conn, head.version, why.status(), &why.to_string()).await;
        }
    };
    station.counters.requests.fetch_add(1, Relaxed);
    let keep = head.keep_alive() && read.counted && !station.stop.is_cancelled();
    let caller = Caller::new(&conn, &head, station);
    let Some(request) = request(&head, read.bytes, caller.clone()) else {
        station.counters.bad_requests.fetch_add(1, Relaxed);
        return refuse(conn, head.version, Status::BAD_REQUEST, "that is no address").await;
    };
    let (since, began) = (SystemTime::now(), Instant::now());
    let (peer, user) = (caller.peer, caller.user().to_owned());
    let mut response = ROUTES.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
    reply::protect(response.headers_mut(), &station.config());
    let status = response.status().as_u16();
    let mut bytes = 0;
    let stays = reply::write(&mut conn, &head, response, keep, &station.stop, &mut bytes).await;
    station.access.write(&Visit {
        peer,
        user: if status == 401 { "" } else { &user },
        since,
        request: &blinded(&head.line()),
        status,
        bytes,
        referer: head.field("referer").unwrap_or_default(),
        agent: head.field("user-agent").unwrap_or_default(),
        seconds: began.elapsed().as_secs(),
    });
    if stays.unwrap_or(false) { After::Keep(conn) } else { After::Done }
}

/// A request line without the passwords that old clients put there.
fn blinded(line: &str) -> String {
    let mut out = String::new();
    for part in line.split_inclusive(['?', '&', ' ']) {
        let end = part.trim_end_matches(['&', ' ']).len();
        match part.split_once('=') {
            Some((name @ ("key" | "pass" | "password" | "token"), _)) => {
                out.extend([name, "=***", &part[end..]])
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// The request as the routes read it; who asks travels in its extensions.
fn request(head: &Head, body: Bytes, caller: Caller) -> Option<Request<Body>> {
    let mut request = Request::builder().method(head.method.as_str()).uri(head.target.as_str());
    for (name, value) in head.fields() {
        request = request.header(name, value);
    }
    request.extension(caller).body(Body::from(body)).ok()
}

/// The same for every server: which one is asked travels with the request.
static ROUTES: LazyLock<Router> = LazyLock::new(router);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_the_log() {
        for (line, shown) in [
            ("GET /admin.cgi?pass=hush&song=x HTTP/1.1", "GET /admin.cgi?pass=***&song=x HTTP/1.1"),
            ("GET /admin.cgi?song=x&pass=hush HTTP/1.1", "GET /admin.cgi?song=x&pass=*** HTTP/1.1"),
            ("GET /admin/buildm3u?password=a=b HTTP/1.0", "GET /admin/buildm3u?password=*** HTTP/1.0"),
            ("GET /compass=x?bypass=1&pass HTTP/1.0", "GET /compass=x?bypass=1&pass HTTP/1.0"),
        ] {
            assert_eq!(blinded(line), shown);
        }
    }
}
