//! Opens Flash video into tracks and frames.

use super::{
    file::{Reader, Unit},
    meta, tag,
};
use crate::{Error, Item};
use std::sync::Arc;

/// Yields the tracks whenever a sequence header changes them, their frames on one timeline of milliseconds, and the
/// title of `onMetaData`. Damaged tags are left out.
#[derive(Default)]
pub struct Demux {
    reader: Reader,
    tags: tag::Reader,
}

impl Demux {
    /// A demuxer that has seen nothing.
    pub fn new() -> Demux {
        Demux::default()
    }
}

impl crate::Demux for Demux {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Result<Option<Item>, Error> {
        loop {
            if let Some(item) = self.tags.poll() {
                return Ok(Some(item));
            }
            match self.reader.poll() {
                None => return Ok(None),
                Some(Unit::Head(_)) => self.tags.restart(),
                Some(Unit::Tag(tag, _)) if meta::is_meta(&tag) => {
                    let tags = meta::tags(&tag.payload);
                    if !tags.is_empty() {
                        return Ok(Some(Item::Tags(Arc::new(tags))));
                    }
                }
                // a tag that cannot be read is damage, and the next one may be whole again
                Some(Unit::Tag(tag, _)) => drop(self.tags.push(&tag)),
            }
        }
    }

    fn finish(&mut self) {
        self.reader.window.finish();
    }
}
