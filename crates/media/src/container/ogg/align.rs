//! Splits pages so that every key frame has one of its own.

use super::chain::{Chain, StepKind};
use super::coding::Coding;
use super::page::{self, PageHeader, Piece};
use crate::codec::theora;
use crate::{Page, Role};
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// A filter behind a [`Cutter`](super::Cutter) for streams whose Theora key frames share their pages with other
/// pictures, as VLC and everything else that leaves paging to libogg writes them.
///
/// A newcomer at such a page would get the pictures before the key frame first and show grey. And ffmpeg, which
/// tells a key frame by its page's granule, complains about every one that does not end its page, even when it
/// plays from the beginning.
///
/// Pages that need no splitting pass as they are until the first split of their stream; from then on its pages
/// are numbered anew. Packets and granules stay.
pub struct Align {
    chain: Chain,
    lanes: Vec<Lane>,
    ready: VecDeque<Page>,
}

/// A stream that has been looked at.
#[derive(Clone, Copy, Debug)]
struct Lane {
    serial: u32,
    /// Pages that we added.
    added: u32,
    /// Pictures shown after the last key frame.
    key: i64,
    /// A key frame goes on over the end of the last page.
    inside_key: bool,
}

/// Some of the pieces of a page, to become one.
struct Part {
    pieces: Vec<Piece>,
    /// It is (what is here of) a key frame.
    key: bool,
    granule: i64,
    /// How long before the end of the whole page this part ends.
    before: Duration,
}

impl Align {
    /// A filter that has seen nothing.
    pub fn new() -> Align {
        Align { chain: Chain::new(), lanes: Vec::new(), ready: VecDeque::new() }
    }

    /// Takes the next page of a cutter.
    pub fn push(&mut self, page: Page) {
        let Some(header) = PageHeader::parse(&page.bytes) else { return self.ready.push_back(page) };
        let step = self.chain.take(&header, &page.bytes);
        if step.anew {
            self.lanes.clear();
        }
        let StepKind::Data(index, seen) = step.kind else { return self.pass(page, &header) };
        match self.chain.streams().get(index).map(|stream| &stream.coding) {
            Some(&Coding::Theora(ident)) => self.split(page, &header, index, seen.data, &ident),
            _ => self.pass(page, &header),
        }
    }

    /// The next page.
    pub fn poll(&mut self) -> Option<Page> {
        self.ready.pop_front()
    }

    fn split(
        &mut self,
        page: Page,
        header: &PageHeader,
        index: usize,
        data: Vec<Piece>,
        ident: &theora::Ident,
    ) {
        let lane = self.lane(header.serial);
        let keys: Vec<bool> = data
            .iter()
            .map(|piece| if piece.begins { is_key(&page.bytes, piece) } else { lane.inside_key })
            .collect();
        let open = data.last().is_some_and(|piece| !piece.ends);
        lane.inside_key = open && keys.last() == Some(&true);
        let parts = parts(header, data.into_iter().zip(keys), ident, lane.key);
        lane.key = header.mark().map_or(lane.key, |granule| ident.key(granule));
        if parts.len() < 2 {
            return self.pass(page, header);
        }
        let torn =
            self.chain.streams().iter().enumerate().any(|(other, stream)| other != index && stream.open);
        // what the cutter has offered because there was nothing better stays offered
        let welcome = !torn || page.role == Role::Entry;
        let last = parts.len() - 1;
        for (number, part) in parts.iter().enumerate() {
            let begins = part.key && part.pieces.first().is_some_and(|piece| piece.begins);
            let role = if begins && welcome { Role::Entry } else { Role::Plain };
            let lane = self.lane(header.serial);
            lane.added = lane.added.wrapping_add(u32::from(number > 0));
            let header = PageHeader {
                continued: header.continued && number == 0,
                last: header.last && number == last,
                granule: part.granule,
                sequence: header.sequence.wrapping_add(lane.added),
                ..*header
            };
            let bytes = lay(&header, &page.bytes, &part.pieces);
            let at = page.at.map(|at| at.saturating_sub(part.before));
            let tags = page.tags.clone().filter(|_| number == 0);
            self.ready.push_back(Page { at, tags, ..Page::new(bytes, role) });
        }
    }

    /// The page as it is, but for its number.
    fn pass(&mut self, page: Page, header: &PageHeader) {
        let added = self.lanes.iter().find(|lane| lane.serial == header.serial).map_or(0, |lane| lane.added);
        let sequence = header.sequence.wrapping_add(added);
        let bytes = match added {
            0 => page.bytes,
            _ => page::rewrite_serial(&page.bytes, header.serial, sequence),
        };
        self.ready.push_back(Page { bytes, ..page });
    }

    fn lane(&mut self, serial: u32) -> &mut Lane {
        let found = self.lanes.iter().position(|lane| lane.serial == serial);
        let index = found.unwrap_or_else(|| {
            self.lanes.push(Lane { serial, added: 0, key: 1, inside_key: false });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }
}

impl Default for Align {
    fn default() -> Align {
        Align::new()
    }
}

/// Cuts the pieces of a page, each with whether it is of a key frame, before and after each key frame.
fn parts(
    header: &PageHeader,
    data: impl Iterator<Item = (Piece, bool)> + Clone,
    ident: &theora::Ident,
    mut last_key: i64,
) -> Vec<Part> {
    let mut left = data.clone().filter(|(piece, _)| piece.ends).count() as i64;
    let shown = header.mark().map(|granule| ident.pictures(granule));
    let mut parts: Vec<Part> = Vec::new();
    for (piece, key) in data {
        if parts.last().is_none_or(|part| key || part.key) {
            parts.push(Part { pieces: Vec::new(), key, granule: -1, before: Duration::ZERO });
        }
        let Some(part) = parts.last_mut() else { continue };
        if piece.ends {
            left -= 1;
            let pictures = shown.map(|shown| shown.saturating_sub(left));
            last_key = pictures.filter(|_| key).unwrap_or(last_key);
            part.granule = match pictures {
                Some(pictures) if left > 0 => ident.granule(last_key, pictures),
                Some(_) => header.granule,
                None => -1,
            };
            part.before = ident.timebase.duration(crate::Timestamp(left));
        }
        part.pieces.push(piece);
    }
    parts
}

fn is_key(page: &Bytes, piece: &Piece) -> bool {
    page.get(piece.range.clone()).is_some_and(theora::is_key)
}

/// A page of `header` with these `pieces` of another one.
fn lay(header: &PageHeader, page: &Bytes, pieces: &[Piece]) -> Bytes {
    let mut lacing = Vec::new();
    let mut body = Vec::new();
    for piece in pieces {
        let bytes = page.get(piece.range.clone()).unwrap_or_default();
        lacing.extend(std::iter::repeat_n(255, bytes.len() / 255));
        lacing.extend(piece.ends.then_some((bytes.len() % 255) as u8));
        body.extend_from_slice(bytes);
    }
    page::write(header, &lacing, &body)
}
