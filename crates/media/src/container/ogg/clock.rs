//! Gives the packets of one stream their time, which Ogg says only once a page.

use super::coding::Coding;
use super::stream::Stream;
use crate::codec::{flac, opus};
use crate::{Span, Timestamp};
use bytes::Bytes;

/// A packet with its place in the stream's own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) data: Bytes,
    pub(super) at: Timestamp,
    pub(super) span: Span,
    pub(super) key: bool,
}

/// Holds packets until their page, or the first after it that does, says when the last of them ends.
///
/// Holds at most [`MOST_WAITING`] packets; when there are more, they follow where the last ones ended.
#[derive(Debug, Default)]
pub(super) struct Clock {
    waiting: Vec<(Bytes, u64)>,
    /// Where the next packet begins, once anything has been timed.
    next: Option<i64>,
    /// Samples of the last Vorbis block, which overlaps with the next.
    block: Option<u16>,
}

impl Clock {
    /// Pages were lost: the next block overlaps with none that we know.
    pub(super) fn tear(&mut self) {
        self.block = None;
    }

    /// The stream begins again by its own time, but its decoder goes on.
    pub(super) fn restart(&mut self) {
        self.next = None;
    }

    /// When the last packet that has been timed ends, uncut; `None` before the first.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.next.map(Timestamp)
    }

    /// Takes the next whole packet.
    pub(super) fn push(&mut self, stream: &Stream, packet: Bytes) {
        let span = self.span(stream, &packet);
        self.waiting.push((packet, span));
    }

    /// The page ends: what can be timed now. `mark` is its granule if it has one, `last` whether the stream
    /// ends here, in which case the last packets are cut to the granule.
    pub(super) fn stamp(&mut self, stream: &Stream, mark: Option<i64>, last: bool) -> Vec<Timed> {
        let end = mark.and_then(|granule| stream.coding.end(granule)).map(|end| end.0);
        let nothing = end.is_some_and(|end| self.next.is_some_and(|next| end <= next));
        if nothing && self.waiting.iter().all(|(packet, _)| packet.is_empty()) {
            // VLC ends its streams with an empty packet that its granules do not count
            self.waiting.clear();
        }
        if self.waiting.is_empty() || end.is_none() && self.waiting.len() < MOST_WAITING {
            return Vec::new();
        }
        let total = self.waiting.iter().fold(0i64, |sum, (_, span)| sum.saturating_add_unsigned(*span));
        let first = stream.coding.start().0;
        let end = end.unwrap_or(self.next.unwrap_or(first).saturating_add(total));
        let earliest = self.next.unwrap_or(if last { first } else { i64::MIN });
        let mut at = end.saturating_sub(total).max(earliest);
        let mut timed = Vec::with_capacity(self.waiting.len());
        for (data, span) in self.waiting.drain(..) {
            let room = if last { end.saturating_sub(at).max(0).unsigned_abs() } else { span };
            // an empty packet repeats a picture, or is what an encoder ended its last page with
            if !data.is_empty() {
                let key = stream.coding.is_key(&data);
                timed.push(Timed { data, at: Timestamp(at), span: Span(span.min(room)), key });
            }
            at = at.saturating_add_unsigned(span);
        }
        self.next = Some(at);
        timed
    }

    /// How long a packet lasts in ticks of its stream.
    fn span(&mut self, stream: &Stream, packet: &[u8]) -> u64 {
        match &stream.coding {
            Coding::Vorbis(ident) => {
                let block = stream.modes.and_then(|modes| modes.block(ident, packet));
                let before = std::mem::replace(&mut self.block, block);
                let (Some(before), Some(block)) = (before, block) else { return 0 };
                (u64::from(before) + u64::from(block)) / 4
            }
            Coding::Theora(_) => 1,
            Coding::Opus(_) => opus::samples(packet).unwrap_or(0).into(),
            Coding::Flac(_) => flac::samples(packet).unwrap_or(0).into(),
            Coding::Speex(head) => head.packet.into(),
            Coding::Skeleton | Coding::Unknown => 0,
        }
    }
}

/// A page holds at most 255 packets, and only a broken stream has pages in a row without a granule.
const MOST_WAITING: usize = 1024;
