//! What is written of a source: its own pages, or those of another container.

use crate::config::RecordFormat;
use bytes::Bytes;
use levada_media::{
    Demux, Error, Format, Frame, Item, Kind, Mux as _, Page, Role, Timebase, Timestamp, TrackId, TrackInfo,
    container::{
        flv::{self, tag::View},
        fmp4::{Output, Segmenter},
    },
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Something to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The header set of what follows: every file begins with it.
    Headers(Bytes),
    /// A file may begin here.
    Entry(Bytes),
    /// Goes on.
    More(Bytes),
    /// The file ends here, and the next one begins.
    Cut,
}

/// Makes of a source's pages what is written. Files of other containers begin at time zero each.
pub struct Shape {
    kind: Shaped,
    headers: Vec<Bytes>,
    /// The last page was a header.
    gathers: bool,
    out: VecDeque<Write>,
}

enum Shaped {
    Native(Format),
    Made(Box<Made>),
}

/// A source opened, and closed again into files.
struct Made {
    demux: Box<dyn Demux>,
    tracks: Arc<[TrackInfo]>,
    closer: Closer,
    /// When the file begins, by the source's time.
    base: Option<Duration>,
    /// The next key frame begins another file.
    due: bool,
}

enum Closer {
    Flv(Box<flv::Mux>),
    Fmp4(Box<Segmenter>),
}

impl Shape {
    /// For a source of `format`, written as `wanted`.
    ///
    /// # Errors
    /// When nobody can look into the source.
    pub fn new(format: Format, wanted: RecordFormat) -> Result<Shape, Error> {
        let kind = match wanted {
            RecordFormat::Native => Shaped::Native(format),
            RecordFormat::Flv | RecordFormat::Fmp4 => {
                let demux = format.demuxer().ok_or(Error::Not("a container that can be opened"))?;
                let closer = Closer::new(wanted == RecordFormat::Flv);
                Shaped::Made(Box::new(Made { demux, tracks: Arc::new([]), closer, base: None, due: false }))
            }
        };
        Ok(Shape { kind, headers: Vec::new(), gathers: false, out: VecDeque::new() })
    }

    /// What files' names end with.
    pub fn ending(&self) -> &'static str {
        match &self.kind {
            Shaped::Native(format) => match format {
                Format::Ogg => ".ogg",
                Format::WebM => ".webm",
                Format::Mp3 => ".mp3",
                Format::Adts => ".aac",
                Format::MpegTs => ".ts",
                Format::Flv => ".flv",
                _ => ".bin",
            },
            Shaped::Made(made) => match made.closer {
                Closer::Flv(_) => ".flv",
                Closer::Fmp4(_) => ".mp4",
            },
        }
    }

    /// Takes a page of the source.
    ///
    /// # Errors
    /// When it cannot be opened, or has nothing that can be written.
    pub fn push(&mut self, page: &Page) -> Result<(), Error> {
        let Shaped::Made(made) = &mut self.kind else {
            self.page(page.clone());
            return Ok(());
        };
        made.demux.push(&page.bytes);
        let mut pages = VecDeque::new();
        let pushed = loop {
            match made.demux.poll() {
                Ok(None) => break Ok(()),
                Ok(Some(item)) => {
                    if let Err(why) = made.item(item, &mut pages) {
                        break Err(why);
                    }
                }
                Err(why) => break Err(why),
            }
        };
        pages.into_iter().for_each(|page| self.made(page));
        pushed
    }

    /// The file is long enough: another begins as soon as one may.
    pub fn cut(&mut self) {
        if let Shaped::Made(made) = &mut self.kind {
            made.due = true;
        }
    }

    /// Whether the next entry may begin another file by itself.
    pub fn cuts_anywhere(&self) -> bool {
        matches!(self.kind, Shaped::Native(_))
    }

    /// The source ended, or recording does: what waited for more comes out.
    pub fn finish(&mut self) {
        let Shaped::Made(made) = &mut self.kind else { return };
        let mut pages = VecDeque::new();
        made.demux.finish();
        while let Ok(Some(item)) = made.demux.poll() {
            let _the_end = made.item(item, &mut pages);
        }
        made.closer.finish(&mut pages);
        pages.into_iter().for_each(|page| self.made(page));
    }

    /// What is to be written next.
    pub fn poll(&mut self) -> Option<Write> {
        self.out.pop_front()
    }

    fn made(&mut self, page: Option<Page>) {
        match page {
            Some(page) => self.page(page),
            None => {
                self.headers.clear();
                self.gathers = false;
                self.out.push_back(Write::Cut);
            }
        }
    }

    fn page(&mut self, page: Page) {
        if page.role == Role::Header {
            if !std::mem::replace(&mut self.gathers, true) {
                self.headers.clear();
            }
            self.headers.push(page.bytes.clone());
            if let Some(set) = page.set {
                self.headers = vec![set];
            }
            self.out.push_back(Write::Headers(self.headers.concat().into()));
            if !page.bytes.is_empty() {
                self.out.push_back(Write::More(page.bytes));
            }
            return;
        }
        // a title between two header pages does not end the set
        if page.bytes.is_empty() {
            return;
        }
        self.gathers = false;
        self.out.push_back(match page.role {
            Role::Entry => Write::Entry(page.bytes),
            _ => Write::More(page.bytes),
        });
    }
}

/// Pages, and `None` where a file ends.
type Pages = VecDeque<Option<Page>>;

