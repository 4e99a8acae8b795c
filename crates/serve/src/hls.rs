//! The HLS gateway: `/NAME/index.m3u8` is mount `/NAME` as segments and parts, made once for all who ask.
//!
//! Segments are made while somebody asks (or always, where a mount is to be rewound), by one task for each mount.
//! Addresses carry no state, and the bytes behind one never change, so that caches may stand in between.

mod answers;
mod asked;
mod audience;
mod playlist;
mod segment;
mod store;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use answers::of;

use crate::{End, Mount, MountName, SessionId, Station};
use audience::Audience;
use levada_media::container::fmp4;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use stream::Stream;
use tokio::{sync::Notify, task::JoinSet};

/// The mounts that are made into segments; one for each mount that somebody has asked for lately.
#[derive(Default)]
pub struct Hls {
    streams: Mutex<HashMap<MountName, Arc<Stream>>>,
    /// Those whose task has not begun; at most one for each stream.
    new: Mutex<Vec<Arc<Stream>>>,
    ordered: Notify,
    audience: Audience,
}

impl Hls {
    /// How many mounts are made into segments now.
    pub fn count(&self) -> usize {
        self.map().len()
    }

    fn find(&self, name: &MountName) -> Option<Arc<Stream>> {
        self.map().get(name).cloned()
    }

    /// Shows a player the door, if it is one of ours.
    pub(crate) fn kick(&self, id: SessionId, station: &Station) {
        if let Some(session) = self.audience.kick(id) {
            station.leave(&session, End::Kicked);
        }
    }

    /// The stream of `mount`, made from now on if it was not yet.
    fn open(&self, mount: &Arc<Mount>) -> Arc<Stream> {
        let mut map = self.map();
        let goes_on =
            |stream: &&Arc<Stream>| Arc::ptr_eq(&stream.mount, mount) && !stream.look(|window| window.over);
        if let Some(stream) = map.get(&mount.name).filter(goes_on) {
            return stream.clone();
        }
        let stream = Arc::new(Stream::new(mount.clone(), SystemTime::now()));
        map.insert(mount.name.clone(), stream.clone());
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(stream.clone());
        self.ordered.notify_one();
        stream
    }

    /// Forgets `stream` if nobody has asked for long; whether it did, or it had been replaced.
    fn close(&self, stream: &Arc<Stream>) -> bool {
        let mut map = self.map();
        let known = map.get(&stream.mount.name).is_some_and(|known| Arc::ptr_eq(known, stream));
        let closes = stream.is_forgotten();
        if closes && known {
            map.remove(&stream.mount.name);
        }
        closes || !known
    }

    fn map(&self) -> MutexGuard<'_, HashMap<MountName, Arc<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes segments of the mounts that are asked for, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut tasks = JoinSet::new();
    tasks.spawn(audience::watch(station.clone()));
    tasks.spawn(keep_rewinding(station.clone()));
    loop {
        let new = std::mem::take(&mut *station.hls.new.lock().unwrap_or_else(PoisonError::into_inner));
        new.into_iter().for_each(|stream| drop(tasks.spawn(keep(stream, station.clone()))));
        tokio::select! {
            () = station.hls.ordered.notified() => {}
            Some(_) = tasks.join_next() => {}
            () = station.stop.cancelled() => break, // what is being made ends with the set
        }
    }
    for session in station.hls.audience.clear() {
        station.leave(&session, End::Shutdown);
    }
}

/// Makes segments of the mounts that are kept for later as soon as they have a source.
async fn keep_rewinding(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    loop {
        let kept = |mount: &Arc<Mount>| stream::is_kept(&mount.policy()) && fits(mount);
        station.mounts.list().iter().filter(|mount| kept(mount)).for_each(|mount| {
            station.hls.open(mount);
        });
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
        tokio::time::sleep(CALM).await;
    }
}

/// Whether anything of what plays can be carried, as far as is known.
pub(crate) fn fits(playing: &Mount) -> bool {
    let tracks = playing.tracks();
    let opens = playing.source().is_some_and(|source| source.format.demuxer().is_some());
    opens && (tracks.is_empty() || tracks.iter().any(|track| fmp4::carries(track.codec)))
}

/// Makes one stream's segments, then keeps what there is for those who are still reading.
async fn keep(stream: Arc<Stream>, station: Arc<Station>) {
    let leaving = station.clone();
    let making = stream.clone().make(station.clone(), move |stream| leaving.hls.close(stream));
    tokio::join!(making, store::keep(&stream, &station));
    while !station.hls.close(&stream) {
        tokio::time::sleep(LOOK).await;
    }
}

/// How often it is looked whether anybody still reads a stream that has ended.
const LOOK: Duration = Duration::from_secs(1);
/// Changes that come closer together than this are looked at together.
const CALM: Duration = Duration::from_millis(100);
