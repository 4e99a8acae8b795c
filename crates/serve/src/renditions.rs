//! The renditions of mounts in other formats than their sources': made on demand, one task each.

mod feed;
mod items;
mod maker;
mod merge;

pub use feed::{Feed, Heard};
pub use items::{Items, Step};
pub use maker::Maker;
pub use merge::Merge;

use crate::{
    End, Mount, Piece, Rendition, RenditionId, Station,
    egress::{CatchUp, Whom},
    websocket,
};
use bytes::Bytes;
use futures_util::FutureExt;
use levada_media::{
    Codec, Format, TrackInfo,
    container::flv::{
        self,
        tag::{FourCc, View},
    },
};
use levada_rtmp::Pages;
use merge::Held;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{
    sync::Notify,
    task::{JoinSet, unconstrained},
    time::{sleep, timeout_at},
};

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

type Key = (RenditionId, Output, Merge);

/// A rendition to be made.
struct Order {
    mount: Arc<Mount>,
    output: Output,
    merge: Merge,
    rendition: Arc<Rendition>,
}

impl Renditions {
    /// The rendition of `mount` in `output`, made from now on if it was not yet. It follows the mount to its fallbacks
    /// and back, and time goes on over every change of source.
    pub fn open(
        &self,
        mount: &Arc<Mount>,
        output: Output,
        merge: Merge,
        station: &Station,
    ) -> Arc<Rendition> {
        let mut open = self.map();
        let key = (mount.rendition.id, output, merge);
        if let Some(rendition) = open.get(&key).and_then(Weak::upgrade) {
            return rendition;
        }
        let rendition = Rendition::new(station.mounts.next_rendition());
        open.insert(key, Arc::downgrade(&rendition));
        let order = Order { mount: mount.clone(), output, merge, rendition: rendition.clone() };
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

    /// How its pages since the newest key picture are pressed together for who joins.
    pub(crate) fn catch_up(self) -> CatchUp {
        match self {
            Output::Flv => flv::catch_up,
            Output::FlvSocket => catch_up_framed,
            Output::Rtmp(_) => Pages::catch_up,
        }
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
async fn make(Order { mount, output, merge, rendition }: Order, station: Arc<Station>) {
    let key = (mount.rendition.id, output, merge);
    tracing::debug!(mount = %mount.name, ?output, "rendition begins");
    let mut maker = Maker::new(output);
    let mut held = Held::new(merge);
    let mut publisher = rendition.open();
    let mut feed = Feed::new(mount.clone(), station.clone());
    let mut wanted = Instant::now();
    loop {
        let heard = match held.due() {
            Some(due) => timeout_at(due.into(), backlog(&mut feed)).await.unwrap_or_default(),
            None => backlog(&mut feed).await,
        };
        let over = heard.last() == Some(&Heard::Over);
        let urgent = heard.into_iter().map(|heard| maker.push(heard)).filter(|urgent| *urgent).count() > 0;
        let mut pages = held.take(std::iter::from_fn(|| maker.poll()), urgent, Instant::now());
        if over {
            pages.get_or_insert_default().append(&mut held.all());
        }
        publisher.send_all(pages.into_iter().flatten().map(Piece));
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

/// What comes next and all that is at hand with it: a newcomer is to see the past at once, not page by page.
async fn backlog(feed: &mut Feed) -> Vec<Heard> {
    let mut heard = vec![feed.next().await];
    while matches!(heard.last(), Some(Heard::Source(_) | Heard::Page(_)))
        && heard.len() < MOST_AT_ONCE
        && let Some(next) = unconstrained(feed.next()).now_or_never()
    {
        heard.push(next);
    }
    heard
}

/// Tags that are messages of a WebSocket, pressed together.
fn catch_up_framed(messages: &Bytes) -> Option<Bytes> {
    let tags: Vec<Bytes> = websocket::messages(messages)?;
    let pressed = flv::catch_up(&tags.concat().into())?;
    Some(flv::split(&pressed).iter().map(|tag| websocket::message(tag)).collect::<Vec<_>>().concat().into())
}

/// Pages that are made and published together; a group of pictures has a few hundred.
const MOST_AT_ONCE: usize = 4_096;
/// What listeners of Flash video over HTTP are shown: codecs by FourCC, one track of a kind.
const FLV_VIEW: View = View::Enhanced;
/// How long a rendition is made for nobody.
const LINGER: Duration = Duration::from_secs(5);
/// How often it is looked whether all have left.
const LOOK: Duration = Duration::from_millis(250);
