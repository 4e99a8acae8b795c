//! One logical stream: what it is coded in, how far its headers have come, what is on each of its pages.

use super::coding::Coding;
use super::page::{self, PageHeader, Piece};
use crate::codec::{comments, vorbis};
use crate::{Tags, TrackId, TrackInfo};
use bytes::{Bytes, BytesMut};

/// A logical stream of which the first page has been seen.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) serial: u32,
    pub(super) coding: Coding,
    /// Header packets that were kept, complete.
    pub(super) headers: Vec<Bytes>,
    /// For Vorbis: which packets are long.
    pub(super) modes: Option<vorbis::Modes>,
    /// A packet goes on over the end of the last page.
    pub(super) open: bool,
    /// Its last page has been seen.
    pub(super) ended: bool,
    /// Number of the page after the last one.
    pub(super) sequence: u32,
    /// Position at the last page that had one.
    pub(super) granule: i64,
    done: u32,
    /// The header packet that goes on.
    partial: Option<BytesMut>,
    /// No header will come any more.
    settled: bool,
    /// A header is missing or wrong, so that nobody can decode this.
    broken: bool,
}

/// What was found on one page of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Some of a header packet is here.
    pub(super) header: bool,
    /// Where the data packets are, from a page's first piece that is no header.
    pub(super) data: Vec<Piece>,
    /// Which of `data` is the first to begin a key frame.
    pub(super) first_key: Option<usize>,
    /// What a comment header that ends here says.
    pub(super) tags: Option<Tags>,
    /// Pages before this one were lost.
    pub(super) gap: bool,
}

impl Seen {
    /// Where the first packet begins, among `data`.
    pub(super) fn first_begun(&self) -> Option<usize> {
        self.data.iter().position(|piece| piece.begins)
    }
}

impl Stream {
    /// A stream that begins with `page`.
    pub(super) fn new(header: &PageHeader, page: &[u8]) -> Stream {
        let first = page::pieces(page).next().and_then(|piece| page.get(piece.range)).unwrap_or_default();
        Stream {
            serial: header.serial,
            coding: Coding::identify(first),
            headers: Vec::new(),
            modes: None,
            open: false,
            ended: false,
            sequence: header.sequence,
            granule: 0,
            done: 0,
            partial: None,
            settled: false,
            broken: false,
        }
    }

    /// Whether no header is missing any more, be it that they are all here or will never come.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether a newcomer who gets the headers can decode it.
    pub(super) fn is_sound(&self) -> bool {
        self.settled && !self.broken
    }

    /// The track it is, once its headers are complete.
    pub(super) fn track(&self, id: TrackId) -> Option<TrackInfo> {
        let (codec, timebase) = (self.coding.codec(), self.coding.timebase());
        self.is_sound().then(|| TrackInfo { id, codec, timebase, setup: self.coding.setup(&self.headers) })
    }

    /// No header comes any more; those that have not come are missing.
    pub(super) fn settle(&mut self) {
        self.broken |= self.done < self.coding.needs();
        self.settled = true;
    }

    /// Looks at the next page of this stream.
    pub(super) fn read(&mut self, header: &PageHeader, page: &Bytes) -> Seen {
        let mut seen = Seen { gap: header.sequence != self.sequence, ..Seen::default() };
        if seen.gap || !header.continued {
            // a header that was not finished never will be
            self.broken |= self.partial.take().is_some();
        }
        for piece in page::pieces(page) {
            self.piece(piece, page, &mut seen);
        }
        self.open = page::pieces(page).last().is_some_and(|piece| !piece.ends);
        self.sequence = header.sequence.wrapping_add(1);
        self.ended = header.last;
        self.granule = header.mark().unwrap_or(self.granule);
        if header.last || self.coding.headers().is_some_and(|headers| self.done >= headers) {
            self.settle();
        }
        seen
    }

    fn piece(&mut self, piece: Piece, page: &Bytes, seen: &mut Seen) {
        let bytes = page.get(piece.range.clone()).unwrap_or_default();
        let starts = piece.begins && !self.settled && self.coding.is_header(self.done, bytes);
        if starts {
            self.partial = Some(BytesMut::new());
        }
        let Some(partial) = self.partial.as_mut() else { return self.data(piece, bytes, seen) };
        seen.header = true;
        let room = LONGEST_HEADER.saturating_sub(partial.len());
        partial.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        if piece.ends
            && let Some(packet) = self.partial.take()
        {
            seen.tags = self.header(packet.freeze()).or(seen.tags.take());
        }
    }

    fn data(&mut self, piece: Piece, bytes: &[u8], seen: &mut Seen) {
        if piece.begins && !self.settled && self.done > 0 && self.coding.is_media() {
            self.settle();
        }
        if piece.begins && seen.first_key.is_none() && self.coding.is_key(bytes) {
            seen.first_key = Some(seen.data.len());
        }
        seen.data.push(piece);
    }

    /// A header packet is complete; gives what it says to a listener.
    fn header(&mut self, packet: Bytes) -> Option<Tags> {
        let number = self.done;
        self.done = self.done.saturating_add(1);
        self.broken |= !self.coding.accepts(number, &packet);
        let said = self.coding.comments(number, &packet).map(comments::tags);
        if matches!(self.coding, Coding::Vorbis(_)) && number == 2 {
            self.modes = vorbis::Modes::parse(&packet);
        }
        if self.coding.keeps(number) {
            self.headers.push(packet);
        }
        if self.coding.headers().is_some_and(|headers| self.done >= headers) {
            self.settle();
        }
        said
    }
}

/// Longest header packet that is kept whole, in bytes. Longer ones (a picture among the comments) still pass
/// on; only the beginning of what they say is understood.
const LONGEST_HEADER: usize = 128 * 1024;
