//! `levada swarm splitter`: follows a stream and deals it to a team.

use super::{
    dealer::{Announced, Dealer, Native, Stats, Told, Upstream},
    heads::Heads,
    member::random,
    place,
    stay::{Way, not_let_in},
    token::Token,
    told,
    tracker::Found,
    view::{Eye, Screen, no_view},
    wire::{Transport, Wire},
};
use crate::{
    exit::{Exit, USAGE},
    output::Console,
    pull::team as pull,
    run,
    talk::keyring,
};
use anyhow::{Context, Result};
use levada_link::{
    Percent,
    drive_tokio::{Driver, Remote},
};
use levada_serve::client::{Client, Received, Receiver, backoff::Backoff, http::Patience};
use levada_swarm::{
    native::{Key, wire::Refusal},
    splitter,
    tracker::Announcer,
};
use levada_talk::secure::PublicKey;
use serde::Serialize;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use url::Url;

/// Deal a stream to a team, each chunk to one of its peers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Splitter {
    /// The stream; or another team of a channel, p2psp://HOST:PORT of its splitter or p2psp://HOST:PORT/CHANNEL of a tracker:
    /// this one is a member there then, and its own team gets the same chunks without asking the source for anything
    #[arg(long, value_name = "URL")]
    source: Url,
    /// Port for joining (TCP) and for chunks (UDP)
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// Address to be reached at; default every one of this machine, of both families on the native wire
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// What the team speaks: a as the Python peers of 2018, b as the C++ ones, or native; default native where the source is a
    /// team, else a
    #[arg(long)]
    wire: Option<Wire>,
    /// How datagrams travel: plain, signed but for all to read, or encrypted by quic; native wire only
    #[arg(long, value_enum, default_value_t = Transport::Plain)]
    transport: Transport,
    /// How long chunks wait for others to be signed together: the longer, the less there is for peers to check; native wire only, default 80ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    group_time: Option<Duration>,
    /// How many times the whole stream is sent, at most, to peers behind NATs whom no other reaches; native wire only, default 1
    #[arg(long, value_name = "STREAMS")]
    relays: Option<usize>,
    /// How much parity goes beside the stream, so that peers rebuild what is lost on the way and ask for less of it, such
    /// as 10%, at most 60%; native wire only, default none
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    fec: Percent,
    /// How much is passed on to members of the team that is the source, in eighths of the stream; default 8
    #[arg(long, value_name = "EIGHTHS")]
    slots: Option<u16>,
    /// Bytes a chunk, on the old wires
    #[arg(long, value_name = "BYTES", default_value_t = 1_024, value_parser = clap::value_parser!(u16).range(1..=1400))]
    chunk_size: u16,
    /// Chunks that a peer's buffer holds; default 128 on wire a, 256 on b
    #[arg(long, value_name = "CHUNKS", value_parser = clap::value_parser!(u16).range(4..=8192))]
    buffer_size: Option<u16>,
    /// How many of the peers that come first are monitors
    #[arg(long, default_value_t = 1)]
    monitors: u16,
    /// Missed chunks, halved every second, for which a peer is let go; default 8 on wire a, 32 on b
    #[arg(long, value_name = "CHUNKS")]
    max_chunk_loss: Option<u32>,
    /// How much of the source peers of wire b fetch as the head of the stream
    #[arg(long, value_name = "BYTES", default_value_t = 30_000)]
    header_size: u16,
    /// A tracker that sends peers here
    #[arg(long, value_name = "HOST:PORT", requires = "channel")]
    tracker: Option<String>,
    /// What the tracker's peers know the stream by
    #[arg(long, value_name = "NAME", requires = "tracker")]
    channel: Option<String>,
    /// The most peers that a tracker sends here
    #[arg(long, value_name = "PEERS", default_value_t = 1_000)]
    team_size: u32,
    /// The file with this splitter's key, on the native wire; made where it is not there. Default a new key each time
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Stand by for the splitter there, with the same key and the same source: follow it, and go on when it dies
    #[arg(long, value_name = "HOST:PORT", requires = "key")]
    standby_of: Option<String>,
    #[command(flatten)]
    token: Token,
    /// The key of a monitor whose reports of loss are believed, as `levada swarm monitor --key` shows it; native wire only,
    /// may be said more than once
    #[arg(long, value_name = "KEY")]
    monitor_key: Vec<PublicKey>,
    /// Show the team in this terminal: who has the stream from whom, and how it goes for each
    #[arg(long)]
    view: bool,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// What `--json` tells, once a second and at the end.
#[derive(Clone, Debug, Default, Serialize)]
struct Status {
    /// Where it is joined.
    here: Option<SocketAddr>,
    source: String,
    content_type: String,
    wire: &'static str,
    #[serde(flatten)]
    stats: Option<Stats>,
}

type Shared = Arc<Mutex<Status>>;

