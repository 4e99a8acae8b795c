//! Drives a machine with a thread and a UDP socket.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // Where the clock is read and the socket lives.

mod inbox;
mod outbox;

use crate::machine::{Closed, Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use bytes::Bytes;
pub use inbox::Inbox;
pub use outbox::{Outbox, Sent};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A machine and its socket.
///
/// Whoever owns it calls [`turn`](Driver::turn) in a loop, on a thread of its own or between other work; or hands it to
/// [`spawn`]. It has no streams: what opens one is told [`Closed::Refused`].
///
/// What has arrived is handed on before the machine is woken, so that it does not take for late what only waits here. What
/// it sends leaves together, after a batch of arrivals ([`Outbox`]); where two datagrams have arrived, those after
/// them are received in batches ([`Inbox`]). (quinn-udp would do that everywhere, but forbids the fragments of which datagrams
/// longer than a link's MTU are made.) A wait ends with a datagram or, within some tens of microseconds, when the
/// machine wants to be woken; only on Windows, in the last eight milliseconds before that, the thread sleeps half a millisecond at a time.
#[derive(Debug)]
pub struct Driver<M> {
    machine: M,
    socket: UdpSocket,
    /// Whether reading from it waits, if that is known.
    blocks: Option<bool>,
    /// Whether there was nothing when it was last read, so that there is nothing to be had before it is waited for.
    is_empty: bool,
    inbox: Inbox,
    /// What was received and is about to be handed on; empty between turns.
    came: Vec<(SocketAddr, Bytes)>,
    outbox: Outbox,
    wait: Option<Instant>,
    refused: Vec<StreamId>,
    stats: Stats,
}

/// What a driver sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that the system did not take.
    pub unsent: u64,
}

impl<M: Machine> Driver<M> {
    /// Takes a bound socket. The machine is woken in the first turn.
    pub fn new(machine: M, socket: UdpSocket) -> Driver<M> {
        Inbox::prepare(&socket);
        let wait = Some(Instant::now());
        Driver {
            machine,
            socket,
            blocks: None,
            is_empty: false,
            inbox: Inbox::new(),
            came: Vec::new(),
            outbox: Outbox::new(),
            wait,
            refused: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// The machine, to be told or asked something; the next turn does what it then wants.
    pub fn machine(&mut self) -> &mut M {
        self.wait = Some(Instant::now());
        &mut self.machine
    }

    /// The machine, without its socket.
    pub fn into_machine(self) -> M {
        self.machine
    }

    /// Where it is reached.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What was sent and received so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Waits for a datagram or the machine's time, at most for `at_most`, hands the machine all that has arrived, and does
    /// what it wants; `tell` gets its events. An error is one of the socket, which is of no use any longer.
    pub fn turn(&mut self, at_most: Duration, mut tell: impl FnMut(M::Event)) -> io::Result<()> {
        self.turn_but_for(None, at_most, &mut tell)
    }

    /// A turn in which empty datagrams from `waker` do no more than end the waiting.
    fn turn_but_for(
        &mut self,
        waker: Option<SocketAddr>,
        at_most: Duration,
        tell: &mut impl FnMut(M::Event),
    ) -> io::Result<()> {
        let until = Instant::now() + at_most.min(A_DAY);
        // Where nothing was there a moment ago, what came since is only worth a look before a late waking.
        let is_late = self.wait.is_some_and(|wait| wait + LATE <= Instant::now());
        let arrived = (!self.is_empty || is_late) && self.take_arrived(waker, tell)?;
        self.wake_if_due(tell);
        self.flush();
        if !arrived {
            self.wait_until(self.wait.map_or(until, |wait| wait.min(until)))?;
            self.take_arrived(waker, tell)?;
        }
        self.wake_if_due(tell);
        self.flush();
        Ok(())
    }

    /// Hands the machine what is there; whether anything was.
    fn take_arrived(
        &mut self,
        waker: Option<SocketAddr>,
        tell: &mut impl FnMut(M::Event),
    ) -> io::Result<bool> {
        self.set_blocks(false)?;
        for nth in 0..ONE_BY_ONE {
            if !self.take(waker, Inbox::receive, tell)? {
                return Ok(nth > 0);
            }
        }
        #[cfg(target_os = "linux")]
        self.take(waker, Inbox::receive_many, tell)?;
        Ok(true)
    }

    /// Receives once; whether anything was there.
    fn take(
        &mut self,
        waker: Option<SocketAddr>,
        receive: impl FnOnce(&mut Inbox, &UdpSocket, &mut Vec<(SocketAddr, Bytes)>) -> io::Result<()>,
        tell: &mut impl FnMut(M::Event),
    ) -> io::Result<bool> {
        let mut came = std::mem::take(&mut self.came);
        let received = receive(&mut self.inbox, &self.socket, &mut came);
        self.is_empty = !has_arrived(received)?;
        for (from, bytes) in came.drain(..) {
            if waker != Some(from) || !bytes.is_empty() {
                self.stats.received += 1;
                self.give(Input::Datagram { from, bytes }, tell);
            }
        }
        self.came = came;
        Ok(!self.is_empty)
    }

    fn wake_if_due(&mut self, tell: &mut impl FnMut(M::Event)) {
        if self.wait.is_some_and(|wait| wait <= Instant::now()) {
            self.wait = None;
            self.give(Input::Wake, tell);
        }
    }

    /// Gives the machine what is for it, and does what it wants.
    fn give(&mut self, input: Input, tell: &mut impl FnMut(M::Event)) {
        let now = Instant::now();
        self.machine.handle(now, input);
        loop {
            match self.machine.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) => self.outbox.push(to, bytes),
                Output::Send(Transmit::Stream { id, what: StreamOutput::Open { .. } }) => {
                    self.refused.push(id)
                }
                Output::Send(Transmit::Stream { .. }) => {}
                Output::Event(event) => tell(event),
                Output::Wait(until) => {
                    self.wait = until;
                    let Some(id) = self.refused.pop() else { return };
                    let what = StreamInput::Closed(Closed::Refused);
                    self.machine.handle(now, Input::Stream { id, what });
                }
            }
        }
    }

