//! Drives a machine on tokio: a UDP socket, streams over TCP, and commands from the program around it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // Where the clock is read and the sockets live.

use crate::drive::{Inbox, Outbox};
use crate::machine::{
    Closed, Input, Machine, Output, STREAM_BUFFER, StreamId, StreamInput, StreamOutput, Transmit,
};
use bytes::Bytes;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

mod pipe;
use pipe::Pipe;

/// What connects a machine to the world: each of them may be absent.
///
/// Sockets of IPv6's unspecified address are reached over IPv4 too; the machine knows such hosts by their IPv4 addresses.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For datagrams; without one they are lost.
    pub udp: Option<UdpSocket>,
    /// For streams that others open.
    pub tcp: Option<TcpListener>,
    /// Streams that the machine opens come from this address, where there is one, instead of a port of their own: for
    /// protocols that know a host by one port. Datagrams may have the same.
    pub streams_from: Option<SocketAddr>,
}

impl Sockets {
    /// A UDP socket and a TCP listener on the same address; with port zero, one that is free for both.
    pub async fn bind(address: SocketAddr) -> io::Result<Sockets> {
        let mut tries = if address.port() == 0 { 64 } else { 1 };
        loop {
            // A port that is free for the one may be taken for the other.
            let tcp = TcpListener::bind(address).await?;
            tries -= 1;
            match UdpSocket::bind(tcp.local_addr()?).await {
                Ok(udp) => return Ok(Sockets { udp: Some(udp), tcp: Some(tcp), streams_from: None }),
                Err(why) if tries == 0 => return Err(why),
                Err(_) => {}
            }
        }
    }

    /// A UDP socket, and its address for streams that the machine opens; nobody can open one to it. With port zero,
    /// one that is free for both.
    pub async fn one_port(address: SocketAddr) -> io::Result<Sockets> {
        let mut tries = if address.port() == 0 { 64 } else { 1 };
        loop {
            let udp = UdpSocket::bind(address).await?;
            let here = udp.local_addr()?;
            tries -= 1;
            match pipe::bound(here) {
                Ok(_) => return Ok(Sockets { udp: Some(udp), tcp: None, streams_from: Some(here) }),
                Err(why) if tries == 0 => return Err(why),
                Err(_) => {}
            }
        }
    }

