//! An HTTP/1 client for live media: answers that never end, SHOUTcast's among them, redirects, TLS.
//!
//! A general client stumbles over `ICY 200 OK` and over request bodies without a length, so this one is ours; it is as
//! small as the two uses that it has: to get a stream or a page, and to open a connection to send one.

mod error;
mod inside;

pub use error::Error;

use super::tls;
use crate::http::{Body, Reply};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use std::{fmt::Write, io, net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use url::Url;

/// Asks other servers; cheap to clone.
#[derive(Clone)]
pub struct Client {
    agent: String,
    patience: Patience,
    tls: tls::Trust,
}

/// How long a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, TLS included. Default 10 s.
    pub connect: Duration,
    /// For the head of an answer. Default 15 s.
    pub answer: Duration,
    /// For the next bytes of a body. Default 20 s.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        let seconds = Duration::from_secs;
        Patience { connect: seconds(10), answer: seconds(15), silence: seconds(20) }
    }
}

/// A connection to a server, plain or TLS.
pub type Wire = Box<dyn Duplex>;

/// What a [`Wire`] can do.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Client {
    /// A client that calls itself `agent`.
    pub fn new(agent: impl Into<String>, patience: Patience) -> Client {
        Client { agent: agent.into(), patience, tls: tls::Trust::default() }
    }

    /// Gets `url` with these additional fields, following up to ten redirects. Basic authentication is taken from the
    /// address and not shown to another host.
    ///
    /// # Errors
    /// When there is no connection or no answer, or the answer is not a success.
    pub async fn get(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Incoming, Error> {
        self.get_led(url, fields, None).await
    }

    /// The same where the address was told by the server at `sender`, if by any.
    ///
    /// # Errors
    /// As [`Client::get`], and when a server outside leads to an address inside ([`Error::Inside`]).
    pub async fn get_led(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        mut sender: Option<IpAddr>,
    ) -> Result<Incoming, Error> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let incoming = self.get_from(&url, fields, sender).await?;
            match (incoming.reply.status, incoming.reply.field("location")) {
                (200..=299, _) => return Ok(incoming),
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    (url, sender) = (redirected(&url, location)?, incoming.peer);
                }
                _ => return Err(incoming.into_refusal().await),
            }
        }
        Err(Error::Redirects)
    }

    /// The same without looking at what was answered.
    ///
    /// # Errors
    /// When there is no connection or no answer.
    pub async fn get_once(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Incoming, Error> {
        self.get_from(url, fields, None).await
    }

    /// The same at the word of the server at `sender`, if it was one that sent us here.
    async fn get_from(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        sender: Option<IpAddr>,
    ) -> Result<Incoming, Error> {
        let head = self.head("GET", "HTTP/1.1", url, fields);
        self.exchange(url, head, sender).await
    }

    /// Sends `body` to `url` with these fields; no redirect is followed.
    ///
    /// # Errors
    /// When there is no connection or no answer, or the answer is not a success.
    pub async fn send(
        &self,
        method: &str,
        url: &Url,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<Incoming, Error> {
        let length = body.len().to_string();
        let own = [("Content-Length", length.as_str()), ("Connection", "close")];
        let request = self.head(method, "HTTP/1.1", url, &[&own[..], fields].concat()) + body;
        let incoming = self.exchange(url, request, None).await?;
        if matches!(incoming.reply.status, 200..=299) {
            Ok(incoming)
        } else {
            Err(incoming.into_refusal().await)
        }
    }

    async fn exchange(&self, url: &Url, request: String, sender: Option<IpAddr>) -> Result<Incoming, Error> {
        let (mut wire, peer) = self.open_from(url, sender).await?;
        wire.write_all(request.as_bytes()).await.map_err(Error::Broken)?;
        wire.flush().await.map_err(Error::Broken)?;
        let mut ahead = BytesMut::new();
        let reply = self.reply(&mut wire, &mut ahead).await?;
        let body = if matches!(reply.status, 204 | 304) { Body::Counted(0) } else { Body::of(&reply) };
        Ok(Incoming { url: url.clone(), reply, peer, wire, ahead, body, silence: self.patience.silence })
    }

    /// Sends `form` to `url` and returns the head of the answer; its body is not looked at.
    ///
    /// # Errors
    /// When there is no connection, or no answer within `patience`.
    pub async fn post(&self, url: &Url, form: &str, patience: Duration) -> Result<Reply, Error> {
        self.submit(url, &[("Content-Type", "application/x-www-form-urlencoded")], form, patience).await
    }

    /// Sends `body` with `fields` by POST and gives the head of the answer; what comes behind it is not looked at.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn submit(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        body: &str,
        patience: Duration,
    ) -> Result<Reply, Error> {
        let length = body.len().to_string();
        let mut all = vec![("Accept", "*/*"), ("Content-Length", length.as_str())];
        all.extend_from_slice(fields);
        all.push(("Connection", "close"));
        let request = self.head("POST", "HTTP/1.1", url, &all) + body;
        let exchange = async {
            let mut wire = self.open(url).await?;
            wire.write_all(request.as_bytes()).await.map_err(Error::Broken)?;
            wire.flush().await.map_err(Error::Broken)?;
            self.reply(&mut wire, &mut BytesMut::new()).await
        };
        timeout(patience, exchange).await.map_err(|_| Error::Patience("answer"))?
    }

    /// Connects to the host of `url`.
    ///
    /// # Errors
    /// When it is no `http` or `https` address, or there is no connection.
    pub async fn open(&self, url: &Url) -> Result<Wire, Error> {
        Ok(self.open_from(url, None).await?.0)
    }

    /// The same at the word of `sender`, and whom it led to. A server outside leads nobody to our own networks.
    async fn open_from(&self, url: &Url, sender: Option<IpAddr>) -> Result<(Wire, Option<IpAddr>), Error> {
        let host = url.host_str().ok_or_else(|| Error::Address(url.to_string()))?;
        let port = url.port_or_known_default().ok_or_else(|| Error::Address(url.to_string()))?;
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(Error::Address(url.to_string())),
        };
        self.dial_from(host.trim_start_matches('[').trim_end_matches(']'), port, secure, sender).await
    }

    /// Connects to a host, with TLS if it is to be `secure`.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn dial(&self, host: &str, port: u16, secure: bool) -> Result<Wire, Error> {
        Ok(self.dial_from(host, port, secure, None).await?.0)
    }

    async fn dial_from(
        &self,
        host: &str,
        port: u16,
        secure: bool,
        sender: Option<IpAddr>,
    ) -> Result<(Wire, Option<IpAddr>), Error> {
        let unreachable = |source| Error::Connect { address: format!("{host}:{port}"), source };
        let opening = async {
            let found: Vec<_> = lookup_host((host, port)).await.map_err(unreachable)?.collect();
            let stranger = sender.is_some_and(|sender| !inside::is_inside(sender));
            if stranger && found.iter().any(|found| inside::is_inside(found.ip())) {
                return Err(Error::Inside(host.to_owned()));
            }
            let stream = TcpStream::connect(&*found).await.map_err(unreachable)?;
            stream.set_nodelay(true).map_err(unreachable)?;
            let peer = stream.peer_addr().ok().map(|peer| peer.ip());
            let wire = match secure {
                true => self.tls.shake(host, stream).await.map_err(unreachable)?,
                false => Box::new(stream) as Wire,
            };
            Ok((wire, peer))
        };
        timeout(self.patience.connect, opening).await.map_err(|_| Error::Patience("connection"))?
    }

    /// The head of a request, with `Host`, `User-Agent` and `Authorization` as the address says.
    pub fn head(&self, method: &str, version: &str, url: &Url, fields: &[(&str, &str)]) -> String {
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut head = format!("{method} {}{query} {version}\r\n", url.path());
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        add(&mut head, "Host", &format!("{}{port}", url.host_str().unwrap_or_default()));
        add(&mut head, "User-Agent", &self.agent);
        if let Some(credentials) = credentials(url) {
            add(&mut head, "Authorization", &format!("Basic {}", STANDARD.encode(credentials)));
        }
        if method == "GET" {
            add(&mut head, "Accept", "*/*");
            add(&mut head, "Connection", "close");
        }
        fields.iter().for_each(|(name, value)| add(&mut head, name, value));
        head + "\r\n"
    }

    /// The next answer on `wire`; what was read behind its head stays in `ahead`.
    ///
    /// # Errors
    /// When it does not come, is no answer, or the connection ends first.
    pub async fn reply(&self, wire: &mut Wire, ahead: &mut BytesMut) -> Result<Reply, Error> {
        let reading = async {
            loop {
                if let Some((reply, used)) = Reply::read(ahead)? {
                    let _head = ahead.split_to(used);
                    return Ok(reply);
                }
                if wire.read_buf(ahead).await.or_else(impolite_end)? == 0 {
                    return Err(Error::Closed);
                }
            }
        };
        timeout(self.patience.answer, reading).await.map_err(|_| Error::Patience("answer"))?
    }

    /// How long it waits.
    pub fn patience(&self) -> Patience {
        self.patience
    }
}

