//! The UDP ports at which participants of rooms come. They come and go with the configuration.

use super::Rooms;
use crate::reload::CannotServe;
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::UdpSocket, sync::Notify, task::JoinSet, time::sleep};

/// All of them.
#[derive(Default)]
pub struct Sockets {
    open: Mutex<Vec<Arc<Open>>>,
    changed: Notify,
}

/// One that is open.
pub struct Open {
    /// As the configuration says it.
    asked: SocketAddr,
    /// With the port that was chosen.
    address: SocketAddr,
    /// Never used again for another.
    id: usize,
    udp: UdpSocket,
}

/// What a configuration asks for, bound.
pub(crate) struct Prepared(Vec<Arc<Open>>);

impl Sockets {
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.list().iter().map(|open| open.address).collect()
    }

    /// Binds what is not open already.
    pub fn prepare(&self, listen: &[SocketAddr]) -> Result<Prepared, CannotServe> {
        let mut open = self.list();
        let mut id = open.iter().map(|open| open.id + 1).max().unwrap_or(0);
        let prepared = listen.iter().map(|asked| {
            if let Some(at) = open.iter().position(|open| open.asked == *asked) {
                return Ok(open.swap_remove(at));
            }
            let bound = bind(*asked, id).map_err(|why| CannotServe::Address(*asked, why))?;
            id += 1;
            Ok(Arc::new(bound))
        });
        prepared.collect::<Result<_, _>>().map(Prepared)
    }

    pub fn commit(&self, prepared: Prepared) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = prepared.0;
        self.changed.notify_one();
    }

    /// Sends; what the system does not take now is lost, as on a network.
    pub fn send(&self, datagrams: &[(usize, SocketAddr, Bytes)]) {
        let all = self.list();
        for (by, to, bytes) in datagrams {
            let fits = |open: &&Arc<Open>| open.address.is_ipv4() == to.is_ipv4() || !open.address.is_ipv4();
            let open = all.iter().find(|open| open.id == *by).or_else(|| all.iter().find(fits));
            let _lost = open.map(|open| open.udp.try_send_to(bytes, open.reach(*to)));
        }
    }

    fn list(&self) -> Vec<Arc<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Open {
    /// As this socket says the address: one of IPv6 says those of IPv4 as its own.
    fn reach(&self, to: SocketAddr) -> SocketAddr {
        match (self.address, to) {
            (SocketAddr::V6(_), SocketAddr::V4(to)) => (to.ip().to_ipv6_mapped(), to.port()).into(),
            _ => to,
        }
    }

    /// Reads until it is dropped.
    async fn read(self: Arc<Open>, rooms: Rooms) {
        let mut buffer = vec![0; LONGEST];
        loop {
            // errors of the socket tell of datagrams that we sent, and others go on
            let Ok(()) = self.udp.readable().await else {
                sleep(PAUSE).await;
                continue;
            };
            for _ in 0..TURN {
                match self.udp.try_recv_from(&mut buffer) {
                    Ok((length, from)) => {
                        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                        rooms.datagram(self.id, from, Bytes::copy_from_slice(&buffer[..length]));
                    }
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The tasks that read them.
pub struct Readers {
    rooms: Rooms,
    reading: HashMap<usize, JoinSet<()>>,
}

impl Readers {
    pub fn new(rooms: Rooms) -> Readers {
        let mut readers = Readers { rooms, reading: HashMap::new() };
        readers.follow();
        readers
    }

    /// Waits until others are open, and reads those.
    pub async fn changed(&mut self) {
        let rooms = self.rooms.clone();
        rooms.0.sockets.changed.notified().await;
        self.follow();
    }

    fn follow(&mut self) {
        let open = self.rooms.0.sockets.list();
        self.reading.retain(|id, _| open.iter().any(|open| open.id == *id));
        for open in open {
            let rooms = self.rooms.clone();
            self.reading.entry(open.id).or_insert_with(|| {
                let mut task = JoinSet::new();
                task.spawn(open.read(rooms));
                task
            });
        }
    }
}

fn bind(address: SocketAddr, id: usize) -> io::Result<Open> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // sixteen who speak at once; where the system allows less, it is less
    let _as_much_as_may_be = socket.set_recv_buffer_size(BUFFER);
    let _as_much_as_may_be = socket.set_send_buffer_size(BUFFER);
    socket.bind(&address.into())?;
    let udp = UdpSocket::from_std(socket.into())?;
    Ok(Open { asked: address, address: udp.local_addr()?, id, udp })
}

/// Bytes of a datagram that are looked at.
const LONGEST: usize = 1_500;
/// Datagrams that one socket reads before others have their turn.
const TURN: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
const BUFFER: usize = 1 << 20;
