//! Makes an endless, legal stream out of a file that is read over and over.

use crate::{
    Format, Page,
    container::{adts, flv, mpa, ogg, ts, webm},
};
use std::time::Duration;

/// Joins the end of a file to its beginning: fed with the bytes of one round after the other, it yields pages of one
/// stream whose time keeps growing.
///
/// What a file has and an endless stream must not (repeated headers, indices, durations, encoders' tables, tags
/// around the frames) is left out; times and counters are rewritten where they would jump. The rounds may be
/// different files as long as their tracks are alike.
pub struct Splice(Box<dyn Rounds>);

impl Splice {
    /// A splice for files of `format`, before the first round; `None` for formats that nobody can join
    /// ([`Format::Opaque`]).
    pub fn new(format: Format) -> Option<Splice> {
        Some(Splice(match format {
            Format::WebM => Box::new(webm::Splice::new()),
            Format::MpegTs => Box::new(ts::Splice::new()),
            Format::Mp3 => Box::new(mpa::Splice::new()),
            Format::Adts => Box::new(adts::Splice::new()),
            Format::Flv => Box::new(flv::Splice::new()),
            Format::Ogg => Box::new(ogg::Looped::new()),
            _ => return None,
        }))
    }

    /// Takes the next bytes of this round.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The next page of the endless stream, or `None` when more bytes are needed. `at` grows over the rounds.
    pub fn poll(&mut self) -> Option<Page> {
        self.0.poll()
    }

    /// The round ended; the next bytes are the beginning of a file. What was not whole is left out.
    pub fn rewind(&mut self) {
        self.0.rewind();
    }

    /// How long the last whole round lasts in the stream; `None` during the first.
    pub fn round(&self) -> Option<Duration> {
        self.0.round()
    }
}

/// What [`Splice`] asks of a format.
pub(crate) trait Rounds: Send {
    /// Takes the next bytes of this round.
    fn push(&mut self, bytes: &[u8]);
    /// The next page, or `None` when more bytes are needed.
    fn poll(&mut self) -> Option<Page>;
    /// The round ended.
    fn rewind(&mut self);
    /// How long the last whole round lasts; `None` during the first.
    fn round(&self) -> Option<Duration>;
}
