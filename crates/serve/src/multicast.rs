//! The gateway of datagrams: a mount as a transport stream over UDP or RTP, to a group or a host, and from there.
//!
//! A mount's `multicast` is made by one task: what its listeners hear, as packets, sent once for all who have joined the
//! group. Groups are announced by SAP; `/NAME.sdp` describes the session.

pub mod address;
pub mod carrier;
pub mod herald;
pub mod inlet;
pub mod outlet;
pub mod receive;
pub mod rtp;
pub mod sap;
pub mod sdp;
mod send;
pub mod socket;

pub use address::{Address, BadAddress, Interface, Packing};
pub use carrier::Carrier;
pub use herald::Herald;
pub use inlet::Inlet;
pub use outlet::Outlet;
pub use sdp::Session;

use crate::{
    MountName, Station,
    ordinary::{Caller, Refusal},
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use std::{collections::HashMap, net::IpAddr, sync::Arc};
use tokio::task::JoinSet;

/// Sends and receives what the policies of mounts say, also when they change, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut running: HashMap<Part, JoinSet<()>> = HashMap::new();
    loop {
        let config = station.config();
        for name in config.named_mounts() {
            station.mounts.open(&name, &config);
        }
        let mut wanted = Vec::new();
        for mount in station.mounts.list().iter().filter(|mount| !mount.name.is_internal()) {
            let policy = mount.policy();
            wanted.extend(policy.multicast.clone().map(|to| Part::Send(mount.name.clone(), to)));
            wanted.extend(policy.input.clone().map(|from| Part::Receive(mount.name.clone(), from)));
        }
        running.retain(|part, _| wanted.contains(part));
        for part in wanted {
            running.entry(part).or_insert_with_key(|part| {
                let mut task = JoinSet::new();
                match part.clone() {
                    Part::Send(name, to) => task.spawn(send::run(station.clone(), name, to)),
                    Part::Receive(name, from) => task.spawn(receive::run(station.clone(), name, from)),
                };
                task
            });
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => break,
        }
    }
    // those who send say goodbye
    for (_, mut tasks) in running {
        while tasks.join_next().await.is_some() {}
    }
}

/// One direction of one mount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Send(MountName, Address),
    Receive(MountName, Address),
}

/// The answer to a request for `/NAME.sdp`, if `/NAME` is sent anywhere.
pub fn of(caller: &Caller, path: &str) -> Option<Response> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let name: MountName = path.strip_suffix(".sdp")?.parse().ok()?;
    let mount = caller.station.mounts.find(&name)?;
    let to = mount.policy().multicast.clone()?;
    let local = socket::sender(&to).map(|socket| socket::local(&socket, &to));
    let Ok(local) = local else {
        let why = Refusal::Because(StatusCode::SERVICE_UNAVAILABLE, "there is no way to the group".into());
        return Some(why.into_response());
    };
    let text = session(&caller.station, &name, to, local).write();
    let caching = "no-cache";
    Some(
        ([(header::CONTENT_TYPE, "application/sdp"), (header::CACHE_CONTROL, caching)], text).into_response(),
    )
}

/// The session that is `name`, sent to `to`. The same description as long as the server runs.
fn session(station: &Station, name: &MountName, to: Address, origin: IpAddr) -> Session {
    let mount = station.mounts.find(name);
    let title = mount.and_then(|mount| mount.policy().stream_name.clone());
    let started = station.started.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    // seconds since 1900, as RFC 8866 5.2 advises
    Session::new(&title.unwrap_or_else(|| name.to_string()), started.as_secs() + 2_208_988_800, origin, to)
}

/// The payload type of a transport stream (RFC 3551 6).
pub const TRANSPORT: u8 = 33;
