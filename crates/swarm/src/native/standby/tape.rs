//! The source as who stands by has it, and where in it the other splitter's chunks are.

use crate::native::{
    pass::Veil,
    seal::{self, Key},
    wire::standby::Group,
};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Bytes of the source: at most [`LONGEST`], the oldest leave first; and groups that the other dealt and that were not
/// found in them yet: at most [`WAITING`], likewise.
#[derive(Debug, Default)]
pub(super) struct Tape {
    bytes: BytesMut,
    /// Where in the source the first of them is.
    first: u64,
    /// Where each piece began, and whether a player may begin there.
    pieces: VecDeque<(u64, bool)>,
    /// Where the next chunk begins, once one was found.
    at: Option<u64>,
    groups: VecDeque<Group>,
    /// The number after the last that is known.
    next: u64,
    tried: usize,
}

impl Tape {
    /// The next bytes of the source.
    pub(super) fn push(&mut self, entry: bool, bytes: &[u8]) {
        self.pieces.push_back((self.first + self.bytes.len() as u64, entry));
        self.bytes.extend_from_slice(bytes);
        let surplus = self.bytes.len().saturating_sub(LONGEST);
        self.forget(surplus);
    }

    /// What the other dealt.
    pub(super) fn note(&mut self, group: Group) {
        let end = group.first.saturating_add(group.chunks.len() as u64);
        // It may have begun anew.
        let anew = end + FAR < self.next;
        if group.first < self.next && !anew {
            return;
        }
        if anew {
            self.groups.clear();
            self.at = None;
        }
        self.next = end;
        self.groups.push_back(group);
        if self.groups.len() > WAITING {
            self.groups.pop_front();
            self.at = None;
        }
    }

    /// The number after the last that the other is known to have dealt.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether groups are still to be found.
    pub(super) fn waits(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Gives up what was not found.
    pub(super) fn give_up(&mut self) {
        self.groups.clear();
        self.at = None;
    }

    /// The next group that is here whole, as it was dealt.
    pub(super) fn group(&mut self, key: Key, veil: &Veil) -> Option<(u64, Vec<(u8, Bytes)>)> {
        if self.at.is_none() {
            self.at = self.search(key, veil);
        }
        let (at, group) = (self.at?, self.groups.front()?);
        match self.cut(at, group, key, veil) {
            Cut::Early => None,
            Cut::Wrong => {
                self.at = None;
                None
            }
            Cut::Whole(chunks) => {
                let group = self.groups.pop_front()?;
                self.at = Some(at + group.bytes() as u64);
                self.forget((at + group.bytes() as u64).saturating_sub(self.first) as usize);
                Some((group.first, chunks))
            }
        }
    }

    /// All that is here and was not dealt, in pieces that know whether a player may begin with them; where the other's
    /// chunks were never found, from the first place on where one may. False says that these do not continue them.
    pub(super) fn rest(&mut self) -> (bool, Vec<(bool, Bytes)>) {
        let seamless = self.at.is_some();
        let entry = || self.pieces.iter().find(|(_, entry)| *entry).map(|(at, _)| *at);
        let Some(at) = self.at.or_else(entry) else { return (true, Vec::new()) };
        self.forget(at.saturating_sub(self.first) as usize);
        let mut pieces = Vec::new();
        let end = self.first + self.bytes.len() as u64;
        let mut from = self.first;
        while from < end {
            let begins = self.pieces.pop_front_if(|(at, _)| *at == from);
            let entry = begins.is_some_and(|(_, entry)| entry);
            let to = self.pieces.front().map_or(end, |(at, _)| *at).min(end);
            pieces.push((entry, self.bytes.split_to((to - from) as usize).freeze()));
            from = to;
        }
        self.first = end;
        self.at = Some(end);
        (seamless, pieces)
    }

    /// Finds one of the groups, and forgets those before it.
    fn search(&mut self, key: Key, veil: &Veil) -> Option<u64> {
        if self.groups.is_empty() {
            return None;
        }
        self.tried = (self.tried + 1) % self.groups.len();
        let group = &self.groups[self.tried];
        let found = self.bytes.windows(group.mark.len()).enumerate();
        let first = group.mark[0];
        let found =
            found.filter(|(_, bytes)| bytes[0] == first && *bytes == &group.mark[..]).take(CANDIDATES);
        let places: Vec<_> = found.map(|(place, _)| self.first + place as u64).collect();
        let place =
            places.into_iter().find(|place| matches!(self.cut(*place, group, key, veil), Cut::Whole(_)))?;
        self.groups.drain(..self.tried);
        self.tried = 0;
        Some(place)
    }

    fn cut(&self, at: u64, group: &Group, key: Key, veil: &Veil) -> Cut {
        let Some(from) = at.checked_sub(self.first) else { return Cut::Wrong };
        let from = from as usize;
        if from + group.bytes() > self.bytes.len() {
            return Cut::Early;
        }
        let mut place = from;
        let cut = |(flags, length): &(u8, u16)| {
            let data = Bytes::copy_from_slice(&self.bytes[place..place + usize::from(*length)]);
            place += usize::from(*length);
            (*flags, data)
        };
        let chunks: Vec<_> = group.chunks.iter().map(cut).collect();
        let numbered = (group.first..).zip(&chunks);
        let leaves = numbered
            .map(|(number, (flags, data))| key.leaf(number, *flags, &veil.over(number, data.clone())))
            .collect();
        let levels = seal::tree(leaves);
        let root = levels.last().and_then(|top| top.first());
        if root == Some(&group.root) { Cut::Whole(chunks) } else { Cut::Wrong }
    }

    fn forget(&mut self, count: usize) {
        let count = count.min(self.bytes.len());
        let _gone = self.bytes.split_to(count);
        self.first += count as u64;
        while self.pieces.pop_front_if(|(at, _)| *at < self.first).is_some() {}
    }
}

enum Cut {
    /// Not all of it came yet.
    Early,
    /// It is not there.
    Wrong,
    Whole(Vec<(u8, Bytes)>),
}

const LONGEST: usize = 1 << 20;
const WAITING: usize = 512;
/// Numbers so far back are of another count.
const FAR: u64 = 10_000;
/// Places with the same bytes that are looked at.
const CANDIDATES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{Seal, wire::standby::MARK};