impl Splitter {
    /// Deals until somebody or its time ends it. The source may be away for a while.
    ///
    /// # Errors
    /// When the port cannot be had, or the source is no stream.
    pub async fn run(self, console: Console) -> Result<()> {
        let sockets = place::splitter(self.wire(), self.listen, self.port).await;
        let sockets = sockets.with_context(|| format!("cannot listen on port {}", self.port))?;
        let upstream = tokio::select! {
            upstream = self.upstream() => upstream?,
            () = run::stopped() => return Ok(()),
            () = run::after(self.lasts) => return Ok(()),
        };
        let driver = Driver::new(self.dealer(upstream)?, sockets);
        let (address, remote) = (driver.local_addr()?, driver.remote());
        let first = Status { here: Some(address), wire: self.wire().name(), ..Status::default() };
        let status = Arc::new(Mutex::new(first));

        let (left, mut gone) = tokio::sync::mpsc::channel(1);
        let screen = if self.view { Some(Screen::open(left.clone()).map_err(no_view)?) } else { None };
        let console = if self.view { Console::new(true, false) } else { console };
        let client = Client::new(super::AGENT, Patience::default());
        let first = tokio::select! {
            first = self.open(&client, console), if upstream.is_none() => Some(first?),
            () = async {}, if upstream.is_some() => None,
            () = run::stopped() => return Ok(()),
            () = run::after(self.lasts) => return Ok(()),
        };
        match &self.standby_of {
            Some(other) => console.say(format!("asking {other} to stand by for it on {address}")),
            None => {
                console.say(format!("splitting {} on {address} (wire {})", self.source, self.wire().name()))
            }
        }
        {
            let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
            (status.source, status.wire) = (self.source.to_string(), self.wire().name());
        }
        let feeding = async {
            match first {
                Some(first) => self.feed(&client, first, remote.clone(), status.clone(), console).await,
                None => std::future::pending().await,
            }
        };
        let (refuses, mut is_refused) = tokio::sync::mpsc::channel(1);
        let mut refused = None;
        let end = async {
            tokio::select! {
                () = run::stopped() => {}
                () = run::after(self.lasts) => {}
                () = feeding => {}
                () = watch(remote.clone(), status.clone(), console, screen.as_ref()) => {}
                why = is_refused.recv() => refused = why,
                _ = gone.recv() => {}
            }
        };
        let tell = |event| match event {
            Told::NotLetIn(why) if why != Refusal::Full => drop(refuses.try_send(why)),
            event => self.tell(event, console),
        };
        let ended = driver.run(end, tell).await?;
        drop(screen);
        let mut last = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.stats = Some(ended.stats());
        console.clear();
        console.statistics(&last, false);
        match refused.zip(upstream) {
            Some((why, of)) => Err(not_let_in(of.splitter, why, self.token.pass()?.is_some())),
            None => Ok(()),
        }
    }

    fn wire(&self) -> Wire {
        let default = if self.is_bridge() { Wire::Native } else { Wire::Old(levada_swarm::Wire::A) };
        self.wire.unwrap_or(default)
    }

    /// Whether its source is another team.
    fn is_bridge(&self) -> bool {
        self.source.scheme() == "p2psp"
    }

    /// The team that is its source, where one is.
    async fn upstream(&self) -> Result<Option<Upstream>> {
        if !self.is_bridge() {
            return Ok(None);
        }
        if self.wire() != Wire::Native || self.standby_of.is_some() {
            let why = "a team is a source of the native wire alone, and of no splitter that stands by";
            return Err(Exit(USAGE, why.into()).into());
        }
        if self.source.query().is_some() {
            return Err(Exit(USAGE, "say the team's token as --token".into()).into());
        }
        let way = match pull::way(&self.source)? {
            Way::Splitter(place, _) => Way::Splitter(place, Some(Wire::Native)),
            way => way,
        };
        let Found { splitter, wire, key } = way.find(self.token.pass()?).await?;
        if wire != Wire::Native {
            let why = format!("the team of {splitter} does not speak the native wire");
            return Err(Exit(USAGE, why).into());
        }
        Ok(Some(Upstream { splitter, key, slots: self.slots.unwrap_or(8) }))
    }

    /// The machine of the wire.
    fn dealer(&self, bridge: Option<Upstream>) -> Result<Dealer> {
        let announced = self.announced()?;
        let Wire::Old(wire) = self.wire() else {
            let standby_of = self.standby_of.as_deref().map(place::resolve).transpose()?;
            let secret = *keyring::identity(self.key.as_deref())?.bytes();
            let monitors = self.monitor_key.iter().map(|PublicKey(key)| {
                Key::from_bytes(key).ok_or_else(|| Exit(USAGE, "a monitor's key is none".into()))
            });
            let (monitors, pass) = (monitors.collect::<Result<_, _>>()?, self.token.pass()?);
            return Dealer::native(Native {
                secret,
                standby_of,
                bridge,
                pass,
                monitors,
                announced,
                encrypts: self.transport == Transport::Quic,
                group_time: self.group_time,
                relays: self.relays,
                most_peers: None,
                fec: self.fec,
            });
        };
        if self.key.is_some() || self.token.pass()?.is_some() || !self.monitor_key.is_empty() {
            let why = "keys, tokens and splitters that stand by need --wire native";
            return Err(Exit(USAGE, why.into()).into());
        }
        let defaults = splitter::Config::new(wire);
        let config = splitter::Config {
            chunk_size: self.chunk_size,
            buffer_size: self.buffer_size.unwrap_or(defaults.buffer_size),
            monitors: self.monitors,
            max_chunk_loss: self.max_chunk_loss.unwrap_or(defaults.max_chunk_loss),
            source: self.fetched_from()?,
            ..defaults
        };
        Ok(Dealer::old(config, announced))
    }

