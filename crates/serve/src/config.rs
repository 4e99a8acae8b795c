//! What a server is told: every knob with its default, one place.
//!
//! A file is TOML with these names; the command line and `LEVADA__SECTION__KEY` say the same things.

mod check;
mod diff;
mod mount;
mod record;
mod rooms;
mod secret;
mod team;

pub use check::Finding;
pub use diff::Change;
pub use mount::{HookAuth, MountConfig, MountHooks, MountPolicy, StartAt, Takeover};
pub use record::{Keep, RecordConfig, RecordFormat, Rotate};
pub use rooms::RoomsConfig;
pub use secret::{Secret, without_password};
pub use team::Transport;

use crate::MountName;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// The whole configuration of `levada serve`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where and how HTTP is spoken.
    pub http: Http,
    /// Where RTMP is spoken.
    pub rtmp: Rtmp,
    /// Where WebRTC is spoken.
    pub webrtc: Webrtc,
    /// Rooms in which people talk.
    pub rooms: RoomsConfig,
    /// The store of objects that segments are put into.
    pub store: Store,
    /// Who may do what.
    pub auth: Auth,
    /// How much is allowed.
    pub limits: Limits,
    /// What the server says of itself.
    pub server: About,
    /// Mounts by name or pattern; later entries refine earlier ones.
    pub mount: Vec<MountConfig>,
    /// Streams taken from other servers.
    pub relay: Vec<RelayConfig>,
    /// Stream directories (YP) to announce public mounts to.
    pub directory: Vec<DirectoryConfig>,
}

/// Where and how HTTP is spoken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Addresses to listen on. Default `127.0.0.1:8000`, which only this machine reaches; `0.0.0.0:8000` is every
    /// address, and then no password may be one that everybody knows. Plain and TLS share the port.
    pub listen: Vec<SocketAddr>,
    /// Addresses on which only SHOUTcast v1 sources are awaited (their habit is the port above HTTP's). Default none.
    /// They send their password in the clear.
    pub shoutcast: Vec<SocketAddr>,
    /// The mount that SHOUTcast v1 sources feed, as they cannot name one. Default `/stream`.
    pub shoutcast_mount: MountName,
    /// The mount that players get who ask for `/`. Default none: everybody gets the page, as browsers always do.
    pub home: Option<MountName>,
    /// Certificate chain in PEM. Default none: TLS is not spoken. Read again when it changes; those who are connected
    /// keep the old one. A listener over TLS costs more CPU and memory than a plain one.
    pub certificate: Option<PathBuf>,
    /// Private key in PEM. Default: in the certificate's file.
    pub key: Option<PathBuf>,
    /// Names to obtain a certificate for by ACME, instead of `certificate`. Default none. The authority must reach this
    /// server on port 443 (TLS-ALPN-01).
    pub acme: Option<Acme>,
    /// Proxies whose `X-Forwarded-For` is believed. Default none; whoever is named here can claim any address.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// Where the access log goes, in Icecast's line format; opened anew at every reload. Default nowhere.
    pub access_log: Option<PathBuf>,
    /// A folder whose files are served below `/`. Default none.
    pub files: Option<PathBuf>,
    /// Who may show the page in a frame, as `frame-ancestors` names them (CSP). Default `'self'`; empty is nobody.
    pub frame_ancestors: Vec<String>,
}

/// Where RTMP is spoken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rtmp {
    /// Addresses to listen on; RTMP's own port is 1935. Default none.
    pub listen: Vec<SocketAddr>,
}

/// How a store of objects that speaks S3 is reached. What is not said here is taken from the environment, as the tools
/// of that world do (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Its address, for stores that are not Amazon's. Default Amazon's; `http://` sends everything in the clear.
    pub endpoint: Option<url::Url>,
    /// Its region. Default `us-east-1`.
    pub region: Option<String>,
    /// The name of the key that signs requests. Default the environment's.
    pub access_key: Option<String>,
    /// That key. Default the environment's.
    pub secret_key: Option<Secret>,
}

/// Certificates by ACME (RFC 8555).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acme {
    /// The names the certificate is for. Default none, which is an error.
    pub domains: Vec<String>,
    /// Contact address told to the authority, for warnings before a certificate ends. Default none.
    pub email: Option<String>,
    /// The authority's directory. Default Let's Encrypt's staging one, so that trying costs nothing.
    pub directory: Option<url::Url>,
    /// Use Let's Encrypt's production directory, whose rate limits are real. Default false.
    pub production: bool,
    /// The root certificate (PEM) of a directory that is not publicly trusted, such as a house's own authority. Default
    /// none.
    pub root: Option<PathBuf>,
}

