//! Makes the stream of any source into a transport stream.

use levada_media::{Demux, Error, Format, Item, Mux as _, Page, Splice, container::ts};
use std::collections::VecDeque;

/// Transport streams pass as they are, with their clocks going on where a source begins again; of other sources the
/// tracks that fit are carried.
#[derive(Default)]
pub struct Carrier {
    mux: ts::Mux,
    input: Input,
    ready: VecDeque<Page>,
    refused: Option<Refused>,
}

#[derive(Default)]
enum Input {
    /// Nothing, or nothing that can be carried.
    #[default]
    None,
    /// A transport stream.
    Same(Splice),
    /// Something else, opened.
    Other(Box<dyn Demux>),
}

/// Why a source cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Nobody can look into its container.
    #[error("a stream of unknown format cannot be made into a transport stream")]
    Closed,
    /// It is not what it said, or none of its tracks fits.
    #[error("{0}; H.264, H.265, AAC, MP3 and Opus can be carried")]
    Unfit(#[from] Error),
}

impl Carrier {
    /// Another source begins, in this format.
    pub fn begin(&mut self, format: Format) {
        self.refused = None;
        self.mux.restart();
        self.take_muxed();
        match (&mut self.input, format) {
            (Input::Same(splice), Format::MpegTs) => splice.rewind(),
            (_, Format::MpegTs) => self.input = Splice::new(format).map_or(Input::None, Input::Same),
            (_, other) => match other.demuxer() {
                Some(demux) => self.input = Input::Other(demux),
                None => (self.input, self.refused) = (Input::None, Some(Refused::Closed)),
            },
        }
    }

    /// Takes a page of the source.
    pub fn push(&mut self, page: &Page) {
        match &mut self.input {
            Input::None => {}
            Input::Same(splice) => {
                splice.push(&page.bytes);
                self.ready.extend(std::iter::from_fn(|| splice.poll()));
            }
            Input::Other(demux) => {
                demux.push(&page.bytes);
                self.open();
            }
        }
    }

    /// The source ended: what waited for more comes out.
    pub fn finish(&mut self) {
        if let Input::Other(demux) = &mut self.input {
            demux.finish();
            self.open();
        }
        self.mux.finish();
        self.take_muxed();
    }

    /// The next page of the transport stream.
    pub fn poll(&mut self) -> Option<Page> {
        self.ready.pop_front()
    }

    /// Why the present source is not carried, if it is not.
    pub fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    fn open(&mut self) {
        let Input::Other(demux) = &mut self.input else { return };
        loop {
            let why = match demux.poll() {
                Ok(None) => break,
                Ok(Some(item)) => match self.mux.push(&item) {
                    Ok(()) => {
                        self.refused = self.refused.take().filter(|_| !matches!(item, Item::Tracks(_)));
                        continue;
                    }
                    Err(why) => why,
                },
                Err(why) => {
                    self.refused = Some(why.into());
                    self.input = Input::None;
                    break;
                }
            };
            self.refused = Some(why.into());
        }
        self.take_muxed();
    }

    fn take_muxed(&mut self) {
        self.ready.extend(std::iter::from_fn(|| self.mux.poll()));
    }
}