    fn announced(&self) -> Result<Option<Announced>> {
        let (Some(tracker), Some(channel)) = (&self.tracker, &self.channel) else { return Ok(None) };
        let tracker = place::resolve(tracker)?;
        let announcer =
            Announcer::new(Instant::now(), tracker, self.token.pass()?, u64::from_le_bytes(random()?));
        Ok(Some(Announced { announcer, channel: channel.clone(), most: self.team_size }))
    }

    /// Where peers of wire b get the head of the stream themselves.
    fn fetched_from(&self) -> Result<Option<(SocketAddr, String)>> {
        if self.wire() != Wire::Old(levada_swarm::Wire::B) {
            return Ok(None);
        }
        let wrong = || Exit(USAGE, "peers of wire b fetch from a source that speaks plain HTTP".into());
        let host = self.source.host_str().filter(|_| self.source.scheme() == "http").ok_or_else(wrong)?;
        let port = self.source.port_or_known_default().ok_or_else(wrong)?;
        let address = place::resolve(&format!("{host}:{port}"))?;
        Ok(Some((address, self.source.path().trim_start_matches('/').to_owned())))
    }

    fn tell(&self, event: Told, console: Console) {
        let private = self.token.pass().is_ok_and(|pass| pass.is_some());
        console.say(told::words(event, self.standby_of.as_deref(), private));
    }

    /// Asks for the source until it is there.
    async fn open(&self, client: &Client, console: Console) -> Result<Receiver> {
        let mut backoff = Backoff::default();
        let mut said = false;
        loop {
            match Receiver::connect(client, &self.source, &[AT_ONCE]).await {
                Ok(receiver) => return Ok(receiver),
                Err(_) if said => {}
                Err(why) => console.say(format!("the source is not there: {why}; trying again")),
            }
            said = true;
            tokio::time::sleep(backoff.wait().min(LONGEST_WAIT)).await;
        }
    }

    /// Hands the stream to the splitter, over as many connections as it takes.
    async fn feed(
        &self,
        client: &Client,
        first: Receiver,
        remote: Remote<Dealer>,
        status: Shared,
        console: Console,
    ) {
        let mut receiver = first;
        loop {
            let content_type = receiver.reply().field("content-type").unwrap_or("audio/mpeg").to_owned();
            {
                let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
                (status.source, status.content_type) = (self.source.to_string(), content_type.clone());
                status.wire = self.wire().name();
            }
            let mut heads = Heads::new(self.wire(), &content_type, self.header_size);
            while let Ok(Some(received)) = receiver.next().await {
                let Received::Bytes(bytes) = received else { continue };
                let pieces = heads.push(&bytes);
                let taken = remote.with(move |dealer, now| {
                    pieces.into_iter().for_each(|piece| dealer.take(now, piece));
                });
                if !taken.await {
                    return;
                }
            }
            console.say("the source is gone; waiting for it");
            match self.open(client, console).await {
                Ok(again) => receiver = again,
                Err(_) => return,
            }
        }
    }
}

/// Tells how it goes, once a second.
async fn watch(remote: Remote<Dealer>, status: Shared, console: Console, screen: Option<&Screen>) {
    let mut eye = Eye::default();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let shared = status.clone();
        let asked = remote.with(move |dealer, _| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).stats = Some(dealer.stats());
        });
        if !asked.await {
            return;
        }
        let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(screen), Some(stats)) = (screen, &status.stats) {
            screen.show(eye.see(&status.source, stats, Instant::now()));
        }
        console.progress(&status.stats.as_ref().map(Stats::line).unwrap_or_default());
        console.statistics(&status, false);
    }
}

/// By this a server of ours knows a relay, whom it tells everything at once.
const AT_ONCE: (&str, &str) = ("Levada-Via", "");
/// How long to wait at most before a source is asked for again.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  levada swarm splitter --source http://127.0.0.1:8000/BBB.ogv --port 8001
  levada swarm splitter --wire native --source http://127.0.0.1:8000/BBB.ogv --key team.key
  levada swarm splitter --wire native --source http://127.0.0.1:8000/BBB.ogv --key team.key --port 8002 --standby-of 127.0.0.1:8001
  levada swarm splitter --source p2psp://127.0.0.1:8001 --port 8003    # another team of that channel
  levada swarm splitter --wire b --source http://127.0.0.1:8000/BBB.ogv";
