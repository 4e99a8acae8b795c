//! Makes what a mount plays into another format.

use super::{FLV_VIEW, Heard, Output};
use crate::{Piece, websocket};
use levada_channel::Publisher;
use levada_media::{
    Demux, Format, Mux, Page,
    container::flv::{self, tag::Tag},
};
use levada_rtmp::Pages;

/// What is made of one stream.
pub(super) struct Maker {
    mux: Box<dyn TagMux>,
    /// Each page is a message of a WebSocket.
    framed: bool,
    input: Input,
}

/// How the source's pages are read.
enum Input {
    /// Each is a tag, passed on as it is.
    Tags,
    /// They are opened into items.
    Items(Box<dyn Demux>),
    /// Nobody can read them.
    Closed,
}

/// A [`Mux`] that takes tags as well, and goes on over changes of source.
trait TagMux: Mux {
    fn tag(&mut self, tag: &Tag);
    fn restart(&mut self);
}

impl Maker {
    pub(super) fn new(output: Output) -> Maker {
        let mux: Box<dyn TagMux> = match output {
            Output::Flv | Output::FlvSocket => Box::new(flv::Mux::new(FLV_VIEW)),
            Output::Rtmp(view) => Box::new(Pages::new(view)),
        };
        Maker { mux, input: Input::Closed, framed: output == Output::FlvSocket }
    }

    /// Takes what was heard, and sends on what is finished.
    pub(super) fn take(&mut self, heard: Heard, publisher: &mut Publisher<Piece>) {
        match heard {
            Heard::Source(format) => self.begin(format),
            Heard::Page(page) => self.page(&page),
            Heard::Nothing | Heard::Over => return,
        }
        let pages = std::iter::from_fn(|| self.mux.poll());
        publisher.send_all(pages.map(|page| Piece(if self.framed { framed(page) } else { page })));
    }

    fn begin(&mut self, format: Format) {
        self.mux.restart();
        self.input = match format {
            Format::Flv => Input::Tags,
            other => other.demuxer().map_or(Input::Closed, Input::Items),
        };
    }

    fn page(&mut self, page: &Page) {
        let demux = match &mut self.input {
            Input::Tags => return flv::unwrap(&page.bytes).iter().for_each(|tag| self.mux.tag(tag)),
            Input::Items(demux) => demux,
            Input::Closed => return,
        };
        demux.push(&page.bytes);
        loop {
            match demux.poll() {
                Ok(None) => return,
                // tracks that cannot be carried are left out; the others go on
                Ok(Some(item)) => drop(self.mux.push(&item)),
                Err(why) => {
                    tracing::warn!(%why, "a stream cannot be opened");
                    self.input = Input::Closed;
                    return;
                }
            }
        }
    }
}

/// `page` as a message of a WebSocket.
fn framed(page: Page) -> Page {
    Page { bytes: websocket::message(&page.bytes), ..page }
}

impl TagMux for flv::Mux {
    fn tag(&mut self, tag: &Tag) {
        let _unreadable = flv::Mux::tag(self, tag); // it is left out
    }

    fn restart(&mut self) {
        flv::Mux::restart(self);
    }
}

impl TagMux for Pages {
    fn tag(&mut self, tag: &Tag) {
        let _unreadable = Pages::tag(self, tag); // it is left out
    }

    fn restart(&mut self) {
        Pages::restart(self);
    }
}
