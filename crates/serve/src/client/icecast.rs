//! A source client: sends a stream to a mount of Icecast or of one of us, and its titles.

use super::http::{Client, Error, Wire, sentence};
use crate::http::Reply;
use bytes::BytesMut;
use std::{fmt, io, str::FromStr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    time::timeout,
};
use url::Url;

/// A mount on a server, with the user and password for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

/// What a source says of its stream; empty texts are not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// What listeners are told it is.
    pub content_type: String,
    /// Its name.
    pub name: String,
    /// Its genre.
    pub genre: String,
    /// Its description.
    pub description: String,
    /// A page about it.
    pub url: String,
    /// Its bit rate in kbit/s.
    pub bitrate: String,
    /// Whether directories may list it.
    pub public: bool,
    /// More fields as they are.
    pub fields: Vec<(String, String)>,
}

/// A connection on which a stream is sent.
pub struct Sender {
    writer: WriteHalf<Wire>,
    reader: ReadHalf<Wire>,
    heard: BytesMut,
    /// How long the server may take nothing.
    stall: Duration,
}

impl Target {
    /// The address without the password.
    pub fn public(&self) -> Url {
        let mut url = self.0.clone();
        let _cannot = url.set_password(None);
        let _cannot = url.set_username("");
        url
    }

    /// The mount's path.
    pub fn mount(&self) -> &str {
        self.0.path()
    }

    /// The same target with this password, if it has none.
    pub fn with_password(mut self, password: &str) -> Target {
        if self.0.password().is_none() {
            let _cannot = self.0.set_password(Some(password));
        }
        self
    }

    /// Whether it has a password.
    pub fn has_password(&self) -> bool {
        self.0.password().is_some()
    }
}

impl FromStr for Target {
    type Err = BadTarget;