/// Where WebRTC is spoken: viewers by WHEP at `/whep/NAME`, publishers by WHIP at `/whip/NAME`, both beginning over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webrtc {
    /// Addresses to listen on, each with one UDP port for all sessions. Default none. Takes effect at the next start
    /// only.
    pub listen: Vec<SocketAddr>,
    /// Addresses that peers are told instead, where they reach this server by others than its own (behind a NAT).
    /// Default none: they are told `listen`, or where that is every address, the one by which they reached HTTP.
    pub addresses: Vec<std::net::IpAddr>,
    /// Whether peers that no UDP reaches may come over TCP, on the same port. Default true. Takes effect at the next
    /// start only.
    pub tcp: bool,
    /// How often a publisher is asked for a picture that others can begin with. Default 2 s. Browsers make none unasked;
    /// a longer time saves them some bandwidth, and lets players over HTTP wait, or lag behind, for as long.
    #[serde(with = "humantime_serde")]
    pub key_interval: Duration,
}

/// Who may do what. Nothing has a default password: without one, the first start makes it and shows it once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The user that sources log in as. Default `source`.
    pub source_user: String,
    /// Password of every source whose mount names none of its own, or its argon2 hash. Default: made at the first start.
    pub source_password: Option<Secret>,
    /// The administrator's user. Default `admin`.
    pub admin_user: String,
    /// The administrator's password, or its argon2 hash. Default: made at the first start.
    pub admin_password: Option<Secret>,
    /// What programs send as `Authorization: Bearer …` to administer by the API. Default none: they cannot.
    pub api_token: Option<Secret>,
    /// The user that relays log in as. Default `relay`.
    pub relay_user: String,
    /// Password of relays, or its argon2 hash; relays may listen everywhere with it. Default none: the list of streams
    /// is open to the administrator only.
    pub relay_password: Option<Secret>,
}

/// How much is allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once, of any kind. Default 100,000 (and what the descriptor limit allows). More are closed at once.
    pub connections: usize,
    /// Listeners at once, over all mounts. Default 100,000. More are sent to a sibling, or told to come later (503).
    pub listeners: usize,
    /// Sources at once, relays and files included. Default 256. More are refused (403).
    pub sources: usize,
    /// A request's head, and the TLS handshake before it, must be there within this time. Default 10 s. Longer lets slow
    /// clients in, and those who hold connections open for harm.
    #[serde(with = "humantime_serde")]
    pub head_timeout: Duration,
    /// Longest request head in bytes, 256 to 1,048,576. Default 8,192. Each connection that asks may cost as much memory.
    pub head_bytes: usize,
    /// Wrong passwords a minute and address; beyond that nothing from there is looked at (429) until the minute is over.
    /// Default 20; 0 is no limit, and lets anybody guess and keep the CPU busy with it.
    pub failures_per_minute: u32,
    /// Threads that write to listeners. Default 0, which is one a core. Takes effect at the next start only.
    pub reactors: usize,
    /// Sibling servers that a listener is sent to (302) when this one is full. Default none.
    pub siblings: Vec<url::Url>,
    /// How long a draining server waits for its listeners on SIGTERM. Default 5 s; a second signal ends it at once.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// What the server says of itself, on its page and in the statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// The name that addresses in playlists and statistics use. Default the request's `Host`.
    pub hostname: Option<String>,
    /// Where it stands, as Icecast's `location`. Default `Earth`.
    pub location: String,
    /// Whom to write to. Default `icemaster@localhost`.
    pub admin: String,
    /// Where state (password hashes, ACME account, certificates) is kept. Default `$STATE_DIRECTORY`, or `levada` in the
    /// user's state directory. Takes effect at the next start only.
    pub state: Option<PathBuf>,
}

/// A stream, or all streams, taken from another server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// Parents in order of preference: `http://host:port` for all mounts or a pattern, with a path for one;
    /// `rtmp://host/app/name` (or `rtmps`) for one stream of an RTMP server; `http://host/PATH.m3u8` for one of HLS.
    pub from: Vec<url::Url>,
    /// Which of the parent's mounts, when `from` has no path: a name or a pattern. Default `/*`.
    #[serde(default = "every_mount")]
    pub pattern: String,
    /// The local name, when `from` has a path. Default: the same as the parent's, without `.m3u8` and `/index`.
    #[serde(default)]
    pub mount: Option<MountName>,
    /// Pull only while somebody listens. Default false.
    #[serde(default)]
    pub on_demand: bool,
    /// User for the parent. Default `relay`.
    #[serde(default = "relay_user")]
    pub user: String,
    /// Password for the parent.
    #[serde(default)]
    pub password: Option<Secret>,
    /// How often the parent's list is read. Default 10 s.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub every: Duration,
}