    /// Where datagrams arrive, or else streams.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match (&self.udp, &self.tcp) {
            (Some(udp), _) => udp.local_addr(),
            (None, Some(tcp)) => tcp.local_addr(),
            (None, None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A machine and what connects it; it runs in the task that awaits [`run`](Driver::run), which owns all others.
pub struct Driver<M> {
    machine: M,
    sockets: Sockets,
    pipes: HashMap<StreamId, Pipe>,
    tasks: JoinSet<()>,
    /// What the streams' tasks have for the machine: at most [`WAITING`], then they stop reading.
    arrivals: mpsc::Receiver<Arrival>,
    arrive: mpsc::Sender<Arrival>,
    commands: mpsc::Receiver<Command<M>>,
    command: mpsc::Sender<Command<M>>,
    /// What is received together, and where it goes for a moment.
    inbox: Inbox,
    came: Vec<(SocketAddr, Bytes)>,
    /// Datagrams that are to leave after this step, or that the system does not take yet: at most [`OUTBOX`], further ones
    /// are lost and counted.
    outbox: Outbox,
    /// Whether IPv4 hosts are known by mapped addresses here.
    maps: bool,
    /// What the machine is still to be told of what it did itself.
    owed: Vec<(StreamId, Closed)>,
    accepted: u32,
    wait: Option<Instant>,
    unsent: Arc<AtomicU64>,
}

/// Something happened on a stream.
pub(crate) struct Arrival {
    id: StreamId,
    /// Tells a stream from an earlier one under its id.
    serial: u64,
    what: StreamInput,
}

type Command<M> = Box<dyn FnOnce(&mut M, Instant) + Send>;

/// Tells a machine something while its driver runs.
pub struct Remote<M> {
    commands: mpsc::Sender<Command<M>>,
    unsent: Arc<AtomicU64>,
}

impl<M> Clone for Remote<M> {
    fn clone(&self) -> Remote<M> {
        Remote { commands: self.commands.clone(), unsent: self.unsent.clone() }
    }
}

impl<M> Remote<M> {
    /// Tells or asks the machine something in its task; false once that has ended. Waits while 256 commands do.
    pub async fn with(&self, command: impl FnOnce(&mut M, Instant) + Send + 'static) -> bool {
        self.commands.send(Box::new(command)).await.is_ok()
    }

    /// The same without waiting; false also where 256 commands wait.
    pub fn try_with(&self, command: impl FnOnce(&mut M, Instant) + Send + 'static) -> bool {
        self.commands.try_send(Box::new(command)).is_ok()
    }

    /// How many datagrams were lost because the system did not take them.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}

impl<M: Machine> Driver<M> {
    /// Connects a machine. It is woken when the driver runs.
    pub fn new(machine: M, sockets: Sockets) -> Driver<M> {
        let here = sockets.udp.as_ref().and_then(|udp| udp.local_addr().ok());
        sockets.udp.iter().for_each(Inbox::prepare);
        let (arrive, arrivals) = mpsc::channel(WAITING);
        let (command, commands) = mpsc::channel(WAITING);
        Driver {
            machine,
            sockets,
            pipes: HashMap::new(),
            tasks: JoinSet::new(),
            arrivals,
            arrive,
            commands,
            command,
            inbox: Inbox::new(),
            came: Vec::new(),
            outbox: Outbox::new(),
            maps: here.is_some_and(|here| here.is_ipv6()),
            owed: Vec::new(),
            accepted: 0,
            wait: Some(Instant::now()),
            unsent: Arc::default(),
        }
    }

    /// A way to the machine while the driver runs.
    pub fn remote(&self) -> Remote<M> {
        Remote { commands: self.command.clone(), unsent: self.unsent.clone() }
    }

    /// Where it is reached.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets.local_addr()
    }

    /// Runs until `shutdown` is ready, and gives the machine back; `tell` gets its events. Streams end with it. An error
    /// is one of the sockets.
    pub async fn run(
        mut self,
        shutdown: impl Future<Output = ()>,
        mut tell: impl FnMut(M::Event),
    ) -> io::Result<M> {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            self.flush();
            let wait = self.wait.map_or_else(far, tokio::time::Instant::from_std);
            let timer = tokio::time::sleep_until(wait);
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(self.machine),
                () = timer, if self.wait.is_some() => {
                    self.wait = None;
                    self.give(Input::Wake, &mut tell);
                }
                Some(command) = self.commands.recv() => {
                    command(&mut self.machine, Instant::now());
                    self.give(Input::Wake, &mut tell);
                }
                Some(arrival) = self.arrivals.recv() => self.arrived(arrival, &mut tell),
                ready = writable(self.sockets.udp.as_ref()), if !self.outbox.is_empty() => {
                    ready?;
                }
                ready = readable(self.sockets.udp.as_ref()) => {
                    ready?;
                    self.receive(&mut tell)?;
                }
                accepted = accept(self.sockets.tcp.as_ref()) => self.accepted(accepted, &mut tell),
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Gives the machine what is for it, and does what it wants.
    fn give(&mut self, input: Input, tell: &mut impl FnMut(M::Event)) {
        let now = Instant::now();
        self.machine.handle(now, input);
        loop {
            match self.machine.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) => self.send(to, bytes),
                Output::Send(Transmit::Stream { id, what }) => self.stream(id, what),
                Output::Event(event) => tell(event),
                Output::Wait(until) => {
                    self.wait = until;
                    let Some((id, why)) = self.owed.pop() else { return };
                    self.machine.handle(now, Input::Stream { id, what: StreamInput::Closed(why) });
                }
            }
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        if self.outbox.len() >= OUTBOX {
            self.unsent.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let to = if self.maps { as_ipv6(to) } else { to };
        self.outbox.push(to, bytes);
    }

    /// Sends what the system takes.
    fn flush(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        let Some(udp) = &self.sockets.udp else { return self.outbox.clear() };
        // A way that is not there loses a datagram, as networks do.
        let mut unsent = 0;
        // Where some are left, whoever waits for room is to wait for more.
        let _ = udp.try_io(Interest::WRITABLE, || {
            unsent = self.outbox.flush(udp, || false).unsent;
            if self.outbox.is_empty() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        self.unsent.fetch_add(unsent, Ordering::Relaxed);
    }

    /// Hands on the datagrams that are there.
    fn receive(&mut self, tell: &mut impl FnMut(M::Event)) -> io::Result<()> {
        let mut came = std::mem::take(&mut self.came);
        while came.len() < AT_ONCE {
            let Some(udp) = &self.sockets.udp else { break };
            let inbox = &mut self.inbox;
            match udp.try_io(Interest::READABLE, || inbox.receive(udp, &mut came)) {
                Ok(()) => {}
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                // An earlier datagram was refused by its receiver's system.
                Err(why) if is_passing(&why) => {}
                Err(why) => return Err(why),
            }
        }
        for (from, bytes) in came.drain(..) {
            self.give(Input::Datagram { from: as_itself(from), bytes }, tell);
        }
        self.came = came;
        Ok(())
    }

    fn stream(&mut self, id: StreamId, what: StreamOutput) {
        match what {
            StreamOutput::Open { to } if id.is_ours() && !self.pipes.contains_key(&id) => {
                let pipe =
                    Pipe::connect(id, to, self.sockets.streams_from, self.arrive.clone(), &mut self.tasks);
                self.pipes.insert(id, pipe);
            }
            StreamOutput::Bytes(bytes) => {
                if self.pipes.get_mut(&id).is_some_and(|pipe| !pipe.write(bytes)) {
                    self.pipes.remove(&id);
                    self.owed.push((id, Closed::Overflow));
                }
            }
            StreamOutput::Close => {
                if let Some(pipe) = self.pipes.remove(&id) {
                    pipe.close();
                }
            }
            StreamOutput::Open { .. } => {}
        }
    }

    fn arrived(&mut self, arrival: Arrival, tell: &mut impl FnMut(M::Event)) {
        let Arrival { id, serial, what } = arrival;
        if self.pipes.get(&id).is_none_or(|pipe| pipe.serial() != serial) {
            return;
        }
        if matches!(what, StreamInput::Closed(_)) {
            self.pipes.remove(&id);
        }
        self.give(Input::Stream { id, what }, tell);
    }

    /// A stream that another opened; what went wrong with one that did not get so far is its own affair.
    fn accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>, tell: &mut impl FnMut(M::Event)) {
        let Ok((stream, peer)) = accepted else { return };
        if self.pipes.len() >= MOST_STREAMS {
            return;
        }
        let id = StreamId::theirs(self.accepted);
        self.accepted = self.accepted.wrapping_add(1);
        let pipe = Pipe::accept(id, stream, self.arrive.clone(), &mut self.tasks);
        self.pipes.insert(id, pipe);
        let peer = as_itself(peer);
        self.give(Input::Stream { id, what: StreamInput::Opened { peer } }, tell);
    }
}

#[cfg(not(target_os = "linux"))]
impl crate::drive::Port for UdpSocket {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_recv_from(buffer)
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.try_send_to(bytes, to)
    }
}

/// An IPv4 host that reached an IPv6 socket is an IPv4 host.
fn as_itself(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The other way: an IPv6 socket knows IPv4 hosts by mapped addresses (RFC 4291 2.5.5.2).
fn as_ipv6(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped(), address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

/// Ready when a datagram has arrived; never without a socket.
async fn readable(udp: Option<&UdpSocket>) -> io::Result<()> {
    match udp {
        Some(udp) => udp.readable().await,
        None => std::future::pending().await,
    }
}

/// Ready when a datagram can be sent; never without a socket.
async fn writable(udp: Option<&UdpSocket>) -> io::Result<()> {
    match udp {
        Some(udp) => udp.writable().await,
        None => std::future::pending().await,
    }
}

/// Ready when a stream has been opened; never without a listener.
async fn accept(tcp: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    let Some(tcp) = tcp else { return std::future::pending().await };
    let accepted = tcp.accept().await;
    if accepted.as_ref().is_err_and(|why| !is_passing(why)) {
        // Out of descriptors, most likely: the streams that end will free some.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    accepted
}

fn is_passing(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(why.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// A time that does not come while anybody waits.
fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(86_400)
}

/// Datagrams handed on at once at most, so that all else comes too.
const AT_ONCE: usize = 64;
/// Datagrams that wait to be sent at most.
const OUTBOX: usize = 4_096;
/// Arrivals, and commands, that wait for the machine at most.
const WAITING: usize = 256;
/// Streams at once at most; further ones are closed as soon as they are accepted.
const MOST_STREAMS: usize = 16_384;
