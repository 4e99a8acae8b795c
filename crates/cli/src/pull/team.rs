//! Pulls from a team of peers: `p2psp://host:port` is its splitter, `p2psp://host:port/channel` a tracker that knows it.

use super::sink::Sink;
use crate::{
    exit::{Exit, TIMEOUT},
    output::{self, Console},
    run::{self, Ended},
    swarm::{
        stay::{Event, Over, Stay, Way, Wishes},
        token::Token,
        wire::Wire,
    },
};
use anyhow::{Context, Result};
use bytes::Bytes;
use levada_media::{Cut, Format, Role};
use levada_swarm::head::HttpHead;
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use url::Url;

/// What is to be done.
pub struct Job {
    /// Where the team is.
    pub url: Url,
    /// Where its stream goes.
    pub sink: Sink,
    /// For how long.
    pub lasts: Option<Duration>,
    /// How long nothing may come.
    pub silence: Duration,
}

/// What `--json` tells at the end.
#[derive(Debug, Default, Serialize)]
struct Statistics {
    url: String,
    splitter: String,
    wire: &'static str,
    content_type: String,
    seconds: f64,
    first_byte_ms: Option<u64>,
    bytes: u64,
    kbit_per_s: f64,
    played: u64,
    lost: u64,
    ended: Option<Ended>,
}

/// The way of a [`Url`].
///
/// # Errors
/// When it has no host and port, or names a wire that there is not.
pub fn way(url: &Url) -> Result<Way> {
    let host = url.host_str().context("say p2psp://HOST:PORT")?;
    let place = format!("{host}:{}", url.port().unwrap_or(8001));
    let channel = url.path().trim_matches('/');
    if !channel.is_empty() {
        let channel = percent_encoding::percent_decode_str(channel).decode_utf8_lossy().into_owned();
        return Ok(Way::Tracker(place, channel));
    }
    let wire = url.query_pairs().find(|(key, _)| key == "wire").map(|(_, wire)| wire.parse::<Wire>());
    Ok(Way::Splitter(place, wire.transpose()?))
}

/// What lets into a private team, as its [`Url`] says: `?token=…`.
fn token(url: &Url) -> Token {
    Token::of(url.query_pairs().find(|(key, _)| key == "token").map(|(_, token)| token.into_owned()))
}

/// The address without what is secret in it.
fn shown(url: &Url) -> String {
    let secret = url.query_pairs().any(|(key, _)| key == "token");
    let mut shown = url.clone();
    if secret {
        shown.set_query(None);
    }
    shown.to_string()
}

impl Job {
    /// Pulls until the time or somebody ends it, or nothing comes for too long.
    ///
    /// # Errors
    /// When there is no such team, or the file cannot be written.
    pub async fn run(self, console: Console) -> Result<()> {
        let (began, onto_stdout) = (Instant::now(), self.sink.is_stdout());
        let way = way(&self.url)?;
        let wishes = Wishes { pass: token(&self.url).pass()?, ..Wishes::default() };
        let (pieces, arrived) = mpsc::channel(WAITING);
        let written = Arc::<AtomicU64>::default();
        let writing = tokio::spawn(write(self.sink, arrived, written.clone()));
        let (closed, came) = (pieces.clone(), Arc::<AtomicU64>::default());
        let mut ended = Ended::Stopped;
        let mut seen = Statistics { url: shown(&self.url), ..Statistics::default() };
        let mut player = Player::new(pieces);
        {
            let mut stop = std::pin::pin!(async {
                ended = tokio::select! {
                    () = run::after(self.lasts) => Ended::Time,
                    () = run::stopped_or_q() => Ended::Stopped,
                    () = closed.closed() => Ended::Failed,
                    () = silence(self.silence, &came) => Ended::Failed,
                };
            });
            let mut stop: std::pin::Pin<&mut (dyn Future<Output = ()> + Send)> = stop.as_mut();
            let mut found = tokio::select! {
                found = way.find(wishes.pass) => Some(found?),
                () = &mut stop => None,
            };
            while let Some(team) = found {
                let stay = Stay::at(team, wishes).await?;
                (seen.splitter, seen.wire) = (team.splitter.to_string(), team.wire.name());
                console
                    .say(format!("in the team of {} as {} (wire {})", seen.splitter, stay.here, seen.wire));
                let tell = |event| {
                    if let Event::Play(_) = event {
                        came.fetch_add(1, Relaxed);
                        seen.first_byte_ms.get_or_insert_with(|| began.elapsed().as_millis() as u64);
                    }
                    player.take(event);
                };
                let (member, over) = stay.stay(&way, &mut stop, console, tell).await?;
                seen.played += member.stats().played();
                seen.lost += member.stats().lost();
                found = match over {
                    Over::Stopped => None,
                    Over::Elsewhere(other) => Some(*other),
                };
            }
        }
        seen.content_type = player.content_type.clone();
        drop((player, closed));
        writing.await.context("the writer is gone")??;
        seen.bytes = written.load(Relaxed);
        seen.seconds = began.elapsed().as_secs_f64();
        seen.kbit_per_s = output::kbit_per_s(seen.bytes, began.elapsed());
        seen.ended = Some(ended);
        let (bytes, lost) = (output::bytes(seen.bytes), seen.lost);
        console.clear();
        console.say(format!("received {bytes}, {lost} chunks lost"));
        console.statistics(&seen, onto_stdout);
        if seen.bytes == 0 || ended == Ended::Failed {
            return Err(Exit(TIMEOUT, "nothing came from the team for too long".into()).into());
        }
        Ok(())
    }
}

