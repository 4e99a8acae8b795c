//! The listeners of one rendition in one reactor, and the reel they share.

use super::{
    Config,
    inbox::{Bell, Inbox},
    place::Place,
    reel::{Keep, Reel},
    stats::RenditionTally,
    wheel::Tick,
};
use crate::{Piece, Rendition};
use levada_channel::{Channel, Start, Subscriber, Taken};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Waker,
    time::{Duration, Instant},
};

/// A reel, the subscription that feeds it, and who listens. It lives while somebody does.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) rendition: Arc<Rendition>,
    pub(super) reel: Reel,
    pub(super) members: Vec<u32>,
    /// Members who are served at each publish: low latency, and those who wait for the first entry.
    pub(super) prompt: Vec<u32>,
    /// When the reel was last filled.
    pub(super) fresh: Tick,
    /// No member needs anything before this offset.
    pub(super) floor: u64,
    /// The channel that the reel was last fed from, and the subscription while it lasts.
    channel: Option<Channel<Piece>>,
    subscriber: Option<Subscriber<Piece>>,
    missed: u64,
    /// Another channel is live already.
    succeeded: bool,
    /// Rings when there is something to read or another channel.
    bell: Waker,
    hung: bool,
    tally: Arc<RenditionTally>,
}

impl Crowd {
    /// A crowd of nobody yet, under `key` in its reactor.
    pub(super) fn new(
        rendition: Arc<Rendition>,
        key: usize,
        inbox: Arc<Inbox>,
        tally: Arc<RenditionTally>,
        config: &Config,
        now: Instant,
    ) -> Crowd {
        let keep = Keep { time: config.lag.saturating_add(MARGIN), bytes: room(config.lag_bytes, 0) };
        Crowd {
            rendition,
            reel: Reel::new(keep, now),
            members: Vec::new(),
            prompt: Vec::new(),
            fresh: Tick::default(),
            floor: 0,
            channel: None,
            subscriber: None,
            missed: 0,
            succeeded: false,
            bell: Arc::new(Bell { crowd: key, inbox }).into(),
            hung: false,
            tally,
        }
    }

    /// Holds what a member needs who begins with `burst`, besides the lag that is allowed to all.
    pub(super) fn widen(&mut self, burst: Start, config: &Config) {
        if let Start::Burst { time, bytes } = burst {
            let time = config.lag.saturating_add(time).saturating_add(MARGIN);
            self.reel.widen(Keep { time, bytes: room(config.lag_bytes, bytes) });
        }
    }

    /// Puts the next batch of the live channel on the reel; whether there may be more.
    pub(super) fn draw(&mut self, batch: &mut Vec<Piece>, now: Instant) -> bool {
        let Some(subscriber) = self.subscriber.as_mut() else { return self.tune_in() };
        let mut room = BATCH;
        let taken = subscriber.drain(|piece| {
            room = room.saturating_sub(piece.0.bytes.len().max(1 << 10));
            batch.push(piece);
            room > 0
        });
        batch.drain(..).for_each(|piece| self.reel.push(&piece.0, now));
        let over = match taken {
            Taken::Item(()) => return true,
            Taken::Ended => true,
            // the old one is read once more after the new one was seen: what came before that is not lost
            Taken::Empty => {
                let succeeded = self.has_successor();
                std::mem::replace(&mut self.succeeded, succeeded)
            }
        };
        if over {
            (self.subscriber, self.succeeded) = (None, false);
        }
        over || self.succeeded
    }

    /// How many pages were lost on the way from the channel since the last time.
    pub(super) fn missed(&mut self) -> u64 {
        let missed = self.subscriber.as_ref().map_or(self.missed, Subscriber::skipped);
        missed - std::mem::replace(&mut self.missed, missed)
    }

    /// Subscribes to the live channel if that is another than the last.
    fn tune_in(&mut self) -> bool {
        let Some(channel) = self.rendition.channel().filter(|live| self.is_news(live)) else { return false };
        let Keep { time, bytes } = self.reel.keep();
        let burst = Start::Burst { time, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) };
        self.subscriber = Some(channel.subscribe(burst));
        self.missed = 0;
        self.channel = Some(channel);
        self.reel.restart();
        true
    }

    fn has_successor(&self) -> bool {
        self.rendition.channel().is_some_and(|live| self.is_news(&live))
    }

    fn is_news(&self, live: &Channel<Piece>) -> bool {
        self.channel.as_ref().is_none_or(|known| !known.is(live))
    }

    /// Has the bell rung at the next page or channel, if anybody is to be served promptly; `false` if there is one
    /// already.
    pub(super) fn hang_bell(&mut self) -> bool {
        if self.hung || self.prompt.is_empty() {
            return true;
        }
        let quiet = self.subscriber.as_mut().is_none_or(|subscriber| subscriber.on_wake(&self.bell));
        self.hung = quiet && self.rendition.on_open(self.channel.as_ref(), &self.bell);
        self.hung
    }

    /// The bell rang.
    pub(super) fn rung(&mut self) {
        self.hung = false;
    }

    /// A member has a new place, which may be before all others.
    pub(super) fn keep_for(&mut self, place: &Place) {
        self.floor = self.floor.min(place.needs().unwrap_or(u64::MAX));
    }

    pub(super) fn enter(&mut self, key: u32) -> u32 {
        self.tally.listeners.fetch_add(1, Relaxed);
        self.members.push(key);
        self.members.len() as u32 - 1
    }

    /// Member number `member` leaves; gives the key of who has that number now, if somebody has.
    pub(super) fn leave(&mut self, member: u32) -> Option<u32> {
        self.tally.listeners.fetch_sub(1, Relaxed);
        remove(&mut self.members, member)
    }

    pub(super) fn enter_prompt(&mut self, key: u32) -> u32 {
        self.prompt.push(key);
        self.prompt.len() as u32 - 1
    }

    pub(super) fn leave_prompt(&mut self, number: u32) -> Option<u32> {
        remove(&mut self.prompt, number)
    }

    pub(super) fn count(&self, bytes: u64) {
        self.tally.bytes.fetch_add(bytes, Relaxed);
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.rendition.off_open(&self.bell);
    }
}

/// Bytes that a reel holds for a burst and the lag allowed beyond it.
fn room(lag: usize, burst: usize) -> u64 {
    lag.saturating_add(burst).saturating_add(BATCH) as u64
}

/// Removes number `number`; gives who has that number now.
fn remove(keys: &mut Vec<u32>, number: u32) -> Option<u32> {
    keys.swap_remove(number as usize);
    keys.get(number as usize).copied()
}

/// What is taken from a channel at once, before those in the way of new bytes are moved.
const BATCH: usize = 1 << 20;
/// A listener is looked at each second; this much later it may still be where it was.
const MARGIN: Duration = Duration::from_secs(3);
