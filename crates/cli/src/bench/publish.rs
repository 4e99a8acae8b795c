//! `levada bench publish`: one encoder at a constant rate.

use super::{mark, mark::Mark, process};
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use levada_media::container::flv::{
    self,
    tag::{Kind, Tag},
};
use levada_rtmp::{
    Address,
    client::{Config, Event, Output, Role, Session},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};
use url::Url;

/// One encoder of H.264 and AAC, 720p at 25 pictures a second with a key picture every two seconds.
#[derive(Debug, clap::Args)]
pub struct Publish {
    /// Where to: rtmp://127.0.0.1/live/bench?key=pw, or http://source:pw@127.0.0.1:8000/live/bench
    pub url: Url,
    /// Bit rate of the stream; what the pictures do not fill is padded
    #[arg(long, default_value_t = 2640)]
    pub kbps: u32,
    /// Stop after so many seconds; default: when the server ends it
    #[arg(long)]
    pub secs: Option<f64>,
}

/// A connection that takes tags.
enum Wire {
    Rtmp(TcpStream, Box<Session>),
    Http(TcpStream),
}

impl Publish {
    pub(super) fn run(self) -> Result<()> {
        let clip = flv::split(&Bytes::from_static(CLIP).slice(FILE_HEADER..));
        // the end of a sequence is no picture, and a loop has none
        let ends = |tag: &Tag| tag.kind == Kind::Video && tag.payload.get(1) == Some(&END);
        let tags: Vec<Tag> = clip.iter().filter_map(flv::unwrap).filter(|tag| !ends(tag)).collect();
        let last = tags.iter().map(|tag| tag.timestamp).max().context("the clip is empty")?;
        let period = last + FRAME;
        let pictures = tags.iter().filter(|tag| tag.kind == Kind::Video).count();
        let bytes: usize = clip.iter().map(Bytes::len).sum();
        let wanted = self.kbps as usize * period as usize / 8;
        let pad = wanted.saturating_sub(bytes) / pictures.max(1);
        let mut wire = self.connect()?;
        let began = Instant::now();
        let mut number = 0;
        for round in 0u32.. {
            for tag in &tags {
                let described = tag.kind == Kind::Script || tag.is_setup();
                if round > 0 && described {
                    continue;
                }
                let at = u64::from(round) * u64::from(period) + u64::from(tag.timestamp);
                let due = began + Duration::from_millis(at);
                if self.secs.is_some_and(|secs| at as f64 / 1e3 > secs) {
                    return Ok(());
                }
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let mut tag = Tag { timestamp: at as u32, ..tag.clone() };
                if tag.kind == Kind::Video && !described {
                    tag.payload = marked(&tag.payload, number, pad);
                    number += 1;
                }
                wire.send(&tag).context("the server closed the stream")?;
            }
        }
        Ok(())
    }

    fn connect(&self) -> Result<Wire> {
        match self.url.scheme() {
            "rtmp" => self.connect_rtmp(),
            "http" => self.connect_http(),
            other => bail!("the load tester publishes over rtmp and http, not {other}"),
        }
    }

    fn connect_rtmp(&self) -> Result<Wire> {
        let address: Address = self.url.as_str().parse()?;
        let mut socket = TcpStream::connect((address.host.as_str(), address.port))?;
        socket.set_nodelay(true)?;
        let mut session = Session::new(address, Role::Publish, Config::default(), 7, Duration::ZERO);
        let mut buffer = vec![0; 4096];
        loop {
            match session.poll() {
                Some(Output::Write(bytes)) => socket.write_all(&bytes)?,
                Some(Output::Event(Event::Started)) => break,
                Some(Output::Event(_)) => {}
                Some(Output::Close(why)) => return Err(why.into()),
                None => {
                    let got = socket.read(&mut buffer)?;
                    ensure!(got > 0, "the server closed the connection");
                    session.push(Duration::ZERO, &buffer[..got]);
                }
            }
        }
        throw_away(&socket)?;
        Ok(Wire::Rtmp(socket, Box::new(session)))
    }

    fn connect_http(&self) -> Result<Wire> {
        let mut socket = TcpStream::connect(super::resolve(&self.url)?)?;
        socket.set_nodelay(true)?;
        let user = if self.url.username().is_empty() { "source" } else { self.url.username() };
        let login = STANDARD.encode(format!("{user}:{}", self.url.password().unwrap_or_default()));
        let request = format!(
            "SOURCE {} HTTP/1.0\r\nAuthorization: Basic {login}\r\nContent-Type: video/x-flv\r\n\
             User-Agent: levada-bench\r\n\r\n",
            super::target(&self.url)
        );
        socket.write_all(request.as_bytes())?;
        let mut answer = [0; 1024];
        let got = socket.read(&mut answer)?;
        let line = String::from_utf8_lossy(&answer[..got]).lines().next().unwrap_or_default().to_owned();
        ensure!(line.contains(" 200"), "the server refuses the source: {line}");
        socket.write_all(&flv::file_header(true, true))?;
        throw_away(&socket)?;
        Ok(Wire::Http(socket))
    }
}

impl Wire {
    fn send(&mut self, tag: &Tag) -> Result<()> {
        match self {
            Wire::Http(socket) => socket.write_all(&flv::wrap(tag).context("a tag is too long")?)?,
            Wire::Rtmp(socket, session) => {
                session.send(tag)?;
                while let Some(output) = session.poll() {
                    if let Output::Write(bytes) = output {
                        socket.write_all(&bytes)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The server's acknowledgements are read and forgotten, until it has nothing more to say.
fn throw_away(socket: &TcpStream) -> Result<()> {
    let mut socket = socket.try_clone()?;
    thread::spawn(move || {
        let mut waste = [0; 4096];
        while matches!(socket.read(&mut waste), Ok(1..)) {}
    });
    Ok(())
}

/// A picture with its mark before it and `pad` bytes behind it.
fn marked(payload: &Bytes, number: u32, pad: usize) -> Bytes {
    let (head, picture) = payload.split_at(payload.len().min(TAG));
    let mark = Mark { number, made: process::now() };
    [head, &mark.write(), picture, &mark::filler(pad)].concat().into()
}

static CLIP: &[u8] = include_bytes!("../../../../media/testcard.flv");
/// The header of a Flash video file, and the first back pointer.
const FILE_HEADER: usize = 13;
/// Milliseconds that a picture of the clip lasts.
const FRAME: u32 = 40;
/// What an old video tag says that ends a sequence of H.264.
const END: u8 = 2;
/// Bytes of an old video tag before its picture.
const TAG: usize = 5;
