//! Joins a logical stream's end to its beginning, without a header between.

use super::clock::Clock;
use super::packet::Assembler;
use super::page::{self, PageHeader};
use super::stream::{Seen, Stream};
use crate::Timestamp;
use bytes::Bytes;
use std::time::Duration;

/// One logical stream that never ends, out of rounds of a stream that does.
#[derive(Debug)]
pub(super) struct Seam {
    /// What every round must begin with.
    headers: Vec<Bytes>,
    serial: u32,
    /// The number of the next page, once there was one.
    sequence: Option<u32>,
    assembler: Assembler,
    /// Times the packets as the round that runs says.
    clock: Clock,
    /// How much later than that they come, in ticks; `None` before the first page of a round.
    shift: Option<i64>,
    /// When the last packet ends, in ticks.
    end: i64,
}

impl Seam {
    /// The first round of a stream, whose headers are over.
    pub(super) fn new(stream: &Stream) -> Seam {
        Seam {
            headers: stream.headers.clone(),
            serial: stream.serial,
            sequence: None,
            assembler: Assembler::default(),
            clock: Clock::default(),
            shift: Some(0),
            end: 0,
        }
    }

    /// Whether another round can be joined to this one at all.
    pub(super) fn can_join(stream: &Stream) -> bool {
        let timed = stream.coding.codec() != crate::Codec::Vorbis || stream.modes.is_some();
        stream.is_sound() && stream.coding.can_join() && timed
    }

    /// Whether `stream` can go on where this one stops.
    pub(super) fn fits(&self, stream: &Stream) -> bool {
        Seam::can_join(stream) && self.headers == stream.headers
    }

    /// Another round begins.
    pub(super) fn restart(&mut self) {
        self.assembler.tear();
        self.clock.restart();
        self.shift = None;
    }

    /// When the last packet ends.
    pub(super) fn end(&self, stream: &Stream) -> Duration {
        stream.coding.timebase().duration(Timestamp(self.end))
    }

    /// The next page of the endless stream; `None` where nothing is left of it. A round begins at `from`, where what
    /// it calls `zero` is.
    pub(super) fn page(
        &mut self,
        stream: &Stream,
        header: &PageHeader,
        page: &Bytes,
        seen: &Seen,
        from: impl FnOnce(Duration) -> (Duration, Duration),
    ) -> Option<Bytes> {
        if seen.gap || !header.continued {
            self.assembler.tear();
        }
        for packet in seen.data.iter().filter_map(|piece| self.assembler.take(piece, page)) {
            self.clock.push(stream, packet);
        }
        let first = self.clock.stamp(stream, header.mark(), false).first().map(|packet| packet.at);
        let timebase = stream.coding.timebase();
        if let (None, Some(first)) = (self.shift, first) {
            let (begins, zero) = from(timebase.duration(first));
            let shift = timebase.ticks(begins).0.saturating_sub(timebase.ticks(zero).0);
            self.shift = Some(shift.max(self.end.saturating_sub(first.0)));
        }
        let shift = self.shift.unwrap_or(0);
        self.end = self.clock.end().map_or(self.end, |end| end.0.saturating_add(shift));
        if seen.data.iter().all(|piece| piece.range.is_empty()) {
            return None;
        }
        let granule = match header.mark() {
            // an end that was cut is not cut any more
            Some(_) if header.last && !stream.coding.is_video() => self.end - stream.coding.start().0,
            Some(granule) => stream.coding.later(granule, shift),
            None => -1,
        };
        let (serial, sequence) = (self.serial, self.sequence.unwrap_or(header.sequence));
        self.sequence = Some(sequence.wrapping_add(1));
        Some(page::rewrite(page, &PageHeader { last: false, serial, sequence, granule, ..*header }))
    }
}
