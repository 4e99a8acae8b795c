//! What is said of a mount, and what that comes to.

use super::{RecordConfig, Secret, Transport, matches};
use crate::{MountName, multicast::Address};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

macro_rules! mount_options {
    (
        decided { $($(#[$doc:meta])* $field:ident : $kind:ty = $default:expr $(, $with:literal)?;)* }
        open { $($(#[$odoc:meta])* $ofield:ident : $okind:ty $(, $owith:literal)?;)* }
    ) => {
        /// What the configuration says of mounts whose name fits `name`; what it does not say stays as it was.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct MountConfig {
            /// A mount's name, or a pattern with `*`.
            pub name: String,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none" $(, with = $with)?)] pub $field: Option<$kind>,)*
            $($(#[$odoc])* #[serde(skip_serializing_if = "Option::is_none" $(, with = $owith)?)] pub $ofield: Option<$okind>,)*
        }

        /// A mount's policy: every option decided, or open where "no limit" and "what the source says" are answers.
        #[derive(Clone, Debug, PartialEq)]
        pub struct MountPolicy {
            $($(#[$doc])* pub $field: $kind,)*
            $($(#[$odoc])* pub $ofield: Option<$okind>,)*
        }

        impl Default for MountPolicy {
            fn default() -> MountPolicy {
                MountPolicy { $($field: $default,)* $($ofield: None,)* }
            }
        }

        impl MountConfig {
            /// Lays what is said here over `policy`.
            pub fn refine(&self, policy: &mut MountPolicy) {
                $(if let Some(value) = &self.$field { policy.$field = value.clone(); })*
                $(if self.$ofield.is_some() { policy.$ofield = self.$ofield.clone(); })*
            }
        }
    };
}

mount_options! {
    decided {
        /// What happens to a second source. Default `deny`.
        takeover: Takeover = Takeover::Deny;
        /// How long listeners are kept when the source is gone and nothing falls back. Default 10 s.
        linger: Duration = Duration::from_secs(10), "humantime_serde";
        /// A source that is silent this long is gone. Default 10 s.
        source_timeout: Duration = Duration::from_secs(10), "humantime_serde";
        /// Whether listeners come back when this mount's source does. Default true.
        fallback_override: bool = true;
        /// Whether listeners beyond `max_listeners` hear the fallback instead of a refusal. Default false.
        fallback_when_full: bool = false;
        /// How much is sent at once on joining: 2 s to start and 2 s of safety. Default 4 s.
        burst: Duration = Duration::from_secs(4), "humantime_serde";
        /// Where a player of RTMP or HTTP-FLV begins. Default `catchup`.
        start: StartAt = StartAt::CatchUp;
        /// Bytes between ICY title blocks. Default 16,000.
        icy_metaint: usize = 16_000;
        /// How long parts of Low-Latency HLS are; players stay three of them behind. Shorter is more requests. 100 ms to
        /// 1 s; default 200 ms.
        hls_part: Duration = Duration::from_millis(200), "humantime_serde";
        /// Whether a team of peers may carry the mount on: `levada pull p2psp://…` joins it. Default false.
        swarm: bool = false;
        /// Not listed on the page, in the statistics, or to relays. Default false.
        hidden: bool = false;
    }
    open {
        /// The UDP port of the mount's team. Default any that is free, as the server says when it begins.
        swarm_port: u16;
        /// What members of the mount's team must have: it is private then, and its stream hidden on its way. Default none.
        swarm_token: Secret;
        /// How its datagrams travel: `plain`, signed but for all to read, or `quic`, encrypted. Default plain.
        swarm_transport: Transport;
        /// The most peers in the team; others are told that it is full. Default 20,000.
        swarm_peers: usize;
        /// A tracker (`host:port`) that sends peers to the team. Default none.
        swarm_tracker: String;
        /// What the tracker's peers know the stream by. Default the mount's name without its slash.
        swarm_channel: String;
        /// The file with the key that chunks are signed with, made where it is not there. Default a new key each time.
        swarm_key: PathBuf;
        /// Stand by for the team's splitter there (`host:port`), which has the same key and the same source: go on when it
        /// dies. Default none.
        swarm_standby_of: String;
        /// User of this mount's source; default the server's.
        source_user: String;
        /// Password of this mount's source; default the server's.
        source_password: Secret;
        /// The mount that listeners hear while this one has no source.
        fallback: MountName;
        /// A file played in a loop while this mount has no source and no other fallback is alive.
        fallback_file: PathBuf;
        /// A clip that plays on the mount, in a loop, whenever it has no source and no fallback is alive: the mount is always
        /// on. It must be of the sources' container, and should have their codecs, which players may not change.
        always_on: PathBuf;
        /// A file that is this mount's source, played in a loop.
        file: PathBuf;
        /// Where and how what the mount's source sends is recorded.
        record: RecordConfig;
        /// Where the mount is sent as a transport stream: `udp://239.1.2.3:5000?ttl=1` or `rtp://…`, a group or a host.
        /// Groups are announced by SAP (`?sap=no` leaves that out); `/NAME.sdp` describes the session.
        multicast: Address;
        /// RTMP addresses on which this mount is published too, stream keys and all (`rtmp://host/app/key`,
        /// `rtmps://`). Lost connections are made anew. Default none.
        push: Vec<Secret>;
        /// Where the mount's source is heard: `udp://239.1.2.3:5000`, `rtp://…`, with `?iface=` on that network.
        input: Address;
        /// A file in the mount's own format that every new listener hears first.
        intro: PathBuf;
        /// Listeners at once. Default: as many as the server takes.
        max_listeners: usize;
        /// How long one listener may stay.
        max_listener_duration: Duration, "humantime_serde";
        /// How often a listener's socket is written to; the burst hides it. `0s` is at once. Default: 250 ms to 1 s by bit rate.
        flush: Duration, "humantime_serde";
        /// How far back players of HLS can go, up to a day. Segments are then made as long as there is a source, and kept
        /// in memory, up to 1 GiB. Default: half a minute, of what is made while somebody asks.
        hls_rewind: Duration, "humantime_serde";
        /// Where segments and a playlist are also put, for a CDN or for later: a folder, or `s3://BUCKET/PREFIX` (see
        /// `[store]`); a mount's objects are below its name, and what left the window is taken out again. Segments are
        /// then made as long as there is a source; a store that does not keep up loses what leaves the window meanwhile.
        /// Default none.
        hls_store: String;
        /// Announced in directories; default what the source says.
        public: bool;
        /// Overrides the source's name.
        stream_name: String;
        /// Overrides the source's description.
        description: String;
        /// Overrides the source's genre.
        genre: String;
        /// Overrides the source's address.
        url: String;
        /// Overrides the source's bit rate as shown, in kbit/s.
        bitrate: String;
        /// Overrides the source's content type.
        content_type: String;
        /// Listeners must be in this htpasswd file.
        htpasswd: PathBuf;
        /// Listeners and sources are admitted by asking these addresses, with Icecast's fields.
        url_auth: HookAuth;
        /// Sources and players are admitted by asking these addresses, in signed JSON.
        hooks: MountHooks;
        /// Listeners must carry a signature made with this key (`?exp=…&sig=…`, or `?token=EXP.SIG`).
        signing_key: Secret;
        /// Listeners must carry this token (`?token=…`, or as `Authorization: Bearer …`).
        play_token: Secret;
    }
}

impl MountConfig {
    /// Whether this entry is about the mount called `name`.
    pub fn matches(&self, name: &MountName) -> bool {
        matches(&self.name, name.as_str())
    }
}

/// What happens when a second source comes to a mount that has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// It is refused (403, as Icecast does).
    #[default]
    Deny,
    /// It takes over, and the first one is let go.
    Replace,
}

/// Where in a stream with pictures a player begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// At the newest key picture, with all that came since pressed into less than a tenth of a second: it sees
    /// something at once, and is live.
    #[default]
    CatchUp,
    /// At the newest key picture: it sees something at once, and stays as far behind as that picture was old.
    Fast,
    /// At the next key picture: it waits for it, and is live then.
    Live,
}

impl StartAt {
    /// What `?start=` says.
    pub fn read(text: &str) -> Option<StartAt> {
        match text {
            "catchup" => Some(StartAt::CatchUp),
            "fast" => Some(StartAt::Fast),
            "live" => Some(StartAt::Live),
            _ => None,
        }
    }
}

impl MountPolicy {
    /// Whether each listener has to show something, or somebody is told of it.
    pub fn is_guarded(&self) -> bool {
        let icecast = self.url_auth.as_ref();
        let ours = self.hooks.as_ref();
        self.htpasswd.is_some()
            || self.signing_key.is_some()
            || self.play_token.is_some()
            || icecast.is_some_and(|hooks| hooks.listener_add.is_some() || hooks.listener_remove.is_some())
            || ours.is_some_and(|hooks| hooks.play.is_some() || hooks.stop.is_some())
    }
}

/// Addresses that are asked, or told, who publishes and who plays: by POST, in JSON, signed with `secret`. Every answer is
/// awaited at most `timeout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MountHooks {
    /// Asked when a source comes, instead of comparing its password or stream key with one of ours.
    pub publish: Option<url::Url>,
    /// Told when a source has gone.
    pub unpublish: Option<url::Url>,
    /// Asked when a player or a listener comes. Default: they are not asked for.
    pub play: Option<url::Url>,
    /// Told when a player has gone, of those that were asked for or need not be.
    pub stop: Option<url::Url>,
    /// What calls are signed with.
    pub secret: Option<Secret>,
    /// How long an answer may take. Longer keeps clients waiting, shorter refuses them more often. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for MountHooks {
    fn default() -> MountHooks {
        let (publish, unpublish, play, stop, secret) = (None, None, None, None, None);
        MountHooks { publish, unpublish, play, stop, secret, timeout: Duration::from_secs(5) }
    }
}

impl MountHooks {
    /// The addresses that are set, with their keys.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &url::Url)> {
        let all = [
            ("publish", &self.publish),
            ("unpublish", &self.unpublish),
            ("play", &self.play),
            ("stop", &self.stop),
        ];
        all.into_iter().filter_map(|(key, url)| Some((key, url.as_ref()?)))
    }
}

/// Icecast's URL authentication: addresses that are asked by POST. Every answer is awaited at most `timeout` and read up
/// to 64 kB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookAuth {
    /// Asked when a listener comes. Default: listeners are not asked for.
    pub listener_add: Option<url::Url>,
    /// Told when a listener has gone.
    pub listener_remove: Option<url::Url>,
    /// Asked when a source comes, instead of comparing its password with one of ours.
    pub stream_auth: Option<url::Url>,
    /// Told when the mount comes alive.
    pub mount_add: Option<url::Url>,
    /// Told when the mount is gone.
    pub mount_remove: Option<url::Url>,
    /// The answer's header that admits; a name alone admits with any value. Default `icecast-auth-user: 1`.
    pub auth_header: String,
    /// The answer's header that says how many seconds a listener may stay. Default `icecast-auth-timelimit:`.
    pub timelimit_header: String,
    /// Fields of the listener's request that are passed on. Default none.
    pub headers: Vec<String>,
    /// What the names of such fields begin with. Default `ClientHeader.`.
    pub header_prefix: String,
    /// How long an answer may take. Longer keeps listeners waiting, shorter refuses them more often. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for HookAuth {
    fn default() -> HookAuth {
        HookAuth {
            listener_add: None,
            listener_remove: None,
            stream_auth: None,
            mount_add: None,
            mount_remove: None,
            auth_header: "icecast-auth-user: 1".into(),
            timelimit_header: "icecast-auth-timelimit:".into(),
            headers: Vec::new(),
            header_prefix: "ClientHeader.".into(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl HookAuth {
    /// The addresses that are set, with their keys.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &url::Url)> {
        let all = [
            ("listener_add", &self.listener_add),
            ("listener_remove", &self.listener_remove),
            ("stream_auth", &self.stream_auth),
            ("mount_add", &self.mount_add),
            ("mount_remove", &self.mount_remove),
        ];
        all.into_iter().filter_map(|(key, url)| Some((key, url.as_ref()?)))
    }
}
