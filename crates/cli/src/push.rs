//! `levada push`: sends files as a live stream to a mount of a server, or in datagrams.

mod datagrams;
mod rtmp;

use crate::{
    exit::{Exit, FAILED, USAGE},
    output::{self, Console},
    run::{self, Ended},
    times::Times,
};
use anyhow::{Context, Result};
use levada_channel::{Bounds, Channel, Publisher, Start};
use levada_serve::{
    Piece,
    client::{
        Client, Player, Target, Uplink, http::Patience, icecast::Introduction, medium::Medium,
        player::Options, playlist, uplink::Stats,
    },
    multicast::Address,
};
use serde::Serialize;
use std::{fmt::Display, path::PathBuf, str::FromStr, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{io::AsyncWriteExt, time::Instant};

/// Send files as a live stream to a mount of a server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Push {
    /// Files to play, one after the other; `-` is standard input, playlists (m3u, pls, xspf) stand for their files
    #[arg(required = true, value_name = "FILE")]
    what: Vec<PathBuf>,
    /// Where to: icecast://source:password@host:8000/mount, icecasts://, http:// or https://;
    /// rtmp://host/app/name?key=password or rtmps://; or udp://239.1.2.3:5000
    /// and rtp://, which take options: ?ttl=1&iface=ADDRESS&packets=7&sap=no
    #[arg(value_name = "URL")]
    to: Destination,
    /// The source's password, when the address has none
    #[arg(long, env = "LEVADA_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Begin again after the last file
    #[arg(long = "loop")]
    looping: bool,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
    /// Name of the stream
    #[arg(long)]
    name: Option<String>,
    /// Genre of the stream
    #[arg(long)]
    genre: Option<String>,
    /// Description of the stream
    #[arg(long)]
    description: Option<String>,
    /// A page about the stream
    #[arg(long)]
    homepage: Option<String>,
    /// Let directories list the stream
    #[arg(long)]
    public: bool,
    /// Content type to announce; default what the first file is
    #[arg(long)]
    content_type: Option<String>,
    /// Bits a second, for formats that do not tell their time
    #[arg(long, value_name = "BITS")]
    bitrate: Option<u64>,
    /// Also hand the stream, at its pace, to a local player: `--tee - | mpv -`
    #[arg(long, value_name = "-", value_parser = ["-"])]
    tee: Option<String>,
    /// Write a description of the session, for players of rtp://
    #[arg(long, value_name = "FILE")]
    sdp: Option<PathBuf>,
    /// After a lost connection, try again for this time
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    retry_for: Duration,
    /// Write when each message was sent to this table (CSV)
    #[arg(long, value_name = "FILE")]
    times: Option<PathBuf>,
}

/// Where one can push to.
#[derive(Clone, Debug)]
enum Destination {
    /// A mount of a server.
    Mount(Target),
    /// A group or a host that hears datagrams.
    Datagrams(Address),
    /// A stream of an RTMP server.
    Rtmp(levada_rtmp::Address),
}

impl FromStr for Destination {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Destination> {
        let scheme = text.split("://").next().unwrap_or_default().to_ascii_lowercase();
        match scheme.as_str() {
            "rtmp" | "rtmps" => Ok(Destination::Rtmp(text.parse()?)),
            _ if Address::is_meant(text) => Ok(Destination::Datagrams(text.parse()?)),
            _ => Ok(Destination::Mount(text.parse()?)),
        }
    }
}

/// What `--json` tells at the end.
#[derive(Debug, Serialize)]
struct Statistics {
    to: String,
    content_type: String,
    seconds: f64,
    bytes: u64,
    kbit_per_s: f64,
    connects: u64,
    skipped_pages: u64,
    titles: u64,
    ended: Ended,
}

