//! Carries a machine's datagrams encrypted, in datagrams of QUIC (RFC 9221), between ends that know each other by their keys.

mod identity;

use crate::{
    guarded::{Door, Guarded},
    machine::{Input, Machine, Output, Transmit},
};
use bytes::{Bytes, BytesMut};
pub use identity::Identity;
use quinn_proto::{
    Connection, ConnectionEvent, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, Event, Incoming,
    TransportConfig, VarInt,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// A machine whose datagrams travel by QUIC while it [`encrypts`](Guarded::encrypts), and as they are while it does not.
///
/// Connections are made when there is something to say, by either end or by both at once, and end when ten seconds
/// nothing was said. What is to be sent before one stands waits: at most [`WAITING`] datagrams for each address, the
/// oldest leave first. A machine knows the other end by the address at which the connection began, also when that
/// moves (RFC 9000 9). Datagrams of up to 1,350 bytes fit. Datagrams of both kinds are told apart by QUIC's fixed bit, 0x40,
/// which those of the machine never have in their first byte.
pub struct Quic<M> {
    machine: M,
    identity: Identity,
    transport: Arc<TransportConfig>,
    endpoint: Endpoint,
    /// At most [`CONNECTIONS`]; further ones are not answered. Boxed, since every datagram takes one out and puts it back.
    connections: BTreeMap<ConnectionHandle, Box<Link>>,
    /// By the address at which they began.
    names: BTreeSet<(SocketAddr, ConnectionHandle)>,
    timers: BTreeSet<(Instant, ConnectionHandle)>,
    /// Those with something to do.
    dirty: BTreeSet<ConnectionHandle>,
    out: VecDeque<Transmit>,
    wait: Option<Instant>,
    buffer: Vec<u8>,
    stats: Stats,
}

struct Link {
    connection: Connection,
    name: SocketAddr,
    timer: Option<Instant>,
    /// Whether the other end is known, and welcome.
    stands: bool,
    waiting: VecDeque<Bytes>,
}

/// What happened to connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Those that stood.
    pub connected: u64,
    /// Ends that showed a key that was not expected.
    pub strangers: u64,
    /// Datagrams that came unencrypted though they may not.
    pub bare: u64,
    /// Datagrams that did not leave: too long, or nobody was reached.
    pub unsent: u64,
    /// Connections whose other end moved to another address.
    pub moved: u64,
}

