//! What a mount's listeners hear, page by page, over every change of source.

use crate::{Mount, Piece, Station, switch};
use levada_channel::{Channel, Start, Subscriber};
use levada_media::{Format, Page};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};

/// Follows one mount to its sources, its fallbacks, and back.
pub struct Feed {
    mount: Arc<Mount>,
    station: Arc<Station>,
    changes: watch::Receiver<u64>,
    playing: Option<Arc<Mount>>,
    /// The channel that was read last; it is not read again.
    channel: Option<Channel<Piece>>,
    subscriber: Option<Subscriber<Piece>>,
}

/// What one hears next.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Another source begins, in this format: its header set comes, then an entry page.
    Source(Format),
    /// A page of it. One that is too slow for the channel goes on at an entry.
    Page(Page),
    /// Nothing yet.
    Nothing,
    /// The mount has been silent for longer than its listeners are kept.
    Over,
}

impl Feed {
    /// Begins with the newest entry of what `mount` plays.
    pub fn new(mount: Arc<Mount>, station: Arc<Station>) -> Feed {
        let changes = station.mounts.watch();
        Feed { mount, station, changes, playing: None, channel: None, subscriber: None }
    }

    /// What comes next; [`Heard::Nothing`] at the latest after a moment without anything. Can be dropped while it
    /// waits; nothing is lost.
    pub async fn next(&mut self) -> Heard {
        loop {
            if self.subscriber.is_none()
                && let Some(format) = self.tune()
            {
                return Heard::Source(format);
            }
            let Some(subscriber) = &mut self.subscriber else { return self.wait().await };
            tokio::select! {
                piece = subscriber.next() => match piece {
                    Some(Piece(page)) => return Heard::Page(page),
                    None => self.subscriber = None,
                },
                _ = self.changes.changed() => self.look(),
                () = sleep(LOOK) => return Heard::Nothing,
            }
        }
    }

    /// The mount that plays now, once there is one.
    pub fn playing(&self) -> Option<&Arc<Mount>> {
        self.playing.as_ref()
    }

    async fn wait(&mut self) -> Heard {
        let linger = self.mount.policy().linger;
        if self.mount.silent_for(Instant::now()).is_some_and(|silence| silence > linger) {
            return Heard::Over;
        }
        tokio::select! {
            _ = self.changes.changed() => {}
            () = sleep(LOOK) => {}
        }
        Heard::Nothing
    }

    /// Leaves what plays when listeners do.
    fn look(&mut self) {
        let target = switch::audible(&self.mount, &self.station);
        let moves =
            |target: &Arc<Mount>| self.playing.as_ref().is_some_and(|here| !Arc::ptr_eq(here, target));
        if target.as_ref().is_some_and(moves) {
            self.subscriber = None;
        }
    }

    /// Begins to read what is audible now, if that is something new; gives its format.
    fn tune(&mut self) -> Option<Format> {
        let target = switch::audible(&self.mount, &self.station)?;
        let source = target.source()?;
        let known = |channel: &Channel<Piece>| self.channel.as_ref().is_some_and(|known| known.is(channel));
        let channel = target.rendition.channel().filter(|channel| !known(channel))?;
        self.subscriber = Some(channel.subscribe(Start::Entry));
        self.channel = Some(channel);
        self.playing = Some(target);
        Some(source.format)
    }
}

/// How long nobody is told that there is nothing.
const LOOK: Duration = Duration::from_millis(250);
