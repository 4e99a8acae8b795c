//! Teams of a server's mounts: `swarm = true` on a mount gives it a splitter, and the server's page shows the team.

use super::{
    dealer::{Announced, Dealer, Native, Stats, Told},
    heads::Heads,
    member::random,
    place,
    token::Token,
    told,
    wire::Wire,
};
use crate::{output::Console, talk::keyring};
use anyhow::{Context, Result};
use levada_channel::Start;
use levada_link::drive_tokio::{Driver, Remote};
use levada_serve::{
    Mount, MountName, Station,
    config::Transport,
    teams::{Team, TeamPeer},
};
use levada_swarm::{native::Pass, tracker::Announcer};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What a mount's team shall be like. With any other wish it is another team.
#[derive(Clone, Debug, PartialEq)]
struct Wish {
    port: u16,
    token: Option<String>,
    transport: Transport,
    peers: Option<usize>,
    tracker: Option<String>,
    channel: String,
    key: Option<PathBuf>,
    standby_of: Option<String>,
}

impl Wish {
    fn of(mount: &Mount) -> Option<Wish> {
        let policy = mount.policy();
        policy.swarm.then(|| Wish {
            port: policy.swarm_port.unwrap_or(0),
            token: policy.swarm_token.as_ref().map(|token| token.expose().to_owned()),
            transport: policy.swarm_transport.unwrap_or_default(),
            peers: policy.swarm_peers,
            tracker: policy.swarm_tracker.clone(),
            channel: policy.swarm_channel.clone().unwrap_or_else(|| mount.name.as_str()[1..].to_owned()),
            key: policy.swarm_key.clone(),
            standby_of: policy.swarm_standby_of.clone(),
        })
    }

    fn pass(&self) -> Result<Option<Pass>> {
        Ok(Token::of(self.token.clone()).pass()?)
    }

    /// Its machine; names are looked up.
    fn dealer(&self) -> Result<Dealer> {
        let pass = self.pass()?;
        let announced = match &self.tracker {
            None => None,
            Some(tracker) => {
                let (tracker, seed) = (place::resolve(tracker)?, u64::from_le_bytes(random()?));
                let announcer = Announcer::new(Instant::now(), tracker, pass, seed);
                let most = self.peers.unwrap_or(MOST_BY_TRACKER) as u32;
                Some(Announced { announcer, channel: self.channel.clone(), most })
            }
        };
        Dealer::native(Native {
            secret: *keyring::identity(self.key.as_deref())?.bytes(),
            standby_of: self.standby_of.as_deref().map(place::resolve).transpose()?,
            pass,
            announced,
            encrypts: self.transport == Transport::Quic,
            most_peers: self.peers,
            ..Native::default()
        })
    }
}

