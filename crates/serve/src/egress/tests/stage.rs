//! What the tests play on: an egress, renditions with numbered pages, and clients that read them.

use super::super::*;
use super::numbered::{Numbered, Script, check_story};
use crate::Piece;
use bytes::{Buf, BytesMut};
use levada_channel::{Bounds, Publisher};
use levada_media::{Page, Tags};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

pub(super) struct Stage {
    pub(super) egress: Egress,
    listener: TcpListener,
    next: AtomicU64,
    pub(super) ended: Arc<Mutex<Vec<(SessionId, End)>>>,
    fault: Arc<AtomicBool>,
    /// Bytes sent in all sessions that are over.
    pub(super) sent: Arc<AtomicU64>,
}

impl Stage {
    pub(super) fn new() -> Stage {
        Stage::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Stage {
        let ended = Arc::<Mutex<Vec<_>>>::default();
        let heard = ended.clone();
        let fault = Arc::<AtomicBool>::default();
        let faults = fault.clone();
        let sent = Arc::<AtomicU64>::default();
        let sum = sent.clone();
        let on_end = Arc::new(move |session: Arc<Session>, end| {
            assert!(!faults.swap(false, Relaxed), "a test wants this");
            sum.fetch_add(session.sent.load(Relaxed), Relaxed);
            heard.lock().unwrap().push((session.id, end));
        });
        let egress = Egress::start(Config { reactors: config.reactors.max(1), ..config }, on_end).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Stage { egress, listener, next: AtomicU64::new(1), ended, fault, sent }
    }

    /// A stage with a rendition that has one entry of 100 bytes so far.
    pub(super) fn on_air() -> (Stage, Arc<Rendition>, Source) {
        Stage::on_air_with(Config::default())
    }

    pub(super) fn on_air_with(config: Config) -> (Stage, Arc<Rendition>, Source) {
        let (stage, rendition) = (Stage::with(config), rendition(1));
        let mut source = Source::of(&rendition, b'a');
        source.entries(1, 100);
        (stage, rendition, source)
    }

    /// A listener of `rendition` as most are, and its client.
    pub(super) fn join(&self, rendition: &Arc<Rendition>) -> Client {
        self.join_with(rendition, |_| {})
    }

    pub(super) fn join_with(&self, rendition: &Arc<Rendition>, change: impl FnOnce(&mut Joining)) -> Client {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        let session = Arc::new(session(SessionId(self.next.fetch_add(1, Relaxed)), "/home"));
        let mut joining = Joining {
            transport: Transport::Plain(server),
            head: Bytes::from_static(HEAD),
            framing: Framing::Raw,
            pace: Pace::Every(Duration::from_millis(250)),
            burst: Start::Entry,
            catch_up: None,
            rendition: rendition.clone(),
            session: session.clone(),
            intro: None,
            farewell: None,
            expires: None,
        };
        change(&mut joining);
        let session = joining.session.clone();
        self.egress.join(joining);
        wait_for(|| session.sent.load(Relaxed) > 0 || self.has_ended(session.id));
        Client { stream: client, session, body: BytesMut::new(), headed: false, story: Vec::new() }
    }

    /// Waits until a session is over, and tells how it ended.
    pub(super) fn end_of(&self, client: &Client) -> End {
        let id = client.session.id;
        wait_for(|| self.has_ended(id));
        self.ended.lock().unwrap().iter().find(|(ended, _)| *ended == id).unwrap().1
    }

    fn has_ended(&self, id: SessionId) -> bool {
        self.ended.lock().unwrap().iter().any(|(ended, _)| *ended == id)
    }

    /// Has whoever is told of the next end panic.
    pub(super) fn panic_at_next_end(&self) {
        self.fault.store(true, Relaxed);
    }

    pub(super) fn ends(&self) -> usize {
        self.ended.lock().unwrap().len()
    }
}

pub(super) fn session(id: SessionId, home: &str) -> Session {
    Session {
        id,
        home: home.parse().unwrap(),
        peer: [127, 0, 0, 1].into(),
        agent: "".into(),
        referer: "".into(),
        request: "GET / HTTP/1.1".into(),
        user: None,
        since: SystemTime::now(),
        began: Instant::now(),
        sent: 0.into(),
        skips: 0.into(),
        meter: crate::Meter::default(),
        rate: Default::default(),
        lag: 0.into(),
        relay: None,
    }
}

/// A rendition whose channels lose nothing, however fast a test sends.
pub(super) fn rendition(id: u64) -> Arc<Rendition> {
    let bounds = Bounds { bytes: 256 << 20, time: Duration::from_secs(3_600), ..Bounds::default() };
    Rendition::bounded(RenditionId(id), bounds)
}

/// Sends numbered pages of one stream into a rendition.
pub(super) struct Source {
    publisher: Publisher<Piece>,
    script: Script,
}

impl Source {
    pub(super) fn of(rendition: &Rendition, stream: u8) -> Source {
        Source { publisher: rendition.open(), script: Script::of(stream) }
    }