/// An answer whose body is still coming.
pub struct Incoming {
    /// Where it came from in the end.
    pub url: Url,
    /// Its head.
    pub reply: Reply,
    /// The address of who answered.
    pub peer: Option<IpAddr>,
    wire: Wire,
    ahead: BytesMut,
    body: Body,
    silence: Duration,
}

impl Incoming {
    /// The next bytes of the body, `None` at its end. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When the connection fails, is silent for too long, or ends before the body does.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if !self.ahead.is_empty() {
                let bytes = self.take()?;
                if !bytes.is_empty() {
                    return Ok(Some(bytes));
                }
            }
            if self.body.over() {
                return Ok(None);
            }
            self.ahead.reserve(READ);
            let read = timeout(self.silence, self.wire.read_buf(&mut self.ahead)).await;
            match read.map_err(|_| Error::Patience("stream"))?.or_else(impolite_end)? {
                0 if self.body == Body::Endless => return Ok(None),
                0 => return Err(Error::CutShort),
                _ => {}
            }
        }
    }

    /// The whole body as text, if it is not longer than `longest` bytes.
    ///
    /// # Errors
    /// As [`Incoming::chunk`], and when it is longer.
    pub async fn text(mut self, longest: usize) -> Result<String, Error> {
        let mut text = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if text.len() + bytes.len() > longest {
                return Err(Error::TooLong(longest));
            }
            text.extend_from_slice(&bytes);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether the body ends by its own word: a file, not a stream.
    pub fn is_finite(&self) -> bool {
        matches!(self.body, Body::Counted(_))
    }

    /// The error that this answer is, with the first sentence of its body.
    pub async fn into_refusal(self) -> Error {
        let (status, reason) = (self.reply.status, self.reply.reason.clone());
        let text = timeout(Duration::from_secs(1), self.text(SENTENCE)).await;
        let text = text.ok().and_then(Result::ok).unwrap_or_default();
        Error::Refused { status, reason, said: sentence(&text) }
    }

    fn take(&mut self) -> Result<Bytes, Error> {
        if self.body == Body::Endless {
            return Ok(self.ahead.split().freeze());
        }
        let mut bytes = BytesMut::with_capacity(self.ahead.len());
        let wire = self.ahead.split();
        self.body.feed(&wire, |part| bytes.extend_from_slice(part)).map_err(|_| Error::CutShort)?;
        Ok(bytes.freeze())
    }
}

