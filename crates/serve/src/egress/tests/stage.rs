//! What the tests play on: an egress, renditions with numbered pages, and clients that read them.

use super::super::*;
use crate::Piece;
use bytes::BytesMut;
use levada_channel::Publisher;
use levada_media::{Page, Role, Tags};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

pub(super) struct Stage {
    pub(super) egress: Egress,
    listener: TcpListener,
    next: AtomicU64,
    ended: Arc<Mutex<Vec<(SessionId, End)>>>,
}

impl Stage {
    pub(super) fn new() -> Stage {
        Stage::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Stage {
        let ended = Arc::<Mutex<Vec<_>>>::default();
        let heard = ended.clone();
        let on_end =
            Arc::new(move |session: Arc<Session>, end| heard.lock().unwrap().push((session.id, end)));
        let egress = Egress::start(Config { reactors: config.reactors.max(1), ..config }, on_end).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Stage { egress, listener, next: AtomicU64::new(1), ended }
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
            rendition: rendition.clone(),
            session: session.clone(),
            intro: None,
            expires: None,
        };
        change(&mut joining);
        let session = joining.session.clone();
        self.egress.join(joining);
        Client { stream: client, body: BytesMut::new(), head: false, session, metaint: None }
    }

    /// Waits until a session is over, and tells how it ended.
    pub(super) fn end_of(&self, client: &Client) -> End {
        let id = client.session.id;
        let find = || self.ended.lock().unwrap().iter().find(|(ended, _)| *ended == id).map(|(_, end)| *end);
        wait_for(|| find().is_some());
        find().unwrap()
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
        relay: false,
    }
}

pub(super) fn rendition(id: u64) -> Arc<Rendition> {
    Rendition::new(RenditionId(id))
}

/// Sends numbered pages of one stream.
pub(super) struct Source {
    publisher: Publisher<Piece>,
    pub(super) stream: u8,
    pub(super) next: u32,
}

impl Source {
    pub(super) fn of(rendition: &Rendition, stream: u8) -> Source {
        Source { publisher: rendition.open(), stream, next: 0 }
    }

    pub(super) fn header(&mut self) {
        self.send(b'H', 100, Role::Header);
    }

    /// An entry of `size` bytes that lasts 100 ms.
    pub(super) fn entry(&mut self, size: usize) {
        self.send(b'E', size, Role::Entry);
    }

    pub(super) fn plain(&mut self, size: usize) {
        self.send(b'P', size, Role::Plain);
    }

    pub(super) fn title(&mut self, title: &str) {
        self.publisher.send(Piece(Page::tags(Tags::titled(title))));
    }

    fn send(&mut self, kind: u8, size: usize, role: Role) {
        let at = Duration::from_millis(100) * self.next;
        self.publisher.send(Piece(Page::new(page(self.stream, kind, self.next, size), role).at(at)));
        self.next += 1;
    }
}

/// A page that says what it is and whose every byte can be checked: `#`, stream, kind, number, size, filling.
pub(super) fn page(stream: u8, kind: u8, number: u32, size: usize) -> Bytes {
    let mut page = vec![b'#', stream, kind];
    page.extend_from_slice(&number.to_be_bytes());
    page.extend_from_slice(&(size as u32).to_be_bytes());
    page.extend((0..size).map(|n| (n as u32 * 31 + number) as u8));
    page.into()
}

/// A page as a client found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) stream: u8,
    pub(super) kind: u8,
    pub(super) number: u32,
}

pub(super) fn found(stream: u8, kind: u8, number: u32) -> Found {
    Found { stream, kind, number }
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// What was read and not yet told apart.
    body: BytesMut,
    head: bool,
    pub(super) session: Arc<Session>,
    /// Bytes between title blocks, and how many are left before the next.
    metaint: Option<(usize, usize)>,
}

impl Client {
    /// The next page; `None` at the end of the stream. Panics at any byte that is not as it was sent.
    pub(super) fn page(&mut self) -> Option<Found> {
        self.head();
        let head = self.take(11, true)?;
        assert_eq!(head[0], b'#', "a page begins where one should: {head:?}");
        let number = u32::from_be_bytes(head[3..7].try_into().unwrap());
        let size = u32::from_be_bytes(head[7..11].try_into().unwrap()) as usize;
        let filling = self.take(size, false).expect("a page that is begun is finished");
        assert_eq!(page(head[1], head[2], number, size)[11..], filling[..], "page {number}");
        Some(found(head[1], head[2], number))
    }

    pub(super) fn pages(&mut self, count: usize) -> Vec<Found> {
        (0..count).map(|_| self.page().expect("more pages")).collect()
    }

    pub(super) fn rest(&mut self) -> Vec<Found> {
        std::iter::from_fn(|| self.page()).collect()
    }

    pub(super) fn head(&mut self) {
        if !self.head {
            assert!(self.read(HEAD.len()), "a head");
            assert_eq!(self.body.split_to(HEAD.len()), HEAD);
            self.head = true;
        }
    }

    fn take(&mut self, count: usize, may_end: bool) -> Option<BytesMut> {
        if !self.read(count) {
            assert!(may_end && self.body.is_empty(), "the stream ends within a page");
            return None;
        }
        Some(self.body.split_to(count))
    }

    fn read(&mut self, count: usize) -> bool {
        let mut some = [0; 65_536];
        while self.body.len() < count {
            match self.stream.read(&mut some).expect("the client waits no longer") {
                0 => return false,
                read => self.body.extend_from_slice(&some[..read]),
            }
        }
        true
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }
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
