//! What one mount's viewers watch: its frames as packets, made once while somebody watches.

mod maker;

use super::packets::Packet;
use crate::{
    Mount, RenditionId, Station,
    renditions::{Items, Step},
};
use levada_channel::{Bounds, Channel, Flow, Publisher, Role, Start, Subscriber};
use levada_media::Codec;
use maker::Maker;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The casts that somebody watches, one for each mount.
#[derive(Default)]
pub(super) struct Casts {
    open: Mutex<HashMap<RenditionId, Weak<Cast>>>,
}

/// One mount's packets. It is made while somebody holds this.
#[derive(Debug)]
pub(super) struct Cast {
    channel: Channel<Burst>,
    state: watch::Receiver<State>,
}

/// What is known of a cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing yet.
    Opening,
    /// It can be watched.
    Ready(Lineup),
    /// It cannot be watched over WebRTC, and this is why.
    Unfit(&'static str),
    /// The mount has ended.
    Over,
}

/// What a cast consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lineup {
    /// How its pictures are coded, if it has any.
    pub(super) video: Option<Codec>,
    /// The profile that H.264 says it is of.
    pub(super) profile: Option<u8>,
    /// Whether it has sound.
    pub(super) audio: bool,
}

/// A frame as packets.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    /// Whether it is a picture; otherwise it is sound.
    pub(super) picture: bool,
    /// Whether a decoder may begin with it.
    pub(super) entry: bool,
    /// When it is shown or heard, on a line that goes on over changes of source.
    pub(super) at: Duration,
    /// Its packets, shared by all viewers.
    pub(super) packets: Arc<[Packet]>,
}

impl Flow for Burst {
    fn weight(&self) -> usize {
        self.packets.iter().map(|packet| packet.payload.len()).sum()
    }

    fn role(&self) -> Role {
        if self.entry { Role::Entry } else { Role::Plain }
    }

    fn at(&self) -> Option<Duration> {
        Some(self.at)
    }
}

impl Casts {
    /// The cast of `mount`, made from now on if it was not yet.
    pub(super) fn open(&self, mount: &Arc<Mount>, station: &Arc<Station>) -> Arc<Cast> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.get(&mount.rendition.id).and_then(Weak::upgrade);
        if let Some(cast) = known.filter(|cast| *cast.state.borrow() != State::Over) {
            return cast;
        }
        open.retain(|_, cast| cast.strong_count() > 0);
        let (publisher, channel) = Channel::new(Bounds::default());
        let (told, state) = watch::channel(State::Opening);
        let cast = Arc::new(Cast { channel, state });
        open.insert(mount.rendition.id, Arc::downgrade(&cast));
        station.webrtc.order(Box::pin(make(mount.clone(), station.clone(), publisher, told)));
        cast
    }
}

impl Cast {
    /// What is known of it, and of what becomes of it.
    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Begins to watch at the newest picture that one may begin with.
    pub(super) fn subscribe(&self) -> Subscriber<Burst> {
        self.channel.subscribe(Start::Entry)
    }
}

/// Makes a cast while somebody watches and the mount has something to say.
async fn make(
    mount: Arc<Mount>,
    station: Arc<Station>,
    mut publisher: Publisher<Burst>,
    told: watch::Sender<State>,
) {
    tracing::debug!(mount = %mount.name, "cast begins");
    let mut items = Items::new(mount.clone(), station.clone());
    let mut maker = Maker::default();
    loop {
        let step = tokio::select! {
            step = items.next() => step,
            () = told.closed() => break,
            () = station.stop.cancelled() => break,
        };
        match step {
            Step::Source(_) => maker.restart(),
            Step::Item(item) => publisher.send_all(maker.take(item, Instant::now())),
            Step::Over => {
                told.send_replace(State::Over);
                break;
            }
        }
        told.send_if_modified(|state| {
            let news = maker.state();
            let changes = *state != news && news != State::Opening;
            if changes {
                *state = news;
            }
            changes
        });
    }
    tracing::debug!(mount = %mount.name, "cast ends");
}
