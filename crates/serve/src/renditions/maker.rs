//! Makes what a mount plays into another format.

use super::{FLV_VIEW, Heard, Output};
use crate::websocket;
use levada_media::{
    Demux, Format, Item, Kind, Mux, Page, TrackId,
    container::flv::{self, tag::Tag},
};
use levada_rtmp::Pages;

/// What is made of one stream, over its changes of source.
pub struct Maker {
    mux: Box<dyn TagMux>,
    /// Each page is a message of a WebSocket.
    framed: bool,
    input: Input,
    /// Tracks that show something; tags have one for all.
    pictures: Vec<TrackId>,
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
    /// A maker of `output`.
    pub fn new(output: Output) -> Maker {
        let mux: Box<dyn TagMux> = match output {
            Output::Flv | Output::FlvSocket => Box::new(flv::Mux::new(FLV_VIEW)),
            Output::Rtmp(view) => Box::new(Pages::new(view)),
        };
        Maker { mux, input: Input::Closed, framed: output == Output::FlvSocket, pictures: Vec::new() }
    }

    /// Takes what was heard; tells whether there is a picture in it, or sound of a stream without pictures.
    pub fn push(&mut self, heard: Heard) -> bool {
        match heard {
            Heard::Source(format) => self.begin(format),
            Heard::Page(page) => return self.page(&page) || self.pictures.is_empty(),
            Heard::Nothing | Heard::Over => {}
        }
        false
    }

    /// The next page that is finished.
    pub fn poll(&mut self) -> Option<Page> {
        let page = self.mux.poll()?;
        Some(if self.framed { framed(page) } else { page })
    }

    fn begin(&mut self, format: Format) {
        self.mux.restart();
        self.pictures.clear();
        self.input = match format {
            Format::Flv => Input::Tags,
            other => other.demuxer().map_or(Input::Closed, Input::Items),
        };
    }

    /// Whether there is a picture in it.
    fn page(&mut self, page: &Page) -> bool {
        let demux = match &mut self.input {
            Input::Tags => return self.tag(page),
            Input::Items(demux) => demux,
            Input::Closed => return false,
        };
        demux.push(&page.bytes);
        let mut shows = false;
        loop {
            match demux.poll() {
                Ok(None) => return shows,
                Ok(Some(item)) => {
                    match &item {
                        Item::Tracks(tracks) => {
                            let pictures = tracks.iter().filter(|track| track.codec.kind() == Kind::Video);
                            self.pictures = pictures.map(|track| track.id).collect();
                        }
                        Item::Frame(frame) => shows |= self.pictures.contains(&frame.track),
                        _ => {}
                    }
                    // tracks that cannot be carried are left out; the others go on
                    drop(self.mux.push(&item));
                }
                Err(why) => {
                    tracing::warn!(%why, "a stream cannot be opened");
                    self.input = Input::Closed;
                    return shows;
                }
            }
        }
    }

    fn tag(&mut self, page: &Page) -> bool {
        let Some(tag) = flv::unwrap(&page.bytes) else { return false };
        let shows = tag.kind == flv::tag::Kind::Video;
        if shows && self.pictures.is_empty() {
            self.pictures.push(TrackId(0));
        }
        self.mux.tag(&tag);
        shows
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
