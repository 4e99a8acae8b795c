//! In which shape a listener gets the stream: as it came, or as Flash video over HTTP or WebSocket.

use crate::{
    Mount, Source, Station,
    admission::{followed, merge, start},
    egress::{Farewell, Joining, Pace},
    http::{Answer, Head, Status},
    renditions::Output,
    websocket,
};
use bytes::Bytes;
use levada_media::{Format, Kind, container::flv};
use std::sync::Arc;

/// What a source is called when its stream is made into Flash video.
pub(super) fn introduce(source: &Source) -> Source {
    let (content_type, format) = (Format::Flv.content_type().to_owned(), Format::Flv);
    Source { content_type, format, ..source.clone() }
}

/// The head of the answer that makes a WebSocket of the connection.
pub(super) fn socket_head(head: &Head) -> Bytes {
    let answer = Answer::new(head.version, Status(101, "Switching Protocols"));
    answer
        .field("Upgrade", "websocket")
        .field("Connection", "Upgrade")
        .field("Sec-WebSocket-Accept", websocket::accept(websocket::key(head).unwrap_or_default()))
        .head()
}

/// Has `joining` begin with the file header and go on with the tags of `mount`, or of `playing`, whose guest it is.
pub(super) fn change(
    joining: &mut Joining,
    output: Output,
    head: &Head,
    mount: &Arc<Mount>,
    playing: Arc<Mount>,
    station: &Station,
) {
    let tracks = playing.tracks();
    let has = |kind| tracks.is_empty() || tracks.iter().any(|track| track.codec.kind() == kind);
    let mut first = flv::file_header(has(Kind::Audio), has(Kind::Video));
    if output == Output::FlvSocket {
        first = websocket::message(&first);
        joining.farewell = Some(Farewell { ended: Bytes::from_static(websocket::CLOSE), draining: None });
    }
    joining.head = [&joining.head[..], &first].concat().into();
    let start = start(head, mount);
    (joining.burst, joining.catch_up) = (start.burst(), start.catch_up(output));
    let merge = merge(head, mount);
    joining.pace = Pace::Low; // what waits for company has waited in the rendition
    joining.rendition = station.renditions.open(&followed(mount, playing, station), output, merge, station);
    joining.intro = None;
}
