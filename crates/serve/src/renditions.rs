//! The renditions of mounts in other formats than their sources': made on demand, one task each.

mod feed;
mod items;
mod maker;

pub use feed::{Feed, Heard};
pub use items::{Items, Step};

use crate::{End, Mount, Rendition, RenditionId, Station, egress::Whom};
use levada_media::{
    Codec, Format, TrackInfo,
    container::flv::tag::{FourCc, View},
};
use maker::Maker;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::JoinSet, time::sleep};

/// A format that a mount's stream is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Tags of Flash video, for listeners who have had the file header.
    Flv,
    /// The same, each tag a message of a WebSocket.
    FlvSocket,
    /// Chunks of RTMP, for players of one view.
    Rtmp(View),
}

/// The renditions that somebody has asked for. One lives while somebody holds it and some seconds longer.
#[derive(Default)]
pub struct Renditions {
    open: Mutex<HashMap<Key, Weak<Rendition>>>,
    /// Those whose task has not begun; at most one for each open rendition.
    new: Mutex<Vec<Order>>,
    ordered: Notify,
}

type Key = (RenditionId, Output);

/// A rendition to be made.
struct Order {
    mount: Arc<Mount>,
    output: Output,
    rendition: Arc<Rendition>,
}

impl Renditions {
    /// The rendition of `mount` in `output`, made from now on if it was not yet. It follows the mount to its fallbacks
    /// and back, and time goes on over every change of source.
    pub fn open(&self, mount: &Arc<Mount>, output: Output, station: &Station) -> Arc<Rendition> {
        let mut open = self.map();
        let key = (mount.rendition.id, output);
        if let Some(rendition) = open.get(&key).and_then(Weak::upgrade) {
            return rendition;
        }
        let rendition = Rendition::new(station.mounts.next_rendition());
        open.insert(key, Arc::downgrade(&rendition));
        let order = Order { mount: mount.clone(), output, rendition: rendition.clone() };
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        self.ordered.notify_one();
        rendition
    }

    /// How many are being made.
    pub fn count(&self) -> usize {
        self.map().len()
    }

    /// Forgets `rendition` if nobody but its task holds it, or in any case when it is `over`; whether it did.
    fn close(&self, key: &Key, rendition: &Arc<Rendition>, over: bool) -> bool {
        let mut open = self.map();
        let closes = over || Arc::strong_count(rendition) == 1;
        if closes && open.get(key).is_some_and(|known| known.as_ptr() == Arc::as_ptr(rendition)) {
            open.remove(key);
        }
        closes
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Key, Weak<Rendition>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    /// Whether any of `tracks` can be carried; where they are not known, whether the format can be opened at all.
    pub fn carries(self, format: Format, tracks: &[TrackInfo]) -> bool {
        let view = match self {
            Output::Flv | Output::FlvSocket => FLV_VIEW,
            Output::Rtmp(view) => view,
        };
        let old = |codec| matches!(codec, Codec::H264 | Codec::Aac | Codec::Mp3);
        let fits =
            |track: &TrackInfo| old(track.codec) || view > View::Old && FourCc::of(track.codec).is_some();
        format != Format::Opaque && (tracks.is_empty() || tracks.iter().any(fits))
    }
}

/// Makes what is ordered, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut tasks = JoinSet::new();
    loop {
        let orders =
            std::mem::take(&mut *station.renditions.new.lock().unwrap_or_else(PoisonError::into_inner));
        orders.into_iter().for_each(|order| drop(tasks.spawn(make(order, station.clone()))));
        tokio::select! {
            () = station.renditions.ordered.notified() => {}
            Some(_) = tasks.join_next() => {}
            () = station.stop.cancelled() => return, // what is being made ends with the set
        }
    }
}

/// Makes one rendition while somebody wants it and the mount has something to say.
async fn make(Order { mount, output, rendition }: Order, station: Arc<Station>) {
    let key = (mount.rendition.id, output);
    tracing::debug!(mount = %mount.name, ?output, "rendition begins");
    let mut maker = Maker::new(output);
    let mut publisher = rendition.open();
    let mut feed = Feed::new(mount.clone(), station.clone());
    let mut wanted = Instant::now();
    loop {
        let heard = feed.next().await;
        let over = heard == Heard::Over;
        maker.take(heard, &mut publisher);
        if over {
            station.renditions.close(&key, &rendition, true);
            break;
        }
        let now = Instant::now();
        if Arc::strong_count(&rendition) > 1 {
            wanted = now;
        } else if now.duration_since(wanted) > LINGER && station.renditions.close(&key, &rendition, false) {
            break;
        }
    }
    drop(publisher);
    // those on their way in when it ended are told as well
    while Arc::strong_count(&rendition) > 1 {
        station.egress.end(rendition.id, End::StreamEnded, Whom::All);
        sleep(LOOK).await;
    }
    station.egress.forget(rendition.id);
    tracing::debug!(mount = %mount.name, ?output, "rendition ends");
}

/// What listeners of Flash video over HTTP are shown: codecs by FourCC, one track of a kind.
const FLV_VIEW: View = View::Enhanced;
/// How long a rendition is made for nobody.
const LINGER: Duration = Duration::from_secs(5);
/// How often it is looked whether all have left.
const LOOK: Duration = Duration::from_millis(250);
