//! Hears a group or a port: for a mount's `input`, and for `levada pull`.

use super::{Address, Inlet, Packing, inlet, socket};
use crate::{Claim, MountName, Origin, Source, Station};
use bytes::Bytes;
use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep, sleep_until, timeout},
};

/// A socket with what puts its datagrams in order.
pub struct Receiver {
    socket: UdpSocket,
    inlet: Inlet,
    buffer: Box<[u8; LONGEST]>,
}

impl Receiver {
    /// Hears `address`.
    ///
    /// # Errors
    /// When the port is taken, or the group cannot be joined.
    pub fn open(address: &Address, payload: u8) -> io::Result<Receiver> {
        let socket = socket::receiver(address)?;
        let packing = if address.packing == Packing::Rtp { Packing::Rtp } else { Packing::Udp };
        Ok(Receiver { socket, inlet: Inlet::with_payload(packing, payload), buffer: Box::new([0; LONGEST]) })
    }

    /// The next bytes of the transport stream, whole packets. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// The socket's.
    pub async fn next(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(bytes) = self.inlet.poll(std::time::Instant::now()) {
                return Ok(bytes);
            }
            let due = self.inlet.due().map(Instant::from_std);
            tokio::select! {
                heard = self.socket.recv(&mut self.buffer[..]) => match heard {
                    Ok(size) => self.inlet.push(std::time::Instant::now(), &self.buffer[..size]),
                    // somebody told us that a datagram of ours found nobody; we send none
                    Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(why) => return Err(why),
                },
                () = until(due) => {}
            }
        }
    }

    /// What it counted.
    pub fn stats(&self) -> inlet::Stats {
        self.inlet.stats()
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Feeds the mount from `address` until the task is ended or the server stops. The mount is claimed when a stream comes
/// and given back when it has been silent for the mount's `source_timeout`.
pub(super) async fn run(station: Arc<Station>, name: MountName, address: Address) {
    loop {
        let end = tokio::select! {
            end = receive(&station, &name, &address) => end,
            () = station.stop.cancelled() => return,
        };
        if let Err(why) = end {
            tracing::warn!(mount = %name, from = %address, %why, "cannot receive");
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = station.stop.cancelled() => return,
        }
    }
}

async fn receive(station: &Arc<Station>, name: &MountName, address: &Address) -> io::Result<()> {
    let mut receiver = Receiver::open(address, super::TRANSPORT)?;
    tracing::info!(mount = %name, from = %address, "awaits a stream");
    loop {
        let first = receiver.next().await?;
        let Some(claim) = claim(station, name) else {
            tracing::warn!(mount = %name, from = %address, "the mount is fed by somebody else");
            sleep(AGAIN).await;
            // what came meanwhile is old
            receiver = Receiver::open(address, super::TRANSPORT)?;
            continue;
        };
        tracing::info!(mount = %name, from = %address, "stream begins");
        let before = receiver.stats();
        let why = tokio::select! {
            fed = feed(&mut receiver, &claim, first) => fed?,
            () = claim.let_go() => "the mount was taken",
        };
        let inlet::Stats { datagrams, junk, lost, reordered } = receiver.stats();
        let (datagrams, lost) = (datagrams - before.datagrams, lost - before.lost);
        tracing::info!(mount = %name, from = %address, why, datagrams, lost, junk, reordered, "stream ends");
    }
}

fn claim(station: &Arc<Station>, name: &MountName) -> Option<Claim> {
    let mut source = Source::new(Origin::Multicast, "video/mp2t", SystemTime::now());
    source.agent = crate::SERVER.to_owned();
    station.mounts.claim(name, source, &station.config()).ok()
}

async fn feed(receiver: &mut Receiver, claim: &Claim, first: Bytes) -> io::Result<&'static str> {
    let mut bytes = first;
    loop {
        if claim.push(&bytes).is_err() {
            return Ok("the mount was taken");
        }
        let patience = claim.mount().policy().source_timeout;
        bytes = match timeout(patience, receiver.next()).await {
            Ok(next) => next?,
            Err(_) => return Ok("it is silent"),
        };
    }
}

/// The largest datagram there is.
const LONGEST: usize = 65_536;
/// A group that cannot be joined, or a mount that is taken, is tried again so often.
const AGAIN: Duration = Duration::from_secs(2);
