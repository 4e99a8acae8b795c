//! A listener: the answer's head, byte for byte as players expect it, and the way into egress.

use super::shape;
use crate::{
    Mount, Session, SessionId, Source, Station,
    admission::{self, Admission, admit, enter},
    auth::{Entry, Knock, Turned},
    config::MountPolicy,
    conn::Conn,
    demand,
    egress::{Framing, Joining, Pace},
    front::{After, refuse},
    http::{Answer, Head, Status},
    relay::Via,
    renditions::Output,
    stamp,
};
use bytes::Bytes;
use levada_channel::Start;
use levada_media::Format;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use url::Url;

/// Takes a listener in, or says why not.
pub async fn listener(
    mut conn: Conn,
    head: Head,
    mount: Arc<Mount>,
    output: Option<Output>,
    station: &Arc<Station>,
) -> After {
    let id = station.sessions.next_id();
    let entry = match knock(id, &conn, &head, &mount, station).await {
        Ok(entry) => entry,
        Err(why) => return turn_away(conn, &head, &why, station).await,
    };
    let via = head.field("levada-via");
    let _waiting = match demand::wake(&mount, via, station).await {
        Ok(waiting) => waiting,
        Err(why) => return refuse(conn, head.version, Status::LOOP, &why.to_string()).await,
    };
    let (playing, source, guest) = match admit(&head, &mount, station) {
        Admission::Here { playing, source, guest } => (playing, source, guest),
        Admission::Elsewhere(url) => return redirect(conn, &head, &url).await,
        Admission::Nothing => {
            return refuse(
                conn,
                head.version,
                Status::NOT_FOUND,
                "The file you requested could not be found",
            )
            .await;
        }
        Admission::Full => {
            station.counters.full.fetch_add(1, Relaxed);
            return refuse(
                conn,
                head.version,
                Status::UNAVAILABLE,
                "this mount has all the listeners it takes",
            )
            .await;
        }
    };
    if output.is_some_and(|output| !output.carries(source.format, &playing.tracks())) {
        let why = "this stream does not fit into Flash video";
        return refuse(conn, head.version, Status::NOT_FOUND, why).await;
    }
    let source = if output.is_some() { Arc::new(shape::introduce(&source)) } else { source };
    let policy = mount.policy();
    let icy = wants_icy(&head, &source).then_some(policy.icy_metaint);
    let answer = match output {
        Some(Output::FlvSocket) => shape::socket_head(&head),
        _ => stream_head(&head, &source, icy, &station.id),
    };
    if head.method == "HEAD" {
        let _gone = conn.send(&answer).await;
        return After::Done;
    }
    let session = Arc::new(session(id, entry.user, &conn, &head, &mount, station));
    let Ok(transport) = conn.stream.into_transport() else { return After::Done };
    let mut joining = Joining {
        transport,
        head: answer,
        framing: icy.map_or(Framing::Raw, |metaint| Framing::Icy { metaint }),
        pace: pace(&head, policy.flush),
        burst: Start::Burst { time: policy.burst, bytes: BURST_BYTES },
        catch_up: None,
        rendition: playing.rendition.clone(),
        intro: intro(&policy, station).await,
        farewell: None,
        expires: [policy.max_listener_duration, entry.stay]
            .iter()
            .flatten()
            .min()
            .map(|stay| session.began + *stay),
        session,
    };
    if let Some(output) = output {
        shape::change(&mut joining, output, &head, &mount, playing.clone(), station);
    }
    if let Some(known) = entry.guest {
        station.auth.arrived(known);
    }
    let at = output.is_none().then_some((&*playing, guest));
    enter(joining, &mount, at, station);
    After::Done
}

/// Whether the listener may in. What only looks at the head is not asked: it hears nothing.
async fn knock(
    id: SessionId,
    conn: &Conn,
    head: &Head,
    mount: &Mount,
    station: &Station,
) -> Result<Entry, Turned> {
    if head.method == "HEAD" {
        return Ok(Entry::default());
    }
    let from = station.peer_of(conn.peer.ip(), head.field("x-forwarded-for"));
    let knock = Knock { id, from, head, mount: &mount.name, policy: &mount.policy() };
    station.auth.admits(&station.config(), knock).await
}

