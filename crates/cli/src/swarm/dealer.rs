//! A splitter on whatever wire, and what a tracker hears of it.

use super::{heads::Piece, member::random, wire::Wire};
use anyhow::Result;
use levada_link::{
    Input, Machine, Output, Percent,
    quic::{self, Identity, Quic},
};
use levada_swarm::{
    native::{self, wire::Refusal},
    splitter,
    tracker::{Announcer, Refused, wire::Team},
};
use serde::Serialize;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// A splitter on any wire.
pub struct Dealer {
    kind: Kind,
    /// What came before the head of the stream was known: at most [`MOST_EARLY`], the rest is asked again.
    early: Option<Vec<Input>>,
    announced: Option<Announced>,
    /// Why the tracker has just refused it.
    complains: Option<Refused>,
}

/// What it announces where.
pub struct Announced {
    /// What talks to the tracker.
    pub announcer: Announcer,
    /// The channel.
    pub channel: String,
    /// The most peers.
    pub most: u32,
}

enum Kind {
    /// On one of the old ones.
    Old(levada_swarm::Wire, Box<levada_swarm::Splitter>),
    /// On the native one.
    Native(Box<Quic<native::Splitter>>),
    /// On that one, for when another dies.
    Standby(Box<Quic<native::Standby>>),
    /// On that one, with the stream of another team.
    Bridge(Box<Quic<native::Bridge>>),
}

/// What a native splitter needs.
#[derive(Default)]
pub struct Native {
    /// What its key is made of.
    pub secret: [u8; 32],
    /// For which splitter it stands by.
    pub standby_of: Option<SocketAddr>,
    /// Whose stream it carries to another team.
    pub bridge: Option<Upstream>,
    /// What its members must have, where the team is private.
    pub pass: Option<native::Pass>,
    /// Whose reports of loss are believed.
    pub monitors: Vec<native::Key>,
    /// Who hears of its team.
    pub announced: Option<Announced>,
    /// Whether all but hellos and cookies travels by QUIC.
    pub encrypts: bool,
    /// How long chunks wait for others of their group, where it is said.
    pub group_time: Option<Duration>,
    /// How many times the whole stream is sent, at most, to peers whom no other reaches, where it is said.
    pub relays: Option<usize>,
    /// The most peers, where it is said.
    pub most_peers: Option<usize>,
    /// How much parity goes beside the stream.
    pub fec: Percent,
}

/// The team that a bridge is a member of.
#[derive(Clone, Copy, Debug)]
pub struct Upstream {
    /// Its splitter.
    pub splitter: SocketAddr,
    /// The channel's key, where it is known.
    pub key: Option<native::Key>,
    /// How many times one stripe the bridge uploads there.
    pub slots: u16,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something about a peer.
    Peer(splitter::Event),
    /// This one stands by: for this splitter, or this one is it.
    StandsBy(SocketAddr),
    /// It does no longer.
    StoodDown(SocketAddr),
    /// The other splitter died, and had so many peers.
    TookOver(usize),
    /// The tracker does not take its announcements.
    NotAnnounced(Refused),
    /// A bridge is in the team whose stream it carries.
    Inside,
    /// The splitter there is dead, and this one goes on.
    Above(SocketAddr),
    /// It is not let in there.
    NotLetIn(Refusal),
    /// The splitter for which this one would stand by speaks another version of the wire.
    OtherVersion(u8),
}

/// What it counts.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Stats {
    /// On the old wires.
    Old {
        /// The splitter's.
        #[serde(flatten)]
        splitter: splitter::Stats,
        /// The team.
        members: Vec<splitter::Member>,
    },
    /// On the native one.
    Native {
        /// The splitter's.
        #[serde(flatten)]
        splitter: native::splitter::Stats,
        /// The team.
        members: Vec<native::splitter::TeamMember>,
        /// Of one that stands by: how many members the other's team has.
        #[serde(skip_serializing_if = "Option::is_none")]
        follows: Option<usize>,
        /// Of a bridge: how it goes for it in the team whose stream it carries.
        #[serde(skip_serializing_if = "Option::is_none")]
        bridge: Option<Box<native::peer::Stats>>,
        /// What its connections do, where the team encrypts.
        #[serde(skip_serializing_if = "Option::is_none")]
        quic: Option<quic::Stats>,
    },
}

