//! One output format of one mount, which outlives the sources that feed it.

use crate::Piece;
use levada_channel::{Bounds, Channel, Publisher};
use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
};
use tokio::sync::watch;

/// Names a rendition for as long as the server runs; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionId(pub u64);

/// What a mount's listeners subscribe to: at most one live channel at a time. Whoever follows a rendition goes on with
/// the next channel when one ends.
#[derive(Debug)]
pub struct Rendition {
    /// Its name.
    pub id: RenditionId,
    bounds: Bounds,
    live: watch::Sender<Option<Channel<Piece>>>,
    /// Who waits for the next channel outside the async runtime; one entry per reactor that listens.
    waiting: Mutex<Vec<Waker>>,
}

impl Rendition {
    /// A rendition without a channel, whose channels will hold what is usual (16 MiB, 30 s).
    pub fn new(id: RenditionId) -> Arc<Rendition> {
        Rendition::bounded(id, Bounds::default())
    }

    /// A rendition without a channel, whose channels will hold what `bounds` say.
    pub fn bounded(id: RenditionId, bounds: Bounds) -> Arc<Rendition> {
        let (live, _) = watch::channel(None);
        Arc::new(Rendition { id, bounds, live, waiting: Mutex::default() })
    }

    /// Opens a new channel and makes it the live one. The publisher of an older one can go on sending, but nobody
    /// finds it any more.
    pub fn open(&self) -> Publisher<Piece> {
        let (publisher, channel) = Channel::new(self.bounds);
        self.live.send_replace(Some(channel));
        self.waiting().drain(..).for_each(Waker::wake);
        publisher
    }

    /// The live channel, if a source has opened one; it may have ended since.
    pub fn channel(&self) -> Option<Channel<Piece>> {
        self.live.borrow().clone()
    }

    /// Tells each time another channel goes live.
    pub fn watch(&self) -> watch::Receiver<Option<Channel<Piece>>> {
        self.live.subscribe()
    }

    /// Wakes `waker` once when a channel other than `known` is live; `false` if one is already.
    pub(crate) fn on_open(&self, known: Option<&Channel<Piece>>, waker: &Waker) -> bool {
        let mut waiting = self.waiting();
        let live = self.live.borrow();
        let news = match (live.as_ref(), known) {
            (Some(live), Some(known)) => !live.is(known),
            (live, known) => live.is_some() != known.is_some(),
        };
        if !news && !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        !news
    }

    /// Forgets what [`Rendition::on_open`] was told to wake.
    pub(crate) fn off_open(&self, waker: &Waker) {
        self.waiting().retain(|other| !other.will_wake(waker));
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