    fn group(first: u64, chunks: &[(u8, &[u8])]) -> Group {
        let key = Seal::StandIn.key();
        let leaves = (first..).zip(chunks).map(|(number, (flags, data))| key.leaf(number, *flags, data));
        let root = seal::tree(leaves.collect()).last().unwrap()[0];
        let mark = Bytes::copy_from_slice(&chunks[0].1[..chunks[0].1.len().min(MARK)]);
        let chunks = chunks.iter().map(|(flags, data)| (*flags, data.len() as u16)).collect();
        Group { first, mark, root, chunks }
    }

    #[test]
    fn groups_are_found_in_the_same_stream_from_elsewhere_and_the_rest_follows_them() {
        let source: Vec<u8> = (0..5_000u32).flat_map(|n| (n * n).to_be_bytes()).collect();
        let mut tape = Tape::default();
        // It came in later, and has other pieces.
        tape.push(true, &source[300..2_000]);
        tape.note(group(7, &[(1, &source[..200]), (0, &source[200..900])]));
        tape.note(group(9, &[(0, &source[900..1_500])]));
        tape.note(group(10, &[(1, &source[1_500..2_500])]));
        let (key, veil) = (Seal::StandIn.key(), Veil::default());
        let found: Vec<_> = (0..6).filter_map(|_| tape.group(key, &veil)).collect();
        assert_eq!(found, [(9, vec![(0, Bytes::copy_from_slice(&source[900..1_500]))])]);
        tape.push(true, &source[2_000..3_000]);
        assert_eq!(tape.group(key, &veil).map(|(first, chunks)| (first, chunks.len())), Some((10, 1)));
        tape.push(true, &source[3_000..4_000]);
        let (seamless, rest) = tape.rest();
        assert!(seamless && tape.next() == 11);
        let lengths: Vec<_> = rest.iter().map(|(entry, bytes)| (*entry, bytes.len())).collect();
        assert_eq!(lengths, [(false, 500), (true, 1_000)]);
    }

    #[test]
    fn without_a_place_it_goes_on_where_a_player_may_begin() {
        let mut tape = Tape::default();
        tape.push(false, &[1; 500]);
        tape.push(true, &[2; 500]);
        tape.note(group(7, &[(0, &[9; 90])]));
        assert_eq!(tape.group(Seal::StandIn.key(), &Veil::default()), None);
        let (seamless, rest) = tape.rest();
        assert_eq!((seamless, rest.len(), rest[0].0, rest[0].1.len()), (false, 1, true, 500));
    }
}
