//! What the Tags element says is playing.

use super::element::{child, children, id};
use crate::Tags;

/// Title, artist and album of the whole segment; tags of single tracks do not count.
pub(super) fn tags(body: &[u8]) -> Tags {
    let mut tags = Tags::default();
    for (_, _, tag) in children(body).filter(|child| child.0 == id::TAG) {
        let of_track =
            child(tag, id::TARGETS).is_some_and(|targets| child(targets, id::TAG_TRACK_UID).is_some());
        if of_track {
            continue;
        }
        for (_, _, simple) in children(tag).filter(|child| child.0 == id::SIMPLE_TAG) {
            let text = || text(child(simple, id::TAG_STRING).unwrap_or_default());
            match child(simple, id::TAG_NAME).unwrap_or_default().to_ascii_uppercase().as_slice() {
                b"TITLE" => tags.title = text(),
                b"ARTIST" => tags.artist = text(),
                b"ALBUM" => tags.album = text(),
                b"URL" => tags.url = text(),
                _ => {}
            }
        }
    }
    tags
}

/// A string, which may be padded with zeros.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned()
}
