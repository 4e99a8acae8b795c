//! What is wrong with a configuration that reads well: values that cannot be meant, and passwords everybody knows.

use super::{Config, HookAuth, MountConfig, MountHooks, RelayConfig, Secret, secret::MASK};
use crate::{MountName, slate, tls::Files};
use levada_media::Format;
use std::{collections::HashSet, fmt, net::SocketAddr, path::Path, time::Duration};

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key, such as `mount.1.fallback`; the entries of a list are counted from 0.
    pub key: String,
    /// Whether the server refuses to run like this.
    pub fatal: bool,
    /// What is wrong, in one sentence.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

impl Config {
    /// Everything that is wrong with this configuration. Files it names are looked for; nothing else is touched.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Findings::default();
        self.check_http(&mut found);
        self.check_limits(&mut found);
        for (at, mount) in self.mount.iter().enumerate() {
            self.check_mount(&format!("mount.{at}"), at, mount, &mut found);
        }
        self.check_circles(&mut found);
        for (at, relay) in self.relay.iter().enumerate() {
            check_relay(&format!("relay.{at}"), relay, &mut found);
        }
        let store = &self.store;
        if let Some(endpoint) = &store.endpoint {
            found.web("store.endpoint", endpoint);
        }
        let halves = store.access_key.is_some() != store.secret_key.is_some();
        found.error_if(halves, "store", "needs access_key and secret_key, or neither");
        for (at, directory) in self.directory.iter().enumerate() {
            found.web(&format!("directory.{at}.url"), &directory.url);
        }
        found.warn_if(
            !self.directory.is_empty() && self.server.hostname.is_none(),
            "server.hostname",
            "is not set: directories are told nothing, as they could not say where to listen",
        );
        self.check_rooms(&mut found);
        self.check_secrets(&mut found);
        found.0
    }

    fn check_http(&self, found: &mut Findings) {
        let http = &self.http;
        found.error_if(
            http.listen.is_empty() && http.shoutcast.is_empty(),
            "http.listen",
            "names no address",
        );
        let mut seen = HashSet::new();
        let named = [
            ("http.listen", &http.listen),
            ("http.shoutcast", &http.shoutcast),
            ("rtmp.listen", &self.rtmp.listen),
        ];
        let mut told = HashSet::new();
        for address in &self.webrtc.listen {
            let twice = address.port() != 0 && !told.insert(address);
            found.error_if(twice, "webrtc.listen", format!("names {address} twice"));
            let taken = self.webrtc.tcp
                && address.port() != 0
                && named.iter().any(|(_, list)| list.contains(address));
            found.error_if(
                taken,
                "webrtc.listen",
                format!("{address} is taken; its TCP port is needed as well"),
            );
        }
        found.error_if(
            self.webrtc.key_interval.is_zero(),
            "webrtc.key_interval",
            "must be longer than nothing",
        );
        for (key, address) in named.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one))) {
            let twice = address.port() != 0 && !seen.insert(address);
            found.error_if(twice, *key, format!("names {address} twice"));
        }
        found.error_if(
            http.key.is_some() && http.certificate.is_none(),
            "http.key",
            "is set, but http.certificate is not",
        );
        found.error_if(
            http.acme.is_some() && http.certificate.is_some(),
            "http.acme",
            "and http.certificate exclude each other",
        );
        if let Some(Err(why)) = Files::of(http).map(|files| files.read()) {
            found.error("http.certificate", why.to_string());
        }
        if let Some(folder) = &http.files {
            found.error_if(!folder.is_dir(), "http.files", format!("is no folder: {}", folder.display()));
        }
        let Some(acme) = &http.acme else { return };
        found.error_if(
            acme.domains.is_empty(),
            "http.acme.domains",
            "names nothing to get a certificate for",
        );
        for domain in &acme.domains {
            let name = domain.contains('.') && !domain.contains(['*', '/', ':', ' ']);
            let fits = name && domain.parse::<std::net::IpAddr>().is_err();
            found.error_if(
                !fits,
                "http.acme.domains",
                format!("{domain:?} is no name that TLS-ALPN-01 can prove"),
            );
        }
        found.warn_if(
            !acme.production && acme.directory.is_none(),
            "http.acme.production",
            "is false: certificates come from the staging directory, and no client trusts them",
        );
        found.file("http.acme.root", acme.root.as_deref());
    }

    fn check_rooms(&self, found: &mut Findings) {
        self.rooms.findings().into_iter().for_each(|(key, text)| found.error(key, text));
        for address in self.rooms.listen.iter().filter(|address| address.port() != 0) {
            let taken = self.webrtc.listen.contains(address);
            found.error_if(taken, "rooms.listen", format!("{address} is webrtc.listen's already"));
        }
    }

    fn check_limits(&self, found: &mut Findings) {
        let limits = &self.limits;
        found.error_if(limits.connections == 0, "limits.connections", "of 0 lets nobody in");
        found.error_if(limits.head_timeout.is_zero(), "limits.head_timeout", "of 0 lets nobody in");
        found.error_if(
            !(256..=1 << 20).contains(&limits.head_bytes),
            "limits.head_bytes",
            "must be between 256 and 1048576",
        );
        found.warn_if(
            limits.failures_per_minute == 0,
            "limits.failures_per_minute",
            "of 0 lets anybody guess",
        );
        for sibling in &limits.siblings {
            found.web("limits.siblings", sibling);
        }
    }

    fn check_mount(&self, at: &str, index: usize, mount: &MountConfig, found: &mut Findings) {
        let key = |name: &str| format!("{at}.{name}");
        let pattern = mount.name.contains('*');
        if let Err(why) = mount.name.replace('*', "x").parse::<MountName>() {
            found.error(key("name"), format!("{:?} is no mount name or pattern: {why}", mount.name));
        }
        let before = self.mount.iter().take(index).any(|other| other.name == mount.name);
        found.error_if(before, key("name"), format!("an earlier entry is named {:?} too", mount.name));
        let itself = mount.fallback.as_ref().is_some_and(|fallback| fallback.as_str() == mount.name);
        found.error_if(itself, key("fallback"), "leads to the mount itself");
        found.error_if(
            pattern && mount.file.is_some(),
            key("file"),
            "needs a mount by name; this entry is a pattern",
        );
        found.error_if(
            pattern && (mount.multicast.is_some() || mount.input.is_some()),
            key(if mount.input.is_some() { "input" } else { "multicast" }),
            "needs a mount by name; this entry is a pattern",
        );
        for to in mount.push.iter().flatten() {
            if let Err(why) = to.expose().parse::<levada_rtmp::Address>() {
                found.error(key("push"), format!("has an address that is none: {why}"));
            }
        }
        found.error_if(
            mount.input.is_some() && mount.file.is_some(),
            key("input"),
            "and file exclude each other",
        );
        let same = |to: &crate::multicast::Address| mount.input.as_ref().is_some_and(|from| from.to == to.to);
        found.error_if(
            mount.multicast.as_ref().is_some_and(same),
            key("multicast"),
            "is where its input comes from",
        );
        if let Some(slate) = &mount.always_on {
            self.check_slate(&key("always_on"), slate, mount, found);
        }
        if let Some(record) = &mount.record {
            let name: MountName = "/x".parse().expect("a good name");
            if let Err(why) = crate::record::Pattern::parse(&record.path, &name) {
                found.error(key("record.path"), why.to_string());
            }
            found.error_if(
                pattern && !record.path.contains("{mount}"),
                key("record.path"),
                "needs {mount}: this entry is a pattern, and its mounts would share files",
            );
            found.warn_if(
                record.keep.is_some() && !record.path.contains('%'),
                key("record.keep"),
                "deletes nothing: the path has no time in it by which files are known",
            );
        }
        self.check_team(at, index, mount, found);
        found.file(key("file"), mount.file.as_deref());
        found.file(key("fallback_file"), mount.fallback_file.as_deref());
        found.file(key("intro"), mount.intro.as_deref());
        found.file(key("htpasswd"), mount.htpasswd.as_deref());
        found.error_if(mount.icy_metaint == Some(0), key("icy_metaint"), "must be at least 1");
        let part = |part: &Duration| (100..=1000).contains(&part.as_millis());
        found.error_if(
            mount.hls_part.is_some_and(|time| !part(&time)),
            key("hls_part"),
            "must be between 100ms and 1s",
        );
        let long = mount.hls_rewind.is_some_and(|rewind| rewind > Duration::from_secs(86_400));
        found.error_if(long, key("hls_rewind"), "must be at most a day");
        let nowhere = |place: &str| place.is_empty() || place == "s3://" || place.starts_with("s3:///");
        found.error_if(mount.hls_store.as_deref().is_some_and(nowhere), key("hls_store"), "names no place");
        found.positive(key("source_timeout"), mount.source_timeout);
        found.positive(key("max_listener_duration"), mount.max_listener_duration);
        if let Some(hooks) = &mount.url_auth {
            check_hooks(&key("url_auth"), hooks, found);
        }
        if let Some(hooks) = &mount.hooks {
            check_own_hooks(&key("hooks"), hooks, found);
        }
    }

    /// A slate must be playable, and of the container and the codecs of the source as far as that is said here.
    fn check_slate(&self, key: &str, slate: &Path, mount: &MountConfig, found: &mut Findings) {
        found.error_if(mount.fallback_file.is_some(), key, "and fallback_file exclude each other");
        let look = match slate::look(slate) {
            Ok(look) => look,
            Err(why) => return found.error(key, why),
        };
        let said = mount.content_type.as_deref().map(Format::from_content_type);
        if said.is_some_and(|said| said != look.format) {
            let text = format!("is {}, and content_type says otherwise", look.format.content_type());
            found.error(key, text);
        }
        // an input is a transport stream always
        found.error_if(
            mount.input.is_some() && look.format != Format::MpegTs,
            key,
            "must be a transport stream, as the input is",
        );
        if let Some(Ok(source)) = mount.file.as_deref().map(slate::look)
            && source != look
        {
            let text = format!(
                "is {} with {}, and file is {} with {}: players cannot change between them",
                look.format.content_type(),
                look.spoken(),
                source.format.content_type(),
                source.spoken()
            );
            found.error(key, text);
        }
    }

    /// A chain of fallbacks that comes back to where it began, each circle once.
    fn check_circles(&self, found: &mut Findings) {
        let mut told = HashSet::new();
        for (at, mount) in self.mount.iter().enumerate() {
            let Ok(start) = mount.name.parse::<MountName>() else { continue };
            let mut chain = vec![start.clone()];
            while let Some(next) = chain.last().and_then(|last| self.policy(last).fallback) {
                let seen = chain.contains(&next);
                chain.push(next);
                if seen {
                    break;
                }
            }
            let circle = chain.len() > 2 && chain.last() == Some(&start);
            if circle && chain.iter().all(|name| !told.contains(name)) {
                let way: Vec<_> = chain.iter().map(MountName::as_str).collect();
                found.error(
                    format!("mount.{at}.fallback"),
                    format!("goes round in a circle: {}", way.join(" → ")),
                );
            }
            if circle {
                told.extend(chain);
            }
        }
    }

    fn check_secrets(&self, found: &mut Findings) {
        let listen = [&self.http.listen, &self.http.shoutcast, &self.rtmp.listen, &self.webrtc.listen];
        let public = listen.into_iter().flatten().any(|address| !is_local(address));
        for (key, secret) in self.secrets() {
            found.error_if(secret.expose().is_empty(), &key, "is empty; leave it out instead");
            let masked = "is masked as `--print-config` shows it; the password itself belongs here";
            found.error_if(secret.expose() == MASK, &key, masked);
            if is_weak(secret.expose()) {
                let text = "is a password that everybody knows; choose another";
                found.0.push(Finding { key, fatal: public, text: text.into() });
            }
        }
        for (key, user) in [
            ("auth.source_user", &self.auth.source_user),
            ("auth.admin_user", &self.auth.admin_user),
            ("auth.relay_user", &self.auth.relay_user),
        ] {
            found.error_if(
                user.is_empty() || user.contains(':'),
                key,
                "must not be empty nor contain a colon",
            );
        }
    }

    /// Every secret with its key.
    pub fn secrets(&self) -> Vec<(String, &Secret)> {
        let auth = [
            ("auth.source_password", &self.auth.source_password),
            ("auth.admin_password", &self.auth.admin_password),
            ("auth.api_token", &self.auth.api_token),
            ("auth.relay_password", &self.auth.relay_password),
            ("store.secret_key", &self.store.secret_key),
        ];
        let auth = auth.into_iter().filter_map(|(key, secret)| Some((key.to_owned(), secret.as_ref()?)));
        let mounts = self.mount.iter().enumerate().flat_map(|(at, mount)| {
            let hooks = mount.hooks.as_ref();
            let all = [
                ("source_password", mount.source_password.as_ref()),
                ("signing_key", mount.signing_key.as_ref()),
                ("play_token", mount.play_token.as_ref()),
                ("swarm_token", mount.swarm_token.as_ref()),
                ("hooks.secret", hooks.and_then(|hooks| hooks.secret.as_ref())),
            ];
            all.into_iter().filter_map(move |(key, secret)| Some((format!("mount.{at}.{key}"), secret?)))
        });
        let relays = self.relay.iter().enumerate();
        let relays =
            relays.filter_map(|(at, relay)| Some((format!("relay.{at}.password"), relay.password.as_ref()?)));
        auth.chain(mounts).chain(relays).collect()
    }
}

