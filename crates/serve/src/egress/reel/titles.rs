//! What is playing where on a reel, ready to be sent.

use super::super::icy;
use levada_media::Tags;
use std::collections::VecDeque;

/// What is playing from an offset on.
#[derive(Debug)]
pub(in super::super) struct Title {
    /// Grows from 1 with each title.
    pub(in super::super) number: u32,
    offset: u64,
    /// As an ICY block.
    pub(in super::super) block: Box<[u8]>,
}

/// The titles on a reel, at most [`MOST`]; beyond that the oldest are forgotten, as if they had never been.
#[derive(Debug, Default)]
pub(super) struct Titles {
    titles: VecDeque<Title>,
    newest: u32,
}

impl Titles {
    pub(super) fn push(&mut self, offset: u64, tags: &Tags) {
        let block = icy::block(tags).into_boxed_slice();
        if self.titles.back().is_some_and(|last| last.block == block) {
            return;
        }
        self.newest = self.newest.wrapping_add(1).max(1);
        self.titles.push_back(Title { number: self.newest, offset, block });
        if self.titles.len() > MOST {
            self.titles.pop_front();
        }
    }

    pub(super) fn at(&self, offset: u64) -> Option<&Title> {
        self.titles.iter().rev().find(|title| title.offset <= offset)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Title> {
        self.titles.iter().rev().find(|title| title.number == number)
    }

    pub(super) fn evict(&mut self, start: u64) {
        while self.titles.get(1).is_some_and(|next| next.offset <= start) {
            self.titles.pop_front();
        }
    }
}

/// More titles than this within some seconds are an attack or a karaoke; 64 blocks are 256 KiB at the most.
const MOST: usize = 64;