    /// Another connection of the same source.
    pub(super) fn reopen(&mut self, rendition: &Rendition) {
        self.publisher = rendition.open();
        self.headers();
    }

    pub(super) fn headers(&mut self) {
        self.publisher.send_all(self.script.headers().into_iter().map(Piece));
    }

    pub(super) fn entries(&mut self, count: usize, size: usize) {
        (0..count).for_each(|_| self.publisher.send(Piece(self.script.entry(size))));
    }

    pub(super) fn plain(&mut self, count: usize, size: usize) {
        (0..count).for_each(|_| self.publisher.send(Piece(self.script.plain(size))));
    }

    pub(super) fn title(&mut self, title: &str) {
        self.publisher.send(Piece(Page::tags(Tags::titled(title))));
    }
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) session: Arc<Session>,
    /// What was read and not yet told apart.
    body: BytesMut,
    headed: bool,
    story: Vec<Numbered>,
}

impl Client {
    /// The next page; `None` at the end of the stream. Panics at any byte that is not as it was sent.
    pub(super) fn page(&mut self) -> Option<Numbered> {
        self.head();
        loop {
            if let Some((page, length)) = Numbered::read(&self.body) {
                self.body.advance(length);
                self.story.push(page);
                return Some(page);
            }
            if !self.read_some() {
                assert!(self.body.is_empty(), "the stream ends within a page");
                return None;
            }
        }
    }

    /// The next pages, by kind and number.
    pub(super) fn pages(&mut self, count: usize) -> Vec<(char, u32)> {
        (0..count).map(|_| brief(self.page().expect("more pages"))).collect()
    }

    /// All pages to the end of the stream, which are checked to make sense after those before.
    pub(super) fn rest(&mut self) -> Vec<(char, u32)> {
        let rest = std::iter::from_fn(|| self.page()).map(brief).collect();
        check_story(&self.story);
        rest
    }

    /// Reads pages until one is as wanted.
    pub(super) fn until(&mut self, wanted: impl Fn(Numbered) -> bool) {
        while !wanted(self.page().expect("more pages")) {}
    }

    /// All bytes to the end of the stream, after the head.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        self.head();
        while self.read_some() {}
        self.body.to_vec()
    }

    pub(super) fn head(&mut self) {
        while !self.headed && self.body.len() < HEAD.len() {
            assert!(self.read_some(), "a head");
        }
        if !std::mem::replace(&mut self.headed, true) {
            assert_eq!(self.body.split_to(HEAD.len()), HEAD);
        }
    }

    /// What was read and not yet looked at.
    pub(super) fn take_body(&mut self) -> BytesMut {
        self.body.split()
    }

    pub(super) fn read_some(&mut self) -> bool {
        let mut some = [0; 65_536];
        let read = self.stream.read(&mut some).expect("the client waits no longer");
        self.body.extend_from_slice(&some[..read]);
        read > 0
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }
}

fn brief(page: Numbered) -> (char, u32) {
    (page.kind as char, page.number)
}

pub(super) fn wait_for(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "it did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(super) const HEAD: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";
/// Long enough for a machine under load; nothing waits this long when all is well.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
