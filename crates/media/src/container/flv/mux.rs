//! Closes tags or items into the pages of a Flash video stream.

use super::{
    tag::{self, Lineup, Tag, View, Writer},
    wrap,
};
use crate::{Error, Item, Page};
use std::time::Duration;

/// The tags of a stream for players of one [`View`], one page a tag. The file header is not among the pages: it comes
/// once, before them, for each player ([`super::file_header`]), so that a source may begin anew in mid-stream.
///
/// Fed with tags ([`Mux::tag`]) or with the items of any other source ([`crate::Mux`]).
#[derive(Debug)]
pub struct Mux {
    lineup: Lineup,
    writer: Writer,
}

impl Mux {
    /// A stream for players of `view`.
    pub fn new(view: View) -> Mux {
        Mux { lineup: Lineup::new(view), writer: Writer::new(view) }
    }

    /// Takes the next tag of a source.
    ///
    /// # Errors
    /// When it cannot be read; it is left out and the next one may follow.
    pub fn tag(&mut self, tag: &Tag) -> Result<(), tag::Error> {
        self.lineup.push(tag)
    }

    /// Another source follows, which counts from anew: time goes on for the players.
    pub fn restart(&mut self) {
        self.lineup.restart();
    }
}

impl crate::Mux for Mux {
    fn push(&mut self, item: &Item) -> Result<(), Error> {
        let written = self.writer.push(item);
        while let Some(tag) = self.writer.poll() {
            // what the writer wrote can be read; a stream with too many tracks loses the last ones
            let _ = self.lineup.push(&tag);
        }
        written
    }

    fn poll(&mut self) -> Option<Page> {
        loop {
            let placed = self.lineup.poll()?;
            // a tag too long for readers is left out
            let Some(bytes) = wrap(&placed.tag) else { continue };
            let at = Duration::from_millis(u64::try_from(placed.at.0).unwrap_or(0));
            return Some(Page::new(bytes, placed.role).at(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Mux as _, Role,
        container::flv::{tag::Kind, unwrap},
    };
    use bytes::Bytes;

    fn tag(kind: Kind, timestamp: u32, payload: &'static [u8]) -> Tag {
        Tag { kind, timestamp, payload: Bytes::from_static(payload) }
    }

    fn publisher() -> Vec<Tag> {
        let (picture, sound) = (b"\x17\x01\0\0\0key", b"\xaf\x01sound");
        let mut tags = vec![tag(Kind::Video, 0, b"\x17\0\0\0\0avcC"), tag(Kind::Audio, 0, b"\xaf\0\x12\x10")];
        tags.extend(
            (0..50).flat_map(|n| [tag(Kind::Video, n * 40, picture), tag(Kind::Audio, n * 40, sound)]),
        );
        tags
    }

    #[test]
    fn a_source_that_begins_anew_never_sends_players_back() {
        let mut mux = Mux::new(View::Old);
        for round in 0..2 {
            publisher().iter().for_each(|tag| mux.tag(tag).unwrap());
            assert!(
                round == 1 || {
                    mux.restart();
                    true
                }
            );
        }
        let pages: Vec<Page> = std::iter::from_fn(|| mux.poll()).collect();
        let times: Vec<u32> = pages.iter().map(|page| unwrap(&page.bytes).unwrap().timestamp).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(pages.iter().filter(|page| page.role == Role::Entry).count(), 100);
        assert_eq!(pages[0].role, Role::Header);
    }
}
