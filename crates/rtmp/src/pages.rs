//! A stream as pages of RTMP: cut into chunks once, shared by all players.

use crate::{
    chunk::{self, Serialized},
    message::{Control, Message},
    tag as message_tag,
};
use bytes::{Bytes, BytesMut};
use levada_media::{
    Error, Item, Mux, Page,
    container::flv::tag::{self, Lineup, Tag, View, Writer},
};
use std::time::Duration;

/// The rendition of a stream for RTMP players of one [`View`].
///
/// Fed with the tags of a publisher as they came ([`Pages::tag`]) or with the items of any other source ([`Mux`]), not
/// with both. A newcomer gets the header set and may then begin at an entry page; every page is whole messages and
/// means the same to each player of [`crate::server::Session`].
#[derive(Debug)]
pub struct Pages {
    lineup: Lineup,
    writer: Writer,
}

impl Pages {
    /// A stream for players of `view`.
    pub fn new(view: View) -> Pages {
        Pages { lineup: Lineup::new(view), writer: Writer::new(view) }
    }

    /// Takes the next tag of the publisher.
    ///
    /// # Errors
    /// When it cannot be read; it is left out and the next one may follow.
    pub fn tag(&mut self, tag: &Tag) -> Result<(), tag::Error> {
        self.lineup.push(tag)
    }

    /// Messages as pages have them, one after the other, pressed together by [`tag::catch_up`].
    pub fn catch_up(messages: &Bytes) -> Option<Bytes> {
        let mut sized = BytesMut::new();
        let size: Message = Control::ChunkSize(chunk::OUT_SIZE).message();
        chunk::write(&mut sized, chunk::CONTROL, chunk::DEFAULT_SIZE, &size).ok()?;
        let mut reader = chunk::Reader::new(chunk::Limits::default());
        reader.push(&sized);
        reader.push(messages);
        let mut tags = Vec::new();
        while let Some(message) = reader.poll().ok()? {
            tags.extend(message_tag::read(&message));
        }
        let pressed = tag::catch_up(&tags)?;
        let pressed: Result<Vec<_>, _> =
            pressed.iter().map(|tag| Serialized::new(tag).map(|one| one.bytes)).collect();
        Some(pressed.ok()?.concat().into())
    }

    /// Another publisher follows, who counts from anew: time goes on for the players.
    pub fn restart(&mut self) {
        self.lineup.restart();
    }
}

impl Mux for Pages {
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
            // a tag too long for a message cannot be told to anybody
            let Ok(Serialized { bytes }) = Serialized::new(&placed.tag) else { continue };
            let at = Duration::from_millis(u64::try_from(placed.at.0).unwrap_or(0));
            return Some(Page::new(bytes, placed.role).at(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_media::{Codec, Frame, Role, Span, Timebase, Timestamp, TrackId, TrackInfo};

    fn info(id: u32, codec: Codec, setup: &'static [u8]) -> TrackInfo {
        TrackInfo { id: TrackId(id), codec, timebase: Timebase::MPEG, setup: Bytes::from_static(setup) }
    }

    #[test]
    fn items_become_messages_with_metadata_and_headers_first() {
        let mut pages = Pages::new(View::Old);
        let tracks = [info(0, Codec::H264, b"avcC"), info(1, Codec::Aac, b"\x12\x10")];
        pages.push(&Item::Tracks(tracks.into())).unwrap();
        let frame = |dts, pts| Frame {
            track: TrackId(0),
            dts: Timestamp(dts),
            pts: Timestamp(pts),
            span: Span(0),
            key: true,
            data: Bytes::from_static(b"picture"),
        };
        pages.push(&Item::Frame(frame(90_000, 93_600))).unwrap();
        let all: Vec<Page> = std::iter::from_fn(|| pages.poll()).collect();
        let roles: Vec<_> = all.iter().map(|page| page.role).collect();
        assert_eq!(roles, [Role::Header, Role::Header, Role::Header, Role::Entry]);
        assert_eq!(all[3].at, Some(Duration::from_secs(1)));
        let mut reader = chunk::Reader::new(chunk::Limits::default());
        reader.push(&all[3].bytes);
        let message = reader.poll().unwrap().unwrap();
        assert_eq!((message.timestamp, &message.payload[..5]), (1_000, &[0x17, 1, 0, 0, 40][..]));
    }
}
