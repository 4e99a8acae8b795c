//! Joins the end of a WebM file to its beginning.

use super::{
    Cutter,
    element::id,
    header::{self, Header},
    reader::{Reader, Unit},
    segment::Segment,
};
use crate::{Cut, Page, Timestamp, container::joint::Joint};
use bytes::{BufMut, BytesMut};
use std::time::Duration;

/// One Segment of unknown size, whose clusters, of unknown size too, have shifted timestamps. What tells places or the
/// length of the file is left out; a header that says nothing new as well.
#[derive(Default)]
pub struct Splice {
    reader: Reader,
    segment: Segment,
    /// The segment whose header is in force in what went out.
    written: Option<Segment>,
    /// The header of this round, until it is known whether it says anything new.
    header: Header,
    /// A cluster has begun and its timestamp is not written.
    fresh: bool,
    joint: Joint,
    cutter: Cutter,
}

impl Splice {
    /// A splice before its first round.
    pub fn new() -> Splice {
        Splice::default()
    }

    fn take(&mut self, unit: &Unit) {
        self.segment.see(unit);
        self.header.see(unit);
        match unit.id {
            id::TRACKS => self.reader.expect(self.segment.numbers()),
            id::CLUSTER => self.cluster(),
            id::SIMPLE_BLOCK | id::BLOCK_GROUP => self.block(unit),
            _ => {}
        }
    }

    fn cluster(&mut self) {
        let known = self.written.as_ref().is_some_and(|written| written.same(&self.segment));
        if !known {
            self.written = Some(self.segment.clone());
            self.cutter.push(&self.header.endless());
        }
        self.fresh = true;
    }

    fn block(&mut self, unit: &Unit) {
        let Some((track, block)) = self.segment.block(unit) else { return };
        let span = block.span.unwrap_or(self.segment.frame(track));
        let at = self.segment.at(&block).0;
        self.joint.place(block.track as u32, at, i64::try_from(span).unwrap_or(0));
        if std::mem::take(&mut self.fresh) {
            let mut cluster = BytesMut::new();
            header::put_open(&mut cluster, id::CLUSTER);
            cluster.put_slice(&[id::TIMESTAMP as u8, 0x88]);
            let shifted = self.segment.cluster().saturating_add(self.joint.shift());
            cluster.put_u64(u64::try_from(shifted).unwrap_or(0));
            self.cutter.push(&cluster);
        }
        self.cutter.push(&unit.bytes);
    }
}

impl crate::splice::Rounds for Splice {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.window.push(bytes);
    }

    fn poll(&mut self) -> Option<Page> {
        loop {
            if let Some(page) = self.cutter.poll() {
                return Some(page);
            }
            let unit = self.reader.poll()?;
            self.take(&unit);
        }
    }

    fn rewind(&mut self) {
        self.reader.window.restart();
        self.joint.rewind();
    }

    fn round(&self) -> Option<Duration> {
        let ticks = Timestamp(self.joint.round()?);
        Some(self.written.as_ref()?.timebase().duration(ticks))
    }
}