/// Runs a team for every mount that shall have one, also when the configuration changes, until it is dropped.
pub async fn run(station: Arc<Station>, console: Console) {
    let mut changes = station.mounts.watch();
    let mut teams: BTreeMap<MountName, (Wish, JoinSet<()>)> = BTreeMap::new();
    loop {
        let mounts = station.mounts.list().into_iter();
        let wanted: BTreeMap<_, _> =
            mounts.filter_map(|mount| Some((mount.name.clone(), Wish::of(&mount)?))).collect();
        let over = |(name, (is, _)): &(&MountName, &(Wish, JoinSet<()>))| wanted.get(*name) != Some(is);
        let over: Vec<_> = teams.iter().filter(over).map(|(name, _)| name.clone()).collect();
        for name in over {
            if let Some((_, mut task)) = teams.remove(&name) {
                // The port may be wanted again.
                task.shutdown().await;
            }
        }
        for (name, wish) in wanted {
            teams.entry(name.clone()).or_insert_with(|| {
                let mut task = JoinSet::new();
                task.spawn(keep_up(station.clone(), name, wish.clone(), console));
                (wish, task)
            });
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
    }
}

/// Has a team, again where it cannot be had at first: a port may become free, a name be found.
async fn keep_up(station: Arc<Station>, name: MountName, wish: Wish, console: Console) {
    let mut told = None;
    loop {
        let Err(why) = carry(&station, &name, &wish, console).await else { return };
        let why = format!("{name} has no team: {why:#}");
        if told.as_ref() != Some(&why) {
            console.say(&why);
        }
        told = Some(why);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Takes the team out of the page when it ends.
struct Shown(Arc<Station>, MountName);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.teams.remove(&self.1);
    }
}

/// Deals what the mount's source sends to a team, over as many sources as come.
async fn carry(station: &Arc<Station>, name: &MountName, wish: &Wish, console: Console) -> Result<()> {
    // The team is reached where listeners are.
    let listen = station.config().http.listen.first().map(SocketAddr::ip);
    let listen = listen.filter(|ip| !ip.is_unspecified());
    let sockets = place::datagrams(listen, wish.port);
    let sockets = sockets.with_context(|| format!("cannot listen on port {}", wish.port))?;
    let driver = Driver::new(wish.dealer()?, sockets);
    let (address, remote) = (driver.local_addr()?, driver.remote());
    let place = SocketAddr::new(listen.unwrap_or(address.ip()), address.port());
    let (standby_of, private) = (wish.standby_of.as_deref(), wish.pass()?.is_some());
    match standby_of {
        None => console.say(format!("a team carries {name}: p2psp://{place}")),
        Some(other) => console.say(format!("{name} asks {other} to stand by for it: p2psp://{place}")),
    }
    let _shown = Shown(station.clone(), name.clone());
    let end = async {
        tokio::select! {
            () = feed(station, name, &remote) => {}
            () = show(station, name, (place, private), remote.clone()) => {}
        }
    };
    let tell = |event| match event {
        Told::Peer(_) => {}
        event => console.say(format!("{name}: {}", told::words(event, standby_of, private))),
    };
    driver.run(end, tell).await?;
    Ok(())
}

async fn feed(station: &Arc<Station>, name: &MountName, remote: &Remote<Dealer>) {
    let mut changes = station.mounts.watch();
    loop {
        let found = station.mounts.find(name);
        let live = found.and_then(|mount| Some((mount.source()?, mount.rendition.channel()?)));
        let Some((source, channel)) = live else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut heads = Heads::new(Wire::Native, &source.content_type, 0);
        let mut subscriber = channel.subscribe(Start::Live);
        while let Some(piece) = subscriber.next().await {
            let mut pieces = Vec::new();
            heads.page(&piece.0, &mut pieces);
            // What is there already goes with it.
            while let levada_channel::Taken::Item(piece) = subscriber.try_next() {
                heads.page(&piece.0, &mut pieces);
            }
            heads.flush(&mut pieces);
            let taken = remote.with(move |dealer, now| {
                pieces.into_iter().for_each(|piece| dealer.take(now, piece));
            });
            if !taken.await {
                return;
            }
        }
    }
}

/// Tells the page how the team is, once a second.
async fn show(
    station: &Arc<Station>,
    name: &MountName,
    (place, private): (SocketAddr, bool),
    remote: Remote<Dealer>,
) {
    let now = Arc::<Mutex<Option<Stats>>>::default();
    let mut sent = BTreeMap::new();
    loop {
        let shared = now.clone();
        let asked = remote.with(move |dealer, _| {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(dealer.stats());
        });
        if !asked.await {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stats = now.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Stats::Native { splitter, members, .. }) = stats {
            let at = |endpoint: &SocketAddr| members.iter().position(|member| member.endpoint == *endpoint);
            let peer = |member: &levada_swarm::native::splitter::TeamMember| {
                let before = sent.get(&member.endpoint).copied().unwrap_or(member.sent_bytes);
                TeamPeer {
                    endpoint: member.endpoint.to_string(),
                    origin: member.origin,
                    parents: member.parents.keys().filter_map(at).collect(),
                    children: member.children,
                    depth: member.depth,
                    upload_kbit_per_s: member.sent_bytes.saturating_sub(before) * 8 / 1_000,
                    lag_ms: member.lag_ms,
                    lost: member.lost,
                    debt: member.debt,
                }
            };
            let peers = members.iter().map(peer).collect();
            sent = members.iter().map(|member| (member.endpoint, member.sent_bytes)).collect();
            let team = Team {
                place,
                private,
                fed_bytes: splitter.fed_bytes,
                sent_bytes: splitter.sent_bytes,
                chunks: splitter.chunks,
                repaired: splitter.repaired,
                peers,
            };
            station.teams.set(name, team);
        }
    }
}

/// How soon a team that cannot be had is tried again.
const AGAIN: Duration = Duration::from_secs(3);
/// So many peers trackers send here where nothing is said.
const MOST_BY_TRACKER: usize = 1_000;
