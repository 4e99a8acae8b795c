//! A member of a team, of whatever kind and on whatever wire.

use super::wire::{Transport, Wire};
use anyhow::{Context, Result};
use bytes::Bytes;
use levada_link::{
    Bitrate, Input, Machine, Output,
    quic::{self, Identity, Quic},
};
use levada_swarm::{
    native::{self, wire::Refusal},
    peer,
};
use serde::Serialize;
use std::{net::SocketAddr, time::Instant};

/// Any kind of member.
pub enum Member {
    /// A peer on one of the old wires.
    Peer(Box<levada_swarm::Peer>),
    /// A monitor on one of them.
    Monitor(Box<levada_swarm::Monitor>),
    /// A native peer.
    Native(Box<Quic<native::Peer>>),
}

/// What a member needs to know.
pub struct Config {
    /// What the team speaks.
    pub wire: Wire,
    /// Where its splitter is.
    pub splitter: SocketAddr,
    /// Where this member is, as far as it knows.
    pub here: SocketAddr,
    /// Whether it is a monitor.
    pub monitor: bool,
    /// Debts below it never count; the wire's default where it is not said.
    pub max_chunk_debt: Option<u32>,
    /// Whether lost chunks are asked for.
    pub requests: bool,
    /// How many times one stripe a native peer uploads, where it is said.
    pub slots: Option<u16>,
    /// The most that a native peer uploads, where it is said.
    pub upload: Option<Bitrate>,
    /// The key of a native splitter, where it is known.
    pub key: Option<native::Key>,
    /// What lets it into a private team.
    pub pass: Option<native::Pass>,
    /// The group that its network has for the team.
    pub lan: Option<SocketAddr>,
    /// What the key is made of with which a native monitor proves to be one.
    pub monitor_key: Option<[u8; 32]>,
    /// How a native peer talks; as the team does where it is not said.
    pub transport: Option<Transport>,
}

/// What a member tells.
pub enum Told {
    /// It is in, with so many others, as far as it knows.
    Joined(Option<usize>),
    /// It is not let in, and tries again.
    Refused,
    /// A native splitter does not let it in.
    NotLetIn(Refusal),
    /// The head of the stream; `anew` where it may be another stream than before.
    Head {
        /// Its bytes.
        bytes: Bytes,
        /// Whether what came before is over.
        anew: bool,
    },
    /// The next bytes to be played.
    Play(Bytes),
    /// Some did not come.
    Lost,
    /// The splitter is dead, and this one goes on.
    TakenOver(SocketAddr),
    /// It has left.
    Left,
}

/// What a member counts.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Stats {
    /// On the old wires.
    Old {
        /// The peer's.
        #[serde(flatten)]
        peer: peer::Stats,
        /// Chunks complained of.
        complaints: u64,
        /// Those that it knows.
        team: Vec<Neighbor>,
    },
    /// On the native one.
    Native {
        /// The peer's.
        #[serde(flatten)]
        peer: native::peer::Stats,
        /// Members that get something from it.
        children: usize,
        /// What its connections do, where the team encrypts.
        #[serde(skip_serializing_if = "Option::is_none")]
        quic: Option<quic::Stats>,
        /// Those that it knows.
        team: Vec<Neighbor>,
    },
}

/// Another member, or the splitter, as this one knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbor {
    /// Where it is.
    pub endpoint: SocketAddr,
    /// How many stripes it gives.
    pub gives: usize,
    /// How many it gets.
    pub gets: usize,
    /// Chunks that it got less those that it gave.
    pub debt: i64,
}

impl Member {
    /// A member that joins when it is first woken.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(config: &Config) -> Result<Member> {
        let (now, seed) = (Instant::now(), u64::from_le_bytes(random()?));
        let wire = match config.wire {
            Wire::Native => {
                let native = native::peer::Config::new(config.splitter);
                let slots = match (config.slots, config.upload) {
                    (_, Some(Bitrate(0))) => 0,
                    (Some(slots), _) => slots,
                    (None, Some(_)) => ALL_THAT_FIT,
                    (None, None) => native.slots,
                };
                let upload = config.upload;
                let encrypt = match config.transport {
                    None => native::peer::Encrypt::AsTheTeam,
                    Some(Transport::Plain) => native::peer::Encrypt::Never,
                    Some(Transport::Quic) => native::peer::Encrypt::Always,
                };
                let monitor = config.monitor_key.as_ref().map(native::Seal::ed25519);
                let (key, pass, lan) = (config.key, config.pass, config.lan);
                let near = Some(config.here);
                let config = native::peer::Config {
                    slots,
                    upload,
                    kept: KEPT,
                    key,
                    pass,
                    monitor,
                    lan,
                    near,
                    encrypt,
                    ..native
                };
                let peer = native::Peer::new(now, config, seed);
                return Ok(Member::Native(Box::new(Quic::new(peer, Identity::ed25519(&random()?)?, None))));
            }
            Wire::Old(wire) => wire,
        };
        let defaults = peer::Config::new(wire, config.splitter, config.here);
        let max_chunk_debt = config.max_chunk_debt.unwrap_or(defaults.max_chunk_debt);
        let old = peer::Config { max_chunk_debt, requests: config.requests, ..defaults };
        Ok(match config.monitor {
            true => Member::Monitor(Box::new(levada_swarm::Monitor::new(now, old, seed))),
            false => Member::Peer(Box::new(levada_swarm::Peer::new(now, old, seed))),
        })
    }

    /// Says goodbye, and tells when that was heard.
    pub fn leave(&mut self, now: Instant) {
        match self {
            Member::Peer(peer) => peer.leave(now),
            Member::Monitor(monitor) => monitor.peer_mut().leave(now),
            Member::Native(peer) => peer.machine_mut().leave(),
        }
    }

    /// Something came by the group of its network.
    pub fn heard_on_lan(&mut self, now: Instant, from: SocketAddr, bytes: &Bytes) {
        if let Member::Native(quic) = self {
            quic.machine_mut().heard_on_lan(now, from, bytes);
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        match self {
            Member::Peer(peer) => Stats::Old { peer: peer.stats(), complaints: 0, team: debtors(peer) },
            Member::Monitor(monitor) => Stats::Old {
                peer: monitor.peer().stats(),
                complaints: monitor.complaints(),
                team: debtors(monitor.peer()),
            },
            Member::Native(quic) => {
                let peer = quic.machine();
                let neighbor = |(endpoint, links): (SocketAddr, native::peer::Links)| Neighbor {
                    endpoint,
                    gives: links.gives,
                    gets: links.gets,
                    debt: links.debt,
                };
                let team = peer.neighbors().into_iter().map(neighbor).collect();
                let children = peer.children();
                let quic = Some(quic.stats()).filter(|stats| stats.connected > 0);
                Stats::Native { peer: peer.stats(), children, quic, team }
            }
        }
    }
}

