//! `levada swarm splitter`: listens to a stream, and deals it to a team.

use super::place;
use crate::{
    exit::{Exit, USAGE},
    output::{self, Console},
    run,
};
use anyhow::{Context, Result};
use levada_link::drive_tokio::{Driver, Remote, Sockets};
use levada_media::{Cut, Format, Role};
use levada_serve::client::{Client, Received, Receiver, backoff::Backoff, http::Patience};
use levada_swarm::{Wire, head::HttpHead, splitter};
use serde::Serialize;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use url::Url;

/// Deal a stream to a team, each chunk to one of its peers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Splitter {
    /// The stream
    #[arg(long, value_name = "URL")]
    source: Url,
    /// Port for joining (TCP) and for chunks (UDP)
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// Address to be reached at
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    listen: IpAddr,
    /// What the team speaks: a as the Python peers of 2018, b as the C++ ones
    #[arg(long, default_value = "a")]
    wire: Wire,
    /// Bytes a chunk
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
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// What `--json` tells, once a second and at the end.
#[derive(Clone, Debug, Default, Serialize)]
struct Status {
    source: String,
    content_type: String,
    #[serde(flatten)]
    stats: splitter::Stats,
    members: Vec<splitter::Member>,
}

type Shared = Arc<Mutex<Status>>;

impl Splitter {
    /// Deals until somebody or its time ends it. The source may be away for a while.
    ///
    /// # Errors
    /// When the port cannot be had, or the source is no stream.
    pub async fn run(self, console: Console) -> Result<()> {
        let defaults = splitter::Config::new(self.wire);
        let config = splitter::Config {
            chunk_size: self.chunk_size,
            buffer_size: self.buffer_size.unwrap_or(defaults.buffer_size),
            monitors: self.monitors,
            max_chunk_loss: self.max_chunk_loss.unwrap_or(defaults.max_chunk_loss),
            source: self.fetched_from()?,
            ..defaults
        };
        let sockets = Sockets::bind(SocketAddr::new(self.listen, self.port)).await;
        let sockets = sockets.with_context(|| format!("cannot listen on port {}", self.port))?;
        let driver = Driver::new(levada_swarm::Splitter::new(Instant::now(), config), sockets);
        let (address, remote) = (driver.local_addr()?, driver.remote());
        let status = Shared::default();

        let client = Client::new(super::AGENT, Patience::default());
        let first = tokio::select! {
            first = self.open(&client, console) => first?,
            () = run::stopped() => return Ok(()),
            () = run::after(self.lasts) => return Ok(()),
        };
        console.say(format!("splitting {} on {address} (wire {:?})", self.source, self.wire));
        let feeding = self.feed(&client, first, remote.clone(), status.clone(), console);
        let end = async {
            tokio::select! {
                () = run::stopped() => {}
                () = run::after(self.lasts) => {}
                () = feeding => {}
                () = watch(remote, status.clone(), console) => {}
            }
        };
        let mut ended = driver.run(end, |event| tell(event, console)).await?;
        ended.feed(Instant::now(), &[]);
        let mut last = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (last.stats, last.members) = (ended.stats(), ended.members().to_vec());
        console.clear();
        console.statistics(&last, false);
        Ok(())
    }

    /// Where peers of wire b get the head of the stream themselves.
    fn fetched_from(&self) -> Result<Option<(SocketAddr, String)>> {
        if self.wire != Wire::B {
            return Ok(None);
        }
        let wrong = || Exit(USAGE, "peers of wire b fetch from a source that speaks plain HTTP".into());
        let host = self.source.host_str().filter(|_| self.source.scheme() == "http").ok_or_else(wrong)?;
        let port = self.source.port_or_known_default().ok_or_else(wrong)?;
        let address = place::resolve(&format!("{host}:{port}"))?;
        Ok(Some((address, self.source.path().trim_start_matches('/').to_owned())))
    }

    /// Asks for the source until it is there.
    async fn open(&self, client: &Client, console: Console) -> Result<Receiver> {
        let mut backoff = Backoff::default();
        let mut said = false;
        loop {
            match Receiver::connect(client, &self.source, &[]).await {
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
        remote: Remote<levada_swarm::Splitter>,
        status: Shared,
        console: Console,
    ) {
        let mut receiver = first;
        loop {
            let content_type = receiver.reply().field("content-type").unwrap_or("audio/mpeg").to_owned();
            {
                let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
                (status.source, status.content_type) = (self.source.to_string(), content_type.clone());
            }
            let mut heads = Heads::new(&content_type, (self.wire == Wire::B).then_some(self.header_size));
            while let Ok(Some(received)) = receiver.next().await {
                let Received::Bytes(bytes) = received else { continue };
                let head = heads.push(&bytes);
                let taken = remote.with(move |splitter, now| {
                    head.into_iter().for_each(|head| splitter.set_head(head.into()));
                    splitter.feed(now, &bytes);
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

/// Keeps the head of the stream: an answer to HTTP and the container's header pages.
struct Heads {
    answer: String,
    cutter: Box<dyn Cut>,
    set: Vec<u8>,
    in_header: bool,
    told: bool,
    /// On wire b peers fetch so much, whatever it is.
    fixed: Option<u16>,
}

impl Heads {
    fn new(content_type: &str, fixed: Option<u16>) -> Heads {
        let cutter = Format::from_content_type(content_type).cutter();
        let answer = HttpHead::answer(content_type);
        Heads { answer, cutter, set: Vec::new(), in_header: false, told: false, fixed }
    }

    /// Takes the next bytes of the stream; gives the head where it has changed.
    fn push(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if let Some(size) = self.fixed {
            let first = !std::mem::replace(&mut self.told, true);
            return first.then(|| vec![0; size.into()]);
        }
        let mut changed = !std::mem::replace(&mut self.told, true);
        self.cutter.push(bytes);
        while let Some(page) = self.cutter.poll() {
            if page.role == Role::Header {
                if !self.in_header {
                    self.set.clear();
                }
                self.set.extend_from_slice(&page.bytes);
                if let Some(set) = self.cutter.header_set() {
                    self.set = set.to_vec();
                }
                changed = true;
            }
            self.in_header = page.role == Role::Header;
        }
        changed.then(|| [self.answer.as_bytes(), &self.set].concat())
    }
}

/// Tells how it goes, once a second.
async fn watch(remote: Remote<levada_swarm::Splitter>, status: Shared, console: Console) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let shared = status.clone();
        let asked = remote.with(move |splitter, _| {
            let mut status = shared.lock().unwrap_or_else(PoisonError::into_inner);
            (status.stats, status.members) = (splitter.stats(), splitter.members().to_vec());
        });
        if !asked.await {
            return;
        }
        let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (sent, peers) = (output::bytes(status.stats.sent_bytes), status.stats.peers);
        console.progress(&format!(
            "{peers} peers, {} chunks, {sent} sent, {} lost",
            status.stats.chunks, status.stats.lost
        ));
        console.statistics(&status, false);
    }
}

fn tell(event: splitter::Event, console: Console) {
    match event {
        splitter::Event::Joined(peer) => console.say(format!("{peer} joined")),
        splitter::Event::Left(peer) => console.say(format!("{peer} left")),
        splitter::Event::Expelled(peer) => {
            console.say(format!("{peer} was let go: it does not pass chunks on"))
        }
        splitter::Event::Died(peer) => console.say(format!("{peer} is dead")),
    }
}

/// How long to wait at most before a source is asked for again.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  levada swarm splitter --source http://127.0.0.1:8000/BBB.ogv --port 8001
  levada swarm splitter --wire b --source http://127.0.0.1:8000/BBB.ogv";
