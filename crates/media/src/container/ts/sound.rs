//! Frames of sound that follow one another, whatever PES packets they are cut into.

use super::elementary::Unit;
use crate::{Timebase, Timestamp, container::bare::Header};
use bytes::{Bytes, BytesMut};

/// Holds the beginning of a frame that goes on in the next PES packet.
pub(super) struct Sounds<H> {
    rest: BytesMut,
    last: Option<H>,
    /// The last time that a packet told, and the samples since.
    anchor: Timestamp,
    samples: u64,
}

impl<H> Default for Sounds<H> {
    fn default() -> Self {
        Sounds { rest: BytesMut::new(), last: None, anchor: Timestamp(0), samples: 0 }
    }
}

impl<H: Header> Sounds<H> {
    /// What a decoder must know first, once a frame has come.
    pub(super) fn setup(&self) -> Option<Bytes> {
        self.last.as_ref().map(|header| header.track().setup)
    }

    /// Bytes are missing before the next packet.
    pub(super) fn forget(&mut self) {
        self.rest.clear();
    }

    /// The frames that end in `unit`: when they begin, how long they last, what is in them.
    pub(super) fn open(&mut self, unit: &Unit) -> Vec<(Timestamp, u64, Bytes)> {
        let mut carried = self.rest.len();
        self.rest.extend_from_slice(&unit.data);
        let mut frames = Vec::new();
        let mut stamped = false;
        while self.rest.len() >= H::LEN {
            let Some((header, size)) = H::parse(&self.rest).and_then(|header| Some((header, header.size()?)))
            else {
                let _ = self.rest.split_to(1);
                carried = carried.saturating_sub(1);
                continue;
            };
            // a packet's time is that of the first frame that begins in it (the standard's 2.4.3.7)
            if carried == 0 && !stamped {
                (self.anchor, self.samples, stamped) = (unit.pts, 0, true);
            }
            if self.rest.len() < size {
                break;
            }
            let frame = self.rest.split_to(size).freeze();
            carried = carried.saturating_sub(size);
            frames.push(self.frame(header, &frame));
        }
        frames
    }

    fn frame(&mut self, header: H, frame: &Bytes) -> (Timestamp, u64, Bytes) {
        let rate = u64::from(header.rate());
        let ticks = |samples: u64| samples * u64::from(Timebase::MPEG.den) / rate;
        let (begin, end) = (ticks(self.samples), ticks(self.samples + u64::from(header.samples())));
        self.samples += u64::from(header.samples());
        self.last = Some(header);
        let at = Timestamp(self.anchor.0.saturating_add(i64::try_from(begin).unwrap_or(i64::MAX)));
        (at, end - begin, frame.slice(header.shell().min(frame.len())..))
    }
}
