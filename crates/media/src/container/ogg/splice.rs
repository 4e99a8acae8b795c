//! Makes a legal chain of streams that use the same serials again, such as a file in a loop.

use super::chain::Chain;
use super::page::{self, PageHeader};
use super::serial::Serials;
use super::write::Writer;
use crate::{Page, Role};
use std::collections::VecDeque;

/// A filter behind a [`Cutter`](super::Cutter): a logical stream whose serial an earlier link used gets another
/// one, and what a link left open is ended by an empty page before the next begins. Anything else passes as it
/// is. Remembers the last 1024 serials.
pub struct Splice {
    chain: Chain,
    serials: Serials,
    used: VecDeque<u32>,
    lanes: Vec<Lane>,
    ready: VecDeque<Page>,
}

/// A logical stream of the running link.
#[derive(Clone, Copy, Debug)]
struct Lane {
    theirs: u32,
    ours: u32,
    /// The number of its next page.
    sequence: u32,
    granule: i64,
    ended: bool,
}

impl Splice {
    /// A filter that has seen nothing; `seed` decides the serials it will use.
    pub fn new(seed: u64) -> Splice {
        Splice {
            chain: Chain::new(),
            serials: Serials::new(seed),
            used: VecDeque::new(),
            lanes: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// Takes the next page of a cutter.
    pub fn push(&mut self, page: Page) {
        let Some(header) = PageHeader::parse(&page.bytes) else { return self.ready.push_back(page) };
        if self.chain.take(&header, &page.bytes).anew {
            self.close();
        }
        if header.first && self.lanes.len() < MOST_SERIALS {
            self.open(header.serial);
        }
        let lane = self.lanes.iter_mut().rfind(|lane| lane.theirs == header.serial);
        let Some(lane) = lane else { return self.ready.push_back(page) };
        lane.sequence = header.sequence.wrapping_add(1);
        lane.granule = header.mark().unwrap_or(lane.granule);
        lane.ended = header.last;
        let bytes = match lane.ours == lane.theirs {
            true => page.bytes,
            false => page::rewrite_serial(&page.bytes, lane.ours, header.sequence),
        };
        self.ready.push_back(Page { bytes, ..page });
    }

    /// The next page.
    pub fn poll(&mut self) -> Option<Page> {
        self.ready.pop_front()
    }

    /// A logical stream begins.
    fn open(&mut self, theirs: u32) {
        let ours = match self.used.contains(&theirs) {
            true => self.serials.draw(|serial| self.used.contains(&serial)),
            false => theirs,
        };
        if self.used.len() == MOST_SERIALS {
            self.used.pop_front();
        }
        self.used.push_back(ours);
        self.lanes.push(Lane { theirs, ours, sequence: 0, granule: 0, ended: false });
    }

    /// The link is over: what has not ended ends now.
    fn close(&mut self) {
        for lane in self.lanes.drain(..).filter(|lane| !lane.ended) {
            let end = Writer::resume(lane.ours, lane.sequence).lay(&[], lane.granule, true);
            self.ready.extend(end.into_iter().map(|bytes| Page::new(bytes, Role::Plain)));
        }
    }
}

/// Serials remembered: a day of songs, or a file of as many links in a loop.
const MOST_SERIALS: usize = 1024;
