//! A server on free ports, RTMP clients of every kind, and a player of HTTP-FLV.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use levada_media::{
    Cut,
    container::flv::{
        self,
        tag::{Kind, Tag},
    },
};
use levada_rtmp::amf0::{self, Value};
use levada_rtmp::client::{self, Closed, Event, Output, Role, Session};
use levada_serve::{Config, Door, Server};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// A running server. Whoever knows the key `hush` may publish.
pub struct Rig {
    pub server: Server,
    pub http: SocketAddr,
    pub rtmp: SocketAddr,
}

impl Rig {
    pub async fn start(toml: &str) -> Result<Rig> {
        Rig::start_as("rig", toml).await
    }

    /// The same under another name than `rig`, for servers that must tell each other apart.
    pub async fn start_as(id: &str, toml: &str) -> Result<Rig> {
        let mut config: Config = toml::from_str(toml)?;
        config.http.listen = vec!["127.0.0.1:0".parse()?];
        config.rtmp.listen = vec!["127.0.0.1:0".parse()?];
        config.auth.source_password = Some("hush".into());
        config.auth.admin_password = Some("adm".into());
        let server = Server::start(config, id.into()).await?;
        let http = server.addresses()[0];
        let rtmp = server.doors().iter().find(|(door, _)| *door == Door::Rtmp).context("no door")?.1;
        Ok(Rig { server, http, rtmp })
    }

    /// The address of a stream.
    pub fn url(&self, path: &str) -> String {
        format!("rtmp://{}{path}", self.rtmp)
    }

    /// An encoder that may publish `path`.
    pub async fn publish(&self, path: &str) -> Result<Client> {
        Client::connect(&self.url(&format!("{path}?key=hush")), Role::Publish, Default::default()).await
    }

    /// A player that knows of enhanced RTMP what we know.
    pub async fn play(&self, path: &str) -> Result<Client> {
        Client::connect(&self.url(path), Role::Play, Default::default()).await
    }

    /// A player that has never heard of enhanced RTMP.
    pub async fn play_old(&self, path: &str) -> Result<Client> {
        let config = client::Config { enhanced: false, ..client::Config::default() };
        Client::connect(&self.url(path), Role::Play, config).await
    }

    /// A player of HTTP-FLV.
    pub async fn get(&self, path: &str) -> Result<HttpPlayer> {
        HttpPlayer::open(self.http, path).await
    }

    /// The body of an ordinary answer.
    pub async fn text(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.http).await?;
        let basic = "Authorization: Basic YWRtaW46YWRt\r\n";
        let head = format!("GET {path} HTTP/1.0\r\n{basic}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut text = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut text)).await.context("the server is silent")??;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Waits until a mount's source has told what is inside.
    pub async fn live(&self, mount: &str) -> Result<()> {
        let name = mount.parse()?;
        let mounts = &self.server.station().mounts;
        until("the mount is live", || mounts.find(&name).is_some_and(|mount| !mount.tracks().is_empty()))
            .await
    }
}

/// A client session and its socket.
pub struct Client {
    pub session: Session,
    pub stream: TcpStream,
    began: Instant,
}

impl Client {
    /// Connects and waits until the stream has started.
    pub async fn connect(url: &str, role: Role, config: client::Config) -> Result<Client> {
        let address: levada_rtmp::Address = url.parse()?;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        let session = Session::new(address, role, config, 7, Duration::ZERO);
        let mut client = Client { session, stream, began: Instant::now() };
        while client.next().await? != Event::Started {}
        Ok(client)
    }

