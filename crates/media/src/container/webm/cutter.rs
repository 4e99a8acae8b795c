//! Cuts WebM into pages: one page a block, and where a cluster begins one up to its first picture.

use super::{
    element::id,
    header::Header,
    reader::{Reader, Unit},
    segment::Segment,
};
use crate::{Cut, Page, Role, Tags, TrackInfo, container::clock::APART};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// The header set is everything before the first cluster. A newcomer begins with a cluster whose first picture is a
/// key frame, or with any cluster where there is only sound. Where the Segment says how long it is, which is true only
/// for who has it from the beginning, newcomers get a header of a Segment without an end ([`Cut::header_set`]).
///
/// A cluster's first page waits for its first picture, at most a quarter of a second of the
/// cluster's time and a megabyte.
#[derive(Default)]
pub struct Cutter {
    reader: Reader,
    segment: Segment,
    header: Header,
    tracks: Vec<TrackInfo>,
    /// A cluster has come: what is before it is header, what comes after is not.
    body: bool,
    /// The beginning of a cluster, until it is known whether one may begin with it.
    held: Option<BytesMut>,
    ready: VecDeque<Page>,
    newest: Duration,
    tags: Option<Arc<Tags>>,
}

impl Cutter {
    /// A cutter that has seen nothing.
    pub fn new() -> Cutter {
        Cutter::default()
    }

    fn take(&mut self, unit: Unit) {
        self.header.see(&unit);
        if let Some(tags) = self.segment.see(&unit) {
            self.tags = Some(Arc::new(tags));
        }
        match unit.id {
            id::EBML => self.begin(unit),
            id::CLUSTER => self.cluster(unit),
            id::SIMPLE_BLOCK | id::BLOCK_GROUP => self.block(unit),
            id::TRACKS | id::INFO => {
                self.tracks = self.segment.infos();
                self.reader.expect(self.segment.numbers());
                self.other(unit);
            }
            _ => self.other(unit),
        }
    }

    fn begin(&mut self, unit: Unit) {
        self.release(Role::Plain);
        (self.body, self.newest) = (false, Duration::ZERO);
        self.tracks.clear();
        self.reader.expect(Vec::new());
        self.emit(Page::new(unit.bytes, Role::Header));
    }

    fn other(&mut self, unit: Unit) {
        match &mut self.held {
            Some(held) => held.extend_from_slice(&unit.bytes),
            None if self.body => self.emit(Page::new(unit.bytes, Role::Plain)),
            None => self.emit(Page::new(unit.bytes, Role::Header)),
        }
    }

    fn cluster(&mut self, unit: Unit) {
        self.release(Role::Plain);
        self.body = true;
        self.held = Some(BytesMut::from(&unit.bytes[..]));
    }

    fn block(&mut self, unit: Unit) {
        let (role, at) = self.judge(&unit);
        self.newest = at.map_or(self.newest, |at| self.time(at));
        let Some(held) = &mut self.held else {
            return self.emit(Page::new(unit.bytes, Role::Plain).at(self.newest));
        };
        held.extend_from_slice(&unit.bytes);
        let too_long = held.len() > MOST_HELD;
        match role {
            Some(role) => self.release(role),
            None if too_long => self.release(Role::Plain),
            None => {}
        }
    }

    /// What the block makes of the cluster that it may be the beginning of (`None`: wait for another), and its time.
    fn judge(&self, unit: &Unit) -> (Option<Role>, Option<Duration>) {
        let Some((track, block)) = self.segment.block(unit) else { return (Some(Role::Plain), None) };
        let timebase = self.segment.timebase();
        let begin = self.segment.at(&block);
        let span = block.span.unwrap_or(self.segment.frame(track));
        let role = match self.segment.pictures() {
            None => Some(Role::Entry),
            Some(number) if number == block.track => {
                let key = block.key && track.is_key(block.first());
                Some(if key { Role::Entry } else { Role::Plain })
            }
            Some(_) => {
                let waited = timebase.duration(crate::Timestamp(i64::from(block.at)));
                (waited > PATIENCE).then_some(Role::Plain)
            }
        };
        (role, Some(timebase.duration(begin + crate::Span(span))))
    }

    /// The newest time; it goes back only where the stream begins again.
    fn time(&self, at: Duration) -> Duration {
        if at + APART < self.newest { at } else { at.max(self.newest) }
    }

    fn release(&mut self, role: Role) {
        if let Some(held) = self.held.take() {
            self.emit(Page::new(held.freeze(), role).at(self.newest));
        }
    }

    fn emit(&mut self, page: Page) {
        self.ready.push_back(Page { tags: self.tags.take(), ..page });
    }
}

impl Cut for Cutter {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        while self.ready.is_empty() {
            let unit = self.reader.poll()?;
            self.take(unit);
        }
        self.ready.pop_front()
    }

    fn tracks(&self) -> &[TrackInfo] {
        &self.tracks
    }

    fn skipped(&self) -> u64 {
        self.reader.window.skipped()
    }

    fn header_set(&self) -> Option<Bytes> {
        self.header.ends().then(|| self.header.endless())
    }

    fn finish(&mut self) {
        self.reader.window.finish();
        while let Some(unit) = self.reader.poll() {
            self.take(unit);
        }
        self.release(Role::Plain);
    }
}

/// Muxers put at most a picture's time of sound before a cluster's first picture; with slower pictures nobody can begin.
const PATIENCE: Duration = Duration::from_millis(250);
/// The same in bytes.
const MOST_HELD: usize = 1 << 20;
