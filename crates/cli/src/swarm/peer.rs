//! `levada swarm peer` and `monitor`: join a team, and serve its stream as a mount to any number of players.

use super::{
    intake::Intake,
    member::{Member, Stats},
    outlet,
    stay::{Event, Over, Stay, Stop, Way, Wishes},
    token::Token,
    view::{Eye, Screen, no_view},
    wire::{Transport, Wire},
};
use crate::{
    exit::{Exit, USAGE},
    output::Console,
    run,
    serve::random_name,
    talk::keyring,
};
use anyhow::{Context, Result};
use levada_link::{Bitrate, drive_tokio::Remote};
use levada_serve::{
    Config, MountName, Server, Station,
    client::Target,
    config::{Http, MountConfig},
    demand::Demand,
};
use levada_swarm::native::Seal;
use levada_talk::secure::PublicKey;
use serde::Serialize;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Join a team: play its stream, and pass it on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Peer {
    /// The team's splitter
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "tracker", conflicts_with = "tracker")]
    splitter: Option<String>,
    /// A tracker that knows teams
    #[arg(long, value_name = "HOST:PORT", requires = "channel")]
    tracker: Option<String>,
    /// What the tracker knows the stream by
    #[arg(long, value_name = "NAME", requires = "tracker")]
    channel: Option<String>,
    /// What the team speaks: a as the Python peers of 2018, b as the C++ ones, or native; default native where the splitter answers to that, else a
    #[arg(long)]
    wire: Option<Wire>,
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
    /// How much is passed on, in eighths of the stream; native wire only, default 10
    #[arg(long, value_name = "EIGHTHS")]
    slots: Option<u16>,
    /// The most that is uploaded, in any second and with all headers, such as 1mbit; 0 passes nothing on. Native wire only;
    /// without --slots as much as fits is passed on
    #[arg(long, value_name = "RATE")]
    upload_limit: Option<Bitrate>,
    /// Share what comes with the peers of this network by multicast: what comes in is cast there once for all. Native wire
    /// only; with the address of the interface where the system's choice is not the right one
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "0.0.0.0")]
    multicast: Option<Ipv4Addr>,
    /// Show the neighbours in this terminal: who gives what, and how it goes
    #[arg(long)]
    view: bool,
    /// The file with the key by which a monitor proves to be one, made where it is not there; the splitter is told the key
    /// that is shown, by --monitor-key. Native wire only
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    token: Token,
    /// How datagrams travel: plain or quic, and the team must do the same; native wire only, default as the team does
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// What `--json` tells, once a second and at the end.
#[derive(Clone, Debug, Default, Serialize)]
struct Status {
    splitter: String,
    wire: &'static str,
    /// Where it is in the team.
    here: Option<SocketAddr>,
    /// Where players are served.
    playing_on: Option<SocketAddr>,
    players: usize,
    #[serde(flatten)]
    stats: Option<Stats>,
}

impl Peer {
    /// Plays and passes on until somebody or its time ends it; then it leaves politely.
    ///
    /// # Errors
    /// When a port cannot be had, or there is no way to the splitter.
    pub async fn run(self, console: Console, monitor: bool) -> Result<()> {
        let (left, mut gone) = tokio::sync::mpsc::channel(1);
        let server = self.serve().await?;
        let screen =
            if self.view { Some(Arc::new(Screen::open(left.clone()).map_err(no_view)?)) } else { None };
        let console = if self.view { Console::new(true, false) } else { console };
        let players = server.addresses().first().copied();
        // Players who come before the stream wait for it.
        let _armed = Demand::arm(&self.mount, server.station());
        players.iter().for_each(|players| console.say(format!("playing on http://{players}/")));
        let mut tasks = JoinSet::new();
        for target in &self.source_to {
            tasks.spawn(outlet::carry(server.station().clone(), self.mount.clone(), target.clone(), console));
        }
        let mut stop = std::pin::pin!(async {
            tokio::select! {
                () = run::stopped() => {}
                () = run::after(self.lasts) => {}
                _ = gone.recv() => {}
            }
        });
        let shown = (console, screen.clone());
        let played = self.play((server.station(), players), monitor, shown, stop.as_mut()).await;
        drop(screen);
        tasks.shutdown().await;
        server.stop().await;
        played
    }

