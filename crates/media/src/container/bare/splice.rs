//! Joins the end of a file of bare frames to its beginning.

use super::{Cutter, Header};
use crate::{Cut, Page};
use std::{collections::VecDeque, time::Duration};

/// Frames need nothing but the removal of tags and tables between the rounds; the cutter does both.
pub struct Splice<H> {
    cutter: Cutter<H>,
    /// What came out when the round ended: at most the frame that was waiting for its successor.
    rest: VecDeque<Page>,
    began: Duration,
    round: Option<Duration>,
    now: Duration,
}

impl<H: Header> Splice<H> {
    /// A splice before its first round.
    pub fn new() -> Splice<H> {
        let (cutter, rest) = (Cutter::new(), VecDeque::new());
        Splice { cutter, rest, began: Duration::ZERO, round: None, now: Duration::ZERO }
    }
}

impl<H: Header> Default for Splice<H> {
    fn default() -> Self {
        Splice::new()
    }
}

impl<H: Header> crate::splice::Rounds for Splice<H> {
    fn push(&mut self, bytes: &[u8]) {
        self.cutter.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        let page = self.rest.pop_front().or_else(|| self.cutter.poll())?;
        self.now = page.at.unwrap_or(self.now);
        Some(page)
    }

    fn rewind(&mut self) {
        self.cutter.finish();
        self.rest.extend(std::iter::from_fn(|| self.cutter.poll()));
        self.cutter.restart();
        self.now = self.rest.back().and_then(|page| page.at).unwrap_or(self.now);
        self.round = Some(self.now.saturating_sub(self.began));
        self.began = self.now;
    }

    fn round(&self) -> Option<Duration> {
        self.round
    }
}