    /// What happens next; a [`Closed`] at the end.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            match self.session.poll() {
                Some(Output::Write(bytes)) => self.write(&bytes).await?,
                Some(Output::Event(event)) => return Ok(event),
                Some(Output::Close(why)) => return Err(why.into()),
                None => self.read().await?,
            }
        }
    }

    /// The next tag that is no script.
    pub async fn tag(&mut self) -> Result<Tag> {
        loop {
            match self.next().await? {
                Event::Tag(tag) if tag.kind != Kind::Script => return Ok(tag),
                Event::Reconnect { .. } => bail!("asked to connect anew"),
                _ => {}
            }
        }
    }

    /// Sends tags as fast as the server takes them.
    pub async fn send(&mut self, tags: &[Tag]) -> Result<()> {
        for tag in tags {
            self.session.send(tag)?;
            while let Some(output) = self.session.poll() {
                match output {
                    Output::Write(bytes) => self.write(&bytes).await?,
                    Output::Event(_) => {}
                    Output::Close(why) => return Err(why.into()),
                }
            }
        }
        Ok(())
    }

    /// Ends the stream well.
    pub async fn finish(mut self) -> Result<()> {
        self.session.finish();
        while self.next().await.is_ok() {}
        Ok(())
    }

    async fn write(&mut self, bytes: &Bytes) -> Result<()> {
        Ok(timeout(PATIENCE, self.stream.write_all(bytes)).await.context("the server does not read")??)
    }

    async fn read(&mut self) -> Result<()> {
        let mut buffer = BytesMut::with_capacity(64 << 10);
        let read =
            timeout(PATIENCE, self.stream.read_buf(&mut buffer)).await.context("the server is silent")??;
        if read == 0 {
            return Err(Closed::Ended).context("the connection ended");
        }
        self.session.push(self.began.elapsed(), &buffer);
        Ok(())
    }
}

/// A player of HTTP-FLV.
pub struct HttpPlayer {
    stream: TcpStream,
    cutter: flv::Cutter,
    tags: VecDeque<Tag>,
}

impl HttpPlayer {
    async fn open(address: SocketAddr, path: &str) -> Result<HttpPlayer> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.context("the server is silent")??);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        ensure!(head.contains(" 200 ") && head.contains("video/x-flv"), "{head}");
        Ok(HttpPlayer { stream, cutter: flv::Cutter::new(), tags: VecDeque::new() })
    }

    /// The next tag that is no script.
    pub async fn tag(&mut self) -> Result<Tag> {
        loop {
            if let Some(tag) = self.tags.pop_front() {
                return Ok(tag);
            }
            let mut buffer = BytesMut::with_capacity(64 << 10);
            let read = timeout(PATIENCE, self.stream.read_buf(&mut buffer)).await.context("silence")??;
            ensure!(read > 0, "the stream ended");
            self.cutter.push(&buffer);
            while let Some(page) = self.cutter.poll() {
                self.tags.extend(flv::unwrap(&page.bytes).filter(|tag| tag.kind != Kind::Script));
            }
        }
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) -> Result<()> {
    let late = Instant::now() + PATIENCE;
    while !condition() {
        ensure!(Instant::now() < late, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Metadata of a stream that has this kind of track and no other.
pub fn announcing(kind: Kind) -> Tag {
    let name = if kind == Kind::Video { "videocodecid" } else { "audiocodecid" };
    let mut payload = BytesMut::new();
    amf0::write(&mut payload, &"onMetaData".into());
    amf0::write(&mut payload, &Value::Map(vec![(name.to_owned(), 7.0.into())]));
    tag(Kind::Script, 0, &payload)
}

/// What describes a stream of H.264 and AAC.
pub fn setup(at: u32) -> Vec<Tag> {
    vec![
        tag(Kind::Video, at, &[0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xff, 0xe0, 0]),
        tag(Kind::Audio, at, &[0xaf, 0, 0x12, 0x10]),
    ]
}

/// A picture of `size` bytes with `number` in it, and sound of the same time.
pub fn picture(at: u32, key: bool, number: u32, size: usize) -> Vec<Tag> {
    let slice = if key { 0x65 } else { 0x41 };
    let mut nal = vec![slice];
    nal.extend(number.to_be_bytes());
    nal.resize(size.max(5), 0x55);
    let head = [if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    let payload = [&head[..], &(nal.len() as u32).to_be_bytes(), &nal].concat();
    vec![tag(Kind::Video, at, &payload), tag(Kind::Audio, at, &[0xaf, 1, 0x21, 0x10, 4, 0x60, 0x8c, 0x1c])]
}

/// `count` pictures from `at` on, 40 ms apart, each eighth a key.
pub fn pictures(at: u32, count: u32) -> Vec<Tag> {
    (0..count).flat_map(|n| picture(at.wrapping_add(n * 40), n % 8 == 0, n, 100)).collect()
}

pub fn tag(kind: Kind, timestamp: u32, payload: &[u8]) -> Tag {
    Tag { kind, timestamp, payload: Bytes::copy_from_slice(payload) }
}

pub const PATIENCE: Duration = Duration::from_secs(20);