/// Writes what arrives until there will be no more.
async fn write(mut sink: Sink, mut arrived: mpsc::Receiver<Bytes>, written: Arc<AtomicU64>) -> Result<()> {
    while let Some(bytes) = arrived.recv().await {
        sink.write(&bytes).await?;
        written.fetch_add(bytes.len() as u64, Relaxed);
    }
    sink.finish().await
}

/// Ready when nothing came for so long.
async fn silence(longest: Duration, came: &AtomicU64) {
    loop {
        let before = came.load(Relaxed);
        tokio::time::sleep(longest).await;
        if came.load(Relaxed) == before {
            return;
        }
    }
}

/// Makes a file of what a team plays: the header, then pages from the first on with which a player may begin.
struct Player {
    http: HttpHead,
    cutter: Option<Box<dyn Cut>>,
    content_type: String,
    /// Whether media has begun; what comes before that is left out.
    begun: bool,
    waiting: Vec<u8>,
    pieces: mpsc::Sender<Bytes>,
}

impl Player {
    fn new(pieces: mpsc::Sender<Bytes>) -> Player {
        let (http, waiting, content_type) = Default::default();
        Player { http, cutter: None, content_type, begun: false, waiting, pieces }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Anew => (self.http, self.cutter, self.begun) = (HttpHead::default(), None, false),
            Event::Head(bytes) => {
                let Some(body) = self.http.push(&bytes) else { return };
                let Some(said) = self.http.field("content-type").map(str::to_owned) else { return };
                let mut header = Format::from_content_type(&said).cutter();
                self.open(&said);
                header.push(&body);
                // Of its media nothing is played: the chunks go on somewhere else.
                let pages = std::iter::from_fn(|| header.poll()).take_while(|page| page.role == Role::Header);
                let pages: Vec<_> = pages.map(|page| page.bytes).collect();
                pages.into_iter().for_each(|page| self.push(&page));
            }
            Event::Play(bytes) if self.cutter.is_some() => self.push(&bytes),
            Event::Play(bytes) => self.probe(&bytes),
        }
    }

    /// Of a splitter that tells no head: what the source answered comes with the first chunk, or nothing does.
    fn probe(&mut self, bytes: &[u8]) {
        let Some(body) = self.http.push(bytes) else { return };
        self.waiting.extend_from_slice(&body);
        let said = self.http.field("content-type").map(str::to_owned);
        let probed = Format::probe(&self.waiting).map(|format| format.content_type().to_owned());
        let opaque = (self.waiting.len() > PROBED).then(|| Format::Opaque.content_type().to_owned());
        if let Some(kind) = said.or(probed).or(opaque) {
            self.open(&kind);
            let waiting = std::mem::take(&mut self.waiting);
            self.push(&waiting);
        }
    }

    fn open(&mut self, content_type: &str) {
        self.cutter = Some(Format::from_content_type(content_type).cutter());
        self.content_type = content_type.to_owned();
    }

    fn push(&mut self, bytes: &[u8]) {
        let Some(cutter) = &mut self.cutter else { return };
        cutter.push(bytes);
        while let Some(page) = cutter.poll() {
            self.begun |= page.role == Role::Entry;
            let fits = page.role == Role::Header || self.begun;
            // A file that cannot be written as fast goes on at the next entry.
            if fits && !page.bytes.is_empty() && self.pieces.try_send(page.bytes).is_err() {
                self.begun = false;
            }
        }
    }
}

/// Pages that wait to be written at most.
const WAITING: usize = 4_096;
/// A stream that is nothing we know after so many bytes is passed on as it is.
const PROBED: usize = 64 << 10;
