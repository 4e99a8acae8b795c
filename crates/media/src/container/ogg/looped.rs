//! A file that is read over and over, as an endless stream.

use super::chain::{Chain, StepKind};
use super::page::PageHeader;
use super::seam::Seam;
use super::stream::Seen;
use super::{Cutter, Splice};
use crate::{Cut as _, Page, splice::Rounds};
use std::{collections::VecDeque, time::Duration};

/// Joins rounds whose headers are alike into one logical stream each: headers are sent once, pages are numbered and
/// granules grow over the rounds. Every player takes that, while ffmpeg gives up at the second link of a chain of
/// several streams, and browsers at that of Opus.
///
/// Rounds that begin with other headers, files of several links, FLAC (whose frames are numbered) and codecs that
/// we do not know become links of a chain by [`Splice`]. The pages' `at` grows in either case, from about zero.
///
/// The packets between which a round is joined are not made for each other: some ten milliseconds of Vorbis and Opus
/// are blurred.
pub struct Looped {
    cutter: Cutter,
    chain: Chain,
    splice: Splice,
    /// The endless streams, in the order of their tracks; empty while nothing can be joined.
    seams: Vec<Seam>,
    /// Headers of a round of which one does not know yet whether it can be joined.
    held: Vec<Page>,
    /// No link of this round has begun.
    fresh: bool,
    /// The link that runs is the first of its round.
    first_link: bool,
    time: Time,
    round_begins: Duration,
    round: Option<Duration>,
    ready: VecDeque<Page>,
}

/// The clock that grows over the rounds.
#[derive(Debug, Default)]
struct Time {
    newest: Duration,
    /// When the current link of the source began.
    begins: Duration,
    /// What its own clock said then.
    zero: Option<Duration>,
    /// The same of the link that goes out, which may last many rounds.
    origin: Option<(Duration, Duration)>,
}

impl Looped {
    /// Before the first round.
    pub fn new() -> Looped {
        Looped {
            cutter: Cutter::new(),
            chain: Chain::new(),
            splice: Splice::new(SEED),
            seams: Vec::new(),
            held: Vec::new(),
            fresh: true,
            first_link: false,
            time: Time::default(),
            round_begins: Duration::ZERO,
            round: None,
            ready: VecDeque::new(),
        }
    }

    /// Moves what has been cut on.
    fn advance(&mut self) {
        while let Some(page) = self.cutter.poll() {
            self.page(page);
        }
        self.ready.extend(std::iter::from_fn(|| self.splice.poll()));
    }

    fn page(&mut self, page: Page) {
        let Some(header) = PageHeader::parse(&page.bytes) else { return };
        let step = self.chain.take(&header, &page.bytes);
        if step.anew {
            self.link();
        }
        match step.kind {
            StepKind::Header(_, seen) if seen.data.is_empty() => self.held.push(page),
            StepKind::Data(index, seen) => self.data(page, &header, index, &seen),
            _ => self.give_up(page),
        }
    }

    /// A link begins. The first of a round may be joined to the only one of the round before.
    fn link(&mut self) {
        self.release();
        self.first_link = std::mem::take(&mut self.fresh);
        if !self.first_link {
            self.seams.clear();
        }
        (self.time.begins, self.time.zero) = (self.time.newest, None);
    }

    fn data(&mut self, page: Page, header: &PageHeader, index: usize, seen: &Seen) {
        if !self.held.is_empty() {
            self.decide();
        }
        let (Some(stream), Some(seam)) = (self.chain.streams().get(index), self.seams.get_mut(index)) else {
            let page = self.time.place(page);
            return self.splice.push(page);
        };
        let bytes = seam.page(stream, header, &page.bytes, seen, |first| self.time.join(first));
        let page = self.time.place(page);
        self.time.reach(seam.end(stream));
        if let Some(bytes) = bytes {
            self.splice.push(Page { bytes, ..page });
        }
    }

    /// The headers are over: are they those of the round before?
    fn decide(&mut self) {
        let streams = self.chain.streams();
        let alike = self.seams.len() == streams.len();
        if alike && self.seams.iter().zip(streams).all(|(seam, stream)| seam.fits(stream)) {
            self.held.clear();
            return self.seams.iter_mut().for_each(Seam::restart);
        }
        let can_join = self.first_link && streams.iter().all(Seam::can_join);
        self.seams = if can_join { streams.iter().map(Seam::new).collect() } else { Vec::new() };
        self.time.origin = None;
        self.release();
    }

    /// Nothing can be joined to this.
    fn give_up(&mut self, page: Page) {
        self.seams.clear();
        self.release();
        self.splice.push(page);
    }

    fn release(&mut self) {
        self.held.drain(..).for_each(|page| self.splice.push(page));
    }
}

impl Default for Looped {
    fn default() -> Looped {
        Looped::new()
    }
}

impl Time {
    /// The page with its time on the clock that grows.
    fn place(&mut self, page: Page) -> Page {
        let Some(at) = page.at else { return page };
        let zero = self.zero(at);
        self.origin.get_or_insert((self.begins, zero));
        self.newest = self.newest.max(self.begins.saturating_add(at.saturating_sub(zero)));
        page.at(self.newest)
    }

    /// Where a round is joined whose first packet is at `first` by its own clock: the end of the round before by the
    /// clock of the link that goes out, and what the round's clock says there.
    fn join(&mut self, first: Duration) -> (Duration, Duration) {
        let (began, zero) = self.origin.unwrap_or_default();
        (self.begins.saturating_sub(began).saturating_add(zero), self.zero(first))
    }

    /// The link that goes out has come to `end` by its own clock.
    fn reach(&mut self, end: Duration) {
        let Some((began, zero)) = self.origin else { return };
        self.newest = self.newest.max(end.saturating_sub(zero).saturating_add(began));
    }

    fn zero(&mut self, at: Duration) -> Duration {
        *self.zero.get_or_insert(if at > LATE { at } else { Duration::ZERO })
    }
}

impl Rounds for Looped {
    fn push(&mut self, bytes: &[u8]) {
        self.cutter.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        if self.ready.is_empty() {
            self.advance();
        }
        self.ready.pop_front()
    }

    fn rewind(&mut self) {
        self.cutter.finish();
        self.advance();
        self.cutter = Cutter::new();
        self.fresh = true;
        self.round = Some(self.time.newest.saturating_sub(self.round_begins));
        self.round_begins = self.time.newest;
    }

    fn round(&self) -> Option<Duration> {
        self.round
    }
}

/// A link whose first page ends later than that is a recording that began in the middle.
const LATE: Duration = Duration::from_secs(10);
/// Serials need only differ from those of the same file.
const SEED: u64 = 0;
