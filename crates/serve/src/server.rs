//! A server: starts, accepts, stops.

use crate::{
    Config, Station,
    access::AccessLog,
    auth::{self, Auth},
    directory_yp, events, file_source,
    front::Door,
    history, hls, multicast, record, relay,
    reload::{CannotServe, Keeper, Load},
    renditions, room, switch, webrtc,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::task::JoinSet;

/// A running server. Dropping it ends its tasks; [`Server::stop`] ends them well.
pub struct Server {
    station: Arc<Station>,
    tasks: JoinSet<()>,
    doors: Vec<(Door, SocketAddr)>,
}

impl Server {
    /// Binds every address of the configuration and begins to accept. Asked to reload, it has nowhere to read from.
    ///
    /// # Errors
    /// When an address cannot be bound or a file of the configuration cannot be opened.
    pub async fn start(config: Config, id: String) -> Result<Server, CannotServe> {
        let load = || Err("this server's configuration comes from nowhere that could be read again".into());
        Server::start_with(config, id, Box::new(load)).await
    }

    /// The same, with what reads the configuration again.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(config: Config, id: String, load: Load) -> Result<Server, CannotServe> {
        let station = Station::new(config, id, Auth::new(), AccessLog::default())?;
        station.webrtc.open(&station.config())?;
        let keeper = Keeper::open(station.clone(), load).await?;
        let mut server = Server { station, tasks: JoinSet::new(), doors: keeper.doors() };
        server.tasks.spawn(keeper.run());
        server.tasks.spawn(renditions::run(server.station.clone()));
        server.tasks.spawn(hls::run(server.station.clone()));
        server.tasks.spawn(webrtc::run(server.station.clone()));
        server.tasks.spawn(room::run(server.station.clone()));
        server.tasks.spawn(switch::run(server.station.clone()));
        server.tasks.spawn(history::run(server.station.clone()));
        server.tasks.spawn(events::run(server.station.clone()));
        server.tasks.spawn(directory_yp::run(server.station.clone()));
        server.tasks.spawn(file_source::run(server.station.clone()));
        server.tasks.spawn(relay::run(server.station.clone()));
        server.tasks.spawn(relay::push::run(server.station.clone()));
        server.tasks.spawn(multicast::run(server.station.clone()));
        server.tasks.spawn(record::run(server.station.clone()));
        server.tasks.spawn(auth::announce(server.station.clone()));
        server.tasks.spawn(auth::deliver(server.station.clone()));
        Ok(server)
    }

    /// The addresses on which it speaks HTTP, in the configuration's order, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().filter(|(door, _)| *door == Door::Http).map(|(_, address)| *address).collect()
    }

    /// What it awaits on which address.
    pub fn doors(&self) -> &[(Door, SocketAddr)] {
        &self.doors
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
}
