//! What a peer plays becomes an ordinary mount: its head and its chunks are bytes of one stream.

use levada_media::{Cut, Format, Role};
use levada_serve::{Claim, MountName, Origin, Source, Station};
use levada_swarm::head::HttpHead;
use std::{sync::Arc, time::SystemTime};

/// Feeds a mount with what a peer plays.
pub struct Intake {
    station: Arc<Station>,
    mount: MountName,
    http: HttpHead,
    claim: Option<Claim>,
    /// What came before anybody knew what it is; at most [`PROBED`].
    waiting: Vec<u8>,
    head: Vec<u8>,
}

impl Intake {
    /// Will feed `mount` of `station`.
    pub fn new(station: Arc<Station>, mount: MountName) -> Intake {
        Intake {
            station,
            mount,
            http: HttpHead::default(),
            claim: None,
            waiting: Vec::new(),
            head: Vec::new(),
        }
    }

    /// The team was joined anew: another head may come.
    pub fn restart(&mut self) {
        (self.http, self.claim) = (HttpHead::default(), None);
        self.waiting.clear();
        self.head.clear();
    }

    /// The head of the stream. Of its media nothing is played: the chunks go on somewhere else.
    pub fn head(&mut self, bytes: &[u8]) {
        let Some(body) = self.http.push(bytes) else { return };
        self.head.extend_from_slice(&body);
        if let Some(content_type) = self.http.field("content-type").map(str::to_owned) {
            self.open(&content_type);
        }
    }

    /// The next bytes to be played.
    pub fn play(&mut self, bytes: &[u8]) {
        if self.claim.is_some() {
            return self.push(bytes);
        }
        // The first peer of a splitter of 2018 finds the source's answer in front of the first chunk.
        let Some(body) = self.http.push(bytes) else { return };
        self.waiting.extend_from_slice(&body);
        let said = self.http.field("content-type").map(str::to_owned);
        let probed = || Format::probe(&self.waiting).map(|format| format.content_type().to_owned());
        match said.or_else(probed) {
            Some(content_type) => self.open(&content_type),
            None if self.waiting.len() > PROBED => self.open(Format::Opaque.content_type()),
            None => {}
        }
    }

    fn open(&mut self, content_type: &str) {
        let mut source = Source::new(Origin::Swarm, content_type, SystemTime::now());
        source.agent = super::AGENT.to_owned();
        let format = source.format;
        self.claim = self.station.mounts.claim(&self.mount, source, &self.station.config()).ok();
        let header = header_pages(format, &std::mem::take(&mut self.head));
        self.push(&header);
        let waiting = std::mem::take(&mut self.waiting);
        self.push(&waiting);
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.claim.as_ref().is_some_and(|claim| claim.push(bytes).is_err()) {
            self.claim = None;
        }
    }
}

/// The header pages at the front of `head`; all of it where the format has none of its own.
fn header_pages(format: Format, head: &[u8]) -> Vec<u8> {
    let mut cutter: Box<dyn Cut> = format.cutter();
    cutter.push(head);
    let pages = std::iter::from_fn(|| cutter.poll()).take_while(|page| page.role == Role::Header);
    pages.flat_map(|page| page.bytes.to_vec()).collect()
}

/// A stream that is nothing we know after so many bytes is passed on as it is.
const PROBED: usize = 64 << 10;
