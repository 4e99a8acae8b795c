//! Bare MPEG audio, layers I to III: what `audio/mpeg` streams are made of.

use crate::{Codec, Timebase, TrackId, TrackInfo, codec::mpa::Header, container::bare};
use bytes::Bytes;

/// Cuts MPEG audio into pages, one a frame.
pub type Cutter = bare::Cutter<Header>;
/// Opens MPEG audio into frames; each keeps its header, which decoders want.
pub type Demux = bare::Demux<Header>;
/// Joins the end of an MPEG audio file to its beginning.
pub type Splice = bare::Splice<Header>;

impl bare::Header for Header {
    const LEN: usize = Header::LEN;

    fn parse(bytes: &[u8]) -> Option<Self> {
        Header::parse(bytes)
    }

    fn size(&self) -> Option<usize> {
        self.size()
    }

    fn padding(&self) -> usize {
        self.padding()
    }

    fn same(&self, other: &Self) -> bool {
        self.same(other)
    }

    fn samples(&self) -> u32 {
        self.samples()
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn is_table(&self, frame: &[u8]) -> bool {
        self.is_table(frame)
    }

    fn reservoir(&self, frame: &[u8]) -> usize {
        self.reservoir(frame)
    }

    fn shell(&self) -> usize {
        0
    }

    fn track(&self) -> TrackInfo {
        TrackInfo {
            id: TrackId(0),
            codec: Codec::Mp3,
            timebase: Timebase::hz(self.rate),
            setup: Bytes::new(),
        }
    }
}
