//! AAC in ADTS frames: what `audio/aac` streams are made of.

use crate::{Codec, Timebase, TrackId, TrackInfo, codec::aac::Adts, container::bare};

/// Cuts ADTS into pages, one a frame.
pub type Cutter = bare::Cutter<Adts>;
/// Opens ADTS into AAC frames without their headers; the track's set-up is an AudioSpecificConfig.
pub type Demux = bare::Demux<Adts>;
/// Joins the end of an ADTS file to its beginning.
pub type Splice = bare::Splice<Adts>;

impl bare::Header for Adts {
    const LEN: usize = Adts::LEN;

    fn parse(bytes: &[u8]) -> Option<Self> {
        Adts::parse(bytes)
    }

    fn size(&self) -> Option<usize> {
        Some(self.size)
    }

    fn padding(&self) -> usize {
        0
    }

    fn same(&self, other: &Self) -> bool {
        self.config == other.config
    }

    fn samples(&self) -> u32 {
        self.samples()
    }

    fn rate(&self) -> u32 {
        self.config.rate
    }

    fn is_table(&self, _frame: &[u8]) -> bool {
        false
    }

    fn reservoir(&self, _frame: &[u8]) -> usize {
        0
    }

    fn shell(&self) -> usize {
        self.header
    }

    fn track(&self) -> TrackInfo {
        let setup = self.config.to_bytes();
        TrackInfo { id: TrackId(0), codec: Codec::Aac, timebase: Timebase::hz(self.config.rate), setup }
    }
}