impl Push {
    /// Pushes until the files, the time or somebody's patience end.
    ///
    /// # Errors
    /// When a file cannot be played, the server refuses, or the network fails for too long.
    pub async fn run(self, console: Console) -> Result<()> {
        let media = media(&self.what)?;
        if self.looping && media.contains(&Medium::Stdin) {
            return Err(Exit(USAGE, "standard input cannot be played in a loop".into()).into());
        }
        let options = Options { looping: self.looping, bitrate: self.bitrate, ..Options::default() };
        let target = match &self.to {
            Destination::Mount(target) => target.clone(),
            Destination::Rtmp(to) => return self.publish(media, options, to, console).await,
            Destination::Datagrams(to) => {
                let options = Options { lead: Duration::ZERO, ..options };
                let player = Player::open(media, options).await?;
                let name = self.name.clone().unwrap_or_else(|| "levada".into());
                let job = datagrams::Job { player, to, name, sdp: self.sdp.as_deref(), lasts: self.lasts };
                return job.run(console).await;
            }
        };
        let player = Player::open(media, options).await?;
        self.to_mount(target, player, console).await
    }

    async fn to_mount(&self, target: Target, player: Player, console: Console) -> Result<()> {
        let to = match &self.password {
            Some(password) => target.clone().with_password(password),
            None => target.clone(),
        };
        let says = self.introduction(&player);
        let content_type = says.content_type.clone();
        let uplink = Uplink::new(Client::new(AGENT, Patience::default()), to, says, player.kind().format);
        let stats = uplink.stats();
        let first = uplink.connect().await.with_context(|| format!("cannot push to {target}"))?;
        console.say(format!("pushing {content_type} to {target}"));
        let mut times = Times::open(self.times.as_deref())?;

        let began = Instant::now();
        let (publisher, channel) = Channel::new(Bounds::default());
        let mut sending = tokio::spawn(uplink.run(first, channel.clone(), self.retry_for));
        let tee = self.tee.as_ref().map(|_| tokio::spawn(tee(channel)));
        let (ended, failure) = tokio::select! {
            played = play(player, publisher, &mut times) => match played {
                Ok(()) => finish(&mut sending).await,
                Err(why) => (Ended::Failed, Some(why)),
            },
            sent = &mut sending => outcome(sent),
            () = run::after(self.lasts) => (Ended::Time, None),
            () = self.stopped() => (Ended::Stopped, None),
            () = watch(console, &target, &stats, began) => (Ended::Failed, None),
        };
        sending.abort();
        if let Some(tee) = tee {
            let _written = tokio::time::timeout(LAST, tee).await;
        }
        times.map_or(Ok(()), Times::finish)?;
        console.clear();
        let statistics = statistics(&target, &stats, content_type, began, ended);
        console.say(format!(
            "pushed {} in {}, {:.0} kbit/s, {} connection(s)",
            output::bytes(statistics.bytes),
            output::clock(began.elapsed()),
            statistics.kbit_per_s,
            statistics.connects
        ));
        console.statistics(&statistics, self.tee.is_some());
        failure.map_or(Ok(()), |why| Err(why.context(format!("pushing to {target} failed"))))
    }

    /// Waits until somebody wants to stop; where standard input is the medium, it is not for keys.
    async fn stopped(&self) {
        match self.what.iter().any(|path| path.as_os_str() == "-") {
            true => run::stopped().await,
            false => run::stopped_or_q().await,
        }
    }

    fn introduction(&self, player: &Player) -> Introduction {
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        Introduction {
            content_type: self.content_type.clone().unwrap_or_else(|| player.kind().content_type.to_owned()),
            name: said(&self.name),
            genre: said(&self.genre),
            description: said(&self.description),
            url: said(&self.homepage),
            bitrate: self.bitrate.map(|bits| (bits / 1_000).to_string()).unwrap_or_default(),
            public: self.public,
            fields: Vec::new(),
        }
    }
}

/// Rewrites the progress line for ever.
async fn watch(console: Console, target: &impl Display, stats: &Stats, began: Instant) {
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let mut before = 0;
    let mut rate = 0.0;
    loop {
        tick.tick().await;
        let bytes = stats.bytes.load(Relaxed);
        let now = (bytes - before) as f64 * 8.0 / 500.0;
        rate = if before == 0 { now } else { rate * 0.8 + now * 0.2 };
        before = bytes;
        let (time, sent) = (output::clock(began.elapsed()), output::bytes(bytes));
        console.progress(&format!("{time}  {rate:>6.0} kbit/s  {sent:>9}  → {target}"));
    }
}