fn debtors(peer: &levada_swarm::Peer) -> Vec<Neighbor> {
    let Some(dbs) = peer.dbs() else { return Vec::new() };
    let debt = |endpoint| dbs.debts().of(endpoint);
    dbs.team().map(|endpoint| Neighbor { endpoint, gives: 0, gets: 0, debt: debt(endpoint) }).collect()
}

impl Stats {
    /// Its neighbours.
    pub fn team(&self) -> &[Neighbor] {
        match self {
            Stats::Old { team, .. } | Stats::Native { team, .. } => team,
        }
    }

    /// Bytes that it sent; of an old wire those of its chunks, about.
    pub fn sent_bytes(&self) -> u64 {
        match self {
            Stats::Old { peer, .. } => peer.dbs.sent * 1_024,
            Stats::Native { peer, .. } => peer.sent_bytes,
        }
    }

    /// Chunks played.
    pub fn played(&self) -> u64 {
        match self {
            Stats::Old { peer, .. } => peer.played,
            Stats::Native { peer, .. } => peer.played,
        }
    }

    /// Chunks that did not come in time.
    pub fn lost(&self) -> u64 {
        match self {
            Stats::Old { peer, .. } => peer.lost,
            Stats::Native { peer, .. } => peer.lost,
        }
    }

    /// A line of it.
    pub fn line(&self) -> String {
        let passed_on = match self {
            Stats::Old { peer, .. } => format!("{} neighbours, {} sent", peer.neighbors, peer.dbs.sent),
            Stats::Native { peer, children, .. } => {
                let cast = if peer.cast == 0 { String::new() } else { format!(" ({} cast)", peer.cast) };
                format!("{children} children, {} sent{cast}", crate::output::bytes(peer.sent_bytes))
            }
        };
        format!("{passed_on}, {} played, {} lost", self.played(), self.lost())
    }
}

impl Machine for Member {
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Member::Peer(peer) => peer.handle(now, input),
            Member::Monitor(monitor) => monitor.handle(now, input),
            Member::Native(peer) => peer.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Told> {
        loop {
            let output = match self {
                Member::Peer(peer) => told(peer.poll(now), |event| Some(old(event))),
                Member::Monitor(monitor) => told(monitor.poll(now), |event| Some(old(event))),
                Member::Native(peer) => told(peer.poll(now), native),
            };
            if let Some(output) = output {
                return output;
            }
        }
    }
}

fn told<E>(output: Output<E>, read: impl Fn(E) -> Option<Told>) -> Option<Output<Told>> {
    match output {
        Output::Send(transmit) => Some(Output::Send(transmit)),
        Output::Event(event) => read(event).map(Output::Event),
        Output::Wait(until) => Some(Output::Wait(until)),
    }
}

fn old(event: peer::Event) -> Told {
    match event {
        peer::Event::Joined { peers } => Told::Joined(Some(peers)),
        peer::Event::Refused => Told::Refused,
        peer::Event::Head(bytes) => Told::Head { bytes, anew: false },
        peer::Event::Play(_, bytes) => Told::Play(bytes),
        peer::Event::Lost(_) => Told::Lost,
        peer::Event::Left => Told::Left,
    }
}

fn native(event: native::peer::Event) -> Option<Told> {
    Some(match event {
        native::peer::Event::Joined => Told::Joined(None),
        native::peer::Event::Head(bytes) => Told::Head { bytes, anew: true },
        native::peer::Event::Play(_, bytes) => Told::Play(bytes),
        native::peer::Event::Lost(_) => Told::Lost,
        native::peer::Event::Refused(why) => Told::NotLetIn(why),
        native::peer::Event::TakenOver(by) => Told::TakenOver(by),
        native::peer::Event::OtherTransport => Told::Refused,
        native::peer::Event::Left => Told::Left,
    })
}

/// Bytes of chance.
///
/// # Errors
/// When the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(bytes)
}

/// As many as a splitter gives to one.
const ALL_THAT_FIT: u16 = 64;
/// Chunks that a native peer keeps for others: two seconds of eight megabits.
const KEPT: usize = 2_048;
