//! A stay in a team: from its door to where the member leaves it, or finds a better one.

use super::{
    member::{Config, Member, Told, random},
    place,
    token::{other_version, refusal},
    tracker::{self, Found},
    wire::{Transport, Wire},
};
use crate::output::Console;
use anyhow::{Context, Result};
use bytes::Bytes;
use levada_link::{
    Bitrate,
    drive_tokio::{Driver, Remote},
};
use levada_swarm::native::{
    Pass,
    wire::{Message, Refusal, VERSION, lan::group},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};

/// Where a team comes from.
#[derive(Clone, Debug)]
pub enum Way {
    /// Its splitter is known.
    Splitter(String, Option<Wire>),
    /// A tracker knows teams of a channel.
    Tracker(String, String),
}

/// What is wanted of the member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Its port; zero is any.
    pub port: u16,
    /// Whether it is a monitor.
    pub monitor: bool,
    /// See [`Config::max_chunk_debt`].
    pub max_chunk_debt: Option<u32>,
    /// See [`Config::requests`].
    pub requests: bool,
    /// See [`Config::slots`].
    pub slots: Option<u16>,
    /// See [`Config::upload`].
    pub upload: Option<Bitrate>,
    /// The address of the interface whose network it shares with other peers by multicast; unspecified is the system's
    /// choice.
    pub lan: Option<Ipv4Addr>,
    /// See [`Config::pass`].
    pub pass: Option<Pass>,
    /// See [`Config::monitor_key`].
    pub monitor_key: Option<[u8; 32]>,
    /// See [`Config::transport`].
    pub transport: Option<Transport>,
}

/// Why a stay is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// Somebody wants the member to stop.
    Stopped,
    /// Nothing comes here any longer, and there is a team where something may.
    Elsewhere(Box<Found>),
}

/// Somebody's wish that all ends.
pub type Stop<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

impl Way {
    /// A team to join: the splitter's, on the wire that it speaks, or one that the tracker gives.
    ///
    /// # Errors
    /// When a name cannot be resolved, or there is no way to it, or a tracker wants another token.
    pub async fn find(&self, pass: Option<Pass>) -> Result<Found> {
        match self {
            Way::Splitter(splitter, wire) => {
                let splitter = place::resolve(splitter)?;
                let wire = match wire {
                    Some(wire) => *wire,
                    None if is_native(splitter).await? => Wire::Native,
                    None => Wire::Old(levada_swarm::Wire::A),
                };
                Ok(Found { splitter, wire, key: None })
            }
            Way::Tracker(tracker, channel) => tracker::find(place::resolve(tracker)?, channel, pass).await,
        }
    }

    /// The same splitter on another wire, where it was not there yet when it was asked what it speaks.
    async fn otherwise(&self, found: Found, refused: &AtomicBool) -> Found {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let asks = matches!(self, Way::Splitter(_, None)) && refused.swap(false, Relaxed);
            if asks
                && let Ok(other) = Box::pin(self.find(None)).await
                && other.wire != found.wire
            {
                return other;
            }
        }
    }

    /// Another team, where `found` has nothing to give: a tracker may know one.
    async fn elsewhere(
        &self,
        found: Found,
        pass: Option<Pass>,
        played: &AtomicU64,
        refused: &AtomicBool,
    ) -> Found {
        let Way::Tracker(tracker, channel) = self else { return self.otherwise(found, refused).await };
        let (mut seen, mut still) = (0, 0);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = played.load(Relaxed);
            still = if now == seen { still + 1 } else { 0 };
            seen = now;
            if still < STILL {
                continue;
            }
            let Ok(tracker) = place::resolve(tracker) else { continue };
            if let Ok(Some(other)) = tracker::ask(tracker, channel, pass).await
                && (other.splitter, other.key) != (found.splitter, found.key)
            {
                return other;
            }
        }
    }
}

/// A member at the door.
pub struct Stay {
    driver: Driver<Member>,
    found: Found,
    pass: Option<Pass>,
    /// What hears its network.
    _hearing: JoinSet<()>,
    /// Where it is.
    pub here: SocketAddr,
}

impl Stay {
    /// A member of the team `found`, as wished.
    ///
    /// # Errors
    /// When its port cannot be had, or there is no way to the splitter.
    pub async fn at(found: Found, wishes: Wishes) -> Result<Stay> {
        let sockets = place::peer(found.wire, found.splitter, wishes.port, wishes.lan).await?;
        let lan = wishes.lan.filter(|_| found.wire == Wire::Native);
        let group = lan.map(|_| group(found.splitter));
        let here = SocketAddr::new(place::here(found.splitter)?, sockets.local_addr()?.port());
        let config = Config {
            wire: found.wire,
            splitter: found.splitter,
            here,
            monitor: wishes.monitor,
            max_chunk_debt: wishes.max_chunk_debt,
            requests: wishes.requests,
            slots: wishes.slots,
            upload: wishes.upload,
            key: found.key,
            pass: wishes.pass,
            lan: group,
            monitor_key: wishes.monitor_key,
            transport: wishes.transport,
        };
        let driver = Driver::new(Member::new(&config)?, sockets);
        let mut hearing = JoinSet::new();
        if let (Some(interface), Some(group)) = (lan, group) {
            let socket = place::hearing(group, interface);
            let socket = socket.with_context(|| format!("cannot hear {group} on {interface}"))?;
            hearing.spawn(hear(socket, driver.remote()));
        }
        Ok(Stay { driver, found, pass: wishes.pass, _hearing: hearing, here })
    }

