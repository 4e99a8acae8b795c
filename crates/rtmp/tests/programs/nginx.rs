//! nginx with its RTMP module carries what our client publishes to our client that plays.

use crate::child::*;
use levada_media::container::flv::tag::{Kind, Tag};
use levada_rtmp::{
    client::{self, Closed, Event, Output, Role},
    server,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

fn start(folder: &Path) -> (Program, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/log; load_module {MODULE};
         events {{ worker_connections 32; }}
         rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}"
    );
    let file = format!("{folder}/nginx.conf");
    std::fs::write(&file, config).unwrap();
    (Program::start("nginx", &["-c", &file, "-e", &format!("{folder}/log")]), port)
}

struct Peer {
    socket: TcpStream,
    session: client::Session,
    begun: Instant,
    events: Vec<Event>,
    closed: Option<Closed>,
}

impl Peer {
    fn connect(port: u16, role: Role) -> Peer {
        let begun = Instant::now();
        let socket = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(socket) => break socket,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "nginx does not listen: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let address = format!("rtmp://127.0.0.1:{port}/live/tea").parse().unwrap();
        let session = client::Session::new(address, role, client::Config::default(), 3, Duration::ZERO);
        Peer { socket, session, begun, events: Vec::new(), closed: None }
    }

    fn step(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Write(bytes) => self.socket.write_all(&bytes).unwrap(),
                Output::Event(event) => self.events.push(event),
                Output::Close(reason) => self.closed = Some(reason),
            }
        }
        let mut buffer = [0; 16_384];
        match self.socket.read(&mut buffer) {
            Ok(size) => self.session.push(self.begun.elapsed(), &buffer[..size]),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            }
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Peer) -> bool) {
        while !done(self) {
            self.step();
            assert!(self.begun.elapsed() < PATIENCE, "{what}: {:?}", self.closed);
        }
    }

    fn tags(&self) -> Vec<&Tag> {
        self.events.iter().filter_map(|e| if let Event::Tag(tag) = e { Some(tag) } else { None }).collect()
    }
}

/// What ffmpeg once published: real H.264 and AAC.
fn clip() -> Vec<Tag> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ffmpeg_publish.c2s");
    let mut session = server::Session::new(server::Config::default(), 1, Duration::ZERO);
    session.push(Duration::ZERO, &std::fs::read(path).unwrap());
    let mut tags = Vec::new();
    while let Some(output) = session.poll() {
        match output {
            server::Output::Event(server::Event::Request(_)) => session.accept(),
            server::Output::Event(server::Event::Tag(tag)) => tags.push(tag),
            _ => {}
        }
    }
    tags
}

#[test]
fn nginx_carries_what_our_client_publishes_to_our_client() {
    if !is_installed("nginx") || !Path::new(MODULE).exists() {
        eprintln!("SKIPPED: nginx has no RTMP module");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, port) = start(folder.path());
    let mut publisher = Peer::connect(port, Role::Publish);
    publisher.until("publishing", |peer| peer.events.contains(&Event::Started));
    let mut player = Peer::connect(port, Role::Play);
    player.until("playing", |peer| peer.events.contains(&Event::Started));
    let clip = clip();
    for tag in &clip {
        publisher.session.send(tag).unwrap();
        publisher.step();
    }
    let count = |kind| clip.iter().filter(move |tag| tag.kind == kind).count();
    let got = |peer: &Peer, kind| peer.tags().iter().filter(|tag| tag.kind == kind).count();
    // nginx sends a sequence header again when media follow it, so there may be more
    player.until("the stream", |peer| {
        got(peer, Kind::Video) >= count(Kind::Video) && got(peer, Kind::Audio) >= count(Kind::Audio)
    });
    let arrived = |tag: &&Tag| player.tags().iter().any(|got| got.payload == tag.payload);
    assert!(clip.iter().filter(|tag| tag.kind != Kind::Script).all(|tag| arrived(&tag)));
    // nginx never tells players that the publisher left, so each end finishes by itself
    for mut peer in [publisher, player] {
        peer.session.finish();
        peer.until("the end", |peer| peer.closed == Some(Closed::Ended));
    }
}
