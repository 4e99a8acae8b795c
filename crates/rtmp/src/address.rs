//! Where a stream is: `rtmp://host:port/app/name?key=…`, typed or put together from what a client sends.

use std::{fmt, str::FromStr};

/// The address of a stream, parsed.
///
/// ```
/// use levada_rtmp::Address;
/// let address: Address = "rtmp://example.org/live/tea?key=s%20e".parse().unwrap();
/// assert_eq!((address.port, address.path().as_str()), (1935, "/live/tea"));
/// assert_eq!(address.key(), Some("s e"));
/// assert_eq!(address.tc_url(), "rtmp://example.org/live");
/// assert_eq!(address.stream_key(), "tea?key=s%20e");
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Whether it is `rtmps`.
    pub secure: bool,
    /// Name or number of the host, without the brackets of IPv6.
    pub host: String,
    /// TCP port; 1935, or 443 for `rtmps`, if none was given.
    pub port: u16,
    /// What RTMP calls the application: the path without its last part.
    pub app: String,
    /// What RTMP calls the stream: the last part of the path.
    pub name: String,
    /// What followed a question mark, decoded, in its order.
    pub params: Vec<(String, String)>,
    /// The same as it was written, for the stream key.
    query: String,
}

/// Why an address is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not begin with `rtmp://` or `rtmps://`.
    #[error("an RTMP address begins with rtmp:// or rtmps://")]
    Scheme,
    /// No host.
    #[error("the address names no host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("{0:?} is not a port")]
    Port(String),
    /// No stream.
    #[error("the address names no stream: rtmp://host/app/name")]
    Name,
}

impl Address {
    /// The address that a client means with its `connect` (`tcUrl`, `app`) and the name it publishes or plays.
    ///
    /// Parameters are taken from all three; those nearer to the name come first. Without a `tcUrl` the host is empty.
    pub fn from_session(tc_url: &str, app: &str, name: &str) -> Address {
        let (secure, rest) = scheme(tc_url).unwrap_or((false, ""));
        let (authority, in_url) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_port(authority, secure).unwrap_or_default();
        let (_, url_query) = cut_query(in_url);
        let (app, app_query) = cut_query(app);
        let (name, query) = cut_query(name);
        let mut params = Vec::new();
        [query, app_query, url_query].into_iter().for_each(|query| read_query(query, &mut params));
        Address {
            secure,
            host,
            port,
            app: app.trim_matches('/').to_owned(),
            name: plain_name(name).to_owned(),
            params,
            query: query.to_owned(),
        }
    }

    /// The path of the mount: `/app/name`.
    pub fn path(&self) -> String {
        [&self.app, &self.name]
            .into_iter()
            .filter(|part| !part.is_empty())
            .fold(String::new(), |path, part| path + "/" + part)
    }

    /// The parameter `key`, which lets one publish.
    pub fn key(&self) -> Option<&str> {
        self.param("key")
    }

    /// The parameter `token`, which lets one publish or play.
    pub fn token(&self) -> Option<&str> {
        self.param("token")
    }

    /// The first parameter called `name`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The other reading of the path: the mount is all but its last part, and that is the key.
    ///
    /// OBS has one field for the server and one for the "stream key": `rtmp://host/live/NAME` and `PASSWORD` arrive
    /// as `/live/NAME/PASSWORD`. Only who knows the mounts can tell which is meant. `None` where there is a key
    /// already, or nothing would be left of the path.
    pub fn last_part_as_key(&self) -> Option<(String, &str)> {
        let free = self.key().is_none() && !self.app.is_empty() && !self.name.is_empty();
        free.then(|| (format!("/{}", self.app), self.name.as_str()))
    }

    /// What a client says in `connect`: the address without stream and parameters.
    pub fn tc_url(&self) -> String {
        let scheme = if self.secure { "rtmps" } else { "rtmp" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = match self.port {
            port if port == default_port(self.secure) => String::new(),
            port => format!(":{port}"),
        };
        format!("{scheme}://{host}{port}/{}", self.app)
    }

    /// Where a server sends us that asks us to connect anew (enhanced RTMP v2, "Reconnect Request"): `to` is a `tcUrl`,
    /// absolute or relative to ours; the stream's name and parameters stay. `None` where that cannot be understood, or
    /// our key would leave the protection of TLS.
    ///
    /// ```
    /// let address: levada_rtmp::Address = "rtmp://a/live/tea?key=k".parse().unwrap();
    /// let moved = address.moved("rtmp://b:1936/other").unwrap();
    /// assert_eq!((moved.to_string().as_str(), moved.key()), ("rtmp://b:1936/other/tea", Some("k")));
    /// assert_eq!(address.moved("/other").unwrap().to_string(), "rtmp://a/other/tea");
    /// ```
    pub fn moved(&self, to: &str) -> Option<Address> {
        let own = self.tc_url();
        let root = own.strip_suffix(self.app.as_str()).unwrap_or(&own).trim_end_matches('/');
        let tc_url = match scheme(to) {
            Some(_) => to.to_owned(),
            None if to.starts_with("//") => format!("{}:{to}", if self.secure { "rtmps" } else { "rtmp" }),
            None => format!("{root}/{}", to.trim_start_matches('/')),
        };
        let tc_url = cut_query(&tc_url).0;
        let moved: Address =
            format!("{}/{}", tc_url.trim_end_matches('/'), self.stream_key()).parse().ok()?;
        (moved.secure || !self.secure).then_some(moved)
    }

    /// What a client says in `publish` and `play`: the name with its parameters as they were written.
    pub fn stream_key(&self) -> String {
        match self.query.as_str() {
            "" => self.name.clone(),
            query => format!("{}?{query}", self.name),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address, Error> {
        let (secure, rest) = scheme(text).ok_or(Error::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_port(authority, secure)?;
        let (path, query) = cut_query(path);
        let path = path.trim_matches('/');
        let (app, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            return Err(Error::Name);
        }
        let mut params = Vec::new();
        read_query(query, &mut params);
        Ok(Address {
            secure,
            host,
            port,
            app: app.to_owned(),
            name: name.to_owned(),
            params,
            query: query.to_owned(),
        })
    }
}

/// Without the parameters: those are secrets.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tc_url().trim_end_matches('/'), self.name)
    }
}

/// Without the parameters: those are secrets.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "rtmp" => Some((false, rest)),
        "rtmps" => Some((true, rest)),
        _ => None,
    }
}