impl RelayConfig {
    /// Takes all mounts of `parent`, always, as its relay user with this password.
    pub fn all_of(parent: url::Url, password: &str) -> RelayConfig {
        RelayConfig {
            from: vec![parent],
            pattern: every_mount(),
            mount: None,
            on_demand: false,
            user: relay_user(),
            password: Some(Secret::from(password)),
            every: ten_seconds(),
        }
    }
}

/// A stream directory (YP).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// The directory's address.
    pub url: url::Url,
    /// How long one request to it may take. Default 15 s.
    #[serde(default = "fifteen_seconds", with = "humantime_serde")]
    pub timeout: Duration,
}

fn every_mount() -> String {
    "/*".into()
}
fn relay_user() -> String {
    "relay".into()
}
fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}
fn fifteen_seconds() -> Duration {
    Duration::from_secs(15)
}

impl Default for Http {
    fn default() -> Http {
        Http {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8000))],
            shoutcast: Vec::new(),
            shoutcast_mount: "/stream".parse().expect("the default is a good name"),
            home: None,
            certificate: None,
            key: None,
            acme: None,
            trusted_proxies: Vec::new(),
            access_log: None,
            files: None,
            frame_ancestors: vec!["'self'".into()],
        }
    }
}

impl Default for Auth {
    fn default() -> Auth {
        Auth {
            source_user: "source".into(),
            source_password: None,
            admin_user: "admin".into(),
            admin_password: None,
            api_token: None,
            relay_user: "relay".into(),
            relay_password: None,
        }
    }
}

impl Default for Webrtc {
    fn default() -> Webrtc {
        Webrtc { listen: Vec::new(), addresses: Vec::new(), tcp: true, key_interval: Duration::from_secs(2) }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 100_000,
            listeners: 100_000,
            sources: 256,
            head_timeout: Duration::from_secs(10),
            head_bytes: 8 * 1024,
            failures_per_minute: 20,
            reactors: 0,
            siblings: Vec::new(),
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for About {
    fn default() -> About {
        About { hostname: None, location: "Earth".into(), admin: "icemaster@localhost".into(), state: None }
    }
}

impl Config {
    /// The policy of one mount: the defaults, refined by every entry whose name or pattern matches, in order. A
    /// pattern that makes one mount the fallback of all does not make it its own.
    pub fn policy(&self, name: &MountName) -> MountPolicy {
        let mut policy = MountPolicy::default();
        self.mount.iter().filter(|entry| entry.matches(name)).for_each(|entry| entry.refine(&mut policy));
        policy.fallback = policy.fallback.filter(|fallback| fallback != name);
        policy.hidden |= name.is_internal();
        policy
    }

    /// The mounts that are named outright, without a pattern.
    pub fn named_mounts(&self) -> impl Iterator<Item = MountName> + '_ {
        self.mount.iter().filter_map(|entry| entry.name.parse().ok())
    }
}

/// Whether `name` is what `pattern` means: `*` stands for any characters, none included.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let mut rest = rest;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_people_mean_them() {
        for (pattern, name, fits) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/*", "/a/b", true),
            ("/dj/*", "/dj/x", true),
            ("/dj/*", "/d", false),
            ("/*.mp3", "/x.mp3", true),
            ("/*.mp3", "/x.ogg", false),
            ("/a*b*c", "/axbyc", true),
            ("/a*b*c", "/acb", false),
            ("/ab*ba", "/aba", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn later_entries_refine_earlier_ones() {
        let config: Config = toml::from_str(
            "[[mount]]\nname = '/*'\nmax_listeners = 5\nlinger = '3s'\n[[mount]]\nname = '/a'\nmax_listeners = 9\n",
        )
        .unwrap();
        let policy = config.policy(&"/a".parse().unwrap());
        assert_eq!((policy.max_listeners, policy.linger), (Some(9), Duration::from_secs(3)));
        assert_eq!(config.policy(&"/b".parse().unwrap()).max_listeners, Some(5));
        assert_eq!(config.named_mounts().count(), 1);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Config>("[http]\nlisten_on = []\n").is_err());
    }
}
