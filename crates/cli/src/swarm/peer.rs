//! `levada swarm peer` and `monitor`: join a team, and serve its stream as a mount to any number of players.

use super::{intake::Intake, outlet, place};
use crate::{output::Console, run, serve::random_name};
use anyhow::{Context, Result};
use levada_link::{
    Input, Machine, Output,
    drive_tokio::{Driver, Remote, Sockets},
};
use levada_serve::{Config, MountName, Server, client::Target, config::Http};
use levada_swarm::{Wire, peer};
use serde::Serialize;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};

/// Join a team: play its stream, and pass it on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Peer {
    /// The team's splitter
    #[arg(long, value_name = "HOST:PORT")]
    splitter: String,
    /// What the team speaks: a as the Python peers of 2018, b as the C++ ones
    #[arg(long, default_value = "a")]
    wire: Wire,
    /// Port of this peer; default any
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port for players (HTTP): `/` is the stream; 0 is any
    #[arg(long, default_value_t = 9999)]
    player_port: u16,
    /// Address for players; default only this machine
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    player_address: IpAddr,
    /// The mount that players may ask for instead of `/`
    #[arg(long, default_value = "/stream")]
    mount: MountName,
    /// Another server to feed as a source: icecast://source:password@host:8000/mount; may be said more than once
    #[arg(long, value_name = "URL")]
    source_to: Vec<Target>,
    /// Chunks that a neighbour may owe
    #[arg(long, value_name = "CHUNKS")]
    max_chunk_debt: Option<u32>,
    /// Ask neighbours for the origin of a lost chunk, as the rules say; monitors of 2018 do not survive it
    #[arg(long)]
    requests: bool,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// What `--json` tells, once a second and at the end.
#[derive(Clone, Debug, Default, Serialize)]
struct Status {
    splitter: String,
    players: usize,
    #[serde(flatten)]
    stats: peer::Stats,
    complaints: u64,
}

/// Either kind.
enum Member {
    Peer(Box<levada_swarm::Peer>),
    Monitor(Box<levada_swarm::Monitor>),
}

impl Peer {
    /// Plays and passes on until somebody or its time ends it; then it leaves politely.
    ///
    /// # Errors
    /// When a port cannot be had, or there is no way to the splitter.
    pub async fn run(self, console: Console, monitor: bool) -> Result<()> {
        let splitter = place::resolve(&self.splitter)?;
        let here = SocketAddr::new(place::here(splitter)?, self.port);
        let sockets = Sockets::one_port(here).await;
        let sockets = sockets.with_context(|| format!("cannot be reached on port {}", self.port))?;
        let config = self.config(splitter, sockets.local_addr()?);
        let driver = Driver::new(Member::new(config, monitor)?, sockets);
        let (remote, address) = (driver.remote(), driver.local_addr()?);

        let server = self.serve().await?;
        let players = server.addresses().first().copied();
        console.say(format!("in the team of {splitter} as {address}"));
        players.iter().for_each(|players| console.say(format!("playing on http://{players}/")));
        let mut tasks = JoinSet::new();
        for target in &self.source_to {
            tasks.spawn(outlet::carry(server.station().clone(), self.mount.clone(), target.clone(), console));
        }
        let mut intake = Intake::new(server.station().clone(), self.mount.clone());
        let status = Arc::new(Mutex::new(Status { splitter: splitter.to_string(), ..Status::default() }));
        tasks.spawn(watch(
            remote.clone(),
            status.clone(),
            server.station().clone(),
            self.mount.clone(),
            console,
        ));
        let (told, left) = mpsc::channel(1);
        let end = leave_at_the_end(self.lasts, remote, left);
        let member = driver
            .run(end, |event| match event {
                peer::Event::Joined { peers } => {
                    console.say(format!("joined a team of {peers}"));
                    intake.restart();
                }
                peer::Event::Refused => console.say("the splitter does not let us in; trying again"),
                peer::Event::Head(bytes) => intake.head(&bytes),
                peer::Event::Play(_, bytes) => intake.play(&bytes),
                peer::Event::Lost(_) => {}
                peer::Event::Left => drop(told.try_send(())),
            })
            .await?;
        drop(intake);
        tasks.shutdown().await;
        server.stop().await;
        let mut last = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (last.stats, last.complaints) = member.stats();
        console.clear();
        console.say(format!("played {} chunks, lost {}", last.stats.played, last.stats.lost));
        console.statistics(&last, false);
        Ok(())
    }

