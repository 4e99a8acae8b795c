//! Sets a new title in the middle of a stream: the stream ends and goes on as another one.

use super::chain::{Chain, StepKind};
use super::coding::Coding;
use super::packet::Assembler;
use super::page::{PageHeader, Piece};
use super::serial::Serials;
use super::stream::Stream;
use super::write::Writer;
use crate::codec::{comments, flac, opus, vorbis};
use crate::{Page, Role, Tags};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// A filter behind a [`Cutter`](super::Cutter) that gives a running Vorbis, Opus or FLAC stream new titles.
///
/// In Ogg a title is a header, so a new one needs a new link of the chain: the running logical stream is ended by
/// an empty page, and another begins with the same codec headers but for the comments. Everything after that
/// is the source's own packets in pages of the new serial, numbered anew.
///
/// The link's granules begin near zero, as those of every encoder do: mpv counts on it. No sample is lost or
/// heard twice by a decoder that keeps to the standards: a Vorbis link begins with the last packet again, because
/// decoders only prepare with the first one; an Opus link with the last 80 ms again, which its pre-skip tells to throw
/// away (RFC 7845 §4.2). FLAC needs neither. The pages' `at` is not touched.
///
/// Without a title set, and once the source begins a link of its own, everything passes as it is.
pub struct Retitle {
    chain: Chain,
    serials: Serials,
    wanted: Option<Tags>,
    /// What was set last in this link.
    shown: Option<Tags>,
    /// The stream that we write, once a title has been set.
    ours: Option<Ours>,
    assembler: Assembler,
    /// The last packets, as many as the next link would have to repeat.
    tail: VecDeque<Bytes>,
    before: Option<Before>,
    /// The source's last granule.
    granule: i64,
    at: Option<Duration>,
    ready: VecDeque<Page>,
}

#[derive(Debug)]
struct Ours {
    writer: Writer,
    /// How much later our granules are than the source's; below zero as a rule.
    shift: i64,
}

/// What a new link begins with.
struct Opening {
    /// The header packet that stands on a page of its own.
    first: Bytes,
    /// The other header packets.
    others: Vec<Bytes>,
    /// The granule after the packets that are repeated.
    begins: i64,
}

/// What the last page passed on leaves behind.
#[derive(Clone, Copy, Debug)]
struct Before {
    serial: u32,
    /// The number of the page after it.
    sequence: u32,
    granule: i64,
    ended: bool,
}

impl Retitle {
    /// A filter that has seen nothing; `seed` decides the serials it will use.
    pub fn new(seed: u64) -> Retitle {
        Retitle {
            chain: Chain::new(),
            serials: Serials::new(seed),
            wanted: None,
            shown: None,
            ours: None,
            assembler: Assembler::default(),
            tail: VecDeque::new(),
            before: None,
            granule: 0,
            at: None,
            ready: VecDeque::new(),
        }
    }

    /// Sets what is playing from the next page on that begins with a packet. The last one set wins, what is
    /// playing already changes nothing. It waits as long as the stream cannot be given a title, see
    /// [`Retitle::can`].
    pub fn set(&mut self, tags: Tags) {
        self.wanted = Some(tags).filter(|tags| self.shown.as_ref() != Some(tags));
    }

    /// Whether the running stream can be given a title: one Vorbis, Opus or FLAC stream and nothing beside it.
    pub fn can(&self) -> bool {
        self.sole().is_some()
    }

    /// Takes the next page of a cutter.
    pub fn push(&mut self, page: Page) {
        let Some(header) = PageHeader::parse(&page.bytes) else { return self.ready.push_back(page) };
        let step = self.chain.take(&header, &page.bytes);
        if step.anew {
            self.leave();
        }
        if let StepKind::Header(_, seen) | StepKind::Data(_, seen) = &step.kind {
            let begins = !header.continued && !seen.header && !seen.data.is_empty();
            if begins
                && self.can()
                && let Some(tags) = self.wanted.take()
            {
                self.begin(tags);
            }
            self.remember(&page.bytes, &seen.data, seen.gap || !header.continued);
        }
        self.granule = header.mark().unwrap_or(self.granule);
        self.pass(page);
    }

    /// The next page.
    pub fn poll(&mut self) -> Option<Page> {
        self.ready.pop_front()
    }

    fn pass(&mut self, page: Page) {
        let bytes = match &mut self.ours {
            Some(ours) => ours.writer.adopt(&page.bytes, ours.shift),
            None => page.bytes,
        };
        self.at = page.at.or(self.at);
        self.note(&bytes);
        self.ready.push_back(Page { bytes, ..page });
    }

    /// The only stream, if it is of a kind that can be given a title.
    fn sole(&self) -> Option<&Stream> {
        let [stream] = self.chain.streams() else { return None };
        let known = matches!(stream.coding, Coding::Vorbis(_) | Coding::Opus(_) | Coding::Flac(_));
        Some(stream).filter(|stream| known && stream.is_sound() && !stream.headers.is_empty())
    }