fn host_port(authority: &str, secure: bool) -> Result<(String, u16), Error> {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err(Error::Host);
    }
    let port = match port {
        None => default_port(secure),
        Some(text) => {
            text.parse().ok().filter(|port| *port > 0).ok_or_else(|| Error::Port(text.to_owned()))?
        }
    };
    Ok((host.to_owned(), port))
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 1935 }
}

fn cut_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// Without the prefixes by which Adobe's servers tell file types.
fn plain_name(name: &str) -> &str {
    let name = name.trim_matches('/');
    ["mp4:", "flv:", "f4v:"].into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// `a=1&b=2`; a second question mark (some encoders append their own query) separates like `&`.
fn read_query(query: &str, params: &mut Vec<(String, String)>) {
    for pair in query.split(['&', '?']).filter(|pair| !pair.is_empty()).take(MAX_PARAMS) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        params.push((decode(name), decode(value)));
    }
}

/// Percent-decodes; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let (mut bytes, mut out) = (text.as_bytes(), Vec::new());
    while let Some((first, rest)) = bytes.split_first() {
        let escaped = (*first == b'%').then(|| rest.first_chunk::<2>().and_then(hex)).flatten();
        out.push(escaped.unwrap_or(*first));
        bytes = if escaped.is_some() { &rest[2..] } else { rest };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

const MAX_PARAMS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, Error> {
        text.parse()
    }

    #[test]
    fn addresses_have_defaults_and_brackets() {
        let address = parse("rtmps://[::1]/a/b/c").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.secure), ("::1", 443, true));
        assert_eq!((address.app.as_str(), address.name.as_str()), ("a/b", "c"));
        assert_eq!(address.tc_url(), "rtmps://[::1]/a/b");
        assert_eq!(parse("RTMP://h:1/x").unwrap().path(), "/x");
    }

    #[test]
    fn what_is_no_address_says_why() {
        assert_eq!(parse("http://h/a/b"), Err(Error::Scheme));
        assert_eq!(parse("rtmp:///a/b"), Err(Error::Host));
        assert_eq!(parse("rtmp://h:0/a/b"), Err(Error::Port("0".into())));
        assert_eq!(parse("rtmp://h/"), Err(Error::Name));
    }

    #[test]
    fn the_key_is_found_in_name_application_and_url() {
        let of = |tc_url, app, name| {
            let address = Address::from_session(tc_url, app, name);
            (address.path(), address.key().map(str::to_owned), address.token().map(str::to_owned))
        };
        let path = || "/live/tea".to_owned();
        let key = || Some("k".to_owned());
        assert_eq!(of("rtmp://h/live", "live", "tea?key=k"), (path(), key(), None));
        assert_eq!(of("rtmp://h/live?key=k", "live", "tea"), (path(), key(), None));
        assert_eq!(of("rtmp://h/live?token=t", "live?key=k", "tea"), (path(), key(), Some("t".into())));
        assert_eq!(of("rtmp://h/live?key=far", "live/", "mp4:tea?key=k"), (path(), key(), None));
        assert_eq!(of("", "live", "tea"), (path(), None, None));
    }

    #[test]
    fn the_last_part_may_be_the_key_unless_there_is_one() {
        let address = Address::from_session("rtmp://h/live/tea", "live/tea", "secret");
        assert_eq!(address.path(), "/live/tea/secret");
        assert_eq!(address.last_part_as_key(), Some(("/live/tea".to_owned(), "secret")));
        assert_eq!(Address::from_session("", "live", "tea?key=k").last_part_as_key(), None);
        assert_eq!(Address::from_session("", "", "tea").last_part_as_key(), None);
    }

    #[test]
    fn secrets_are_not_displayed() {
        let address = parse("rtmp://user:pass@h/live/tea?key=secret").unwrap();
        assert_eq!(address.to_string(), "rtmp://h/live/tea");
        assert!(!format!("{address:?}").contains("secret"));
    }
}