    /// Sends what waits.
    fn flush(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        let socket = &self.socket;
        // The system's buffer is full: it empties at the speed of the network card.
        let Sent { sent, unsent } = self.outbox.flush(socket, || wait_for_room(socket));
        self.stats.sent += sent;
        self.stats.unsent += unsent + self.outbox.len() as u64;
        self.outbox.clear();
        if cfg!(not(unix)) {
            self.blocks = None;
        }
    }

    /// Waits for a datagram until `until`; who never waits does not wait in vain.
    fn wait_until(&mut self, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Ok(()) } else { self.doze(left) }
    }

    /// Sleeps until a datagram arrives, at most so long.
    #[cfg(unix)]
    fn doze(&mut self, at_most: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let timeout = Timespec { tv_sec: at_most.as_secs() as _, tv_nsec: at_most.subsec_nanos() as _ };
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout)) {
            Err(why) if why != rustix::io::Errno::INTR => Err(why.into()),
            _ => Ok(()),
        }
    }

    /// The same where a wait is only as fine as the system's tick.
    #[cfg(not(unix))]
    fn doze(&mut self, at_most: Duration) -> io::Result<()> {
        if at_most <= FINE {
            std::thread::sleep(at_most.min(NAP));
            return Ok(());
        }
        self.set_blocks(true)?;
        self.socket.set_read_timeout(Some(at_most - FINE))?;
        let peeked = self.socket.peek_from(&mut [0; 1]).map(|(length, _)| length);
        // longer than there is room for here: it is there
        match peeked.as_ref().err().and_then(io::Error::raw_os_error) {
            Some(10_040) => Ok(()),
            _ => has_arrived(peeked).map(drop),
        }
    }

    fn set_blocks(&mut self, blocks: bool) -> io::Result<()> {
        if self.blocks != Some(blocks) {
            self.socket.set_nonblocking(!blocks)?;
            self.blocks = Some(blocks);
        }
        Ok(())
    }
}

/// Whether anything was received: nothing where that is why it failed, or where only an earlier datagram was refused by its
/// receiver's system.
fn has_arrived<T>(result: io::Result<T>) -> io::Result<bool> {
    use ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    match result {
        Ok(_) => Ok(true),
        Err(why)
            if matches!(
                why.kind(),
                WouldBlock | TimedOut | Interrupted | ConnectionReset | ConnectionRefused
            ) =>
        {
            Ok(false)
        }
        Err(why) => Err(why),
    }
}

