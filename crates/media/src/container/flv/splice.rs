//! Joins the end of a Flash video file to its beginning.

use super::{
    Cutter,
    file::{self, Reader, Unit},
    head::{Head, Part},
    meta::{self, Value},
    tag::{Kind, Tag, What, packets},
};
use crate::{Cut, Page, container::joint::Joint};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// Shifts the time of every tag; drops headers that say nothing new, ends of sequences, and the length of the file.
#[derive(Default)]
pub struct Splice {
    reader: Reader,
    head: Head,
    joint: Joint,
    cutter: Cutter,
    started: bool,
}

impl Splice {
    /// A splice before its first round.
    pub fn new() -> Splice {
        Splice::default()
    }

    fn tag(&mut self, tag: &Tag, bytes: &Bytes) {
        if let Some(part) = Part::of(tag) {
            let meta = part == Part::Meta;
            if self.head.take(part, bytes) {
                let mut copy = file::retimed(bytes, self.joint.newest() as u32);
                if meta {
                    forget_length(&mut copy, &tag.payload);
                }
                self.cutter.push(&copy);
            }
            return;
        }
        self.head.close();
        let what: Vec<What> = packets(tag).filter_map(Result::ok).map(|packet| packet.what).collect();
        if what.contains(&What::End) {
            return;
        }
        let at = match tag.kind {
            Kind::Script => self.joint.newest(),
            kind => self.joint.place(kind as u32, i64::from(tag.timestamp), 0),
        };
        for what in what {
            if let What::Frame { composition, .. } = what {
                self.joint.show(tag.kind as u32, i64::from(tag.timestamp) + i64::from(composition));
            }
        }
        self.cutter.push(&file::retimed(bytes, at as u32));
    }
}

/// Overwrites what only a file knows with zero.
fn forget_length(bytes: &mut BytesMut, payload: &[u8]) {
    for (key, value) in meta::values(payload) {
        if let (b"duration" | b"filesize", Value::Number(at)) = (key, value) {
            bytes[file::BEFORE + at..][..8].fill(0);
        }
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
            match self.reader.poll()? {
                Unit::Head(bytes) if !self.started => {
                    self.started = true;
                    self.head.begin(bytes.clone());
                    self.cutter.push(&bytes);
                }
                Unit::Head(_) => {}
                Unit::Tag(tag, bytes) => self.tag(&tag, &bytes),
            }
        }
    }

    fn rewind(&mut self) {
        self.reader.window.restart();
        self.joint.rewind();
    }

    fn round(&self) -> Option<Duration> {
        self.joint.round().map(|millis| Duration::from_millis(millis.unsigned_abs()))
    }
}