fn add(head: &mut String, name: &str, value: &str) {
    let value = value.replace(|c: char| c.is_control(), " ");
    write!(head, "{name}: {value}\r\n").expect("a string takes what is written");
}

fn credentials(url: &Url) -> Option<Vec<u8>> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    Some([&decode(url.username())[..], b":", &decode(url.password().unwrap_or_default())].concat())
}

/// Many servers end TLS without saying so; whether that was too early is for the body to tell.
fn impolite_end(why: io::Error) -> Result<usize, Error> {
    if why.kind() == io::ErrorKind::UnexpectedEof { Ok(0) } else { Err(Error::Broken(why)) }
}

/// Where a redirect leads; what was secret for the old host stays behind.
fn redirected(from: &Url, location: &str) -> Result<Url, Error> {
    let mut to = from.join(location).map_err(|_| Error::Address(location.to_owned()))?;
    let same = (from.scheme(), from.host_str(), from.port()) == (to.scheme(), to.host_str(), to.port());
    if same && to.username().is_empty() && to.password().is_none() {
        let _cannot = to.set_username(from.username());
        let _cannot = to.set_password(from.password());
    }
    Ok(to)
}

/// The longest readable line of an error page: it is the one that says why.
pub(super) fn sentence(text: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => (inside, plain) = (true, plain + "\n"),
            '>' => inside = false,
            _ if !inside => plain.push(c),
            _ => {}
        }
    }
    let line = plain.lines().map(str::trim).max_by_key(|line| line.len()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// More than any sensible chain has.
const MOST_REDIRECTS: usize = 10;
const READ: usize = 32 * 1024;
const SENTENCE: usize = 16 * 1024;

#[cfg(test)]
mod tests;
