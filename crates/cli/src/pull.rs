//! `levada pull`: receives a stream into a file or a pipe.

mod datagrams;
mod hls;
mod rtmp;
mod sink;
pub mod team;

use crate::{
    exit::Exit,
    output::{self, Console},
    run::{self, Ended},
    times::Times,
};
use anyhow::{Context, Result};
use levada_media::Format;
use levada_serve::{
    client::{
        Client, Received, Receiver,
        backoff::Backoff,
        http::{Error, Patience},
    },
    multicast::{Address, Session},
};
use serde::Serialize;
use sink::Sink;
use std::{path::PathBuf, pin::Pin, str::FromStr, time::Duration};
use tokio::time::Instant;
use url::Url;

/// Receive a stream from a server into a file or a pipe
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Pull {
    /// The stream's address (http, https, rtmp, rtmps, p2psp), or that of a playlist that names it or is HLS (.m3u8); or udp://239.1.2.3:5000, rtp://, or a session's .sdp, a file or an address
    url: Place,
    /// Where to: a file, or `-` for standard output; default a file named like the stream
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file if there is one
    #[arg(short = 'y', long)]
    overwrite: bool,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
    /// Give up a connection that is silent this long
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Without a connection, try again for this time; default none before the first and one minute later
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    retry_for: Option<Duration>,
    /// Write when each message came to this table (CSV)
    #[arg(long, value_name = "FILE")]
    times: Option<PathBuf>,
}

/// Where one can pull from.
#[derive(Clone, Debug)]
enum Place {
    /// A server.
    Server(Url),
    /// Datagrams that come to a group or a port.
    Datagrams(Box<Session>),
}

impl FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Place> {
        if Address::is_meant(text) {
            let at: Address = text.parse()?;
            let origin = at.to.ip();
            return Ok(Place::Datagrams(Box::new(Session::new("stream", 0, origin, at))));
        }
        let file = text.strip_prefix("file://").unwrap_or(text);
        if !file.contains("://") && file.ends_with(".sdp") {
            let text = std::fs::read(file).with_context(|| format!("cannot open {file}"))?;
            let session = Session::parse(&String::from_utf8_lossy(&text));
            return Ok(Place::Datagrams(Box::new(session.with_context(|| file.to_owned())?)));
        }
        Ok(Place::Server(text.parse()?))
    }
}

impl Place {
    /// The same, or the session that a server describes there (`http://host/NAME.sdp`).
    async fn described(self, client: &Client) -> Result<Place> {
        match self {
            Place::Server(url) if url.path().ends_with(".sdp") && url.scheme().starts_with("http") => {
                let text = async { client.get(&url, &[]).await?.text(LONGEST_SDP).await };
                let text = text.await.with_context(|| format!("cannot get {url}"))?;
                let session = Session::parse(&text).with_context(|| url.to_string())?;
                Ok(Place::Datagrams(Box::new(session)))
            }
            other => Ok(other),
        }
    }
}

/// A session's description is a few hundred bytes.
const LONGEST_SDP: usize = 64 << 10;

/// What `--json` tells at the end.
#[derive(Debug, Default, Serialize)]
struct Statistics {
    url: String,
    /// Behind all redirects.
    from: String,
    server: String,
    content_type: String,
    name: String,
    seconds: f64,
    first_byte_ms: Option<u64>,
    bytes: u64,
    kbit_per_s: f64,
    titles: Vec<Title>,
    interruptions: Vec<Interruption>,
    ended: Option<Ended>,
}

#[derive(Debug, Serialize)]
struct Title {
    at: f64,
    title: String,
}

#[derive(Debug, Serialize)]
struct Interruption {
    at: f64,
    why: String,
}

/// One run of the command: where it writes, what it has seen, when it must stop.
struct Run<'a> {
    console: Console,
    client: Client,
    sink: Sink,
    times: Option<Times>,
    began: Instant,
    seen: Statistics,
    stop: Pin<&'a mut (dyn Future<Output = Ended> + Send)>,
}

