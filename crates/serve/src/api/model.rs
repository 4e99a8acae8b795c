//! What the API says, as types: the description and the answers come from the same ones.

use crate::{GapsView, Mount, Origin, Session, Source, Station, egress, history::Rates, stamp};
use levada_media::{Kind, Tags, TrackInfo};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::atomic::Ordering::Relaxed, time::Instant};
use utoipa::ToSchema;

/// The server itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServerView {
    /// Software and version.
    pub software: &'static str,
    /// A random name, new at each start; relays recognise themselves by it.
    pub id: String,
    /// When it started (RFC 3339).
    pub started: String,
    /// Where it stands.
    pub location: String,
    /// Whom to write to.
    pub admin: String,
    /// Listeners now, over all mounts.
    pub listeners: usize,
    /// Sources now.
    pub sources: usize,
    /// Connections now, of any kind.
    pub connections: usize,
    /// Bytes that listeners' sockets took since the start.
    pub sent: u64,
}

/// A mount.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MountView {
    /// Its name, a path on the server.
    pub name: String,
    /// Where to listen.
    pub url: String,
    /// Whether something feeds it now.
    pub live: bool,
    /// What is playing.
    pub title: TitleView,
    /// The stream as its source describes it; what was said last if nothing feeds it now.
    pub stream: Option<StreamView>,
    /// What feeds it now.
    pub source: Option<SourceView>,
    /// What is inside the stream, as far as its container says.
    pub tracks: Vec<TrackView>,
    /// Listeners now.
    pub listeners: usize,
    /// Most listeners at once.
    pub peak: usize,
    /// Listeners ever.
    pub connections: u64,
    /// As many as may listen at once; without one, as many as the server takes.
    pub max_listeners: Option<usize>,
    /// The mount that listeners hear while this one has no source.
    pub fallback: Option<String>,
    /// The mount that its listeners hear now, if it is another.
    pub playing: Option<String>,
    /// Bytes that sources sent.
    pub received: u64,
    /// Bytes that listeners' sockets took.
    pub sent: u64,
    /// kbit/s from the source, over the last seconds.
    pub kbits_in: f64,
    /// kbit/s to all listeners, over the last seconds.
    pub kbits_out: f64,
    /// How often a listener was moved forward because it read too slowly, counted when it leaves.
    pub skips: u64,
    /// Listeners that were dropped because they read too slowly.
    pub dropped: u64,
    /// Milliseconds that the slowest listener's socket is behind; 0 while all keep up.
    pub lag_ms: u32,
    /// Seconds since the source left, if it did.
    pub silent_seconds: Option<u64>,
}

/// What is playing; empty where nobody said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TitleView {
    /// Title of the piece.
    pub title: String,
    /// Who made it.
    pub artist: String,
    /// The album or the broadcast it comes from.
    pub album: String,
    /// A page about it.
    pub url: String,
}

/// A stream as its source describes it; empty where it does not say.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StreamView {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its genre.
    pub genre: String,
    /// A page about it.
    pub url: String,
    /// The content type that listeners are told.
    pub content_type: String,
    /// Bit rate as the source says it, in kbit/s.
    pub bitrate: String,
    /// Whether directories may list it.
    pub public: bool,
}

/// What feeds a mount. Who that is, is shown to the administrator only.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// `icecast`, `relay` or `file`.
    #[schema(value_type = String)]
    pub origin: Origin,
    /// Since when (RFC 3339).
    pub since: String,
    /// Its address.
    #[schema(value_type = Option<String>)]
    pub peer: Option<IpAddr>,
    /// What it calls itself.
    pub agent: Option<String>,
    /// The user it logged in as.
    pub user: Option<String>,
    /// Bytes that this source sent.
    pub received: u64,
    /// kbit/s over the last seconds.
    pub kbits: f64,
    /// Messages, tags or pages that this source sent, by its container.
    pub frames: u64,
    /// The time between what came at once and the next.
    pub gaps: GapsView,
}

/// One track.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrackView {
    /// The codec's name in lower case.
    pub codec: &'static str,
    /// `audio`, `video` or `data`.
    pub kind: &'static str,
}

/// A listener.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListenerView {
    /// Its name; never used twice while the server runs.
    pub id: u64,
    /// Its address.
    #[schema(value_type = String)]
    pub peer: IpAddr,
    /// What it calls itself.
    pub agent: String,
    /// The user it authenticated as.
    pub user: Option<String>,
    /// Since when (RFC 3339).
    pub since: String,
    /// For how long.
    pub seconds: u64,
    /// Bytes that its socket took.
    pub sent: u64,
    /// kbit/s over the last seconds.
    pub kbits: u32,
    /// Messages, tags or pages that it was sent, by its container; of HLS and WebRTC they are not counted.
    pub frames: u64,
    /// Those that were left out because it read too slowly.
    pub missed: u64,
    /// The time between writes to it.
    pub gaps: GapsView,
    /// How often it was moved forward because it read too slowly.
    pub skips: u64,
    /// Milliseconds of the stream that its socket has no room for.
    pub lag_ms: u32,
    /// Whether it is a relay of this server.
    pub relay: bool,
}

