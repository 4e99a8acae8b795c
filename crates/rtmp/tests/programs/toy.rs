//! The smallest server there can be around server sessions: one mount, one thread, no waiting.

use levada_media::{Mux, Role, container::flv::tag::View};
use levada_rtmp::{
    Pages, Refusal,
    server::{Config, Event, Output, Request, Session},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

pub struct Toy {
    listener: TcpListener,
    begun: Instant,
    peers: Vec<Peer>,
    pages: Pages,
    header: Vec<bytes::Bytes>,
    in_header: bool,
    pub pictures: usize,
    /// Why sessions ended, in words.
    pub ends: Vec<String>,
}

struct Peer {
    socket: TcpStream,
    session: Session,
    out: Vec<u8>,
    role: What,
    closing: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Unknown,
    Publisher,
    /// Got the header set yet, and began at an entry yet.
    Player {
        header: bool,
        began: bool,
    },
}

impl Toy {
    pub fn new() -> Toy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Toy {
            listener,
            begun: Instant::now(),
            peers: Vec::new(),
            pages: Pages::new(View::Old),
            header: Vec::new(),
            in_header: false,
            pictures: 0,
            ends: Vec::new(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Does what there is to do; rests for a millisecond if it is nothing.
    pub fn step(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true).unwrap();
            socket.set_nodelay(true).unwrap();
            let session = Session::new(Config::default(), 5, self.begun.elapsed());
            self.peers.push(Peer { socket, session, out: Vec::new(), role: What::Unknown, closing: false });
        }
        let mut busy = false;
        for index in 0..self.peers.len() {
            busy |= self.read(index);
            self.obey(index);
        }
        self.share();
        self.peers.iter_mut().for_each(Peer::flush);
        self.peers.retain(|peer| !(peer.closing && peer.out.is_empty()));
        if !busy {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn read(&mut self, index: usize) -> bool {
        let now = self.begun.elapsed();
        let peer = &mut self.peers[index];
        let mut buffer = [0; 65_536];
        match peer.socket.read(&mut buffer) {
            Ok(0) => self.leave(index),
            Ok(size) => peer.session.push(now, &buffer[..size]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => self.leave(index),
        }
        true
    }

    fn leave(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        peer.closing = true;
        peer.out.clear();
        if peer.role == What::Publisher {
            self.finish();
        }
    }

    /// The publisher is gone: so are its players, told so.
    fn finish(&mut self) {
        for peer in self.peers.iter_mut().filter(|peer| matches!(peer.role, What::Player { .. })) {
            peer.session.end("the publisher left");
        }
    }

    fn obey(&mut self, index: usize) {
        while let Some(output) = self.peers[index].session.poll() {
            let peer = &mut self.peers[index];
            match output {
                Output::Write(bytes) => peer.out.extend_from_slice(&bytes),
                Output::Event(Event::Request(request)) => peer.decide(&request),
                Output::Event(Event::Tag(tag)) => self.pages.tag(&tag).unwrap(),
                Output::Event(Event::Unpublished) => self.finish(),
                Output::Event(Event::Stopped | Event::Paused(_)) => {}
                Output::Close(reason) => {
                    self.ends.push(reason.to_string());
                    peer.closing = true;
                }
            }
        }
    }

    fn share(&mut self) {
        while let Some(page) = self.pages.poll() {
            let is_header = page.role == Role::Header;
            if is_header && !self.in_header {
                self.header.clear();
            }
            if is_header {
                self.header.push(page.bytes.clone());
            }
            self.in_header = is_header;
            self.pictures += usize::from(page.role == Role::Entry);
            for peer in &mut self.peers {
                let What::Player { header, began } = &mut peer.role else { continue };
                if !*header || is_header {
                    continue;
                }
                *began |= page.role == Role::Entry;
                if *began {
                    peer.out.extend_from_slice(&page.bytes);
                }
            }
        }
        for peer in &mut self.peers {
            if let What::Player { header, .. } = &mut peer.role
                && !*header
                && !self.header.is_empty()
            {
                *header = true;
                self.header.iter().for_each(|bytes| peer.out.extend_from_slice(bytes));
            }
        }
    }
}

impl Peer {
    fn decide(&mut self, request: &Request) {
        match request {
            Request::Connect(_) => {}
            Request::Publish(publish) if publish.address.key() != Some("secret") => {
                return self.session.refuse(Refusal::Denied, "wrong key");
            }
            Request::Publish(_) => self.role = What::Publisher,
            Request::Play(play) if play.address.path() != "/live/tea" => {
                return self.session.refuse(Refusal::NotFound, "no such stream");
            }
            Request::Play(_) => self.role = What::Player { header: false, began: false },
        }
        self.session.accept();
    }

    fn flush(&mut self) {
        match self.socket.write(&self.out) {
            Ok(size) => drop(self.out.drain(..size)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.out.clear(),
        }
    }
}