impl Dealer {
    /// A splitter on one of the old wires.
    pub fn old(config: splitter::Config, announced: Option<Announced>) -> Dealer {
        let kind = Kind::Old(config.wire, Box::new(levada_swarm::Splitter::new(Instant::now(), config)));
        Dealer { kind, early: Some(Vec::new()), announced, complains: None }
    }

    /// A native splitter.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn native(wanted: Native) -> Result<Dealer> {
        let Native {
            secret,
            standby_of,
            bridge,
            pass,
            monitors,
            announced,
            encrypts,
            group_time,
            relays,
            most_peers,
            fec,
        } = wanted;
        // One key seals chunks and shows who this is.
        let (seal, identity) = (native::Seal::ed25519(&secret), Identity::ed25519(&secret)?);
        let defaults = native::splitter::Config::new(NOWHERE, seal, random()?);
        let config = native::splitter::Config {
            pass,
            monitors,
            encrypts,
            most_peers: most_peers.unwrap_or(defaults.most_peers),
            fec,
            group_time: group_time.unwrap_or(defaults.group_time),
            relays: relays.map_or(defaults.relays, |streams| streams * usize::from(defaults.stripes)),
            ..defaults
        };
        let now = Instant::now();
        if let Some(Upstream { splitter, key, slots }) = bridge {
            let encrypt =
                if encrypts { native::peer::Encrypt::Always } else { native::peer::Encrypt::AsTheTeam };
            let member = native::peer::Config::new(splitter);
            let member = native::peer::Config { key, slots, pass, encrypt, kept: KEPT, ..member };
            let bridge = native::Bridge::new(now, member, config, u64::from_le_bytes(random()?));
            let kind = Kind::Bridge(Box::new(Quic::new(bridge, identity, None)));
            return Ok(Dealer { kind, early: None, announced, complains: None });
        }
        let Some(primary) = standby_of else {
            let kind = Kind::Native(Box::new(Quic::new(native::Splitter::new(now, config), identity, None)));
            return Ok(Dealer { kind, early: Some(Vec::new()), announced, complains: None });
        };
        let standby = native::Standby::new(now, config, primary, u64::from_le_bytes(random()?));
        let kind = Kind::Standby(Box::new(Quic::new(standby, identity, None)));
        Ok(Dealer { kind, early: None, announced, complains: None })
    }

    /// Takes a piece of the stream, or its head.
    pub fn take(&mut self, now: Instant, piece: Piece) {
        let is_head = matches!(piece, Piece::Head(_));
        if let Kind::Bridge(_) = self.kind {
            return;
        }
        match (&mut self.kind, piece) {
            (Kind::Old(_, splitter), Piece::Head(head)) => splitter.set_head(head.into()),
            (Kind::Old(_, splitter), Piece::Bytes { bytes, .. }) => splitter.feed(now, &bytes),
            (Kind::Native(quic), Piece::Head(head)) => quic.machine_mut().set_head(head.into()),
            (Kind::Native(quic), Piece::Bytes { bytes, entry }) => {
                quic.machine_mut().feed(now, entry, &bytes)
            }
            (Kind::Standby(quic), Piece::Head(head)) => quic.machine_mut().set_head(head.into()),
            (Kind::Standby(quic), Piece::Bytes { bytes, entry }) => {
                quic.machine_mut().feed(now, entry, &bytes)
            }
            (Kind::Bridge(_), _) => {}
        }
        if is_head {
            // Now newcomers can be told all of it.
            let early = self.early.take().unwrap_or_default();
            early.into_iter().for_each(|input| self.handle(now, input));
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        match &self.kind {
            Kind::Old(_, splitter) => {
                Stats::Old { splitter: splitter.stats(), members: splitter.members().to_vec() }
            }
            Kind::Native(quic) => {
                let (splitter, members) = (quic.machine().stats(), quic.machine().members());
                Stats::Native {
                    splitter,
                    members,
                    follows: None,
                    bridge: None,
                    quic: connected(quic.stats()),
                }
            }
            Kind::Bridge(quic) => {
                let bridge = quic.machine();
                Stats::Native {
                    splitter: bridge.stats(),
                    members: bridge.members(),
                    follows: None,
                    bridge: Some(Box::new(bridge.peer().stats())),
                    quic: connected(quic.stats()),
                }
            }
            Kind::Standby(quic) => {
                let standby = quic.machine();
                Stats::Native {
                    splitter: standby.stats(),
                    members: standby.members(),
                    follows: (!standby.leads()).then(|| standby.follows()),
                    bridge: None,
                    quic: connected(quic.stats()),
                }
            }
        }
    }

    /// The native splitter in it.
    fn splitter_mut(&mut self) -> Option<&mut native::Splitter> {
        match &mut self.kind {
            Kind::Old(..) => None,
            Kind::Native(quic) => Some(quic.machine_mut()),
            Kind::Standby(quic) => Some(quic.machine_mut().splitter_mut()),
            Kind::Bridge(quic) => Some(quic.machine_mut().splitter_mut()),
        }
    }

    /// What a tracker is told.
    fn team(kind: &Kind, announced: &Announced) -> Team {
        let (wire, key, peers) = match kind {
            Kind::Old(wire, splitter) => (Wire::Old(*wire), [0; 32], splitter.members().len()),
            Kind::Native(quic) => {
                let splitter = quic.machine();
                (Wire::Native, splitter.key().to_bytes(), splitter.stats().peers)
            }
            Kind::Standby(quic) => {
                let standby = quic.machine();
                (Wire::Native, standby.splitter().key().to_bytes(), standby.stats().peers)
            }
            Kind::Bridge(quic) => {
                let splitter = quic.machine().splitter();
                (Wire::Native, splitter.channel_key().to_bytes(), splitter.stats().peers)
            }
        };
        let (channel, most) = (announced.channel.clone(), announced.most);
        Team { channel, wire: wire.letter(), key, peers: peers as u32, most }
    }

    /// A datagram from the tracker, or for the splitter.
    fn is_the_trackers(&mut self, now: Instant, input: &Input) -> bool {
        let (Some(announced), Input::Datagram { from, bytes }) = (&mut self.announced, input) else {
            return false;
        };
        let before = announced.announcer.refused();
        let Some(order) = announced.announcer.receive(now, *from, bytes) else { return false };
        let refused = announced.announcer.refused().filter(|_| before.is_none());
        self.complains = refused.or(self.complains);
        if let Some(order) = order
            && let Some(splitter) = self.splitter_mut()
            && let Some(key) = native::Key::from_bytes(&order.to.key)
        {
            splitter.shed(now, order.peers as usize, order.to.splitter, key);
        }
        true
    }
}

