//! The addresses on which WebRTC is spoken: one UDP port each, for all sessions, and the same port over TCP.

use super::routes::Routes;
use crate::reload::CannotServe;
use bytes::{Bytes, BytesMut};
use socket2::{Domain, Protocol as Ip, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use str0m::net::{Protocol, Transmit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket, tcp::OwnedReadHalf},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

/// All of them.
#[derive(Default)]
pub(super) struct Sockets {
    open: Vec<Door>,
    /// Whose datagrams come here.
    pub(super) routes: Arc<Routes>,
}

struct Door {
    /// With the port that was chosen.
    address: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpListener>,
}

/// Where a session's peer finds one of the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    /// In the order of the configuration.
    pub(super) socket: usize,
    /// What the peer is told.
    pub(super) address: SocketAddr,
    /// Whether TCP is spoken there as well.
    pub(super) tcp: bool,
}

impl Sockets {
    /// Binds them all.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub(super) fn bind(listen: &[SocketAddr], tcp: bool) -> Result<Sockets, CannotServe> {
        let bind = |address: &SocketAddr| {
            Door::bind(*address, tcp).map_err(|why| CannotServe::Address(*address, why))
        };
        let open = listen.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Sockets { open, routes: Arc::default() })
    }

    /// The addresses, with the ports that were chosen for port 0.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|door| door.address).collect()
    }

    /// What a peer is told that reached this server's HTTP at `reached`: the `named` addresses, where there are any,
    /// else the socket's own, else `reached`.
    pub(super) fn locals(&self, named: &[IpAddr], reached: IpAddr) -> Vec<Local> {
        let mut locals = Vec::new();
        for (socket, door) in self.open.iter().enumerate() {
            let fits = |ip: &IpAddr| ip.is_ipv4() == door.address.is_ipv4();
            let own = Some(door.address.ip()).filter(|ip| !ip.is_unspecified());
            let own = own.or(Some(reached).filter(fits)).filter(|_| !named.iter().any(fits));
            let ips = named.iter().copied().filter(fits).chain(own);
            let local = |ip| Local {
                socket,
                address: SocketAddr::new(ip, door.address.port()),
                tcp: door.tcp.is_some(),
            };
            locals.extend(ips.map(local));
        }
        locals
    }

    /// Sends; what the system does not take now is lost, as on a network.
    pub(super) fn send(&self, packet: &Transmit, socket: usize) {
        match packet.proto {
            Protocol::Udp => {
                let Some(door) = self.open.get(socket) else { return };
                let _lost = door.udp.try_send_to(&packet.contents, packet.destination);
            }
            _ => self.routes.write(packet.destination, &packet.contents),
        }
    }

    /// Reads until it is dropped.
    pub(super) async fn run(self: Arc<Sockets>) {
        let mut tasks = JoinSet::new();
        for socket in 0..self.open.len() {
            tasks.spawn(self.clone().read(socket));
            tasks.spawn(self.clone().accept(socket));
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn read(self: Arc<Sockets>, socket: usize) {
        let udp = &self.open[socket].udp;
        let mut buffer = vec![0; LONGEST];
        loop {
            // errors of the socket tell of datagrams that we sent, and others go on
            let Ok(()) = udp.readable().await else {
                sleep(PAUSE).await;
                continue;
            };
            for _ in 0..TURN {
                match udp.try_recv_from(&mut buffer) {
                    Ok((length, from)) => {
                        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                        self.routes.take(Protocol::Udp, from, socket, &buffer[..length]);
                    }
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn accept(self: Arc<Sockets>, socket: usize) {
        let Some(listener) = &self.open[socket].tcp else { return };
        let mut peers = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = peers.join_next() => continue,
            };
            match accepted {
                // twice as many as there are sessions: one that proves nothing is soon gone
                Ok((stream, from)) if peers.len() < 64 + 2 * self.routes.count() => {
                    let _latency_only = stream.set_nodelay(true);
                    peers.spawn(talk(stream, from, socket, self.routes.clone()));
                }
                Ok(_) => {}
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

impl Door {
    /// One port for both. Where the system may choose, it is asked again when what it chose for UDP is taken for TCP.
    fn bind(address: SocketAddr, tcp: bool) -> io::Result<Door> {
        let mut tries = if address.port() == 0 { CHOICES } else { 1 };
        loop {
            tries -= 1;
            match Door::bind_once(address, tcp) {
                Err(why) if why.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                outcome => return outcome,
            }
        }
    }

    fn bind_once(address: SocketAddr, tcp: bool) -> io::Result<Door> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Ip::UDP))?;
        socket.set_nonblocking(true)?;
        // a key picture for everybody, and theirs; the kernel takes what it allows
        let _as_it_is = socket.set_send_buffer_size(BUFFER);
        let _as_it_is = socket.set_recv_buffer_size(BUFFER);
        socket.bind(&address.into())?;
        let udp = UdpSocket::from_std(socket.into())?;
        let address = udp.local_addr()?;
        let tcp = if tcp { Some(listen(address)?) } else { None };
        Ok(Door { address, udp, tcp })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Ip::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1_024)?;
    TcpListener::from_std(socket.into())
}

/// One connection: datagrams behind their length in two bytes (RFC 4571), both ways. It ends when the first is for
/// nobody, or nothing comes for [`SILENCE`].
async fn talk(stream: TcpStream, from: SocketAddr, socket: usize, routes: Arc<Routes>) {
    let (mut reads, mut writes) = stream.into_split();
    let (writer, mut outbox) = mpsc::channel::<Bytes>(OUTBOX);
    let mut buffer = vec![0; LONGEST];
    let first = timeout(FIRST, frame(&mut reads, &mut buffer)).await;
    let Ok(Ok(length)) = first else { return };
    let _place = routes.connect(from, writer);
    if !routes.take(Protocol::Tcp, from, socket, &buffer[..length]) {
        return;
    }
    let reading = async {
        while let Ok(Ok(length)) = timeout(SILENCE, frame(&mut reads, &mut buffer)).await {
            routes.take(Protocol::Tcp, from, socket, &buffer[..length]);
        }
    };
    let writing = async {
        let mut burst = BytesMut::new();
        while let Some(first) = outbox.recv().await {
            put(&mut burst, &first);
            while let Ok(next) = outbox.try_recv() {
                put(&mut burst, &next);
            }
            if !matches!(timeout(SILENCE, writes.write_all(&burst)).await, Ok(Ok(()))) {
                return;
            }
            burst.clear();
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn frame(stream: &mut OwnedReadHalf, buffer: &mut [u8]) -> io::Result<usize> {
    let length = usize::from(stream.read_u16().await?);
    let frame = buffer.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
    stream.read_exact(frame).await
}

fn put(burst: &mut BytesMut, datagram: &[u8]) {
    if let Ok(length) = u16::try_from(datagram.len()) {
        burst.extend_from_slice(&length.to_be_bytes());
        burst.extend_from_slice(datagram);
    }
}

/// Longest datagram that is looked at.
const LONGEST: usize = 4 * 1_024;
/// Datagrams read before others get their turn.
const TURN: usize = 256;
/// Room of a socket in the kernel, either way.
const BUFFER: usize = 4 << 20;
/// Ports that the system is asked for.
const CHOICES: u32 = 32;
/// Datagrams that wait for a connection to take them; more are lost, and asked for again as on a network.
const OUTBOX: usize = 512;
const FIRST: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
