//! What all gateways of one server share.

use crate::{
    Config, End, MountName, Mounts, Session, Sessions,
    access::AccessLog,
    auth::Auth,
    egress::{self, Egress},
    events::Events,
    history::History,
    hls::Hls,
    intro::Intros,
    record::Recordings,
    reload::Reloads,
    renditions::Renditions,
    room::Rooms,
    status::feed::Followers,
    teams::Teams,
    tls::Tls,
    webrtc::Webrtc,
};
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};
use tokio_util::sync::CancellationToken;

/// One server's state: the mounts and those who listen to them, the configuration, the counters.
pub struct Station {
    /// The mounts.
    pub mounts: Arc<Mounts>,
    /// The listeners.
    pub sessions: Arc<Sessions>,
    /// What writes to the listeners.
    pub egress: Egress,
    /// Their streams in other formats than the sources'.
    pub renditions: Renditions,
    /// What is recorded of them.
    pub recordings: Recordings,
    /// Their streams as segments.
    pub hls: Hls,
    /// Their streams as packets, and sessions with browsers.
    pub webrtc: Webrtc,
    /// Rooms in which people talk.
    pub rooms: Rooms,
    /// Who may do what.
    pub auth: Arc<Auth>,
    /// Teams that carry mounts on.
    pub teams: Teams,
    /// What new listeners hear first.
    pub intros: Intros,
    /// What new TLS connections get.
    pub tls: Tls,
    /// Where finished requests are written.
    pub access: Arc<AccessLog>,
    /// Asks the server for its configuration to be read again.
    pub reloads: Reloads,
    /// What it counts.
    pub counters: Counters,
    /// What every mount did lately.
    pub history: History,
    /// Those who follow what changes.
    pub events: Events,
    /// Those who follow the statistics.
    pub stats_followers: Followers,
    /// When it started.
    pub started: SystemTime,
    /// Cancelled when it stops.
    pub stop: CancellationToken,
    /// A random name; a relay that meets its own refuses.
    pub id: String,
    config: Mutex<Arc<Config>>,
}

/// Counters of a whole server; they only grow, except for `connections`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections now.
    pub connections: AtomicUsize,
    /// Connections ever.
    pub accepted: AtomicU64,
    /// Requests that were malformed, too large or too slow.
    pub bad_requests: AtomicU64,
    /// Wrong or missing passwords.
    pub denied: AtomicU64,
    /// Ordinary requests: pages, API, administration.
    pub requests: AtomicU64,
    /// Listeners that were turned away because the mount or the server was full.
    pub full: AtomicU64,
    /// Sources that were turned away: the mount was in use, or the server had enough of them.
    pub refused_sources: AtomicU64,
    /// Listeners that were sent, or would have been sent, to a sibling.
    pub redirects: AtomicU64,
    /// Listeners ever.
    pub listeners: AtomicU64,
    /// Sources ever.
    pub sources: AtomicU64,
    /// Connections that the operating system could not give us (descriptors exhausted).
    pub accept_failures: AtomicU64,
}

impl Station {
    /// A station that nothing is connected to yet.
    ///
    /// # Errors
    /// When the reactors cannot start or the access log cannot be opened.
    pub fn new(config: Config, id: String, auth: Auth, access: AccessLog) -> io::Result<Arc<Station>> {
        let mounts = Arc::<Mounts>::default();
        let sessions = Arc::<Sessions>::default();
        let (auth, access) = (Arc::new(auth), Arc::new(access));
        let (at_end, gone, follower, log) = (mounts.clone(), sessions.clone(), auth.clone(), access.clone());
        let on_end = move |session: Arc<Session>, end: End| {
            if leave(&at_end, &gone, &follower, &session, end) {
                log.listener(&session, Instant::now());
            }
        };
        let egress = Egress::start(
            egress::Config { reactors: config.limits.reactors, ..egress::Config::default() },
            Arc::new(on_end),
        )?;
        let station = Station {
            mounts,
            sessions,
            egress,
            renditions: Renditions::default(),
            recordings: Recordings::default(),
            hls: Hls::default(),
            webrtc: Webrtc::default(),
            rooms: Rooms::default(),
            auth,
            teams: Teams::default(),
            tls: Tls::default(),
            access,
            reloads: Reloads::default(),
            intros: Intros::default(),
            history: History::default(),
            events: Events::default(),
            stats_followers: Followers::default(),
            counters: Counters::default(),
            started: SystemTime::now(),
            stop: CancellationToken::new(),
            id,
            config: Mutex::new(Arc::new(config)),
        };
        Ok(Arc::new(station))
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another configuration in force; policies of mounts follow, nobody is dropped.
    pub fn set_config(&self, config: Config) {
        let config = Arc::new(config);
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config.clone();
        for mount in self.mounts.list() {
            mount.set_policy(Arc::new(config.policy(&mount.name)));
        }
        self.mounts.touch();
    }

    /// Whose request this is: behind a trusted proxy, the first address that the proxy names.
    pub fn peer_of(&self, direct: IpAddr, forwarded_for: Option<&str>) -> IpAddr {
        let trusted = self.config().http.trusted_proxies.contains(&direct);
        let named =
            forwarded_for.and_then(|list| list.split(',').next()).and_then(|ip| ip.trim().parse().ok());
        if trusted { named.unwrap_or(direct) } else { direct }
    }

    /// Counts a listener out that egress knows nothing of; false when it was not here.
    pub(crate) fn leave(&self, session: &Session, end: End) -> bool {
        leave(&self.mounts, &self.sessions, &self.auth, session, end)
    }

    /// The mount called `name`, if it can be listened to: it has a source, had one a moment ago, or is configured.
    pub fn audible(&self, name: &MountName) -> Option<Arc<crate::Mount>> {
        self.mounts.find(name)
    }
}

/// A listener is no longer here: its mount counts it out, and who follows it is told.
fn leave(mounts: &Mounts, sessions: &Sessions, auth: &Auth, session: &Session, end: End) -> bool {
    let mount = mounts.find(&session.home);
    let was_here = sessions.remove(session.id, mount.as_ref().map(|mount| &mount.stats.sends));
    if was_here {
        if let Some(mount) = mount {
            mount.left(session.sent.load(Relaxed));
            mount.stats.slow.fetch_add(u64::from(end == End::Slow), Relaxed);
            mount.stats.skips.fetch_add(session.skips.load(Relaxed), Relaxed);
        }
        auth.left(session.id, session.age(Instant::now()));
    }
    was_here
}