fn check_hooks(at: &str, hooks: &HookAuth, found: &mut Findings) {
    for (name, url) in hooks.urls() {
        found.web(&format!("{at}.{name}"), url);
    }
    found.positive(format!("{at}.timeout"), Some(hooks.timeout));
    found.warn_if(hooks.urls().next().is_none(), at, "names no address to ask");
}

fn check_own_hooks(at: &str, hooks: &MountHooks, found: &mut Findings) {
    for (name, url) in hooks.urls() {
        found.web(&format!("{at}.{name}"), url);
    }
    found.positive(format!("{at}.timeout"), Some(hooks.timeout));
    found.warn_if(hooks.urls().next().is_none(), at, "names no address to ask or tell");
    found.error_if(hooks.secret.is_none(), format!("{at}.secret"), "is missing: calls are signed with it");
}

fn check_relay(at: &str, relay: &RelayConfig, found: &mut Findings) {
    found.error_if(relay.from.is_empty(), format!("{at}.from"), "names no parent");
    for url in &relay.from {
        if !matches!(url.scheme(), "rtmp" | "rtmps") {
            found.web(&format!("{at}.from"), url);
        } else if let Err(why) = url.as_str().parse::<levada_rtmp::Address>() {
            found.error(format!("{at}.from"), why.to_string());
        }
    }
    let whole = relay.from.iter().any(|url| url.path() == "/");
    found.error_if(
        whole && relay.mount.is_some(),
        format!("{at}.mount"),
        "renames one mount, but `from` means all of them; add the parent's mount to `from`",
    );
    found.error_if(!relay.pattern.starts_with('/'), format!("{at}.pattern"), "must begin with a slash");
    found.error_if(relay.every < Duration::from_secs(1), format!("{at}.every"), "must be at least 1s");
}