    /// `icecast://source:password@host:8000/mount`, `icecasts://`, `http://` or `https://`; the user is `source`
    /// where it is not said, the port of `icecast` 8000.
    fn from_str(text: &str) -> Result<Target, BadTarget> {
        let (scheme, rest) = text.split_once("://").ok_or(BadTarget::Scheme)?;
        let (scheme, port) = match scheme.to_ascii_lowercase().as_str() {
            "icecast" => ("http", Some(8000)),
            "icecasts" => ("https", None),
            "http" => ("http", None),
            "https" => ("https", None),
            _ => return Err(BadTarget::Scheme),
        };
        let mut url: Url = format!("{scheme}://{rest}").parse().map_err(BadTarget::Url)?;
        // the address parser forgets that the port of http was said, so look for it
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let said = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if url.port().is_none() && !said {
            let _cannot = url.set_port(port);
        }
        if url.path().len() < 2 {
            return Err(BadTarget::Mount);
        }
        if url.username().is_empty() {
            let _cannot = url.set_username("source");
        }
        Ok(Target(url))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.public(), f)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Sender {
    /// Asks the server for the mount: by `PUT` as today's clients do, and where that is unknown by `SOURCE`.
    ///
    /// # Errors
    /// When there is no connection, or the server refuses.
    pub async fn connect(client: &Client, target: &Target, says: &Introduction) -> Result<Sender, Error> {
        match Sender::put(client, target, says).await {
            Err(Error::Refused { status: 400 | 404 | 405 | 501, .. } | Error::Closed | Error::Head(_)) => {
                Sender::source(client, target, says).await
            }
            done => done,
        }
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// When the server closed the connection, said no after all, or takes nothing for 10 s.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Sender { writer, reader, heard, stall } = self;
        let mut left = bytes;
        while !left.is_empty() {
            tokio::select! {
                wrote = timeout(*stall, writer.write(left)) => {
                    match wrote.map_err(|_| Error::Patience("progress"))?.map_err(Error::Broken)? {
                        0 => return Err(Error::Closed),
                        wrote => left = &left[wrote..],
                    }
                }
                word = listen(reader, heard) => return Err(word),
            }
        }
        writer.flush().await.map_err(Error::Broken)
    }

    /// Waits until the server ends the connection; for whoever has nothing to send yet.
    pub async fn ended(&mut self) -> Error {
        listen(&mut self.reader, &mut self.heard).await
    }

    /// Ends the stream well: the server is told that nothing more comes.
    ///
    /// # Errors
    /// The socket's.
    pub async fn finish(mut self) -> io::Result<()> {
        self.writer.shutdown().await?;
        let gone = async { while !matches!(self.reader.read_buf(&mut self.heard).await, Ok(0) | Err(_)) {} };
        let _slow = timeout(GOODBYE, gone).await;
        Ok(())
    }

    async fn put(client: &Client, target: &Target, says: &Introduction) -> Result<Sender, Error> {
        let mut fields = vec![("Expect", "100-continue"), ("Connection", "close")];
        fields.extend(says.fields());
        let (mut wire, mut ahead) = Sender::ask(client, target, "PUT", "HTTP/1.1", &fields).await?;
        match timeout(CONTINUE, client.reply(&mut wire, &mut ahead)).await {
            Ok(reply) => accepted(&mut wire, &mut ahead, reply?).await?,
            Err(_) => tracing::debug!("the server does not answer before the stream; sending all the same"),
        }
        Ok(Sender::on(wire, ahead))
    }

    async fn source(client: &Client, target: &Target, says: &Introduction) -> Result<Sender, Error> {
        let fields: Vec<_> = says.fields().collect();
        let (mut wire, mut ahead) = Sender::ask(client, target, "SOURCE", "HTTP/1.0", &fields).await?;
        let reply = client.reply(&mut wire, &mut ahead).await?;
        accepted(&mut wire, &mut ahead, reply).await?;
        Ok(Sender::on(wire, ahead))
    }

    async fn ask(
        client: &Client,
        target: &Target,
        method: &str,
        version: &str,
        fields: &[(&str, &str)],
    ) -> Result<(Wire, BytesMut), Error> {
        let mut wire = client.open(&target.0).await?;
        let head = client.head(method, version, &target.0, fields);
        wire.write_all(head.as_bytes()).await.map_err(Error::Broken)?;
        wire.flush().await.map_err(Error::Broken)?;
        Ok((wire, BytesMut::new()))
    }

    fn on(wire: Wire, heard: BytesMut) -> Sender {
        let (reader, writer) = tokio::io::split(wire);
        Sender { writer, reader, heard, stall: STALL }
    }
}

/// Tells the server what is playing on a mount whose format has no titles of its own.
///
/// # Errors
/// When the server cannot be asked or refuses.
pub async fn send_title(client: &Client, target: &Target, title: &str) -> Result<(), Error> {
    let mut url = target.0.clone();
    let mount = percent_encoding::percent_decode_str(target.mount()).decode_utf8_lossy().into_owned();
    url.set_path("/admin/metadata");
    url.query_pairs_mut()
        .clear()
        .append_pair("mode", "updinfo")
        .append_pair("mount", &mount)
        .append_pair("charset", "UTF-8")
        .append_pair("song", title);
    client.get(&url, &[]).await?.text(ANSWER).await.map(drop)
}

impl Introduction {
    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let public = if self.public { "1" } else { "0" };
        let said = [
            ("ice-name", &self.name),
            ("ice-description", &self.description),
            ("ice-url", &self.url),
            ("ice-genre", &self.genre),
            ("ice-bitrate", &self.bitrate),
        ];
        [("Content-Type", self.content_type.as_str()), ("ice-public", public)]
            .into_iter()
            .chain(
                said.into_iter()
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(name, value)| (name, value.as_str())),
            )
            .chain(self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// Goes on after `100` or a success, otherwise tells why not.
async fn accepted(wire: &mut Wire, ahead: &mut BytesMut, reply: Reply) -> Result<(), Error> {
    if matches!(reply.status, 100 | 200..=299) {
        return Ok(());
    }
    let _late = timeout(Duration::from_secs(1), async {
        while ahead.len() < 4096 && !matches!(wire.read_buf(ahead).await, Ok(0) | Err(_)) {}
    })
    .await;
    let said = sentence(&String::from_utf8_lossy(ahead));
    Err(Error::Refused { status: reply.status, reason: reply.reason, said })
}

/// What the server says while it is being sent to: a late `200` is fine, anything else is the end.
async fn listen(reader: &mut ReadHalf<Wire>, heard: &mut BytesMut) -> Error {
    loop {
        match Reply::read(heard) {
            Ok(Some((reply, used))) if matches!(reply.status, 100 | 200..=299) => drop(heard.split_to(used)),
            Ok(Some((reply, used))) => {
                let said = sentence(&String::from_utf8_lossy(&heard[used..]));
                return Error::Refused { status: reply.status, reason: reply.reason, said };
            }
            Ok(None) => match reader.read_buf(heard).await {
                Ok(0) => return Error::Closed,
                Ok(_) => {}
                Err(why) => return Error::Broken(why),
            },
            Err(_) => heard.clear(), // the body of an answer; nothing in it concerns us
        }
    }
}

/// Why a text names no mount to send to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTarget {
    /// Not one of the schemes that we send to.
    #[error("an address to send to begins with icecast://, icecasts://, http:// or https://")]
    Scheme,
    /// No address.
    #[error(transparent)]
    Url(url::ParseError),
    /// No mount.
    #[error("the address has no mount: icecast://source:password@host:8000/mount")]
    Mount,
}

/// libshout waits as long; Icecast answers at once, servers that never will must not stop us.
const CONTINUE: Duration = Duration::from_secs(4);
const STALL: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_secs(2);
const ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests;
