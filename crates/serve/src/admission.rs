//! Whether a listener may come in, and what it hears: the mount, a fallback, or another server.

use crate::{
    End, Mount, MountName, Session, SessionId, Source, Station,
    auth::{Entry, Knock, Turned},
    config::StartAt,
    demand,
    egress::{CatchUp, Joining},
    http::Head,
    renditions::{Merge, Output},
    switch,
};
use levada_channel::Start;
use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use url::Url;

/// A listener of another format than the source's that may in, by RTMP or WebRTC; these cannot be sent elsewhere.
pub(crate) struct Guest {
    id: SessionId,
    entry: Entry,
    /// The mount that it asked for.
    pub(crate) mount: Arc<Mount>,
    /// The mount that it hears now, and who feeds that.
    pub(crate) playing: Arc<Mount>,
    pub(crate) source: Arc<Source>,
}

/// Why a listener may not in.
pub(crate) enum No {
    /// There is nothing of that name, or nothing to hear.
    Missing,
    /// It did not prove who it is.
    Turned(Turned),
    /// There is no room.
    Full,
}

/// Lets in who asks for the mount called `name` from the address `peer`, or says why not; what it asks for and shows
/// stands in `head`. Waits for a source that comes on demand.
pub(crate) async fn let_in(
    name: &MountName,
    head: &Head,
    peer: IpAddr,
    station: &Arc<Station>,
) -> Result<Guest, No> {
    let mount = station.audible(name).filter(|_| !name.is_internal()).ok_or(No::Missing)?;
    let id = station.sessions.next_id();
    let knock = Knock { id, from: peer, head, mount: name, policy: &mount.policy() };
    let entry = station.auth.admits(&station.config(), knock).await.map_err(|why| {
        station.counters.denied.fetch_add(1, Relaxed);
        No::Turned(why)
    })?;
    let _waiting = demand::wake(&mount, None, station).await;
    match admit(head, &mount, station) {
        Admission::Here { playing, source, .. } => Ok(Guest { id, entry, mount, playing, source }),
        Admission::Nothing => Err(No::Missing),
        Admission::Full | Admission::Elsewhere(_) => {
            station.counters.full.fetch_add(1, Relaxed);
            Err(No::Full)
        }
    }
}

impl Guest {
    /// The mount that it follows ([`followed`]).
    pub(crate) fn followed(&self, station: &Station) -> Arc<Mount> {
        followed(&self.mount, self.playing.clone(), station)
    }

    /// Its record, when it is in; `way` is how it came, for the access log. Gives when its time is up, and its mount.
    pub(crate) fn settle(
        self,
        head: &Head,
        peer: IpAddr,
        way: &str,
        station: &Station,
    ) -> (Arc<Session>, Option<Instant>, Arc<Mount>) {
        let Guest { id, entry, mount, .. } = self;
        let session = Session::new(id, &mount.name, peer, head, entry.user);
        let stay = [mount.policy().max_listener_duration, entry.stay].into_iter().flatten().min();
        if let Some(known) = entry.guest {
            station.auth.arrived(known);
        }
        let expires = stay.map(|stay| session.began + stay);
        (Arc::new(Session { request: way.into(), ..session }), expires, mount)
    }
}

/// What becomes of a listener.
pub(crate) enum Admission {
    /// It hears this mount, introduced as this source; as a guest if that is not because of a missing source.
    Here { playing: Arc<Mount>, source: Arc<Source>, guest: bool },
    /// It is sent to a sibling server.
    Elsewhere(Url),
    /// There is nothing to hear.
    Nothing,
    /// There is no room.
    Full,
}

/// Decides about a listener that asks for `mount`.
pub(crate) fn admit(head: &Head, mount: &Arc<Mount>, station: &Station) -> Admission {
    let config = station.config();
    let policy = mount.policy();
    let mount_full = policy.max_listeners.is_some_and(|most| mount.listeners() >= most);
    let guest_room = policy.fallback.as_ref().filter(|_| mount_full && policy.fallback_when_full);
    let mount_full = mount_full && guest_room.is_none();
    if mount_full || station.sessions.count() >= config.limits.listeners {
        return elsewhere(head, mount, &config.limits.siblings, station);
    }
    let guest = guest_room.is_some();
    let asked = match guest_room {
        Some(name) => station.mounts.find(name),
        None => Some(mount.clone()),
    };
    let Some(asked) = asked else { return Admission::Full };
    let playing = switch::audible(&asked, station).unwrap_or(asked);
    match playing.source().or_else(|| playing.last_source()) {
        Some(source) => Admission::Here { playing, source, guest },
        None => Admission::Nothing,
    }
}

