//! Who asks, of which server, and by which name they called it.

use crate::{
    Station,
    auth::{Asks, Denied, Who},
    config::Config,
    conn::{Conn, Stream},
    http::Head,
};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// What a handler knows beside the request itself.
#[derive(Clone)]
pub struct Caller {
    /// The server that is asked.
    pub station: Arc<Station>,
    /// Where the client is (behind a trusted proxy: what the proxy says).
    pub peer: IpAddr,
    /// What it sent.
    pub head: Arc<Head>,
    /// The address of ours that it reached.
    pub reached: IpAddr,
    secure: bool,
    port: u16,
    host: Option<String>,
    user: String,
    password: String,
    token: Option<String>,
    foreign: bool,
}

impl Caller {
    pub(super) fn new(conn: &Conn, head: &Head, station: &Arc<Station>) -> Caller {
        let (user, password) = head.basic().unwrap_or_default();
        let proxied = station.config().http.trusted_proxies.contains(&conn.peer.ip());
        let outside = |name: &str| head.field(name).filter(|_| proxied);
        let host = outside("x-forwarded-host").or_else(|| head.field("host")).filter(|host| is_host(host));
        Caller {
            station: station.clone(),
            peer: station.peer_of(conn.peer.ip(), head.field("x-forwarded-for")),
            head: Arc::new(head.clone()),
            secure: conn.is_secure() || outside("x-forwarded-proto") == Some("https"),
            reached: reached(conn).map_or(IpAddr::from([0; 4]), |reached| reached.ip().to_canonical()),
            port: reached(conn).map_or(0, |reached| reached.port()),
            host: host.map(str::to_owned),
            user,
            password,
            token: head.bearer().map(str::to_owned),
            foreign: is_foreign(head),
        }
    }

    /// The user that the client says it is; empty without Basic credentials.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password of its Basic credentials.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Its bearer token (RFC 6750).
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether another site's page made a browser send this: nothing may change by it.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// The server's address as the client called it, `http://host:port`.
    pub fn base(&self) -> String {
        match &self.host {
            Some(host) => format!("{}://{host}", self.scheme()),
            None => self.named_base(),
        }
    }

    /// The server's address by its configured name, else as the client called it.
    pub fn named_base(&self) -> String {
        let config = self.station.config();
        match (&config.server.hostname, &self.host) {
            (Some(name), _) if has_port(name) => format!("{}://{name}", self.scheme()),
            (Some(name), _) => format!("{}://{name}{}", self.scheme(), self.port_suffix()),
            (None, Some(host)) => format!("{}://{host}", self.scheme()),
            (None, None) => format!("{}://localhost{}", self.scheme(), self.port_suffix()),
        }
    }

    /// The server's name without a port.
    pub fn host_name(&self) -> String {
        let config = self.station.config();
        let named = config.server.hostname.as_deref().or(self.host.as_deref()).unwrap_or("localhost");
        without_port(named).to_owned()
    }

    /// Whether the client may do what it `asks`; a refusal is counted.
    ///
    /// # Errors
    /// Why not.
    pub async fn may(&self, asks: Asks<'_>) -> Result<(), Denied> {
        self.may_as(asks, &self.user, &self.password).await
    }

    /// The same with credentials that came another way.
    ///
    /// # Errors
    /// Why not.
    pub async fn may_as(&self, asks: Asks<'_>, user: &str, password: &str) -> Result<(), Denied> {
        let config = self.station.config();
        let who = Who { from: self.peer, user, password };
        let allowed = self.station.auth.allows(&config, asks, who).await;
        if allowed.is_err() {
            self.station.counters.denied.fetch_add(1, Relaxed);
        }
        allowed
    }

    /// Whether the client is the administrator: by Basic credentials, or by the API's token.
    ///
    /// # Errors
    /// Why not.
    pub async fn administers(&self) -> Result<(), Denied> {
        match &self.token {
            Some(token) => self.may_as(Asks::Token, "", token).await,
            None => self.may(Asks::Admin).await,
        }
    }

    /// Whether the client reads as the administrator: it does with good credentials, it does not without any.
    ///
    /// # Errors
    /// When it shows credentials that are not good.
    pub async fn reads_as_admin(&self) -> Result<bool, Denied> {
        if self.token.is_none() && self.user.is_empty() && self.password.is_empty() {
            return Ok(false);
        }
        self.administers().await.map(|()| true)
    }

    /// Whether the user named is the administrator's; says nothing about the password.
    pub fn calls_itself_admin(&self, config: &Config) -> bool {
        self.user == config.auth.admin_user
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    fn port_suffix(&self) -> String {
        match (self.secure, self.port) {
            (false, 80) | (true, 443) | (_, 0) => String::new(),
            (_, port) => format!(":{port}"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, StatusCode> {
        parts.extensions.get().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The address that the client reached.
fn reached(conn: &Conn) -> Option<SocketAddr> {
    let local = match &conn.stream {
        Stream::Plain(stream) => stream.local_addr(),
        Stream::Tls(stream) => stream.get_ref().0.local_addr(),
    };
    local.ok()
}

/// Browsers say where a request comes from (Fetch Metadata; RFC 6454 §7). Other programs say nothing.
fn is_foreign(head: &Head) -> bool {
    if head.field("sec-fetch-site").is_some_and(|site| matches!(site, "cross-site" | "same-site")) {
        return true;
    }
    let Some(origin) = head.field("origin") else { return false };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_none() || host != head.field("host")
}

/// What may stand in an address: a name, an IPv4 or a bracketed IPv6 address, and a port. Nothing else is repeated.
fn is_host(host: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    (1..=LONGEST_HOST).contains(&host.len()) && host.chars().all(fits)
}

fn has_port(host: &str) -> bool {
    without_port(host).len() < host.len()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
        }
        _ => host,
    }
}

/// RFC 1035 §2.3.4, with brackets and a port.
const LONGEST_HOST: usize = 263;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{First, HeadReader};

    fn head(fields: &str) -> Head {
        let text = format!("GET / HTTP/1.1\r\nHost: radio.example:8000\r\n{fields}\r\n");
        match HeadReader::default().read(text.as_bytes()) {
            Ok(Some(First::Request(head, _))) => head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_another_sites_page_sends_is_foreign() {
        for (fields, foreign) in [
            ("", false),
            ("Sec-Fetch-Site: same-origin\r\n", false),
            ("Sec-Fetch-Site: none\r\n", false),
            ("Sec-Fetch-Site: cross-site\r\n", true),
            ("Origin: http://radio.example:8000\r\n", false),
            ("Origin: http://evil.example\r\n", true),
            ("Origin: null\r\n", true),
        ] {
            assert_eq!(is_foreign(&head(fields)), foreign, "{fields:?}");
        }
    }

    #[test]
    fn only_names_are_repeated_as_a_host() {
        for good in ["a", "radio.example:8000", "127.0.0.1", "[::1]:80"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "a\"b", "<x>", "a@b"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn ports_are_told_from_names() {
        for (host, name) in [
            ("a:80", "a"),
            ("a", "a"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("a:b", "a:b"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn a_bearer_token_is_found() {
        assert_eq!(head("Authorization: Bearer abc\r\n").bearer(), Some("abc"));
        assert_eq!(head("Authorization: Basic abc\r\n").bearer(), None);
    }
}
