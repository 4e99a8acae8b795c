//! What a server must be told of a stream, on every connection anew.

use levada_media::{
    Page, Role,
    container::flv::{self, tag::Tag},
};

/// Turns the pages of an endless Flash video into tags to publish: on each connection the header set first, then from
/// the next entry on.
#[derive(Debug, Default)]
pub struct Feeder {
    /// The newest header set.
    headers: Vec<Tag>,
    /// The last page belonged to it.
    gathering: bool,
    /// The server has had the header set, and an entry.
    begun: bool,
}

impl Feeder {
    /// Another connection: what comes next is not what the server had last.
    pub fn restart(&mut self) {
        self.begun = false;
    }

    /// The tags to send for `page`.
    pub fn feed(&mut self, page: &Page) -> Vec<Tag> {
        let Some(tag) = flv::unwrap(&page.bytes) else { return Vec::new() };
        if page.role == Role::Header {
            if !std::mem::replace(&mut self.gathering, true) {
                self.headers.clear();
            }
            self.headers.push(tag.clone());
            return if self.begun { vec![tag] } else { Vec::new() };
        }
        self.gathering = false;
        if self.begun {
            return vec![tag];
        }
        if page.role != Role::Entry {
            return Vec::new();
        }
        self.begun = true;
        let at = tag.timestamp;
        let headers = self.headers.iter().map(|header| Tag { timestamp: at, ..header.clone() });
        headers.chain([tag.clone()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use levada_media::container::flv::tag::Kind;

    fn page(role: Role, kind: Kind, timestamp: u32) -> Page {
        let tag = Tag { kind, timestamp, payload: Bytes::from_static(b"\x17\x01") };
        Page::new(flv::wrap(&tag).unwrap(), role)
    }

    #[test]
    fn each_connection_gets_the_newest_header_set_and_begins_at_an_entry() {
        let mut feeder = Feeder::default();
        let sent = |feeder: &mut Feeder, role, kind, at| {
            feeder.feed(&page(role, kind, at)).iter().map(|tag| (tag.kind, tag.timestamp)).collect::<Vec<_>>()
        };
        assert_eq!(sent(&mut feeder, Role::Header, Kind::Script, 0), []);
        assert_eq!(sent(&mut feeder, Role::Header, Kind::Video, 0), []);
        assert_eq!(sent(&mut feeder, Role::Plain, Kind::Audio, 5), []);
        let begin = [(Kind::Script, 40), (Kind::Video, 40), (Kind::Video, 40)];
        assert_eq!(sent(&mut feeder, Role::Entry, Kind::Video, 40), begin);
        assert_eq!(sent(&mut feeder, Role::Header, Kind::Video, 80), [(Kind::Video, 80)]);
        assert_eq!(sent(&mut feeder, Role::Plain, Kind::Audio, 80), [(Kind::Audio, 80)]);
        feeder.restart();
        assert_eq!(sent(&mut feeder, Role::Plain, Kind::Video, 120), []);
        assert_eq!(sent(&mut feeder, Role::Entry, Kind::Video, 160), [(Kind::Video, 160); 2]);
    }
}
