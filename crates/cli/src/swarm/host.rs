//! Teams of a server's mounts: `swarm = true` on a mount gives it a splitter, and the server's page shows the team.

use super::{
    dealer::{Dealer, Native, Stats},
    heads::Heads,
    member::random,
    place,
    token::Token,
    wire::Wire,
};
use crate::output::Console;
use anyhow::{Context, Result};
use levada_channel::Start;
use levada_link::drive_tokio::{Driver, Remote};
use levada_serve::{
    MountName, Station,
    teams::{Team, TeamPeer},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// Runs a team for every mount that shall have one, also when the configuration changes, until it is dropped.
pub async fn run(station: Arc<Station>, console: Console) {
    let mut changes = station.mounts.watch();
    let mut teams: BTreeMap<MountName, JoinSet<()>> = BTreeMap::new();
    loop {
        let wanted: Vec<_> = station.mounts.list().into_iter().filter(|mount| mount.policy().swarm).collect();
        teams.retain(|name, _| wanted.iter().any(|mount| mount.name == *name));
        for mount in wanted {
            let policy = mount.policy();
            let port = policy.swarm_port.unwrap_or(0);
            let token = Token::of(policy.swarm_token.as_ref().map(|token| token.expose().to_owned()));
            teams.entry(mount.name.clone()).or_insert_with(|| {
                let mut task = JoinSet::new();
                let (station, name) = (station.clone(), mount.name.clone());
                task.spawn(async move {
                    if let Err(why) = carry(&station, &name, (port, token), console).await {
                        console.say(format!("{name} has no team: {why:#}"));
                    }
                });
                task
            });
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
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
async fn carry(
    station: &Arc<Station>,
    name: &MountName,
    (port, token): (u16, Token),
    console: Console,
) -> Result<()> {
    // The team is reached where listeners are.
    let listen = station.config().http.listen.first().map(SocketAddr::ip);
    let listen = listen.filter(|ip| !ip.is_unspecified());
    let sockets = place::datagrams(listen, port).with_context(|| format!("cannot listen on port {port}"))?;
    let native = Native { secret: random()?, pass: token.pass()?, ..Native::default() };
    let driver = Driver::new(Dealer::native(native)?, sockets);
    let (address, remote) = (driver.local_addr()?, driver.remote());
    let place = SocketAddr::new(listen.unwrap_or(address.ip()), address.port());
    console.say(format!("a team carries {name}: p2psp://{place}"));
    let _shown = Shown(station.clone(), name.clone());
    let end = async {
        tokio::select! {
            () = feed(station, name, &remote) => {}
            () = show(station, name, format!("p2psp://{place}"), remote.clone()) => {}
        }
    };
    driver.run(end, |_| {}).await?;
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
async fn show(station: &Arc<Station>, name: &MountName, address: String, remote: Remote<Dealer>) {
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
                    debt: None,
                }
            };
            let peers = members.iter().map(peer).collect();
            sent = members.iter().map(|member| (member.endpoint, member.sent_bytes)).collect();
            let team = Team {
                address: address.clone(),
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
