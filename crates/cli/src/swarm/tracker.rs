//! `levada swarm tracker`, and how splitters and peers talk to one.

use super::{
    member::random,
    place,
    token::{Token, other_version, refusal},
    wire::Wire,
};
use crate::{output::Console, run};
use anyhow::{Context, Result};
use levada_link::drive_tokio::{Driver, Remote};
use levada_swarm::{
    Tracker as Machine,
    native::{Key, Pass},
    tracker::{
        Answer, Event, Finder, Known,
        wire::{self, Place},
    },
};
use serde::Serialize;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Know the teams of each channel, give newcomers one, and move peers from full teams to others
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Tracker {
    /// Port to be reached at (UDP)
    #[arg(long, default_value_t = 7777)]
    port: u16,
    /// Address to be reached at; default every one of this machine
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    #[command(flatten)]
    token: Token,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
}

/// What `--json` tells, once a second and at the end.
#[derive(Clone, Debug, Default, Serialize)]
struct Status {
    /// Where it is reached.
    here: Option<SocketAddr>,
    teams: Vec<Known>,
    /// Peers that were told a team.
    found: u64,
    /// Questions and announcements by who has not its token, or another version.
    refused: u64,
}

/// A team as a tracker gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its splitter.
    pub splitter: SocketAddr,
    /// What it speaks.
    pub wire: Wire,
    /// The key of a native splitter.
    pub key: Option<Key>,
}

impl Tracker {
    /// Runs until somebody or its time ends it.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn run(self, console: Console) -> Result<()> {
        let sockets = place::datagrams(self.listen, self.port);
        let sockets = sockets.with_context(|| format!("cannot be reached on port {}", self.port))?;
        let driver = Driver::new(Machine::new(Instant::now(), random()?, self.token.pass()?), sockets);
        let (address, remote) = (driver.local_addr()?, driver.remote());
        console.say(format!("tracking on udp://{address}"));
        let end = async {
            tokio::select! {
                () = run::stopped() => {}
                () = run::after(self.lasts) => {}
                () = watch(remote, address, console) => {}
            }
        };
        let ended = driver.run(end, |event| console.say(told(&event))).await?;
        console.clear();
        console.statistics(&Status::of(&ended, address), false);
        Ok(())
    }
}

impl Status {
    fn of(tracker: &Machine, here: SocketAddr) -> Status {
        Status {
            here: Some(here),
            teams: tracker.teams(),
            found: tracker.found(),
            refused: tracker.refused(),
        }
    }
}

fn told(event: &Event) -> String {
    match event {
        Event::Came(splitter, channel) => format!("{splitter} has a team of {channel}"),
        Event::Gone(splitter, channel) => format!("{splitter} of {channel} is gone"),
        Event::Moved { channel, peers, from, to } => {
            format!("{peers} peers of {channel} go from {from} to {to}")
        }
    }
}

async fn watch(remote: Remote<Machine>, here: SocketAddr, console: Console) {
    let status = Arc::new(Mutex::new(Status { here: Some(here), ..Status::default() }));
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let shared = status.clone();
        let asked = remote.with(move |tracker, _| {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Status::of(tracker, here);
        });
        if !asked.await {
            return;
        }
        let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let peers: u32 = status.teams.iter().map(|team| team.peers).sum();
        console.progress(&format!("{} teams, {peers} peers", status.teams.len()));
        console.statistics(&status, false);
    }
}

/// Asks the tracker at `tracker` for a team of `channel` until it has one.
///
/// # Errors
/// When there is no socket, or the tracker wants another token.
pub async fn find(tracker: SocketAddr, channel: &str, pass: Option<Pass>) -> Result<Found> {
    loop {
        if let Some(found) = ask(tracker, channel, pass).await? {
            return Ok(found);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Asks once.
///
/// # Errors
/// When there is no socket, or the tracker wants another token.
pub async fn ask(tracker: SocketAddr, channel: &str, pass: Option<Pass>) -> Result<Option<Found>> {
    let finder = Finder::new(channel, pass, u64::from_le_bytes(random()?));
    match exchange(tracker, &finder.ask(), |bytes| finder.hear(bytes)).await? {
        Some(Answer::Place(place)) => Ok(read(place)),
        Some(Answer::Refused) => Err(refusal(&format!("the tracker at {tracker}"), pass.is_some())),
        Some(Answer::OtherVersion(version)) => {
            Err(other_version(&format!("the tracker at {tracker}"), version, wire::VERSION))
        }
        Some(Answer::Nowhere) | None => Ok(None),
    }
}

/// Sends a datagram until one comes back that `hear` takes, or nobody answers.
///
/// # Errors
/// When there is no socket.
pub async fn exchange<T>(to: SocketAddr, ask: &[u8], hear: impl Fn(&[u8]) -> Option<T>) -> Result<Option<T>> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = tokio::net::UdpSocket::bind(any).await?;
    socket.connect(to).await.with_context(|| format!("there is no way to {to}"))?;
    let mut buffer = [0; 2_048];
    for _ in 0..TRIES {
        // Nobody there, as yet, is an error of the next call on this socket.
        let _refused = socket.send(ask).await;
        let answer = async {
            loop {
                match socket.recv(&mut buffer).await {
                    Ok(length) => {
                        if let Some(heard) = hear(&buffer[..length]) {
                            return heard;
                        }
                    }
                    Err(_) => tokio::time::sleep(WAIT).await,
                }
            }
        };
        if let Ok(heard) = timeout(WAIT, answer).await {
            return Ok(Some(heard));
        }
    }
    Ok(None)
}

fn read(place: Place) -> Option<Found> {
    let wire = Wire::from_letter(place.wire)?;
    let key = if wire == Wire::Native { Some(Key::from_bytes(&place.key)?) } else { None };
    Some(Found { splitter: place.splitter, wire, key })
}

const TRIES: u32 = 3;
const WAIT: Duration = Duration::from_millis(150);
/// How soon a tracker that has no team, or does not answer, is asked again.
const AGAIN: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  levada swarm tracker --port 7777
  levada swarm tracker --token 'seven quiet words'    # for those alone who say the same
  levada swarm splitter --wire native --tracker 127.0.0.1:7777 --channel bbb --source http://127.0.0.1:8000/BBB.ogv
  levada swarm peer --tracker 127.0.0.1:7777 --channel bbb --player-port 9999";
