//! The peers of a thread: a socket each, and one epoll for all of them.

use bytes::Bytes;
use levada_link::{
    Input, Machine, Output, Transmit,
    drive::{Inbox, Outbox},
    quic::{Identity, Quic},
};
use levada_swarm::native::{Peer, peer};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

/// Peers that join one after the other, and play.
pub struct Crowd {
    splitter: SocketAddr,
    poll: Poll,
    seats: Vec<Seat>,
    /// When a seat wants to be woken: one each at most.
    timers: BTreeSet<(Instant, usize)>,
    inbox: Inbox,
    /// What was received for one seat; empty but for that moment, and so is the outbox.
    came: Vec<(SocketAddr, Bytes)>,
    outbox: Outbox,
    sent: u64,
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
    /// Datagrams sent, and those that the system did not take.
    pub sent: u64,
    pub unsent: u64,
}

impl Crowd {
    /// Peers of this splitter's team, none yet.
    pub fn new(splitter: SocketAddr) -> io::Result<Crowd> {
        Ok(Crowd {
            splitter,
            poll: Poll::new()?,
            seats: Vec::new(),
            timers: BTreeSet::new(),
            inbox: Inbox::new(),
            came: Vec::new(),
            outbox: Outbox::new(),
            sent: 0,
            unsent: 0,
        })
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
        let (then, counted) = (self.stats(), (self.sent, self.unsent));
        self.serve(&mut joins, until)?;
        let then = then.into_iter().chain(std::iter::repeat(peer::Stats::default()));
        let spans = self.stats().into_iter().zip(then).map(|(now, then)| since(now, then));
        let sum = |sum: Sum, stats: peer::Stats| Sum {
            stats: sum.stats + stats,
            silent: sum.silent + usize::from(stats.played == 0),
            ..sum
        };
        let (sent, unsent) = (self.sent - counted.0, self.unsent - counted.1);
        Ok(spans.fold(Sum { sent, unsent, ..Sum::default() }, sum))
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
            self.wake(now)?;
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
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        Inbox::prepare(&socket);
        let port = socket.local_addr()?.port();
        let seat = self.seats.len();
        self.poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), Token(seat), Interest::READABLE)?;
        let mut secret = [6; 32];
        secret[..2].copy_from_slice(&port.to_be_bytes());
        let identity = Identity::ed25519(&secret).map_err(io::Error::other)?;
        let config = peer::Config { kept: KEPT, ..peer::Config::new(self.splitter) };
        let peer = Quic::new(Peer::new(now, config, port.into()), identity, None);
        self.seats.push(Seat { peer, socket, wake: None });
        self.give(seat, now, Input::Wake);
        self.flush(seat);
        Ok(())
    }

    fn wake(&mut self, now: Instant) -> io::Result<()> {
        while let Some((wake, seat)) = self.timers.first().copied().filter(|(wake, _)| *wake <= now) {
            if wake + LATE <= now {
                // What only waits in its socket is not to be taken for missing.
                self.receive(seat, now)?;
            }
            let wake = &mut self.seats[seat].wake;
            let Some(due) = wake.take_if(|wake| *wake <= now) else { continue };
            self.timers.remove(&(due, seat));
            self.give(seat, now, Input::Wake);
            self.flush(seat);
        }
        Ok(())
    }

    /// Hands a peer all that has arrived, and sends what it says to that together.
    fn receive(&mut self, seat: usize, now: Instant) -> io::Result<()> {
        loop {
            match self.inbox.receive(&self.seats[seat].socket, &mut self.came) {
                Ok(()) => {}
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if matches!(why.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => {}
                Err(why) => return Err(why),
            }
        }
        let mut came = std::mem::take(&mut self.came);
        came.drain(..).for_each(|(from, bytes)| self.give(seat, now, Input::Datagram { from, bytes }));
        self.came = came;
        self.flush(seat);
        Ok(())
    }

    fn flush(&mut self, seat: usize) {
        if !self.outbox.is_empty() {
            let done = self.outbox.flush(&self.seats[seat].socket, || false);
            // What the system does not take now is lost: there is no network card here to wait for.
            self.unsent += done.unsent + self.outbox.len() as u64;
            self.sent += done.sent;
            self.outbox.clear();
        }
    }

    /// Gives a peer what is for it, and does what it wants.
    fn give(&mut self, seat: usize, now: Instant, input: Input) {
        let Seat { peer, wake, .. } = &mut self.seats[seat];
        peer.handle(now, input);
        let until = loop {
            match peer.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) => self.outbox.push(to, bytes),
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
            sent: self.sent + other.sent,
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
/// A waking that is so late is no more urgent than what arrived meanwhile.
const LATE: Duration = Duration::from_millis(2);