    /// A way to the member while it stays.
    pub fn remote(&self) -> Remote<Member> {
        self.driver.remote()
    }

    /// Stays until it shall stop or finds another team; then it leaves politely, for which the splitter has two
    /// seconds to answer.
    ///
    /// # Errors
    /// The socket's; or that the team is private, and wants another token.
    pub async fn stay(
        self,
        way: &Way,
        stop: &mut Stop<'_>,
        console: Console,
        mut tell: impl FnMut(Event),
    ) -> Result<(Member, Over)> {
        let (told, mut left) = mpsc::channel(1);
        let (played, refused) = (AtomicU64::new(0), AtomicBool::new(false));
        let (remote, found, pass) = (self.driver.remote(), self.found, self.pass);
        let (refuses, mut is_refused) = mpsc::channel(1);
        let mut ends = None;
        let mut over = Over::Stopped;
        let end = async {
            over = tokio::select! {
                () = &mut *stop => Over::Stopped,
                other = way.elsewhere(found, pass, &played, &refused) => Over::Elsewhere(Box::new(other)),
                Some(why) = is_refused.recv() => {
                    ends = Some(not_let_in(found.splitter, why, pass.is_some()));
                    return;
                }
            };
            remote.with(|member, now| member.leave(now)).await;
            let _answered = tokio::time::timeout(Duration::from_secs(2), left.recv()).await;
        };
        let member = self
            .driver
            .run(end, |event| match event {
                Told::Joined(peers) => {
                    console.say(match peers {
                        Some(peers) => format!("joined a team of {peers}"),
                        None => "joined the team".into(),
                    });
                    if peers.is_some() {
                        tell(Event::Anew);
                    }
                }
                Told::Refused => {
                    refused.store(true, Relaxed);
                    console.say("the splitter does not let us in; trying again");
                }
                Told::NotLetIn(Refusal::Full) => console.say("the team is full; trying again"),
                Told::NotLetIn(why) => drop(refuses.try_send(why)),
                Told::Head { bytes, anew } => {
                    if anew {
                        tell(Event::Anew);
                    }
                    tell(Event::Head(bytes));
                }
                Told::Play(bytes) => {
                    played.fetch_add(1, Relaxed);
                    tell(Event::Play(bytes));
                }
                Told::Lost => {}
                Told::TakenOver(by) => console.say(format!("the splitter is dead; {by} goes on")),
                Told::Left => drop(told.try_send(())),
            })
            .await?;
        ends.map_or(Ok((member, over)), Err)
    }
}

/// What there is to play.
pub enum Event {
    /// Another stream may begin.
    Anew,
    /// Its head.
    Head(Bytes),
    /// Its next bytes.
    Play(Bytes),
}

/// Tells the member what is cast on its network, until it is gone.
async fn hear(socket: tokio::net::UdpSocket, remote: Remote<Member>) {
    let mut buffer = [0; 2_048];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { return };
        let bytes = Bytes::copy_from_slice(&buffer[..length]);
        if !remote.with(move |member, now| member.heard_on_lan(now, from, &bytes)).await {
            return;
        }
    }
}

/// Why somebody is not let in, and will not be; `said` where a token was.
pub(super) fn not_let_in(splitter: SocketAddr, why: Refusal, said: bool) -> anyhow::Error {
    match why {
        Refusal::Version(version) => other_version(&format!("the splitter at {splitter}"), version, VERSION),
        Refusal::Token | Refusal::WrongToken | Refusal::Full => {
            refusal(&format!("the team of {splitter}"), said)
        }
    }
}

/// Whether a native splitter answers there.
async fn is_native(splitter: SocketAddr) -> Result<bool> {
    let nonce = u64::from_le_bytes(random()?);
    let hear = |bytes: &[u8]| match Message::read(&Bytes::copy_from_slice(bytes)) {
        Some(Message::Cookie { nonce: said, .. }) if said == nonce => Some(None),
        Some(Message::Refused { nonce: said, why }) if said == nonce => Some(Some(why)),
        _ => None,
    };
    match tracker::exchange(splitter, &Message::Hello { nonce }.write(), hear).await? {
        Some(Some(why)) => Err(not_let_in(splitter, why, false)),
        heard => Ok(heard.is_some()),
    }
}

/// After so many seconds without a chunk a tracker is asked for another team.
const STILL: u32 = 3;