    /// Ends the running stream and begins another one that says `tags`.
    fn begin(&mut self, tags: Tags) {
        let Some(stream) = self.sole() else { return };
        let Some(Opening { first, others, begins }) = opening(stream, &tags, &self.tail) else { return };
        let (theirs, ours) = (stream.serial, self.ours.as_ref().map(|ours| ours.writer.serial()));
        let mut writer = Writer::new(self.serials.draw(|serial| serial == theirs || Some(serial) == ours));
        let shift = begins.saturating_sub(self.granule);
        self.close();
        self.shown = Some(tags.clone());
        self.write(writer.lay(&[&first], 0, false), Role::Header, None);
        self.write(writer.lay(&slices(others.iter()), 0, false), Role::Header, Some(Arc::new(tags)));
        if !self.tail.is_empty() {
            let again = writer.lay(&slices(self.tail.iter()), begins, false);
            self.write(again, Role::Entry, None);
        }
        self.ours = Some(Ours { writer, shift });
    }

    /// The source begins a link of its own: ours ends, and theirs passes as it is.
    fn leave(&mut self) {
        if self.ours.take().is_some() {
            self.close();
        }
        self.tail.clear();
        (self.shown, self.granule) = (None, 0);
    }

    /// Ends the running stream, unless it has ended.
    fn close(&mut self) {
        let Some(before) = self.before.take_if(|before| !before.ended) else { return };
        let end = Writer::resume(before.serial, before.sequence).lay(&[], before.granule, true);
        self.write(end, Role::Plain, None);
    }

    fn write(&mut self, pages: Vec<Bytes>, role: Role, mut tags: Option<Arc<Tags>>) {
        for bytes in pages {
            let at = self.at.filter(|_| role != Role::Header);
            self.note(&bytes);
            self.ready.push_back(Page { tags: tags.take(), at, ..Page::new(bytes, role) });
        }
    }

    fn note(&mut self, page: &Bytes) {
        let Some(header) = PageHeader::parse(page) else { return };
        let granule = header.mark().or(self.before.map(|before| before.granule)).unwrap_or(0);
        let sequence = header.sequence.wrapping_add(1);
        self.before = Some(Before { serial: header.serial, sequence, granule, ended: header.last });
    }

    /// Keeps the last packets where the next link will have to repeat them.
    fn remember(&mut self, page: &Bytes, data: &[Piece], torn: bool) {
        let Some(coding) = self.sole().map(|stream| stream.coding.clone()) else { return };
        if torn {
            self.assembler.tear();
        }
        self.tail.extend(data.iter().filter_map(|piece| self.assembler.take(piece, page)));
        while self.tail.len() > 1 && self.tail.len() > repeats(&coding, &self.tail) {
            self.tail.pop_front();
        }
        if repeats(&coding, &self.tail) == 0 {
            self.tail.clear();
        }
    }
}

fn slices<'a>(packets: impl Iterator<Item = &'a Bytes>) -> Vec<&'a [u8]> {
    packets.map(Bytes::as_ref).collect()
}

/// How many packets from the end of `tail` a link begins with.
fn repeats(coding: &Coding, tail: &VecDeque<Bytes>) -> usize {
    match coding {
        Coding::Vorbis(_) => 1,
        Coding::Opus(_) => {
            let mut samples = 0;
            let enough = tail.iter().rev().position(|packet| {
                samples += opus::samples(packet).unwrap_or(0);
                samples >= opus::CONVERGENCE
            });
            enough.map_or(MOST_REPEATED, |before| before + 1).min(MOST_REPEATED)
        }
        _ => 0,
    }
}

/// How a stream goes on from `stream` under another title, beginning with `tail` again.
fn opening(stream: &Stream, tags: &Tags, tail: &VecDeque<Bytes>) -> Option<Opening> {
    let first = stream.headers.first()?.clone();
    let before = stream.headers.get(1).and_then(|packet| stream.coding.comments(1, packet));
    let block = comments::write(before.map(comments::vendor).unwrap_or_default(), tags);
    match &stream.coding {
        Coding::Vorbis(ident) => {
            // ffmpeg does not begin anew and hears the packet twice: that is the time it takes there
            let length = stream.modes.zip(tail.back()).and_then(|(modes, packet)| modes.block(ident, packet));
            let others = vec![vorbis::comment_header(&block).into(), stream.headers.get(2)?.clone()];
            Some(Opening { first, others, begins: length.map_or(0, |block| i64::from(block / 2)) })
        }
        Coding::Opus(head) => {
            let repeated: u32 = tail.iter().filter_map(|packet| opus::samples(packet)).sum();
            let pre_skip = if tail.is_empty() { head.pre_skip } else { u16::try_from(repeated).ok()? };
            let first = opus::begin_anew(&first, pre_skip)?.into();
            let others = vec![opus::comment_header(&block).into()];
            Some(Opening { first, others, begins: repeated.into() })
        }
        Coding::Flac(_) => {
            let first = flac::begin_anew(&first, 1)?.into();
            Some(Opening { first, others: vec![flac::comment_header(&block).into()], begins: 0 })
        }
        _ => None,
    }
}

/// The shortest Opus packet lasts 2.5 ms, and 80 are wanted.
const MOST_REPEATED: usize = 32;
