//! The peers of a thread: a socket each, and one epoll for all of them.

use levada_link::{
    Input, Machine, Output, Transmit,
    quic::{Identity, Quic},
};
use levada_swarm::native::{Peer, peer};
use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

/// Peers that join one after the other, and play.
pub struct Crowd {
    splitter: SocketAddr,
    poll: Poll,
    seats: Vec<Seat>,
    /// When a seat wants to be woken: one each at most.
    timers: BTreeSet<(Instant, usize)>,
    buffer: Vec<u8>,
    unsent: u64,
}

/// A peer, where it is, and when it wants to be woken.
struct Seat {
    peer: Quic<Peer>,
    socket: UdpSocket,
    wake: Option<Instant>,
}

/// What peers have counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Those of all.
    pub stats: peer::Stats,
    /// Peers that played nothing.
    pub silent: usize,
    /// Datagrams that the system did not take.
    pub unsent: u64,
}

impl Crowd {
    /// Peers of this splitter's team, none yet.
    pub fn new(splitter: SocketAddr) -> io::Result<Crowd> {
        let (poll, buffer) = (Poll::new()?, vec![0; 65_536]);
        Ok(Crowd { splitter, poll, seats: Vec::new(), timers: BTreeSet::new(), buffer, unsent: 0 })
    }

    /// Lets one join at each of these times; what all have counted between the last two.
    pub fn play(
        mut self,
        joins: impl Iterator<Item = Instant>,
        from: Instant,
        until: Instant,
    ) -> io::Result<Sum> {
        let mut joins = joins.peekable();
        self.serve(&mut joins, from)?;
        let (then, unsent) = (self.stats(), self.unsent);
        self.serve(&mut joins, until)?;
        let then = then.into_iter().chain(std::iter::repeat(peer::Stats::default()));
        let spans = self.stats().into_iter().zip(then).map(|(now, then)| since(now, then));
        let sum = |sum: Sum, stats: peer::Stats| Sum {
            stats: sum.stats + stats,
            silent: sum.silent + usize::from(stats.played == 0),
            ..sum
        };
        Ok(spans.fold(Sum { unsent: self.unsent - unsent, ..Sum::default() }, sum))
    }

    /// Does what the peers want until then.
    fn serve(
        &mut self,
        joins: &mut std::iter::Peekable<impl Iterator<Item = Instant>>,
        until: Instant,
    ) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            if joins.next_if(|at| *at <= now).is_some() {
                self.join(now)?;
            }
            self.wake(now);
            let wake = self.timers.first().map(|(wake, _)| *wake);
            let next = [joins.peek().copied(), wake].into_iter().flatten().fold(until, Instant::min);
            match self.poll.poll(&mut events, Some(next.saturating_duration_since(Instant::now()))) {
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let now = Instant::now();
            for event in &events {
                self.receive(event.token().0, now)?;
            }
        }
    }

    fn join(&mut self, now: Instant) -> io::Result<()> {
        let mut socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let port = socket.local_addr()?.port();
        let seat = self.seats.len();
        self.poll.registry().register(&mut socket, Token(seat), Interest::READABLE)?;
        let mut secret = [6; 32];
        secret[..2].copy_from_slice(&port.to_be_bytes());
        let identity = Identity::ed25519(&secret).map_err(io::Error::other)?;
        let config = peer::Config { kept: KEPT, ..peer::Config::new(self.splitter) };
        let peer = Quic::new(Peer::new(now, config, port.into()), identity, None);
        self.seats.push(Seat { peer, socket, wake: None });
        self.give(seat, now, Input::Wake);
        Ok(())
    }

    fn wake(&mut self, now: Instant) {
        while let Some((_, seat)) = self.timers.first().copied().filter(|(wake, _)| *wake <= now) {
            self.timers.pop_first();
            self.seats[seat].wake = None;
            self.give(seat, now, Input::Wake);
        }
    }

    /// Hands a peer all that has arrived.
    fn receive(&mut self, seat: usize, now: Instant) -> io::Result<()> {
        loop {
            match self.seats[seat].socket.recv_from(&mut self.buffer) {
                Ok((length, from)) => {
                    let bytes = bytes::Bytes::copy_from_slice(&self.buffer[..length]);
                    self.give(seat, now, Input::Datagram { from, bytes });
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) if matches!(why.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => {}
                Err(why) => return Err(why),
            }
        }
    }

    /// Gives a peer what is for it, and does what it wants.
    fn give(&mut self, seat: usize, now: Instant, input: Input) {
        let Seat { peer, socket, wake } = &mut self.seats[seat];
        peer.handle(now, input);
        let until = loop {
            match peer.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) => {
                    self.unsent += u64::from(socket.send_to(&bytes, to).is_err());
                }
                Output::Send(Transmit::Stream { .. }) | Output::Event(_) => {}
                Output::Wait(until) => break until,
            }
        };
        if *wake == until {
            return;
        }
        if let Some(before) = wake.take() {
            self.timers.remove(&(before, seat));
        }
        if let Some(until) = until {
            self.timers.insert((until, seat));
        }
        *wake = until;
    }

    fn stats(&self) -> Vec<peer::Stats> {
        self.seats.iter().map(|seat| seat.peer.machine().stats()).collect()
    }
}

impl std::ops::Add for Sum {
    type Output = Sum;

    fn add(self, other: Sum) -> Sum {
        Sum {
            stats: self.stats + other.stats,
            silent: self.silent + other.silent,
            unsent: self.unsent + other.unsent,
        }
    }
}

/// What has been counted since.
fn since(now: peer::Stats, then: peer::Stats) -> peer::Stats {
    peer::Stats {
        played: now.played - then.played,
        lost: now.lost - then.lost,
        sent_bytes: now.sent_bytes - then.sent_bytes,
        received_bytes: now.received_bytes - then.received_bytes,
        asked: now.asked - then.asked,
        checked: now.checked - then.checked,
        ..now
    }
}

/// Chunks that a peer keeps for others: three seconds of such a stream.
const KEPT: usize = 128;