/// Whether only this machine can reach it.
fn is_local(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether it is among the passwords that every scanner tries first.
fn is_weak(password: &str) -> bool {
    let plain = password.to_ascii_lowercase();
    WEAK.contains(&plain.trim_end_matches(|c: char| c.is_ascii_digit() || "!.".contains(c)))
        || (!plain.is_empty() && plain.len() <= 12 && "1234567890123".starts_with(&plain))
}

#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn error(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { key: key.into(), fatal: true, text: text.into() });
    }

    pub(super) fn error_if(&mut self, wrong: bool, key: impl Into<String>, text: impl Into<String>) {
        if wrong {
            self.error(key, text);
        }
    }

    pub(super) fn warn_if(&mut self, odd: bool, key: impl Into<String>, text: impl Into<String>) {
        if odd {
            self.0.push(Finding { key: key.into(), fatal: false, text: text.into() });
        }
    }

    fn file(&mut self, key: impl Into<String>, path: Option<&Path>) {
        let Some(path) = path else { return };
        if let Err(why) = std::fs::File::open(path) {
            self.error(key, format!("{} cannot be read: {why}", path.display()));
        }
    }

    fn web(&mut self, key: &str, url: &url::Url) {
        let web = matches!(url.scheme(), "http" | "https") && url.has_host();
        self.error_if(!web, key, format!("{:?} is not spoken here, only http and https", url.scheme()));
    }

    fn positive(&mut self, key: impl Into<String>, time: Option<Duration>) {
        self.error_if(time.is_some_and(|time| time.is_zero()), key, "must be more than 0");
    }
}

/// Without the digits behind them.
const WEAK: [&str; 22] = [
    "hackme",
    "changeme",
    "change-me",
    "password",
    "passwd",
    "pass",
    "secret",
    "admin",
    "source",
    "relay",
    "icecast",
    "shoutcast",
    "levada",
    "letmein",
    "default",
    "test",
    "radio",
    "stream",
    "qwerty",
    "abc",
    "root",
    "live",
];

#[cfg(test)]
mod tests;
