//! Plays files one after the other, or in a loop, as if they were live.

use super::{
    Pacer,
    medium::{Kind, Medium, Open},
};
use levada_media::{Cut, Format, Page, Splice, Tags};
use std::{io, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::Instant,
};

/// Hands out the pages of its media, each when it is due.
pub struct Player {
    media: Vec<Medium>,
    options: Options,
    kind: Kind,
    /// Which of `media` is open, or comes next.
    at: usize,
    open: Option<Reading>,
    pages: Pages,
    pacer: Pacer,
    waiting: Option<(Instant, Page)>,
    /// Bytes of media whose pages have no time; `None` once one had.
    untimed: Option<u64>,
    /// Media in a row that gave no page, the open one included.
    barren: usize,
}

/// How to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Begin again after the last. Default false.
    pub looping: bool,
    /// How much earlier than in real time pages are due. Default 250 ms.
    pub lead: Duration,
    /// Bits a second of media whose bytes do not tell their time. Default unknown, which is an error for files.
    pub bitrate: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options { looping: false, lead: Duration::from_millis(250), bitrate: None }
    }
}

struct Reading {
    rest: Pin<Box<dyn AsyncRead + Send>>,
    buffer: Vec<u8>,
    /// Whether no page of this medium was handed out yet.
    fresh: bool,
}

/// What turns bytes into pages: byte for byte, each medium for itself, or joined to one stream.
enum Pages {
    Cut(Format, Box<dyn Cut>),
    Joined(Splice),
}

impl Player {
    /// A player of `media`, the first of which is opened to see what it is. Others of another format are left out.
    ///
    /// # Errors
    /// When there is none, or the first cannot be opened or streamed.
    pub async fn open(media: Vec<Medium>, options: Options) -> Result<Player, Error> {
        let first = media.first().ok_or(Error::Nothing)?;
        let open = first.open().await.map_err(|source| Error::Open { name: first.to_string(), source })?;
        let looping = options.looping && media.iter().all(Medium::can_repeat);
        match open.kind.format {
            _ if open.first.is_empty() => return Err(Error::Barren(first.to_string())),
            _ if open.first.get(4..8) == Some(b"ftyp") => return Err(Error::Mp4(first.to_string())),
            Format::Opaque if options.bitrate.is_none() && first.can_repeat() => {
                return Err(Error::NoTime(first.to_string()));
            }
            _ => {}
        }
        let mut player = Player {
            kind: open.kind,
            pages: Pages::of(open.kind.format, looping, media.len()),
            media,
            options: Options { looping, ..options },
            at: 0,
            open: None,
            pacer: Pacer::new(options.lead),
            waiting: None,
            untimed: Some(0),
            barren: 0,
        };
        player.begin(open);
        Ok(player)
    }