impl Pull {
    /// Pulls until the stream, the time or somebody's patience ends.
    ///
    /// # Errors
    /// When the file cannot be written, the server has no such stream, or the network fails for too long.
    pub async fn run(self, console: Console) -> Result<()> {
        let patience = Patience { silence: self.timeout, answer: self.timeout, connect: self.timeout };
        let client = Client::new(AGENT, patience);
        let url = match self.url.described(&client).await? {
            Place::Server(url) => url,
            Place::Datagrams(session) => {
                let named = Url::parse("file:///stream.ts")?;
                let sink = Sink::open(self.output.as_deref(), &named, self.overwrite).await?;
                let silence = self.timeout;
                let job = datagrams::Job { session: *session, sink, lasts: self.lasts, silence };
                return job.run(console).await;
            }
        };
        let sink = Sink::open(self.output.as_deref(), &url, self.overwrite).await?;
        if url.scheme() == "p2psp" {
            let job = team::Job { url, sink, lasts: self.lasts, silence: self.timeout };
            return job.run(console).await;
        }
        let onto_stdout = sink.is_stdout();
        let stop = async {
            tokio::select! {
                () = run::after(self.lasts) => Ended::Time,
                () = run::stopped_or_q() => Ended::Stopped,
            }
        };
        let mut run = Run {
            console,
            client,
            began: Instant::now(),
            seen: Statistics { url: url.to_string(), ..Statistics::default() },
            stop: std::pin::pin!(stop),
            times: Times::open(self.times.as_deref())?,
            sink,
        };
        let result = match url.scheme() {
            "rtmp" | "rtmps" => run.play(&url, self.retry_for).await,
            _ if hls::is_meant(&url) => run.follow(&url, self.retry_for).await,
            _ => run.receive(&url, self.retry_for).await,
        };
        let written = run.sink.finish().await;
        run.times.take().map_or(Ok(()), Times::finish)?;
        let seen = run.finished(result.as_ref().map_or(Ended::Failed, |ended| *ended));
        console.statistics(&seen, onto_stdout);
        result.with_context(|| format!("cannot pull {url}"))?;
        written?;
        if seen.bytes == 0 {
            return Err(Exit(crate::exit::TIMEOUT, "not a byte came in that time".into()).into());
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Receives over as many connections as it takes.
    async fn receive(&mut self, url: &Url, retry_for: Option<Duration>) -> Result<Ended> {
        let mut backoff = Backoff::default();
        let mut lost_since = self.began;
        loop {
            let ended = match self.connect(url).await {
                Err(ended) => return Ok(ended),
                Ok(Err(why)) => Err(why),
                Ok(Ok(receiver)) => {
                    let carried = self.carry(receiver).await?;
                    (lost_since, backoff) = (Instant::now(), Backoff::default());
                    carried
                }
            };
            let why = match ended {
                Ok(ended) => return Ok(ended),
                Err(why) => why,
            };
            let patience = retry_for.unwrap_or(if self.seen.bytes == 0 { Duration::ZERO } else { RETRY });
            if why.is_final() || lost_since.elapsed() >= patience {
                return Err(why.into());
            }
            self.interrupted(&why);
            tokio::select! {
                ended = &mut self.stop => return Ok(ended),
                () = tokio::time::sleep(backoff.wait()) => {}
            }
        }
    }

    async fn connect(&mut self, url: &Url) -> Result<Result<Receiver, Error>, Ended> {
        tokio::select! {
            ended = &mut self.stop => Err(ended),
            receiver = Receiver::connect(&self.client, url, &[]) => Ok(receiver),
        }
    }

    /// Writes what comes until it ends: well, or by an error that another connection may mend.
    async fn carry(&mut self, mut receiver: Receiver) -> Result<Result<Ended, Error>> {
        self.met(&receiver);
        let mut cutter = Format::from_content_type(&self.seen.content_type).cutter();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            let received = tokio::select! {
                ended = &mut self.stop => return Ok(Ok(ended)),
                received = receiver.next() => received,
                _ = tick.tick() => {
                    self.progress();
                    continue;
                }
            };
            match received {
                Ok(Some(Received::Bytes(bytes))) => {
                    tokio::select! {
                        ended = &mut self.stop => return Ok(Ok(ended)),
                        written = self.sink.write(&bytes) => written?,
                    }
                    let began = self.began;
                    self.seen.first_byte_ms.get_or_insert_with(|| began.elapsed().as_millis() as u64);
                    self.seen.bytes += bytes.len() as u64;
                    cutter.push(&bytes);
                    while let Some(page) = cutter.poll() {
                        self.times.as_mut().map_or(Ok(()), |times| times.note_page(&page))?;
                        page.tags.into_iter().for_each(|tags| self.titled(tags.line()));
                    }
                }
                Ok(Some(Received::Title(tags))) => self.titled(tags.line()),
                Ok(None) if receiver.is_finite() => return Ok(Ok(Ended::Finished)),
                Ok(None) => return Ok(Err(Error::Ended)),
                Err(why) => return Ok(Err(why)),
            }
        }
    }

    fn met(&mut self, receiver: &Receiver) {
        let said = |name: &str| receiver.reply().field(name).unwrap_or_default().to_owned();
        self.seen.from = receiver.url().to_string();
        self.seen.server = said("server");
        self.seen.content_type = said("content-type");
        self.seen.name = said("icy-name");
        let name =
            Some(self.seen.name.as_str()).filter(|name| !name.is_empty()).map(|name| format!(" “{name}”"));
        let (kind, from) = (&self.seen.content_type, receiver.url());
        self.console.say(format!("receiving{} {kind} from {from}", name.unwrap_or_default()));
    }

    fn titled(&mut self, title: String) {
        if self.seen.titles.last().is_some_and(|last| last.title == title) {
            return;
        }
        self.console.say(format!("♪ {title}"));
        if self.seen.titles.len() < REMEMBERED {
            self.seen.titles.push(Title { at: self.began.elapsed().as_secs_f64(), title });
        }
    }

    fn interrupted(&mut self, why: &impl std::fmt::Display) {
        self.console.say(format!("interrupted: {why}; trying again"));
        if self.seen.interruptions.len() < REMEMBERED {
            let at = self.began.elapsed().as_secs_f64();
            self.seen.interruptions.push(Interruption { at, why: why.to_string() });
        }
    }

    fn progress(&self) {
        let (time, bytes) = (self.began.elapsed(), self.seen.bytes);
        let (rate, clock) = (output::kbit_per_s(bytes, time), output::clock(time));
        let title = self.seen.titles.last().map_or("", |last| &last.title);
        self.console.progress(&format!("{clock}  {rate:>6.0} kbit/s  {:>9}  {title}", output::bytes(bytes)));
    }

    fn finished(mut self, ended: Ended) -> Statistics {
        let time = self.began.elapsed();
        self.seen.seconds = time.as_secs_f64();
        self.seen.kbit_per_s = output::kbit_per_s(self.seen.bytes, time);
        self.seen.ended = Some(ended);
        self.console.clear();
        let (bytes, breaks) = (output::bytes(self.seen.bytes), self.seen.interruptions.len());
        self.console.say(format!("received {bytes} in {}, {breaks} interruption(s)", output::clock(time)));
        self.seen
    }
}

const AGENT: &str = concat!("levada/", env!("CARGO_PKG_VERSION"));
/// A source that restarts is back within this time.
const RETRY: Duration = Duration::from_secs(60);
/// So many titles and interruptions are told one by one.
const REMEMBERED: usize = 1_000;

const EXAMPLES: &str = "\
Examples:
  levada pull http://127.0.0.1:8000/clip.ogv
  levada pull http://127.0.0.1:8000/radio.mp3 -o - | mpv -
  levada pull udp://239.1.2.3:5000 -o - | mpv -
  levada pull p2psp://127.0.0.1:8001 -o - | mpv -
  levada pull rtmp://127.0.0.1/live/tea -o tea.flv --times arrivals.csv
  levada pull --for 10s --json http://127.0.0.1:8000/radio.mp3 -o /dev/null";
