//! A server: starts, accepts, stops.

use crate::{
    Config, Station,
    access::AccessLog,
    auth::{self, Auth},
    front, switch,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};

/// A running server. Dropping it ends its tasks; [`Server::stop`] ends them well.
pub struct Server {
    station: Arc<Station>,
    tasks: JoinSet<()>,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Binds every address of the configuration and begins to accept.
    ///
    /// # Errors
    /// When an address cannot be bound or a file of the configuration cannot be opened.
    pub async fn start(config: Config, id: String) -> io::Result<Server> {
        let access = AccessLog::open(config.http.access_log.as_deref())?;
        let station = Station::new(config.clone(), id, Auth::new(), access)?;
        let mut server = Server { station, tasks: JoinSet::new(), addresses: Vec::new() };
        for name in config.named_mounts() {
            server.station.mounts.open(&name, &config);
        }
        for address in &config.http.listen {
            server.listen(*address, front::Door::Http)?;
        }
        for address in &config.http.shoutcast {
            server.listen(*address, front::Door::Shoutcast)?;
        }
        server.tasks.spawn(switch::run(server.station.clone()));
        server.tasks.spawn(auth::announce(server.station.clone()));
        server.tasks.spawn(auth::deliver(server.station.clone()));
        Ok(server)
    }

    /// The addresses it listens on, in the configuration's order, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What its gateways share.
    pub fn station(&self) -> &Arc<Station> {
        &self.station
    }

    /// Stops: no new connections, sources let go, listeners get what is theirs within the drain time.
    pub async fn stop(mut self) {
        let drain = self.station.config().limits.drain;
        self.station.stop.cancel();
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _late = tokio::time::timeout(drain, rest).await;
        let station = self.station.clone();
        let _ended = tokio::task::spawn_blocking(move || station.egress.shutdown(drain)).await;
        self.tasks.shutdown().await;
    }

    fn listen(&mut self, address: SocketAddr, door: front::Door) -> io::Result<()> {
        let listener = bind(address)?;
        self.addresses.push(listener.local_addr()?);
        self.tasks.spawn(accept(listener, door, self.station.clone()));
        Ok(())
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the server stops. Out of descriptors, it pauses and tries again: nobody who is here loses anything.
async fn accept(listener: TcpListener, door: front::Door, station: Arc<Station>) {
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next() => continue,
            () = station.stop.cancelled() => break,
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
    drop(listener);
    while clients.join_next().await.is_some() {}
}

/// As many handshakes may wait as a reconnect storm brings; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4_096;
const PAUSE: Duration = Duration::from_millis(50);
