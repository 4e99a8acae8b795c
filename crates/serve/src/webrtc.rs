//! The WebRTC gateway: viewers by WHEP at `/whep/NAME`, publishers by WHIP at `/whip/NAME`.
//!
//! A session is a `peer::Peer` in one task. All share one UDP port (`sockets`, `routes`). What viewers of a mount
//! watch is made into packets once, by one `cast` for each mount that somebody watches.

mod cast;
pub(crate) mod crypto;
mod ear;
mod join;
mod member;
mod packets;
mod peer;
mod publisher;
mod rehearsal;
mod resource;
mod routes;
mod sockets;
mod sound;
mod stun;
mod viewer;
mod whep;
mod whip;

use crate::{Config, Mount, Station, reload::CannotServe};
use futures_util::future::BoxFuture;
use levada_media::{Codec, Kind};
use resource::Resources;
use sockets::Sockets;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering::Relaxed},
};
use str0m::config::DtlsCert;
use tokio::{sync::Notify, task::JoinSet};

pub(crate) use join::join;
pub use rehearsal::rehearse;
pub(crate) use resource::router;

/// All that WebRTC holds in a server.
#[derive(Default)]
pub struct Webrtc {
    sockets: OnceLock<Arc<Sockets>>,
    certificate: OnceLock<Option<DtlsCert>>,
    casts: cast::Casts,
    resources: Resources,
    /// What is to be done and has not begun; at most one for each request that is being answered, and one a cast.
    new: Mutex<Vec<BoxFuture<'static, ()>>>,
    ordered: Notify,
}

/// What comes to the addresses of WebRTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sessions now.
    pub sessions: usize,
    /// Datagrams for nobody, ever.
    pub strays: u64,
    /// Datagrams for which a session had no room, ever.
    pub dropped: u64,
}

impl Webrtc {
    /// Binds the addresses of the configuration; once, when the server starts.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub fn open(&self, config: &Config) -> Result<(), CannotServe> {
        let sockets = Sockets::bind(&config.webrtc.listen, config.webrtc.tcp)?;
        let _once = self.sockets.set(Arc::new(sockets));
        Ok(())
    }

    /// The addresses on which it is spoken, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets().addresses()
    }

    /// Whether it is spoken at all.
    pub fn speaks(&self) -> bool {
        !self.sockets().addresses().is_empty()
    }

    /// Whether what `playing` plays can be watched, as far as its container says.
    pub fn fits(&self, playing: &Mount) -> bool {
        let tracks = playing.tracks();
        let of = |kind| tracks.iter().map(|track| track.codec).filter(move |codec| codec.kind() == kind);
        let seen = |codec| matches!(codec, Codec::H264 | Codec::Vp8 | Codec::Vp9 | Codec::Av1);
        let heard = |codec| matches!(codec, Codec::Opus | Codec::Aac);
        let some =
            of(Kind::Video).any(seen) || of(Kind::Video).next().is_none() && of(Kind::Audio).any(heard);
        self.speaks() && some
    }

    /// Sessions that there are, datagrams that came for none of them, and such that one had no room for.
    pub fn traffic(&self) -> Traffic {
        let routes = &self.sockets().routes;
        Traffic {
            sessions: routes.count(),
            strays: routes.strays.load(Relaxed),
            dropped: routes.dropped.load(Relaxed),
        }
    }

    /// Ends the session called `id`, if it is one of ours.
    pub fn kick(&self, id: crate::SessionId) {
        self.resources.kick(id);
    }

    fn sockets(&self) -> &Arc<Sockets> {
        self.sockets.get_or_init(Arc::default)
    }

    fn certificate(&self) -> Option<DtlsCert> {
        self.certificate.get_or_init(crypto::certificate).clone()
    }

    /// Has `task` run by [`run`].
    fn order(&self, task: BoxFuture<'static, ()>) {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        self.ordered.notify_one();
    }
}

/// Runs what is ordered until the server stops; then sessions say goodbye.
pub async fn run(station: Arc<Station>) {
    let webrtc = &station.webrtc;
    let mut reading = JoinSet::new();
    reading.spawn(webrtc.sockets().clone().run());
    let mut tasks = JoinSet::new();
    loop {
        let new = std::mem::take(&mut *webrtc.new.lock().unwrap_or_else(PoisonError::into_inner));
        new.into_iter().for_each(|task| drop(tasks.spawn(task)));
        tokio::select! {
            () = webrtc.ordered.notified() => {}
            Some(_) = tasks.join_next() => {}
            () = station.stop.cancelled() => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// So many random bytes in hexadecimal, as they may stand in an address or a session description.
fn token(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