async fn turn_away(mut conn: Conn, head: &Head, why: &Turned, station: &Station) -> After {
    station.counters.denied.fetch_add(1, Relaxed);
    let mut answer = Answer::new(head.version, why.status()).field("Connection", "close");
    if let Some((name, value)) = why.field() {
        answer = answer.field(name, value);
    }
    let _gone = conn.send(&answer.body("text/plain; charset=utf-8", &format!("{why}\n"))).await;
    After::Done
}

/// The mount's intro; one that cannot be read is left out and said, not a reason to send anybody away.
async fn intro(policy: &MountPolicy, station: &Station) -> Option<Bytes> {
    let path = policy.intro.as_deref()?;
    station
        .intros
        .read(path)
        .await
        .map_err(|why| tracing::warn!(path = %path.display(), %why, "no intro"))
        .ok()
}

async fn redirect(mut conn: Conn, head: &Head, url: &Url) -> After {
    let answer = Answer::new(head.version, Status::FOUND).field("Location", url).field("Connection", "close");
    let _gone = conn.send(&answer.body("text/plain; charset=utf-8", "another server has room\n")).await;
    After::Done
}

fn session(
    id: SessionId,
    user: Option<Box<str>>,
    conn: &Conn,
    head: &Head,
    mount: &Mount,
    station: &Station,
) -> Session {
    let peer = station.peer_of(conn.peer.ip(), head.field("x-forwarded-for"));
    Session { relay: relay(head), ..Session::new(id, &mount.name, peer, head, user) }
}

/// The head of an endless answer, in Icecast's words. A `Range` is ignored: the stream has no beginning.
fn stream_head(head: &Head, source: &Source, icy: Option<usize>, id: &str) -> Bytes {
    let mut answer = Answer::new(head.version, Status::OK)
        .field("Server", crate::SERVER)
        .field("Connection", "Close")
        .field("Date", stamp::http(SystemTime::now()))
        .field("Content-Type", &source.content_type)
        .field("Cache-Control", "no-cache, no-store")
        .field("Expires", "Mon, 26 Jul 1997 05:00:00 GMT")
        .field("Pragma", "no-cache")
        .field("Access-Control-Allow-Origin", "*")
        .field(
            "Access-Control-Expose-Headers",
            "icy-metaint, icy-name, icy-genre, icy-url, icy-br, icy-description",
        );
    for (name, value) in [
        ("icy-br", &source.bitrate),
        ("icy-description", &source.description),
        ("icy-genre", &source.genre),
        ("icy-name", &source.name),
        ("icy-url", &source.url),
        ("ice-audio-info", &source.audio_info),
    ] {
        if !value.is_empty() {
            answer = answer.icy(name, value);
        }
    }
    answer = answer.icy("icy-pub", if source.public { "1" } else { "0" });
    if is_relay(head) {
        answer = answer.field("Levada-Via", source.via.clone().with(id).to_string());
    }
    if let Some(metaint) = icy {
        answer = answer.icy("icy-metadata", "1").icy("icy-metaint", metaint.to_string());
    }
    answer.head()
}

/// Title blocks are for bare audio only; Ogg has comments and the others have none.
fn wants_icy(head: &Head, source: &Source) -> bool {
    let bare = matches!(source.format, Format::Mp3 | Format::Adts | Format::Opaque);
    bare && head.field("icy-metadata").is_some_and(|value| value.trim() == "1")
}

/// The name of the server that asks: the last of those that wait for the stream.
fn relay(head: &Head) -> Option<Box<str>> {
    let via = Via::read(head.field("levada-via")?);
    Some(via.names().last().map(String::as_str).unwrap_or_default().into())
}

/// Another server of our kind, which says which servers wait for the stream.
fn is_relay(head: &Head) -> bool {
    head.field("levada-via").is_some()
}

/// What a relay is sent late, all of its listeners get late. `?latency=low` or `?latency=250ms` is the listener's wish; else the mount's policy decides.
fn pace(head: &Head, flush: Option<Duration>) -> Pace {
    match admission::latency(head).or(is_relay(head).then_some(Duration::ZERO)).or(flush) {
        Some(Duration::ZERO) => Pace::Low,
        Some(period) => Pace::Every(period),
        None => Pace::Adaptive,
    }
}

/// A burst of 4 s at 16 Mbit/s; more would only fill sockets.
const BURST_BYTES: usize = 8 * 1024 * 1024;
