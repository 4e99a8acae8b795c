//! The addresses a server listens on. They come and go with the configuration; who came in by one stays.

use crate::{Config, Station, front, front::Door, reload::CannotServe};
use futures_util::FutureExt;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// All open doors.
pub struct Doors {
    station: Arc<Station>,
    open: Vec<OpenDoor>,
    accepting: JoinSet<()>,
}

struct OpenDoor {
    /// As the configuration says it.
    asked: SocketAddr,
    door: Door,
    /// With the port that was chosen.
    address: SocketAddr,
    leave: CancellationToken,
    /// Cancelled when the address is free again.
    free: CancellationToken,
}

impl Doors {
    /// No doors yet.
    pub fn new(station: Arc<Station>) -> Doors {
        Doors { station, open: Vec::new(), accepting: JoinSet::new() }
    }

    /// What is awaited where, in the configuration's order, with the ports that were chosen for port 0.
    pub fn open(&self) -> Vec<(Door, SocketAddr)> {
        self.open.iter().map(|door| (door.door, door.address)).collect()
    }

    /// Opens and closes doors until they are those of `config`. Nobody who is in is dropped.
    ///
    /// # Errors
    /// When an address cannot be listened on; then the doors are those that were open before.
    pub async fn change(&mut self, config: &Config) -> Result<(), CannotServe> {
        let http = config.http.listen.iter().map(|address| (*address, Door::Http));
        let shoutcast = config.http.shoutcast.iter().map(|address| (*address, Door::Shoutcast));
        let rtmp = config.rtmp.listen.iter().map(|address| (*address, Door::Rtmp));
        let wanted = http.chain(shoutcast).chain(rtmp);
        let mut leaving = std::mem::take(&mut self.open);
        let mut stays = |asked: (SocketAddr, Door)| {
            let at = leaving.iter().position(|open| (open.asked, open.door) == asked)?;
            Some(leaving.remove(at))
        };
        let places: Vec<_> = wanted.map(|asked| (asked, stays(asked))).collect();
        let new = places.iter().filter(|(_, open)| open.is_none()).map(|((address, _), _)| *address);
        let mut gone = Vec::new();
        match bind_all(new.collect(), &mut leaving, &mut gone).await {
            Ok(listeners) => {
                leaving.iter().for_each(|door| door.leave.cancel());
                let mut listeners = listeners.into_iter();
                for ((asked, door), open) in places {
                    let open = open.or_else(|| Some(self.enter(asked, door, listeners.next()?)));
                    self.open.extend(open);
                }
                Ok(())
            }
            Err(why) => {
                self.open = places.into_iter().filter_map(|(_, open)| open).chain(leaving).collect();
                for door in gone {
                    let again = bind(door.address).map(|bound| self.enter(door.asked, door.door, bound));
                    self.open.extend(again);
                }
                Err(why)
            }
        }
    }

    /// Waits until nobody is in any more.
    pub async fn closed(mut self) {
        while self.accepting.join_next().await.is_some() {}
    }

    fn enter(&mut self, asked: SocketAddr, door: Door, bound: Bound) -> OpenDoor {
        while self.accepting.try_join_next().is_some() {}
        let (leave, free) = (self.station.stop.child_token(), CancellationToken::new());
        self.accepting.spawn(accept(bound.listener, door, self.station.clone(), leave.clone(), free.clone()));
        OpenDoor { asked, door, address: bound.address, leave, free }
    }
}

/// A socket that listens.
struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Listens on all of `addresses`. Where a door that leaves is in the way of one (`127.0.0.1:8000` of `0.0.0.0:8000`),
/// it is closed first and put among the `gone`.
async fn bind_all(
    addresses: Vec<SocketAddr>,
    leaving: &mut Vec<OpenDoor>,
    gone: &mut Vec<OpenDoor>,
) -> Result<Vec<Bound>, CannotServe> {
    let mut bound = Vec::new();
    for address in addresses {
        let mut outcome = bind(address);
        while let Err(why) = &outcome
            && why.kind() == io::ErrorKind::AddrInUse
            && let Some(at) = leaving.iter().position(|door| door.address.port() == address.port())
        {
            let door = leaving.remove(at);
            door.leave.cancel();
            door.free.cancelled().await;
            gone.push(door);
            outcome = bind(address);
        }
        bound.push(outcome.map_err(|why| CannotServe::Address(address, why))?);
    }
    Ok(bound)
}

fn bind(address: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok(Bound { address: listener.local_addr()?, listener })
}

/// Accepts until the door closes. Out of descriptors, it pauses and tries again: nobody who is here loses anything.
async fn accept(
    listener: TcpListener,
    door: Door,
    station: Arc<Station>,
    leave: CancellationToken,
    free: CancellationToken,
) {
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next() => continue,
            () = leave.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                station.counters.accepted.fetch_add(1, Relaxed);
                let _latency_only = stream.set_nodelay(true);
                clients.spawn(front::welcome(stream, peer, door, station.clone()));
            }
            Err(why) => {
                station.counters.accept_failures.fetch_add(1, Relaxed);
                tracing::warn!(%why, "accepting pauses");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Who shook hands with the kernel before the door closed is let in too.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        station.counters.accepted.fetch_add(1, Relaxed);
        clients.spawn(front::welcome(stream, peer, door, station.clone()));
    }
    drop(listener);
    free.cancel();
    while clients.join_next().await.is_some() {}
}

/// As many handshakes may wait as a reconnect storm brings; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4_096;
const PAUSE: Duration = Duration::from_millis(50);