impl Stats {
    /// Peers, chunks, bytes sent, chunks missed and sent again.
    pub fn line(&self) -> String {
        let (peers, chunks, sent, lost, again) = match self {
            Stats::Old { splitter, .. } => {
                (splitter.peers, splitter.chunks, splitter.sent_bytes, splitter.lost, splitter.repaired)
            }
            Stats::Native { follows: Some(peers), .. } => {
                return format!("standing by, {peers} peers there");
            }
            Stats::Native { splitter, .. } => {
                let lost = splitter.repaired + splitter.unrepaired;
                (splitter.peers, splitter.chunks, splitter.sent_bytes, lost, splitter.repaired)
            }
        };
        let sent = crate::output::bytes(sent);
        format!("{peers} peers, {chunks} chunks, {sent} sent, {lost} missed, {again} sent again")
    }
}

impl Machine for Dealer {
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input) {
        if self.is_the_trackers(now, &input) {
            return;
        }
        // That a native splitter is here can be told already.
        let is_hello = matches!(&input, Input::Datagram { bytes, .. } if bytes.first() == Some(&0));
        if let Some(early) = self.early.as_mut().filter(|_| input != Input::Wake && !is_hello) {
            early.truncate(MOST_EARLY - 1);
            return early.push(input);
        }
        match &mut self.kind {
            Kind::Old(_, splitter) => splitter.handle(now, input),
            Kind::Native(splitter) => splitter.handle(now, input),
            Kind::Standby(standby) => standby.handle(now, input),
            Kind::Bridge(bridge) => bridge.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Told> {
        if let Some(why) = self.complains.take() {
            return Output::Event(Told::NotAnnounced(why));
        }
        if let Some(announced) = self.announced.as_mut().filter(|_| self.kind.deals()) {
            let mut announcer = announced.announcer.clone();
            let said = announcer.say(now, || Dealer::team(&self.kind, announced));
            announced.announcer = announcer;
            if let Some(transmit) = said {
                return Output::Send(transmit);
            }
        }
        let output = match &mut self.kind {
            Kind::Old(_, splitter) => as_told(splitter.poll(now), Told::Peer),
            Kind::Native(splitter) => as_told(splitter.poll(now), told),
            Kind::Standby(standby) => as_told(standby.poll(now), told),
            Kind::Bridge(bridge) => as_told(bridge.poll(now), told_of_bridge),
        };
        match (output, &self.announced) {
            (Output::Wait(until), Some(announced)) if self.kind.deals() => {
                let due = announced.announcer.due();
                Output::Wait(Some(until.map_or(due, |until| until.min(due))))
            }
            (output, _) => output,
        }
    }
}

impl Kind {
    /// Whether it has the team, or would have one.
    fn deals(&self) -> bool {
        match self {
            Kind::Old(..) | Kind::Native(_) => true,
            Kind::Standby(standby) => standby.machine().leads(),
            Kind::Bridge(bridge) => bridge.machine().is_open(),
        }
    }
}

fn as_told<E>(output: Output<E>, read: impl Fn(E) -> Told) -> Output<Told> {
    match output {
        Output::Send(transmit) => Output::Send(transmit),
        Output::Event(event) => Output::Event(read(event)),
        Output::Wait(until) => Output::Wait(until),
    }
}

fn told(event: native::splitter::Event) -> Told {
    use native::splitter::Event;
    match event {
        Event::Joined(peer) => Told::Peer(splitter::Event::Joined(peer)),
        Event::Left(peer) => Told::Peer(splitter::Event::Left(peer)),
        Event::Died(peer) => Told::Peer(splitter::Event::Died(peer)),
        Event::StandsBy(peer) => Told::StandsBy(peer),
        Event::StoodDown(peer) => Told::StoodDown(peer),
        Event::TookOver(peers) => Told::TookOver(peers),
        Event::OtherVersion(version) => Told::OtherVersion(version),
    }
}

fn told_of_bridge(event: native::bridge::Event) -> Told {
    use native::bridge::Event;
    match event {
        Event::Team(event) => told(event),
        Event::Joined => Told::Inside,
        Event::TakenOver(by) => Told::Above(by),
        Event::Refused(why) => Told::NotLetIn(why),
    }
}

/// What connections do, where there are some.
fn connected(stats: quic::Stats) -> Option<quic::Stats> {
    (stats.connected > 0).then_some(stats)
}

const MOST_EARLY: usize = 256;
/// Chunks that a bridge keeps for its neighbours in the other team, as any member does.
const KEPT: usize = 2_048;
/// A splitter that is reached by many addresses does not know what its peers call it.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