    fn config(&self, splitter: SocketAddr, here: SocketAddr) -> peer::Config {
        let config = peer::Config::new(self.wire, splitter, here);
        peer::Config {
            max_chunk_debt: self.max_chunk_debt.unwrap_or(config.max_chunk_debt),
            requests: self.requests,
            ..config
        }
    }

    async fn serve(&self) -> Result<Server> {
        let listen = vec![SocketAddr::new(self.player_address, self.player_port)];
        let http = Http { listen, home: Some(self.mount.clone()), ..Http::default() };
        let server = Server::start(Config { http, ..Config::default() }, random_name()?).await;
        server.with_context(|| format!("cannot serve players on port {}", self.player_port))
    }
}

impl Member {
    fn new(config: peer::Config, monitor: bool) -> Result<Member> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).context("the system gives no randomness")?;
        let (now, seed) = (Instant::now(), u64::from_le_bytes(seed));
        Ok(match monitor {
            true => Member::Monitor(Box::new(levada_swarm::Monitor::new(now, config, seed))),
            false => Member::Peer(Box::new(levada_swarm::Peer::new(now, config, seed))),
        })
    }

    fn leave(&mut self, now: Instant) {
        match self {
            Member::Peer(peer) => peer.leave(now),
            Member::Monitor(monitor) => monitor.peer_mut().leave(now),
        }
    }

    fn stats(&self) -> (peer::Stats, u64) {
        match self {
            Member::Peer(peer) => (peer.stats(), 0),
            Member::Monitor(monitor) => (monitor.peer().stats(), monitor.complaints()),
        }
    }
}

impl Machine for Member {
    type Event = peer::Event;

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Member::Peer(peer) => peer.handle(now, input),
            Member::Monitor(monitor) => monitor.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<peer::Event> {
        match self {
            Member::Peer(peer) => peer.poll(now),
            Member::Monitor(monitor) => monitor.poll(now),
        }
    }
}

/// Waits for the end, then lets the peer leave; the splitter has two seconds to answer.
async fn leave_at_the_end(lasts: Option<Duration>, remote: Remote<Member>, mut left: mpsc::Receiver<()>) {
    tokio::select! {
        () = run::stopped() => {}
        () = run::after(lasts) => {}
    }
    remote.with(|member, now| member.leave(now)).await;
    let _answered = tokio::time::timeout(Duration::from_secs(2), left.recv()).await;
}

/// Tells how it goes, once a second.
async fn watch(
    remote: Remote<Member>,
    status: Arc<Mutex<Status>>,
    station: Arc<levada_serve::Station>,
    mount: MountName,
    console: Console,
) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let shared = status.clone();
        let players = station.mounts.find(&mount).map_or(0, |mount| mount.listeners());
        let asked = remote.with(move |member, _| {
            let mut status = shared.lock().unwrap_or_else(PoisonError::into_inner);
            (status.stats, status.complaints) = member.stats();
            status.players = players;
        });
        if !asked.await {
            return;
        }
        let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (played, lost, sent) = (status.stats.played, status.stats.lost, status.stats.dbs.sent);
        let neighbors = status.stats.neighbors;
        console.progress(&format!(
            "{neighbors} neighbours, {players} players, {played} played, {lost} lost, {sent} sent"
        ));
        console.statistics(&status, false);
    }
}

const EXAMPLES: &str = "\
Examples:
  levada swarm peer --splitter 127.0.0.1:8001 --player-port 9999   # then play http://127.0.0.1:9999
  levada swarm peer --splitter 127.0.0.1:8001 --source-to icecast://source:password@127.0.0.1:8002/BBB.ogv";
