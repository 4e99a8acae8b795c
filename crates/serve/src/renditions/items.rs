//! What a mount's listeners hear, opened into tracks and frames.

use super::{Feed, Heard};
use crate::{Mount, Station};
use levada_media::{Demux, Format, Item};
use std::sync::Arc;

/// The items of a mount, over every change of source.
pub struct Items {
    feed: Feed,
    demux: Option<Box<dyn Demux>>,
}

/// What comes next of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Another source begins: its tracks come next, and its time has nothing to do with what was.
    Source(Format),
    /// A track list, a frame or a title.
    Item(Item),
    /// The mount has been silent for longer than its listeners are kept.
    Over,
}

impl Items {
    /// Begins with the newest entry of what `mount` plays.
    pub fn new(mount: Arc<Mount>, station: Arc<Station>) -> Items {
        Items { feed: Feed::new(mount, station), demux: None }
    }

    /// What comes next. Can be dropped while it waits; nothing is lost.
    pub async fn next(&mut self) -> Step {
        loop {
            if let Some(item) = self.poll() {
                return Step::Item(item);
            }
            match self.feed.next().await {
                Heard::Source(format) => {
                    self.demux = format.demuxer();
                    return Step::Source(format);
                }
                Heard::Page(page) => {
                    if let Some(demux) = &mut self.demux {
                        demux.push(&page.bytes);
                    }
                    if let Some(tags) = page.tags.filter(|_| page.bytes.is_empty()) {
                        return Step::Item(Item::Tags(tags));
                    }
                }
                Heard::Nothing => {}
                Heard::Over => return Step::Over,
            }
        }
    }

    /// The next item at hand. A source that is not what it said has none.
    fn poll(&mut self) -> Option<Item> {
        match self.demux.as_mut()?.poll() {
            Ok(item) => item,
            Err(why) => {
                tracing::warn!(%why, "a stream cannot be opened");
                self.demux = None;
                None
            }
        }
    }
}