/// Who relays whom, as far as this server knows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RelaysView {
    /// This server's random name.
    pub id: String,
    /// Mounts that this server takes from others.
    pub parents: Vec<ParentView>,
    /// Servers that take mounts from this one.
    pub children: Vec<ChildView>,
}

/// A mount taken from another server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ParentView {
    /// The local mount.
    pub mount: String,
    /// The names of the servers that the stream passed, the origin's first and the parent's last; empty where the
    /// parent is not of our kind.
    pub via: Vec<String>,
    /// What the parent calls itself.
    pub agent: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// kbit/s from there.
    pub kbits: f64,
    /// Its address; shown to the administrator only.
    #[schema(value_type = Option<String>)]
    pub peer: Option<IpAddr>,
}

/// A relay of a mount of ours.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChildView {
    /// Our mount.
    pub mount: String,
    /// Its random name.
    pub id: String,
    /// What it calls itself.
    pub agent: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// Bytes that it took.
    pub sent: u64,
    /// Its address; shown to the administrator only.
    #[schema(value_type = Option<String>)]
    pub peer: Option<IpAddr>,
}

/// Where listeners are to go.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// A mount's name; null for none, where that makes sense.
    pub to: Option<String>,
}

/// What a new configuration changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReloadView {
    /// One line for each change.
    pub changed: Vec<String>,
}

impl MountView {
    /// What is known of `mount`, with names and addresses if the reader is `admin`.
    pub fn of(
        station: &Station,
        served: &egress::Stats,
        mount: &Mount,
        base: &str,
        admin: bool,
    ) -> MountView {
        let source = mount.source();
        let place = mount.place();
        let policy = mount.policy();
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
        let Rates { kbits_in, kbits_out } = station.history.rates(&mount.name);
        MountView {
            url: format!("{base}{}", mount.name),
            live: source.is_some(),
            title: TitleView::of(&mount.tags()),
            stream: mount.last_source().map(|source| StreamView::of(&source)),
            source: source.map(|source| SourceView::of(&source, mount, kbits_in, admin)),
            tracks: mount.tracks().iter().map(TrackView::of).collect(),
            listeners: mount.listeners(),
            peak: mount.stats.peak.load(Relaxed),
            connections: count(&mount.stats.connections),
            max_listeners: policy.max_listeners,
            fallback: policy.fallback.as_ref().map(|name| name.to_string()),
            playing: (place.mount != mount.name).then(|| place.mount.to_string()),
            received: count(&mount.stats.received),
            sent: mount.sent(served),
            kbits_in,
            kbits_out,
            skips: count(&mount.stats.skips),
            dropped: count(&mount.stats.slow),
            lag_ms: station.sessions.lag(&mount.name),
            silent_seconds: mount.silent_for(Instant::now()).map(|silence| silence.as_secs()),
            name: mount.name.to_string(),
        }
    }
}

impl TitleView {
    /// The tags as they are told.
    pub fn of(tags: &Tags) -> TitleView {
        let Tags { title, artist, album, url } = tags.clone();
        TitleView { title, artist, album, url }
    }
}

impl StreamView {
    fn of(source: &Source) -> StreamView {
        StreamView {
            name: source.name.clone(),
            description: source.description.clone(),
            genre: source.genre.clone(),
            url: source.url.clone(),
            content_type: source.content_type.clone(),
            bitrate: source.bitrate.clone(),
            public: source.public,
        }
    }
}

impl SourceView {
    fn of(source: &Source, mount: &Mount, kbits: f64, admin: bool) -> SourceView {
        let intake = mount.intake();
        let tempo = intake.as_ref().map(|intake| intake.meter.tempo()).unwrap_or_default();
        SourceView {
            origin: source.origin,
            since: stamp::rfc3339(source.since),
            peer: source.peer.filter(|_| admin),
            agent: admin.then(|| source.agent.clone()),
            user: admin.then(|| source.user.clone()),
            received: intake.map_or(0, |intake| intake.received.load(Relaxed)),
            kbits,
            frames: tempo.pages,
            gaps: GapsView::of(&tempo),
        }
    }
}

impl TrackView {
    fn of(track: &TrackInfo) -> TrackView {
        let kind = match track.codec.kind() {
            Kind::Audio => "audio",
            Kind::Video => "video",
            Kind::Data => "data",
        };
        TrackView { codec: track.codec.name(), kind }
    }
}

impl ListenerView {
    /// A session as it is told to the administrator.
    pub fn of(session: &Session, now: Instant) -> ListenerView {
        let tempo = session.meter.tempo();
        ListenerView {
            id: session.id.0,
            peer: session.peer,
            agent: session.agent.to_string(),
            user: session.user.as_ref().map(|user| user.to_string()),
            since: stamp::rfc3339(session.since),
            seconds: session.age(now).as_secs(),
            sent: session.sent.load(Relaxed),
            kbits: session.kbits(now),
            frames: tempo.pages,
            missed: tempo.missed,
            gaps: GapsView::of(&tempo),
            skips: session.skips.load(Relaxed),
            lag_ms: session.lag.load(Relaxed),
            relay: session.relay.is_some(),
        }
    }
}