/// Waits until the system takes datagrams again; false where that takes a second.
#[cfg(unix)]
fn wait_for_room(socket: &UdpSocket) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec { tv_sec: 1, tv_nsec: 0 };
    poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// The same where that cannot be asked: the next try waits by itself.
#[cfg(not(unix))]
fn wait_for_room(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(false).is_ok()
}

/// What inbox and outbox need of a socket where they know no better.
#[cfg(not(target_os = "linux"))]
pub trait Port {
    /// Receives a datagram: its length, and who sent it.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    /// Sends one.
    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
}

#[cfg(not(target_os = "linux"))]
impl Port for UdpSocket {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buffer)
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send_to(bytes, to)
    }
}

type Command<M> = Box<dyn FnOnce(&mut M, Instant) + Send>;

/// A driver on a thread of its own, which ends with this.
#[derive(Debug)]
pub struct Running<M> {
    thread: Option<JoinHandle<io::Result<M>>>,
    /// At most [`COMMANDS`] wait; gone when the thread is to end.
    commands: Option<SyncSender<Command<M>>>,
    waker: UdpSocket,
    address: SocketAddr,
}

/// Drives a machine on a thread of its own; `tell` gets its events there.
pub fn spawn<M>(
    mut driver: Driver<M>,
    mut tell: impl FnMut(M::Event) + Send + 'static,
) -> io::Result<Running<M>>
where
    M: Machine + Send + 'static,
{
    let address = driver.local_addr()?;
    let waker = waker(address)?;
    let from = waker.local_addr()?;
    let (commands, waiting) = sync_channel(COMMANDS);
    let thread = std::thread::Builder::new().name("levada-link".into()).spawn(move || {
        while obey(&mut driver, &waiting) {
            driver.turn_but_for(Some(from), A_DAY, &mut tell)?;
        }
        Ok(driver.into_machine())
    })?;
    Ok(Running { thread: Some(thread), commands: Some(commands), waker, address })
}

impl<M> Running<M> {
    /// Where the machine is reached.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Tells or asks the machine something on its thread; false where too much waits already, or the thread has ended.
    pub fn with(&self, command: impl FnOnce(&mut M, Instant) + Send + 'static) -> bool {
        let sent =
            self.commands.as_ref().is_some_and(|commands| commands.try_send(Box::new(command)).is_ok());
        self.wake();
        sent
    }

    /// Ends the thread and gives the machine back, or the error that ended it.
    pub fn stop(mut self) -> io::Result<M> {
        let thread = self.thread.take();
        self.commands = None;
        self.wake();
        let ended = thread.map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or_else(|| Err(io::Error::other("the machine's thread panicked")))
    }

    fn wake(&self) {
        // The socket is full of datagrams where this fails, and the thread awake.
        let _ = self.waker.send(&[]);
    }
}

impl<M> Drop for Running<M> {
    fn drop(&mut self) {
        self.commands = None;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // Its error has nobody left to be told.
            let _ = thread.join();
        }
    }
}

/// Does what the owner has told; false once it wants the thread to end.
fn obey<M: Machine>(driver: &mut Driver<M>, waiting: &Receiver<Command<M>>) -> bool {
    loop {
        match waiting.try_recv() {
            Ok(command) => command(driver.machine(), Instant::now()),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}

/// A socket whose empty datagrams end a wait on the one at `address`.
fn waker(address: SocketAddr) -> io::Result<UdpSocket> {
    let mut to = address;
    if to.ip().is_unspecified() {
        to.set_ip(if to.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let waker = UdpSocket::bind((to.ip(), 0))?;
    waker.connect(to)?;
    waker.set_nonblocking(true)?;
    Ok(waker)
}

/// Datagrams received one by one before a batch.
#[cfg(target_os = "linux")]
const ONE_BY_ONE: usize = 2;
/// Datagrams handed on in a turn at most, so that the machine's time comes too.
#[cfg(not(target_os = "linux"))]
const ONE_BY_ONE: usize = 64;
/// Commands that wait for the machine's thread at most; further ones are refused.
const COMMANDS: usize = 1_024;
/// How long before its time a wait becomes fine, and how fine.
#[cfg(not(unix))]
const FINE: Duration = Duration::from_millis(8);
#[cfg(not(unix))]
const NAP: Duration = Duration::from_micros(500);
/// A waking that is so late is no more urgent than what arrived meanwhile.
const LATE: Duration = Duration::from_millis(2);
const A_DAY: Duration = Duration::from_secs(86_400);