impl Made {
    fn item(&mut self, item: Item, out: &mut Pages) -> Result<(), Error> {
        match item {
            Item::Tracks(tracks) => {
                self.tracks = tracks.clone();
                self.closer.push(&Item::Tracks(tracks), out)
            }
            Item::Frame(frame) => self.frame(frame, out),
            Item::Tags(_) => Ok(()),
        }
    }

    fn frame(&mut self, mut frame: Frame, out: &mut Pages) -> Result<(), Error> {
        let Some(track) = self.tracks.iter().find(|track| track.id == frame.track) else { return Ok(()) };
        let timebase = track.timebase;
        let at = timebase.duration(frame.dts);
        if self.due && frame.key && self.lead() == Some(frame.track) {
            self.due = false;
            self.closer.finish(out);
            out.push_back(None);
            self.closer = self.closer.again();
            self.base = Some(at.saturating_sub(BEFORE));
            self.closer.push(&Item::Tracks(self.tracks.clone()), out)?;
        }
        let base = *self.base.get_or_insert(at.saturating_sub(BEFORE));
        // sound that belongs to the file before
        if at < base {
            return Ok(());
        }
        let shift = ticks(timebase, base);
        frame.dts = Timestamp(frame.dts.0.saturating_sub(shift));
        frame.pts = Timestamp(frame.pts.0.saturating_sub(shift));
        self.closer.push(&Item::Frame(frame), out)
    }

    /// The track at whose key frames files begin: pictures before sound.
    fn lead(&self) -> Option<TrackId> {
        let video = self.tracks.iter().find(|track| track.codec.kind() == Kind::Video);
        video.or(self.tracks.first()).map(|track| track.id)
    }
}

fn ticks(timebase: Timebase, time: Duration) -> i64 {
    timebase.ticks(time).0
}

impl Closer {
    fn new(flv: bool) -> Closer {
        match flv {
            true => Closer::Flv(Box::new(flv::Mux::new(View::Enhanced))),
            false => Closer::Fmp4(Box::new(Segmenter::new(levada_media::container::fmp4::Config::default()))),
        }
    }

    fn again(&self) -> Closer {
        Closer::new(matches!(self, Closer::Flv(_)))
    }

    fn push(&mut self, item: &Item, out: &mut Pages) -> Result<(), Error> {
        match self {
            Closer::Flv(mux) => mux.push(item)?,
            Closer::Fmp4(segmenter) => segmenter.push(item),
        }
        self.take(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Pages) {
        if let Closer::Fmp4(segmenter) = self {
            segmenter.restart();
        }
        self.take(out);
    }

    fn take(&mut self, out: &mut Pages) {
        match self {
            Closer::Flv(mux) => {
                while let Some(page) = mux.poll() {
                    // a file's header set of tags comes behind its own header, which is nowhere else
                    let first = page.role == Role::Header
                        && !matches!(out.back(), Some(Some(before)) if before.role == Role::Header);
                    if first {
                        let set = Some(flv::file_header(true, true));
                        out.push_back(Some(Page { set, ..Page::new(Bytes::new(), Role::Header) }));
                    }
                    out.push_back(Some(page));
                }
            }
            Closer::Fmp4(segmenter) => {
                while let Some(output) = segmenter.poll() {
                    match output {
                        Output::Init(bytes) => out.push_back(Some(Page::new(bytes, Role::Header))),
                        Output::Part(part) => {
                            let role = if part.independent { Role::Entry } else { Role::Plain };
                            out.push_back(Some(Page::new(part.bytes, role)));
                        }
                        // other tracks, or another time: that is another file
                        Output::Break => out.push_back(None),
                        Output::End => {}
                    }
                }
            }
        }
    }
}

/// Sound that comes behind a key picture and belongs before it is so much earlier.
const BEFORE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use levada_media::Tags;

    fn written(shape: &mut Shape) -> Vec<Write> {
        std::iter::from_fn(|| shape.poll()).collect()
    }

    #[test]
    fn a_title_among_the_headers_does_not_tear_them_apart() {
        let mut shape = Shape::new(Format::Flv, RecordFormat::Native).unwrap();
        let page = |bytes: &'static [u8], role| Page::new(Bytes::from_static(bytes), role);
        let title = Page::tags(Tags::titled("tea"));
        for page in [page(b"a", Role::Header), title, page(b"b", Role::Header), page(b"c", Role::Entry)] {
            shape.push(&page).unwrap();
        }
        let entry = Write::Entry(Bytes::from_static(b"c"));
        assert_eq!(
            written(&mut shape)[2..],
            [Write::Headers(Bytes::from_static(b"ab")), Write::More(Bytes::from_static(b"b")), entry]
        );
    }

    #[test]
    fn files_of_flash_video_and_mp4_begin_at_zero_with_their_headers() {
        for wanted in [RecordFormat::Flv, RecordFormat::Fmp4] {
            let mut shape = Shape::new(Format::Flv, wanted).unwrap();
            let mut cutter = flv::Cutter::new();
            levada_media::Cut::push(&mut cutter, include_bytes!("../../../../media/testcard.flv"));
            let mut files = 0;
            while let Some(page) = levada_media::Cut::poll(&mut cutter) {
                shape.push(&page).unwrap();
                shape.cut();
                files += written(&mut shape).iter().filter(|what| **what == Write::Cut).count();
            }
            shape.finish();
            assert!(files >= 3, "{files} files of eight seconds with a key picture in two");
        }
        assert!(Shape::new(Format::Opaque, RecordFormat::Flv).is_err());
    }
}