fn statistics(
    target: &impl Display,
    stats: &Stats,
    content_type: String,
    began: Instant,
    ended: Ended,
) -> Statistics {
    let (time, bytes) = (began.elapsed(), stats.bytes.load(Relaxed));
    Statistics {
        to: target.to_string(),
        content_type,
        seconds: time.as_secs_f64(),
        bytes,
        kbit_per_s: output::kbit_per_s(bytes, time),
        connects: stats.connects.load(Relaxed),
        skipped_pages: stats.skipped.load(Relaxed),
        titles: stats.titles.load(Relaxed),
        ended,
    }
}

/// The media that arguments name; playlists are replaced by their files.
fn media(what: &[PathBuf]) -> Result<Vec<Medium>> {
    let mut media = Vec::new();
    for path in what {
        if path.as_os_str() == "-" {
            media.push(Medium::Stdin);
        } else if path.to_string_lossy().contains("://") {
            let hint = format!(
                "{0} is no file; `levada pull {0} -o - | levada push - …` sends it on",
                path.display()
            );
            return Err(Exit(USAGE, hint).into());
        } else if playlist::is_list(path) {
            let text = std::fs::read(path).with_context(|| format!("cannot open {}", path.display()))?;
            let files = playlist::files(path, &String::from_utf8_lossy(&text))?;
            media.extend(files.into_iter().map(Medium::File));
        } else {
            media.push(Medium::File(path.clone()));
        }
    }
    if media.is_empty() {
        return Err(Exit(FAILED, "the playlist is empty".into()).into());
    }
    Ok(media)
}

/// Publishes every page when it is due.
async fn play(mut player: Player, mut publisher: Publisher<Piece>, times: &mut Option<Times>) -> Result<()> {
    while let Some(page) = player.next().await? {
        times.as_mut().map_or(Ok(()), |times| times.note_page(&page))?;
        publisher.send(Piece(page));
    }
    Ok(())
}

type Sending = tokio::task::JoinHandle<Result<(), levada_serve::client::http::Error>>;

/// All is published: what is on its way gets a moment.
async fn finish(sending: &mut Sending) -> (Ended, Option<anyhow::Error>) {
    match tokio::time::timeout(LAST, sending).await {
        Ok(sent) => outcome(sent),
        Err(_) => (Ended::Failed, Some(anyhow::anyhow!("the server did not take the end of the stream"))),
    }
}

fn outcome(
    sent: Result<Result<(), levada_serve::client::http::Error>, tokio::task::JoinError>,
) -> (Ended, Option<anyhow::Error>) {
    match sent {
        Ok(Ok(())) => (Ended::Finished, None),
        Ok(Err(why)) => (Ended::Failed, Some(why.into())),
        Err(why) => (Ended::Failed, Some(why.into())),
    }
}

/// Hands the stream to whoever reads standard output; one who reads too slowly misses something.
async fn tee(channel: Channel<Piece>) {
    let mut subscriber = channel.subscribe(Start::Burst { time: Duration::MAX, bytes: usize::MAX });
    let mut out = tokio::io::stdout();
    while let Some(Piece(page)) = subscriber.next().await {
        if out.write_all(&page.bytes).await.is_err() || out.flush().await.is_err() {
            tracing::warn!("the local player has gone");
            return;
        }
    }
}

const AGENT: &str = concat!("levada/", env!("CARGO_PKG_VERSION"));
/// How long the other end may take for the last bytes.
const LAST: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  levada push clip.ogv icecast://source:password@127.0.0.1:8000/clip.ogv
  levada push --loop --name 'My radio' --genre Jazz evening.m3u icecast://source:password@127.0.0.1:8000/radio.mp3
  levada push --loop clip.flv 'rtp://239.1.2.3:5004?ttl=1' --sdp clip.sdp
  levada push --loop clip.flv 'rtmp://127.0.0.1/live/tea?key=password'
  ffmpeg -re -i film.mkv -f webm - | levada push - icecasts://source:password@host/film.webm
  levada push --loop --tee - clip.ogv icecast://source:password@127.0.0.1:8000/clip.ogv | mpv -

The password may come from LEVADA_PASSWORD instead, so that no list of processes shows it.";