    /// Stays in one team after the other.
    async fn play(
        &self,
        (station, playing_on): (&Arc<Station>, Option<SocketAddr>),
        monitor: bool,
        (console, screen): (Console, Option<Arc<Screen>>),
        mut stop: Stop<'_>,
    ) -> Result<()> {
        let way = self.way();
        let wishes = Wishes {
            port: self.port,
            monitor,
            max_chunk_debt: self.max_chunk_debt,
            requests: self.requests,
            slots: self.slots,
            upload: self.upload_limit,
            pass: self.token.pass()?,
            lan: self.multicast,
            monitor_key: self.monitor_key(monitor, console)?,
            transport: self.transport,
        };
        let mut intake = Intake::new(station.clone(), self.mount.clone());
        let mut found = tokio::select! {
            found = way.find(wishes.pass) => found?,
            () = &mut stop => return Ok(()),
        };
        loop {
            let stay = Stay::at(found, wishes).await?;
            let (splitter, wire) = (found.splitter.to_string(), found.wire.name());
            console.say(format!("in the team of {splitter} as {} (wire {wire})", stay.here));
            let first = Status { splitter, wire, here: Some(stay.here), playing_on, ..Status::default() };
            let status = Arc::new(Mutex::new(first));
            let mut watching = JoinSet::new();
            let (remote, station) = (stay.remote(), station.clone());
            watching.spawn(watch(
                remote,
                status.clone(),
                station,
                self.mount.clone(),
                (console, screen.clone()),
            ));
            let tell = |event| match event {
                Event::Anew => intake.restart(),
                Event::Head(bytes) => intake.head(&bytes),
                Event::Play(bytes) => intake.play(&bytes),
            };
            let (member, over) = stay.stay(&way, &mut stop, console, tell).await?;
            watching.shutdown().await;
            let mut last = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let stats = member.stats();
            console.clear();
            console.say(format!("played {} chunks, lost {}", stats.played(), stats.lost()));
            last.stats = Some(stats);
            console.statistics(&last, false);
            match over {
                Over::Stopped => return Ok(()),
                Over::Elsewhere(other) => found = *other,
            }
        }
    }

    /// What the key of a monitor is made of, where it shall have one; the key is shown.
    fn monitor_key(&self, monitor: bool, console: Console) -> Result<Option<[u8; 32]>> {
        let Some(file) = &self.key else { return Ok(None) };
        if !monitor {
            return Err(Exit(USAGE, "a key is for monitors".into()).into());
        }
        let secret = *keyring::identity(Some(file))?.bytes();
        let key = PublicKey(Seal::ed25519(&secret).key().to_bytes());
        console.say(format!("this monitor's key is {key}"));
        Ok(Some(secret))
    }

    fn way(&self) -> Way {
        match (&self.tracker, &self.channel) {
            (Some(tracker), Some(channel)) => Way::Tracker(tracker.clone(), channel.clone()),
            _ => Way::Splitter(self.splitter.clone().unwrap_or_default(), self.wire),
        }
    }

    async fn serve(&self) -> Result<Server> {
        let listen = vec![SocketAddr::new(self.player_address, self.player_port)];
        let http = Http { listen, home: Some(self.mount.clone()), ..Http::default() };
        // What has come so far is told at once.
        let flush = Some(Duration::ZERO);
        let mount = vec![MountConfig { name: self.mount.to_string(), flush, ..MountConfig::default() }];
        let server = Server::start(Config { http, mount, ..Config::default() }, random_name()?).await;
        server.with_context(|| format!("cannot serve players on port {}", self.player_port))
    }
}

/// Tells how it goes, once a second.
async fn watch(
    remote: Remote<Member>,
    status: Arc<Mutex<Status>>,
    station: Arc<Station>,
    mount: MountName,
    (console, screen): (Console, Option<Arc<Screen>>),
) {
    let mut eye = Eye::default();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let shared = status.clone();
        let players = station.mounts.find(&mount).map_or(0, |mount| mount.listeners());
        let asked = remote.with(move |member, _| {
            let mut status = shared.lock().unwrap_or_else(PoisonError::into_inner);
            (status.stats, status.players) = (Some(member.stats()), players);
        });
        if !asked.await {
            return;
        }
        let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(screen), Some(stats)) = (&screen, &status.stats) {
            let title = format!("in the team of {} (wire {})", status.splitter, status.wire);
            screen.show(eye.see_member(&title, status.players, stats, Instant::now()));
        }
        let team = status.stats.as_ref().map(Stats::line).unwrap_or_default();
        console.progress(&format!("{players} players, {team}"));
        console.statistics(&status, false);
    }
}

const EXAMPLES: &str = "\
Examples:
  levada swarm peer --splitter 127.0.0.1:8001 --player-port 9999   # then play http://127.0.0.1:9999
  levada swarm peer --tracker 127.0.0.1:7777 --channel bbb
  levada swarm peer --splitter 127.0.0.1:8001 --token 'seven quiet words'
  levada swarm peer --splitter live.example:8001 --multicast    # one of several on this network
  levada swarm monitor --splitter 127.0.0.1:8001 --key monitor.key
  levada swarm peer --splitter 127.0.0.1:8001 --source-to icecast://source:password@127.0.0.1:8002/BBB.ogv";