/// The mount that a listener of `mount` follows in another format than the source's: its own, or the one whose guest it
/// is because its own is full.
pub(crate) fn followed(mount: &Arc<Mount>, playing: Arc<Mount>, station: &Station) -> Arc<Mount> {
    let home = switch::audible(mount, station).is_none_or(|audible| Arc::ptr_eq(&audible, &playing));
    if home { mount.clone() } else { playing }
}

/// Where a listener begins in a stream with pictures: as `?start=` or else its mount's policy says.
pub(crate) fn start(head: &Head, mount: &Mount) -> StartAt {
    head.query("start").and_then(|start| StartAt::read(&start)).unwrap_or_else(|| mount.policy().start)
}

/// How long a page may wait: what the listener wishes (`?latency=low` or `?latency=250ms`).
pub(crate) fn latency(head: &Head) -> Option<Duration> {
    match head.query("latency")?.as_str() {
        "low" => Some(Duration::ZERO),
        other => humantime_serde::re::humantime::parse_duration(other).ok(),
    }
}

/// How pages of a stream with pictures wait for each other: as the listener wishes, or else its mount's policy.
pub(crate) fn merge(head: &Head, mount: &Mount) -> Merge {
    latency(head).or(mount.policy().flush).map_or(Merge::Pictures, Merge::within)
}

impl StartAt {
    /// Where on the stream it begins.
    pub(crate) fn burst(self) -> Start {
        match self {
            StartAt::CatchUp | StartAt::Fast => Start::Entry,
            StartAt::Live => Start::Live,
        }
    }

    /// How what has passed is pressed together, if it is.
    pub(crate) fn catch_up(self, output: Output) -> Option<CatchUp> {
        (self == StartAt::CatchUp).then(|| output.catch_up())
    }
}

/// From here on the listener is egress's; it is counted out when its session ends. If it hears a mount in the format of
/// that one's source, `at` is that mount, and whether it is its guest.
pub(crate) fn enter(joining: Joining, mount: &Mount, at: Option<(&Mount, bool)>, station: &Station) {
    count_in(&joining.session, mount, station);
    station.egress.join(joining);
    if let Some((playing, guest)) = at {
        // once it is there, so that the next look at the mount finds it even if all others moved on meanwhile
        mount.play_at(playing, guest);
    }
}

/// A listener that no egress serves: counted in, and counted out when this is dropped.
pub(crate) struct Seat {
    session: Arc<Session>,
    station: Arc<Station>,
    end: End,
}

impl Seat {
    /// Counts `session` in.
    pub(crate) fn take(session: Arc<Session>, mount: &Mount, station: &Arc<Station>) -> Seat {
        count_in(&session, mount, station);
        Seat { session, station: station.clone(), end: End::Shutdown }
    }

    /// The listener.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Counts it out, with the reason.
    pub(crate) fn leave(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.station.leave(&self.session, self.end) {
            self.station.access.listener(&self.session, Instant::now());
        }
    }
}

fn count_in(session: &Arc<Session>, mount: &Mount, station: &Station) {
    station.sessions.add(session.clone());
    station.counters.listeners.fetch_add(1, Relaxed);
    mount.joined();
}

/// The siblings take turns; who was sent here by a sibling is not sent on, so that nobody runs in circles.
fn elsewhere(head: &Head, mount: &Mount, siblings: &[Url], station: &Station) -> Admission {
    let turn = station.counters.redirects.fetch_add(1, Relaxed) as usize;
    let sibling = siblings.get(turn % siblings.len().max(1)).filter(|_| head.query(SENT).is_none());
    let Some(mut url) = sibling.cloned() else { return Admission::Full };
    url.set_path(mount.name.as_str());
    url.set_query(head.target.split_once('?').map(|(_, query)| query));
    url.query_pairs_mut().append_pair(SENT, "1");
    Admission::Elsewhere(url)
}

/// The query parameter that says that a sibling sent this listener.
const SENT: &str = "sent";