impl<M: Guarded> Quic<M> {
    /// Wraps a machine; the connections' numbers follow from `seed`, where there is one.
    pub fn new(machine: M, identity: Identity, seed: Option<[u8; 32]>) -> Quic<M> {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_idle_timeout(Some(VarInt::from_u32(IDLE.as_millis() as u32).into()))
            // A chunk fits into one packet, always.
            .initial_mtu(LONGEST)
            .min_mtu(LONGEST)
            .mtu_discovery_config(None)
            // A live stream is as fast as it is: chance that loses some of it is no reason to send less.
            .congestion_controller_factory(Arc::new(quinn_proto::congestion::BbrConfig::default()))
            // What a NAT swallowed at first comes again soon.
            .initial_rtt(Duration::from_millis(60))
            .datagram_receive_buffer_size(Some(1 << 17))
            .datagram_send_buffer_size(1 << 17);
        let transport = Arc::new(transport);
        let mut server = identity.server();
        server.transport_config(transport.clone()).migration(true);
        let mut config = EndpointConfig::default();
        // By that bit its packets are known (RFC 9287 allows it to be chance).
        config.grease_quic_bit(false).rng_seed(seed);
        let endpoint = Endpoint::new(Arc::new(config), Some(Arc::new(server)), true, seed);
        Quic {
            machine,
            identity,
            transport,
            endpoint,
            connections: BTreeMap::new(),
            names: BTreeSet::new(),
            timers: BTreeSet::new(),
            dirty: BTreeSet::new(),
            out: VecDeque::new(),
            wait: None,
            buffer: Vec::with_capacity(2_048),
            stats: Stats::default(),
        }
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The same, to be told something.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// What happened to connections.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        if bytes.first().is_some_and(|first| first & FIXED != 0) {
            return self.receive_quic(now, from, &bytes);
        }
        if self.machine.encrypts() && !self.machine.is_open(&bytes) {
            self.stats.bare += 1;
            return;
        }
        self.machine.handle(now, Input::Datagram { from, bytes });
    }

    fn receive_quic(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.buffer.clear();
        match self.endpoint.handle(now, from, None, None, BytesMut::from(bytes), &mut self.buffer) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => self.tell(handle, event),
            Some(DatagramEvent::NewConnection(incoming)) => self.accept(now, incoming),
            Some(DatagramEvent::Response(transmit)) => self.answer(transmit),
            None => {}
        }
    }

    fn tell(&mut self, handle: ConnectionHandle, event: ConnectionEvent) {
        let Some(link) = self.connections.get_mut(&handle) else { return };
        let before = link.connection.remote_address();
        link.connection.handle_event(event);
        self.stats.moved += u64::from(link.connection.remote_address() != before);
        self.dirty.insert(handle);
    }

    fn accept(&mut self, now: Instant, incoming: Incoming) {
        let from = incoming.remote_address();
        let door = self.machine.door(from);
        self.buffer.clear();
        if door == Door::Shut || self.connections.len() >= CONNECTIONS {
            return self.endpoint.ignore(incoming);
        }
        if door == Door::Proof && !incoming.remote_address_validated() {
            return match self.endpoint.retry(incoming, &mut self.buffer) {
                Ok(transmit) => self.answer(transmit),
                Err(why) => self.endpoint.ignore(why.into_incoming()),
            };
        }
        match self.endpoint.accept(incoming, now, &mut self.buffer, None) {
            Ok((handle, connection)) => self.begin(handle, connection, from),
            Err(why) => why.response.into_iter().for_each(|transmit| self.answer(transmit)),
        }
    }

    /// What the endpoint has put into the buffer goes out.
    fn answer(&mut self, transmit: quinn_proto::Transmit) {
        let bytes = Bytes::copy_from_slice(&self.buffer[..transmit.size.min(self.buffer.len())]);
        self.out.push_back(Transmit::Datagram { to: transmit.destination, bytes });
    }

    fn begin(&mut self, handle: ConnectionHandle, connection: Connection, name: SocketAddr) {
        self.names.insert((name, handle));
        self.dirty.insert(handle);
        let link = Link { connection, name, timer: None, stands: false, waiting: VecDeque::new() };
        self.connections.insert(handle, Box::new(link));
    }

    fn named(&self, name: SocketAddr) -> impl Iterator<Item = ConnectionHandle> + '_ {
        let all = (name, ConnectionHandle(0))..=(name, ConnectionHandle(usize::MAX));
        self.names.range(all).map(|(_, handle)| *handle)
    }

    /// Sends a datagram of the machine.
    fn send(&mut self, now: Instant, to: SocketAddr, bytes: Bytes) {
        let stands = |handle: &ConnectionHandle| self.connections.get(handle).is_some_and(|link| link.stands);
        let handle = self.named(to).find(stands).or_else(|| self.named(to).next());
        if handle.is_none() && self.machine.is_open(&bytes) {
            return self.out.push_back(Transmit::Datagram { to, bytes });
        }
        let Some(handle) = handle.or_else(|| self.connect(now, to)) else {
            self.stats.unsent += 1;
            return;
        };
        let Some(link) = self.connections.get_mut(&handle) else { return };
        if link.stands {
            self.stats.unsent += u64::from(link.connection.datagrams().send(bytes, true).is_err());
        } else {
            if link.waiting.len() >= WAITING {
                link.waiting.pop_front();
                self.stats.unsent += 1;
            }
            link.waiting.push_back(bytes);
        }
        self.dirty.insert(handle);
    }

    fn connect(&mut self, now: Instant, to: SocketAddr) -> Option<ConnectionHandle> {
        if self.connections.len() >= CONNECTIONS {
            return None;
        }
        let mut config = self.identity.client();
        config.transport_config(self.transport.clone());
        let (handle, connection) = self.endpoint.connect(now, config, to, "levada.invalid").ok()?;
        self.begin(handle, connection, to);
        Some(handle)
    }

    /// Does what connections want, until none wants anything more.
    fn drive(&mut self, now: Instant) {
        while let Some(handle) = self.dirty.pop_first() {
            self.drive_one(now, handle);
        }
    }

    fn drive_one(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(mut link) = self.connections.remove(&handle) else { return };
        let mut over = false;
        loop {
            let mut idle = true;
            while let Some(event) = link.connection.poll_endpoint_events() {
                idle = false;
                if let Some(event) = self.endpoint.handle_event(handle, event) {
                    link.connection.handle_event(event);
                }
            }
            while let Some(event) = link.connection.poll() {
                idle = false;
                over |= self.happened(now, &mut link, event);
            }
            while link.stands
                && let Some(bytes) = link.connection.datagrams().recv()
            {
                idle = false;
                self.machine.handle(now, Input::Datagram { from: link.name, bytes });
            }
            self.buffer.clear();
            while let Some(transmit) = link.connection.poll_transmit(now, 1, &mut self.buffer) {
                idle = false;
                self.answer(transmit);
                self.buffer.clear();
            }
            if idle {
                break;
            }
        }
        let timer = link.connection.poll_timeout();
        if link.timer != timer {
            link.timer.take().map(|timer| self.timers.remove(&(timer, handle)));
            timer.map(|timer| self.timers.insert((timer, handle)));
            link.timer = timer;
        }
        if over || link.connection.is_drained() {
            // What it leaves unsaid is lost, as on any way that ends.
            self.stats.unsent += link.waiting.len() as u64;
            link.waiting.clear();
            link.stands = false;
            self.names.remove(&(link.name, handle));
            if self.named(link.name).next().is_none() {
                self.machine.parted(link.name);
            }
        }
        if link.connection.is_drained() {
            link.timer.map(|timer| self.timers.remove(&(timer, handle)));
        } else {
            self.connections.insert(handle, link);
        }
    }

    /// True where the connection is over.
    fn happened(&mut self, now: Instant, link: &mut Link, event: Event) -> bool {
        match event {
            Event::Connected => {
                let key = identity::shown(&link.connection);
                if !key.is_some_and(|key| self.machine.admits(link.name, &key)) {
                    self.stats.strangers += 1;
                    link.connection.close(now, VarInt::from_u32(1), Bytes::new());
                    return true;
                }
                self.stats.connected += 1;
                link.stands = true;
                for bytes in link.waiting.drain(..) {
                    self.stats.unsent += u64::from(link.connection.datagrams().send(bytes, true).is_err());
                }
                false
            }
            Event::ConnectionLost { .. } => true,
            _ => false,
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some((due, handle)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, handle));
            if let Some(link) = self.connections.get_mut(&handle) {
                link.timer = None;
                link.connection.handle_timeout(now);
                self.dirty.insert(handle);
            }
        }
    }
}

impl<M: Guarded> Machine for Quic<M> {
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input) {
        self.wake(now);
        match input {
            Input::Datagram { from, bytes } => self.receive(now, from, bytes),
            other => self.machine.handle(now, other),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<M::Event> {
        loop {
            if let Some(transmit) = self.out.pop_front() {
                return Output::Send(transmit);
            }
            match self.machine.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) if self.machine.encrypts() => {
                    self.send(now, to, bytes);
                }
                Output::Wait(until) if self.dirty.is_empty() => {
                    let timer = self.timers.first().map(|(timer, _)| *timer);
                    self.wait = [until, timer].into_iter().flatten().min();
                    return Output::Wait(self.wait);
                }
                Output::Wait(_) => self.drive(now),
                other => return other,
            }
        }
    }
}

/// QUIC's fixed bit (RFC 9000 17).
const FIXED: u8 = 0x40;
/// The longest packet: fits Ethernet, and what DSL and tunnels leave of it.
const LONGEST: u16 = 1_420;
const IDLE: Duration = Duration::from_secs(10);
/// Datagrams that wait until a connection stands.
pub const WAITING: usize = 32;
const CONNECTIONS: usize = 40_000;