    /// What it plays.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The next page when it is due, `None` after the last. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When nothing can be played, or nobody knows how fast.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if self.waiting.is_none() {
            let Some(page) = self.page().await? else { return Ok(None) };
            self.waiting = Some((self.pacer.due(Instant::now(), page.at), page));
        }
        if let Some((due, _)) = &self.waiting {
            tokio::time::sleep_until(*due).await;
        }
        Ok(self.waiting.take().map(|(_, page)| page))
    }

    /// The next page, without waiting for its time.
    ///
    /// # Errors
    /// As [`Player::next`].
    pub async fn page(&mut self) -> Result<Option<Page>, Error> {
        loop {
            if let Some(page) = self.pages.poll() {
                return self.dress(page).map(Some);
            }
            let Some(reading) = &mut self.open else {
                if !self.advance().await? {
                    return Ok(None);
                }
                continue;
            };
            match reading.rest.read_buf(&mut reading.buffer).await {
                Ok(0) => self.end(),
                Ok(_) => {
                    self.pages.push(&reading.buffer);
                    reading.buffer.clear();
                }
                Err(why) => {
                    tracing::warn!(medium = %self.media[self.at], %why, "cannot be read any further");
                    self.end();
                }
            }
        }
    }

    /// Gives a page what it lacks: a title at the beginning of a file, and time.
    fn dress(&mut self, mut page: Page) -> Result<Page, Error> {
        self.barren = 0;
        let medium = &self.media[self.at.min(self.media.len() - 1)];
        let fresh = self.open.as_mut().is_some_and(|reading| std::mem::take(&mut reading.fresh));
        if fresh && page.tags.is_none() && !has_own_titles(self.kind.format) {
            page.tags = Some(Arc::new(Tags::titled(medium.stem()))).filter(|tags| !tags.is_empty());
        }
        self.untimed = self.untimed.filter(|_| page.at.is_none()).map(|sum| sum + page.bytes.len() as u64);
        match (self.untimed, self.options.bitrate) {
            (Some(sum), Some(rate @ 1..)) => {
                Ok(page.at(Duration::from_millis(sum.saturating_mul(8_000) / rate)))
            }
            (Some(sum), _) if sum > NO_TIME && medium.can_repeat() => Err(Error::NoTime(medium.to_string())),
            _ => Ok(page),
        }
    }

    /// Opens the medium that comes next; false after the last.
    async fn advance(&mut self) -> Result<bool, Error> {
        loop {
            if self.at >= self.media.len() {
                if !self.options.looping {
                    return Ok(false);
                }
                self.at = 0;
            }
            let medium = &self.media[self.at];
            if self.barren >= self.media.len() {
                return Err(Error::Barren(medium.to_string()));
            }
            match medium.open().await {
                Ok(open) if open.kind.format == self.kind.format => {
                    self.begin(open);
                    return Ok(true);
                }
                Ok(_) => tracing::warn!(%medium, "left out: not of the same format as the first"),
                Err(why) => tracing::warn!(%medium, %why, "left out: cannot be opened"),
            }
            self.at += 1;
            self.barren += 1;
        }
    }

    fn begin(&mut self, open: Open) {
        self.barren += 1;
        if self.pages.begin() {
            self.pacer.restart();
        }
        self.pages.push(&open.first);
        let fresh = self.media.len() > 1 || self.untimed.is_some();
        self.open = Some(Reading { rest: open.rest, buffer: Vec::with_capacity(READ), fresh });
    }

    fn end(&mut self) {
        self.open = None;
        self.pages.end();
        self.at += 1;
    }
}

impl Pages {
    /// One file in a loop becomes one endless stream. Of several, those formats that can begin anew within a stream
    /// keep their bytes (chained Ogg, bare frames); the others are joined.
    fn of(format: Format, looping: bool, media: usize) -> Pages {
        let several = media > 1 && !matches!(format, Format::Ogg | Format::Mp3 | Format::Adts);
        let joined = (looping && media == 1 || several).then(|| Splice::new(format)).flatten();
        joined.map_or_else(|| Pages::Cut(format, format.cutter()), Pages::Joined)
    }

    fn push(&mut self, bytes: &[u8]) {
        match self {
            Pages::Cut(_, cutter) => cutter.push(bytes),
            Pages::Joined(splice) => splice.push(bytes),
        }
    }

    fn poll(&mut self) -> Option<Page> {
        match self {
            Pages::Cut(_, cutter) => cutter.poll(),
            Pages::Joined(splice) => splice.poll(),
        }
    }

    /// Whether the next medium is a stream of its own.
    fn begin(&mut self) -> bool {
        if let Pages::Cut(format, cutter) = self {
            *cutter = format.cutter();
        }
        matches!(self, Pages::Cut(..))
    }

    fn end(&mut self) {
        match self {
            Pages::Cut(_, cutter) => cutter.finish(),
            Pages::Joined(splice) => splice.rewind(),
        }
    }
}

/// Whether titles travel inside the stream, so that nobody has to be told them beside it.
pub fn has_own_titles(format: Format) -> bool {
    matches!(format, Format::Ogg | Format::WebM)
}

/// Why nothing can be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The list is empty.
    #[error("there is nothing to play")]
    Nothing,
    /// The first medium cannot be opened.
    #[error("cannot open {name}: {source}")]
    Open {
        /// Which.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Its index is at its end, or its frames need it.
    #[error(
        "{0} is an MP4 file, which cannot be streamed as it is; `ffmpeg -i {0} -c copy out.ts` makes one that can"
    )]
    Mp4(String),
    /// Nobody knows how fast.
    #[error("{0} does not say how fast it plays; give its bit rate")]
    NoTime(String),
    /// A whole round without a page.
    #[error("{0} has nothing that can be played")]
    Barren(String),
}

const READ: usize = 64 * 1024;
/// Headers without time are smaller than this in every format.
const NO_TIME: u64 = 4 << 20;

#[cfg(test)]
mod tests;
